"""What benchmarks/speed.py has measured, as CSV, Markdown and a chart."""

import csv
import statistics

import numpy as np

from src.files import atomic_write


class Times:
    """Measured figures.

    Attributes:
        rows: seconds by ((model, side, kind), contender).
        outputs: pastiches (1, 3, 256, 256) by (model, contender).
        memory: peak megabytes by contender.
        growth: figures by ("step" | "pastiche" | "megabytes", batch, side).
    """

    def __init__(self):
        self.rows, self.outputs, self.memory, self.growth = {}, {}, {}, {}

    def add(self, case, contender, seconds):
        """One run."""
        self.rows.setdefault((case, contender), []).append(seconds)

    def median(self, case, contender):
        """Seconds, or None where nothing was measured."""
        found = self.rows.get((case, contender))
        return statistics.median(found) if found else None

    def cases(self) -> list:
        """In the order of measurement."""
        return list(dict.fromkeys(case for case, _ in self.rows))

    def contenders(self) -> list:
        """In the order of measurement."""
        return list(dict.fromkeys(contender for _, contender in self.rows))

    def line(self, case) -> str:
        """One case in a line."""
        found = [f"{name} {self.median(c, name):.3f}" for c, name in self.rows if c == case]
        return f"{' '.join(map(str, case))}: " + ", ".join(found) + " s"


def write_csv(path, times):
    """One row a run."""
    with atomic_write(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("model", "side", "kind", "contender", "seconds"))
        for (case, contender), values in times.rows.items():
            writer.writerows((*case, contender, f"{value:.5f}") for value in values)
        for (kind, batch, side), value in times.growth.items():
            writer.writerow(("growth", side, f"{kind} of batch {batch}", "mindspore", f"{value:.5f}"))


def differences(times) -> dict:
    """(largest difference, PSNR in decibels) of each pastiche from MindSpore's, by (model, contender)."""
    found = {}
    for (model, name), picture in times.outputs.items():
        reference = times.outputs.get((model, "mindspore"))
        if reference is not None and name not in ("mindspore", "published port"):
            error = np.abs(picture - reference)
            found[model, name] = float(error.max()), float(-10 * np.log10(np.square(error).mean() + 1e-20))
    return found


def write_tables(path, times) -> str:
    """Markdown, also returned: seconds of every case, with its ratio to PyTorch in brackets; agreement and memory."""
    names = times.contenders()
    lines = [f"| | {' | '.join(names)} |", "| --- |" + " --- |" * len(names)]
    for case in times.cases():
        base = times.median(case, "pytorch")
        cells = []
        for name in names:
            value = times.median(case, name)
            ratio = f" ({value / base:.2f})" if value and base and name != "pytorch" else ""
            cells.append("" if value is None else f"{value:.3f} s{ratio}")
        model, side, kind = case
        lines.append(f"| {model}, {side} px, {kind} | {' | '.join(cells)} |")
    if times.memory:
        cells = [f"{times.memory[n]:.0f} MB" if n in times.memory else "" for n in names]
        lines.append(f"| full, 1024 px, peak memory of the process | {' | '.join(cells)} |")
    found = differences(times)
    for model in dict.fromkeys(model for model, _ in found):
        cells = [f"{found[model, n][0]:.0e}, {found[model, n][1]:.0f} dB" if (model, n) in found else "" for n in names]
        lines.append(f"| {model}, 256 px, largest difference from MindSpore, PSNR | {' | '.join(cells)} |")
    text = "\n".join(lines) + "\n"
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return text


def draw_chart(path, times):
    """Bars of the ratios to PyTorch, and curves of growth."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(11, 7.5), constrained_layout=True)
    cases = [c for c in times.cases() if times.median(c, "pytorch") and c[2] != "style and pastiche"]
    names = times.contenders()
    for position, name in enumerate(names):
        ratios = [(times.median(c, name) or np.nan) / times.median(c, "pytorch") for c in cases]
        axes[0, 0].bar(np.arange(len(cases)) + position / (len(names) + 1), ratios, 1 / (len(names) + 1), label=name)
    places = np.arange(len(cases)) + 0.4
    axes[0, 0].set(xticks=places, title="time, as a multiple of PyTorch's")
    axes[0, 0].margins(y=0.3)  # room for the legend
    axes[0, 0].set_xticklabels([f"{c[0]}\n{c[1]} px" for c in cases], fontsize=7)
    axes[0, 0].axhline(1, color="grey", linewidth=0.8)
    axes[0, 0].legend(fontsize=7, ncol=3, loc="upper right")

    steps = {(b, s): v for (kind, b, s), v in times.growth.items() if kind == "step"}
    pictures = {s: v for (kind, _, s), v in times.growth.items() if kind == "pastiche"}
    memory = {s: v for (kind, _, s), v in times.growth.items() if kind == "megabytes"}
    curves = (
        (axes[0, 1], "training step (MindSpore)", "megapixels of content a step", "seconds",
         sorted((b * s * s / 1e6, v) for (b, s), v in steps.items())),
        (axes[1, 0], "pastiche, full width (MindSpore)", "megapixels", "seconds",
         sorted((s * s / 1e6, v) for s, v in pictures.items())),
        (axes[1, 1], "peak memory of the process", "megapixels", "megabytes",
         sorted((s * s / 1e6, v) for s, v in memory.items())),
    )  # fmt: skip
    for axis, title, across, up, points in curves:
        if points:
            axis.plot(*zip(*points, strict=True), "o-")
        axis.set(title=title, xlabel=across, ylabel=up)
        axis.set_xlim(left=0)
        axis.set_ylim(bottom=0)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=110)
    pyplot.close(figure)
