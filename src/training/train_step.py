"""One training step: targets, forward, backward, clipping, update, in one compiled graph."""

import mindspore as ms
from mindspore import Parameter, ParameterTuple, Tensor, amp, nn, ops

SCALE_WINDOW = 1000


class TrainOneStep(nn.Cell):
    """Runs an objective forward and backward once and updates the parameters that it trains.

    Args:
        objective: see `src.training.objectives`.
        optimizer: over the trainable parameters.
        clip_norm: gradients are scaled down to this global norm; 0 for none.
        ema_decay: of the moving average of the trainable parameters, `averages`; 0 for none.
        loss_scale: first loss scale, halved at an overflow (the step is then skipped), doubled after 1000 steps
            without; None where gradients can't underflow (float32, bfloat16).
        reduce_gradients: mean over devices, or None.
    """

    def __init__(self, objective, optimizer, clip_norm=0.0, ema_decay=0.0, loss_scale=None, reduce_gradients=None):
        super().__init__()
        self.objective = objective
        self.optimizer = optimizer
        self.weights = optimizer.parameters
        self.clip_norm = clip_norm
        self.reduce_gradients = reduce_gradients
        self.scaler = None
        if loss_scale is not None:
            self.scaler = amp.DynamicLossScaler(loss_scale, 2, SCALE_WINDOW)
        self.ema_decay = ema_decay
        self.averages = ()
        if ema_decay > 0:
            self.averages = ParameterTuple(
                # copied: asnumpy may share the weight's memory, and then the first update would move both
                Parameter(p.asnumpy().copy(), name=f"average.{p.name}", requires_grad=False)
                for p in self.weights
            )
            self.averaged_steps = Parameter(Tensor(0, ms.float32), name="averaged_steps", requires_grad=False)
        self.set_train()

    def scaled(self, content, style, targets):
        total, terms = self.objective(content, style, targets)
        if self.scaler is not None:
            total = self.scaler.scale(total)
        return total, terms

    def update(self, gradients):
        if self.clip_norm > 0:
            gradients = ops.clip_by_global_norm(gradients, self.clip_norm)
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
        """content, style (N, 3, H, W) in [0, 1]; given: what the objective's `targets` takes beside them, such as the
        weights (N, styles) that pick a table's styles.

        Returns:
            the objective's terms, a float32 vector.
        """
        targets = self.objective.targets(content, style, *given)
        (_, terms), gradients = ops.value_and_grad(self.scaled, None, self.weights, True)(content, style, targets)
        if self.reduce_gradients is not None:
            gradients = self.reduce_gradients(gradients)
        if self.scaler is None:
            return ops.depend(terms, self.update(gradients))
        gradients = self.scaler.unscale(gradients)
        finite = amp.all_finite(gradients)
        self.scaler.adjust(finite)
        if finite:
            terms = ops.depend(terms, self.update(gradients))
        return terms
