"""What a training step needs of an objective."""

from typing import Any, Protocol

from mindspore import Tensor


class Objective(Protocol):
    """What is minimised: a `mindspore.nn.Cell` that `src.training.train_step.TrainOneStep` runs forward and backward.

    `src.training.objectives` has those of the papers' trainings, `src.optimize.objective` that of an optimised
    pastiche, `src.training.distillation.objective` that of a distillation.

    Attributes:
        names: of the terms, the total first. They are the columns of losses.csv.
    """

    names: tuple

    def targets(self, content: Any, style: Any, *given: Any) -> tuple:
        """What a step compares with, computed before the gradient and outside it.

        Args:
            content, style: what the step is called with: images (N, 3, H, W) in [0, 1], or their features.
            given: what the step is called with beside them.
        """

    def construct(self, content: Any, style: Any, targets: tuple) -> tuple[Tensor, Tensor]:
        """The total loss, a number, and the terms, a float32 vector in the order of `names`.

        Args:
            content, style: as in `targets`.
            targets: what `targets` gave.
        """
