"""The options by section, as default_config.yaml and the recipes have them: `src.options` says what each means."""

from src.options.programs import EvalConfig, ExportConfig, OptimizeConfig, RuntimeConfig, StylizeConfig
from src.options.training import DataConfig, LossConfig, NetworkConfig, TrainConfig
from src.options.video import VideoConfig

SECTIONS = {
    "network": NetworkConfig,
    "loss": LossConfig,
    "data": DataConfig,
    "train": TrainConfig,
    "runtime": RuntimeConfig,
    "eval": EvalConfig,
    "stylize": StylizeConfig,
    "export": ExportConfig,
    "optimize": OptimizeConfig,
    "video": VideoConfig,
}
# those that a training takes its options from
TRAINING_SECTIONS = ("network", "loss", "data", "train", "runtime")
