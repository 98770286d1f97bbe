"""The page of docs/demo/, served and opened in Chromium; tests/conftest.py makes the fixtures known to all tests."""

import functools
import http.server
import io
import threading
import time

import numpy as np
import pytest
from PIL import Image

from src.deploy import demo
from src.errors import UserError
from src.stylize.stylizer import Stylizer

PATIENCE = 60


@pytest.fixture(scope="session")
def demo_site(tmp_path_factory):
    pytest.importorskip("onnx")
    try:
        demo.fetch_runtime()
    except UserError as error:
        pytest.skip(f"needs ONNX Runtime Web: {error}")
    return demo.build_demo(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def demo_address(demo_site):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=demo_site))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def demo_page(chromium, demo_address):
    """The page, opened once, with its sliders as they are at first and the second style off."""
    if not chromium.current_url.startswith(demo_address) or "tile" in chromium.current_url:
        open_page(chromium, demo_address)
    chromium.execute_script("document.getElementById('size').value = '192'")
    if chromium.find_element("id", "strength").get_attribute("value") != "100":
        slide(chromium, "strength", 100)
    if chromium.find_element("id", "colours").is_selected():
        chromium.execute_script("document.getElementById('colours').click()")  # wherever the page is scrolled to
    for name, style in (("b", "none"), ("a", "swirling night"), ("content", "cat")):
        radio = chromium.find_element("css selector", f"[name={name}][aria-label='{style}']")
        if not radio.is_selected():
            chromium.execute_script("arguments[0].click()", radio)  # the mouse meets the picture in the same label
            settle(chromium)
    return chromium


@pytest.fixture(scope="session")
def demo_stylizer():
    return Stylizer.open(engine="onnxruntime")


def state(chromium):
    return chromium.execute_script("return document.documentElement.dataset.state")


def status(chromium):
    return chromium.find_element("id", "status").text


def wait(check, what):
    until = time.monotonic() + PATIENCE
    while not (found := check()):
        assert time.monotonic() < until, what
        time.sleep(0.05)
    return found


def open_page(chromium, demo_address, query=""):
    chromium.get(f"{demo_address}?engine=wasm{query}")
    wait(lambda: state(chromium) == "ready", lambda: status(chromium))


def settle(chromium):
    """Waits for the picture that the last change leads to."""
    wait(lambda: state(chromium) == "ready", "the picture")


def upload(chromium, name, path):
    chromium.find_element("css selector", f"[data-file={name}]").send_keys(str(path))
    settle(chromium)


def slide(chromium, name, value):
    chromium.execute_script(
        "const slider = document.getElementById(arguments[0]); slider.value = arguments[1];"
        "slider.dispatchEvent(new Event('input', { bubbles: true }))",
        name,
        value,
    )
    settle(chromium)


def download(chromium, button="save"):
    chromium.find_element("id", button).click()
    file = wait(lambda: next(chromium.downloads.glob("*.png"), None), lambda: status(chromium))
    wait(lambda: not list(chromium.downloads.glob("*.crdownload")), "the end of the download")
    with Image.open(io.BytesIO(file.read_bytes())) as image:
        picture = np.array(image.convert("RGB"))
    file.unlink()
    return picture


def decibels(one, other):
    assert one.shape == other.shape
    return 10 * np.log10(255**2 / max(1e-9, np.mean(np.square(one.astype(float) - other))))
