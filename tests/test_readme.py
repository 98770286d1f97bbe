"""The READMEs and docs/ name only options, files and commands that exist; README says the same in both languages."""

import importlib
import re
import runpy
import shlex
from pathlib import Path

import pytest

from src import config
from src.errors import UserError
from src.modelarts import ModelArtsOptions
from src.options.option import Options
from src.sections import SECTIONS

ROOT = Path(__file__).resolve().parent.parent
TRANSLATIONS = [ROOT / "README.md", ROOT / "README_CN.md"]
DOCS = sorted((ROOT / "docs").glob("*.md"))
DEPLOY = sorted((ROOT / "deploy").rglob("*.md"))
PAGES = [*TRANSLATIONS, *DOCS, *DEPLOY, ROOT / "dataset/README.md", ROOT / "pretrained_model/README.md"]
# options of the published scripts, which docs/ names to say what replaces them
PUBLISHED = {"platform", "run_distribute"}
MSRUN = {"worker_num", "local_worker_num"}
# of run_tests.sh, cmake and converter_lite; and the beginnings of tritonserver's --model-repository and --cache-config
OTHERS = {"quick", "build", "optimize", "model", "cache"}
# these hold figures; the other pages link to them, so that a new measurement changes one file
FIGURES = {"docs/demo.md", "docs/speed.md", "docs/ascend.md", "docs/reliability.md", "pretrained_model/README.md"}
# the left columns of this page's tables name the options of other programs
FOREIGN = ROOT / "docs/coming-from.md"
PROGRAMS = {"train.py", "eval.py", "stylize.py", "export.py", "app.py"}
PROGRAMS |= {f"deploy/{name}.py" for name in ("infer", "convert_lite", "triton/make_repository")}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def text_of(page):
    return re.sub(r"<!--.*?-->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def ours(page):
    """The text of a page without what it says of other programs: their column of each table, and the prose."""
    text = text_of(page)
    if page != FOREIGN:
        return text
    rows = re.findall(r"^\|(?:[^|]*)\|(.*)\|$", text, flags=re.MULTILINE)
    return "\n".join([*rows, *commands(page)])


def commands(page):
    """Indented lines without their comments."""
    lines = re.findall(r"^ {4}(?! *#)(.*)$", text_of(page), flags=re.MULTILINE)
    return [re.split(r" {2,}", line.strip())[0] for line in lines]


def program_calls(page):
    """The arguments of each call of one of `PROGRAMS`, lines joined and shell variables replaced."""
    text = re.sub(r"\\\n\s*", "", "\n".join(re.findall(r"^ {4,}(.*)$", text_of(page), flags=re.MULTILINE)))
    variables = dict(re.findall(r'^(\w+)="(.*)"$', text, flags=re.MULTILINE))
    variables |= dict(re.findall(r"^for (\w+) in (\w+)", text, flags=re.MULTILINE))
    for line in text.splitlines():
        line = re.sub(r"\$(\w+)", lambda match: variables[match[1]], line.split("  #")[0])
        words = shlex.split(line) if line.strip().startswith("python ") else []
        if len(words) > 1 and words[1] in PROGRAMS:
            yield words[1:]


class Parsed(Exception):
    """The options were read: all that a program does before it works."""


def own_options():
    """Options of a script, a benchmark or a program of deploy/ alone, and those that only ModelArts gives."""
    yield ModelArtsOptions
    for path in [path for folder in ("scripts", "benchmarks", "deploy") for path in (ROOT / folder).rglob("*.py")]:
        if "own=" in path.read_text(encoding="utf-8"):
            found = runpy.run_path(str(path)).values()
            yield from (kind for kind in found if kind is not Options and hasattr(kind, "schema"))


@every_page
def test_every_option_named_exists(page):
    known = {"help", "config_path"} | PUBLISHED | MSRUN | OTHERS
    for kind in [*SECTIONS.values(), *own_options()]:
        known |= {name for option in kind.schema().values() for name in option.names}
    assert set(re.findall(r"--([a-z]\w*)", ours(page))) <= known


def test_every_command_is_one_that_its_program_takes(monkeypatch):
    calls = {tuple(call): page for page in PAGES for call in program_calls(page)}
    assert {program for program, *_ in calls} == PROGRAMS

    def parse(argv, *arguments, **named):
        raise Parsed(config.parse(argv, *arguments, **named))

    wrong = {}
    for (program, *argv), page in calls.items():
        module = importlib.import_module(program.removesuffix(".py").replace("/", "."))
        monkeypatch.setattr(module, "parse", parse)
        try:
            module.main(argv)
        except Parsed:
            continue
        except UserError as error:
            wrong[f"{page.name}: {program} {shlex.join(argv)}"] = str(error)
    assert not wrong


@every_page
def test_every_linked_file_exists(page):
    for target, heading in re.findall(r"\]\(([^)#]*)(#[^)]*)?\)", text_of(page)):
        if target.startswith("http"):
            continue
        linked = page.parent / target if target else page
        assert linked.exists(), target
        if heading:
            assert heading[1:] in headings(linked), f"{target}{heading}"


@every_page
def test_every_file_of_the_code_that_is_named_exists(page):
    named = re.findall(r"`((?:src|tests|scripts|benchmarks|configs|deploy)/[\w./]*(?:\.\w+|/))`", text_of(page))
    assert not [name for name in named if not (ROOT / name).exists()]


def headings(page):
    """Names by which links find the headings of a page, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", text_of(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_of_docs_is_linked_from_the_readme():
    for page in TRANSLATIONS:
        for linked in DOCS:
            assert f"(docs/{linked.name})" in text_of(page), linked.name


@every_page
def test_figures_stand_in_one_place(page):
    prose = re.sub(r"`[^`]*`|^ {4}.*$", "", text_of(page), flags=re.MULTILINE)  # a command's numbers are no figures
    figures = re.findall(r"\b0\.\d{3}\b|\b\d+ dB\b|\b\d[\d.]* MB\b", prose)
    assert not figures or page.relative_to(ROOT).as_posix() in FIGURES


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
