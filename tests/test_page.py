"""The page of the service in a browser: upload, style, strength, blend, download, keyboard, token."""

import httpx
import numpy as np
import pytest
from service_client import (
    NAME,
    RunningServer,
    SlowNetworks,
    bundled_stylizer,
    make_clip,
    picture,
    read_picture,
    wait_until,
)

from src.service.model import GALLERY
from src.stylize.stylizer import Stylizer


@pytest.fixture(scope="module")
def stylizer():
    return bundled_stylizer()


@pytest.fixture(scope="module")
def running(stylizer):
    with RunningServer(stylizer) as running:
        yield running


class Page:
    """The page as a user has it.

    Attributes:
        driver: the browser.
    """

    def __init__(self, driver, url):
        self.driver = driver
        driver.get(url)

    def wait(self, script):
        """What the script returns, when that is true."""
        return wait_until(
            lambda: self.driver.execute_script(f"return {script}"), lambda: f"{script}: {self.find('#status').text}"
        )

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def is_ready(self):
        return self.wait("document.body.dataset.ready")

    def results(self):
        """How many pictures the history has."""
        return self.driver.execute_script("return document.querySelectorAll('#history button').length")

    def do(self, action):
        """Does something, and waits for the picture that follows."""
        before = self.results()
        action()
        self.wait(f"document.querySelectorAll('#history button').length > {before}")

    def set_range(self, identity, value):
        script = "const i = arguments[0]; i.value = arguments[1]; i.dispatchEvent(new Event('input', {bubbles: true}))"
        self.driver.execute_script(script, self.find(identity), value)


@pytest.fixture
def page(chromium, running):
    page = Page(chromium, running.url)
    page.is_ready()
    chromium.get_log("browser")
    return page


def wait_for_file(folder, ending):
    return wait_until(lambda: sorted(folder.glob(f"*.{ending}")), "nothing was downloaded")[0]


def test_upload_style_strength_download(page, chromium, stylizer, tmp_path):
    """The downloaded picture is the one that the stylizer makes of the file."""
    photo = tmp_path / "my photo <b>.png"
    photo.write_bytes(picture(500, 520, 3))
    page.find("#file").send_keys(str(photo))
    page.wait("!document.getElementById('compare').hidden")
    page.do(lambda: page.find("[data-id=washes]").click())
    page.do(lambda: page.set_range("#strength", 70))
    assert page.find("#strength-value").text == "70 %"
    sizes = [option.text for option in page.driver.find_elements("css selector", "#size option")]
    assert sizes == ["Full size, 520 × 500", "As shown, 499 × 480"]
    page.find("#download").click()
    saved = wait_for_file(chromium.downloads, "png")
    assert saved.name == "my_photo_b__washes.png"
    content = read_picture(photo.read_bytes())
    style = stylizer.embed(read_picture((GALLERY / "washes.jpg").read_bytes()))
    expected = stylizer.stylize(content, stylizer.strengthen(content, style, 0.7))
    assert np.abs(read_picture(saved.read_bytes()).astype(int) - expected).max() <= 1
    assert not [entry for entry in page.driver.get_log("browser") if entry["level"] == "SEVERE"]


def test_blend_colours_history_and_comparison(page):
    page.find("#samples button").click()
    page.wait("!document.getElementById('compare').hidden")
    page.do(lambda: page.find("[data-id=washes]").click())
    page.do(lambda: page.find("[data-id=woodcut]").click())
    outputs = "[...document.querySelectorAll('#sliders output')].map(o => o.textContent).join()"
    assert page.wait(outputs) == "50 %,50 %"
    page.do(lambda: page.find("#pad").send_keys("\ue014\ue014"))  # right arrow, twice
    assert page.wait(outputs) == "40 %,60 %"
    page.do(lambda: page.find("[name=colours][value=luma]").send_keys(" "))
    page.do(lambda: page.find("[data-id=facets]").click())
    page.do(lambda: page.find("[data-id=facets]").click())
    assert page.wait(outputs) == "50 %,50 %"
    # back to the first picture: one style, and its own colours
    page.find("#history button:last-child").click()
    assert page.driver.execute_script("return document.querySelector('[name=colours]:checked').value") == "none"
    pressed = page.driver.find_elements("css selector", "#gallery [aria-pressed=true]")
    assert [button.get_attribute("data-id") for button in pressed] == ["washes"]
    page.set_range("#divider", 40)
    assert page.driver.execute_script("return document.getElementById('frame').style.getPropertyValue('--at')") == "40%"


