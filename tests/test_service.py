"""The HTTP service: pictures in and out, limits, queue, token, stop. Others: test_service_*.py."""

import concurrent.futures
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from service_client import (
    NAME,
    PATIENCE,
    RunningServer,
    SlowNetworks,
    bundled_stylizer,
    picture,
    read_picture,
    tensor,
    wait_until,
)

from src.images.colors import preserve_colors
from src.options.service import ServiceConfig
from src.service.application import create_application
from src.stylize.painting import mix
from src.stylize.stylizer import Stylizer

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = "http://127.0.0.1"


@pytest.fixture(scope="module")
def bundled():
    return bundled_stylizer()


@pytest.fixture(scope="module")
def client(bundled):
    with TestClient(create_application(bundled, ServiceConfig(), NAME), LOOPBACK) as client:
        yield client


@pytest.fixture
def slow(bundled):
    return Stylizer(SlowNetworks(bundled.networks))


def send(client, styles=("washes",), content=None, **fields):
    files = [("content", ("photo.png", content or picture()))]
    files += [("style", ("style.png", style)) for style in styles if isinstance(style, bytes)]
    fields = {**fields, "style": [style for style in styles if isinstance(style, str)]}
    return client.post("/api/stylize", data=fields, files=files)


def raw(client, path, **body) -> bytes:
    """A request as it goes over a connection."""
    request = client.build_request("POST", path, **body)
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + request.read()


def test_the_picture_is_the_stylizers(client, bundled):
    style = picture(64, 64, 1)
    response = send(client, [style], strength="0.5")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/png"
    content = read_picture(picture())
    embedding = bundled.strengthen(content, bundled.embed(read_picture(style)), 0.5)
    assert (read_picture(response.content) == bundled.stylize(content, embedding)).all()


def test_blends_of_names_files_and_keys(client, bundled):
    style = picture(64, 64, 2)
    key = client.post("/api/styles", files={"style": style}).json()
    assert key["cached"] is False
    assert client.post("/api/styles", files={"style": style}).json() == {**key, "cached": True}
    by_file = send(client, [style], weights="1").content
    assert by_file == send(client, [key["style"]]).content
    blended = send(client, [key["style"], "washes"], weights="3,1").content
    assert blended == send(client, [key["style"], "washes"], weights=["0.75", "0.25"]).content != by_file
    names = [entry["name"] for entry in client.get("/api/styles").json()["styles"]]
    assert "washes" in names and key["style"] not in names  # what one client sends, others don't see


@pytest.mark.parametrize("kind", ["jpeg", "webp", "png"])
def test_size_and_format_are_those_asked_for(client, kind):
    response = send(client, size="32", format=kind)
    assert response.headers["content-type"] == f"image/{kind}"
    assert read_picture(response.content).shape == (32, 43, 3)


def test_colours_of_the_content_are_kept():
    content, pastiche = read_picture(picture(seed=3)), read_picture(picture(seed=4))
    assert (preserve_colors(pastiche, content, "none") == pastiche).all()
    gray = np.array([0.299, 0.587, 0.114])
    luma = preserve_colors(pastiche, content, "luma").astype(float)
    inside = ((luma > 0) & (luma < 255)).all(-1)  # others were clipped
    assert np.abs(luma @ gray - pastiche @ gray)[inside].max() < 3
    matched = preserve_colors(pastiche, content, "match").reshape(-1, 3).astype(float)
    pixels = content.reshape(-1, 3)
    assert np.abs(matched.mean(0) - pixels.mean(0)).max() < 3
    assert np.allclose(np.cov(matched.T), np.cov(pixels.T), rtol=0.15, atol=150)
    constant = np.full_like(content, 90)
    assert np.abs(preserve_colors(constant, content, "match").reshape(-1, 3).mean(0) - pixels.mean(0)).max() < 3


