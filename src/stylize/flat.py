"""Contents that are constant, or nearly so: the pastiche that exact arithmetic would give.

Where a channel is constant, instance norm divides the channel's rounding errors by the root of epsilon. So each norm
makes them 300 times as large, and after three of the sixteen norms the errors are a visible picture, another one in
each engine. Two facts help with every engine:

- Borders are reflected, so a constant content is constant in every layer. Such a layer is 0 after its norm, and the
  next layer gets the style's offset only. In exact arithmetic the pastiche is then everywhere the offset of the last
  norm through the last activation. The mean of a normalised channel is 0 with any noise. So that offset is the mean of
  the pastiche before the activation.
- A constant added to the content adds a constant to the first convolution, which the norm after it removes. Where the
  background is subtracted from a content that is flat but for a few marks, the background is 0. Its convolution is
  exactly 0, so that there are no rounding errors.

Neither holds for networks that pad with zeros. They don't need it: their borders give every layer a variance far above
rounding errors.
"""

import numpy as np

from src.images.files import to_network

LEVELS = 256
# A content counts as nearly flat when in each channel half of the pixels have one level, or the root mean square
# distance from that level is this small. Ordinary photographs have neither, and the network gets them as they are.
FLAT_SHARE = 0.5
FLAT_DEVIATION = 8
# Side of the smallest content that the network takes; the pastiche of a constant content does not depend on the size
SIDE = 16


def find_background(content):
    """The background of a content, and whether the content is all background.

    Args:
        content: uint8 (H, W, 3).

    Returns:
        the most frequent level of each channel, (3,) uint8, and whether all pixels have this level; None and false for
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
    """What to subtract from the network's input so that convolutions see the background as 0, (3, 1, 1) float32."""
    if background is None:
        return np.zeros((3, 1, 1), np.float32)
    zero = 0.5 if networks.architecture.output == "tanh" else 0.0  # with tanh the network works in [-1, 1] inside
    return to_network(background.reshape(1, 1, 3))[0] - np.float32(zero)


def paint_constant(networks, embedding) -> np.ndarray:
    """The pastiche of any constant content, float32 (3, 1, 1) in [0, 1].

    A `linear` output has no norm, so the mean of the output is not known beforehand. For a model with a table the
    network runs with all gammas 0, which lets no noise pass; this works because the embeddings are the gammas and
    betas. For other models with a linear output the result is the mean of the pastiche.

    Args:
        networks: `src.engines.engine.Networks`, whose network reflects at borders.
        embedding: float32 (1, embedding_dim).
    """
    linear = networks.architecture.output == "linear"
    if linear and networks.styles and not networks.architecture.norm_affine:
        embedding = embedding.copy()
        embedding[:, : embedding.shape[1] // 2] = 0
    content = np.zeros((1, 3, *(networks.content_size or (SIDE, SIDE))), np.float32)
    pastiche = networks.transfer(content, embedding)[0].astype(np.float64)
    if linear:
        return pastiche.mean((1, 2), keepdims=True).astype(np.float32)
    least = np.finfo(np.float32).eps / 2  # keeps pixels within (0, 1), so that the logarithm stays finite
    pastiche = pastiche.clip(least, 1 - least)
    # (tanh(x) + 1) / 2 is the sigmoid of 2 x
    offset = np.log(pastiche / (1 - pastiche)).mean((1, 2), keepdims=True)
    return (1 / (1 + np.exp(-offset))).astype(np.float32)
