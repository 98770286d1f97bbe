"""What can be exported: the whole model, or one of its two networks, which a server runs separately."""

from dataclasses import dataclass

from mindspore import nn

from src.errors import UserError
from src.models.compact_prediction import StatisticsPredictor
from src.models.tiling import TilingNetwork
from src.stylize.stylizer import MULTIPLE, SMALLEST_SIDE

CONTENT, STYLE, EMBEDDING, PASTICHE, WEIGHTS = "content", "style", "embedding", "pastiche", "weights"
STATISTICS, GIVEN, COLLECTED = "statistics", "given", "collected"
# Inception-v3 up to Mixed_6e needs at least 43 pixels
SMALLEST_STYLE = 64


@dataclass(frozen=True)
class Port:
    """An input or output of a graph.

    Args:
        name: one of the names above.
        shape: its sides; a number, or the name of a free one ("height").
    """

    name: str
    shape: tuple

    @property
    def is_image(self) -> bool:
        return self.name in (CONTENT, STYLE, PASTICHE)

    def fill(self, sizes) -> tuple:
        """The shape with its free sides taken from {name: side}."""
        return tuple(sizes[side] if isinstance(side, str) else side for side in self.shape)


@dataclass(frozen=True)
class Part:
    """A network, or both, with the shapes it is exported for. Its inputs are those of `cell.construct`, in order.

    The cell of "tiles" is a `TilingNetwork`, which has no `construct`.
    """

    name: str
    cell: nn.Cell | TilingNetwork
    inputs: tuple
    outputs: tuple

    @property
    def free(self) -> dict:
        """{name of a free side: (smallest, multiple of)}."""
        limits = {"batch": (1, 1), "height": (SMALLEST_SIDE, MULTIPLE), "width": (SMALLEST_SIDE, MULTIPLE)}
        limits |= {"style_height": (SMALLEST_STYLE, 1), "style_width": (SMALLEST_STYLE, 1)}
        sides = dict.fromkeys(side for port in self.inputs for side in port.shape if isinstance(side, str))
        return {side: limits[side] for side in sides}


def make_part(model, name, content_size=None, style_size=None, free_batch=False) -> Part:
    """The part of a model to export.

    Args:
        model: `src.models.factory.StylizationModel`.
        name: "fused" (content, style to pastiche), "predictor" (style to embedding), "transfer" (content, embedding to
            pastiche) or "tiles" (see `_tiles`; sides and number of its contents stay free). With a table of styles,
            weights of these stand for the style; fused, a network of a single style takes the content alone.
        content_size, style_size: (H, W) in pixels, None leaves both free.
        free_batch: leave the number of images free as well; otherwise it is 1.

    Raises:
        UserError: the model's predictor can't be exported.
    """
    if name in ("fused", "predictor") and isinstance(model.predictor, StatisticsPredictor):
        raise UserError(
            "option parts: the statistics predictor reads a loss network that is not in its checkpoint, so it can't be "
            "exported; use --parts transfer, or a model with a compact or inception_v3 predictor"
        )
    batch = "batch" if free_batch else 1
    content = Port(CONTENT, (batch, 3, *(content_size or ("height", "width"))))
    if model.styles:
        style = Port(WEIGHTS, (batch, len(model.styles)))
    else:
        style = Port(STYLE, (batch, 3, *(style_size or ("style_height", "style_width"))))
    embedding = Port(EMBEDDING, (batch, model.transfer.embedding_dim))
    pastiche = Port(PASTICHE, content.shape)
    if name == "predictor":
        return Part(name, model.predictor, (style,), (embedding,))
    if name == "transfer":
        return Part(name, model.transfer, (content, embedding), (pastiche,))
    if name == "tiles":
        return _tiles(model)
    if model.network.traits.has_one_style:
        return Part(name, SingleStyle(model), (content,), (pastiche,))
    return Part(name, model, (content, style), (pastiche,))


class SingleStyle(nn.Cell):
    """A network of a single style with its row inside: content to pastiche."""

    def __init__(self, model):
        super().__init__()
        self.transfer, self.predictor = model.transfer, model.predictor

    def construct(self, content):
        """content (1, 3, H, W) RGB in [0, 1]. Returns the pastiche."""
        return self.transfer(content, self.predictor.table())


def _tiles(model) -> Part:
    """The transfer network for parts of one image. Its norms use the statistics of the batch, or those of an input."""
    cell = TilingNetwork(model.transfer, model.network)
    images, rows = ("batch", 3, "height", "width"), (2, cell.channels)
    inputs = ((CONTENT, images), (EMBEDDING, (1, model.transfer.embedding_dim)), (STATISTICS, rows), (GIVEN, (1,)))
    outputs = ((PASTICHE, images), (COLLECTED, rows))
    return Part("tiles", cell, *(tuple(Port(*port) for port in ports) for ports in (inputs, outputs)))
