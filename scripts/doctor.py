"""Checks Python, MindSpore, Ascend, memory, disk and weights; prints a line each, with the remedy for a fault.

python scripts/doctor.py [pretrained_model] [--json]

The status is 1 when there is a fault.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import src  # noqa: F401  prepares the environment before MindSpore is imported
from src.config import ROOT, parse
from src.doctor import FAULT, as_json, examine
from src.errors import run_entry
from src.options.option import Options, option


@dataclass(frozen=True)
class DoctorOptions(Options):
    """How the findings are printed."""

    json: bool = option(False, "print a JSON list of objects with name, state, text and remedy")


def main(argv):
    """Prints the findings, returns the exit code."""
    options = parse(
        argv,
        (),
        __doc__.splitlines()[0],
        positionals=[("folder", "?", "where weights are looked for (default: pretrained_model of this project)")],
        own=DoctorOptions,
    )
    findings = examine(options.folder or ROOT / "pretrained_model")
    print(as_json(findings) if options.own.json else "\n".join(finding.line() for finding in findings))
    return int(any(finding.state == FAULT for finding in findings))


if __name__ == "__main__":
    sys.exit(run_entry(main))
