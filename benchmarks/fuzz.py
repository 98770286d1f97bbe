"""Options, recipes, pictures and checkpoints that hypothesis draws: none may show a traceback, or run what it holds.

python benchmarks/fuzz.py --cases 2000

Each case goes to the function that reads such a thing in a program, in this process. It must be refused in one line (a
`UserError`, or the system's error), or be read right: an option has the value of its text, a picture the pixels of the
undamaged one, a checkpoint its weights. Reading may start no program, look up no class of a pickle, and take no memory
out of proportion: all cases are small.
`tests/test_fuzz.py` draws some of the same cases.
"""

import contextlib
import logging
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from benchmarks import fuzz_files, fuzz_options
from src.config import parse
from src.errors import UserError, run_entry
from src.options.option import Options, option

CHECKS = {**fuzz_options.CHECKS, **fuzz_files.CHECKS}
# events of Python itself: a program is started, a shell is used, a pickle asks for a class by its name
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.Popen", "pickle.find_class")
MOST_MEMORY = 2**30  # bytes that one case may take
_seen = []
_watching = False


@dataclass(frozen=True)
class FuzzOptions(Options):
    """How much is done."""

    cases: int = option(2000, "cases of all kinds together", least=1)
    seed: int = option(0, "of the cases", least=0)
    only: list[str] = option([], "kinds of cases; empty takes all: " + ", ".join(CHECKS), aliases=("kinds",))


def _note(event, arguments):
    if _watching and event in FORBIDDEN:
        _seen.append(f"{event} {arguments!r:.80}")


@contextlib.contextmanager
def nothing_executed():
    """Fails when something in the block starts a program or looks up a class for a pickle.

    Raises:
        AssertionError: with what was tried.
    """
    global _watching
    if not getattr(sys, "_fuzz_hook", False):  # a hook stays to the end of the process
        sys.addaudithook(_note)
        sys._fuzz_hook = True
    _seen.clear()
    _watching = True
    try:
        yield
    finally:
        _watching = False
    assert not _seen, f"executed: {_seen}"


def peak_memory() -> int:
    """The largest resident memory of this process so far in bytes; 0 where the system does not say."""
    if resource is None:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@contextlib.contextmanager
def little_memory():
    """Fails when the block raises the largest resident memory of this process by `MOST_MEMORY` or more.

    Raises:
        AssertionError: with the bytes.
    """
    before = peak_memory()
    yield
    taken = peak_memory() - before
    assert taken < MOST_MEMORY, f"{taken / 2**20:.0f} MB of memory for one case"


def run_kind(name, cases, start=0):
    """Draws so many cases of a kind of `CHECKS`.

    Returns:
        how many were read, and how many were refused.

    Raises:
        Exception: what a reader raised for a case, or an AssertionError.
    """
    counts = {True: 0, False: 0}

    with tempfile.TemporaryDirectory() as folder:

        @seed(start)
        @settings(
            max_examples=cases,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def check(data):
            with nothing_executed(), little_memory():
                try:
                    CHECKS[name](data.draw, Path(folder))
                except (UserError, OSError):
                    counts[False] += 1
                else:
                    counts[True] += 1

        check()
    return counts[True], counts[False]


def main(argv):
    """Draws the cases, prints a line a kind, returns the exit code: 2 where a case failed."""
    options = parse(argv, (), __doc__.splitlines()[0], own=FuzzOptions).own
    if unknown := [name for name in options.only if name not in CHECKS]:
        raise UserError(f"option only: found {unknown[0]!r}, expected some of {', '.join(CHECKS)}")
    logging.disable(logging.CRITICAL)  # lines about files that are damaged on purpose
    kinds, failed, read, refused = options.only or list(CHECKS), 0, 0, 0
    for place, name in enumerate(kinds):
        cases = options.cases // len(kinds) + (place < options.cases % len(kinds))
        if not cases:
            continue
        try:
            done = run_kind(name, cases, options.seed)
        except Exception:  # noqa: BLE001  whatever a reader raises is what this program looks for
            failed += 1
            print(f"{name}: FAILED\n{traceback.format_exc()[-6000:]}", flush=True)
            continue
        read, refused = read + done[0], refused + done[1]
        print(f"{name}: {sum(done)} cases, {done[0]} read right, {done[1]} refused in a line", flush=True)
    print(f"{read + refused} cases, {read} read right, {refused} refused in a line; {failed} kinds failed")
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