def test_a_style_of_ones_own_and_a_picture_that_is_none(page, tmp_path):
    style = tmp_path / "mine.jpg"
    style.write_bytes(picture(80, 80, 5, "JPEG"))
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"hello")
    page.find("#samples button").click()
    page.driver.execute_script("document.getElementById('file').dataset.purpose = 'style'")
    page.do(lambda: page.find("#file").send_keys(str(style)))
    assert page.find("#gallery button[aria-pressed=true]").text == "mine"
    page.find("#file").send_keys(str(damaged))
    assert "no picture that the service reads" in page.wait("document.querySelector('#status.bad')?.textContent")


def test_the_webcams_picture_is_stylised_and_the_camera_is_free_again(page):
    page.find("[data-webcam]").click()
    page.wait("document.getElementById('webcam').open && document.getElementById('camera').videoWidth > 0")
    page.find("#webcam [value=cancel]").click()
    page.wait("!document.getElementById('webcam').open")
    assert page.find("#compare").get_attribute("hidden")  # nothing was taken
    page.find("[data-webcam]").click()
    page.wait("document.getElementById('camera').videoWidth > 0")
    page.driver.execute_script("window.track = document.getElementById('camera').srcObject.getTracks()[0]")
    page.find("#webcam [value=take]").click()
    page.wait("!document.getElementById('compare').hidden && window.track.readyState === 'ended'")
    page.do(lambda: page.find("#gallery [data-id]").click())
    width, height = page.driver.execute_script(
        "const i = document.getElementById('after'); return [i.naturalWidth, i.naturalHeight]"
    )
    assert min(width, height) == 480


def test_a_photograph_above_the_limit_is_said_with_every_picture_of_it(chromium, stylizer, tmp_path):
    with RunningServer(stylizer, max_megapixels=0.012) as running:
        page = Page(chromium, running.url)
        page.is_ready()
        (tmp_path / "large.png").write_bytes(picture(150, 100))
        (tmp_path / "small.png").write_bytes(picture(80, 100))
        file = page.find("#file")
        file.send_keys(str(tmp_path / "large.png"))
        page.wait("!document.getElementById('compare').hidden")
        page.do(lambda: page.find("#gallery [data-id]").click())
        assert page.find("#status").text.endswith("s. The photograph is above the service's limit, and is sent smaller")
        page.do(lambda: file.send_keys(str(tmp_path / "small.png")))
        assert "above the service's limit" not in page.find("#status").text


def choose_video(page, folder):
    (folder / "clip.mp4").write_bytes(make_clip(4))
    page.driver.execute_script("document.getElementById('file').dataset.purpose = 'video'")
    page.find("#file").send_keys(str(folder / "clip.mp4"))


def test_a_video(page, tmp_path):
    pytest.importorskip("av")
    page.find("[data-tab=video]").click()
    assert not page.find("#video-start").is_enabled() and not page.find("#stage").is_displayed()
    choose_video(page, tmp_path)
    page.find("#video-start").click()
    assert page.wait("document.querySelector('#video-text.bad')?.textContent") == "Choose a style first"
    page.find("[data-id=washes]").click()
    page.find("#video-start").click()
    page.wait("!document.getElementById('video-result').hidden")
    assert page.find("#video-save").get_attribute("download") == "clip_stylised.mp4"
    assert page.find("#video-text").text.startswith("Done") and not page.find("#video-cancel").is_displayed()
    page.find("[data-tab=picture]").click()
    assert page.find("#stage").is_displayed() and not page.find("#videos").is_displayed()


