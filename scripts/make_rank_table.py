"""Writes an HCCL rank table from the hccn.conf of each server.

python scripts/make_rank_table.py 10.0.0.1=/etc/hccn.conf [10.0.0.2=copy_of_its_hccn.conf ...] -o hccl_8p.json
    [--devices 0,1,2,3] [--table_version 1.0|1.2]

Ranks count up over the servers in the order given, and over the devices of each. Version 1.0 is that of the Atlas
training series and A2; 1.2 that of A3, whose super_device_id is the device's number within the pod (the first server's
devices come first; give --super_devices where they are numbered otherwise).
"""

import argparse
import ipaddress
import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.errors import UserError, run_entry

ADDRESS = re.compile(r"^address_(\d+)\s*=\s*(\S+)$")
VERSIONS = ("1.0", "1.2")


def read_addresses(path) -> dict:
    """{device: address} of an hccn.conf, whose lines are address_<device>=<address> and others.

    Raises:
        UserError: no such file, no address in it, or what is no address.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"hccn.conf {path}: cannot be read ({error}); copy /etc/hccn.conf of the server") from None
    found = {}
    for line in lines:
        match = ADDRESS.match(line.strip())
        if not match:
            continue
        try:
            found[int(match[1])] = str(ipaddress.ip_address(match[2]))
        except ValueError:
            raise UserError(f"hccn.conf {path}: '{line.strip()}' has no address after '='") from None
    if not found:
        raise UserError(f"hccn.conf {path}: no line such as address_0=192.168.100.101; set it up with hccn_tool")
    return found


def make_table(servers, devices=(), version="1.0", super_devices=()) -> dict:
    """The rank table of servers.

    Args:
        servers: {address or name of a server: {device: its address}}.
        devices: numbers of the devices to use of each server; () for all.
        version: 1.0, or 1.2 with super_device_id.
        super_devices: of each rank; () counts from 0.

    Raises:
        UserError: a device that a server lacks, an address given twice, too few super devices.
    """
    listed, rank, seen = [], 0, {}
    for name, addresses in servers.items():
        entries = []
        for device in devices or sorted(addresses):
            if device not in addresses:
                have = ", ".join(map(str, sorted(addresses)))
                raise UserError(f"option devices: server {name} has no device {device}, its hccn.conf names {have}")
            address = addresses[device]
            if address in seen:
                raise UserError(f"server {name}: device {device} has the address {address} of {seen[address]}")
            seen[address] = f"server {name}, device {device}"
            entry = {"device_id": str(device), "device_ip": address, "rank_id": str(rank)}
            if version == "1.2":
                if super_devices and rank >= len(super_devices):
                    raise UserError(f"option super_devices: found {len(super_devices)}, expected one for each rank")
                entry["super_device_id"] = str(super_devices[rank] if super_devices else rank)
            entries.append(entry)
            rank += 1
        listed.append({"server_id": name, "device": entries})
    table = {"version": version, "server_count": str(len(listed)), "server_list": listed, "status": "completed"}
    if version == "1.2":
        pod = {"super_pod_id": "0", "server_list": [{"server_id": name} for name in servers]}
        table["super_pod_list"] = [pod]
    return table


def numbers(text) -> list:
    """0,1,2 as numbers."""
    return [int(part) for part in text.split(",")]


def main(argv):
    """Reads the files, writes the table, returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("servers", nargs="+", metavar="SERVER=HCCN_CONF", help="a server and its hccn.conf")
    parser.add_argument("-o", "--output", type=Path, required=True, help="rank table to write")
    parser.add_argument("--devices", type=numbers, default=[], help="numbers of the devices of each server, as 0,1,2")
    parser.add_argument("--table_version", choices=VERSIONS, default="1.0", help="1.2 for A3")
    parser.add_argument("--super_devices", type=numbers, default=[], help="super_device_id of each rank, as 0,1,2")
    options = parser.parse_args(argv)
    servers = {}
    for text in options.servers:
        name, _, path = text.partition("=")
        if not path:
            raise UserError(f"argument {text}: expected SERVER=HCCN_CONF, such as 10.0.0.1=/etc/hccn.conf")
        if name in servers:
            raise UserError(f"argument {text}: server {name} is given twice")
        servers[name] = read_addresses(path)
    table = make_table(servers, options.devices, options.table_version, options.super_devices)
    options.output.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    count = sum(len(server["device"]) for server in table["server_list"])
    print(f"{options.output}: {count} ranks on {len(servers)} servers")
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
