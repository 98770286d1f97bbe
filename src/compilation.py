"""How graphs are compiled, by version of MindSpore and by device: backend, level, fixed or free shapes.

Facts are those of MindSpore 2.8.0: `mindspore.jit` (argument `backend`), `mindspore.JitConfig` (O2 is the GraphEngine),
`mindspore/amp.py` and `mindspore/nn/wrap/loss_scale.py` (RANK_TABLE_FILE). Not run on Ascend hardware.
"""

import os
from dataclasses import dataclass

from src.errors import UserError

GRAPH_ENGINE, BUILT_IN = "GE", "ms_backend"
TRAINING_SERIES = "ascend910"  # 910A, 910 Pro: MSContext's name of the chip; A2 is ascend910b, A3 ascend910_93
GRAPH_ENGINE_ENDS = (2, 10)  # the first version of MindSpore without GE; 2.9 still has a deprecated GE


@dataclass(frozen=True)
class Compilation:
    """How the graphs of this process are compiled.

    Attributes:
        backend: "GE" (CANN's GraphEngine, the whole graph on the device) or "ms_backend" (operator by operator).
        jit_level: what `mindspore.set_context(jit_config=...)` is given: O2 means GE; "" leaves MindSpore's own.
        static_shapes: whether every shape must be known when a graph is compiled.
    """

    backend: str
    jit_level: str
    static_shapes: bool


def choose_compilation(version, target, chip="", backend="auto", jit_level="O0") -> Compilation:
    """The compilation for a version of MindSpore on a device.

    Args:
        version: of MindSpore, (major, minor, patch).
        target: Ascend, GPU or CPU.
        chip: of Ascend, as MSContext names it: ascend910, ascend910b, ascend910_93, ascend310p; "" where unknown.
        backend: auto, GE or ms_backend. auto takes GE on the Atlas training series (910A) while MindSpore has it.
        jit_level: O0 or O1, of ms_backend.

    Raises:
        UserError: GE where there is none.
    """
    training_series = target == "Ascend" and chip.lower() == TRAINING_SERIES
    if backend == GRAPH_ENGINE and target != "Ascend":
        raise UserError(f"option backend: found GE with {target}; GE is for Ascend only, use --backend ms_backend")
    if backend == GRAPH_ENGINE and version >= GRAPH_ENGINE_ENDS:
        text = ".".join(map(str, version))
        raise UserError(f"option backend: found GE, which MindSpore {text} lacks; use --backend ms_backend")
    if backend == "auto":
        backend = GRAPH_ENGINE if training_series and version < GRAPH_ENGINE_ENDS else BUILT_IN
    if backend == GRAPH_ENGINE:
        return Compilation(GRAPH_ENGINE, "O2", static_shapes=True)
    return Compilation(BUILT_IN, jit_level if target == "Ascend" else "", static_shapes=False)


def ascend_chip() -> str:
    """The Ascend chip of this process as MindSpore names it; "" without one."""
    from mindspore._c_expression import MSContext

    return MSContext.get_instance().get_ascend_soc_version() or ""


def half_products() -> bool:
    """Whether this process' device computes matrix products and convolutions of float32 from float16: the 910A.

    CANN says so of `aclnnConvolution` and `aclnnBatchMatMul` (src/ascend/operators.yaml).
    """
    return ascend_chip().lower() == TRAINING_SERIES


def half_products_remark(precision, chip) -> str:
    """What to know of a precision on a chip; "" when there is nothing."""
    if precision == "float16" or chip.lower() != TRAINING_SERIES:
        return ""
    return (
        f"option precision: found {precision}; an Ascend 910A computes convolutions in float16 whatever it says, and "
        "only --precision float16 scales the loss, so that small gradients are not lost"
    )


def apply_compilation(compilation):
    """Gives the compilation to MindSpore. Call this before the first graph is compiled."""
    import mindspore as ms

    if compilation.jit_level:
        ms.set_context(jit_config={"jit_level": compilation.jit_level})


def static_shapes() -> bool:
    """Whether graphs of this process must have fixed shapes, as `apply_compilation` set it."""
    from mindspore import context

    return (context.get_jit_config() or {}).get("jit_level") == "O2"


def set_free_inputs(cell, *inputs):
    """Compiles a cell once for all sizes of its inputs. Where shapes must be fixed, it compiles once for each size.

    Args:
        inputs: tensors, with None in the shape for a side that is free; as `mindspore.nn.Cell.set_inputs` takes them.
    """
    if not static_shapes():
        cell.set_inputs(*inputs)


def overflow_check_remark(precision, environment=os.environ) -> str:
    """A remark for the user on how overflows are checked in this environment; "" when there is nothing to say.

    With RANK_TABLE_FILE set, `mindspore.amp` and `TrainOneStepWithLossScaleCell` check each gradient alone
    (`IsFinite`) in place of all in one operator (`AllFinite`). This project's training step has a check of its own,
    over one array of all gradients. So the variable changes neither the result nor the speed of a step.
    """
    if precision != "float16" or "RANK_TABLE_FILE" not in environment:
        return ""
    return (
        "RANK_TABLE_FILE is set: MindSpore's own loss scaling drops its fast overflow check (AllFinite); the training "
        "step of this project does not use that check. msrun, or a number of devices in place of the table, keeps it"
    )
