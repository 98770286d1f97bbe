"""Checks the operators of a graph: by the wheel that is installed, and by the table of public documentation."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from src.ascend.plugins import documented_platforms

CHIPS = ("910A", "910B", "A3", "310P")
TABLE = Path(__file__).with_name("operators.yaml")
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Operator:
    """What is known of a primitive on Ascend.

    Attributes:
        name: MindSpore's primitive.
        types: names of the data types of its results in the graph.
        platforms: of its definition's "Supported Platforms"; () where the definition names none.
        plugin: how the wheel's Ascend plug-ins know it, see `AscendPlugins.find`; "" where they do not.
        chips: chip -> "yes", "no" or "unknown", by the table of public documentation.
    """

    name: str
    types: tuple
    platforms: tuple
    plugin: str
    chips: dict

    @property
    def missing(self) -> str:
        """Why the operator is missing on Ascend; "" where no source says that it is missing."""
        if not self.plugin:
            return "the wheel's Ascend plug-ins do not know it"
        if self.platforms and "Ascend" not in self.platforms:
            return f"its definition names {', '.join(self.platforms)}"
        lacking = [chip for chip, known in self.chips.items() if known == "no"]
        return f"the documentation does not list it for {', '.join(lacking)}" if len(lacking) == len(CHIPS) else ""


def read_table() -> dict:
    """The table of public documentation, as the file has it."""
    return yaml.safe_load(TABLE.read_text(encoding="utf-8"))


def check(primitives, plugins, table=None) -> list:
    """An `Operator` for each primitive.

    Args:
        primitives: {name: names of data types}, see `src.ascend.primitives`.
        plugins: `src.ascend.plugins.AscendPlugins`, or what finds as it does.
        table: see `read_table`.
    """
    table = table or read_table()
    return [
        Operator(name, tuple(types), documented_platforms(name), plugins.find(name), chips_of(name, types, table))
        for name, types in primitives.items()
    ]


def chips_of(name, types, table) -> dict:
    """chip -> "yes", "no" or "unknown" for a primitive that gives these data types.

    A 910A that CANN's pages don't speak of has what MindSpore's register for the Ascend 910 has; in float32, too, where
    CANN casts it to float16.
    """
    row = table["operators"].get(table["primitives"].get(name, name))
    if row is not None:
        return {chip: _takes(row, str(chip), types) for chip in CHIPS}
    found = dict.fromkeys(CHIPS, UNKNOWN)
    register = table["registered_910A"]
    if name in register["operators"]:
        cast = {"float": "float16"} if name in register["cast_to_float16"] else {}
        found["910A"] = _takes({"910A": register["operators"][name]}, "910A", [cast.get(kind, kind) for kind in types])
    return found


def _takes(row, chip, types):
    if chip not in row:
        # a page older than A3 says nothing of A3
        return UNKNOWN if chip == "A3" else "no"
    if row[chip] == "any":
        return "yes"
    return "yes" if set(types) <= set(row[chip]) else "no"


def unlisted_onnx(path, table=None) -> list:
    """Operators of an ONNX file that the public list for the 310P lacks."""
    import onnx

    known = set((table or read_table())["onnx_310p"]["operators"].split())
    graph = onnx.load(path, load_external_data=False).graph
    return sorted({node.op_type for node in graph.node} - known)
