"""Which engine runs the networks, and which files it reads. Importing this module imports no engine's package."""

import importlib.util
from pathlib import Path

from src.config import ROOT
from src.engines import mindir, mindspore_lite, onnxruntime, openvino
from src.engines.fastest import Work, find_fastest
from src.errors import UserError

BUNDLED = ROOT / "pretrained_model" / "arbitrary_compact.ckpt"
BUNDLED_STYLES = BUNDLED.with_name("n_styles.ckpt")
PARTS = ("predictor", "transfer")
TILES = "tiles"  # a third part, needed only for contents that are too large for the memory
ENGINES = {module.ENGINE.name: module.ENGINE for module in (openvino, onnxruntime, mindir, mindspore_lite)}
EXPORTED_ENGINES = ("openvino", "onnxruntime")  # the engines that need no MindSpore


def package(engine) -> str:
    """The Python package that an engine needs, by the engine's name."""
    return ENGINES[engine].package if engine in ENGINES else engine


def installed(engine) -> bool:
    """Whether the package of an engine is there, without importing it."""
    return importlib.util.find_spec(package(engine)) is not None


def find_checkpoint(checkpoint) -> str:
    """The checkpoint named by an option, or the bundled one when the option is empty.

    Raises:
        UserError: neither is there.
    """
    if not checkpoint and not BUNDLED.is_file():
        raise UserError(f"no checkpoint named, and the bundled one is not there ({BUNDLED}); name one, or train one")
    return str(checkpoint or BUNDLED)


def bundled_styles(engine) -> str:
    """The bundled model with a table of styles: the file that an engine reads, or the engine that "auto" will take."""
    if engine in EXPORTED_ENGINES or (engine == "auto" and any(map(installed, EXPORTED_ENGINES))):
        return str(BUNDLED_STYLES.with_name(f"{BUNDLED_STYLES.stem}_transfer.onnx"))
    return str(BUNDLED_STYLES)


def choose_engine(engine, checkpoint, runtime_options=None, work=None) -> str:
    """The engine to use: the one named, or for "auto" the fastest that is installed and can read the checkpoint.

    Args:
        runtime_options: `src.sections.RuntimeConfig`, whose device and precision not every engine has, or None for
        defaults.
        work: `src.engines.fastest.Work`, or None where it is not known what will be stylised.

    Raises:
        UserError: the engine's package is not installed, or no engine that is installed can read the checkpoint.
    """
    chosen = _fastest_engine(checkpoint, runtime_options, work or Work()) if engine == "auto" else engine
    if not installed(chosen):
        file = ENGINES[chosen].requirements if chosen in ENGINES else "requirements.txt"
        raise UserError(f"option engine: {chosen} is not installed in this Python; run 'pip install -r {file}'")
    return chosen


def _fastest_engine(checkpoint, runtime_options, work) -> str:
    suffix = Path(checkpoint).suffix.lower()
    if suffix == ".mindir":
        return "mindir"
    if checkpoint and suffix != ".onnx":
        return "mindspore"
    names = [name for name in EXPORTED_ENGINES if installed(name)]
    if len(names) > 1 and runtime_options and runtime_options.precision != "float32":
        return "openvino"  # the other has float32 only
    if len(names) > 1 and runtime_options and runtime_options.device_target not in ("auto", "CPU"):
        return "onnxruntime"  # the other runs on the CPU only
    if names:
        files = find_parts(checkpoint, ".onnx")
        openers = {name: lambda name=name: ENGINES[name].open(files) for name in names}
        return find_fastest(openers, files[1], work)
    if checkpoint:
        raise UserError(
            f"checkpoint {checkpoint}: an ONNX file needs onnxruntime or openvino; run 'pip install -r "
            "requirements-runtime.txt'"
        )
    return "mindspore"


def find_parts(checkpoint, suffix) -> list[Path]:
    """The files of a predictor and a transfer network, from the name of one of the two; of the bundled model from "".

    Where the graph for tiles lies beside them, it is the third file.

    Raises:
        UserError: a name that does not say which part the file is, or the other file is not beside it.
    """
    path = Path(checkpoint).expanduser() if checkpoint else BUNDLED.with_name(f"{BUNDLED.stem}_transfer{suffix}")
    name, _, part = path.stem.rpartition("_")
    if path.suffix.lower() != suffix or not name or part not in PARTS:
        raise UserError(
            f"checkpoint {path}: expected one of a pair NAME_predictor{suffix}, NAME_transfer{suffix} "
            "(export.py --dynamic --parts predictor, and --parts transfer, write them)"
        )
    suffix = path.suffix  # upper or lower case as in the file's own name
    files = [path.with_name(f"{name}_{part}{suffix}") for part in PARTS]
    for file in files:
        if not file.is_file():
            raise UserError(f"checkpoint {file}: no such file; predictor and transfer network are two files")
    tiles = path.with_name(f"{name}_{TILES}{suffix}")
    return [*files, tiles] if tiles.is_file() else files


def model_files(engine, checkpoint) -> list[Path]:
    """The files that hold the two networks of a checkpoint as an engine reads them; see `open_networks`."""
    if engine in ENGINES:
        return find_parts(checkpoint, ENGINES[engine].suffix)[: len(PARTS)]
    return [Path(find_checkpoint(checkpoint))]


def read_files(engine, checkpoint) -> list[Path]:
    """All files that an engine reads for a checkpoint: `model_files`, and the graph for tiles where there is one."""
    if engine in ENGINES:
        return find_parts(checkpoint, ENGINES[engine].suffix)
    return model_files(engine, checkpoint)


def open_networks(engine="auto", checkpoint="", inception_ckpt="", loss_options=None, runtime_options=None):
    """The networks of a checkpoint or of exported files, in the engine of that name.

    Args:
        engine: mindspore, a name of `ENGINES`, or auto (see `choose_engine`).
        checkpoint: a checkpoint for mindspore, one of the two exported files for the others; empty for the bundled
            model.
        inception_ckpt, loss_options: see `src.engines.mindspore_networks.MindSporeNetworks.load`.
        runtime_options: `src.sections.RuntimeConfig` with device and precision, or None for defaults.

    Raises:
        UserError: see `choose_engine`, `find_parts` and the engines.
    """
    engine = choose_engine(engine, checkpoint, runtime_options)
    device = runtime_options.device_target if runtime_options else "auto"
    precision = runtime_options.precision if runtime_options else "float32"
    if engine == "mindspore":
        from src.engines.mindspore_networks import MindSporeNetworks

        return MindSporeNetworks.load(find_checkpoint(checkpoint), inception_ckpt, loss_options, precision)
    chosen = ENGINES[engine]
    return chosen.open(find_parts(checkpoint, chosen.suffix), device, precision)
