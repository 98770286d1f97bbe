"""The page of docs/demo/ in Chromium: pictures as by Python; works by keyboard, on a phone, with a webcam."""

import functools
import gzip
import http.server
import io
import json
import shutil
import threading
import time

import numpy as np
import pytest
from PIL import Image

from src.deploy import demo
from src.errors import UserError
from src.images.colors import keep_luma
from src.images.files import resize_short_side
from src.stylize.stylizer import Stylizer, prepare_style
from src.stylize.tiles import plan_crops, plan_tiles

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --use-fake-device-for-media-stream --use-fake-ui-for-media-stream"
).split()
FIRST_LOAD = 8_000_000
PATIENCE = 60


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("onnx")
    try:
        demo.fetch_runtime()
    except UserError as error:
        pytest.skip(f"needs ONNX Runtime Web: {error}")
    return demo.build_demo(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def address(site):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver")
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.skip("needs chromium and chromedriver, which are not installed here")
    downloads = tmp_path_factory.mktemp("downloads")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}", "--window-size=1280,900"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(programs[1]))
    driver.downloads = downloads
    yield driver
    driver.quit()


def state(browser):
    return browser.execute_script("return document.documentElement.dataset.state")


def status(browser):
    return browser.find_element("id", "status").text


def wait(check, what):
    until = time.monotonic() + PATIENCE
    while not (found := check()):
        assert time.monotonic() < until, what
        time.sleep(0.05)
    return found


def open_page(browser, address, query=""):
    browser.get(f"{address}?engine=wasm{query}")
    wait(lambda: state(browser) == "ready", lambda: status(browser))


@pytest.fixture
def page(browser, address):
    """The page, opened once, with its sliders as they are at first and the second style off."""
    if not browser.current_url.startswith(address) or "tile" in browser.current_url:
        open_page(browser, address)
    browser.execute_script("document.getElementById('size').value = '192'")
    if browser.find_element("id", "strength").get_attribute("value") != "100":
        slide(browser, "strength", 100)
    if browser.find_element("id", "colours").is_selected():
        browser.execute_script("document.getElementById('colours').click()")  # wherever the page is scrolled to
    for name, style in (("b", "none"), ("a", "swirling night"), ("content", "cat")):
        radio = browser.find_element("css selector", f"[name={name}][aria-label='{style}']")
        if not radio.is_selected():
            browser.execute_script("arguments[0].click()", radio)  # the mouse meets the picture in the same label
            settle(browser)
    return browser


def settle(browser):
    """Waits for the picture that the last change leads to."""
    wait(lambda: state(browser) == "ready", "the picture")


def upload(browser, name, path):
    browser.find_element("css selector", f"[data-file={name}]").send_keys(str(path))
    settle(browser)


def slide(browser, name, value):
    browser.execute_script(
        "const slider = document.getElementById(arguments[0]); slider.value = arguments[1];"
        "slider.dispatchEvent(new Event('input', { bubbles: true }))",
        name,
        value,
    )
    settle(browser)


def download(browser, button="save"):
    browser.find_element("id", button).click()
    file = wait(lambda: next(browser.downloads.glob("*.png"), None), lambda: status(browser))
    wait(lambda: not list(browser.downloads.glob("*.crdownload")), "the end of the download")
    with Image.open(io.BytesIO(file.read_bytes())) as image:
        picture = np.array(image.convert("RGB"))
    file.unlink()
    return picture


def decibels(one, other):
    assert one.shape == other.shape
    return 10 * np.log10(255**2 / max(1e-9, np.mean(np.square(one.astype(float) - other))))


@pytest.fixture(scope="module")
def python():
    return Stylizer.open(engine="onnxruntime")


@pytest.fixture
def pictures(image, tmp_path):
    """A content of odd sides and two styles, as arrays and as files."""
    arrays = [image(70, 91, 1), image(150, 101, 2), image(64, 64, 3)]
    files = [tmp_path / f"{name}.png" for name in ("content", "style", "second")]
    for array, file in zip(arrays, files, strict=True):
        Image.fromarray(array).save(file)
    return arrays, files


