"""Options of eval.py, stylize.py and export.py, of the optimisation, and of the device that every program runs on."""

from dataclasses import dataclass

from src.options.option import Options, PathText, option

COLORS = {"choices": ("none", "luma", "match"), "former": ("none", "luma")}
COLORS_HELP = (
    "keep the content's colours: luma takes over the pastiche's brightness only, match gives its colours the mean and "
    "covariance of the content's; true is luma"
)
CHECKPOINT_HELP = "checkpoint, this project's or the published one; empty takes the bundled model"
INCEPTION_HELP = "Inception-v3 for a published checkpoint; empty takes the one inside it"
SHARD_HELP = (
    "which part of the contents to do: INDEX/COUNT from 0/COUNT, or rank for RANK_ID/RANK_SIZE of the environment; "
    "empty does all"
)


@dataclass(frozen=True)
class RuntimeConfig(Options):
    device_target: str = option(
        "auto",
        "device; auto takes the first of Ascend, GPU, CPU that this machine and build have",
        choices=("auto", "Ascend", "GPU", "CPU"),
        aliases=("platform",),
        common=True,
    )
    device_id: int = option(0, "which device of that kind", least=0)
    mode: str = option(
        "graph",
        "graph compiles, pynative runs operation by operation (debugging)",
        choices=("graph", "pynative"),
    )
    backend: str = option(
        "auto",
        "what compiles graphs on Ascend; GE (static shapes; not in MindSpore 2.10) or ms_backend; auto takes GE on "
        "the Atlas training series (910A) while MindSpore has it",
        choices=("auto", "GE", "ms_backend"),
    )
    jit_level: str = option(
        "O0", "how much ms_backend fuses on Ascend; O1 fuses operators, O0 does not", choices=("O0", "O1")
    )
    precision: str = option(
        "float32",
        "float16 computes the convolutions in half precision with loss scaling",
        choices=("float32", "float16", "bfloat16"),
    )
    seed: int = option(1, "seed of weights, shuffling and augmentation", least=0, most=2**32 - 1)
    distributed: bool = option(
        False, "one process a device, started by msrun or a rank table", aliases=("run_distribute",)
    )


@dataclass(frozen=True)
class EvalConfig(Options):
    content_path: PathText = option("dataset/test/content", "folder of photographs, or one", common=True)
    style_path: PathText = option("dataset/test/style", "folder of style images, or one", common=True)
    ckpt_path: PathText = option("", CHECKPOINT_HELP, aliases=("checkpoint",), common=True)
    inception_ckpt: PathText = option("", INCEPTION_HELP, common=True)
    output_path: PathText = option(
        "output/eval", "folder for the pictures, grid.png and metrics.csv", aliases=("output",), common=True
    )
    image_size: int = option(
        0,
        "resize the short side to so many pixels and crop the centre square",
        least=16,
        zero="for each content's own size and shape",
        common=True,
    )
    interpolation: int = option(
        0,
        "steps from the content's own style to each style, and between styles",
        least=2,
        zero="for none",
        common=True,
    )
    shard: str = option("", SHARD_HELP)
    write_pictures: bool = option(True, "write every pastiche (false writes grid and metrics only)")
    pictures: bool | PathText = option(
        "",
        "folder of pictures <content>_<style>.png (jpg, ...) that any program made, measured in place of a model's; "
        "true or false means write_pictures",
        common=True,
    )

    @property
    def writes_pictures(self) -> bool:
        """Whether every pastiche is written; `pictures` true or false is the former spelling of `write_pictures`."""
        return self.pictures if isinstance(self.pictures, bool) else self.write_pictures

    @property
    def pictures_path(self) -> str:
        """Folder of pictures to measure, empty for none."""
        return "" if isinstance(self.pictures, bool) else self.pictures


