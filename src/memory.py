"""How much memory is free, within the limits of containers and of `ulimit -v`; what is said where it is short."""

import contextlib
import errno
from pathlib import Path

import psutil

from src.user_error import UserError

# limit and use of a container's memory, as both versions of Linux' control groups have them
GROUPS = Path("/sys/fs/cgroup")
CONTAINERS = (
    (GROUPS / "memory.max", GROUPS / "memory.current"),
    (GROUPS / "memory/memory.limit_in_bytes", GROUPS / "memory/memory.usage_in_bytes"),
)
# what the engines say, in errors of their own kinds
SHORTAGES = ("bad_alloc", "bad allocation", "failed to allocate", "memory not enough", "out of memory")
SHORTAGES += ("cannot allocate memory", "not enough memory", "memory allocation failed", "alloc memory failed")
OPENCV_NO_MEMORY = -4  # cv2.Error.StsNoMem


def free_memory() -> float:
    """Bytes that this program may still take: the machine's, or its container's or its own where these have a limit."""
    limits = (_own_limit(), *(_container_memory(*files) for files in CONTAINERS))
    return min(psutil.virtual_memory().available, *limits)


def _own_limit():
    """What `ulimit -v` leaves, bytes."""
    if not hasattr(psutil, "RLIMIT_AS"):  # psutil knows limits on Linux and FreeBSD
        return float("inf")
    process = psutil.Process()
    limit = process.rlimit(psutil.RLIMIT_AS)[0]
    return float("inf") if limit == psutil.RLIM_INFINITY else max(0, limit - process.memory_info().vms)


def _container_memory(limit, used):
    try:
        free = int(limit.read_text(encoding="ascii")) - int(used.read_text(encoding="ascii"))
        lines = used.with_name("memory.stat").read_text(encoding="ascii").splitlines()
        # pages of files, which count as used and are given up when memory is short
        pages = [int(line.split()[1]) for line in lines if line.startswith(("inactive_file ", "total_inactive_file "))]
        return max(0, free + max(pages, default=0))
    except (OSError, ValueError):  # no such files, or "max"
        return float("inf")


def lacks_memory(error) -> bool:
    """Whether an exception says that memory is short: NumPy's and PIL's do so by their type, others by their text."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if getattr(error, "code", None) == OPENCV_NO_MEMORY and type(error).__module__ == "cv2":
        return True
    text = str(error).lower()
    return not isinstance(error, UserError) and any(shortage in text for shortage in SHORTAGES)


def describe_shortage() -> str:
    """How much memory there is, as the end of a sentence about what needs more."""
    return f"more memory than is free ({free_memory() / 2**20:.0f} MiB)"


@contextlib.contextmanager
def memory_for(work, way_out):
    """Turns a shortage of memory within the block into a `UserError`.

    Args:
        work: subject of the sentence: a file or an option, and what of it needs the memory.
        way_out: what the user can do, an imperative.
    """
    try:
        yield
    except Exception as error:
        if not lacks_memory(error):
            raise
        raise UserError(f"{work} needs {describe_shortage()}; {way_out}") from None
