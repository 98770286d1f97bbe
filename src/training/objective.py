"""The interface of an objective, which a training step minimises."""

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
        """The targets of a step's comparison, computed before the gradient and outside it.

        Args:
            content, style: the first inputs of the step: images (N, 3, H, W) in [0, 1], or their features.
            given: the other inputs of the step.
        """

    def construct(self, content: Any, style: Any, targets: tuple) -> tuple[Tensor, Tensor]:
        """The total loss, a number, and the terms, a float32 vector in the order of `names`.

        Args:
            content, style: as in `targets`.
            targets: the result of `targets`.
        """
