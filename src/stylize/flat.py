"""Contents that are constant, or nearly so: what the style transfer network makes of them in exact arithmetic.

Where a channel is constant, instance norm divides its rounding errors by the root of epsilon: each norm makes them 300
times as large, and after three of sixteen they are a picture, another one in each engine. Two facts help, whatever runs
the network:

- Borders are reflected, so a constant content is constant in every layer. A norm leaves 0 of it, and the style's offset
  is all that the next layer gets: in exact arithmetic the pastiche is the offset of the last norm through the last
  activation, everywhere. The mean of a normalised channel is 0 whatever noise it has, so that offset is the mean of the
  pastiche before the activation.
- A constant added to the content changes the first convolution by a constant, which the norm after it takes out. Less
  its background, a content that is flat but for a few marks is 0 there, and 0 has no rounding errors to begin with.

Networks that pad with zeros have neither: their borders give every layer a variance far above rounding.
"""

import numpy as np

from src.images.files import to_network

LEVELS = 256
# Contents are taken for nearly flat when in each channel one level holds half of the pixels, or the root of the mean
# squared distance from it is this small. Ordinary photographs are neither, and are given to the network as they are.
FLAT_SHARE = 0.5
FLAT_DEVIATION = 8
# The smallest content that the network takes: the pastiche of a constant one does not depend on its size
SIDE = 16


def find_background(content):
    """Whether a content is flat, and where it is.

    Args:
        content: uint8 (H, W, 3).

    Returns:
        the most frequent level of each channel, (3,) uint8, and whether the content is nothing else; None and false for
        a content that is not nearly flat.
    """
    counts = np.stack([np.bincount(content[..., c].ravel(), minlength=LEVELS) for c in range(3)])
    shares = counts / counts.sum(1, keepdims=True)
    levels = shares.argmax(1)
    deviations = np.sqrt((shares * np.square(np.arange(LEVELS) - levels[:, None])).sum(1))
    flat = (shares.max(1) >= FLAT_SHARE) | (deviations <= FLAT_DEVIATION)
    if not flat.all():
        return None, False
    return levels.astype(np.uint8), bool((shares.max(1) == 1).all())


def background_input(networks, background):
    """What is taken from the network's input so that its convolutions see a background as 0, (3, 1, 1) float32."""
    if background is None:
        return np.zeros((3, 1, 1), np.float32)
    zero = 0.5 if networks.network.output == "tanh" else 0.0  # with tanh it works in [-1, 1] inside
    return to_network(background.reshape(1, 1, 3))[0] - np.float32(zero)


def paint_constant(networks, embedding) -> np.ndarray:
    """The pastiche of any constant content, float32 (3, 1, 1) in [0, 1].

    Without a norm at the output (`linear`) nothing has the mean 0 there. A table's embeddings are gammas and betas
    themselves, and with all gammas 0 no noise passes; other such networks give the mean of their pastiche.

    Args:
        networks: `src.engines.engine.Networks`, whose network reflects at borders.
        embedding: float32 (1, embedding_dim).
    """
    linear = networks.network.output == "linear"
    if linear and networks.styles and not networks.network.norm_affine:
        embedding = embedding.copy()
        embedding[:, : embedding.shape[1] // 2] = 0
    content = np.zeros((1, 3, *(networks.content_size or (SIDE, SIDE))), np.float32)
    pastiche = networks.transfer(content, embedding)[0].astype(np.float64)
    if linear:
        return pastiche.mean((1, 2), keepdims=True).astype(np.float32)
    least = np.finfo(np.float32).eps / 2  # where float32 ends before 1, and before an infinite logarithm
    pastiche = pastiche.clip(least, 1 - least)
    # tanh is brought to [0, 1], where it is the sigmoid of twice its argument
    offset = np.log(pastiche / (1 - pastiche)).mean((1, 2), keepdims=True)
    return (1 / (1 + np.exp(-offset))).astype(np.float32)
