"""Checks this machine, its packages and its files; a line for each finding, with the remedy where one is needed.

Versions of CANN and the name of its version file are those that MindSpore 2.8.0 checks itself
(`mindspore/run_check/_check_version.py`); the driver's file is that of the Ascend driver package.
"""

import importlib.metadata
import json
import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from src.memory import CONTAINERS, free_memory

GOOD, REMARK, FAULT = "good", "remark", "fault"
PYTHONS = ((3, 10), (3, 12))
# MindSpore -> the versions of CANN that it was released for; others are not checked
CANN = {(2, 8): ("8.2", "8.3", "8.5")}
DRIVER = Path("/usr/local/Ascend/driver/version.info")
# bytes: for a picture of 2000 x 2000 pixels at full width; for the environment that quickstart.sh makes
LEAST_MEMORY, LEAST_DISK = 3e9, 3.5e9
# files of pretrained_model/, or of --ckpt_path, and what they are for
WEIGHTS = {
    "arbitrary_compact.ckpt": "stylises with any style image (MindSpore); training can start from it",
    "arbitrary_compact_transfer.onnx": "stylises with any style image, without MindSpore",
    "arbitrary_teacher.ckpt": "the teacher from which the compact predictor is distilled",
    "n_styles.ckpt": "stylises with styles by name (MindSpore); training can start from it",
    "n_styles_transfer.onnx": "stylises with styles by name, without MindSpore",
    "vgg16.ckpt": "loss network of the paper: training and content and style losses of eval.py",
    "vgg19.ckpt": "loss network of Gatys et al.: --method optimize",
    "vgg19_distilled_16x.npz": "small loss network of the compact recipes",
    "inceptionv3.ckpt": "pretrained predictor that the paper's recipe starts from",
}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        name: what was checked.
        state: good, remark or fault.
        text: the result of the check.
        remedy: what to do; "" where there is nothing to do.
    """

    name: str
    state: str
    text: str
    remedy: str = ""

    def line(self) -> str:
        """The finding for a terminal."""
        return f"{self.state:7}{self.name}: {self.text}" + (f"; {self.remedy}" if self.remedy else "")


def version_of(package) -> str:
    """Version of an installed package, "" without it; the package is not imported."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def numbers(version) -> tuple:
    """2.10.0rc1 is (2, 10)."""
    parts = version.split(".")[:2]
    return tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in parts)


def python_finding(version=sys.version_info) -> Finding:
    """Python itself."""
    text = ".".join(map(str, version[:3]))
    if PYTHONS[0] <= tuple(version[:2]) <= PYTHONS[1]:
        return Finding("Python", GOOD, text)
    return Finding("Python", FAULT, text, "MindSpore has wheels for 3.10, 3.11 and 3.12; make an environment of one")


def mindspore_findings(mindspore, numpy, environment=os.environ) -> list:
    """MindSpore, NumPy beside it, and the slow convolutions of 2.9 and 2.10.

    Args:
        mindspore, numpy: their versions, "" where they are not installed.
    """
    if not mindspore:
        remedy = "exported models run without it; 'pip install -r requirements.txt' for training and checkpoints"
        found = [Finding("MindSpore", REMARK, "not installed", remedy)]
        return [*found, Finding("NumPy", GOOD, numpy) if numpy else _missing_numpy()]
    found = [Finding("MindSpore", GOOD, mindspore)]
    if (2, 9) <= numbers(mindspore) < (2, 11):
        limit = environment.get("ONEDNN_MAX_CPU_ISA", "")
        if limit == "AVX2":
            text = "ONEDNN_MAX_CPU_ISA=AVX2 keeps 2.9 and 2.10 off their slow path on processors with AVX-512"
            found.append(Finding("convolutions", GOOD, text))
        else:
            text = f"ONEDNN_MAX_CPU_ISA is {limit or 'not set'}: 2.9 and 2.10 are slow on processors with AVX-512"
            found.append(Finding("convolutions", FAULT, text, "export ONEDNN_MAX_CPU_ISA=AVX2"))
    if not numpy:
        return [*found, _missing_numpy()]
    if numbers(numpy) >= (2, 0):
        text = f"{numpy}, with which MindSpore's tensor arithmetic fails"
        return [*found, Finding("NumPy", FAULT, text, "pip install 'numpy<2'")]
    return [*found, Finding("NumPy", GOOD, numpy)]


def _missing_numpy():
    return Finding("NumPy", FAULT, "not installed", "pip install -r requirements-runtime.txt")


