"""Figures of the service in the text format of Prometheus (version 0.0.4). Imports no FastAPI."""

import threading
from collections import defaultdict

PREFIX = "style_transfer_"
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
HELP = {
    "requests_total": ("counter", "Requests by route, method and status"),
    "request_seconds": ("histogram", "Seconds from a request's head to its response's end, by route"),
    "refused_total": ("counter", "Pictures refused because the queue was full"),
    "pictures_total": ("counter", "Pictures stylised"),
    "pixels_total": ("counter", "Pixels stylised"),
    "stylize_seconds": ("histogram", "Seconds that a worker took for a picture"),
    "embeddings_total": ("counter", "Style embeddings asked for, by whether they were kept (hit) or computed (miss)"),
    "waiting": ("gauge", "Pictures in the queue"),
    "working": ("gauge", "Pictures that are being stylised"),
    "resident_bytes": ("gauge", "Memory of the process"),
}


class Metrics:
    """Counters and histograms that threads may add to."""

    def __init__(self):
        self._lock = threading.Lock()
        self._counts = defaultdict(float)
        self._times = defaultdict(lambda: [0] * (len(BUCKETS) + 1) + [0.0])

    def add(self, name, amount=1, **labels):
        """Adds to a counter of HELP."""
        with self._lock:
            self._counts[name, tuple(labels.items())] += amount

    def time(self, name, seconds, **labels):
        """Adds a duration to a histogram of HELP."""
        place = next((i for i, most in enumerate(BUCKETS) if seconds <= most), len(BUCKETS))
        with self._lock:
            times = self._times[name, tuple(labels.items())]
            times[place] += 1
            times[-1] += seconds

    def mean(self, name, otherwise) -> float:
        """Mean of the durations of a histogram without labels, seconds; `otherwise` where there are none yet."""
        with self._lock:
            times = self._times[name, ()]
            return times[-1] / count if (count := sum(times[:-1])) else otherwise

    def render(self, **gauges) -> str:
        """The text, with the gauges as they are now."""
        with self._lock:
            counts = dict(self._counts)
            times = {key: list(value) for key, value in self._times.items()}
        counts.update({(name, ()): value for name, value in gauges.items()})
        lines = []
        for name, (kind, text) in HELP.items():
            lines += [f"# HELP {PREFIX}{name} {text}.", f"# TYPE {PREFIX}{name} {kind}"]
            lines += [_line(name, labels, value) for (n, labels), value in sorted(counts.items()) if n == name]
            for (n, labels), values in sorted(times.items()):
                if n == name:
                    lines += _histogram(name, labels, values)
        return "\n".join(lines) + "\n"


def _histogram(name, labels, values):
    total, lines = 0, []
    for most, count in zip((*BUCKETS, "+Inf"), values, strict=False):
        total += count
        lines.append(_line(f"{name}_bucket", (*labels, ("le", most)), total))
    return [*lines, _line(f"{name}_sum", labels, values[-1]), _line(f"{name}_count", labels, total)]


def _line(name, labels, value):
    quoted = ",".join(f'{key}="{_escape(str(text))}"' for key, text in labels)
    return f"{PREFIX}{name}{{{quoted}}} {value:.12g}" if quoted else f"{PREFIX}{name} {value:.12g}"


def _escape(text):
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
