"""Trains a style transfer network: for arbitrary styles, for N styles, or for a single style (--method).

python train.py --content_path PHOTOS --style_path STYLES --ckpt_path WEIGHTS --output_dir D [--config_path RECIPE]

--method arbitrary      Ghiasi et al. 2017, the default (configs/modelzoo.yaml, compact.yaml, compact_distil.yaml,
                        compact_vgg16.yaml)
--method n_styles       Dumoulin et al. 2016 (configs/n_styles.yaml, n_styles_vgg16.yaml)
--method single_style   Johnson et al. 2016 (configs/single_style.yaml, single_style_vgg16.yaml)

The method of Gatys et al. trains nothing, see stylize.py. `python train.py --help all` lists every option.
"""

import sys

from src.config import parse
from src.errors import run_entry
from src.modelarts import ModelArtsOptions, on_modelarts
from src.sections import TRAINING_SECTIONS


def main(argv):
    """Reads the options, trains, returns the exit code."""
    description = "Trains a style transfer network for arbitrary styles, N styles or a single style."
    options = parse(argv, TRAINING_SECTIONS, description, own=ModelArtsOptions)
    from src.runtime import finish, setup
    from src.training.log import setup_logging

    setup_logging()
    with on_modelarts(options) as options:
        runtime = setup(options.runtime)
        from src.training.trainer import train

        status = train(options, runtime)
        finish(runtime)
    return status


if __name__ == "__main__":
    sys.exit(run_entry(main))
