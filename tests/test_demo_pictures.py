"""The pictures of the page of docs/demo/ in Chromium are those of Python, and so are the steps that lead to them."""

import json

import numpy as np
import pytest
from demo_page import decibels, download, open_page, settle, slide, status, upload, wait
from PIL import Image

from src.deploy import demo
from src.images.colors import keep_luma
from src.images.files import resize_short_side
from src.stylize.stylizer import Stylizer, prepare_style
from src.stylize.tiles import plan_crops, plan_tiles


@pytest.fixture
def pictures(image, tmp_path):
    """A content of odd sides and two styles, as arrays and as files."""
    arrays = [image(70, 91, 1), image(150, 101, 2), image(64, 64, 3)]
    files = [tmp_path / f"{name}.png" for name in ("content", "style", "second")]
    for array, file in zip(arrays, files, strict=True):
        Image.fromarray(array).save(file)
    return arrays, files


@pytest.mark.parametrize("part", demo.PARTS)
def test_a_graph_for_browsers_has_few_buffers_an_operator_and_computes_the_same(demo_site, demo_stylizer, part, image):
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    file = demo_site / "models" / f"{part}.onnx"
    nodes = onnx.load(file).graph.node
    assert not {"SpaceToDepth", "DepthToSpace"} & {node.op_type for node in nodes}
    # WebGPU promises eight buffers to a shader; parameters of Slice, Reshape and Pad are none
    assert all(len(node.input) + len(node.output) <= 8 for node in nodes)
    original = demo_stylizer.networks.predictor.path.with_name(f"arbitrary_compact_{part}.onnx")
    rng, given = np.random.default_rng(0), {}
    sessions = [runtime.InferenceSession(str(path)) for path in (original, file)]
    for port in sessions[0].get_inputs():
        shape = [size if isinstance(size, int) else {"batch": 1}.get(size, 64) for size in port.shape]
        given[port.name] = np.zeros(1, np.float32) if port.name == "given" else rng.random(shape, np.float32)
    for expected, found in zip(*(session.run(None, given) for session in sessions), strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-3, rtol=2e-3)


def test_pictures_equal_those_of_python(demo_page, demo_stylizer, pictures):
    (content, style, second), files = pictures
    for name, file in zip(("content", "a"), files, strict=False):
        upload(demo_page, name, file)
    first = demo_stylizer.embed(style)
    assert decibels(download(demo_page), demo_stylizer.stylize(content, first)) >= 45
    slide(demo_page, "strength", 60)
    weaker = demo_stylizer.stylize(content, demo_stylizer.strengthen(content, first, 0.6))
    assert decibels(download(demo_page), weaker) >= 45
    upload(demo_page, "b", files[2])
    slide(demo_page, "mix", 30)
    slide(demo_page, "strength", 100)
    blended = demo_stylizer.stylize(content, demo_stylizer.blend([first, demo_stylizer.embed(second)], [0.7, 0.3]))
    found = download(demo_page)
    assert decibels(found, blended) >= 45
    demo_page.find_element("id", "colours").click()
    settle(demo_page)
    luma = [Image.fromarray(picture).convert("YCbCr").split() for picture in (blended, content)]
    kept = Image.merge("YCbCr", (luma[0][0], *luma[1][1:])).convert("RGB")
    kept_found = download(demo_page)
    assert decibels(kept_found, np.array(kept)) >= 45 > decibels(kept_found, found)


