"""Every exported file is read back and compared with the networks that the Stylizer runs."""

import mindspore as ms
import numpy as np

from src.deploy.parts import EMBEDDING, WEIGHTS
from src.errors import UserError

TOLERANCE = 1e-4
# sizes for free sides: a square, a small square whose side no large power of two divides, and one that isn't square
FREE_SIZES = (
    {"batch": 1, "height": 128, "width": 128, "style_height": 256, "style_width": 256},
    {"batch": 2, "height": 68, "width": 100, "style_height": 200, "style_width": 144},
    {"batch": 1, "height": 256, "width": 192, "style_height": 256, "style_width": 371},
)


def reference(stylizer, part):
    """A function of arrays to a part's output, computed image by image by the stylizer's networks."""
    if part.name == "tiles":
        return lambda *arrays: _with_first(part.cell.collecting(*map(ms.Tensor, arrays[:2])).asnumpy())
    predictor, transfer = stylizer.networks.model.predictor, stylizer.networks.model.transfer

    def one(*inputs):
        first, *rest = (ms.Tensor(x) for x in inputs)
        if part.name == "predictor":
            return predictor(first).asnumpy()
        if part.name == "fused":
            rest = [predictor(*rest or [ms.Tensor(np.ones((1, 1), np.float32))])]  # of a single style
        return transfer(first, *rest).asnumpy()

    return lambda *arrays: np.concatenate([one(*(a[i : i + 1] for a in arrays)) for i in range(len(arrays[0]))])


def _with_first(pastiches):
    return np.concatenate([pastiches, pastiches[:1]])


def both_passes(run):
    """Runs both passes of a graph for tiles: a batch with its own statistics, then its first image with these."""

    def passes(content, embedding, statistics, _):
        pastiches, collected = run(content, embedding, statistics, np.zeros(1, np.float32))
        return np.concatenate([pastiches, run(content[:1], embedding, collected, np.ones(1, np.float32))[0]])

    return passes


def random_inputs(part, sizes, stylizer, rng):
    """Images of noise in [0, 1], and the embeddings of such images, or blends of a table's styles."""
    arrays = []
    for port in part.inputs:
        shape = port.fill(sizes)
        if stylizer.styles and port.name in (EMBEDDING, WEIGHTS):
            weights = rng.dirichlet(np.ones(len(stylizer.styles)), shape[0]).astype(np.float32)
            embedded = port.name == EMBEDDING
            arrays.append(np.concatenate([stylizer.networks.embed(w[None]) if embedded else w[None] for w in weights]))
        elif port.name == EMBEDDING:
            noise = rng.integers(0, 256, (shape[0], 64, 64, 3), np.uint8)
            arrays.append(np.stack([stylizer.embed(image) for image in noise]))
        else:
            arrays.append(rng.random(shape, np.float32))
    return arrays


def compare(run, stylizer, part, seed) -> list[dict]:
    """Compares an exported graph with the network, at three sizes when its sides are free.

    Args:
        run: function of arrays to the outputs of the graph, from `load` of the format's module.
        stylizer: the `src.stylize.Stylizer` of the same model.
        part: the exported `src.deploy.parts.Part`.
        seed: seed of the images.

    Returns:
        for each size {"inputs": shapes, "max_difference": largest absolute difference}; that of embeddings is divided
        by their largest number, if it is above 1.

    Raises:
        UserError: they differ by more than `TOLERANCE`.
    """
    rng = np.random.default_rng(seed)
    expect = reference(stylizer, part)
    run = both_passes(run) if part.name == "tiles" else run
    results = []
    for sizes in FREE_SIZES if part.free else ({},):
        arrays = random_inputs(part, sizes, stylizer, rng)
        expected, found = expect(*arrays), run(*arrays)
        shapes = {port.name: list(array.shape) for port, array in zip(part.inputs, arrays, strict=True)}
        results.append({"inputs": shapes, "max_difference": _difference(expected, found, shapes)})
    return results


def _difference(expected, found, shapes):
    """The largest absolute difference, divided by the largest number if it is above 1; refused above `TOLERANCE`."""
    scale = max(1.0, float(np.abs(expected).max()))
    same_shape = expected.shape == found.shape
    difference = float(np.abs(expected - found).max()) / scale if same_shape else float("inf")
    if not difference <= TOLERANCE:  # NaN is refused as well
        raise UserError(
            f"the exported graph differs from the network by {difference:.1e} for inputs {shapes}, allowed is "
            f"{TOLERANCE:.0e}; no file was kept"
        )
    return difference
