"""Starts a program once a device, watches all of them, and returns the first failure.

    python scripts/launch.py --platform Ascend --rank_table hccl_8p.json --log_dir DIR train.py --distributed true ...
    python scripts/launch.py --platform CPU --ranks 2 --log_dir DIR train.py --distributed true ...

With a table of several servers the same command runs on each; a server finds itself by its addresses, or by SERVER_ID.
Without a rank table the processes find each other through a scheduler process, with the environment variables of
MindSpore's dynamic cluster: what msrun sets. Differs from msrun: Ctrl-C and the loss of the terminal reach the ranks,
so that they save and exit, and the status is theirs (msrun kills them and returns 0).
Rank 0 writes to this terminal, every other rank to DIR/rank_<n>.log.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.errors import STATUS_FILE, UserError
from src.lock import only_run_in

# HCCL's own bounds of its time-outs, seconds: hiascend.com, HCCL_CONNECT_TIMEOUT and HCCL_EXEC_TIMEOUT
CONNECT_TIMEOUTS, EXEC_TIMEOUTS = (120, 7200), (68, 17340)
TABLE_VERSIONS = ("1.0", "1.2")
GRACE = 30  # seconds that the other ranks have to end by themselves after one has failed


class LaunchError(Exception):
    """A mistake of the user, in one line."""


def table_devices(path, server_id="") -> tuple[list[tuple[int, int]], int]:
    """Reads an HCCL rank table (versions 1.0 and 1.2: `server_list`; or the older `group_list`).

    Returns:
        (rank, device) of every device of this server, and the number of ranks on all servers.

    Raises:
        LaunchError: not such a table, ranks that do not count from 0, or several servers of which none is this one.
    """
    try:
        table = json.loads(Path(path).read_text(encoding="utf-8"))
        if "server_list" in table:
            if table.get("version", "1.0") not in TABLE_VERSIONS:
                raise LaunchError(
                    f"RANK_TABLE_FILE {path}: version {table['version']}, expected {' or '.join(TABLE_VERSIONS)}; "
                    "scripts/make_rank_table.py writes one"
                )
            servers = {
                server["server_id"]: [(int(device["rank_id"]), int(device["device_id"])) for device in server["device"]]
                for server in table["server_list"]
            }
        else:
            servers = {}
            for group in table["group_list"]:
                for instance in group["instance_list"]:
                    for device in instance["devices"]:
                        pair = int(instance["rank_id"]), int(device["device_id"])
                        servers.setdefault(instance["server_id"], []).append(pair)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LaunchError(
            f"RANK_TABLE_FILE {path}: not an HCCL rank table ({type(error).__name__}: {error}); "
            "give the JSON file that scripts/make_rank_table.py writes, or just the number of devices"
        ) from None
    total = sum(len(devices) for devices in servers.values())
    ranks = sorted(rank for devices in servers.values() for rank, _ in devices)
    if ranks != list(range(total)):
        raise LaunchError(f"RANK_TABLE_FILE {path}: its ranks are {ranks}, expected each of 0 to {total - 1} once")
    if len(servers) > 1 and not server_id:
        server_id = next(iter(set(servers) & own_addresses()), "")
    if len(servers) > 1 and server_id not in servers:
        raise LaunchError(
            f"RANK_TABLE_FILE {path}: has {len(servers)} servers ({', '.join(servers)}); "
            "say which this is with SERVER_ID=... before the command"
        )
    devices = servers[server_id] if server_id in servers else next(iter(servers.values()), [])
    if not devices:
        raise LaunchError(f"RANK_TABLE_FILE {path}: lists no device")
    return sorted(devices), total


def own_addresses() -> set:
    """The addresses and names by which a rank table may call this server."""
    found = {address.address for addresses in psutil.net_if_addrs().values() for address in addresses}
    return {*found, socket.gethostname()} - {"127.0.0.1", "::1"}


def free_port() -> int:
    """A TCP port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def table_environments(path) -> list[tuple[str, dict]]:
    """(name, environment) of one process for each of this server's devices in the rank table."""
    devices, total = table_devices(path, os.environ.get("SERVER_ID", ""))
    return [
        (f"rank_{rank}", {"RANK_TABLE_FILE": str(path), "RANK_ID": rank, "RANK_SIZE": total, "DEVICE_ID": device})
        for rank, device in devices
    ]


def cluster_environments(ranks) -> list[tuple[str, dict]]:
    """(name, environment) of the scheduler and of `ranks` workers of MindSpore's dynamic cluster on this machine."""
    shared = {
        "MS_WORKER_NUM": ranks,
        "MS_SCHED_HOST": "127.0.0.1",
        "MS_SCHED_PORT": os.environ.get("MASTER_PORT") or free_port(),
        "RANK_SIZE": ranks,
    }
    workers = [
        (f"rank_{rank}", {**shared, "MS_ROLE": "MS_WORKER", "MS_NODE_ID": rank, "RANK_ID": rank, "DEVICE_ID": rank})
        for rank in range(ranks)
    ]
    return [("scheduler", {**shared, "MS_ROLE": "MS_SCHED", "RANK_ID": 0}), *workers]


def time_outs(options) -> dict:
    """HCCL's time-outs as environment variables.

    Raises:
        LaunchError: out of the bounds that HCCL takes.
    """
    found = {}
    for name, (least, most) in (("hccl_connect_timeout", CONNECT_TIMEOUTS), ("hccl_exec_timeout", EXEC_TIMEOUTS)):
        seconds = getattr(options, name)
        if seconds is None:
            continue
        if not least <= seconds <= most:
            raise LaunchError(f"option {name}: found {seconds}, expected {least} to {most} seconds")
        found[name.upper()] = seconds
    return found


