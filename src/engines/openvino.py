"""OpenVINO, on the CPU. Importing this module does not import the package openvino."""

import sys

from src.engines.engine import Engine
from src.engines.exported import ExportedNetworks, Graph, assemble, failure
from src.engines.quiet import quiet_unless_it_works


def _openvino_without_telemetry():
    """Imports the package openvino without its telemetry, which writes an id for analytics into the home folder.

    Where the package openvino_telemetry can't be imported, OpenVINO runs without telemetry. None in `sys.modules` makes
    that import fail.
    """
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    return openvino


def open_openvino(files, device="auto", precision="float32") -> ExportedNetworks:
    """ONNX files run by OpenVINO on the CPU.

    Args:
        files: see `assemble`.
        device: not read; the device is the CPU.
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
            with quiet_unless_it_works():  # OpenVINO also tries the readers of other formats, which write complaints
                model = core.compile_model(str(path), "CPU", settings)
        except RuntimeError as error:
            raise failure(f"checkpoint {path}: OpenVINO can't read it", error) from None
        inputs = {port.get_any_name(): shape(port) for port in model.inputs}
        return Graph(path, inputs, [*map(shape, model.outputs)], lambda given: model(given).to_tuple(), (RuntimeError,))

    return assemble("openvino", files, read)


ENGINE = Engine(
    name="openvino",
    package="openvino",
    suffix=".onnx",
    requirements="requirements-openvino.txt",
    open=open_openvino,
)