def ascend_findings(mindspore, environment=os.environ, driver=DRIVER) -> list:
    """The Ascend driver and CANN, by their version files."""
    found, installed = [], _version_line(driver)
    if installed:
        found.append(Finding("Ascend driver", GOOD, installed))
    home = environment.get("ASCEND_HOME_PATH", "")
    if not home:
        if installed:
            remedy = "source set_env.sh of the CANN toolkit (usually /usr/local/Ascend/ascend-toolkit/set_env.sh)"
            return [*found, Finding("CANN", FAULT, "ASCEND_HOME_PATH is not set", remedy)]
        return [Finding("Ascend", REMARK, "no driver and no CANN here")]
    cann = _version_line(Path(home) / "compiler/version.info")
    if not cann:
        text = f"no version in {home}/compiler/version.info"
        return [*found, Finding("CANN", FAULT, text, "install the CANN toolkit, then source its set_env.sh")]
    if not installed:
        text = f"no {driver}, but CANN {cann} is here"
        found.append(Finding("Ascend driver", FAULT, text, "install the driver, or map it into the container"))
    fitting = CANN.get(numbers(mindspore)) if mindspore else None
    if fitting and ".".join(cann.split(".")[:2]) not in fitting:
        remedy = f"MindSpore {mindspore} takes CANN {', '.join(fitting)}"
        return [*found, Finding("CANN", FAULT, cann, remedy)]
    if mindspore and not fitting:
        return [*found, Finding("CANN", REMARK, cann, f"look up whether MindSpore {mindspore} takes it")]
    return [*found, Finding("CANN", GOOD, cann)]


def _version_line(path):
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    return next((line.split("=", 1)[1].strip() for line in lines if line.lower().startswith("version=")), "")


def device_finding(mindspore, nodes=Path("/dev")) -> Finding:
    """The device targets that MindSpore finds. This imports MindSpore.

    Args:
        nodes: folder of the files davinci0, davinci1, ..., which the driver makes, one an Ascend card.
    """
    if not mindspore:
        return Finding("devices", REMARK, "not asked, without MindSpore")
    from src.runtime import available_devices

    try:
        have = available_devices()
    except Exception as error:  # noqa: BLE001  whatever a broken installation raises
        text = f"MindSpore does not start ({type(error).__name__}: {str(error).splitlines()[0][:200]})"
        return Finding("devices", FAULT, text, "install it anew: pip install --force-reinstall -r requirements.txt")
    plugins = Path(find_spec("mindspore").origin).parent / "lib/plugin"
    built = ", ".join(sorted(path.name for path in plugins.glob("*") if path.is_dir()))
    text = f"found {', '.join(have)}, of the build's {built}; --device_target auto takes {have[0]}"
    cards = sorted(path.name for path in Path(nodes).glob("davinci[0-9]*"))
    if cards and "Ascend" not in have:
        here = f"{len(cards)} Ascend card{'s' * (len(cards) > 1)} here ({', '.join(cards)})"
        text = f"{here}, but MindSpore finds only {', '.join(have)}"
        return Finding("devices", FAULT, text, "source set_env.sh of a CANN that this MindSpore takes, see above")
    return Finding("devices", GOOD, text)


def space_findings(folder, memory=None, disk=None, limits=CONTAINERS) -> list:
    """Free memory and disk, and the limit that a container sets.

    Args:
        folder: the free space is that of the disk on which this folder lies.
        memory, disk: free bytes; None asks the machine.
    """
    memory = free_memory() if memory is None else memory
    disk = shutil.disk_usage(folder).free if disk is None else disk
    remedies = {
        "free memory": "close programs, or take smaller pictures (--size) or tiles (--tile)",
        "free disk": "free some space, or choose folders on another disk",
    }
    found = []
    for name, free, least in (("free memory", memory, LEAST_MEMORY), ("free disk", disk, LEAST_DISK)):
        short = free < least
        found.append(Finding(name, FAULT if short else GOOD, f"{free / 1e9:.1f} GB", remedies[name] if short else ""))
    for limit, _ in limits:
        try:
            text = limit.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit() and int(text) < 1e15:  # without a limit: "max", or a number near 2**63
            found.append(Finding("container", REMARK, f"its memory is limited to {int(text) / 1e9:.1f} GB"))
    return found


def weight_findings(folder) -> list:
    """The weights in a folder, and what each can do."""
    found, folder = [], Path(folder)
    for name, use in WEIGHTS.items():
        path = folder / name
        if not path.is_file():
            found.append(Finding(name, REMARK, f"not in {folder}", f"it is for: {use}"))
        elif path.stat().st_size < 1000:
            remedy = "fetch the file itself ('git lfs pull', or download it again)"
            found.append(Finding(name, FAULT, f"{path.stat().st_size} bytes, no weights", remedy))
        else:
            found.append(Finding(name, GOOD, use))
    return found


def examine(folder) -> list:
    """All findings.

    Args:
        folder: where weights are looked for.
    """
    mindspore = next(filter(None, map(version_of, ("mindspore", "mindspore-ascend", "mindspore-gpu"))), "")
    machine = Finding("machine", GOOD, f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors")
    return [
        machine,
        python_finding(),
        *mindspore_findings(mindspore, version_of("numpy")),
        *ascend_findings(mindspore),
        device_finding(mindspore),
        *space_findings(Path.cwd()),
        *weight_findings(folder),
    ]


def as_json(findings) -> str:
    """The findings as a JSON list of objects with name, state, text, remedy."""
    return json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False)
