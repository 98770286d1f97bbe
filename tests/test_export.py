"""Exported graphs compute what the networks do, and say what they need."""

import itertools
import json

import mindspore as ms
import numpy as np
import pytest
from PIL import Image

from src.config import defaults
from src.deploy import exporter, mindir
from src.deploy.manifest import make_manifest
from src.deploy.parts import make_part
from src.errors import UserError
from src.images.files import to_network
from src.models.factory import create_model

TOLERANCE = 1e-4
COMBINATIONS = list(itertools.product(("reflect", "zero"), ("nearest", "bilinear"), ("sigmoid", "tanh"), (False, True)))


@pytest.fixture(scope="module")
def onnx_graph():
    pytest.importorskip("onnx", reason="needs requirements-onnx.txt")
    pytest.importorskip("onnxruntime", reason="needs requirements-onnx.txt")
    from src.deploy import onnx_graph

    return onnx_graph


@pytest.fixture(scope="module")
def exported(tiny_checkpoint, runtime, onnx_graph, tmp_path_factory):
    """The tiny model, fused, as ONNX with free sides: (what the JSON holds, path of the file)."""
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    options = {"ckpt_path": str(tiny_checkpoint), "file_format": "ONNX", "file_name": str(path), "dynamic": True}
    return exporter.export(defaults(export=options)["export"], runtime), path


def scattered_model(**network):
    """A model in which every scale, offset and running statistic does something."""
    model = create_model(defaults(network={"width": 0.25, "predictor": "compact", **network})["network"])
    rng = np.random.default_rng(3)
    for parameter in model.get_parameters():
        last = parameter.name.rsplit(".", 1)[-1]
        if last in ("gamma", "beta", "bias", "moving_mean", "moving_variance"):
            value = parameter.asnumpy() + rng.uniform(-0.3, 0.3, parameter.shape)
            parameter.set_data(ms.Tensor(value, ms.float32))
    model.set_train(False)
    return model


def noise(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, np.float32)


def run_network(cell, *arrays):
    return cell(*(ms.Tensor(array) for array in arrays)).asnumpy()


def assert_agree(part, module, path, *arrays):
    module.write(part, path)
    expected = run_network(part.cell, *arrays)
    found = module.load(path)(*arrays)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= TOLERANCE
    assert expected.std() > 0.02  # not a network that is the same everywhere
    return found


# ONNX


@pytest.mark.parametrize("padding, upsampling, output, norm_affine", COMBINATIONS)
def test_onnx_of_every_transfer_network(padding, upsampling, output, norm_affine, onnx_graph, runtime, tmp_path):
    options = {"padding": padding, "upsampling": upsampling, "output": output, "norm_affine": norm_affine}
    model = scattered_model(**options, conv_bias=norm_affine != (padding == "zero"))
    embedding = np.random.default_rng(1).normal(size=(1, 100)).astype(np.float32)
    part = make_part(model, "transfer")
    assert_agree(part, onnx_graph, tmp_path / "model.onnx", noise(1, 3, 36, 52), embedding)


@pytest.mark.parametrize(
    "padding, output, norm_affine", [("reflect", "sigmoid", False), ("zero", "tanh", True), ("reflect", "linear", True)]
)
def test_onnx_of_a_transfer_network_with_half_ends(padding, output, norm_affine, onnx_graph, runtime, tmp_path):
    shape = {"ends": "half", "padding": padding, "output": output}
    model = scattered_model(**shape, norm_affine=norm_affine, conv_bias=norm_affine)
    embedding = np.random.default_rng(1).normal(size=(2, 100)).astype(np.float32)
    part = make_part(model, "transfer", free_batch=True)
    assert_agree(part, onnx_graph, tmp_path / "model.onnx", noise(2, 3, 36, 52), embedding)


@pytest.mark.parametrize("predictor, size", [("compact", (70, 93)), ("inception_v3", (64, 71))])
def test_onnx_of_predictors(predictor, size, onnx_graph, runtime, tmp_path):
    part = make_part(scattered_model(predictor=predictor), "predictor")
    assert_agree(part, onnx_graph, tmp_path / "model.onnx", noise(1, 3, *size))


def test_onnx_rounds_betas_as_the_published_network_does(onnx_graph, runtime, tmp_path):
    model = scattered_model(half_offsets=True)
    arrays = noise(1, 3, 32, 32), np.full((1, 100), 0.3, np.float32)
    found = assert_agree(make_part(model, "transfer"), onnx_graph, tmp_path / "model.onnx", *arrays)
    model.transfer.half_offsets = False
    onnx_graph.write(make_part(model, "transfer"), tmp_path / "without.onnx")
    assert np.abs(onnx_graph.load(tmp_path / "without.onnx")(*arrays) - found).max() > 1e-5


