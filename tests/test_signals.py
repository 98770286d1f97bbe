"""What ends a program early: Ctrl-C, kill and a lost terminal, while Python, C or MindSpore is at work."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from src import early

BEGIN = """
import ctypes, signal, sys, textwrap, time
sys.path.insert(0, {root!r})
from src.errors import run_entry
from src.files import atomic_write

def main(argv):
    with atomic_write(sys.argv[1]) as temporary:
        temporary.write_text("half of it")
        {work}
        return 0

sys.exit(run_entry(main))
"""
IN_PYTHON = """
print("ready", flush=True)
time.sleep(60)
"""
# a mutex locked twice: a wait in C from which no signal wakes
IN_C = """
libc, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)
libc.pthread_mutex_lock(mutex)
print("ready", flush=True)
libc.pthread_mutex_lock(mutex)
"""
# as when Python is called back from C++, which makes another exception of what was raised
TRANSLATED = """
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    raise RuntimeError("from C++") from None
"""
# as in MindSpore's compiler, which calls Python and reports what is raised there
IN_MINDSPORE = """
exec(textwrap.dedent('''
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("analyze_fail.ir", file=sys.stderr)
    raise
'''), {"__name__": "mindspore.common.api", "time": time, "sys": sys})
"""
WITH_MINDSPORE = """
import mindspore as ms
ms.set_device("CPU")
(ms.Tensor([1.0]) + 1).asnumpy()
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def start(root, tmp_path):
    """Function of the work that a program does and the signals that it is to ignore: the process, which is ready."""
    started = []

    def run(work, ignored=()):
        text = BEGIN.format(root=str(root), work=textwrap.indent(work, 8 * " "))
        process = subprocess.Popen(
            [sys.executable, "-c", text, str(tmp_path / "result")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: [signal.signal(number, signal.SIG_IGN) for number in ignored],
        )
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("work", "number", "status"),
    [
        (IN_PYTHON, signal.SIGINT, 130),
        (IN_PYTHON, signal.SIGHUP, 129),
        (IN_C, signal.SIGINT, 130),
        (TRANSLATED, signal.SIGTERM, 130),
        (IN_MINDSPORE, signal.SIGINT, 130),
        (WITH_MINDSPORE, signal.SIGINT, 130),
    ],
    ids=["python", "lost terminal", "c", "translated", "called by mindspore", "mindspore"],
)
def test_a_signal_ends_a_program_with_a_line_and_nothing_half_written(start, tmp_path, work, number, status):
    process = start(work)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (status, "interrupted\n")
    assert not list(tmp_path.iterdir())


def test_what_was_ignored_stays_ignored(start):
    """As `nohup` starts a program, so that it outlives its terminal."""
    process = start(
        """
print("ready", flush=True)
sys.stdin.readline()
""",
        ignored=[signal.SIGHUP],
    )
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "interrupted\n")


def test_a_signal_while_a_program_ends_is_a_line(start, tmp_path):
    """When the work is done, what MindSpore and Python clean up at the end takes its time."""
    process = start(
        """
import atexit
atexit.register(lambda: (print("ready", flush=True), time.sleep(60)))
"""
    )
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


# in a process of their own: a signal raised in pytest's, with the threads of four engines in it, has ended that one
NOTES = """
import signal
from src.signals import Interrupt, status

before = signal.getsignal(signal.SIGINT)
with Interrupt() as interrupt:
    assert not interrupt.wanted
    signal.raise_signal({number})
    signal.raise_signal(signal.SIGTERM)
    assert interrupt.wanted and status(interrupt.number) == {expected}
assert signal.getsignal(signal.SIGINT) is before
"""
UNDER_NOHUP = """
import signal
from src.signals import Interrupt

signal.signal(signal.SIGHUP, signal.SIG_IGN)
with Interrupt() as interrupt:
    signal.raise_signal(signal.SIGHUP)
    assert not interrupt.wanted
"""


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGHUP, 129)])
def test_training_notes_signals_to_save_first(root, number, expected):
    code = NOTES.format(number=int(number), expected=expected)
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


def test_training_under_nohup_does_not_stop_when_the_terminal_is_lost(root):
    subprocess.run([sys.executable, "-c", UNDER_NOHUP], cwd=root, check=True)


def test_every_program_of_the_project_heeds_ctrl_c_from_its_first_import(root):
    """All folders that hold programs, so that a new one is not forgotten; `run_entry` does the rest."""
    places = [".", "benchmarks", "dataset", "deploy", "deploy/*", "scripts"]
    texts = {path: path.read_text(encoding="utf-8") for place in places for path in root.glob(f"{place}/*.py")}
    folders = {str(path.parent) for path, text in texts.items() if "import run_entry" in text or "run_entry(" in text}
    assert folders == set(early._PROGRAMS)


def test_stylising_a_folder_is_interrupted_between_or_within_pictures(root, image, tmp_path):
    from PIL import Image

    (tmp_path / "contents").mkdir()
    for number in range(40):
        Image.fromarray(image(96, 128, number)).save(tmp_path / "contents" / f"{number:02}.png")
    command = [sys.executable, str(root / "stylize.py"), str(tmp_path / "contents")]
    command += [str(tmp_path / "contents" / "00.png"), "-o", str(tmp_path / "out"), "--size", "512"]
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130 and err.splitlines()[-1] == "interrupted" and "Traceback" not in err
    made = os.listdir(tmp_path / "out")
    assert 0 < len(made) < 40 and not [name for name in made if name.startswith(".")]


@pytest.mark.parametrize("program", ["stylize.py", "train.py", "scripts/convert_weights.py", "deploy/infer.py"])
def test_a_signal_while_a_program_imports_is_a_line(root, tmp_path, program):
    """What it imports first is stood in for by a module that takes its time."""
    (tmp_path / "yaml.py").write_text("import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    process = subprocess.Popen(
        [sys.executable, str(root / program)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, err) == (130, "interrupted\n")
