"""What runs the two networks: MindSpore, or an engine that needs no MindSpore and exported files.

An engine is an object with `name`, `embedding_dim`, `embed(style (1, 3, h, w)) -> (1, embedding_dim)` and
`transfer(content (1, 3, H, W), embedding) -> pastiche (1, 3, H, W)`; all arrays float32, images RGB in [0, 1]. With
`styles`, names that are not empty, `embed` takes weights of these (1, styles) in place of a style image.
Where its `can_tile` is true, it also stylises contents in parts: `collect(crops (N, 3, h, w), embedding)` gives the
statistics of the norms, (2, their channels), `transfer_tile(tile (1, 3, h, w), embedding, statistics)` its pastiche.
Importing this module imports none of them.
"""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from src.config import ROOT
from src.errors import UserError

BUNDLED = ROOT / "pretrained_model" / "arbitrary_compact.ckpt"
BUNDLED_STYLES = BUNDLED.with_name("n_styles.ckpt")
PARTS = ("predictor", "transfer")
TILES = "tiles"  # a third part, which only contents too large for the memory need
# the first that is installed is taken when none is named: fastest first
EXPORTED_ENGINES = ("openvino", "onnxruntime")
PACKAGES = {"mindspore": "mindspore", "mindir": "mindspore", "onnxruntime": "onnxruntime", "openvino": "openvino"}
SUFFIXES = {"mindir": ".mindir", "onnxruntime": ".onnx", "openvino": ".onnx"}
INSTALL = {"openvino": "requirements-openvino.txt", "onnxruntime": "requirements-runtime.txt"}
PROVIDERS = {
    "CPU": "CPUExecutionProvider",
    "GPU": "CUDAExecutionProvider",
    "Ascend": "CANNExecutionProvider",
}


def installed(engine) -> bool:
    """Whether the package of an engine is there, without importing it."""
    return importlib.util.find_spec(PACKAGES[engine]) is not None


def find_checkpoint(checkpoint) -> str:
    """The checkpoint named by an option, or the bundled one when the option is empty.

    Raises:
        UserError: neither is there.
    """
    if not checkpoint and not BUNDLED.is_file():
        raise UserError(f"no checkpoint named, and the bundled one is not there ({BUNDLED}); name one, or train one")
    return str(checkpoint or BUNDLED)


def bundled_styles(engine) -> str:
    """The file of the bundled model with a table of styles that an engine, or the one that "auto" will take, reads."""
    if engine in EXPORTED_ENGINES or (engine == "auto" and any(map(installed, EXPORTED_ENGINES))):
        return str(BUNDLED_STYLES.with_name(f"{BUNDLED_STYLES.stem}_transfer.onnx"))
    return str(BUNDLED_STYLES)


def choose_engine(engine, checkpoint) -> str:
    """The engine to use: the one named, or for "auto" the fastest that is installed and can read the checkpoint.

    Raises:
        UserError: its package is not installed, or nothing that is can read the checkpoint.
    """
    chosen = _fastest_engine(checkpoint) if engine == "auto" else engine
    if not installed(chosen):
        file = INSTALL.get(chosen, "requirements.txt")
        raise UserError(f"option engine: {chosen} is not installed in this Python; run 'pip install -r {file}'")
    return chosen


def _fastest_engine(checkpoint) -> str:
    suffix = Path(checkpoint).suffix.lower()
    if suffix == ".mindir":
        return "mindir"
    if checkpoint and suffix != ".onnx":
        return "mindspore"
    for name in EXPORTED_ENGINES:
        if installed(name):
            return name
    if checkpoint:
        raise UserError(
            f"checkpoint {checkpoint}: an ONNX file needs onnxruntime or openvino; run 'pip install -r "
            "requirements-runtime.txt'"
        )
    return "mindspore"