@dataclass(frozen=True)
class ExportConfig(Options):
    ckpt_path: PathText = option("", CHECKPOINT_HELP, aliases=("checkpoint",), common=True)
    inception_ckpt: PathText = option("", INCEPTION_HELP)
    file_format: str = option(
        "MINDIR",
        "MINDIR for MindSpore and MindSpore Lite, AIR for Ascend, ONNX for every other engine",
        choices=("MINDIR", "AIR", "ONNX"),
        common=True,
    )
    file_name: PathText = option(
        "arbitrary_style_transfer", "file to write; its ending may be left out", aliases=("output",), common=True
    )
    height: int = option(256, "height of the content image, pixels", least=16, multiple=4, common=True)
    width: int = option(256, "width of the content image, pixels", least=16, multiple=4, common=True)
    style_height: int = option(
        256,
        "height of the style image, pixels; stylize.py shows the predictor 256 on the short side",
        least=64,
    )
    style_width: int = option(256, "width of the style image, pixels", least=64)
    dynamic: bool = option(
        False,
        "heights and widths stay free, those of the options are not read (ONNX leaves the number of images free too)",
        common=True,
    )
    parts: str = option(
        "fused",
        "fused (content and style to pastiche), predictor (style to embedding), transfer (content and embedding to "
        "pastiche) or tiles (ONNX with free sides, for stylize.py)",
        choices=("fused", "predictor", "transfer", "tiles"),
        common=True,
    )
    overwrite: bool = option(False, "replace a file that exists", common=True)


@dataclass(frozen=True)
class OptimizeConfig(Options):
    optimizer: str = option(
        "adam",
        "what moves the pixels; lbfgs needs fewer iterations, of about 1.1 evaluations of the losses each",
        choices=("adam", "lbfgs"),
    )
    iterations: int = option(300, "iterations at the full size", least=1)
    learning_rate: float = option(
        0.02,
        "adam's rate, in units of a pixel's range of 1; lbfgs's first step, as root mean square",
        above=0,
    )
    beta1: float = option(0.9, "adam's decay of the mean gradient", least=0, below=1)
    beta2: float = option(0.999, "adam's decay of the mean squared gradient", least=0, below=1)
    epsilon: float = option(1.0e-8, "adam's addend to the root of the mean squared gradient", above=0)
    history: int = option(10, "pairs of steps and gradients from which lbfgs learns the curvature", least=1)
    loss_scale: float = option(1024.0, "first loss scale of --precision float16", above=0)
    style_scale: list[float] = option(
        [1.0],
        "short side of a style, as a multiple of the pastiche's; one number, or one a style",
        least=0.05,
        most=20,
    )
    style_layer_weight_exp: float = option(
        1.0, "each style layer weighs this many times the one before; the sum of the weights stays", above=0
    )
    content_weight_blend: float = option(
        0.5,
        "between two content layers; 0 only the second, 1 only the first, 0.5 as content_taps has them",
        least=0,
        most=1,
    )
    init_image: PathText = option("", "picture to start from; empty for the content")
    init_noise_blend: float = option(
        0.0, "part of noise in the start, 0 to 1 (Gatys et al. start from 1)", least=0, most=1
    )
    preserve_colors: str = option("none", COLORS_HELP, **COLORS)
    image_width: int = option(0, "width of the pastiche, pixels", least=32, zero="for the content's own, or for --size")
    coarse_widths: list[int] = option(
        [], "widths to optimise at before, pixels, each from the result of the one before", least=32
    )
    coarse_iterations: int = option(0, "iterations at each of coarse_widths", least=1, zero="for as many as iterations")
    print_iterations: int = option(10, "iterations between progress reports", least=1)
    checkpoint_iterations: int = option(0, "iterations between checkpoint pictures", least=1, zero="for none")
    checkpoint_output: PathText = option(
        "", "name of a checkpoint picture, such as out_%s.png; %s becomes the iteration"
    )
    resume: bool = option(False, "go on from the last checkpoint picture of checkpoint_output")
    losses: PathText = option(
        "", "NAME.csv for the losses of every iteration, their curves go to NAME_curves.png beside it; empty for none"
    )