def test_a_model_with_a_table_takes_names_only():
    table = Stylizer.open(str(ROOT / "pretrained_model/n_styles_transfer.onnx"), engine="onnxruntime")
    with TestClient(create_application(table, ServiceConfig(), "n_styles"), LOOPBACK) as client:
        names = [entry["name"] for entry in client.get("/api/styles").json()["styles"]]
        assert names == list(table.styles)
        content = read_picture(picture())
        expected = table.stylize(content, table.embed({names[0]: 0.25, names[1]: 0.75}))
        found = read_picture(send(client, names[:2], weights="1,3").content)
        assert np.abs(found.astype(int) - expected).max() <= 1
        assert "embeds no images" in send(client, [picture()]).json()["error"]
        whole = table.stylize(content, table.embed(names[0]))
        half = mix(content, [whole], [0.5])  # as stylize.py does
        found = read_picture(send(client, names[:1], strength="0.5").content)
        assert np.abs(found.astype(int) - half).max() <= 1
        weights = np.zeros((1, len(names)), np.float32)
        weights[0, 0] = 1
        inputs = [
            {"name": "content", "shape": [1, *content.shape], "datatype": "UINT8", "data": content.tolist()},
            {"name": "weights", "shape": list(weights.shape), "datatype": "FP32", "data": weights.tolist()},
        ]
        for more, expected in (([], whole), ([tensor("strength", np.array([0.5], np.float32))], half)):
            answer = client.post("/v2/models/n_styles/infer", json={"inputs": inputs + more}).json()
            pastiche = np.reshape(answer["outputs"][0]["data"], content.shape)
            assert np.abs(pastiche - expected.astype(int)).max() <= 1


def test_balancers_prometheus_and_openapi_are_answered(client):
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}
    before = client.get("/metrics").text
    send(client)
    after = client.get("/metrics").text

    def value(text, name):
        return float(re.search(rf"^style_transfer_{name} (\S+)$", text, flags=re.MULTILINE)[1])

    assert value(after, "pictures_total") == value(before, "pictures_total") + 1
    assert value(after, "pixels_total") == value(before, "pixels_total") + 48 * 64
    assert value(after, "resident_bytes") > 1e7 and value(after, "waiting") == 0
    assert re.search(
        r'^style_transfer_requests_total\{route="/api/stylize",method="POST",status="200"\} \d+$', after, re.M
    )
    body = client.get("/openapi.json").json()["paths"]["/api/stylize"]["post"]["requestBody"]
    fields = body["content"]["multipart/form-data"]["schema"]["properties"]
    assert {"content", "style", "weights", "strength", "size", "colours", "format"} == set(fields)
    assert (fields["strength"]["minimum"], fields["strength"]["maximum"]) == (0, 1.5)


def test_request_ids_are_in_response_and_log(client, caplog):
    caplog.set_level("INFO", "style_transfer.service")
    mine = client.get("/healthz", headers={"X-Request-Id": "order-7.a"})
    assert mine.headers["x-request-id"] == "order-7.a" and "request_id=order-7.a" in caplog.text
    forged = client.get("/healthz", headers={"X-Request-Id": "a b\tstatus=200"}).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", forged)
    refused = client.get("/nothing%0Ahere", headers={"X-Request-Id": "gone"})
    assert refused.json()["request_id"] == "gone" and "\nhere" not in caplog.text


def test_a_token_is_asked_for_where_there_is_one(bundled):
    with TestClient(create_application(bundled, ServiceConfig(), NAME, "sesame ü"), LOOPBACK) as client:
        for path in ("/", "/page/app.js", "/healthz", "/readyz", "/v2/health/live"):
            assert client.get(path).status_code == 200, path
        for path in ("/api/styles", "/metrics", "/openapi.json", f"/v2/models/{NAME}", "/api/samples/cat", "/nothing"):
            refused = client.get(path)
            assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer", path
        assert send(client).status_code == 401
        for wrong in ("Bearer sesame", "Basic sesame ü", "Bearer ", "sesame ü", "Bearer sesame ü x"):
            assert client.get("/api/styles", headers={"Authorization": wrong.encode()}).status_code == 401, wrong
        assert client.get("/api/styles", headers={"Authorization": "Bearer sesame ü".encode()}).status_code == 200


