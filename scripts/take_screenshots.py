"""Takes the pictures of both pages for docs/: needed after a change of the bundled model or of a page.

python scripts/take_screenshots.py

Needs chromium, chromedriver and Selenium, and what app.py and scripts/build_demo.py need.
"""

import contextlib
import functools
import http.server
import importlib.util
import io
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from PIL import Image

from src.config import ROOT, parse
from src.errors import UserError, run_entry
from src.files import atomic_write, temporary_folder
from src.options.option import Options, PathText, option

PROGRAMS = ("chromium", "chromedriver")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync "
    "--hide-scrollbars"
).split()
DESKTOP, PHONE = (1280, 860), (390, 844)
PATIENCE = 300
SLIDE = "const i = document.querySelector(arguments[0]); i.value = arguments[1]; i.dispatchEvent(new Event('input'))"


@dataclass(frozen=True)
class ScreenshotOptions(Options):
    """Where they go."""

    output: PathText = option("docs", "folder to write the pictures to", aliases=("-o",))
    engine: str = option("onnxruntime", "engine of app.py, see stylize.py")


class Browser:
    """Chromium with a page in it.

    Args:
        driver: of Selenium.
    """

    def __init__(self, driver):
        self.driver = driver

    def open(self, address, size, dark=False):
        """Opens a page at (width, height) in pixels; a narrow one as a phone has it."""
        shape = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", shape)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get(address)

    def wait(self, script):
        """Waits until a script of an expression gives something."""
        until = time.monotonic() + PATIENCE
        while not self.driver.execute_script(f"return {script}"):
            if time.monotonic() > until:
                raise UserError(f"{self.driver.current_url}: {script} is not so after {PATIENCE} seconds")
            time.sleep(0.1)

    def run(self, script, *arguments):
        """Runs a script."""
        self.driver.execute_script(script, *arguments)

    def save(self, path):
        """Writes the window's picture with 256 colours, which halves the file."""
        picture = Image.open(io.BytesIO(self.driver.get_screenshot_as_png())).convert("RGB")
        with atomic_write(path) as temporary:
            picture.quantize(256, dither=Image.Dither.NONE).save(temporary, optimize=True)
        print(path)


@contextlib.contextmanager
def open_browser():
    """Yields a `Browser`."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which(PROGRAMS[0])
    for flag in FLAGS:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which(PROGRAMS[1])))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


@contextlib.contextmanager
def running_service(engine):
    """Yields the address of app.py on a free port."""
    command = [sys.executable, str(ROOT / "app.py"), "--port", "0", "--engine", engine]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = process.stdout.readline().strip()
        if not address:
            raise UserError("app.py did not start; start it by hand to see why")
        yield address
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def served_demo():
    """Yields the address of the page of docs/demo/, built anew."""
    from src.deploy.demo import build_demo

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    with temporary_folder() as folder:
        handler = functools.partial(Quiet, directory=build_demo(folder))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}/"
            server.shutdown()


def show_page(browser, sample, styles, point, before):
    """The service's page with a sample in a blend of styles: `point` of the square, `before` of the comparison in %."""
    browser.wait("document.body.dataset.ready")
    browser.run(
        "[...document.querySelectorAll('#samples button')].find((b) => b.textContent === arguments[0]).click()", sample
    )
    browser.wait("!document.getElementById('compare').hidden")
    for count, style in enumerate(styles, 1):
        browser.run("document.querySelector(`#gallery [data-id=${arguments[0]}]`).click()", style)
        browser.wait(f"document.querySelectorAll('#history button').length === {count}")
    if point:
        from selenium.webdriver import ActionChains

        pad = browser.driver.find_element("id", "pad")
        offsets = [round((part - 0.5) * pad.size[side]) for part, side in zip(point, ("width", "height"), strict=True)]
        ActionChains(browser.driver).move_to_element_with_offset(pad, *offsets).click().perform()
        browser.wait(f"document.querySelectorAll('#history button').length > {len(styles)}")
        browser.run("scrollTo(0, 0); document.activeElement.blur()")
    browser.run(SLIDE, "#divider", before)
    browser.wait("document.getElementById('after').complete")


def main(argv):
    """Takes the pictures, returns the exit code."""
    own = parse(argv, (), "Takes the pictures of both pages for docs/.", own=ScreenshotOptions).own
    missing = [name for name in ("selenium", "onnx", "fastapi", "uvicorn") if importlib.util.find_spec(name) is None]
    missing += [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        raise UserError(
            f"{', '.join(missing)}: not installed here; chromium and chromedriver come from your system, the others "
            "by 'pip install -r requirements-test.txt -r requirements-app.txt'"
        )
    folder = Path(own.output).expanduser()
    with open_browser() as browser:
        with running_service(own.engine) as address:
            browser.open(address, DESKTOP)
            four = ("wave_print", "swirling_night", "stained_glass", "burning_sky")
            show_page(browser, "astronaut", four, (0.6, 0.25), 42)
            browser.save(folder / "page.png")
            browser.open(address, PHONE, dark=True)
            show_page(browser, "cat", ("coloured_dots", "woodcut"), None, 42)
            browser.run("scrollTo(0, document.getElementById('controls').getBoundingClientRect().top + scrollY - 334)")
            browser.save(folder / "page_phone.png")
        with served_demo() as address:
            browser.open(f"{address}?engine=wasm", DESKTOP)
            browser.wait("document.documentElement.dataset.state === 'ready'")
            browser.run(SLIDE, "#compare", 38)
            browser.save(folder / "demo.png")
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
