"""Writes default_config.yaml from the options' fields in src/options: run after a change there.

python scripts/write_default_config.py
"""

import sys
import textwrap
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import yaml

from src.config import DEFAULT_CONFIG, parse
from src.errors import run_entry
from src.files import atomic_write
from src.sections import SECTIONS

WIDTH = 120
HEAD = """\
# Every option of every program: its value, and above it what it means and which values are allowed.
# The values are the paper's: arXiv 1705.06830 and the code its authors published with it. A value that is changed here
# holds from then on; a recipe in configs/ (--config_path) goes over this file, the command line (--any_option value)
# over both. Written from src/options by scripts/write_default_config.py.
"""
GROUPS = {
    "stylize.py": ["stylize"],
    "eval.py": ["eval"],
    "export.py": ["export"],
    "train.py (eval.py and --method optimize read method and loss, too)": ["network", "loss", "data", "train"],
    "stylize.py and eval.py with --method optimize": ["optimize"],
    "stylize.py with a video or a webcam": ["video"],
    "app.py": ["service"],
    "Every program": ["runtime"],
}


def render() -> str:
    """The text of default_config.yaml."""
    parts = [HEAD]
    for title, sections in GROUPS.items():
        parts.append(f"\n# {f' {title} ':=^{WIDTH - 2}}\n")
        parts += ["\n".join(section_lines(section)) + "\n" for section in sections]
    return "".join(parts)


def section_lines(section) -> list[str]:
    """A section; where the first page of --help shows some of its options, these come first."""
    options = SECTIONS[section].schema().values()
    common = [option for option in options if option.limits.common]
    others = [option for option in options if not option.limits.common]
    between = ["", "  # -- seldom needed --"] if common and others else []
    return ["", f"{section}:", *option_lines(common), *between, *option_lines(others)]


def option_lines(options) -> list[str]:
    """The lines of options, each below a comment with its help."""
    lines = []
    for option in options:
        limits = option.limits
        text = limits.help + f" ({limits.allowed()})" * bool(limits.allowed())
        lines += textwrap.wrap(text, WIDTH, initial_indent="  # ", subsequent_indent="  #   ", break_on_hyphens=False)
        lines.append(f"  {option.name}: {yaml_value(option.value)}")
    return lines


def yaml_value(value) -> str:
    """A value on one line of YAML."""
    if value == "":
        return '""'
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=float("inf"))
    return text.removesuffix("\n").removesuffix("\n...")


def main(argv):
    """Writes the file."""
    parse(argv, (), __doc__.splitlines()[0])
    with atomic_write(DEFAULT_CONFIG) as temporary:
        temporary.write_text(render(), encoding="utf-8")
    print(f"wrote {DEFAULT_CONFIG}")


if __name__ == "__main__":
    sys.exit(run_entry(main))
