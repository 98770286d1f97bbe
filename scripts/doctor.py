"""Looks at Python, MindSpore, Ascend, memory, disk and weights; a line each, with its remedy.

python scripts/doctor.py [pretrained_model] [--json]

The status is 1 when something is at fault.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import src  # noqa: F401  prepares the environment before MindSpore is imported
from src.doctor import FAULT, as_json, examine
from src.errors import run_entry

ROOT = Path(__file__).resolve().parent.parent


def main(argv):
    """Prints the findings, returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "pretrained_model", help="where weights lie")
    parser.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args(argv)
    findings = examine(options.folder)
    print(as_json(findings) if options.json else "\n".join(finding.line() for finding in findings))
    return int(any(finding.state == FAULT for finding in findings))


if __name__ == "__main__":
    sys.exit(run_entry(main))
