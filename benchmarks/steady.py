"""Memory and open files of long work: they must not grow.

python benchmarks/steady.py --steps 2000 --pictures 2000

Runs a tiny training, and stylize.py with a folder of pictures, as programs. Looks at resident memory and open files of
the process and those below it, and compares the last quarter with the second: the first one warms up.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil

from benchmarks.tiny import train_command, write_all, write_pictures
from src.config import ROOT, parse
from src.errors import UserError, run_entry
from src.options.option import Options, option

ALLOWED = 0.02  # of the memory


@dataclass(frozen=True)
class SteadyOptions(Options):
    """How much is done."""

    steps: int = option(2000, "training steps", least=40, zero="for no training")
    pictures: int = option(2000, "pictures to stylise", least=40, zero="for none")
    engine: str = option("onnxruntime", "of stylize.py", choices=("onnxruntime", "openvino", "mindspore"))


def look(process) -> tuple[float, int]:
    """Resident memory in MB and open files of a process and those below it."""
    memory, files = 0, 0
    for each in [process, *process.children(recursive=True)]:
        try:
            memory += each.memory_info().rss
            files += each.num_fds()
        except psutil.Error:  # it has ended
            continue
    return memory / 2**20, files


def watch(command, done, count):
    """Runs a program and looks at it whenever more is done.

    Args:
        command: its command line.
        done: function that gives how much of `count` is done.

    Returns:
        [(done, MB, open files)].

    Raises:
        UserError: the program fails.
    """
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=subprocess.STDOUT)
        seen, last = [], -1
        while process.poll() is None:
            now = done()
            if last < now < count:
                seen.append((now, *look(psutil.Process(process.pid))))
                last = now
            time.sleep(0.1)
        if process.returncode:
            log.seek(0)
            raise UserError(f"{Path(command[1]).name}: status {process.returncode}: {log.read()[-1500:]}")
    return [entry for entry in seen if entry[1]]


def judge(what, seen, count) -> bool:
    """Prints memory and open files of the second and the last quarter; whether they are the same."""
    early = [entry for entry in seen if count / 4 <= entry[0] < count / 2]
    late = [entry for entry in seen if entry[0] >= 3 * count / 4]
    if min(len(early), len(late)) < 3:
        raise UserError(f"{what}: looked {len(early)} and {len(late)} times only, expected 3; ask for more of them")
    (memory, files), (memory_late, files_late) = (
        [statistics.median(entry[column] for entry in part) for column in (1, 2)] for part in (early, late)
    )
    growth = memory_late / memory - 1
    print(
        f"{count} {what}: memory {memory:.0f} MB, then {memory_late:.0f} MB ({growth:+.1%}); open files {files:.0f}, "
        f"then {files_late:.0f}",
        flush=True,
    )
    return growth <= ALLOWED and files_late <= files


def main(argv):
    """Runs both, prints a line each, returns the exit code: 2 where something grows."""
    options = parse(argv, (), __doc__.splitlines()[0], own=SteadyOptions).own
    steady = True
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        write_all(base)
        if options.steps:
            table = base / "run/losses.csv"
            every = {"steps": options.steps, "log_every": 5, "save_every": 50, "image_every": 200}
            command = train_command(base, base / "run", **every)
            seen = watch(command, lambda: table.read_bytes().count(b"\n") if table.exists() else 0, options.steps)
            steady &= judge("training steps", seen, options.steps)
        if options.pictures:
            write_pictures(base / "many", options.pictures, seed=2)
            style = next((base / "style").rglob("*.png"))
            command = [sys.executable, ROOT / "stylize.py", base / "many", style, "-o", base / "out"]
            command += ["--engine", options.engine]
            out = base / "out"
            seen = watch(command, lambda: sum(1 for _ in out.rglob("[0-9]*.png")), options.pictures)
            steady &= judge(f"pictures ({options.engine})", seen, options.pictures)
    return 0 if steady else 2


if __name__ == "__main__":
    sys.exit(run_entry(main))