@pytest.mark.parametrize("ends", ["full", "half"])
def test_onnx_for_tiles_is_the_transfer_network_where_its_statistics_are_the_image_s(
    ends, onnx_graph, runtime, tmp_path
):
    model = scattered_model(norm_affine=True, ends=ends)
    run = {}
    for part in ("transfer", "tiles"):
        onnx_graph.write(make_part(model, part), tmp_path / f"{part}.onnx")
        run[part] = onnx_graph.load(tmp_path / f"{part}.onnx")
    image, embedding = noise(1, 3, 36, 52), np.random.default_rng(1).normal(size=(1, 100)).astype(np.float32)
    expected = run["transfer"](image, embedding)
    nothing = np.zeros((2, make_part(model, "tiles").cell.channels), np.float32)
    own, statistics = run["tiles"](image, embedding, nothing, np.zeros(1, np.float32))
    given, _ = run["tiles"](image, embedding, statistics, np.ones(1, np.float32))
    assert np.abs(own - expected).max() <= TOLERANCE and np.abs(given - expected).max() <= TOLERANCE
    assert expected.std() > 0.02


def test_onnx_takes_batches_of_any_size(onnx_graph, stylizer, tmp_path):
    onnx_graph.write(make_part(stylizer.networks.model, "fused", free_batch=True), tmp_path / "model.onnx")
    run = onnx_graph.load(tmp_path / "model.onnx")
    contents, styles = noise(3, 3, 32, 24), noise(3, 3, 64, 80, seed=1)
    alone = [run(contents[i : i + 1], styles[i : i + 1]) for i in range(3)]
    assert np.abs(run(contents, styles) - np.concatenate(alone)).max() < 1e-5
    assert np.abs(alone[0] - alone[1]).max() > 0.1


def test_onnx_is_read_by_runtimes_of_2022(onnx_graph, stylizer):
    model = onnx_graph.build(make_part(stylizer.networks.model, "transfer", (32, 40)))
    assert (model.opset_import[0].version, model.ir_version) == (17, 8)
    sides = [
        [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    ]
    assert sides == [[1, 3, 32, 40], [1, 100], [1, 3, 32, 40]]


def test_onnx_names_a_cell_it_can_not_translate(onnx_graph):
    with pytest.raises(UserError, match="ONNX: no translation of Softmax"):
        onnx_graph.emit(ms.nn.Softmax(), onnx_graph.Graph(), "x")


# the whole way: checkpoint to files


def checked(manifest, folder):
    """Asserts what holds for every export with free sides; returns the shapes of its inputs."""
    name = manifest["file"]
    assert {path.name for path in folder.iterdir()} == {name, f"{name}.json"}
    assert json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) == manifest
    images = manifest["check"]["images"]
    assert len({str(image["inputs"]) for image in images}) == 3
    assert manifest["check"]["max_difference"] == max(image["max_difference"] for image in images) <= TOLERANCE
    return {port["name"]: port["shape"] for port in manifest["inputs"]}


def test_onnx_of_free_height_and_width(exported):
    manifest, path = exported
    assert path.name == "model.onnx"
    assert checked(manifest, path.parent) == {
        "content": ["batch", 3, "height", "width"],
        "style": ["batch", 3, "style_height", "style_width"],
    }
    assert manifest["outputs"][0]["shape"] == ["batch", 3, "height", "width"]


@pytest.mark.parametrize("part, images", [("fused", "cs"), ("predictor", "s"), ("transfer", "c"), ("tiles", "c")])
def test_the_json_says_the_smallest_sizes(part, images, stylizer):
    made = make_part(stylizer.networks.model, part, free_batch=True)
    manifest = make_manifest(made, "m.onnx", "ONNX", stylizer.networks.model, {}, {}, {})
    expected = {"batch": {"at_least": 1, "multiple_of": 1}}
    if "c" in images:
        expected |= dict.fromkeys(("height", "width"), {"at_least": 16, "multiple_of": 4})
        pad = manifest["inputs"][0]["preprocessing"][0]
        assert (pad["at_least"], pad["multiple_of"]) == (16, 4)
    if "s" in images:
        expected |= dict.fromkeys(("style_height", "style_width"), {"at_least": 64, "multiple_of": 1})
    assert manifest["free_sides"] == expected


def test_images_of_the_smallest_sizes_are_taken(exported, stylizer, onnx_graph):
    sizes = {name: rule["at_least"] for name, rule in exported[0]["free_sides"].items()}
    content = noise(1, 3, sizes["height"], sizes["width"])
    style = noise(1, 3, sizes["style_height"], sizes["style_width"], seed=1)
    expected = stylizer.networks.transfer(content, stylizer.networks.embed(style))
    assert np.abs(onnx_graph.load(exported[1])(content, style) - expected).max() <= TOLERANCE


@pytest.mark.parametrize("parts", ["fused", "predictor"])
def test_mindir_of_free_height_and_width(parts, export_settings, runtime, tmp_path):
    shapes = checked(exporter.export(export_settings(parts=parts, dynamic=True), runtime), tmp_path)
    assert shapes["style"] == [1, 3, "style_height", "style_width"]
    assert shapes.get("content") == ([1, 3, "height", "width"] if parts == "fused" else None)


