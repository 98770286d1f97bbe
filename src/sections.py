"""The options as frozen dataclasses, one a section of default_config.yaml, which says what each means."""

import typing
from dataclasses import dataclass

# the name of a file or a folder: "~" at its beginning means the user's home
PathText = typing.NewType("PathText", str)


@dataclass(frozen=True)
class NetworkConfig:
    method: str
    predictor: str
    width: float
    padding: str
    upsampling: str
    output: str
    norm_affine: bool
    conv_bias: bool
    half_offsets: bool
    embedding_dim: int
    train_inception: bool

    @property
    def has_table(self) -> bool:
        """Whether its styles are rows of a table rather than what a style prediction network reads."""
        return self.method in ("n_styles", "single_style")

    @property
    def reads_statistics(self) -> bool:
        """Whether its style prediction network reads a loss network's statistics."""
        return not self.has_table and self.predictor == "statistics"


@dataclass(frozen=True)
class LossConfig:
    loss_network: str
    loss_network_ckpt: PathText
    unit_activations: bool
    pooling: str
    content_taps: dict[str, float]
    style_taps: dict[str, float]
    content_weight: float
    style_weight: float
    tv_weight: float
    tv_norm: str
    grid_weight: float
    normalize_losses: bool | str
    style_loss_clamp: float


@dataclass(frozen=True)
class DataConfig:
    content_path: PathText
    style_path: PathText
    image_size: int
    style_size: int
    batch_size: int
    content_resize: float
    style_crops: int
    style_augment: bool
    style_resize_min: float
    style_resize_max: float
    brightness: float
    saturation: float
    hue: float
    vertical_flip: bool
    style_kinds: dict[str, float]
    min_side: int
    num_parallel_workers: int
    prefetch: int

    @property
    def style_side(self) -> int:
        """Side of the style crops, pixels."""
        return self.style_size or self.image_size


@dataclass(frozen=True)
class TrainConfig:
    output_dir: PathText
    ckpt_path: PathText
    init_ckpt: PathText
    distill_from: PathText
    distill_weight: float
    hint_weight: float
    freeze: list[str]
    steps: int
    optimizer: str
    learning_rate: float
    warmup_steps: int
    lr_schedule: str
    lr_final: float
    clip_norm: float
    ema_decay: float
    loss_scale: float
    log_every: int
    image_every: int
    save_every: int
    keep_checkpoints: int
    resume: bool
    format: str
    summary: str


@dataclass(frozen=True)
class RuntimeConfig:
    device_target: str
    device_id: int
    mode: str
    precision: str
    seed: int
    distributed: bool


@dataclass(frozen=True)
class EvalConfig:
    content_path: PathText
    style_path: PathText
    ckpt_path: PathText
    inception_ckpt: PathText
    output_path: PathText
    image_size: int
    interpolation: int
    write_pictures: bool
    pictures: bool | PathText

    @property
    def writes_pictures(self) -> bool:
        """Whether every pastiche is written; `pictures` true or false is the former spelling of `write_pictures`."""
        return self.pictures if isinstance(self.pictures, bool) else self.write_pictures

    @property
    def pictures_path(self) -> str:
        """Folder of pictures to measure, empty for none."""
        return "" if isinstance(self.pictures, bool) else self.pictures


@dataclass(frozen=True)
class StylizeConfig:
    output: PathText
    style: str
    styles: list[PathText]
    style_weights: list[float] | dict[str, float]
    blend_steps: int
    strength: float
    size: int
    tile: int
    engine: str
    checkpoint: PathText
    inception_ckpt: PathText
    overwrite: bool


@dataclass(frozen=True)
class ExportConfig:
    ckpt_path: PathText
    inception_ckpt: PathText
    file_format: str
    file_name: PathText
    height: int
    width: int
    style_height: int
    style_width: int
    dynamic: bool
    parts: str
    overwrite: bool


@dataclass(frozen=True)
class QualityConfig:
    teacher: PathText
    gatys_pairs: int
    gatys_steps: int


@dataclass(frozen=True)
class PackConfig:
    transfer_from: PathText
    emphasis: float
    style_path: PathText


@dataclass(frozen=True)
class OptimizeConfig:
    optimizer: str
    iterations: int
    learning_rate: float
    beta1: float
    beta2: float
    epsilon: float
    history: int
    loss_scale: float
    style_scale: list[float]
    style_layer_weight_exp: float
    content_weight_blend: float
    init_image: PathText
    init_noise_blend: float
    preserve_colors: bool
    image_width: int
    coarse_widths: list[int]
    coarse_iterations: int
    print_iterations: int
    checkpoint_iterations: int
    checkpoint_output: PathText
    resume: bool
    losses: PathText


SECTIONS = {
    "network": NetworkConfig,
    "loss": LossConfig,
    "data": DataConfig,
    "train": TrainConfig,
    "runtime": RuntimeConfig,
    "eval": EvalConfig,
    "stylize": StylizeConfig,
    "export": ExportConfig,
    "quality": QualityConfig,
    "pack": PackConfig,
    "optimize": OptimizeConfig,
}
