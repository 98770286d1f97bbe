"""ONNX Runtime, on the CPU, CUDA or Ascend. Importing this module does not import the package onnxruntime."""

from src.engines.engine import Engine, refuse_precision
from src.engines.exported import ExportedNetworks, Graph, assemble, failure, free_or_fixed
from src.errors import UserError

PROVIDERS = {
    "CPU": "CPUExecutionProvider",
    "GPU": "CUDAExecutionProvider",
    "Ascend": "CANNExecutionProvider",
}


def open_onnxruntime(files, device="auto", precision="float32") -> ExportedNetworks:
    """ONNX files run by ONNX Runtime.

    Args:
        files: see `assemble`.
        device: CPU, GPU (CUDA), Ascend (CANN) or auto: the best that this build of ONNX Runtime has.

        precision: float32, the only one.

    Raises:
        UserError: another precision; this build lacks the device; see also `assemble`.
    """
    refuse_precision("onnxruntime", precision)
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
    quiet.log_severity_level = 4  # fatal: a plain error is raised as well, and told to the user in one line

    def read(path):
        try:
            session = onnxruntime.InferenceSession(path.read_bytes(), quiet, providers=providers)
        except errors as error:
            raise failure(f"checkpoint {path}: ONNX Runtime can't read it", error) from None
        inputs = {port.name: free_or_fixed(port.shape) for port in session.get_inputs()}
        outputs = [free_or_fixed(port.shape) for port in session.get_outputs()]
        return Graph(path, inputs, outputs, lambda given: session.run(None, given), errors)

    return assemble("onnxruntime", files, read)


ENGINE = Engine(
    name="onnxruntime",
    package="onnxruntime",
    suffix=".onnx",
    requirements="requirements-runtime.txt",
    open=open_onnxruntime,
)
