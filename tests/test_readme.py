"""The READMEs name only options and files that exist, and say the same in both languages."""

import re
import runpy
from pathlib import Path

import pytest

from src.options.option import Options
from src.sections import SECTIONS

ROOT = Path(__file__).resolve().parent.parent
TRANSLATIONS = [ROOT / "README.md", ROOT / "README_CN.md"]
PAGES = [*TRANSLATIONS, ROOT / "dataset/README.md", ROOT / "pretrained_model/README.md"]


def text_of(page):
    return re.sub(r"<!--.*?-->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def commands(page):
    """Indented lines without their comments."""
    lines = re.findall(r"^ {4}(?! *#)(.*)$", text_of(page), flags=re.MULTILINE)
    return [re.split(r" {2,}", line.strip())[0] for line in lines]


def own_options():
    """Options of a script or a benchmark alone."""
    for path in [*(ROOT / "scripts").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")]:
        if "own=" in path.read_text(encoding="utf-8"):
            found = runpy.run_path(str(path)).values()
            yield from (kind for kind in found if kind is not Options and hasattr(kind, "schema"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_option_named_exists(page):
    known = {"help", "config_path"}
    for kind in [*SECTIONS.values(), *own_options()]:
        known |= {name for option in kind.schema().values() for name in option.names}
    assert set(re.findall(r"--([a-z]\w*)", text_of(page))) <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_linked_file_exists(page):
    for target in re.findall(r"\]\(([^)#]+)", text_of(page)):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", TRANSLATIONS, ids=lambda page: page.name)
def test_the_two_commands_are_on_the_first_screen(page):
    first = "\n".join(text_of(page).splitlines()[:25])
    assert "bash scripts/quickstart.sh" in first and "bash scripts/run_tests.sh" in first


def test_both_languages_have_the_same_commands_and_sections():
    english, chinese = TRANSLATIONS
    assert commands(english) == commands(chinese)
    levels = [re.findall(r"^(#+) ", text_of(page), flags=re.MULTILINE) for page in TRANSLATIONS]
    assert levels[0] == levels[1]
    rows = [len(re.findall(r"^\|", text_of(page), flags=re.MULTILINE)) for page in TRANSLATIONS]
    assert rows[0] == rows[1]
    assert set(re.findall(r"--\w+", text_of(english))) == set(re.findall(r"--\w+", text_of(chinese)))