def find_parts(checkpoint, suffix) -> list[Path]:
    """The files of the predictor and of the transfer network, from the name of one of them or of the bundled model.

    A third one is the graph for tiles, where it lies beside them.

    Raises:
        UserError: a name that does not say which part it is, or the other one is not beside it.
    """
    path = Path(checkpoint).expanduser() if checkpoint else BUNDLED.with_name(f"{BUNDLED.stem}_transfer{suffix}")
    name, _, part = path.stem.rpartition("_")
    if path.suffix.lower() != suffix or not name or part not in PARTS:
        raise UserError(
            f"checkpoint {path}: expected one of a pair NAME_predictor{suffix}, NAME_transfer{suffix} "
            "(export.py --dynamic --parts predictor, and --parts transfer, write them)"
        )
    suffix = path.suffix  # in the letters of the file's own name
    files = [path.with_name(f"{name}_{part}{suffix}") for part in PARTS]
    for file in files:
        if not file.is_file():
            raise UserError(f"checkpoint {file}: no such file; predictor and transfer network are two files")
    tiles = path.with_name(f"{name}_{TILES}{suffix}")
    return [*files, tiles] if tiles.is_file() else files


def read_description(part) -> tuple[int, tuple]:
    """Numbers in an embedding and names of the styles (none where images are embedded), from the JSON beside a file."""
    description = part.with_name(part.name + ".json")
    try:
        content = json.loads(description.read_text(encoding="utf-8"))
        return int(content["embedding_size"]), tuple(content.get("styles", ()))
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{description}: missing or damaged; export.py writes it beside {part.name}") from None


def styles_of(files, predictor_input) -> tuple:
    """Names of the styles of a pair of files whose predictor has that input: without a table, no JSON is needed."""
    return read_description(files[1])[1] if predictor_input == "weights" else ()


@dataclass(frozen=True)
class ExportedNetworks:
    """Exported files in some engine, see the module.

    Attributes:
        name: of the engine.
        embedding_dim: numbers in an embedding.
        run_predictor, run_transfer: functions of the inputs by name that give the one output.
        open_tiles: reads the graph for tiles; gives a function of the inputs by name to the list of outputs, and the
            number of the norms' channels. None without such a graph.
        styles: names of the styles of a table; empty where images are embedded.
    """

    name: str
    embedding_dim: int
    run_predictor: Callable
    run_transfer: Callable
    open_tiles: Callable | None = None
    styles: tuple = ()

    @property
    def can_tile(self) -> bool:
        """See the module."""
        return self.open_tiles is not None

    @cached_property
    def _tiles(self):
        return self.open_tiles()

    def embed(self, style):
        """See the module."""
        return self.run_predictor({"weights" if self.styles else "style": style})

    def transfer(self, content, embedding):
        """See the module."""
        return self.run_transfer({"content": content, "embedding": embedding})

    def collect(self, crops, embedding):
        """See the module."""
        run, channels = self._tiles
        nothing = {"statistics": np.zeros((2, channels), np.float32), "given": np.zeros(1, np.float32)}
        return run({"content": crops, "embedding": embedding, **nothing})[1]

    def transfer_tile(self, tile, embedding, statistics):
        """See the module."""
        run, _ = self._tiles
        given = {"statistics": statistics, "given": np.ones(1, np.float32)}
        return run({"content": tile, "embedding": embedding, **given})[0]


def open_onnxruntime(files, device="auto") -> ExportedNetworks:
    """ONNX files run by ONNX Runtime.

    Args:
        files: predictor, transfer network and, or not, the graph for tiles.
        device: CPU, GPU (CUDA), Ascend (CANN) or auto: the best that this build of ONNX Runtime has.

    Raises:
        UserError: this build lacks the device, or a file is not ONNX.
    """
    import onnxruntime
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf, NotImplemented

    have = onnxruntime.get_available_providers()
    if device == "auto":
        device = next(name for name in ("Ascend", "GPU", "CPU") if PROVIDERS[name] in have)
    if PROVIDERS[device] not in have:
        found = ", ".join(name for name, provider in PROVIDERS.items() if provider in have)
        raise UserError(f"option device_target: found {device}, but this ONNX Runtime has only {found}")
    providers = list(dict.fromkeys((PROVIDERS[device], PROVIDERS["CPU"])))
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3

    def read(path):
        try:
            return onnxruntime.InferenceSession(path.read_bytes(), quiet, providers=providers)
        except (Fail, InvalidGraph, InvalidProtobuf, NotImplemented) as error:
            raise UserError(f"checkpoint {path}: ONNX Runtime can't read it: {_first_line(error)}") from None

    def open_tiles():
        session = read(files[2])
        return lambda inputs: session.run(None, inputs), session.get_outputs()[1].shape[1]

    predictor, transfer = map(read, files[:2])
    return ExportedNetworks(
        "onnxruntime",
        predictor.get_outputs()[0].shape[1],
        lambda inputs: predictor.run(None, inputs)[0],
        lambda inputs: transfer.run(None, inputs)[0],
        open_tiles if files[2:] else None,
        styles_of(files, predictor.get_inputs()[0].name),
    )


