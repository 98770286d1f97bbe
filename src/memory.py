"""How much memory is free, on the machine or within the limit of its container."""

from pathlib import Path

import psutil

# limit and use of a container's memory, as both versions of Linux' control groups have them
GROUPS = Path("/sys/fs/cgroup")
CONTAINERS = (
    (GROUPS / "memory.max", GROUPS / "memory.current"),
    (GROUPS / "memory/memory.limit_in_bytes", GROUPS / "memory/memory.usage_in_bytes"),
)


def free_memory() -> float:
    """Bytes that this program may still take: the machine's, or its container's where that has a limit."""
    return min(psutil.virtual_memory().available, *(_container_memory(*files) for files in CONTAINERS))


def _container_memory(limit, used):
    try:
        free = int(limit.read_text(encoding="ascii")) - int(used.read_text(encoding="ascii"))
        lines = used.with_name("memory.stat").read_text(encoding="ascii").splitlines()
        # pages of files, which count as used and are given up when memory is short
        pages = [int(line.split()[1]) for line in lines if line.startswith(("inactive_file ", "total_inactive_file "))]
        return max(0, free + max(pages, default=0))
    except (OSError, ValueError):  # no such files, or "max"
        return float("inf")
