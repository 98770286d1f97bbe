"""ONNX Runtime, OpenVINO and MindSpore as readers of exported files. Importing this module imports none of them."""

import os
import sys
import tempfile
from contextlib import contextmanager

from src.errors import UserError
from src.stylize.exported import ExportedNetworks, Graph, assemble, read_description, reason

PROVIDERS = {
    "CPU": "CPUExecutionProvider",
    "GPU": "CUDAExecutionProvider",
    "Ascend": "CANNExecutionProvider",
}


def open_onnxruntime(files, device="auto") -> ExportedNetworks:
    """ONNX files run by ONNX Runtime.

    Args:
        files: see `assemble`.
        device: CPU, GPU (CUDA), Ascend (CANN) or auto: the best that this build of ONNX Runtime has.

    Raises:
        UserError: this build lacks the device; see also `assemble`.
    """
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    kinds = (
        "Fail",
        "InvalidArgument",
        "InvalidGraph",
        "InvalidProtobuf",
        "NotImplemented",
        "RuntimeException",
        "EPFail",
    )
    errors = tuple(getattr(state, kind) for kind in kinds)
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
            session = onnxruntime.InferenceSession(path.read_bytes(), quiet, providers=providers)
        except errors as error:
            raise UserError(f"checkpoint {path}: ONNX Runtime can't read it: {reason(error)}") from None
        inputs = {port.name: _numbers(port.shape) for port in session.get_inputs()}
        outputs = [_numbers(port.shape) for port in session.get_outputs()]
        return Graph(path, inputs, outputs, lambda given: session.run(None, given), errors)

    return assemble("onnxruntime", files, read)


def _numbers(shape) -> tuple:
    return tuple(side if isinstance(side, int) else None for side in shape)


def _openvino_without_telemetry():
    """The package openvino. With its telemetry, importing openvino writes an id for analytics into the home folder.

    OpenVINO does without where the package openvino_telemetry can't be imported, which None in its place brings about.
    """
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    return openvino


def open_openvino(files, precision="float32") -> ExportedNetworks:
    """ONNX files run by OpenVINO on the CPU.

    Args:
        files: see `assemble`.
        precision: float32, bfloat16 or float16 inside; results are float32.

    Raises:
        UserError: see `assemble`.
    """
    openvino = _openvino_without_telemetry()
    core = openvino.Core()
    hint = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}[precision]
    settings = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}

    def shape(port):
        return tuple(None if side.is_dynamic else side.get_length() for side in port.partial_shape)

    def read(path):
        try:
            with quiet_unless_it_works():  # it asks the readers of other formats, too, which complain
                model = core.compile_model(str(path), "CPU", settings)
        except RuntimeError as error:
            raise UserError(f"checkpoint {path}: OpenVINO can't read it: {reason(error)}") from None
        inputs = {port.get_any_name(): shape(port) for port in model.inputs}
        return Graph(path, inputs, [*map(shape, model.outputs)], lambda given: model(given).to_tuple(), (RuntimeError,))

    return assemble("openvino", files, read)


def open_mindir(files) -> ExportedNetworks:
    """A pair of MindIR files, predictor and transfer network, run by MindSpore. The JSON beside says what they take.

    Raises:
        UserError: see `assemble`; or that JSON is missing.
    """
    import mindspore as ms

    from src.deploy.mindir import read_graph

    errors = (RuntimeError, ValueError, TypeError)

    def read(path):
        description = read_description(path)
        inputs = {port["name"]: _numbers(port["shape"]) for port in description["inputs"]}
        outputs = [_numbers(port["shape"]) for port in description["outputs"]]
        try:
            with quiet_unless_it_works():
                cell = ms.nn.GraphCell(read_graph(path))
        except errors as error:
            raise UserError(
                f"checkpoint {path}: MindSpore can't read it, it is damaged or no MindIR: {reason(error)}"
            ) from None

        def run(given):
            return [cell(*(ms.Tensor(given[name]) for name in inputs)).asnumpy()]

        return Graph(path, inputs, outputs, run, errors)

    return assemble("mindir", files, read)


@contextmanager
def quiet_unless_it_works():
    """Keeps back what native code writes to stderr; it is shown when the block ends well, and lost when it raises."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        stderr = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.truncate(0)
            raise
        finally:
            os.dup2(stderr, 2)
            kept.seek(0)
            os.write(stderr, kept.read())
            os.close(stderr)
