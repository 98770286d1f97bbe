"""From a content image and styles to an optimised pastiche, in memory: no files written, nothing printed."""

from dataclasses import dataclass

import mindspore as ms
import numpy as np
from mindspore import ops

from src.errors import UserError
from src.images.colors import preserve_colors
from src.images.files import resize_short_side, resize_to, resize_width, to_image, to_network
from src.losses import Targets
from src.optimize.objective import PasticheLoss
from src.optimize.optimizers import OPTIMIZERS
from src.optimize.settings import SMALLEST_SIDE, check_scales, check_size, plan_levels, weighted_loss
from src.runtime import apply_precision
from src.weights.loss_network import create_loss_network

# standard deviation of the noise from which a pastiche starts; the noise has a mean of 0.5
NOISE = 0.25


@dataclass(frozen=True)
class Iteration:
    """The report of one iteration.

    Attributes:
        number: number of the iteration, from 1 over all levels.
        total: number of all iterations of all levels.
        terms: float32, the loss terms before the iteration's update, in the order of `Gatys.names`.
    """

    number: int
    total: int
    terms: np.ndarray


class Gatys:
    """Pastiches by optimisation, with the methods of `src.evaluation.pairs.PairStylizer`.

    Differs from Gatys et al.: the defaults are a start from the content, which reaches in 300 steps what a start from
    noise reaches in thousands, and Adam in place of L-BFGS. The losses are those of `src.losses`, normalised as
    `loss_options` says.

    Args:
        loss_options: `src.sections.LossConfig`: loss network, taps and weights.
        settings: `src.sections.OptimizeConfig`.
        search_dir: folder of the loss network's weights when `loss_options.loss_network_ckpt` does not say.
        blend: weights of several styles; divided by their sum.
        precision: float32, or float16 with loss scaling; float16 has not been run on a device with half precision.
        seed: of the noise.

    Raises:
        UserError: no weights of the loss network, a feature layer that it lacks, or settings that contradict each
            other.
    """

    def __init__(self, loss_options, settings, search_dir="", blend=(1.0,), precision="float32", seed=1):
        check_scales(settings, len(blend))
        if precision != "float32" and settings.optimizer == "lbfgs":
            raise UserError(f"option precision: found {precision}, but lbfgs needs float32; use --optimizer adam")
        self.loss_options, self.settings, self.seed = weighted_loss(loss_options, settings), settings, seed
        self.blend = np.asarray(blend, np.float64) / np.sum(blend)
        self.loss_scale = settings.loss_scale if precision == "float16" else None
        self.taps = self.loss_options.feature_layers
        self.loss_network = create_loss_network(self.loss_options, search_dir, self.taps)
        apply_precision(self.loss_network, precision)
        self._targets = Targets(self.loss_network, self.taps, self.loss_options)
        self.names = self._targets.loss.names
        self.styles = ()  # no styles by name, see `src.styles`
        self._optimizer = None
        self._pastiche = None

    def embed(self, style):
        """Returns the style itself, because its Gram matrices depend on the size of the pastiche."""
        return (style,)

    def stylize(self, content, styles):
        """The pastiche, uint8 of the content's shape (H, W, 3), under style images of any size."""
        for _ in self.optimize(content, styles):
            pass
        return self.image(content)

    def optimize(self, content, styles, initial=None, state=None):
        """Optimises from coarse to fine, and yields an `Iteration` after each iteration.

        Args:
            content: uint8 (H, W, 3), at the size of the pastiche.
            styles: uint8 images, one a weight of `blend`.
            initial: uint8 image to start from; None for the content.
            state: a result of `state`, from which this run goes on; None for a new start. A state with only the
                pastiche and the iteration works, too; the optimiser then starts with an empty history.
        """
        check_size(content, self.settings)
        levels = plan_levels(self.settings, content.shape[1])
        done = 0 if state is None else int(state["iteration"])
        self._pastiche = None if state is None else state["pastiche"]
        for level in levels:
            if done >= level.last:
                continue
            base = resize_width(content, level.width)
            resumed = state is not None and done >= level.first
            self._open(base, styles, state["pastiche"] if resumed else self._start(base, initial))
            if resumed and len(state) > 2:
                self._optimizer.restore(state)
            self.iteration = done
            for number in range(max(done + 1, level.first), level.last + 1):
                terms = self._optimizer.step()
                self.iteration = number
                yield Iteration(number, levels[-1].last, terms)
            self._pastiche = self._optimizer.pastiche()

    def _start(self, base, initial):
        """The first pastiche of a level: the result of the level before, else the initial picture, or noise."""
        if self._pastiche is not None:
            return to_network(resize_to(to_image(self._pastiche), base.shape[:2]))
        start = to_network(base if initial is None else resize_to(initial, base.shape[:2]))
        part = self.settings.init_noise_blend
        if part:
            noise = np.random.default_rng(self.seed).normal(0.5, NOISE, start.shape).clip(0, 1)
            start = (1 - part) * start + part * noise
        return start.astype(np.float32)

    def _open(self, base, styles, start):
        """Makes, or starts again, the optimiser for a content at the size of a level."""
        features, _ = self._targets(ms.Tensor(to_network(base)))
        scales = self.settings.style_scale
        scales = scales * len(styles) if len(scales) == 1 else scales
        grams = []
        for style, scale in zip(styles, scales, strict=True):
            style = resize_short_side(style, max(SMALLEST_SIDE, round(min(base.shape[:2]) * scale)))
            grams.append(self._targets(ms.Tensor(to_network(style)))[1])
        grams = tuple(ops.concat(layer, 0) for layer in zip(*grams, strict=True))
        # without mutable(), a tuple is a constant of the graph, so that every content would be compiled anew
        targets = ms.mutable(features), ms.mutable(grams)
        if self._optimizer is None or self._optimizer.objective.pastiche.shape != start.shape:
            objective = PasticheLoss(self.loss_network, self.taps, self.loss_options, start, self.blend)
            self._optimizer = OPTIMIZERS[self.settings.optimizer](objective, targets, self.settings, self.loss_scale)
        else:
            self._optimizer.targets = targets
            self._optimizer.restart(start)

    def image(self, content) -> np.ndarray:
        """The present pastiche, uint8, with the content's colours where preserve_colors says so."""
        pastiche = to_image(self._optimizer.pastiche() if self._optimizer else self._pastiche)
        return preserve_colors(pastiche, resize_to(content, pastiche.shape[:2]), self.settings.preserve_colors)

    def state(self) -> dict:
        """Arrays from which `optimize` goes on as a run without a stop does."""
        return {"iteration": np.array(self.iteration), **self._optimizer.state()}
