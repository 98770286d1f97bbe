"""scripts/download_weights.py against a server on the loopback address: cut, gone on, wrong, and no server at all."""

import dataclasses
import hashlib
import importlib.util
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from src.errors import UserError, run_entry
from src.weights import download as module
from src.weights.download import Weights, download

CONTENT = bytes(range(256)) * 400
NAME = "net-00000000.pth"


@pytest.fixture
def server():
    """A server of CONTENT. `cuts`: after how many bytes each answer breaks off; `ranges`: whether it can go on."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            made.asked.append(self.headers["Range"])
            if self.path != f"/models/{NAME}":
                self.send_error(404)
                return
            start = int(self.headers["Range"][6:-1]) if self.headers["Range"] and made.ranges else 0
            body = made.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: made.cuts.pop(0)] if made.cuts else body)

        def log_message(self, *_):
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.content, made.cuts, made.asked, made.ranges = CONTENT, [], [], True
    made.address = f"http://127.0.0.1:{made.server_port}/models"
    threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def weights():
    return Weights(NAME, len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), "net.ckpt")


def test_the_names_hold_the_first_digits_of_the_checksums():
    for weights in module.WEIGHTS.values():
        assert weights.file.rpartition("-")[2] == f"{weights.sha256[:8]}.pth" and len(weights.sha256) == 64


def test_a_file_is_fetched_once(server, weights, tmp_path):
    seen = []
    path = download(weights, tmp_path / "new", server.address, lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT and seen[-1] == (len(CONTENT), len(CONTENT))
    assert download(weights, tmp_path / "new", server.address) == path
    assert server.asked == [None] and [file.name for file in path.parent.iterdir()] == [NAME]


def test_a_cut_connection_is_gone_on_from_where_it_ended(server, weights, tmp_path):
    server.cuts[:] = [30_000, 1]
    assert download(weights, tmp_path, server.address).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=30000-", "bytes=30001-"]


def test_what_an_earlier_run_fetched_is_kept(server, weights, tmp_path):
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT[:50_000])
    assert download(weights, tmp_path, server.address).read_bytes() == CONTENT
    assert server.asked == ["bytes=50000-"]


def test_a_server_that_can_not_go_on_sends_all_again(server, weights, tmp_path):
    server.ranges = False
    (tmp_path / f"{NAME}.part").write_bytes(b"x" * 50_000)
    assert download(weights, tmp_path, server.address).read_bytes() == CONTENT


def test_a_connection_that_always_ends_says_how_far_it_came(server, weights, tmp_path):
    server.cuts[:] = [100] * 9
    with pytest.raises(UserError, match=r"500 of 102400 bytes are there.*same command"):
        download(weights, tmp_path, server.address)
    assert (tmp_path / f"{NAME}.part").read_bytes() == CONTENT[:500]


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"x", CONTENT + b"x"], ids=["another byte", "too long"])
def test_other_bytes_are_refused_and_removed(server, weights, tmp_path, content):
    server.content = content
    with pytest.raises(UserError, match="expected 102400 with .*removed"):
        download(weights, tmp_path, server.address)
    assert not list(tmp_path.iterdir())


def test_a_missing_file_and_a_missing_server_say_what_to_do(server, weights, tmp_path):
    with pytest.raises(UserError, match="answers 404 .*HTTPS_PROXY.*convert_weights.py other.pth"):
        download(dataclasses.replace(weights, file="other.pth"), tmp_path, server.address)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(UserError, match="no connection: .*HTTPS_PROXY.*another machine.*convert_weights.py"):
            download(weights, tmp_path, address)
    with pytest.raises(UserError, match="no connection"):
        download(weights, tmp_path, "no address")


def test_the_script_downloads_and_converts(server, weights, tmp_path, root, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location("download_weights", root / "scripts" / "download_weights.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.setitem(module.WEIGHTS, "vgg16", weights)

    def convert(source, target):
        target.write_bytes(source.read_bytes()[:9])
        return target

    monkeypatch.setattr("src.weights.convert.convert", convert)
    arguments = ["vgg16", "--folder", str(tmp_path), "--server", server.address]
    for expected in ("wrote", "is there already"):
        assert run_entry(script.main, arguments) == 0
        assert expected in capsys.readouterr().out
    assert [file.name for file in tmp_path.iterdir()] == ["net.ckpt"]
    for wrong in ([], ["vgg11"]):
        assert run_entry(script.main, [*wrong, "--folder", str(tmp_path)]) == 2
        assert "expected one or several of vgg16" in capsys.readouterr().err
