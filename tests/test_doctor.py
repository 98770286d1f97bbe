"""scripts/doctor.py: each planted fault is named with its remedy, and a sound machine has none."""

import json

import pytest

from src.doctor import (
    FAULT,
    GOOD,
    REMARK,
    Finding,
    as_json,
    ascend_findings,
    device_finding,
    mindspore_findings,
    python_finding,
    space_findings,
    weight_findings,
)


def states(findings):
    return {finding.name: finding.state for finding in findings}


@pytest.mark.parametrize(
    ("version", "state"), [((3, 9, 1), FAULT), ((3, 10, 0), GOOD), ((3, 12, 4), GOOD), ((3, 13, 0), FAULT)]
)
def test_python(version, state):
    assert python_finding(version).state == state


@pytest.mark.parametrize(
    ("mindspore", "numpy", "environment", "expected"),
    [
        ("2.8.0", "1.26.4", {}, {"MindSpore": GOOD, "NumPy": GOOD}),
        ("2.8.0", "2.1.0", {}, {"MindSpore": GOOD, "NumPy": FAULT}),
        ("2.8.0", "", {}, {"MindSpore": GOOD, "NumPy": FAULT}),
        ("2.10.0", "1.26.4", {}, {"MindSpore": GOOD, "convolutions": FAULT, "NumPy": GOOD}),
        ("2.10.0", "1.26.4", {"ONEDNN_MAX_CPU_ISA": "AVX2"}, {"MindSpore": GOOD, "convolutions": GOOD, "NumPy": GOOD}),
        ("", "2.1.0", {}, {"MindSpore": REMARK, "NumPy": GOOD}),
    ],
)
def test_traps_of_mindspore_and_numpy(mindspore, numpy, environment, expected):
    findings = mindspore_findings(mindspore, numpy, environment)
    assert states(findings) == expected
    assert all(finding.remedy for finding in findings if finding.state == FAULT)


@pytest.fixture
def ascend(tmp_path):
    """Writes version files of CANN and the driver; gives the environment and the driver's file."""

    def write(cann=None, driver=None):
        (tmp_path / "compiler").mkdir()
        if cann:
            (tmp_path / "compiler/version.info").write_text(f"# CANN\nVersion={cann}\n")
        if driver:
            (tmp_path / "driver.info").write_text(f"Version={driver}\n")
        return {"ASCEND_HOME_PATH": str(tmp_path)}, tmp_path / "driver.info"

    return write


@pytest.mark.parametrize(
    ("cann", "driver", "expected"),
    [
        ("8.3.RC1", "25.2.0", {"CANN": GOOD, "Ascend driver": GOOD}),
        ("8.5.0", "25.2.0", {"CANN": GOOD, "Ascend driver": GOOD}),
        ("8.1.RC1", "25.2.0", {"CANN": FAULT, "Ascend driver": GOOD}),
        (None, "25.2.0", {"CANN": FAULT, "Ascend driver": GOOD}),
        ("8.2.RC1", None, {"CANN": GOOD, "Ascend driver": FAULT}),
    ],
)
def test_cann_and_driver(ascend, cann, driver, expected):
    findings = ascend_findings("2.8.0", *ascend(cann, driver))
    assert states(findings) == expected
    assert all(finding.remedy for finding in findings if finding.state == FAULT)


def test_the_versions_of_cann_are_the_wheels_own():
    from mindspore.run_check._check_version import AscendEnvChecker

    from src.doctor import CANN

    assert tuple(AscendEnvChecker(None).version) == CANN[(2, 8)]


def test_a_driver_without_cann_and_neither(ascend, tmp_path):
    _, driver = ascend(driver="25.2.0")
    assert states(ascend_findings("2.8.0", {}, driver)) == {"Ascend driver": GOOD, "CANN": FAULT}
    assert states(ascend_findings("2.8.0", {}, tmp_path / "none")) == {"Ascend": REMARK}


def test_a_version_of_mindspore_that_nobody_listed_is_a_remark(ascend):
    assert states(ascend_findings("2.10.0", *ascend("9.0.0", "25.2.0")))["CANN"] == REMARK


def test_memory_disk_and_the_container(tmp_path):
    limit, unlimited = tmp_path / "memory.max", tmp_path / "none.max"
    limit.write_text("4000000000\n")
    unlimited.write_text("max\n")
    findings = space_findings(tmp_path, 1e9, 1e9, ((limit, None), (unlimited, None)))
    assert [finding.state for finding in findings] == [FAULT, FAULT, REMARK] and "4.0 GB" in findings[2].text
    assert states(space_findings(tmp_path, 1e10, 1e10, ())) == {"free memory": GOOD, "free disk": GOOD}


def test_weights_that_are_there_cut_or_absent(tmp_path):
    (tmp_path / "vgg16.ckpt").write_bytes(bytes(2000))
    (tmp_path / "vgg19.ckpt").write_text("version https://git-lfs.github.com/spec/v1\n")
    found = states(weight_findings(tmp_path))
    assert (found["vgg16.ckpt"], found["vgg19.ckpt"], found["inceptionv3.ckpt"]) == (GOOD, FAULT, REMARK)


def test_json_and_lines_say_the_same():
    finding = Finding("NumPy", FAULT, "2.1.0", "pip install 'numpy<2'")
    assert json.loads(as_json([finding]))[0] == {
        "name": "NumPy",
        "state": "fault",
        "text": "2.1.0",
        "remedy": "pip install 'numpy<2'",
    }
    assert finding.line() == "fault  NumPy: 2.1.0; pip install 'numpy<2'"


def test_the_program_looks_at_this_machine(run_entry_point):
    process = run_entry_point("scripts/doctor.py", "--json")
    found = {finding["name"]: finding for finding in json.loads(process.stdout)}
    assert process.returncode == int(any(finding["state"] == "fault" for finding in found.values()))
    assert "CPU" in found["devices"]["text"] and found["n_styles.ckpt"]["state"] == "good"


@pytest.mark.parametrize(("devices", "state"), [(("CPU",), FAULT), (("Ascend", "CPU"), GOOD)])
def test_cards_that_mindspore_does_not_find(devices, state, tmp_path, monkeypatch):
    monkeypatch.setattr("src.runtime.available_devices", lambda: list(devices))
    (tmp_path / "davinci0").touch()
    (tmp_path / "davinci_manager").touch()
    found = device_finding("2.8.0", tmp_path)
    assert found.state == state and ("1 Ascend card" in found.text) == (state == FAULT)