@pytest.mark.parametrize("file_format", ["MINDIR", "ONNX"])
def test_fixed_height_and_width(file_format, export_settings, runtime, tmp_path, onnx_graph):
    folder = tmp_path / "a folder" / "größe"
    options = export_settings(file_format=file_format, parts="transfer", file_name=str(folder / "m"))
    manifest = exporter.export(options, runtime)
    assert [port["shape"] for port in manifest["inputs"]] == [[1, 3, 32, 40], [1, 100]]
    assert manifest["free_sides"] == {}
    assert manifest["check"]["max_difference"] <= TOLERANCE
    module = onnx_graph if file_format == "ONNX" else mindir
    run = module.load(folder / manifest["file"])
    assert run(noise(1, 3, 32, 40), np.zeros((1, 100), np.float32)).shape == (1, 3, 32, 40)


def test_the_json_names_the_source_and_the_versions(exported, tiny_checkpoint):
    manifest, _ = exported
    assert manifest["source"]["checkpoint"] == tiny_checkpoint.name
    assert manifest["source"]["metadata"]["network"] == manifest["network"]
    assert manifest["embedding_size"] == 100
    assert manifest["versions"].keys() == {"mindspore", "numpy", "onnx", "onnxruntime", "opset", "ir_version"}
    for port in (*manifest["inputs"], *manifest["outputs"]):
        described = port["dtype"], port["layout"], port["colours"], port["range"]
        assert described == ("float32", "NCHW", "RGB", [0.0, 1.0])


def resize(picture, height, width):
    return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def crop(picture, height, width):
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]


def prepared(picture, steps):
    """What a program that knows only the JSON does with a picture."""
    for step in steps:
        height, width = picture.shape[:2]
        if step["step"] == "pad":
            sides = [
                max(step["at_least"], -(-side // step["multiple_of"]) * step["multiple_of"]) for side in (height, width)
            ]
            assert step["sides"] == ["bottom", "right"]
            widths = ((0, sides[0] - height), (0, sides[1] - width), (0, 0))
            picture = np.pad(picture, widths, mode=step["mode"])
        elif "longest_over_shortest_side" in step:
            longest = step["longest_over_shortest_side"] * min(height, width)
            picture = crop(picture, min(height, longest), min(width, longest))
        elif step["step"] == "center_crop":
            picture = crop(picture, step["height"], step["width"])
        elif "short_side" in step:
            scale = step["short_side"] / min(height, width)
            picture = resize(picture, round(height * scale), round(width * scale))
        elif step["step"] == "resize":
            scale = max(want / side for want, side in zip(step["cover"], (height, width), strict=True))
            picture = resize(picture, round(height * scale), round(width * scale))
        elif step["step"] == "divide":
            picture = picture.astype(np.float32) / step["by"]
        else:
            assert step == {"step": "transpose", "from": "HWC", "to": "NCHW"}
            picture = picture.transpose(2, 0, 1)[None]
    return picture


def finished(array, steps, content):
    for step in steps:
        if step["step"] == "transpose":
            array = array[0].transpose(1, 2, 0)
        elif step["step"] == "multiply":
            array = array * step["by"]
        elif step["step"] == "round":
            array = array.round().astype(step["to"])
        else:
            array = array[: content.shape[0], : content.shape[1]]
    return array


@pytest.mark.parametrize("content_size, style_size", [((45, 62), (90, 61)), ((5, 9), (40, 300))])
def test_the_json_is_enough_to_stylise_as_the_project_does(
    content_size, style_size, exported, stylizer, image, onnx_graph
):
    manifest, path = exported
    content, style = image(*content_size, 0), image(*style_size, 1)
    pictures = {"content": content, "style": style}
    arrays = [prepared(pictures[port["name"]], port["preprocessing"]) for port in manifest["inputs"]]
    found = finished(onnx_graph.load(path)(*arrays), manifest["outputs"][0]["postprocessing"], content)
    expected = stylizer.stylize(content, stylizer.embed(style))
    assert found.shape == content.shape
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert expected.std() > 5


def test_the_json_of_a_fixed_size_makes_any_picture_fit(stylizer, image):
    part = make_part(stylizer.networks.model, "fused", (32, 40), (64, 80))
    manifest = make_manifest(part, "m.mindir", "MINDIR", stylizer.networks.model, {}, {}, {})
    for port, size in zip(manifest["inputs"], ((32, 40), (64, 80)), strict=True):
        for picture in (image(100, 33), image(20, 30), image(64, 80)):
            assert prepared(picture, port["preprocessing"]).shape == (1, 3, *size)
    exact = image(32, 40)
    assert (prepared(exact, manifest["inputs"][0]["preprocessing"]) == to_network(exact)).all()
    assert "crop" not in [step["step"] for step in manifest["outputs"][0]["postprocessing"]]


# as a user calls it


def test_as_a_user_calls_it(run_entry_point, tiny_checkpoint, tmp_path, onnx_graph):
    name = tmp_path / "new" / "net"
    call = ["export.py", "--ckpt_path", tiny_checkpoint, "--file_format", "ONNX", "--file_name", name, "--dynamic"]
    done = run_entry_point(*call, "--device_target", "CPU")
    assert done.returncode == 0, done.stderr
    assert "read back by ONNX Runtime: at most" in done.stdout and "net.onnx (" in done.stdout
    assert sorted(path.name for path in name.parent.iterdir()) == ["net.onnx", "net.onnx.json"]
