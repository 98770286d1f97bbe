"""The page of docs/demo/ in Chromium, by keyboard, on a phone, with a webcam. Its pictures: test_demo_pictures.py."""

import pytest
from demo_page import open_page, settle, slide, status, upload, wait
from PIL import Image

from src.deploy import demo
from src.errors import UserError

FIRST_LOAD = 8_000_000


def test_the_first_load_is_small(demo_site):
    assert 1_000_000 < demo.first_load(demo_site) <= FIRST_LOAD


def test_the_page_loads_first_what_is_counted_as_that(demo_page, demo_address):
    """The files that a fresh page has asked for when its first picture is there, without the runtime."""
    open_page(demo_page, demo_address)
    script = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    names = [name.partition(f"{demo_address}samples/")[2] for name in demo_page.execute_script(script)]
    large = {f"samples/{name}" for name in names if name and not name.endswith("_small.jpg")}
    assert large == {name for name in demo.FIRST if name.startswith("samples/")}


def test_the_page_loads_nothing_from_elsewhere_and_says_so(demo_page, demo_address):
    loaded = demo_page.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert len(loaded) > 10 and all(
        name.startswith(demo_address) or name.startswith(("blob:", "data:")) for name in loaded
    )
    policy = demo_page.find_element("css selector", "meta[http-equiv]").get_attribute("content")
    assert "default-src 'none'" in policy and "connect-src 'self'" in policy
    assert "never leave this machine" in demo_page.find_element("css selector", ".privacy").text


def test_the_edge_goes_where_the_picture_is_touched(demo_page, image, tmp_path):
    Image.fromarray(image(200, 64)).save(tmp_path / "tall.png")
    upload(demo_page, "content", tmp_path / "tall.png")
    at = demo_page.execute_script(
        "const box = document.getElementById('frame').getBoundingClientRect();"
        "const { width, height } = document.getElementById('after');"
        "const shown = Math.min(box.width, (box.height * width) / height);"
        "const clientX = box.left + (box.width - shown) / 2 + 0.25 * shown;"
        "document.getElementById('frame').dispatchEvent(new PointerEvent('pointerdown', { clientX }));"
        "return [box.width - shown, Number(document.getElementById('compare').value)]"
    )
    assert at[0] > 20 and at[1] == 25
    demo_page.execute_script("document.getElementById('compare').value = 0")


def test_a_file_that_is_no_picture_gets_a_line(demo_page, tmp_path):
    (tmp_path / "note.png").write_text("no picture")
    upload(demo_page, "content", tmp_path / "note.png")
    assert status(demo_page).startswith("note.png: not a picture")


def test_a_photograph_above_sixteen_megapixels_is_said_with_every_picture_of_it(demo_page, image, tmp_path):
    file = tmp_path / "large.jpg"
    Image.fromarray(image(70, 91)).resize((4400, 3900)).save(file)
    upload(demo_page, "content", file)
    assert "s. The photograph was reduced to 16 megapixels" in status(demo_page)
    slide(demo_page, "strength", 50)
    assert "Preview of" in status(demo_page) and "16 megapixels" in status(demo_page)
    demo_page.execute_script(
        "arguments[0].click()", demo_page.find_element("css selector", "[name=content][aria-label='cat']")
    )
    settle(demo_page)
    assert "Preview of" in status(demo_page) and "16 megapixels" not in status(demo_page)


def test_the_webcam_is_painted_live_and_a_picture_of_it_is_kept(demo_page):
    demo_page.find_element("id", "camera").click()
    wait(lambda: "frames a second" in status(demo_page), lambda: status(demo_page))
    demo_page.execute_script("window.track = document.getElementById('video').srcObject.getTracks()[0]")
    demo_page.find_element("id", "keep").click()
    wait(lambda: status(demo_page).startswith("Preview of"), lambda: status(demo_page))
    assert demo_page.find_element("id", "camera").text == "Webcam"
    assert demo_page.execute_script("return window.track.readyState") == "ended"  # the camera is free
    assert "webcam" in demo_page.find_element("id", "after").get_attribute("aria-label")


def test_every_control_has_a_name_and_the_lists_work_by_keyboard(demo_page):
    for control in demo_page.find_elements("css selector", ":is(input, button, select):not([hidden])"):
        assert control.accessible_name, control.get_attribute("outerHTML")
    before = demo_page.find_element("id", "after").get_attribute("aria-label")
    demo_page.find_element("css selector", "[name=content]:checked").send_keys("\ue014")  # the right arrow
    wait(lambda: demo_page.find_element("id", "after").get_attribute("aria-label") != before, "another photograph")


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_cut_off_at_the_side(demo_page, width):
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600}
    demo_page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        assert demo_page.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        demo_page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_runtime_that_cannot_be_had_is_said_with_the_way_out(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(demo.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=r"npm: not installed here.*install Node.js, or get onnxruntime-web-.*\.tgz"):
        demo.fetch_runtime()
    demo.runtime_file().parent.mkdir()
    demo.runtime_file().write_bytes(b"another file")
    with pytest.raises(UserError, match=r"SHA-512 .*, expected .*remove the file"):
        demo.fetch_runtime()
