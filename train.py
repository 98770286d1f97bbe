"""Trains arbitrary style transfer. `python train.py --help` lists every option."""

import sys

from src.config import check_method, parse
from src.errors import run_entry


def main(argv):
    options = parse(argv, ("network", "loss", "data", "train", "runtime"), __doc__)
    way_out = "optimize trains nothing (stylize.py --method optimize), the others are not implemented yet"
    check_method(options.network.method, ("arbitrary",), way_out)
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
