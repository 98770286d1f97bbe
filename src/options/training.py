"""Options of networks, losses, data and training; the values are those of arXiv 1705.06830 and its authors' code."""

from dataclasses import dataclass

from src.methods import METHODS, Method
from src.options.option import Options, PathText, option


@dataclass(frozen=True)
class NetworkConfig(Options):
    method: str = option(
        "arbitrary",
        "any style by one network (arbitrary, Ghiasi 2017), a table of n_styles (Dumoulin 2016), a network for a "
        "single_style (Johnson 2016); stylize.py and eval.py also optimize each picture itself (Gatys 2016)",
        choices=tuple(METHODS),
        common=True,
    )
    predictor: str = option(
        "inception_v3",
        "style prediction network of method arbitrary; inception_v3 needs pretrained weights, compact none, statistics "
        "reads a loss network",
        choices=("inception_v3", "compact", "statistics"),
        common=True,
    )
    width: float = option(
        1.0,
        "multiplier on the channels of the style transfer network (32, 64, 128); 0.5 for laptops",
        above=0,
        common=True,
    )
    padding: str = option(
        "reflect",
        "how convolutions of the style transfer network see past the border",
        choices=("reflect", "zero"),
    )
    ends: str = option(
        "full",
        "size at which the first and the last layers of the style transfer network work: full as in the paper, or half "
        "of the sides, where no layer has the full size and a pastiche takes two thirds of the time",
        choices=("full", "half"),
    )
    upsampling: str = option(
        "nearest",
        "how upsampling convolutions enlarge by 2 (the last layer of half ends repeats)",
        choices=("nearest", "bilinear"),
    )
    output: str = option(
        "sigmoid",
        "last activation; tanh makes the network work in [-1, 1] inside, sigmoid in [0, 1]; linear has none and no "
        "norm before it; images are [0, 1] outside",
        choices=("sigmoid", "tanh", "linear"),
        aliases=("output_activation",),
    )
    norm_affine: bool = option(
        False, "conditional instance norms keep a gamma and beta of their own beside the style's"
    )
    conv_bias: bool = option(False, "convolutions of the style transfer network have a bias")
    half_offsets: bool = option(
        False,
        "the style's betas of the upsampling and output layers are rounded to half precision, as in the published port",
    )
    embedding_dim: int = option(
        100,
        "numbers in a style embedding of method arbitrary (a row of the others: a gamma and a beta for each channel)",
        least=1,
    )
    train_inception: bool = option(
        True, "train Inception-v3's convolutions with the rest (its batch statistics stay fixed); false freezes it"
    )

    @property
    def traits(self) -> Method:
        """The method's row in `src.methods`."""
        return METHODS[self.method]

    @property
    def style_source(self) -> str:
        """What gives the style transfer network its numbers for a style: "table", or a predictor's name."""
        return "table" if self.traits.has_table else self.predictor


@dataclass(frozen=True)
class LossConfig(Options):
    loss_network: str = option(
        "vgg16",
        "network whose features define content and style",
        choices=("vgg16", "vgg19", "distilled_vgg19"),
        common=True,
    )
    loss_network_ckpt: PathText = option(
        "", "weights of the loss network; empty looks for <loss_network>.ckpt in ckpt_path", common=True
    )
    unit_activations: bool = option(
        True,
        "scale each layer of vgg16 and vgg19 to mean activation 1 over the photographs of dataset/test/content, so "
        "that the weights below hold for weights from any source",
    )
    pooling: str = option(
        "average", "pooling of the loss network (the distilled network always uses max)", choices=("average", "max")
    )
    content_taps: dict[str, float] = option(
        {"relu3_3": 1.0}, "feature layers compared for content, with weights", least=0
    )
    style_taps: dict[str, float] = option(
        {"relu1_2": 1.0, "relu2_2": 1.0, "relu3_3": 1.0, "relu4_3": 1.0},
        "feature layers whose Gram matrices are compared for style, with weights",
        least=0,
    )
    detail_taps: dict[str, float] = option(
        {},
        "feature layers whose channels are to lie where the content image has them (detail loss), with weights; empty "
        "for none",
        least=0,
    )
    content_weight: float = option(1.0, "weight of the content loss", least=0, common=True)
    style_weight: float = option(0.5, "weight of the style loss (sum over taps)", least=0, common=True)
    tv_weight: float = option(0.001, "weight of the total-variation loss", least=0, common=True)
    tv_norm: str = option(
        "squared", "total variation as mean of squared or of absolute differences", choices=("squared", "absolute")
    )
    grid_weight: float = option(
        0.0, "weight of the grid loss, against a lattice of dots four or two pixels apart; 0 for none", least=0
    )
    color_weight: float = option(
        0.0, "weight of the color loss: means and covariances of the colors against the style's; 0 for none", least=0
    )
    band_weight: float = option(
        0.0,
        "weight of the band loss: how much brightness and color vary at each size of detail, 1 to 16 pixels, against "
        "the style's; 0 for none",
        least=0,
    )
    palette_weight: float = option(
        0.0,
        "weight of the palette loss: which colors there are, and how much of each, against the style's; needs "
        "color_weight beside it; 0 for none",
        least=0,
    )
    normalize_losses: bool | str = option(
        False,
        "divide each image's loss at each tap by the target's own energy (needed by distilled_vgg19); balanced divides "
        "style losses by the sum of the target's and the pastiche's energy (arXiv 2104.10064)",
        choices=(False, True, "balanced"),
    )
    style_loss_clamp: float = option(
        0.0, "upper bound of a normalised style loss of one image at one tap; 0 for none", least=0
    )

    @property
    def feature_layers(self) -> tuple:
        """Every feature layer that the losses compare, once: the order in which the loss network gives them."""
        return tuple(dict.fromkeys((*self.style_taps, *self.content_taps, *self.detail_taps)))


