"""The reports of a training run: a CSV of every loss term of every step, a progress line, summaries, curves."""

import csv
import logging
import sys
import time
from pathlib import Path

import numpy as np

from src.errors import UserError
from src.files import atomic_write
from src.losses import shown_terms

logger = logging.getLogger("style_transfer")


def setup_logging():
    """Sends progress and warnings to standard output, with the time of day."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stdout)
    logger.setLevel(logging.INFO)


class LossLog:
    """Rows of losses.csv, with the latest few kept for the progress line.

    Args:
        path: the CSV. Rows after `start_step` are removed from it, so that a resumed run has each step once.
        names: of the terms.
        start_step: steps done before.
        steps: steps in all.
        summary: "none", "mindspore" or "tensorboard".
    """

    def __init__(self, path, names, start_step, steps, summary="none"):
        self.path, self.names, self.steps = Path(path), names, steps
        self.header = ["step", "seconds", "learning_rate", *names]
        kept = self._rows_before(start_step)
        # whole or not at all: a run that is killed here keeps the rows of the steps that its checkpoint has
        with atomic_write(self.path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([self.header, *kept])
        self._started, self._first = time.perf_counter(), start_step
        self._summary = SUMMARIES[summary](self.path.parent / "summary") if summary != "none" else None

    def _rows_before(self, start_step):
        if not start_step or not self.path.is_file():
            return []
        try:
            with open(self.path, newline="", encoding="utf-8") as file:
                rows = list(csv.reader(file))
            whole = [row for row in rows[1:] if len(row) == len(self.header)]
            kept = [row for row in whole if int(row[0]) <= start_step]
        except (ValueError, csv.Error):
            raise UserError(f"{self.path}: damaged; move it away, or use another --output_dir") from None
        if rows[:1] != [self.header]:
            raise UserError(f"{self.path}: its columns are of another run; move it away, or use another --output_dir")
        return kept

    def write(self, first_step, rates, rows):
        """Appends rows (n, terms) of steps first_step, first_step + 1, ..., and prints a line of their mean."""
        seconds = time.perf_counter() - self._started
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            for i, row in enumerate(rows):
                writer.writerow([first_step + i, f"{seconds:.2f}", f"{rates[i]:.6g}", *(f"{v:.9g}" for v in row)])
                if self._summary is not None:
                    self._summary.write(first_step + i, dict(zip(self.names, map(float, row), strict=True)))
        step = first_step + len(rows) - 1
        rate = (step - self._first) / seconds
        left = (self.steps - step) / rate
        finite = [row for row in rows if np.isfinite(row).all()]
        means = "no finite loss"
        if finite:
            means = shown_terms(self.names, np.mean(finite, 0))
        logger.info("step %d/%d  %s  %.2f steps/s  %s left", step, self.steps, means, rate, _duration(left))

    def close(self):
        """Ends the summaries. The CSV needs no end: it is complete after every `write`."""
        if self._summary is not None:
            self._summary.close()

    def curves(self, path):
        """Draws the CSV as curves, smoothed; says how to get matplotlib when it is not there."""
        try:
            import matplotlib
        except ImportError:
            logger.warning("no %s: matplotlib is not installed (pip install -r requirements-train.txt)", path)
            return
        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        table = np.genfromtxt(self.path, delimiter=",", names=True)
        table = np.atleast_1d(table)
        table = table[np.isfinite([table[name] for name in self.names]).all(0)]  # skipped steps are gaps
        if not len(table):
            return
        figure, axes = plt.subplots(figsize=(10, 6), layout="constrained")
        window = max(1, len(table) // 100)
        for name in self.names:
            values = table[name]
            smooth = np.convolve(values, np.ones(window) / window, "valid")
            axes.plot(table["step"][window - 1 :], np.maximum(smooth, 1e-8), label=name, linewidth=1.2)
        axes.set(xlabel="step", ylabel=f"loss, unweighted but the total (mean of {window} steps)", yscale="log")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, ncols=2)
        figure.savefig(path, dpi=110)
        plt.close(figure)


def _duration(seconds) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"


class _TensorBoard:
    """Losses as TensorBoard reads them."""

    def __init__(self, folder):
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise UserError(
                "option summary: tensorboard needs tensorboardX; run 'pip install -r requirements-train.txt'"
            ) from None
        self._writer = SummaryWriter(str(folder))

    def write(self, step, terms):
        for name, value in terms.items():
            self._writer.add_scalar(f"loss/{name}", value, step)

    def close(self):
        self._writer.close()


class _MindSporeSummary:
    """Losses as MindInsight reads them."""

    def __init__(self, folder):
        from mindspore import SummaryRecord

        self._record = SummaryRecord(str(folder))

    def write(self, step, terms):
        import mindspore as ms

        for name, value in terms.items():
            self._record.add_value("scalar", f"loss/{name}", ms.Tensor(value, ms.float32))
        self._record.record(step)

    def close(self):
        self._record.close()


SUMMARIES = {"tensorboard": _TensorBoard, "mindspore": _MindSporeSummary}
