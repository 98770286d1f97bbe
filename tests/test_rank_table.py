"""Rank tables from hccn.conf, and what launch.py makes of them: several servers, time-outs, processors."""

import importlib.util
import json
import os
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from src.errors import UserError

ROOT = Path(__file__).resolve().parent.parent


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


launch, make_rank_table = script("launch"), script("make_rank_table")


@pytest.fixture
def servers(tmp_path):
    """SERVER=HCCN_CONF of two servers with two devices each, the second with one more that is not used."""
    for server, devices in ((1, (0, 1)), (2, (0, 1, 2))):
        lines = [f"address_{d}=192.168.{server}.{d + 8}\nnetmask_{d}=255.255.255.0\n" for d in devices]
        (tmp_path / f"hccn{server}.conf").write_text("".join(lines))
    return [f"10.0.0.{server}={tmp_path}/hccn{server}.conf" for server in (1, 2)]


@pytest.mark.parametrize("version", ["1.0", "1.2"])
def test_a_table_of_two_servers_is_read_back_on_each(servers, tmp_path, version):
    path = tmp_path / "table.json"
    command = [*servers, "-o", str(path), "--devices", "0,1", "--table_version", version]
    assert make_rank_table.main(command) == 0
    table = json.loads(path.read_text())
    assert table["version"] == version and table["server_count"] == "2" and table["status"] == "completed"
    devices = [device for server in table["server_list"] for device in server["device"]]
    assert [device["rank_id"] for device in devices] == ["0", "1", "2", "3"]
    assert devices[2]["device_ip"] == "192.168.2.8"
    assert [device.get("super_device_id") for device in devices] == ([*"0123"] if version == "1.2" else [None] * 4)
    assert ("super_pod_list" in table) == (version == "1.2")
    assert launch.table_devices(path, "10.0.0.1") == ([(0, 0), (1, 1)], 4)
    assert launch.table_devices(path, "10.0.0.2") == ([(2, 0), (3, 1)], 4)


def test_a_server_finds_itself_by_its_address(servers, tmp_path, monkeypatch):
    path = tmp_path / "table.json"
    make_rank_table.main([*servers, "-o", str(path), "--devices", "0,1"])
    monkeypatch.setattr(launch, "own_addresses", lambda: {"172.17.0.2", "10.0.0.2"})
    assert launch.table_devices(path) == ([(2, 0), (3, 1)], 4)
    monkeypatch.setattr(launch, "own_addresses", set)
    with pytest.raises(launch.LaunchError, match="SERVER_ID"):
        launch.table_devices(path)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"version": "2.0"}, "version 2.0, expected 1.0 or 1.2"),
        ({"server_list": [{"server_id": "a", "device": [{"rank_id": "1", "device_id": "0"}]}]}, r"its ranks are \[1\]"),
    ],
)
def test_tables_that_hccl_would_refuse_later(servers, tmp_path, change, named):
    path = tmp_path / "table.json"
    make_rank_table.main([servers[0], "-o", str(path)])
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(launch.LaunchError, match=named):
        launch.table_devices(path)


@pytest.mark.parametrize(
    ("text", "named"),
    [(None, "cannot be read"), ("netmask_0=255.0.0.0\n", "no line such as"), ("address_0=here\n", "address_0=here")],
)
def test_mistakes_in_hccn_conf_are_one_line(tmp_path, text, named):
    path = tmp_path / "hccn.conf"
    if text:
        path.write_text(text)
    with pytest.raises(UserError, match=named):
        make_rank_table.read_addresses(path)


def test_mistakes_on_the_command_line_are_one_line(servers, tmp_path):
    output = ["-o", str(tmp_path / "t.json")]
    for arguments, named in (
        (["10.0.0.1"], "SERVER=HCCN_CONF"),
        ([servers[0], servers[0]], "given twice"),
        ([*servers, "--devices", "0,5"], "no device 5"),
        ([servers[0], servers[0].replace("10.0.0.1", "10.0.0.9")], "has the address"),
        ([*servers, "--table_version", "1.2", "--super_devices", "4"], "one for each rank"),
    ):
        with pytest.raises(UserError, match=named):
            make_rank_table.main([*arguments, *output])


def test_time_outs_within_hccls_bounds():
    given = Namespace(hccl_connect_timeout=600, hccl_exec_timeout=None)
    assert launch.time_outs(given) == {"HCCL_CONNECT_TIMEOUT": 600}
    for wrong in (
        Namespace(hccl_connect_timeout=60, hccl_exec_timeout=None),
        Namespace(hccl_connect_timeout=None, hccl_exec_timeout=20000),
    ):
        with pytest.raises(launch.LaunchError, match=r"expected \d+ to \d+ seconds"):
            launch.time_outs(wrong)


def test_each_rank_has_processors_of_its_own():
    shares = [launch.cores_of(index, 3, list(range(8))) for index in range(3)]
    assert shares == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(launch.LaunchError, match="bind_core"):
        launch.cores_of(0, 4, [0, 1])


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs an operating system that binds processes")
def test_ranks_are_bound_and_see_the_time_outs(tmp_path):
    import subprocess

    program = tmp_path / "program.py"
    program.write_text(
        "import os, time; time.sleep(1); print(os.environ['HCCL_EXEC_TIMEOUT'], os.sched_getaffinity(0))"
    )
    options = ["--ranks", "1", "--bind_core", "--hccl_exec_timeout", "900", "--log_dir", str(tmp_path / "logs")]
    command = [sys.executable, str(ROOT / "scripts/launch.py"), *options, str(program)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip() == f"900 {os.sched_getaffinity(0)}"