def cores_of(index, count, cores) -> list:
    """The processors of one of `count` processes on a machine: as many for each, neighbours together.

    Raises:
        LaunchError: fewer processors than processes.
    """
    share = len(cores) // count
    if not share:
        raise LaunchError(f"option bind_core: {count} ranks on {len(cores)} processors; leave it out")
    return cores[index * share : (index + 1) * share]


def bind_cores(processes):
    """Gives each rank processors of its own, before it has started threads."""
    if not hasattr(os, "sched_setaffinity"):
        raise LaunchError("option bind_core: this operating system cannot bind processes; leave it out")
    ranks = [process for name, process in processes.items() if name != "scheduler"]
    cores = sorted(os.sched_getaffinity(0))
    shares = [cores_of(index, len(ranks), cores) for index in range(len(ranks))]
    for process, share in zip(ranks, shares, strict=True):
        os.sched_setaffinity(process.pid, share)


def start(command, environments, log_dir, notes) -> dict:
    """Starts the processes; {name: process}. Each can leave the status of its work in the folder `notes`."""
    clean = {key: value for key, value in os.environ.items() if key not in ("RANK_TABLE_FILE", "RANK_ID", "RANK_SIZE")}
    first = next(name for name, _ in environments if name != "scheduler")
    processes = {}
    for name, extra in environments:
        environment = {**clean, **{key: str(value) for key, value in extra.items()}, STATUS_FILE: str(notes / name)}
        if name == first:
            processes[name] = subprocess.Popen(command, env=environment)
            continue
        with open(log_dir / f"{name}.log", "wb") as log:
            processes[name] = subprocess.Popen(
                command,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=name == "scheduler",  # Ctrl-C is for the ranks; without it they could not save
            )
    return processes


def stop(processes, ask=True):
    """Ends all processes: sends SIGTERM to the ranks if `ask`, kills them after GRACE seconds, then the scheduler."""
    deadline = time.monotonic() + GRACE
    ranks = {name: process for name, process in processes.items() if name != "scheduler"}
    for process in ranks.values():
        if ask and process.poll() is None:
            process.terminate()
    for process in ranks.values():
        try:
            process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if len(ranks) < len(processes):
        processes["scheduler"].kill()
        processes["scheduler"].wait()


def status_of(name, process, notes):
    """The status of a process, None while it runs; the status of its work, if it crashed after that was done."""
    status = process.poll()
    if status is None or status >= 0:
        return status
    try:
        return int((notes / name).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return status


def watch(processes, notes) -> tuple[str, int]:
    """Waits until all ranks have ended, or one has failed. Returns its name and status; "" and 0 without a failure.

    MindSpore's clean-up at the end of Python can crash on a busy machine. That is said, and is no failure.
    """
    said = set()
    while True:
        statuses = {name: status_of(name, process, notes) for name, process in processes.items()}
        for name, status in statuses.items():
            if status:
                return name, status
            if processes[name].returncode and name not in said:
                said.add(name)
                how = signal.strsignal(-processes[name].returncode) or f"signal {-processes[name].returncode}"
                print(f"note: {name} had done its work and then crashed while it ended ({how})", file=sys.stderr)
        if all(status == 0 for name, status in statuses.items() if name != "scheduler"):
            return "", 0
        time.sleep(0.2)


def last_lines(path, count=20) -> str:
    """The end of a log file."""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])


def launch(options) -> int:
    """Runs the program once a device; 0, or the status of the first rank that failed."""
    if options.rank_table and options.platform == "Ascend":
        environments = table_environments(options.rank_table)
    else:
        ranks = len(table_devices(options.rank_table)[0]) if options.rank_table else options.ranks
        if ranks < 1:
            raise LaunchError(f"number of devices: found {ranks}, expected at least 1")
        environments = cluster_environments(ranks)
    shared = time_outs(options)
    environments = [(name, {**extra, **shared}) for name, extra in environments]
    # signals of Ctrl-C or of a lost terminal; they reach the ranks, too, which save, end, and return a status
    interrupted = []
    for number in (signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGINT)):
        if signal.getsignal(number) != signal.SIG_IGN:  # under nohup the ranks go on
            signal.signal(number, lambda *_: interrupted.append(True))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with only_run_in(options.log_dir, "log_dir"), tempfile.TemporaryDirectory() as folder:
        notes = Path(folder)
        processes = start([sys.executable, *options.command], environments, options.log_dir, notes)
        try:
            if options.bind_core:
                bind_cores(processes)
            name, status = watch(processes, notes)
        finally:
            stop(processes, ask=not interrupted)
    log = options.log_dir / f"{name}.log"
    if name and log.is_file():
        print(f"--- end of {log}\n{last_lines(log)}\n---", file=sys.stderr)
    if name:
        print(f"error: {name} ended with status {status}; the others were stopped", file=sys.stderr)
    return 128 - status if status < 0 else status


def main() -> int:
    """Reads the command line and launches."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--platform", default="CPU")
    devices = parser.add_mutually_exclusive_group(required=True)
    devices.add_argument("--ranks", type=int, help="how many processes")
    devices.add_argument("--rank_table", type=Path, help="HCCL rank table of the devices")
    parser.add_argument("--log_dir", type=Path, required=True, help="where ranks other than 0 write")
    parser.add_argument("--bind_core", action="store_true", help="each rank has processors of its own")
    parser.add_argument("--hccl_connect_timeout", type=int, help="seconds to wait for the other ranks at the start")
    parser.add_argument("--hccl_exec_timeout", type=int, help="seconds to wait for the other ranks in a step")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="Python program and its arguments")
    try:
        return launch(parser.parse_args())
    except (LaunchError, UserError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
