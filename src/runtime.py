"""The one place for device, execution mode, rank, seed and precision, and for the framework's known traps.

Importing this module prepares the environment; it must happen before ``import mindspore``, so ``src/__init__.py``
does it. Networks never see any of this: they are plain cells, `setup` decides where and how they run.
"""

import importlib.metadata
import logging
import os
import random
from dataclasses import dataclass

from src.compilation import (
    apply_compilation,
    ascend_chip,
    choose_compilation,
    half_products_remark,
    overflow_check_remark,
)
from src.errors import UserError

logger = logging.getLogger("style_transfer")
DEVICES = ("Ascend", "GPU", "CPU")


def mindspore_version() -> tuple[int, ...]:
    """Installed MindSpore as (major, minor, patch), read without importing it.

    Raises:
        UserError: MindSpore is not installed.
    """
    for package in ("mindspore", "mindspore-ascend", "mindspore-gpu"):
        try:
            text = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
        return tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in text.split(".")[:3])
    raise UserError("MindSpore is not installed in this Python; run 'pip install -r requirements.txt'")


def _prepare_environment():
    # errors only: MindSpore's warnings are about its own build, not about the user's job
    os.environ.setdefault("GLOG_v", "3")
    try:
        version = mindspore_version()
    except UserError:
        return  # exported models run without MindSpore; whatever needs it says so when it is imported
    if version >= (2, 9):
        # 2.9 and 2.10 fall to a reference convolution on AVX-512 hosts, about 100 times slower
        os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")


_prepare_environment()


@dataclass(frozen=True)
class Runtime:
    """Where and how this process computes."""

    device_target: str
    device_id: int
    mode: str
    precision: str
    seed: int
    rank: int
    rank_size: int

    @property
    def is_main(self) -> bool:
        """Whether this process writes checkpoints, logs and pictures."""
        return self.rank == 0


def available_devices() -> list[str]:
    """The device targets that this machine and this MindSpore build have, best first."""
    from mindspore import hal

    framework = logging.getLogger("MindSpore")
    level = framework.level
    framework.setLevel(logging.CRITICAL)  # MindSpore warns about every plug-in that is missing
    try:
        return [target for target in DEVICES if hal.is_available(target)]
    finally:
        framework.setLevel(level)


def _choose_device(target, device_id) -> str:
    have = available_devices()
    if target == "auto":
        target = have[0]
    if target not in have:
        version = ".".join(map(str, mindspore_version()))
        ways = {
            "GPU": "it needs an NVIDIA driver and a MindSpore GPU plug-in that loads: the wheel of 2.8.0 for Linux has "
            "two, for CUDA 11.1 and 11.6 with cuDNN 8; or build MindSpore from source with '-e GPU'",
            "Ascend": "it needs an Ascend driver and CANN on this machine ('npu-smi info' must list the card)",
        }
        raise UserError(
            f"option device_target: found {target}, but MindSpore {version} here has only {', '.join(have)}; "
            f"{ways.get(target, '')}; or use --device_target {have[0]}"
        )
    from mindspore import hal

    count = hal.device_count(target)
    if device_id < 0 or (target != "CPU" and device_id >= count):
        raise UserError(f"option device_id: found {device_id}, expected 0 to {count - 1}: {target} has {count} here")
    return target


def setup(config) -> Runtime:
    """Chooses the device, the mode and the seed, and joins the other processes when there are any.

    Args:
        config: `src.sections.RuntimeConfig`.

    Returns:
        the `Runtime` that the rest of the program reads.

    Raises:
        UserError: a device that this machine or build lacks, or a precision that the device lacks.
    """
    import mindspore as ms
    import numpy as np

    if int(np.__version__.split(".")[0]) >= 2:
        # 2.8 pins NumPy 1.26; 2.10 installs NumPy 2, with which tensor arithmetic fails ("Tensor ** 2")
        raise UserError(f"NumPy {np.__version__}: MindSpore needs NumPy 1.26; run 'pip install \"numpy<2\"'")
    target = _choose_device(config.device_target, config.device_id)
    if target == "CPU" and config.precision == "bfloat16":
        raise UserError("option precision: found bfloat16, whose convolutions a CPU lacks; use float32 or float16")
    distributed = config.distributed or bool(os.environ.get("MS_ROLE")) or bool(os.environ.get("RANK_TABLE_FILE"))
    ms.set_context(mode=ms.GRAPH_MODE if config.mode == "graph" else ms.PYNATIVE_MODE)
    if target == "CPU":
        ms.set_device("CPU")
    elif distributed:  # msrun and the rank table say which device each process takes
        ms.set_device(target)
    else:
        ms.set_device(target, config.device_id)
    chip = ascend_chip() if target == "Ascend" else ""
    apply_compilation(choose_compilation(mindspore_version(), target, chip, config.backend, config.jit_level))
    for remark in (overflow_check_remark(config.precision), half_products_remark(config.precision, chip)):
        if remark:
            logger.warning(remark)
    rank, rank_size = 0, 1
    if distributed:
        from mindspore import communication

        communication.init("mccl" if target == "CPU" else None)
        rank, rank_size = communication.get_rank(), communication.get_group_size()
        ms.set_auto_parallel_context(
            parallel_mode=ms.ParallelMode.DATA_PARALLEL, gradients_mean=True, device_num=rank_size
        )
    random.seed(config.seed)
    np.random.seed(config.seed)
    ms.set_seed(config.seed)
    return Runtime(target, config.device_id, config.mode, config.precision, config.seed, rank, rank_size)


def finish(runtime):
    """Waits until every process of a data-parallel run is done. A process that ends early can bring the others down."""
    if runtime.rank_size == 1:
        return
    import numpy as np
    from mindspore import communication

    sum_over_ranks(np.ones(1, np.float32))
    communication.release()


def sum_over_ranks(array):
    """The sum of a float32 array over the processes of a data-parallel run; each must call this."""
    import mindspore as ms
    from mindspore import nn, ops

    class Sum(nn.Cell):
        def __init__(self):
            super().__init__()
            self.sum = ops.AllReduce()

        def construct(self, x):
            return self.sum(x)

    return Sum()(ms.Tensor(array)).asnumpy()


def apply_precision(network, precision):
    """Lets a network's convolutions compute in half precision; everything else stays in float32.

    Args:
        network: a cell; changed in place.
        precision: float32 (nothing changes), float16 or bfloat16.
    """
    if precision == "float32":
        return
    import mindspore as ms
    from mindspore import nn

    half = ms.float16 if precision == "float16" else ms.bfloat16
    for _, cell in network.cells_and_names():
        if isinstance(cell, nn.Conv2d) or hasattr(cell, "convolve"):
            cell.to_float(half)
        elif hasattr(cell, "normalize") or isinstance(cell, (nn.Dense, nn.BatchNorm2d)):
            cell.to_float(ms.float32)


def gradient_reducer(parameters, runtime):
    """The mean of gradients over the processes of a data-parallel run, or None when there is one process."""
    if runtime.rank_size == 1:
        return None
    from mindspore import nn

    return nn.DistributedGradReducer(parameters, True, runtime.rank_size)
