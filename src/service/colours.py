"""The content's colours in a pastiche."""

import numpy as np
from PIL import Image


def keep_colours(pastiche, content, colours) -> np.ndarray:
    """The pastiche with the content's colours, uint8 (H, W, 3), as both pictures.

    Args:
        colours: none leaves the pastiche as it is; luma keeps its brightness and takes the content's chroma (YCbCr);
            match gives its pixels the mean and the covariance of the content's (Gatys et al. 2016,
            arXiv 1606.05897, section 4.1).
    """
    if colours == "luma":
        luma = Image.fromarray(pastiche).convert("YCbCr").getchannel(0)
        chroma = Image.fromarray(content).convert("YCbCr").split()[1:]
        return np.array(Image.merge("YCbCr", (luma, *chroma)).convert("RGB"))
    if colours == "match":
        return _match(pastiche, content)
    return pastiche


def _match(pastiche, content):
    source, target = (image.reshape(-1, 3).astype(np.float64) for image in (pastiche, content))
    into, out = _root(np.cov(target.T), 0.5), _root(np.cov(source.T), -0.5)
    matched = (source - source.mean(0)) @ (into @ out).T + target.mean(0)
    return np.rint(matched.clip(0, 255)).astype(np.uint8).reshape(pastiche.shape)


def _root(covariance, power):
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.maximum(values, 1e-3) ** power @ vectors.T