def open_openvino(files, precision="float32") -> ExportedNetworks:
    """ONNX files run by OpenVINO on the CPU.

    Args:
        files: predictor, transfer network and, or not, the graph for tiles.
        precision: float32, bfloat16 or float16 inside; results are float32.

    Raises:
        UserError: a file is not ONNX.
    """
    import openvino

    core = openvino.Core()
    hint = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}[precision]
    settings = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}

    def read(path):
        try:
            return core.compile_model(str(path), "CPU", settings)
        except RuntimeError as error:
            raise UserError(f"checkpoint {path}: OpenVINO can't read it: {_first_line(error)}") from None

    def open_tiles():
        model = read(files[2])
        return lambda inputs: model(inputs).to_tuple(), model.output(1).partial_shape[1].get_length()

    predictor, transfer = map(read, files[:2])
    return ExportedNetworks(
        "openvino",
        predictor.output(0).partial_shape[1].get_length(),
        lambda inputs: predictor(inputs)[0],
        lambda inputs: transfer(inputs)[0],
        open_tiles if files[2:] else None,
        styles_of(files, predictor.input(0).get_any_name()),
    )


def open_mindir(files) -> ExportedNetworks:
    """A pair of MindIR files, predictor and transfer network, run by MindSpore.

    Raises:
        UserError: the JSON that export.py writes beside a file is missing.
    """
    import mindspore as ms

    from src.deploy.mindir import read_graph

    def read(path):
        cell = ms.nn.GraphCell(read_graph(path))
        return lambda inputs: cell(*map(ms.Tensor, inputs.values())).asnumpy()

    size, styles = read_description(files[1])
    return ExportedNetworks("mindir", size, *map(read, files[:2]), styles=styles)


def _first_line(error) -> str:
    return str(error).strip().splitlines()[0][:160]


def open_networks(engine="auto", checkpoint="", inception_ckpt="", loss=None, runtime=None):
    """The networks of a checkpoint or of exported files, in the engine of that name.

    Args:
        engine: mindspore, mindir, onnxruntime, openvino or auto (see `choose_engine`).
        checkpoint: a checkpoint for mindspore, one of the two exported files for the others; empty for the bundled
            model.
        inception_ckpt, loss: see `src.stylize.mindspore_networks.MindSporeNetworks.load`.
        runtime: `src.sections.RuntimeConfig` with device and precision, or None for defaults.

    Raises:
        UserError: see `choose_engine`, `find_parts` and the engines.
    """
    engine = choose_engine(engine, checkpoint)
    device = runtime.device_target if runtime else "auto"
    precision = runtime.precision if runtime else "float32"
    if engine == "mindspore":
        from src.stylize.mindspore_networks import MindSporeNetworks

        return MindSporeNetworks.load(find_checkpoint(checkpoint), inception_ckpt, loss, precision)
    files = find_parts(checkpoint, SUFFIXES[engine])
    if engine == "openvino":
        return open_openvino(files, precision)
    if precision != "float32":
        raise UserError(f"option precision: found {precision}, which {engine} does not choose; use --engine openvino")
    return open_onnxruntime(files, device) if engine == "onnxruntime" else open_mindir(files)
