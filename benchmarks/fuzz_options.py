"""Cases of benchmarks/fuzz.py: values of options, command lines, recipes, descriptions beside exported files."""

import contextlib
import io
import json
import math

import yaml
from hypothesis import strategies as st

from src.config import build, field_values, parse
from src.engines.exported import Graph, assemble
from src.options.option import PathText, spell
from src.options.recipes import overlay
from src.sections import SECTIONS
from src.weights.native import FORMAT

OPTIONS = [(section, entry) for section, kind in SECTIONS.items() for entry in kind.schema().values()]
NUMBERS = st.sampled_from(
    ["0", "-1", "1", "7", "32", "0.5", "-0.0", "nan", "inf", "-inf", "1e400", "1e-400", "9007199254740993", "1_000"]
    + ["9" * 30, "9" * 5000, "0x10", "١٢", " 3 ", "3.", "1e3", ""]
)
WORDS = st.one_of(
    NUMBERS, st.sampled_from(["true", "False", "no", "~", "~nobody", "a=1", "a=b", "a==", "=", ",", "--", "%s"])
)
TEXTS = st.one_of(WORDS, st.text(max_size=12))
PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.dates(), st.binary(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(TEXTS, st.integers(), st.none(), st.floats()), inner, max_size=3),
    ),
    max_leaves=6,
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
# what a YAML file can hold beside plain values
STRANGE = [
    "!!python/object/apply:os.system ['true']", "!!python/name:os.system", "!!python/module:antigravity",
    "!!timestamp 2001-99-99", "2001-99-99", "!!int x", "!!float x", "!!bool x", "!!binary '*'", "!!set {a}", "!!null x",
    "!!omap [a]", "&a [*a]", "*missing", "{<<: 1}", "{? [a] : b}", "[" * 1500, "{a: " * 1500, "9" * 5000, "'\\0'",
    '"\\0"', "0b", "1__0", "=", "!x y", "!!timestamp x", "%YAML 9.9\n---", "\t", "1:60:99", "0o9", "-.inf",
    "'~nobody here/a'", "~", '"~\\0"',
]  # fmt: skip


def some(entry):
    """Values for an option, of which many are its own choices or near its bounds."""
    limits = entry.limits
    near = [number for number in (limits.least, limits.most, limits.above, limits.below) if number is not None]
    near = [step for number in near for step in (number, number - 1, number + 1)]
    own = [*limits.choices, entry.value, *near, *limits.former]
    return st.one_of(st.sampled_from(own), st.sampled_from([spell(value) for value in own]), PLAIN, st.lists(TEXTS))


def fits(entry, value):
    """Whether a value that an option has taken is one that it may have."""
    assert entry.accept(value) == value
    kind = entry.kind
    if kind in (int, float, bool, str, PathText):
        assert type(value) is (str if kind is PathText else kind)
    if kind in (int, float):
        assert math.isfinite(value)
        assert entry.limits.admits(value)
    if entry.limits.choices:
        assert value in entry.limits.choices
    return value


def check_value(draw, _):
    """One option, one value: the option's value is the number that the text says, and comes back from YAML."""
    _, entry = draw(st.sampled_from(OPTIONS))
    given = draw(some(entry))
    value = fits(entry, entry.accept(given))
    if entry.kind is int and not entry.limits.choices:
        with contextlib.suppress(ValueError):
            assert value == int(given)
    if entry.kind is float:
        assert value == float(given)
    assert entry.accept(yaml.safe_load(yaml.safe_dump(value))) == value


def check_command_line(draw, _):
    """A command line of options, arguments and nonsense: what is taken is what was given last."""
    taken = draw(st.lists(st.sampled_from(OPTIONS), max_size=4))
    sections = draw(st.lists(st.sampled_from(list(SECTIONS)), min_size=1, max_size=2, unique=True))
    sections = list(dict.fromkeys([*sections, *(section for section, _ in taken)]))
    positionals = [("content", None, "a picture"), ("style", "?", "another", "--second")][: draw(st.integers(0, 2))]
    argv = draw(st.lists(TEXTS, max_size=2))
    for _, entry in taken:
        name = draw(st.sampled_from(entry.names))
        flag = name if name.startswith("-") else f"--{name}"
        value = draw(st.one_of(some(entry).map(spell), TEXTS))
        argv += draw(st.sampled_from([[f"{flag}={value}"], [flag, value], [flag], [flag, value, value]]))
    argv = draw(st.permutations(argv)) if draw(st.booleans()) else argv
    if draw(st.booleans()):
        argv = [*argv, "a.png", "b.png"][: draw(st.integers(0, 6))]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):  # --help
        options = parse(argv, sections, "a program", positionals, base={})
        for section, name in options.given:
            entry = SECTIONS[section].schema()[name]
            fits(entry, getattr(getattr(options, section), name))
            assert any(text.partition("=")[0].lstrip("-") in {n.lstrip("-") for n in entry.names} for text in argv)