def test_a_video_is_cancelled_with_its_button(chromium, stylizer, tmp_path):
    pytest.importorskip("av")
    slow = Stylizer(SlowNetworks(stylizer.networks))
    with RunningServer(slow) as running:
        page = Page(chromium, running.url)
        page.is_ready()
        page.find("[data-tab=video]").click()
        assert not page.find("#video-cancel").is_displayed()
        choose_video(page, tmp_path)
        page.find("[data-id=washes]").click()
        page.find("#video-start").click()
        assert slow.networks.begun.acquire(timeout=20)
        page.wait("!document.getElementById('video-cancel').hidden")
        assert not page.find("#video-start").is_enabled() and page.find("#video-progress").is_displayed()
        page.find("#video-cancel").click()
        (job,) = running.application.state.videos._jobs.values()
        assert job.stopped.wait(20)
        slow.networks.go_on.set()
        assert page.wait("document.getElementById('video-cancel').hidden")
        assert (job.status, page.find("#video-text").text) == ("cancelled", "cancelled")
        assert not page.find("#video-result").is_displayed() and page.find("#video-start").is_enabled()


def test_a_picture_is_pasted(page):
    paste = """const done = arguments[1], data = new DataTransfer();
        fetch(arguments[0]).then(response => response.blob()).then(blob => {
            data.items.add(new File([blob], "image.png", {type: "image/jpeg"}));
            document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true}));
            done(true);
        })"""
    assert page.driver.execute_async_script(paste, "/api/samples/cat")
    page.wait("!document.getElementById('compare').hidden")
    page.do(lambda: page.find("[data-id=washes]").click())


def test_it_follows_the_systems_light_or_dark_setting(page):
    lightness = """return [document.body, document.querySelector('header')].map(e => getComputedStyle(e))
        .map(s => [s.backgroundColor, s.color].map(c => c.match(/[0-9.]+/g).slice(0, 3).reduce((a, b) => a + +b, 0)))"""
    try:
        for scheme in ("dark", "light"):
            features = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", features)
            for ground, ink in page.driver.execute_script(lightness):
                assert (ground < 150 and ink > 500) if scheme == "dark" else (ground > 650 and ink < 150)
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_everything_can_be_reached_and_has_a_name(page):
    """Names for screen readers; and on a phone nothing is wider than the window."""
    page.find("#samples button").click()
    page.wait("!document.getElementById('compare').hidden")
    page.do(lambda: page.find("[data-id=washes]").click())
    nameless = """[...document.querySelectorAll("button, input:not([type=file]), select, [tabindex='0']")]
        .filter(e => e.checkVisibility()).filter(e => !(e.ariaLabel || e.textContent.trim() || e.labels?.length))
        .map(e => e.outerHTML)"""
    assert page.driver.execute_script(f"return {nameless}") == []
    assert page.find("#status").get_attribute("aria-live") == "polite"
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        assert page.driver.execute_script("return document.documentElement.scrollWidth") <= 390
        smallest = """Math.min(...[...document.querySelectorAll("button, select")].filter(e => e.checkVisibility())
            .map(e => e.getBoundingClientRect().height))"""
        assert page.driver.execute_script(f"return {smallest}") >= 24
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_page_asks_for_the_token(chromium, stylizer):
    with RunningServer(stylizer, "sesame") as running:
        page = Page(chromium, running.url)
        page.wait("document.getElementById('ask').open")
        page.find("#token").send_keys("wrong\n")
        page.wait("document.getElementById('ask').open && !document.getElementById('token').value")
        page.find("#token").send_keys("sesame\n")
        page.is_ready()
        assert NAME in page.find("#about").text


def test_nothing_comes_from_elsewhere(running):
    """No address but the service's own in the page's files, and no script or style inside the page."""
    for name in (
        "index.html",
        "style.css",
        "app.js",
        "api.js",
        "blend.js",
        "compare.js",
        "photo.js",
        "videos.js",
        "icon.svg",
    ):
        text = httpx.get(f"{running.url}/page/{name}").raise_for_status().text
        assert "//" not in text.replace("http://www.w3.org/2000/svg", "").replace("// ", ""), name
    page = httpx.get(running.url).text
    assert "<style" not in page and " style=" not in page and " on" + "click" not in page
    assert page.count("<script") == page.count('<script type="module" src="/page/')
