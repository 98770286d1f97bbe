"""MindSpore Lite, for files that its converter_lite wrote. Importing this module does not import mindspore_lite.

Written to the documented Python API of MindSpore Lite 2.x, https://mindspore.cn/lite/api; not run on hardware yet.
"""

import os

from src.engines.engine import Engine
from src.engines.exported import ExportedNetworks, Graph, assemble, failure
from src.errors import UserError

TARGETS = {"CPU": "cpu", "GPU": "gpu", "Ascend": "ascend"}
PRECISIONS = {"float32": "enforce_fp32", "float16": "enforce_fp16"}


def create_context(device, precision):
    """The `mindspore_lite.Context` of a device; the card is that of the environment variable DEVICE_ID, else 0.

    Args:
        device: CPU, GPU, Ascend; auto stands for Ascend, what MindSpore Lite's server wheels are for.
        precision: float32 or float16, the arithmetic inside.

    Raises:
        UserError: another precision, or DEVICE_ID is no number.
    """
    import mindspore_lite as lite

    if precision not in PRECISIONS:
        raise UserError(f"option precision: found {precision}, expected {' or '.join(PRECISIONS)} with mindspore_lite")
    context = lite.Context()
    target = TARGETS["Ascend" if device == "auto" else device]
    context.target = [target]
    if target == "cpu":
        context.cpu.precision_mode = PRECISIONS[precision]
        return context
    text = os.environ.get("DEVICE_ID", "0")
    if not text.isdigit():
        raise UserError(f"environment variable DEVICE_ID: found {text!r}, expected the number of a card")
    on = getattr(context, target)
    on.device_id = int(text)
    on.precision_mode = PRECISIONS[precision]
    return context


def open_mindspore_lite(files, device="auto", precision="float32") -> ExportedNetworks:
    """A pair of files from converter_lite (deploy/mindspore_lite/README.md), run by MindSpore Lite.

    Args:
        files: see `assemble`.
        device, precision: see `create_context`.

    Raises:
        UserError: see `create_context` and `assemble`.
    """
    import mindspore_lite as lite

    context = create_context(device, precision)
    errors = (RuntimeError, ValueError, TypeError)

    def shape(tensor):
        return tuple(None if side < 0 else side for side in tensor.shape)

    def read(path):
        model = lite.Model()
        try:
            model.build_from_file(str(path), lite.ModelType.MINDIR, context)
        except errors as error:
            raise failure(f"checkpoint {path}: MindSpore Lite can't read it", error) from None
        shapes = {tensor.name: shape(tensor) for tensor in model.get_inputs()}
        outputs = [shape(tensor) for tensor in model.get_outputs()]

        def run(given):
            tensors = model.get_inputs()
            new_shapes = [list(given[tensor.name].shape) for tensor in tensors]
            if new_shapes != [list(tensor.shape) for tensor in tensors]:
                model.resize(tensors, new_shapes)
                tensors = model.get_inputs()
            for tensor in tensors:
                tensor.set_data_from_numpy(given[tensor.name])
            # a copy: the next call writes into the same memory
            return [tensor.get_data_to_numpy().copy() for tensor in model.predict(tensors)]

        return Graph(path, shapes, outputs, run, errors)

    return assemble("mindspore_lite", files, read)


ENGINE = Engine(
    name="mindspore_lite",
    package="mindspore_lite",
    suffix=".mindir",
    requirements="deploy/mindspore_lite/requirements.txt",
    open=open_mindspore_lite,
)
