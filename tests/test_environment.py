"""scripts/env.sh: which Python is taken, when requirements are installed, and what is said when there is none."""

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# stands for a Python: "-m venv --clear FOLDER" copies it there, "-m pip install ..." is written down
STUB = """#!/usr/bin/env bash
case "$*" in
    *ensurepip*) exit "${STUB_USABLE:-0}" ;;
    *version_info*) echo "3.9" ;;
    --version) echo "Python 3.11.0" ;;
    "-m venv --clear "*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
    "-m pip "*) echo "$*" >> "$STUB_RECORD"; exit "${STUB_PIP:-0}" ;;
    *eval.py* | *stylize.py*) echo "stylised with $0: $*" ;;
esac
"""


@pytest.fixture
def project(tmp_path):
    """A copy of the scripts and requirements, as a fresh clone has them."""
    folder = tmp_path / "fresh clone"
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    for path in ROOT.glob("requirements*.txt"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture
def quickstart(tmp_path, project, run_entry_point):
    """Runs quickstart.sh of the copy with the stand-in: the process, and the pip commands so far."""
    program, record = tmp_path / "stub-python", tmp_path / "pip"
    program.write_text(STUB)
    program.chmod(0o755)
    record.touch()

    def run(*arguments, **settings):
        environment = {"PYTHON": str(program), "STUB_RECORD": str(record), "STYLE_TRANSFER_VENV": "", **settings}
        process = run_entry_point(project / "scripts/quickstart.sh", *arguments, **environment)
        return process, record.read_text().splitlines()

    return run


def test_the_requirements_are_installed_once(quickstart, project):
    process, pip = quickstart()
    assert process.returncode == 0, process.stderr
    assert len(pip) == 1 and f"-r {project}/requirements.txt" in pip[0]
    assert f"stylised with {project}/.venv/bin/python" in process.stdout
    assert f"{project}/output/quickstart/grid.png" in process.stdout
    _, pip = quickstart()
    assert len(pip) == 1


def test_changed_requirements_are_installed(quickstart, project):
    quickstart()
    with open(project / "requirements.txt", "a") as file:
        file.write("another==1.0\n")
    _, pip = quickstart()
    assert len(pip) == 2


def test_a_failed_installation_is_tried_again(quickstart):
    process, pip = quickstart(STUB_PIP="1")
    assert process.returncode != 0 and "pip could not install" in process.stderr and "stylised" not in process.stdout
    process, pip = quickstart()
    assert process.returncode == 0 and len(pip) == 2


def test_options_go_to_eval(quickstart, tmp_path):
    process, _ = quickstart("--output_path", tmp_path / "pictures", "--image_size", 64)
    assert "--image_size 64" in process.stdout and f"{tmp_path}/pictures/grid.png" in process.stdout
    assert f"--blend_steps 4 --size 256 --overwrite -o {tmp_path}/pictures/blends.png" in process.stdout


def test_without_a_usable_python_it_says_which_to_install(quickstart, project):
    process, pip = quickstart(STUB_USABLE="1")
    assert process.returncode != 0 and not pip and not (project / ".venv").exists()
    assert "3.10, 3.11 or 3.12" in process.stderr and "3.9" in process.stderr and "PYTHON=" in process.stderr


def test_an_environment_that_is_named_is_used_as_it_is(quickstart, tmp_path):
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    shutil.copy(tmp_path / "stub-python", venv / "bin/python")
    process, pip = quickstart(STYLE_TRANSFER_VENV=str(venv))
    assert process.returncode == 0 and not pip
    assert f"stylised with {venv}/bin/python" in process.stdout


def test_a_named_environment_without_mindspore_is_an_error(quickstart, tmp_path):
    process, _ = quickstart(STYLE_TRANSFER_VENV=str(tmp_path / "nothing"))
    assert process.returncode != 0 and "STYLE_TRANSFER_VENV" in process.stderr


def test_every_list_of_packages_has_a_pillow_whose_decoders_are_mended():
    """Version 12.3 mends faults of decoders that a stranger's picture could use."""
    text = "\n".join(path.read_text() for path in ROOT.glob("requirements*.txt"))
    found = re.findall(r"^pillow([^-\w].*)$", text, re.M)
    assert len(found) == 2
    for version in found:
        assert version[:2] in (">=", "==") and tuple(map(int, version[2:].split("."))) >= (12, 3), version
