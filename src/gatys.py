"""Gatys et al. 2016: the pastiche itself is optimised, without a style transfer network."""

import mindspore as ms
from mindspore import Parameter, nn, ops

from src.data.images import to_image, to_network
from src.losses import StylizationLoss
from src.models.factory import create_loss_network


class OptimizePastiche(nn.Cell):
    """One step of the optimisation, compiled once an image size.

    Args:
        loss_network: frozen, with the feature layers `taps`.
        taps: their names.
        loss: `src.config.LossConfig`.
        pastiche: float32 array (1, 3, H, W) in [0, 1] that fixes the size.
        learning_rate: Adam's, in units of the range of the pastiche.
    """

    def __init__(self, loss_network, taps, loss, pastiche, learning_rate):
        super().__init__()
        self.pastiche = Parameter(ms.Tensor(pastiche), name="pastiche")
        self.loss_network = loss_network
        self.loss = StylizationLoss(loss, taps)
        self.optimizer = nn.Adam([self.pastiche], learning_rate)

    def judge(self, content_features, style_grams):
        return self.loss(self.pastiche, self.loss_network(self.pastiche), content_features, style_grams)

    def construct(self, content_features, style_grams):
        """Features of the content and Gram matrices of the style. Returns the terms before the step, `loss.names`."""
        (_, terms), gradients = ops.value_and_grad(self.judge, None, self.optimizer.parameters, True)(
            content_features, style_grams
        )
        done = self.optimizer(gradients)
        # a picture has no values outside the range, and the loss network has seen none
        inside = ops.clamp(ops.depend(self.pastiche, done), 0.0, 1.0)
        return ops.depend(terms, ops.assign(self.pastiche, inside))

    def restart(self, pastiche):
        """Begins again from an array of the same size."""
        for parameter in (*self.optimizer.moment1, *self.optimizer.moment2, self.optimizer.global_step):
            parameter.set_data(ops.zeros_like(parameter))
        for power in (self.optimizer.beta1_power, self.optimizer.beta2_power):
            power.set_data(ops.ones_like(power))
        self.pastiche.set_data(ms.Tensor(pastiche))


class Gatys:
    """Pastiches by optimisation, with the methods of a `src.stylize.stylizer.Stylizer` that an evaluation calls.

    Differs from Gatys et al.: starts from the content rather than from noise, which reaches in 300 steps what noise
    reaches in thousands; Adam rather than L-BFGS; the losses of `src.losses`, normalised when `loss` says so.

    Args:
        loss: `src.config.LossConfig`: loss network, taps and weights.
        steps: of the optimisation, for each pastiche.
        learning_rate: see `OptimizePastiche`.
        search_dir: folder of the loss network's weights when `loss.loss_network_ckpt` does not say.

    Raises:
        UserError: no weights of the loss network, or a feature layer that it lacks.
    """

    def __init__(self, loss, steps=300, learning_rate=0.02, search_dir=""):
        self.loss, self.steps, self.learning_rate = loss, steps, learning_rate
        self.taps = tuple(dict.fromkeys((*loss.style_taps, *loss.content_taps)))
        self.loss_network = create_loss_network(loss, search_dir, self.taps)
        self._targets = StylizationLoss(loss, self.taps)
        self._step = None

    def embed(self, style) -> tuple:
        """The Gram matrices of a uint8 (H, W, 3) style image, one a style tap: what stands here for an embedding."""
        return self._targets.style_targets(self.loss_network(ms.Tensor(to_network(style))))

    def stylize(self, content, grams):
        """The pastiche, uint8 of the content's shape (H, W, 3), under the Gram matrices of `embed`."""
        start = to_network(content)
        features = self._targets.content_targets(self.loss_network(ms.Tensor(start)))
        if self._step is None or self._step.pastiche.shape != start.shape:
            self._step = OptimizePastiche(self.loss_network, self.taps, self.loss, start, self.learning_rate)
        else:
            self._step.restart(start)
        for _ in range(self.steps):
            self._step(features, grams)
        return to_image(self._step.pastiche.asnumpy())
