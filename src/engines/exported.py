"""Exported files in an engine: the graphs of predictor and transfer network, and perhaps a third graph for tiles.

The inputs that a graph takes are read from the graph, or from the JSON beside it. Pictures are checked before the graph
runs. An engine's own message for a picture of a wrong size is a page long, and MindSpore cuts the picture without one.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from src.errors import UserError
from src.memory import lacks_memory

INPUTS = {
    "predictor": ({"style"}, {"weights"}),
    "transfer": ({"content", "embedding"},),
    "tiles": ({"content", "embedding", "statistics", "given"},),
}

RANKS = {"content": 4, "style": 4, "weights": 2, "embedding": 2}


@dataclass(frozen=True)
class Architecture:
    """The fields of `src.sections.NetworkConfig` that matter for a network's inputs; by default the paper's values."""

    padding: str = "reflect"
    output: str = "sigmoid"
    norm_affine: bool = False
    width: float = 1.0


@dataclass(frozen=True)
class Graph:
    """A file that an engine has read.

    Attributes:
        path: the file.
        inputs: {name: shape} in order, None for a free side.
        outputs: their shapes.
        run: function of the inputs by name to the list of outputs.
        errors: what `run` raises.
    """

    path: Path
    inputs: dict
    outputs: list
    run: Callable
    errors: tuple

    def __call__(self, **inputs) -> list:
        """The outputs.

        Raises:
            UserError: the engine fails.
            MemoryError: for lack of memory.
        """
        try:
            return self.run(inputs)
        except self.errors as error:
            shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in inputs.items())
            raise failure(f"checkpoint {self.path}: can't be run with {shapes}", error) from None

    def size_of(self, name):
        """The fixed (height, width) of an image input; None where the sides are free, or without such an input."""
        size = tuple(self.inputs.get(name, ())[2:])
        return size if size and None not in size else None


@dataclass(frozen=True)
class ExportedNetworks:
    """An exported pair in some engine: `src.engines.engine.Networks`.

    Attributes:
        name: of the engine.
        predictor, transfer_network: a `Graph` each.
        read_tiles: reads the `Graph` for tiles; None without one.
        styles: names of the styles of a table; empty where images are embedded.
        architecture: what is known of the network's layers.
    """

    name: str
    predictor: Graph
    transfer_network: Graph
    read_tiles: Callable | None = None
    styles: tuple = ()
    architecture: Architecture = Architecture()

    @property
    def embedding_dim(self) -> int:
        """See `src.engines.engine.Networks`."""
        return self.transfer_network.inputs["embedding"][1]

    @property
    def can_tile(self) -> bool:
        """See `src.engines.engine.Networks`."""
        return self.read_tiles is not None

    @property
    def content_size(self):
        """See `src.engines.engine.Networks`."""
        return self.transfer_network.size_of("content")

    @property
    def style_size(self):
        """See `src.engines.engine.Networks`."""
        return self.predictor.size_of("style")

    @cached_property
    def _tiles(self):
        return self.read_tiles()

    def embed(self, style):
        """See `src.engines.engine.Networks`."""
        return self.predictor(**{"weights" if self.styles else "style": style})[0]

    def transfer(self, content, embedding):
        """See `src.engines.engine.Networks`."""
        return self.transfer_network(content=content, embedding=embedding)[0]

    def collect(self, crops, embedding):
        """See `src.engines.engine.Networks`."""
        nothing = {
            "statistics": np.zeros(self._tiles.inputs["statistics"], np.float32),
            "given": np.zeros(1, np.float32),
        }
        return self._tiles(content=crops, embedding=embedding, **nothing)[1]

    def transfer_tile(self, tile, embedding, statistics):
        """See `src.engines.engine.Networks`."""
        given = {"statistics": statistics, "given": np.ones(1, np.float32)}
        return self._tiles(content=tile, embedding=embedding, **given)[0]


def read_description(file, needed=True) -> dict:
    """The JSON beside an exported file.

    Args:
        needed: whether the JSON must exist; otherwise a missing one counts as empty.

    Raises:
        UserError: the JSON is missing though needed, or damaged.
    """
    description = file.with_name(file.name + ".json")
    if not needed and not description.is_file():
        return {}
    try:
        content = json.loads(description.read_text(encoding="utf-8"))
        whole = _is_description(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise UserError(f"{description}: missing or damaged; export.py writes it beside {file.name}")
    return content


def _is_description(content) -> bool:
    """Whether the entries that programs read are of the types that export.py writes."""
    ports = [*content["inputs"], *content.get("outputs", ())]
    network = content.get("network", {})
    plain = {name: kind for name, kind in Architecture.__annotations__.items() if name in network}
    return (
        type(content["embedding_size"]) is int
        and isinstance(content["parts"], str)
        and all(isinstance(port["name"], str) and isinstance(port["shape"], list) for port in ports)
        and isinstance(network, dict)
        and isinstance(content.get("styles", []), list)
        and all(isinstance(name, str) for name in content.get("styles", []))
        and all(type(network[name]) is kind for name, kind in plain.items())
    )


def assemble(name, files, read) -> ExportedNetworks:
    """The networks of exported files that belong together.

    Args:
        name: of the engine.
        files: predictor, transfer network and perhaps the graph for tiles.
        read: function of a path to its `Graph`.

    Raises:
        UserError: a file that can't be read, that is another part than its name says, or that is of another model.
    """
    graphs = [_check_part(read(file), part) for file, part in zip(files[:2], INPUTS, strict=False)]
    predictor, transfer = graphs
    made, taken = predictor.outputs[0][1], transfer.inputs["embedding"][1]
    if made != taken:
        raise UserError(
            f"checkpoint {transfer.path}: takes embeddings of {taken} numbers, but {predictor.path.name} gives {made}; "
            "export both from one checkpoint"
        )
    table = "weights" in predictor.inputs
    description = read_description(files[1], needed=table)
    known = {key: value for key, value in description.get("network", {}).items() if key in Architecture.__annotations__}
    return ExportedNetworks(
        name,
        predictor,
        transfer,
        (lambda: _check_part(read(files[2]), "tiles")) if files[2:] else None,
        tuple(description.get("styles", ())) if table else (),
        Architecture(**known),
    )


def _check_part(graph, part) -> Graph:
    if set(graph.inputs) not in INPUTS[part]:
        expected = " or ".join(" and ".join(sorted(names)) for names in INPUTS[part])
        raise UserError(
            f"checkpoint {graph.path}: takes {' and '.join(sorted(graph.inputs))}, expected {expected}; write it with "
            f"export.py --parts {part}"
        )
    shapes = {name: graph.inputs[name] for name in graph.inputs if name in RANKS}
    if part == "predictor":
        shapes["embedding"] = graph.outputs[0]
    for name, shape in shapes.items():
        if len(shape) != RANKS[name]:
            raise UserError(
                f"checkpoint {graph.path}: its {name} has {len(shape)} sides, expected {RANKS[name]}; write it with "
                f"export.py --parts {part}"
            )
    return graph


def failure(said, error) -> Exception:
    """What to raise for an engine's error: a MemoryError for lack of memory, else the `UserError` that says `said`."""
    return MemoryError(reason(error)) if lacks_memory(error) else UserError(f"{said}: {reason(error)}")


def reason(error) -> str:
    """The cause in an engine's error, in one line, without line numbers of the engine's source code."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [
        line
        for line in lines
        if line.strip("-") and not line.startswith(("Exception from ", "FrontEnd API failed", "Check '", "- "))
    ]
    return (said or lines or [type(error).__name__])[0][:200]


def free_or_fixed(shape) -> tuple:
    """A shape in numbers, None for each side that is free."""
    return tuple(side if isinstance(side, int) else None for side in shape)
