"""Lists the operators of every recipe's training step and of MindIR files, and whether Ascend is known to have them.

python scripts/ascend_operators.py [configs/n_styles.yaml ...] [model.mindir ...] [pair_transfer.onnx ...]

Without arguments: every recipe of configs/ and the bundled ONNX files. Minutes a recipe, as each step is compiled.
Puts the operators of the project's own recipes into src/ascend/found.yaml, which the tests check.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import src  # noqa: F401  prepares the environment before MindSpore is imported
from src.config import ROOT
from src.errors import UserError, run_entry

FOUND = ROOT / "src/ascend/found.yaml"


def primitives_of(path, known):
    """The primitives of a recipe's training step in float16, or of a MindIR file.

    Args:
        path: of the file.
        known: {options: primitives} of recipes so far. Recipes that differ in their runtime alone have the same step.
    """
    from src.ascend.primitives import cell_primitives, file_primitives
    from src.ascend.steps import recipe_step
    from src.config import defaults
    from src.runtime import Runtime

    if path.suffix == ".mindir":
        return file_primitives(path)
    options = defaults(path)
    key = str([section for name, section in options.items() if name != "runtime"])
    if key not in known:
        distil = options["train"].hint_weight > 0
        known[key] = cell_primitives(*recipe_step(path, Runtime("CPU", 0, "graph", "float16", 1, 0, 1), distil))
    return known[key]


def report(name, operators):
    """Prints a table of operators; returns the missing ones."""
    from src.ascend.operators import CHIPS

    print(f"{name}: {len(operators)} operators")
    print(f"  {'operator':24}{'data types':20}{'definition':12}{'plug-in':8} {'  '.join(CHIPS)}")
    for found in operators:
        ascend = {True: "Ascend", False: "no Ascend"}["Ascend" in found.platforms] if found.platforms else "silent"
        chips = "  ".join(found.chips[chip] for chip in CHIPS)
        print(f"  {found.name:24}{','.join(found.types):20}{ascend:12}{found.plugin or 'none':8} {chips}")
    return [found for found in operators if found.missing]


def main(argv):
    """Checks the files, returns the exit code: 1 when an operator is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("files", nargs="*", type=Path, help="recipes, MindIR files, ONNX files")
    files = parser.parse_args(argv).files
    if not files:
        files = [*sorted((ROOT / "configs").glob("*.yaml")), *sorted((ROOT / "pretrained_model").glob("*.onnx"))]
    for path in files:
        if not path.is_file():
            raise UserError(f"no such file: {path}; give recipes (.yaml), MindIR (.mindir) or ONNX (.onnx) files")
    import mindspore as ms
    import yaml

    from src.ascend.operators import check, unlisted_onnx
    from src.ascend.plugins import AscendPlugins

    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_device("CPU")
    plugins, found, known, missing = AscendPlugins(), {}, {}, []
    for path in files:
        if path.suffix == ".onnx":
            unlisted = unlisted_onnx(path)
            print(
                f"{path.name}: {'not in the list for the 310P: ' + ', '.join(unlisted) if unlisted else 'all listed'}"
            )
            missing += [f"{path.name}: {name}" for name in unlisted]
            continue
        primitives = primitives_of(path, known)
        if path.resolve().parent == ROOT / "configs":
            found[path.name] = {name: list(types) for name, types in primitives.items()}
        missing += [f"{path.name}: {one.name}: {one.missing}" for one in report(path.name, check(primitives, plugins))]
    if found:
        before = yaml.safe_load(FOUND.read_text(encoding="utf-8")) if FOUND.is_file() else {}
        kept = {name: operators for name, operators in before.items() if (ROOT / "configs" / name).is_file()}
        head = "# Written by scripts/ascend_operators.py: operators of each recipe's training step in float16.\n"
        FOUND.write_text(head + yaml.safe_dump(kept | found, default_flow_style=None, width=120), encoding="utf-8")
    for line in missing:
        print(f"missing: {line}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