def test_the_first_load_is_small(site):
    files = [*site.glob("*.*"), *site.glob("models/*.json"), *site.glob("samples/*_small.jpg")]
    files += [site / "models" / f"{part}.onnx" for part in ("predictor", "transfer")]
    files += sorted(site.glob("samples/*"))[:2]  # a photograph and a style
    assert {file.name for file in files} >= {"index.html", "demo.js", "worker.js", "model.json"}
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) <= FIRST_LOAD


@pytest.mark.parametrize("part", demo.PARTS)
def test_a_graph_for_browsers_has_few_buffers_an_operator_and_computes_the_same(site, python, part, image):
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    file = site / "models" / f"{part}.onnx"
    nodes = onnx.load(file).graph.node
    assert not {"SpaceToDepth", "DepthToSpace"} & {node.op_type for node in nodes}
    # WebGPU promises eight buffers to a shader; parameters of Slice, Reshape and Pad are none
    assert all(len(node.input) + len(node.output) <= 8 for node in nodes)
    original = python.networks.predictor.path.with_name(f"arbitrary_compact_{part}.onnx")
    rng, given = np.random.default_rng(0), {}
    sessions = [runtime.InferenceSession(str(path)) for path in (original, file)]
    for port in sessions[0].get_inputs():
        shape = [size if isinstance(size, int) else {"batch": 1}.get(size, 64) for size in port.shape]
        given[port.name] = np.zeros(1, np.float32) if port.name == "given" else rng.random(shape, np.float32)
    for expected, found in zip(*(session.run(None, given) for session in sessions), strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-3, rtol=2e-3)


def test_the_page_loads_nothing_from_elsewhere_and_says_so(page, address):
    loaded = page.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert len(loaded) > 10 and all(name.startswith(address) or name.startswith(("blob:", "data:")) for name in loaded)
    policy = page.find_element("css selector", "meta[http-equiv]").get_attribute("content")
    assert "default-src 'none'" in policy and "connect-src 'self'" in policy
    assert "never leave this machine" in page.find_element("css selector", ".privacy").text


def test_pictures_equal_those_of_python(page, python, pictures):
    (content, style, second), files = pictures
    for name, file in zip(("content", "a"), files, strict=False):
        upload(page, name, file)
    first = python.embed(style)
    assert decibels(download(page), python.stylize(content, first)) >= 45
    slide(page, "strength", 60)
    weaker = python.stylize(content, python.strengthen(content, first, 0.6))
    assert decibels(download(page), weaker) >= 45
    upload(page, "b", files[2])
    slide(page, "mix", 30)
    slide(page, "strength", 100)
    blended = python.stylize(content, python.blend([first, python.embed(second)], [0.7, 0.3]))
    found = download(page)
    assert decibels(found, blended) >= 45
    page.find_element("id", "colours").click()
    settle(page)
    luma = [Image.fromarray(picture).convert("YCbCr").split() for picture in (blended, content)]
    kept = Image.merge("YCbCr", (luma[0][0], *luma[1][1:])).convert("RGB")
    kept_found = download(page)
    assert decibels(kept_found, np.array(kept)) >= 45 > decibels(kept_found, found)


