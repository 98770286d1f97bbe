"""What tests of training have in common: where a run takes place, losses of a tiny one, and a step that is quick."""

import csv

import mindspore as ms
import numpy as np

from src.runtime import Runtime
from src.training import trainer
from src.training.preview import Preview
from src.training.train_step import DONE, TrainOneStep

RUNTIME = Runtime("CPU", 0, "graph", "float32", 1, 0, 1)
LOSS = {
    "loss_network": "distilled_vgg19",
    "content_taps": {"relu3_1": 1.0},
    "style_taps": {"relu1_1": 1.0, "relu2_1": 1.0},
    "normalize_losses": True,
    "style_loss_clamp": 20.0,
}
RECIPE = {
    "network": {"predictor": "compact", "width": 0.25},
    "loss": LOSS,
    "data": {"image_size": 32, "batch_size": 2, "min_side": 32},
    "train": {
        "learning_rate": 0.001,
        "ema_decay": 0.9,
        "clip_norm": 5.0,
        "log_every": 5,
        "image_every": 1000,
        "save_every": 4,
        "keep_checkpoints": 2,
    },
}


def losses(folder):
    """The table of losses of an output folder: {step: {column: text}}, without the times."""
    with open(folder / "losses.csv", newline="") as file:
        return {int(row["step"]): {k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)}


def use_few_statistics(monkeypatch):
    """Lets trainings in this process standardise their predictor over a few style crops."""
    monkeypatch.setattr("src.training.distillation.statistics.STATISTICS_BATCHES", 2)


class PlainStep(TrainOneStep):
    """A training step without networks, whose compilation takes most of a tiny run's time.

    It moves the weights, and their averages by another amount, by what depends on them and on the batch. For tests of
    what is around the steps: files, resuming, what is said.
    """

    def __call__(self, content, style, *given):
        seen = float(content.asnumpy().mean() + style.asnumpy().std())
        for number, weight in enumerate(self.weights):
            weight.set_data(ms.Tensor(weight.asnumpy() * 0.9 + 0.01 * seen + 0.001 * number, weight.dtype))
        for average, weight in zip(self.averages, self.weights, strict=False):
            average.set_data(ms.Tensor(average.asnumpy() * 0.5 + weight.asnumpy() * 0.5, average.dtype))
        terms = np.full(len(self.objective.names), float(np.abs(self.weights[0].asnumpy()).mean()) + seen, np.float32)
        return ms.Tensor(terms), ms.Tensor(DONE, ms.float32)


def use_plain_steps(monkeypatch):
    """Replaces the step of trainings in this process by `PlainStep`, and the previews by nothing.

    Returns:
        a list that gets the weights {name: array} of each preview.
    """
    drawn = []

    def build(*arguments):
        step = real(*arguments)
        step.__class__ = PlainStep
        return step

    real = trainer.build_step
    monkeypatch.setattr(trainer, "build_step", build)
    monkeypatch.setattr(Preview, "draw", lambda self, path, weights: drawn.append(weights))
    return drawn
