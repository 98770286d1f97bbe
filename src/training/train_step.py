"""One training step: targets, forward, backward, clipping, update, in one compiled graph."""

import mindspore as ms
from mindspore import Parameter, ParameterTuple, Tensor, amp, nn, ops

SCALE_WINDOW = 1000
FIRST_SCALE = 1024.0  # of MindSpore's scaler, which never goes below 1
# Adam keeps squares of gradients, and float32 ends at 3e38: with a larger norm these squares become infinite for good
LARGEST_NORM = 1e18
# The status of a step. A skipped step had gradients that are not finite: because of this process's own images, because
# of another rank's, or because of a loss scale that was too high and is halved now.
DONE, SKIPPED, SKIPPED_HERE = 0.0, 1.0, 2.0


def scale_and_norm(arrays):
    """The largest absolute value in a tuple of float32 arrays (1 if all are 0), and their Euclidean norm divided by it.

    The squares are of numbers up to 1, so none overflows. The norm is NaN exactly where a number is NaN or infinite.
    """
    numbers = ()
    for array in arrays:
        numbers += (array.reshape((-1,)),)
    # joined into one array, because several operations for each array take longer to compile
    numbers = ops.concat(numbers)
    largest = ops.abs(numbers).max()
    scale = ops.select(largest > 0, largest, ops.ones_like(largest))
    return scale, ops.sqrt(ops.square(numbers / scale).sum())


class TrainOneStep(nn.Cell):
    """Runs an objective forward and backward once and updates the parameters that it trains.

    Args:
        objective: `src.training.objective.Objective`.
        optimizer: over the trainable parameters.
        clip_norm: gradients are scaled down to this global norm; 0 for none.
        ema_decay: of the moving average of the trainable parameters, `averages`; 0 for none.
        loss_scale: first loss scale, halved at an overflow, doubled after 1000 steps without; None where gradients
            can't underflow (float32, bfloat16). Below 1 it can fall to a 1024th of itself, otherwise to 1.
        reduce_gradients: mean over devices, or None.

    A step whose gradients hold NaN or Inf changes nothing but the loss scale. Without `clip_norm`, the same holds for a
    step in which squares of gradients would overflow.
    """

    def __init__(self, objective, optimizer, clip_norm=0.0, ema_decay=0.0, loss_scale=None, reduce_gradients=None):
        super().__init__()
        self.objective = objective
        self.optimizer = optimizer
        self.weights = optimizer.parameters
        self.clip_norm = clip_norm
        self.reduce_gradients = reduce_gradients
        self.scaler, self.scale_unit = None, 1.0
        if loss_scale is not None:
            if loss_scale < 1:  # which MindSpore's scaler does not reach
                self.scale_unit, loss_scale = loss_scale / FIRST_SCALE, FIRST_SCALE
            self.scaler = amp.DynamicLossScaler(loss_scale, 2, SCALE_WINDOW)
        self.ema_decay = ema_decay
        self.averages = ()
        if ema_decay > 0:
            self.averages = ParameterTuple(
                # copied, because asnumpy may share the weight's memory, and the first update would change both
                Parameter(p.asnumpy().copy(), name=f"average.{p.name}", requires_grad=False)
                for p in self.weights
            )
            self.averaged_steps = Parameter(Tensor(0, ms.float32), name="averaged_steps", requires_grad=False)
        self.set_train()

    def scaled(self, content, style, targets):
        total, terms = self.objective(content, style, targets)
        if self.scaler is not None:
            total = self.scaler.scale(total * self.scale_unit)
        return total, terms

    def unscaled(self, gradients):
        gradients = self.scaler.unscale(gradients)
        if self.scale_unit == 1.0:
            return gradients
        found = ()
        for gradient in gradients:
            found += (gradient / self.scale_unit,)
        return found

    def measure(self, gradients):
        """(scale of the gradients, their norm divided by it, whether a step may be made with them)."""
        scale, norm = scale_and_norm(gradients)
        usable = ops.isfinite(norm)
        if self.clip_norm <= 0:
            usable = ops.logical_and(usable, scale * norm < LARGEST_NORM)
        return scale, norm, usable

    def update(self, gradients, scale, norm):
        if self.clip_norm > 0:
            divisor = ops.maximum(scale * (norm / self.clip_norm), 1.0)
            clipped = ()
            for gradient in gradients:
                clipped += (gradient / divisor,)
            gradients = clipped
        done = self.optimizer(gradients)
        if self.ema_decay > 0:
            # short memory at first, so that the average is not held back by the untrained weights
            steps = self.averaged_steps + 1.0
            decay = ops.minimum((1.0 + steps) / (10.0 + steps), self.ema_decay)
            done = ops.depend(done, ops.assign(self.averaged_steps, steps))
            for i in range(len(self.weights)):
                moved = self.averages[i] * decay + ops.depend(self.weights[i], done) * (1.0 - decay)
                done = ops.depend(done, ops.assign(self.averages[i], moved))
        return done

    def construct(self, content, style, *given):
        """Makes a step.

        Args:
            content, style: (N, 3, H, W) in [0, 1].
            given: the other arguments of the objective's `targets`, such as weights (N, styles) of a table's styles.

        Returns:
            the objective's terms, a float32 vector; and `DONE`, `SKIPPED` or `SKIPPED_HERE`, a number.
        """
        targets = self.objective.targets(content, style, *given)
        (_, terms), gradients = ops.value_and_grad(self.scaled, None, self.weights, True)(content, style, targets)
        if self.scaler is not None:
            gradients = self.unscaled(gradients)
        scale, norm, usable = self.measure(gradients)
        here = ops.logical_not(usable)
        if self.reduce_gradients is not None:
            gradients = self.reduce_gradients(gradients)
            scale, norm, usable = self.measure(gradients)
        if self.scaler is not None:
            # with a lower loss scale the gradients may be finite, so this step's images are not at fault
            lost = ops.logical_not(ops.isfinite(terms).all())
            here = ops.logical_and(here, ops.logical_or(self.scaler.scale_value <= 1.0, lost))
            here = ops.depend(here, self.scaler.adjust(ops.depend(usable, here)))
        status = ops.select(here, ops.full_like(norm, SKIPPED_HERE), ops.full_like(norm, SKIPPED))
        if usable:
            status = ops.depend(ops.full_like(norm, DONE), self.update(gradients, scale, norm))
        return terms, status
