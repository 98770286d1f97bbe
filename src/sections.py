"""The options by section, as default_config.yaml and the recipes have them: `src.options` says what each means."""

from src.options.programs import EvalConfig, ExportConfig, OptimizeConfig, RuntimeConfig
from src.options.service import ServiceConfig
from src.options.stylize import StylizeConfig
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
    "service": ServiceConfig,
}
# those that a training takes its options from
TRAINING_SECTIONS = ("network", "loss", "data", "train", "runtime")