def test_strength_counts_from_the_photograph_that_is_shown(demo_page, demo_stylizer, pictures, image, tmp_path):
    """Of two photographs of one size, each has its own style."""
    style = np.array(Image.open(demo.SAMPLES / "style" / "swirling_night.jpg").convert("RGB"))
    for content in (pictures[0][0], np.ascontiguousarray(255 - image(70, 91, 9)) // 3):
        Image.fromarray(content).save(tmp_path / "content.png")
        upload(demo_page, "content", tmp_path / "content.png")
        slide(demo_page, "strength", 20)
        expected = demo_stylizer.stylize(content, demo_stylizer.strengthen(content, demo_stylizer.embed(style), 0.2))
        assert decibels(download(demo_page), expected) >= 45


def test_what_is_transparent_lies_over_white(demo_page, image, tmp_path):
    content = np.dstack([image(64, 64), np.full((64, 64), 255, np.uint8)])
    content[:, :32, 3] = 0
    Image.fromarray(content).save(tmp_path / "content.png")
    upload(demo_page, "content", tmp_path / "content.png")
    pixel = "return [...document.getElementById('before').getContext('2d').getImageData(arguments[0], 9, 1, 1).data]"
    assert demo_page.execute_script(pixel, 5) == [255, 255, 255, 255]
    assert demo_page.execute_script(pixel, 60) == [*content[9, 60, :3].tolist(), 255]


def test_the_preview_is_the_photograph_reduced_as_python_does(demo_page, demo_stylizer, image, tmp_path):
    content = image(257, 310, 4)
    Image.fromarray(content).save(tmp_path / "content.png")
    upload(demo_page, "content", tmp_path / "content.png")
    style = np.array(Image.open(demo.SAMPLES / "style" / "swirling_night.jpg").convert("RGB"))
    expected = demo_stylizer.stylize(resize_short_side(content, 192), demo_stylizer.embed(style))
    assert decibels(download(demo_page, "save-preview"), expected) >= 45


def test_full_size_in_tiles_equals_python(chromium, demo_address, pictures, image, tmp_path):
    content = image(270, 301, 5)
    Image.fromarray(content).save(tmp_path / "large.png")
    open_page(chromium, demo_address, "&tile=256")
    chromium.execute_script("document.getElementById('size').value = '192'")
    upload(chromium, "content", tmp_path / "large.png")
    upload(chromium, "a", pictures[1][1])
    tiled = Stylizer.open(engine="onnxruntime", tile=256)
    expected = tiled.stylize(content, tiled.embed(pictures[0][1]))
    assert decibels(download(chromium), expected) >= 45
    chromium.find_element("id", "save").click()
    wait(lambda: chromium.find_element("id", "cancel").is_displayed(), "the button that cancels")
    chromium.execute_script("document.getElementById('cancel').click()")
    wait(lambda: "Painting" not in status(chromium), "the end of the work")
    assert status(chromium) == "Cancelled." and not list(chromium.downloads.iterdir())


def call(demo_page, function, *arguments):
    """The result of a function of pictures.js."""
    script = (
        "const [name, given, done] = arguments;"
        "import('./pictures.js').then((module) => done(JSON.stringify(module[name](...given))))"
    )
    return json.loads(demo_page.execute_async_script(script, function, arguments))


@pytest.mark.parametrize("shape", [(40, 61), (300, 270), (20, 200)])
def test_styles_are_prepared_as_by_python_to_the_bit(demo_page, image, shape):
    style = image(*shape, 6)
    given = {"width": shape[1], "height": shape[0], "data": style.ravel().tolist()}
    script = (
        "const [style, done] = arguments; style.data = Uint8Array.from(style.data);"
        "import('./pictures.js').then(({ prepareStyle }) => {"
        "  const { width, height, data } = prepareStyle(style); done([height, width, Array.from(data)]) })"
    )
    height, width, data = demo_page.execute_async_script(script, given)
    np.testing.assert_array_equal(np.reshape(data, (height, width, 3)), prepare_style(style))


def test_colours_are_kept_as_by_python(demo_page, image):
    pictures = [image(40, 50, seed) for seed in (7, 8)]
    given = [{"width": 50, "height": 40, "data": picture.ravel().tolist()} for picture in pictures]
    found = call(demo_page, "keepColours", *given)["data"]
    found = np.reshape([found[str(i)] for i in range(len(found))], (40, 50, 3))
    difference = np.abs(found - keep_luma(*pictures).astype(int))  # Pillow's tables are rounded elsewhere
    assert difference.max() <= 2 and (difference > 0).mean() < 0.1


def test_tiles_and_crops_are_those_of_python(demo_page):
    for length in (512, 516, 1000, 3024):
        spans = [[tile.seen.start, tile.kept.start, tile.kept.stop] for tile in plan_tiles(length, 512)]
        found = call(demo_page, "planTiles", length, 512)
        assert [[tile["start"], tile["low"], tile["high"]] for tile in found] == spans
    for height, width in ((1200, 1600), (3024, 4032), (400, 5000)):
        batches = [[(rows.start, columns.start) for rows, columns in b] for b in plan_crops(height, width, 1_100_000)]
        found = call(demo_page, "planCrops", width, height, 1_100_000)
        assert [[(crop["top"], crop["left"]) for crop in batch] for batch in found] == batches


def test_a_photograph_of_one_colour_and_one_that_is_nearly(demo_page, demo_stylizer, image, tmp_path):
    style = np.array(Image.open(demo.SAMPLES / "style" / "swirling_night.jpg").convert("RGB"))
    marked = np.full((40, 40, 3), 200, np.uint8)
    marked[10:14, 10:30] = 20
    for content in (np.full((40, 40, 3), 90, np.uint8), marked):
        Image.fromarray(content).save(tmp_path / "flat.png")
        upload(demo_page, "content", tmp_path / "flat.png")
        assert decibels(download(demo_page), demo_stylizer.stylize(content, demo_stylizer.embed(style))) >= 45