@dataclass(frozen=True)
class DataConfig(Options):
    content_path: PathText = option("", "folder of photographs, walked recursively", common=True)
    style_path: PathText = option(
        "",
        "folder of paintings and textures, walked recursively; n_styles: one image a style, single_style: the image",
        common=True,
    )
    image_size: int = option(256, "side of the square training crops, pixels", least=1, common=True)
    style_size: int = option(0, "side of the crops of style images, pixels", least=1, zero="for image_size")
    batch_size: int = option(8, "images a device a step", least=1, common=True)
    content_resize: float = option(
        1.0,
        "content images are resized so that their short side is image_size times a random factor from 1 to this",
        least=1,
    )
    style_crops: int = option(
        0,
        "0 draws a new crop of a style image at each step; K draws one of K fixed crops of each, whose Gram matrices "
        "(and features of a frozen predictor) are computed once and kept in memory",
        least=0,
    )
    style_augment: bool = option(
        True,
        "change brightness, saturation, hue and flip of style images at random; false with n_styles or single_style "
        "compares with each whole style image (short side style_size), once for all",
    )
    style_resize_min: float = option(
        1.0,
        "style images are resized so that their short side is style_size times a random factor from this",
        least=1,
    )
    style_resize_max: float = option(1.8, "largest such factor of a style image, before the random crop", least=1)
    brightness: float = option(0.8, "largest change of brightness, as a part of the range", least=0, most=1)
    saturation: float = option(0.5, "largest change of saturation, as a part", least=0, most=1)
    hue: float = option(0.2, "largest change of hue, as a part of the colour circle", least=0, most=0.5)
    vertical_flip: bool = option(True, "style images are also flipped upside down at random")
    style_kinds: dict[str, float] = option(
        {},
        "sampling weight for each first-level folder of style_path, or kind in a SOURCES.csv beside it, e.g. "
        "painting=2,texture=1",
        least=0,
    )
    min_side: int = option(64, "files with a shorter side than this are skipped, pixels", least=1)
    num_parallel_workers: int = option(8, "MindData workers a stage (never more than the machine has cores)", least=1)
    prefetch: int = option(4, "batches kept ready", least=1)

    @property
    def style_side(self) -> int:
        """Side of the style crops, pixels."""
        return self.style_size or self.image_size


@dataclass(frozen=True)
class TrainConfig(Options):
    output_dir: PathText = option(
        "output", "where checkpoints, log, CSV and pictures go", aliases=("output",), common=True
    )
    ckpt_path: PathText = option(
        "pretrained_model",
        "folder with the pretrained networks (vgg16.ckpt, inceptionv3.ckpt), or one checkpoint to start from",
        common=True,
    )
    init_ckpt: PathText = option(
        "",
        "checkpoint to start from (fine-tune); any format that eval.py takes; where style_path has styles that an "
        "n_styles one lacks, only their rows are trained",
        aliases=("checkpoint",),
        common=True,
    )
    distill_from: PathText = option("", "teacher checkpoint; the predictor learns to give its embeddings")
    distill_weight: float = option(
        0.0,
        "weight of the style and content losses beside the embedding loss of distilling; 0 trains the predictor alone",
        least=0,
    )
    hint_weight: float = option(
        0.0,
        "weight of the loss on the statistics that a statistics teacher reads (of distilled_vgg19); predictor compact",
        least=0,
    )
    freeze: list[str] = option([], "beginnings of names of parameters that are not trained, e.g. predictor.stages")
    steps: int = option(40000, "training steps in all", least=1, common=True)
    optimizer: str = option(
        "adam",
        "adam; muon makes the updates of convolution kernels orthogonal, Adam does the rest (distilling learns faster "
        "by it); sgd with momentum 0.9",
        choices=("adam", "muon", "sgd"),
    )
    learning_rate: float = option(0.0001, "learning rate after the warm-up", above=0, common=True)
    warmup_steps: int = option(0, "steps over which the learning rate rises linearly from 0", least=0)
    lr_schedule: str = option(
        "constant",
        "decay of the learning rate to lr_final over the steps that follow",
        choices=("constant", "linear", "cosine", "exponential"),
    )
    lr_final: float = option(0.0, "learning rate at the last step", least=0)
    clip_norm: float = option(0.0, "gradients are scaled down to this global norm; 0 for none", least=0)
    ema_decay: float = option(
        0.0,
        "exponential moving average of weights, saved as the checkpoint's weights; 0 for none",
        least=0,
        below=1,
    )
    loss_scale: float = option(
        1024.0,
        "first loss scale in float16, halved at an overflow, doubled after 1000 steps without",
        above=0,
    )
    log_every: int = option(10, "steps between lines of losses.csv and of the progress log", least=1)
    image_every: int = option(1000, "steps between grids of fixed test pairs", least=1)
    save_every: int = option(1000, "steps between checkpoints", least=1)
    keep_checkpoints: int = option(3, "how many checkpoints stay", least=1)
    resume: bool = option(True, "go on from the newest checkpoint in output_dir", common=True)
    dataset_sink_mode: bool = option(
        False,
        "batches wait in a queue on the device, where each step fetches its own (Ascend and GPU; a damaged file ends "
        "the run)",
    )
    format: str = option(
        "native",
        "names in the checkpoint; modelzoo writes what the published MindSpore scripts read",
        choices=("native", "modelzoo"),
    )
    summary: str = option(
        "none",
        "also log losses for MindInsight or TensorBoard (tensorboard needs requirements-train.txt)",
        choices=("none", "mindspore", "tensorboard"),
    )
