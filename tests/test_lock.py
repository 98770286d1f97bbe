"""Two runs in one folder: the second is refused, and nothing is left behind by one that was killed."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from src.errors import UserError
from src.lock import LOCK, only_run_in

HOLDER = """
import sys, time
sys.path.insert(0, {root!r})
from src.lock import only_run_in
with only_run_in({folder!r}, "output_dir"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(root, tmp_path):
    """A process that has the lock on tmp_path/run."""
    text = HOLDER.format(root=str(root), folder=str(tmp_path / "run"))
    process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_run_is_refused_and_told_by_whom(holder, tmp_path):
    with pytest.raises(UserError) as error, only_run_in(tmp_path / "run", "output_dir"):
        pass
    line = str(error.value)
    assert line.startswith(f"option output_dir: {tmp_path / 'run'} is used by another run (process {holder.pid} on ")
    assert socket.gethostname() in line and "choose another folder" in line and "\n" not in line
    assert (tmp_path / "run" / LOCK).exists()


def test_the_lock_of_a_killed_run_is_taken_over(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "run" / LOCK).exists()
    with only_run_in(tmp_path / "run", "output_dir"):
        assert (tmp_path / "run" / LOCK).read_text().startswith(f"process {os.getpid()} on ")
    assert not (tmp_path / "run" / LOCK).exists()


def test_a_folder_that_nothing_was_put_into_goes_away_again(tmp_path):
    with pytest.raises(UserError, match="no such file"), only_run_in(tmp_path / "run", "output_dir"):
        raise UserError("no such file")
    assert not (tmp_path / "run").exists()
    (tmp_path / "kept").mkdir()
    with only_run_in(tmp_path / "kept", "output_dir"):
        (tmp_path / "kept" / "losses.csv").touch()
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["losses.csv"]


def test_every_program_that_fills_a_folder_heeds_the_lock(tmp_path, image_folders, run_entry_point):
    contents, styles = image_folders
    folders = ["--content_path", contents, "--style_path", styles]
    commands = {
        "output_dir": ["train.py", *folders, "--output_dir", tmp_path],
        "output_path": ["eval.py", *folders, "--output_path", tmp_path],
        "log_dir": ["scripts/launch.py", "--ranks", "1", "--log_dir", tmp_path, "none.py"],
    }
    with only_run_in(tmp_path, "test"):
        for option, command in commands.items():
            process = run_entry_point(*command)
            assert process.returncode == 2, process.stderr
            assert process.stderr.startswith(f"error: option {option}: {tmp_path} is used by another run (process ")
        assert [path.name for path in tmp_path.iterdir()] == [LOCK]
