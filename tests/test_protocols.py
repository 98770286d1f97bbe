"""Classes that stand behind a protocol have its members, and take the arguments that callers give."""

import ast
import dataclasses
import inspect
import textwrap

import pytest

from src.engines.engine import Networks
from src.engines.exported import ExportedNetworks
from src.engines.mindspore_networks import MindSporeNetworks
from src.evaluation.pairs import PairStylizer
from src.optimize.method import Gatys
from src.optimize.objective import PasticheLoss
from src.optimize.optimizers import OPTIMIZERS, PixelOptimizer
from src.stylize.stylizer import Stylizer
from src.training.distillation.objective import Distillation
from src.training.distillation.statistics import StatisticsStylization
from src.training.objective import Objective
from src.training.objectives import Stylization, TableStylization
from src.training.style_crops import CropsStylization

OBJECTIVES = (Stylization, TableStylization, CropsStylization, StatisticsStylization, Distillation, PasticheLoss)
IMPLEMENTATIONS = [
    *((Objective, objective) for objective in OBJECTIVES),
    *((PixelOptimizer, optimizer) for optimizer in OPTIMIZERS.values()),
    *((PairStylizer, stylizer) for stylizer in (Stylizer, Gatys)),
    *((Networks, networks) for networks in (MindSporeNetworks, ExportedNetworks)),
]


def attributes(kind):
    """Names of the attributes that a class, or a class that it is derived from, has or sets on itself."""
    found = set(dir(kind))
    if dataclasses.is_dataclass(kind):
        found |= {field.name for field in dataclasses.fields(kind)}
    for base in kind.__mro__[:-1]:
        if base.__module__.startswith("src.") or base.__module__ == __name__:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
            stored = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
            found |= {
                node.attr
                for node in stored
                if isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name) and node.value.id == "self"
            }
    return found


def methods(protocol):
    """{name: signature} of what a protocol declares, its constructor when it says how one is called."""
    return {
        name: inspect.signature(member)
        for name, member in vars(protocol).items()
        if inspect.isfunction(member) and (not name.startswith("_") or name == "__init__" and stated(member))
    }


def stated(constructor):
    """Whether a protocol wrote this constructor itself; Python gives every other protocol one that takes anything."""
    kinds = [parameter.kind for parameter in inspect.signature(constructor).parameters.values()]
    return inspect.Parameter.VAR_KEYWORD not in kinds


def shortcomings(protocol, kind):
    """What a class lacks of a protocol, a line each."""
    found = [f"no attribute {name}" for name in protocol.__annotations__ if name not in attributes(kind)]
    for name, expected in methods(protocol).items():
        if not inspect.isfunction(getattr(kind, name, None)):
            found.append(f"no method {name}")
            continue
        names = [p.name for p in expected.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        try:
            inspect.signature(getattr(kind, name)).bind(*names)
        except TypeError as error:
            found.append(f"{name}({', '.join(names)}): {error}")
    return found


@pytest.mark.parametrize("protocol, kind", IMPLEMENTATIONS, ids=lambda each: each.__name__)
def test_an_implementation_has_the_members_and_takes_the_arguments(protocol, kind):
    assert methods(protocol) and protocol.__annotations__
    assert not shortcomings(protocol, kind)


class Incomplete:
    """Lacks an attribute and a method, and two of its methods are called in another way."""

    def __init__(self, objective, targets):
        self.objective, self.targets = objective, targets

    def step(self, rate):
        return rate

    def restart(self, pastiche, *more):
        return pastiche, more

    def pastiche(self):
        return self.objective

    def state(self):
        return {}


def test_what_is_missing_is_noticed():
    found = shortcomings(PixelOptimizer, Incomplete)
    starts = ("no attribute cell", "__init__(self, objective, targets, settings, loss_scale)", "step(self)")
    assert [line.startswith(start) for line, start in zip(found, starts, strict=False)] == [True, True, True], found
    assert found[3:] == ["no method restore"]
    assert shortcomings(Objective, Incomplete) == ["no attribute names", "no method targets", "no method construct"]