def test_a_full_queue_says_when_to_come_again_and_loses_nothing(slow):
    with RunningServer(slow, queue=1, workers=1) as running, concurrent.futures.ThreadPoolExecutor(2) as threads:
        with httpx.Client(base_url=running.url, timeout=PATIENCE) as client:
            first = threads.submit(send, client)
            assert slow.networks.begun.acquire(timeout=PATIENCE)
            second = threads.submit(send, client)
            wait_until(lambda: running.application.state.queue.waiting)
            refused = send(client)
            assert refused.status_code == 429 and 1 <= int(refused.headers["retry-after"]) <= 60
            assert client.get("/healthz").status_code == 200
            slow.networks.go_on.set()
            assert first.result().content == second.result().content == send(client).content


def test_a_stop_finishes_what_runs_and_what_waits(slow):
    with RunningServer(slow, workers=1) as running, concurrent.futures.ThreadPoolExecutor(3) as threads:
        with httpx.Client(base_url=running.url, timeout=PATIENCE) as client:
            sent = [threads.submit(send, client) for _ in range(2)]
            assert slow.networks.begun.acquire(timeout=PATIENCE)
            wait_until(lambda: running.application.state.queue.waiting)
            stopped = threads.submit(running.stop)
            time.sleep(0.3)
            assert not stopped.done()
            slow.networks.go_on.set()
            assert [future.result().status_code for future in sent] == [200, 200]
            stopped.result()


def test_work_that_nobody_waits_for_is_not_begun(slow):
    """The client of the second picture goes while the first one runs."""
    with RunningServer(slow, workers=1) as running, concurrent.futures.ThreadPoolExecutor(1) as threads:
        queue = running.application.state.queue
        with httpx.Client(base_url=running.url, timeout=PATIENCE) as client:
            first = threads.submit(send, client)
            assert slow.networks.begun.acquire(timeout=PATIENCE)
            with socket.create_connection(("127.0.0.1", running.port)) as hasty:
                hasty.sendall(raw(client, "/api/stylize", data={"style": "washes"}, files={"content": picture()}))
                wait_until(lambda: queue.waiting)
            wait_until(lambda: not queue.waiting)
            assert (queue.working, queue.waiting) == (1, 0)
            slow.networks.go_on.set()
            assert first.result().status_code == 200
            assert not slow.networks.begun.acquire(timeout=0.2)


def test_work_that_takes_too_long_is_given_up(slow):
    with (
        RunningServer(slow, work_seconds=0.3) as running,
        httpx.Client(base_url=running.url, timeout=PATIENCE) as client,
    ):
        late = send(client)
        assert late.status_code == 503 and "longer" in late.json()["error"] and "retry-after" in late.headers
        slow.networks.go_on.set()


@pytest.mark.parametrize("place", ["src.stylize.stylizer.Stylizer.stylize", "src.service.pictures.decode"])
def test_a_lack_of_memory_is_not_the_pictures_fault(bundled, monkeypatch, place):
    def lack(*arguments):
        raise MemoryError

    application = create_application(bundled, ServiceConfig(), NAME)
    monkeypatch.setattr(place, lack)
    with TestClient(application, LOOPBACK, raise_server_exceptions=False) as client:
        refused = send(client)
    assert refused.status_code == 503 and "short of memory" in refused.json()["error"]


def test_the_program_serves_until_a_signal_and_ends_well(tmp_path):
    token = tmp_path / "token.txt"
    token.write_text("sesame\n")
    command = [sys.executable, "app.py", "--port", "0", "--engine", "onnxruntime", "--token_file", str(token)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().strip()
        with httpx.Client(base_url=url, headers={"Authorization": "Bearer sesame"}, timeout=PATIENCE) as client:
            assert send(client).status_code == 200
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 0 and "Traceback" not in log
    assert re.search(r"request_id=\w{32} client=127.0.0.1 method=POST path=/api/stylize status=200", log)
    assert "sesame" not in log


def test_mistakes_in_the_options_are_named(run_entry_point, tmp_path):
    empty = tmp_path / "empty.txt"
    empty.write_text("\n")
    for arguments, text in (
        (("--token_file", tmp_path / "none.txt"), "token_file"),
        (("--token_file", empty), "first line is empty"),
        (("--gallery", tmp_path, "--engine", "onnxruntime"), "option gallery"),
    ):
        done = run_entry_point("app.py", *arguments)
        assert done.returncode == 2 and done.stderr.startswith("error: ") and text in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
