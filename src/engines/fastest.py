"""Which of two engines is the faster one.

Where much is to be stylised, both engines are measured, and the result is kept in a file. Otherwise the features of the
processor decide. The order depends on processor and size. On an AMD EPYC with AVX-512, OpenVINO is faster at every
size. On an Intel Xeon without AMX, ONNX Runtime is faster by a sixth at 256 x 256 pixels, and OpenVINO is faster at
1024 x 1024.
"""

import hashlib
import importlib.metadata
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.files import atomic_write

# Measuring costs about as much as stylising 2 megapixels and opening both engines, so it is not done for one picture
WORTH_MEASURING = 32_000_000
# up to so many pixels a content counts as small; the sides in pixels at which small and large ones are timed
SMALL = 500_000
SIDES = {"small": 256, "large": 640}
SECONDS = 0.2


@dataclass(frozen=True)
class Work:
    """What is to be stylised: how many pictures, and of how many pixels each. By default one small picture."""

    pictures: int = 1
    pixels: int = 0

    @property
    def size(self) -> str:
        """The key of `SIDES` for pictures of this size."""
        return "small" if self.pixels <= SMALL else "large"

    @property
    def worth_measuring(self) -> bool:
        return self.pictures > 1 and self.pictures * self.pixels >= WORTH_MEASURING


def find_fastest(openers, file, work) -> str:
    """The fastest of several engines for a transfer network on this machine.

    Args:
        openers: {name of an engine: function that opens the networks in it}.
        file: the exported transfer network.
        work: a `Work`.
    """
    if len(openers) == 1:
        return next(iter(openers))
    key = _key(openers, file)
    kept = _read_kept()
    seconds = kept.get(key, {}).get(work.size)
    if not seconds and work.worth_measuring:
        seconds = {name: measure(opener(), SIDES[work.size]) for name, opener in openers.items()}
        _keep({**kept, key: {**kept.get(key, {}), work.size: seconds}})
    return min(seconds, key=seconds.get) if seconds else by_processor(openers, work)


def by_processor(names, work) -> str:
    """The engine that is expected to be the fastest, of names with `openvino` among them."""
    vendor, flags = processor()[1:]
    if "onnxruntime" in names and vendor == "GenuineIntel" and "amx_tile" not in flags and work.size == "small":
        return "onnxruntime"
    return "openvino"


def measure(networks, side) -> float:
    """Seconds of the fastest of several pastiches of side x side pixels, after one that prepares the engine."""
    height, width = networks.content_size or (side, side)
    content = np.random.default_rng(0).random((1, 3, height, width), np.float32)
    embedding = np.zeros((1, networks.embedding_dim), np.float32)
    networks.transfer(content, embedding)
    times, until = [], time.perf_counter() + SECONDS
    while not times or time.perf_counter() < until:
        started = time.perf_counter()
        networks.transfer(content, embedding)
        times.append(time.perf_counter() - started)
    return min(times)


def processor() -> tuple[str, str, set]:
    """Model, vendor and features of the processor, read from /proc/cpuinfo; empty where there is none."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "", "", set()
    lines = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    found = {name.strip(): value.strip() for name, _, value in lines}
    return found.get("model name", ""), found.get("vendor_id", ""), set(found.get("flags", "").split())


def cache_file() -> Path:
    """Where measurements are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "arbitrary_style_transfer" / "engines.json"


def _key(names, file):
    """Processor, cores, versions of the engines and the network: a measurement is valid for these."""
    model, _, flags = processor()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = [f"{name} {importlib.metadata.version(name)}" for name in sorted(names)]
    network = hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16]
    features = hashlib.sha256(" ".join(sorted(flags)).encode()).hexdigest()[:8]
    return ", ".join([model, features, f"{cores} cores", *versions, f"network {network}"])


def _read_kept() -> dict:
    try:
        kept = json.loads(cache_file().read_text(encoding="utf-8"))
        return {key: {size: dict(seconds) for size, seconds in sizes.items()} for key, sizes in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError, RuntimeError):
        return {}  # the file is missing or damaged, so it is measured again


def _keep(measurements):
    try:
        with atomic_write(cache_file()) as temporary:
            temporary.write_text(json.dumps(measurements, indent=2) + "\n", encoding="utf-8")
    except (OSError, RuntimeError):
        pass  # without the file, the next run measures again, which takes a second
