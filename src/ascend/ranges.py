"""The largest numbers of a recipe's training step on real images, in float32: do they fit into float16?

On a 910A the convolutions compute in float16, whose largest number is 65,504. Inputs and outputs of a convolution, and
their gradients times the loss scale, must stay below. Gram matrices and losses are float32 everywhere; their largest
entries are noted, too.
"""

import dataclasses
from contextlib import contextmanager
from types import SimpleNamespace

import mindspore as ms
import numpy as np
from mindspore import nn, ops

from src import losses
from src.config import defaults
from src.data.dataset import PairedImages
from src.models.style_prediction import StyleTable
from src.optimize.objective import PasticheLoss
from src.optimize.settings import weighted_loss
from src.runtime import Runtime
from src.training.build import build_objective
from src.training.distillation.statistics import standardise_statistics
from src.training.first_weights import build_model, starting_checkpoint
from src.training.styles import known_styles, table_styles, table_weights
from src.weights.loss_network import create_loss_network

FLOAT16_MAX = 65504.0
RUNTIME = Runtime("CPU", 0, "pynative", "float32", 1, 0, 1)


@dataclasses.dataclass
class Extreme:
    """The largest absolute values of a layer: of what its convolution takes or gives, and of the gradients of that and
    of its weights, before the loss scale."""

    activation: float = 0.0
    gradient: float = 0.0


@dataclasses.dataclass
class Ranges:
    """What `measure_recipe` gives.

    Attributes:
        layers: name of a convolution -> `Extreme`.
        grams: name of a style layer -> largest entry of its Gram matrices.
        loss_scale: that of the recipe.
    """

    layers: dict
    grams: dict
    loss_scale: float

    def largest_activation(self) -> tuple[str, float]:
        """(layer, value)."""
        return max(((name, one.activation) for name, one in self.layers.items()), key=lambda pair: pair[1])

    def largest_gradient(self) -> tuple[str, float]:
        """(layer, value), multiplied by the loss scale."""
        pairs = ((name, one.gradient * self.loss_scale) for name, one in self.layers.items())
        return max(pairs, key=lambda pair: pair[1])

    def beyond_float16(self) -> list[str]:
        """Layers in which a number is not below float16's largest."""
        return [
            name
            for name, one in self.layers.items()
            if not max(one.activation, one.gradient * self.loss_scale) < FLOAT16_MAX
        ]


def _largest(tensor):
    return float(np.abs(tensor.asnumpy()).max())


def wrap_convolutions(cell, wrap):
    """Replaces what computes each convolution of a cell, in PyNative mode.

    Args:
        wrap: function of (name of the layer, function of input and weight) that gives another such function.
    """
    for name, layer in cell.cells_and_names():
        kernel = "conv2d" if isinstance(layer, nn.Conv2d) else "convolve"
        if hasattr(layer, kernel):
            setattr(layer, kernel, wrap(name, getattr(layer, kernel)))


class Watch:
    """Notes the largest numbers of all convolutions of some cells, and of Gram matrices. Only in PyNative mode.

    Args:
        cells: {name: cell}, whose names begin the names of their layers.
        style_taps: names of the style layers, in the order in which Gram matrices are made.
    """

    def __init__(self, cells, style_taps):
        self.layers, self.grams = {}, {}
        self._taps, self._made = tuple(style_taps), 0
        for begin, cell in cells.items():
            wrap_convolutions(cell, lambda name, kernel, begin=begin: self._watched(kernel, f"{begin}.{name}"))

    def _watched(self, kernel, name):
        extreme = self.layers.setdefault(name, Extreme())

        def note_gradient(gradients):
            extreme.gradient = max(extreme.gradient, *map(_largest, gradients))

        def run(x, weight):
            x, weight = ops.HookBackward(note_gradient)(x), ops.HookBackward(note_gradient)(weight)
            y = kernel(x, weight)
            extreme.activation = max(extreme.activation, _largest(x), _largest(y))
            return ops.HookBackward(note_gradient)(y)

        return run

    @contextmanager
    def gram_matrices(self):
        """Notes the Gram matrices that are made meanwhile."""
        real = losses.gram_matrix

        def gram_matrix(features):
            gram = real(features)
            tap = self._taps[self._made % len(self._taps)]
            self._made += 1
            self.grams[tap] = max(self.grams.get(tap, 0.0), _largest(gram))
            return gram

        losses.gram_matrix = gram_matrix
        try:
            yield
        finally:
            losses.gram_matrix = real


def measure_recipe(recipe, data, train, batches=2, loss_network_name="") -> Ranges:
    """The largest numbers of the first steps of a recipe, with the weights that its training starts from.

    A teacher's embeddings are left out: a recipe that distils is measured with its stylization losses.

    Args:
        recipe: file of a recipe.
        data, train: {name of an option: value} that go over the recipe's: folders, weights, size of a batch.
        batches: how many batches are looked at.
        loss_network_name: in place of the recipe's; "" for that.

    Raises:
        UserError: weights or images that are not there.
    """
    options = SimpleNamespace(**defaults(recipe))
    # the targets of fixed crops are computed outside the step
    options.data = dataclasses.replace(options.data, **{"style_crops": 0, **data})
    options.train = dataclasses.replace(options.train, **{"distill_from": "", **train})
    if loss_network_name:
        options.loss = dataclasses.replace(options.loss, loss_network=loss_network_name)
    known = known_styles(options.network, starting_checkpoint(options.train))
    images = PairedImages(options.data, RUNTIME.seed, known_styles=known)
    ms.set_context(mode=ms.PYNATIVE_MODE)
    make = _training if options.network.traits.has_networks else _optimization
    cells, weights, run, scale = make(options, images, known)
    watch = Watch(cells, options.loss.style_taps)
    gradients = ops.value_and_grad(run, None, weights)
    with watch.gram_matrices():
        for step, (content, style) in enumerate(images.batches(0, batches)):
            gradients(content, style, step)
    return Ranges({name: one for name, one in watch.layers.items() if one.activation}, watch.grams, scale)


def _training(options, images, known):
    styles = table_styles(options.network, images.all_files()[1], known)
    model = build_model(options.network, options.loss, options.train, styles)
    standardise_statistics(model.predictor, images, options.data.image_size)
    objective, loss_network, weights = build_objective(options, model, RUNTIME)
    cells = {"transfer": model.transfer, options.loss.loss_network: loss_network}
    if not isinstance(model.predictor, StyleTable):
        cells["predictor"] = model.predictor

    def run(content, style, step):
        given = [table_weights(model.styles, images, step)] if model.styles else []
        targets = ops.stop_gradient(objective.targets(content, style, *given))
        return objective(content, style, targets)[0]

    return cells, ms.ParameterTuple(weights), run, options.train.loss_scale


def _optimization(options, images, known):
    loss_options = weighted_loss(options.loss, options.optimize)
    taps = loss_options.feature_layers
    loss_network = create_loss_network(loss_options, options.train.ckpt_path, taps)
    side = options.data.image_size
    objective = PasticheLoss(loss_network, taps, loss_options, np.zeros((1, 3, side, side), np.float32), (1.0,))

    def run(content, style, step):
        # an optimisation starts from the content
        objective.pastiche.set_data(content[:1])
        content_features = objective.loss.content_targets(loss_network(content[:1]))
        style_grams = objective.loss.style_targets(loss_network(style[:1]), style[:1])
        return objective(content_features, style_grams, ())[0]

    weights = ms.ParameterTuple([objective.pastiche])
    return {loss_options.loss_network: loss_network}, weights, run, options.optimize.loss_scale