def test_strength_counts_from_the_photograph_that_is_shown(page, python, pictures, image, tmp_path):
    """Of two photographs of one size, each has its own style."""
    style = np.array(Image.open(demo.SAMPLES / "style" / "swirling_night.jpg").convert("RGB"))
    for content in (pictures[0][0], np.ascontiguousarray(255 - image(70, 91, 9)) // 3):
        Image.fromarray(content).save(tmp_path / "content.png")
        upload(page, "content", tmp_path / "content.png")
        slide(page, "strength", 20)
        expected = python.stylize(content, python.strengthen(content, python.embed(style), 0.2))
        assert decibels(download(page), expected) >= 45


def test_what_is_transparent_lies_over_white(page, image, tmp_path):
    content = np.dstack([image(64, 64), np.full((64, 64), 255, np.uint8)])
    content[:, :32, 3] = 0
    Image.fromarray(content).save(tmp_path / "content.png")
    upload(page, "content", tmp_path / "content.png")
    pixel = "return [...document.getElementById('before').getContext('2d').getImageData(arguments[0], 9, 1, 1).data]"
    assert page.execute_script(pixel, 5) == [255, 255, 255, 255]
    assert page.execute_script(pixel, 60) == [*content[9, 60, :3].tolist(), 255]


def test_the_edge_goes_where_the_picture_is_touched(page, image, tmp_path):
    Image.fromarray(image(200, 64)).save(tmp_path / "tall.png")
    upload(page, "content", tmp_path / "tall.png")
    at = page.execute_script(
        "const box = document.getElementById('frame').getBoundingClientRect();"
        "const { width, height } = document.getElementById('after');"
        "const shown = Math.min(box.width, (box.height * width) / height);"
        "const clientX = box.left + (box.width - shown) / 2 + 0.25 * shown;"
        "document.getElementById('frame').dispatchEvent(new PointerEvent('pointerdown', { clientX }));"
        "return [box.width - shown, Number(document.getElementById('compare').value)]"
    )
    assert at[0] > 20 and at[1] == 25
    page.execute_script("document.getElementById('compare').value = 0")


def test_the_preview_is_the_photograph_reduced_as_python_does(page, python, image, tmp_path):
    content = image(257, 310, 4)
    Image.fromarray(content).save(tmp_path / "content.png")
    upload(page, "content", tmp_path / "content.png")
    style = np.array(Image.open(demo.SAMPLES / "style" / "swirling_night.jpg").convert("RGB"))
    expected = python.stylize(resize_short_side(content, 192), python.embed(style))
    assert decibels(download(page, "save-preview"), expected) >= 45


def test_full_size_in_tiles_equals_python(browser, address, pictures, image, tmp_path):
    content = image(270, 301, 5)
    Image.fromarray(content).save(tmp_path / "large.png")
    open_page(browser, address, "&tile=256")
    browser.execute_script("document.getElementById('size').value = '192'")
    upload(browser, "content", tmp_path / "large.png")
    upload(browser, "a", pictures[1][1])
    tiled = Stylizer.open(engine="onnxruntime", tile=256)
    expected = tiled.stylize(content, tiled.embed(pictures[0][1]))
    assert decibels(download(browser), expected) >= 45
    browser.find_element("id", "save").click()
    wait(lambda: browser.find_element("id", "cancel").is_displayed(), "the button that cancels")
    browser.execute_script("document.getElementById('cancel').click()")
    wait(lambda: "Painting" not in status(browser), "the end of the work")
    assert status(browser) == "Cancelled." and not list(browser.downloads.iterdir())


def call(page, function, *arguments):
    """The result of a function of pictures.js."""
    script = (
        "const [name, given, done] = arguments;"
        "import('./pictures.js').then((module) => done(JSON.stringify(module[name](...given))))"
    )
    return json.loads(page.execute_async_script(script, function, arguments))


@pytest.mark.parametrize("shape", [(40, 61), (300, 270), (20, 200)])
def test_styles_are_prepared_as_by_python_to_the_bit(page, image, shape):
    style = image(*shape, 6)
    given = {"width": shape[1], "height": shape[0], "data": style.ravel().tolist()}
    script = (
        "const [style, done] = arguments; style.data = Uint8Array.from(style.data);"
        "import('./pictures.js').then(({ prepareStyle }) => {"
        "  const { width, height, data } = prepareStyle(style); done([height, width, Array.from(data)]) })"
    )
    height, width, data = page.execute_async_script(script, given)
    np.testing.assert_array_equal(np.reshape(data, (height, width, 3)), prepare_style(style))


def test_colours_are_kept_as_by_python(page, image):
    pictures = [image(40, 50, seed) for seed in (7, 8)]
    given = [{"width": 50, "height": 40, "data": picture.ravel().tolist()} for picture in pictures]
    found = call(page, "keepColours", *given)["data"]
    found = np.reshape([found[str(i)] for i in range(len(found))], (40, 50, 3))
    difference = np.abs(found - keep_luma(*pictures).astype(int))  # Pillow's tables are rounded elsewhere
    assert difference.max() <= 2 and (difference > 0).mean() < 0.1


def test_tiles_and_crops_are_those_of_python(page):
    for length in (512, 516, 1000, 3024):
        spans = [[tile.seen.start, tile.kept.start, tile.kept.stop] for tile in plan_tiles(length, 512)]
        found = call(page, "planTiles", length, 512)
        assert [[tile["start"], tile["low"], tile["high"]] for tile in found] == spans
    for height, width in ((1200, 1600), (3024, 4032), (400, 5000)):
        batches = [[(rows.start, columns.start) for rows, columns in b] for b in plan_crops(height, width, 1_100_000)]
        found = call(page, "planCrops", width, height, 1_100_000)
        assert [[(crop["top"], crop["left"]) for crop in batch] for batch in found] == batches


def test_a_photograph_of_one_colour_and_one_that_is_nearly(page, python, image, tmp_path):
    style = np.array(Image.open(demo.SAMPLES / "style" / "swirling_night.jpg").convert("RGB"))
    marked = np.full((40, 40, 3), 200, np.uint8)
    marked[10:14, 10:30] = 20
    for content in (np.full((40, 40, 3), 90, np.uint8), marked):
        Image.fromarray(content).save(tmp_path / "flat.png")
        upload(page, "content", tmp_path / "flat.png")
        assert decibels(download(page), python.stylize(content, python.embed(style))) >= 45


def test_a_file_that_is_no_picture_gets_a_line(page, tmp_path):
    (tmp_path / "note.png").write_text("no picture")
    upload(page, "content", tmp_path / "note.png")
    assert status(page).startswith("note.png: not a picture")


def test_a_photograph_above_sixteen_megapixels_is_said_with_every_picture_of_it(page, image, tmp_path):
    file = tmp_path / "large.jpg"
    Image.fromarray(image(70, 91)).resize((4400, 3900)).save(file)
    upload(page, "content", file)
    assert "s. The photograph was reduced to 16 megapixels" in status(page)
    slide(page, "strength", 50)
    assert "Preview of" in status(page) and "16 megapixels" in status(page)
    page.execute_script("arguments[0].click()", page.find_element("css selector", "[name=content][aria-label='cat']"))
    settle(page)
    assert "Preview of" in status(page) and "16 megapixels" not in status(page)


def test_the_webcam_is_painted_live_and_a_picture_of_it_is_kept(page):
    page.find_element("id", "camera").click()
    wait(lambda: "frames a second" in status(page), lambda: status(page))
    page.execute_script("window.track = document.getElementById('video').srcObject.getTracks()[0]")
    page.find_element("id", "keep").click()
    wait(lambda: status(page).startswith("Preview of"), lambda: status(page))
    assert page.find_element("id", "camera").text == "Webcam"
    assert page.execute_script("return window.track.readyState") == "ended"  # the camera is free
    assert "webcam" in page.find_element("id", "after").get_attribute("aria-label")


def test_every_control_has_a_name_and_the_lists_work_by_keyboard(page):
    for control in page.find_elements("css selector", ":is(input, button, select):not([hidden])"):
        assert control.accessible_name, control.get_attribute("outerHTML")
    before = page.find_element("id", "after").get_attribute("aria-label")
    page.find_element("css selector", "[name=content]:checked").send_keys("\ue014")  # the right arrow
    wait(lambda: page.find_element("id", "after").get_attribute("aria-label") != before, "another photograph")


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_cut_off_at_the_side(page, width):
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_runtime_that_cannot_be_had_is_said_with_the_way_out(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(demo.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=r"npm: not installed here.*install Node.js, or get onnxruntime-web-.*\.tgz"):
        demo.fetch_runtime()
    demo.runtime_file().parent.mkdir()
    demo.runtime_file().write_bytes(b"another file")
    with pytest.raises(UserError, match=r"SHA-512 .*, expected .*remove the file"):
        demo.fetch_runtime()
