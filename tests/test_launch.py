"""scripts/launch.py: one process a device, the first failure's status, Ctrl-C for all, rank tables."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
# seconds; waits end as soon as the processes do, so that only a test that fails takes them
PATIENCE = 300
# every process leaves its number, so that the fixture can end what is left
BEGIN = """
import os, pathlib, signal, sys, time
here = pathlib.Path(__file__).parent
name = os.environ.get("MS_ROLE", "") + os.environ.get("RANK_ID", "")
def wait_for(pattern, count):
    while len(list(here.glob(pattern))) < count:
        time.sleep(0.05)
(here / f"{os.getpid()}.pid").touch()
"""
REPORT = "print({name: os.environ.get(name) for name in (%s)}, flush=True)\n"
NAMES = ("MS_ROLE", "MS_WORKER_NUM", "MS_NODE_ID", "RANK_ID", "RANK_SIZE", "DEVICE_ID", "RANK_TABLE_FILE")


@pytest.fixture
def launch(tmp_path):
    """Starts launch.py with a program's text: the finished process, or the running one with wait=False."""
    started = []

    def run(text, *options, wait=True, **environment):
        program = tmp_path / "program.py"
        program.write_text(BEGIN + text)
        command = [sys.executable, ROOT / "scripts/launch.py", *options, "--log_dir", tmp_path / "logs", program]
        process = subprocess.Popen(
            [str(part) for part in command],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        if not wait:
            return process
        out, err = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    yield run
    for process in started:
        process.kill()
        process.communicate()
    for number in living(tmp_path):
        os.kill(number, signal.SIGKILL)


def living(folder) -> list[int]:
    """Those of the started programs that have not ended."""
    return [int(path.stem) for path in folder.glob("*.pid") if Path("/proc", path.stem).exists()]


@pytest.fixture
def table(tmp_path):
    """Writes a rank table of version 1.0: servers given as {address: [(rank, device), ...]}."""

    def write(servers):
        path = tmp_path / "hccl.json"
        listed = [
            {"server_id": name, "device": [{"rank_id": str(r), "device_id": str(d)} for r, d in pairs]}
            for name, pairs in servers.items()
        ]
        path.write_text(json.dumps({"version": "1.0", "server_count": str(len(servers)), "server_list": listed}))
        return path

    return write


def report():
    return REPORT % ", ".join(map(repr, NAMES))


def environments(tmp_path, stdout) -> dict:
    """What each process found in its environment: the terminal's, and those in the logs."""
    found = {"terminal": eval(stdout)}
    for log in (tmp_path / "logs").glob("*.log"):
        found[log.stem] = eval(log.read_text())
    return found


def test_ranks_find_each_other_through_a_scheduler(launch, tmp_path):
    # the workers end when the scheduler, which is ended then, has written its report
    text = report() + "(here / f'{name}.reported').touch()\nwait_for('*.reported', 4)"
    process = launch(text, "--ranks", 3, RANK_TABLE_FILE="/left/over.json")
    assert process.returncode == 0, process.stderr
    found = environments(tmp_path, process.stdout)
    assert set(found) == {"terminal", "scheduler", "rank_1", "rank_2"}
    assert [found[name]["MS_ROLE"] for name in ("terminal", "scheduler")] == ["MS_WORKER", "MS_SCHED"]
    assert [found[name]["RANK_ID"] for name in ("terminal", "rank_1", "rank_2")] == ["0", "1", "2"]
    assert all(values["MS_WORKER_NUM"] == values["RANK_SIZE"] == "3" for values in found.values())
    assert all(values["RANK_TABLE_FILE"] is None for values in found.values())


def test_rank_table_gives_every_device_of_this_server_a_process(launch, table, tmp_path):
    path = table({"10.0.0.1": [(0, 4), (1, 5)], "10.0.0.2": [(2, 0), (3, 1)]})
    process = launch(report(), "--platform", "Ascend", "--rank_table", path, SERVER_ID="10.0.0.2")
    assert process.returncode == 0, process.stderr
    found = environments(tmp_path, process.stdout)
    assert set(found) == {"terminal", "rank_3"}
    assert (found["terminal"]["RANK_ID"], found["terminal"]["DEVICE_ID"]) == ("2", "0")
    assert (found["rank_3"]["RANK_ID"], found["rank_3"]["DEVICE_ID"]) == ("3", "1")
    assert all(v["RANK_SIZE"] == "4" and v["RANK_TABLE_FILE"] == str(path) for v in found.values())
    assert all(v["MS_ROLE"] is None for v in found.values())


def test_older_rank_table(launch, tmp_path):
    path = tmp_path / "old.json"
    instances = [
        {"rank_id": str(rank), "server_id": "10.0.0.1", "devices": [{"device_id": str(rank + 2), "device_ip": "0"}]}
        for rank in range(2)
    ]
    path.write_text(json.dumps({"group_count": "1", "group_list": [{"instance_list": instances}]}))
    process = launch(report(), "--platform", "Ascend", "--rank_table", path)
    assert process.returncode == 0, process.stderr
    assert {v["DEVICE_ID"] for v in environments(tmp_path, process.stdout).values()} == {"2", "3"}


def test_on_the_cpu_a_rank_table_only_counts(launch, table, tmp_path):
    process = launch(report(), "--platform", "CPU", "--rank_table", table({"10.0.0.1": [(0, 0), (1, 1)]}))
    assert process.returncode == 0, process.stderr
    found = environments(tmp_path, process.stdout)
    assert set(found) == {"terminal", "scheduler", "rank_1"}
    assert found["terminal"]["RANK_TABLE_FILE"] is None


@pytest.mark.parametrize("text", ["not json", "[]", '{"server_list": [{"server_id": "a"}]}', '{"server_list": []}'])
def test_what_is_no_rank_table_is_one_line(launch, tmp_path, text):
    path = tmp_path / "bad.json"
    path.write_text(text)
    process = launch("", "--platform", "Ascend", "--rank_table", path)
    assert process.returncode == 2
    assert process.stderr.startswith("error: RANK_TABLE_FILE") and process.stderr.count("\n") == 1
    assert str(path) in process.stderr


def test_several_servers_ask_which_this_is(launch, table):
    process = launch("", "--platform", "Ascend", "--rank_table", table({"10.0.0.1": [(0, 0)], "10.0.0.2": [(1, 0)]}))
    assert process.returncode == 2 and "SERVER_ID" in process.stderr and "10.0.0.2" in process.stderr


def test_no_rank_is_an_error(launch):
    process = launch("", "--ranks", 0)
    assert process.returncode == 2 and "at least 1" in process.stderr


FAILING = """
if name == "MS_WORKER1":
    print("what went wrong", flush=True)
    wait_for("*.pid", 4)
    %s
while True:
    time.sleep(1)
"""


@pytest.mark.parametrize(("way", "status"), [("sys.exit(7)", 7), ("os.kill(os.getpid(), signal.SIGKILL)", 137)])
def test_one_ranks_failure_ends_all_and_shows_its_log(launch, tmp_path, way, status):
    process = launch(FAILING % way, "--ranks", 3)  # the others never end by themselves
    assert process.returncode == status
    assert "rank_1" in process.stderr and "what went wrong" in process.stderr
    assert len(list(tmp_path.glob("*.pid"))) == 4 and not living(tmp_path)


# what MindSpore's clean-up at the end of Python did under load, in one of the ranks
CRASHING = f"""
import atexit
sys.path.insert(0, {str(ROOT)!r})
from src.errors import UserError, run_entry
def crash():
    os.kill(os.getpid(), signal.SIGSEGV)
def main(argv):
    if name == "MS_WORKER1":
        print("at work", flush=True)
        %s
    if name == "MS_WORKER0":
        wait_for("MS_WORKER1.done", 1)
        time.sleep(1)  # a launcher that took the crash for a failure would end this rank now
    (here / f"{{name}}.done").touch()
    if name == "MS_SCHED":
        time.sleep(600)
if name == "MS_WORKER1":
    atexit.register(crash)
sys.exit(run_entry(main))
"""


def test_a_rank_that_crashes_after_its_work_has_not_failed(launch, tmp_path):
    process = launch(CRASHING % "pass", "--ranks", 2)
    assert process.returncode == 0, process.stderr
    assert "rank_1 had done its work" in process.stderr and "error" not in process.stderr
    assert {path.stem for path in tmp_path.glob("*WORKER*.done")} == {"MS_WORKER0", "MS_WORKER1"}
    assert not living(tmp_path)


@pytest.mark.parametrize(
    ("way", "status"),
    [("crash()", 139), ("raise UserError('no such folder')", 2), ("raise RuntimeError('a fault')", 139)],
)
def test_a_crash_hides_no_failure_of_the_work(launch, tmp_path, way, status):
    process = launch(CRASHING % way, "--ranks", 2)
    assert process.returncode == status
    assert "error: rank_1 ended with status" in process.stderr and "had done its work" not in process.stderr
    assert not list(tmp_path.glob("MS_WORKER*.done")) and not living(tmp_path)


PATIENT = """
def save(number, _):
    if name == "MS_WORKER0":
        wait_for("MS_WORKER1.saved", 1)  # the last to save is waited for
    (here / f"{name}.saved").touch()
    sys.exit(128 + number)
for number in (signal.SIGINT, signal.SIGHUP):
    signal.signal(number, save)
(here / f"{name}.started").touch()
while True:
    time.sleep(1)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_and_the_loss_of_the_terminal_let_every_rank_save(launch, tmp_path, number):
    process = launch(PATIENT, "--ranks", 2, wait=False)
    while len(list(tmp_path.glob("*.started"))) < 3:
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, number)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
    assert {path.stem for path in tmp_path.glob("*.saved")} == {"MS_WORKER0", "MS_WORKER1"}
    assert not living(tmp_path)


def test_ranks_train_as_one_process_with_all_their_batches(launch, tmp_path, image_folders):
    """The mean of all ranks' gradients, not their sum, nor each its own; and clipped after that. 20 steps."""
    text = "import runpy; sys.argv[1:] = %r; runpy.run_path(%r, run_name='__main__')"
    program, folders = str(ROOT / "tests/two_ranks.py"), {1: tmp_path / "one", 3: tmp_path / "three"}
    arguments = {}
    for ranks, batch in ((1, 6), (3, 2)):
        folders[ranks].mkdir()
        arguments[ranks] = [*map(str, image_folders), str(batch), str(folders[ranks])]
    alone = subprocess.Popen([sys.executable, program, *arguments[1]])  # beside the ranks
    process = launch(text % (arguments[3], program), "--ranks", 3)
    assert process.returncode == 0, process.stderr
    assert alone.wait(timeout=PATIENCE) == 0
    whole = np.load(folders[1] / "0.npy")
    found = [np.load(folders[3] / f"{rank}.npy") for rank in range(3)]
    assert len(whole) == 20 and np.abs(whole[-1] - whole[0]).max() > 1e-3
    for numbers in found:
        np.testing.assert_allclose(numbers, whole, atol=1e-5)
        assert np.array_equal(numbers, found[0])
    compiled = [json.loads((folders[3] / f"{rank}.json").read_text()) for rank in range(3)]
    compiled.append(json.loads((folders[1] / "0.json").read_text()))
    assert [one["compilations"] for one in compiled] == [1] * 4
    # the gradients meet in the compiled step itself, where a process alone has no collective
    assert ["AllReduce" in one["operators"] for one in compiled] == [True] * 3 + [False]
