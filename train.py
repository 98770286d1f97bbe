"""Trains arbitrary style transfer. `python train.py --help all` lists every option."""

import sys

from src.config import parse
from src.errors import run_entry


def main(argv):
    options = parse(argv, ("network", "loss", "data", "train", "runtime"), __doc__)
    from src.runtime import finish, setup
    from src.training.log import setup_logging

    setup_logging()
    runtime = setup(options.runtime)
    from src.training.trainer import train

    status = train(options, runtime)
    finish(runtime)
    return status


if __name__ == "__main__":
    sys.exit(run_entry(main))
