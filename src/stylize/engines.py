"""What runs the two networks: MindSpore, or an engine that needs no MindSpore and exported files.

An engine is an object with `name`, `embedding_dim`, `embed(style (1, 3, h, w)) -> (1, embedding_dim)` and
`transfer(content (1, 3, H, W), embedding) -> pastiche (1, 3, H, W)`; all arrays float32, images RGB in [0, 1].
Importing this module imports none of them.
"""

import importlib.util
import json
from pathlib import Path

from src.config import ROOT
from src.errors import UserError

BUNDLED = ROOT / "pretrained_model" / "arbitrary_compact.ckpt"
PARTS = ("predictor", "transfer")
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


def choose_engine(engine, checkpoint) -> str:
    """The engine to use: the one named, or for "auto" the fastest that is installed and can read the checkpoint.

    Raises:
        UserError: its package is not installed, or nothing that is can read the checkpoint.
    """
    suffix = Path(checkpoint).suffix.lower()
    if engine == "auto":
        if suffix == ".mindir":
            engine = "mindir"
        elif suffix == ".onnx" or not checkpoint:
            engine = next((name for name in EXPORTED_ENGINES if installed(name)), "")
            if not engine and suffix == ".onnx":
                raise UserError(
                    f"checkpoint {checkpoint}: an ONNX file needs onnxruntime or openvino; run 'pip install -r "
                    "requirements-runtime.txt'"
                )
        engine = engine if engine not in ("", "auto") else "mindspore"
    if not installed(engine):
        file = INSTALL.get(engine, "requirements.txt")
        raise UserError(f"option engine: {engine} is not installed in this Python; run 'pip install -r {file}'")
    return engine


def find_parts(checkpoint, suffix) -> list[Path]:
    """The files of the predictor and of the transfer network, from the name of one of them or of the bundled model.

    Raises:
        UserError: a name that does not say which part it is, or the other one is not beside it.
    """
    path = Path(checkpoint).expanduser() if checkpoint else BUNDLED.with_name(f"{BUNDLED.stem}_transfer{suffix}")
    stem = next((path.stem[: -len(part)] for part in PARTS if path.stem.endswith(part)), None)
    if path.suffix.lower() != suffix or stem is None:
        raise UserError(
            f"checkpoint {path}: expected one of a pair NAME_predictor{suffix}, NAME_transfer{suffix} "
            "(export.py --dynamic --parts predictor, and --parts transfer, write them)"
        )
    files = [path.with_name(f"{stem}{part}{suffix}") for part in PARTS]
    for file in files:
        if not file.is_file():
            raise UserError(f"checkpoint {file}: no such file; predictor and transfer network are two files")
    return files


def embedding_size(part) -> int:
    """Numbers in an embedding, from the JSON beside an exported file."""
    description = part.with_name(part.name + ".json")
    try:
        return int(json.loads(description.read_text(encoding="utf-8"))["embedding_size"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{description}: missing or damaged; export.py writes it beside {part.name}") from None


class OnnxRuntimeNetworks:
    """A pair of ONNX files run by ONNX Runtime.

    Args:
        predictor, transfer: the files.
        device: CPU, GPU (CUDA), Ascend (CANN) or auto: the best that this build of ONNX Runtime has.

    Raises:
        UserError: this build lacks the device, or a file is not ONNX.
    """

    name = "onnxruntime"

    def __init__(self, predictor, transfer, device="auto"):
        import onnxruntime
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf, NotImplemented

        unreadable = (Fail, InvalidGraph, InvalidProtobuf, NotImplemented)
        have = onnxruntime.get_available_providers()
        if device == "auto":
            device = next(name for name in ("Ascend", "GPU", "CPU") if PROVIDERS[name] in have)
        if PROVIDERS[device] not in have:
            found = ", ".join(name for name, provider in PROVIDERS.items() if provider in have)
            raise UserError(f"option device_target: found {device}, but this ONNX Runtime has only {found}")
        providers = list(dict.fromkeys((PROVIDERS[device], PROVIDERS["CPU"])))
        quiet = onnxruntime.SessionOptions()
        quiet.log_severity_level = 3
        self._sessions = []
        for path in (predictor, transfer):
            try:
                self._sessions.append(onnxruntime.InferenceSession(str(path), quiet, providers=providers))
            except unreadable as error:
                raise UserError(f"checkpoint {path}: ONNX Runtime can't read it: {_first_line(error)}") from None
        self.embedding_dim = self._sessions[0].get_outputs()[0].shape[1]

    def embed(self, style):
        """See the module."""
        return self._sessions[0].run(None, {"style": style})[0]

    def transfer(self, content, embedding):
        """See the module."""
        return self._sessions[1].run(None, {"content": content, "embedding": embedding})[0]


class OpenVINONetworks:
    """A pair of ONNX files run by OpenVINO on the CPU.

    Args:
        predictor, transfer: the files.
        precision: float32, bfloat16 or float16 inside; results are float32.

    Raises:
        UserError: a file is not ONNX.
    """

    name = "openvino"

    def __init__(self, predictor, transfer, precision="float32"):
        import openvino

        core = openvino.Core()
        hint = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}[precision]
        settings = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
        self._networks = []
        for path in (predictor, transfer):
            try:
                self._networks.append(core.compile_model(str(path), "CPU", settings))
            except RuntimeError as error:
                raise UserError(f"checkpoint {path}: OpenVINO can't read it: {_first_line(error)}") from None
        self.embedding_dim = self._networks[0].output(0).partial_shape[1].get_length()

    def embed(self, style):
        """See the module."""
        return self._networks[0]({"style": style})[0]

    def transfer(self, content, embedding):
        """See the module."""
        return self._networks[1]({"content": content, "embedding": embedding})[0]


def _first_line(error) -> str:
    return str(error).strip().splitlines()[0][:160]


def open_networks(engine="auto", checkpoint="", inception_ckpt="", loss=None, runtime=None):
    """The networks of a checkpoint or of exported files, in the engine of that name.

    Args:
        engine: mindspore, mindir, onnxruntime, openvino or auto (see `choose_engine`).
        checkpoint: a checkpoint for mindspore, one of the two exported files for the others; empty for the bundled
            model.
        inception_ckpt, loss: see `src.stylize.mindspore_networks.MindSporeNetworks.load`.
        runtime: `src.config.RuntimeConfig` with device and precision, or None for defaults.

    Raises:
        UserError: see `choose_engine`, `find_parts` and the engines.
    """
    engine = choose_engine(engine, checkpoint)
    device = runtime.device_target if runtime else "auto"
    precision = runtime.precision if runtime else "float32"
    if engine == "mindspore":
        from src.runtime import apply_precision
        from src.stylize.mindspore_networks import MindSporeNetworks

        networks = MindSporeNetworks.load(find_checkpoint(checkpoint), inception_ckpt, loss)
        apply_precision(networks.model, precision)
        return networks
    predictor, transfer = find_parts(checkpoint, SUFFIXES[engine])
    if engine == "openvino":
        return OpenVINONetworks(predictor, transfer, precision)
    if precision != "float32":
        raise UserError(f"option precision: found {precision}, which {engine} does not choose; use --engine openvino")
    if engine == "onnxruntime":
        return OnnxRuntimeNetworks(predictor, transfer, device)
    from src.stylize.mindspore_networks import MindIRNetworks

    return MindIRNetworks(predictor, transfer, embedding_size(transfer))
