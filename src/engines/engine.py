"""What an engine is: how it is described, and what its networks can do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from src.errors import UserError


class Networks(Protocol):
    """The two networks of a model, in some engine. All arrays are float32, images RGB in [0, 1].

    Attributes:
        name: of the engine.
        architecture: an object with the fields `padding`, `output`, `norm_affine` and `width` of
            `src.sections.NetworkConfig`.
        embedding_dim: numbers in an embedding; of a table of styles, in its rows.
        styles: names of the styles of a table; empty where style images are embedded.
        content_size, style_size: the (height, width) of the only images that the networks take, None for any size.
        can_tile: whether `collect` and `transfer_tile` are there.
    """

    name: str
    architecture: object
    embedding_dim: int
    styles: tuple
    content_size: tuple | None
    style_size: tuple | None
    can_tile: bool

    def embed(self, style: np.ndarray) -> np.ndarray:
        """A style image (1, 3, h, w), or weights of `styles` (1, styles), to its embedding (1, embedding_dim)."""

    def transfer(self, content: np.ndarray, embedding: np.ndarray) -> np.ndarray:
        """A content image (1, 3, H, W) to its pastiche of the same shape."""

    def collect(self, crops: np.ndarray, embedding: np.ndarray) -> np.ndarray:
        """Crops (N, 3, h, w) of a content to the statistics of the instance norms, (2, their channels)."""

    def transfer_tile(self, tile: np.ndarray, embedding: np.ndarray, statistics: np.ndarray) -> np.ndarray:
        """A tile (1, 3, h, w) to its pastiche, normalised with the statistics that `collect` gave."""


@dataclass(frozen=True)
class Engine:
    """A reader of exported files.

    Attributes:
        name: what `--engine` calls it.
        package: the Python package that it needs.
        suffix: ending of the files that it reads.
        requirements: the file that installs the package.
        open: function (files, device, precision) that gives `Networks`.
    """

    name: str
    package: str
    suffix: str
    requirements: str
    open: Callable[..., Networks]


def refuse_precision(engine, precision):
    """Raises a UserError for a precision other than float32, in an engine that has no other."""
    if precision != "float32":
        raise UserError(f"option precision: found {precision}, which {engine} does not choose; use --engine openvino")
