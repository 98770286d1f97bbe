"""Optimisers of a pastiche's pixels: Adam inside the compiled step, or L-BFGS around it. Both keep pixels in [0, 1]."""

from typing import Protocol

import mindspore as ms
import numpy as np
from mindspore import Parameter, nn, ops

from src.optimize.objective import PasticheLoss
from src.training.train_step import SKIPPED_HERE, TrainOneStep


class PixelOptimizer(Protocol):
    """What optimises one pastiche. `OPTIMIZERS` has the classes by their names, each made with these arguments.

    Args:
        objective: holds the pastiche, where a new optimiser starts.
        targets: content features and Gram matrices that the objective takes.
        settings: `src.sections.OptimizeConfig`.
        loss_scale: see `src.training.train_step.TrainOneStep`.

    Attributes:
        objective: as given.
        targets: as given; others may take their place before a `restart`.
        cell: the compiled step.
    """

    objective: PasticheLoss
    targets: tuple
    cell: TrainOneStep

    def __init__(self, objective, targets, settings, loss_scale=None): ...

    def step(self) -> np.ndarray:
        """Makes an iteration. Returns the loss terms before it, float32, in the order of `objective.names`."""

    def pastiche(self) -> np.ndarray:
        """The picture so far, float32 (1, 3, H, W) in [0, 1]."""

    def restart(self, pastiche: np.ndarray) -> None:
        """Begins again from a picture (1, 3, H, W) in [0, 1], as a new optimiser would."""

    def state(self) -> dict[str, np.ndarray]:
        """Arrays, "pastiche" among them, with which `restore` goes on as if nothing had stopped."""

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Goes on from what `state` gave, in this process or another one."""


def _loss_terms(cell, targets):
    """The loss terms of a step; all NaN when its gradient is not finite, even where the terms are."""
    terms, status = cell(*targets)
    return np.full(terms.shape, np.nan, np.float32) if status.asnumpy() == SKIPPED_HERE else terms.asnumpy()


class BoundedAdam(nn.Cell):
    """Adam for one picture, whose values stay in [0, 1], the range that the loss network was trained on."""

    def __init__(self, picture, settings):
        super().__init__()
        self.adam = nn.Adam([picture], settings.learning_rate, settings.beta1, settings.beta2, settings.epsilon)
        self.parameters = self.adam.parameters
        self.picture = picture

    def construct(self, gradients):
        inside = ops.clamp(ops.depend(self.picture, self.adam(gradients)), 0.0, 1.0)
        return ops.assign(self.picture, inside)


class GradientKeeper(nn.Cell):
    """An optimiser that changes no parameter, and keeps the gradient for `LBFGS` to read."""

    def __init__(self, picture):
        super().__init__()
        self.parameters = ms.ParameterTuple([picture])
        self.gradient = Parameter(ops.zeros_like(picture), name="gradient", requires_grad=False)

    def construct(self, gradients):
        return ops.assign(self.gradient, gradients[0])


class Adam:
    """A `PixelOptimizer`: Adam, which moves the picture inside the compiled step.

    Args: those of `PixelOptimizer`.
    """

    def __init__(self, objective, targets, settings, loss_scale=None):
        self.objective, self.targets = objective, targets
        self.cell = TrainOneStep(objective, BoundedAdam(objective.pastiche, settings), loss_scale=loss_scale)
        self._fresh = {name: p.asnumpy().copy() for name, p in self._parameters().items()}

    def _parameters(self):
        adam, scaler = self.cell.optimizer.adam, self.cell.scaler
        found = {"moment1": adam.moment1[0], "moment2": adam.moment2[0], "global_step": adam.global_step}
        found |= {"beta1_power": adam.beta1_power, "beta2_power": adam.beta2_power}
        if scaler is not None:
            found |= {"loss_scale": scaler.scale_value, "loss_scale_steps": scaler.counter}
        return found

    def step(self):
        """See `PixelOptimizer`."""
        return _loss_terms(self.cell, self.targets)

    def pastiche(self):
        """See `PixelOptimizer`."""
        return self.objective.pastiche.asnumpy().copy()

    def restart(self, pastiche):
        """See `PixelOptimizer`."""
        self.restore({"pastiche": pastiche, **self._fresh})

    def state(self):
        """See `PixelOptimizer`."""
        return {"pastiche": self.pastiche(), **{n: p.asnumpy().copy() for n, p in self._parameters().items()}}

    def restore(self, state):
        """See `PixelOptimizer`."""
        # after the first step, set_data would not reach the values that the step updates inside a branch of its graph
        ops.assign(self.objective.pastiche, ms.Tensor(state["pastiche"], ms.float32))
        for name, parameter in self._parameters().items():
            ops.assign(parameter, ms.Tensor(state[name], parameter.dtype))


class LBFGS:
    """A `PixelOptimizer`: limited-memory BFGS (Nocedal 1980) with backtracking, projected to [0, 1].

    Gatys et al. optimise with L-BFGS.

    Differs from the L-BFGS of Torch, which most ports use: a pixel at its bound does not move further, and a step that
    does not lower the loss is halved; Torch's takes such a step. Differs from SciPy's L-BFGS-B: a run can stop after
    any iteration and go on in another process, and the vectors are float32, as the gradient is. The vectors are
    computed on the processor that runs Python: two passes over `history` pictures an iteration, a hundredth of the
    gradient's time.

    Args: those of `PixelOptimizer`.
    """

    SUFFICIENT, MOST_HALVINGS = 1e-4, 12

    def __init__(self, objective, targets, settings, loss_scale=None):
        self.objective, self.targets, self.settings = objective, targets, settings
        self.cell = TrainOneStep(objective, GradientKeeper(objective.pastiche), loss_scale=loss_scale)
        self.restart(objective.pastiche.asnumpy())

    def _evaluate(self, x):
        """Loss terms and gradient at x, a flat array."""
        ops.assign(self.objective.pastiche, ms.Tensor(x.reshape(self.objective.pastiche.shape), ms.float32))
        terms = _loss_terms(self.cell, self.targets)
        return terms, self.cell.optimizer.gradient.asnumpy().reshape(-1).copy()

    def _direction(self, free):
        """Minus the gradient times the history's estimate of the inverse Hessian, for the pixels that are free."""
        direction, factors = -self._gradient * free, []
        for move, change in reversed(self._history):
            factors.append((move @ direction) / (move @ change))
            direction = direction - factors[-1] * change
        if self._history:
            move, change = self._history[-1]
            direction = direction * ((move @ change) / (change @ change))
        for (move, change), factor in zip(self._history, reversed(factors), strict=True):
            direction = direction + (factor - (change @ direction) / (move @ change)) * move
        return direction * free

    def step(self):
        """See `PixelOptimizer`. Where no step lowers the loss, the picture stays."""
        if self._terms is None:
            self._terms, self._gradient = self._evaluate(self._x)
        terms = self._terms
        if self._stuck or not np.isfinite(terms).all():
            return terms
        outwards = ((self._x <= 0) & (self._gradient > 0)) | ((self._x >= 1) & (self._gradient < 0))
        if not self._search(~outwards):
            self._history = []
            self._stuck = not self._search(~outwards)
        return terms

    def _search(self, free):
        """Moves along the direction; false when nothing along it lowers the loss."""
        direction = self._direction(free)
        slope = direction @ self._gradient
        if not slope < 0:
            return False
        length = 1.0
        if not self._history:  # without a history, the curvature is unknown
            length = self.settings.learning_rate / np.sqrt(np.mean(direction**2, dtype=np.float64))
        for _ in range(self.MOST_HALVINGS):
            x = np.clip(self._x + np.float32(length) * direction, 0, 1)
            move = x - self._x
            terms, gradient = self._evaluate(x)
            if terms[0] <= self._terms[0] + self.SUFFICIENT * (self._gradient @ move):
                change = gradient - self._gradient
                if move @ change > 1e-7 * np.sqrt((move @ move) * (change @ change)):
                    self._history = [*self._history, (move, change)][-self.settings.history :]
                self._x, self._terms, self._gradient = x, terms, gradient
                return True
            length /= 2
        return False

    def pastiche(self):
        """See `PixelOptimizer`."""
        return self._x.reshape(self.objective.pastiche.shape)

    def restart(self, pastiche):
        """See `PixelOptimizer`."""
        self._x, self._history = np.array(pastiche, np.float32).reshape(-1), []
        self._terms = self._gradient = None
        self._stuck = False

    def state(self):
        """See `PixelOptimizer`."""
        moves, changes = zip(*self._history, strict=True) if self._history else ((), ())
        return {"pastiche": self.pastiche(), "moves": np.array(moves), "changes": np.array(changes)}

    def restore(self, state):
        """See `PixelOptimizer`."""
        self.restart(state["pastiche"])
        self._history = list(zip(state["moves"], state["changes"], strict=True))


OPTIMIZERS: dict[str, type[PixelOptimizer]] = {"adam": Adam, "lbfgs": LBFGS}