def check_recipe(draw, folder):
    """A recipe: each value that is taken is one that the option may have."""
    path = folder / "recipe.yaml"
    kind = draw(st.sampled_from(["bytes", "values", "strange"]))
    if kind == "bytes":
        path.write_bytes(
            draw(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda t: t.encode("utf-8", "replace"))))
        )
    elif kind == "values":
        document = {}
        for section, entry in draw(st.lists(st.sampled_from(OPTIONS), max_size=4)):
            document.setdefault(section, {})[draw(st.sampled_from(entry.names))] = draw(some(entry))
        if draw(st.booleans()):
            document[draw(st.one_of(TEXTS, st.just("base")))] = draw(PLAIN)
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
    else:
        section, entry = draw(st.sampled_from(OPTIONS))
        strange = draw(st.sampled_from(STRANGE))
        forms = [strange, f"{section}: {strange}", f"{section}:\n  {entry.name}: {strange}", f"base: {strange}"]
        path.write_text(draw(st.sampled_from(forms)), encoding="utf-8")
    values = field_values()
    overlay(values, SECTIONS, path)
    options = build(values, SECTIONS)
    for section, entry in OPTIONS:
        fits(entry, getattr(options[section], entry.name))


def check_description(draw, folder):
    """The JSON beside exported files, of a network or of a table of styles."""
    files = [folder / "a_predictor.onnx", folder / "a_transfer.onnx"]
    whole = {"embedding_size": 8, "inputs": [], "parts": "transfer", "network": {"width": 1.0}, "styles": ["a"]}
    for name in draw(st.lists(st.sampled_from(list(whole)), max_size=2)):
        whole[name] = draw(JSON)
    text = json.dumps(draw(st.one_of(st.just(whole), JSON)))
    files[1].with_name("a_transfer.onnx.json").write_text(
        draw(st.sampled_from([text, text[: len(text) // 2], "[" * 9999]))
    )
    images = {"style": (1, 3, None, None), "weights": (None, 1), "content": (1, 3, None, None)}
    given, numbers = draw(st.sampled_from(["style", "weights"])), st.sampled_from([(1, 8), (1, 8), (None, 9), (8,), ()])
    predictor = Graph(files[0], {given: images[given]}, [draw(numbers)], lambda _: [], ())
    transfer = Graph(files[1], {"content": images["content"], "embedding": draw(numbers)}, [], lambda _: [], ())
    networks = assemble("onnxruntime", files, {files[0]: predictor, files[1]: transfer}.__getitem__)
    assert all(isinstance(name, str) for name in networks.styles)
    assert isinstance(networks.architecture.width, float) and isinstance(networks.architecture.norm_affine, bool)


def check_metadata(draw, folder):
    """A checkpoint whose metadata say anything of its network."""
    from src.weights.load import describe, said_of_network

    known = {
        "format": FORMAT,
        "network": {"predictor": "compact", "width": 0.5},
        "loss_network": "vgg16",
        "styles": ["a"],
        "step": 3,
    }
    for name in draw(st.lists(st.sampled_from(list(known)), max_size=2)):
        known[name] = draw(JSON)
    options = known["network"]
    if isinstance(options, dict) and draw(st.booleans()):
        entry = draw(st.sampled_from(list(SECTIONS["network"].schema().values())))
        options[entry.name] = draw(some(entry))
    describe({}, known)
    network, loss_network_name, styles = said_of_network(known, folder / "a.ckpt")
    assert all(isinstance(name, str) for name in styles) and isinstance(loss_network_name, str)
    for entry in type(network).schema().values():
        fits(entry, getattr(network, entry.name))


CHECKS = {
    "values of options": check_value,
    "command lines": check_command_line,
    "recipes": check_recipe,
    "descriptions of exported files": check_description,
    "metadata of checkpoints": check_metadata,
}
