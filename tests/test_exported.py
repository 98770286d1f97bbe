"""The contract of exported files: what a pair takes is checked before it runs, damage and misfits are one line each."""

import json

import numpy as np
import pytest

import stylize
from src.engines.choice import open_networks
from src.engines.exported import Graph, assemble, reason
from src.errors import UserError, run_entry
from src.images.files import read_image, write_image
from src.stylize.stylizer import Stylizer, cover

HEIGHT, WIDTH, STYLE, DIM = 32, 48, (20, 28), 6
SHAPES = {
    "predictor": ({"style": (1, 3, *STYLE)}, (1, DIM)),
    "transfer": ({"content": (1, 3, HEIGHT, WIDTH), "embedding": (1, DIM)}, (1, 3, HEIGHT, WIDTH)),
}


def write_onnx(path, inputs, output, free=False):
    """A graph of that contract: the pastiche is the content, the embedding the mean colour of the style, twice."""
    onnx = pytest.importorskip("onnx", reason="needs requirements-onnx.txt")
    from onnx import helper

    def value(name, shape):
        sides = [f"{name}{i}" if free and i > 1 else side for i, side in enumerate(shape)]
        return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, sides)

    if "content" in inputs:
        nodes = [helper.make_node("Identity", ["content"], ["out"])]
    else:
        nodes = [
            helper.make_node("ReduceMean", ["style"], ["mean"], axes=[2, 3], keepdims=0),
            helper.make_node("Concat", ["mean", "mean"], ["out"], axis=1),
        ]
    ports = [value(name, shape) for name, shape in inputs.items()]
    graph = helper.make_graph(nodes, "graph", ports, [value("out", output)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))


@pytest.fixture(scope="module")
def onnx_pair(tmp_path_factory):
    """Files of a pair of ONNX graphs for one size."""
    folder = tmp_path_factory.mktemp("fixed")
    for part, (inputs, output) in SHAPES.items():
        write_onnx(folder / f"a_{part}.onnx", inputs, output)
    return str(folder / "a_transfer.onnx")


@pytest.fixture(scope="module")
def mindir_pair(tmp_path_factory):
    """Files of a pair of MindIR graphs for one size, with their JSON."""
    import mindspore as ms

    class Transfer(ms.nn.Cell):
        def construct(self, content, embedding):
            return content + 0 * embedding.sum()

    class Predictor(ms.nn.Cell):
        def construct(self, style):
            mean = style.mean((2, 3))
            return ms.ops.concat((mean, mean), 1)

    folder = tmp_path_factory.mktemp("fixed")
    for part, cell in (("predictor", Predictor()), ("transfer", Transfer())):
        inputs, output = SHAPES[part]
        path = folder / f"a_{part}.mindir"
        ms.export(
            cell,
            *(ms.Tensor(np.zeros(s, np.float32)) for s in inputs.values()),
            file_name=str(path),
            file_format="MINDIR",
        )
        ports = [{"name": name, "shape": shape} for name, shape in inputs.items()]
        about = {"embedding_size": DIM, "parts": part, "inputs": ports, "outputs": [{"name": "out", "shape": output}]}
        path.with_name(path.name + ".json").write_text(json.dumps(about))
    return str(folder / "a_transfer.mindir")


@pytest.fixture(params=["onnxruntime", "openvino", "mindir"])
def fixed(request):
    """A pair for one size, opened by each engine."""
    if request.param != "mindir":
        pytest.importorskip(request.param)
    pair = request.getfixturevalue("mindir_pair" if request.param == "mindir" else "onnx_pair")
    return Stylizer.open(pair, engine=request.param)


# one size


def test_a_picture_of_the_one_size_is_stylised(fixed, image):
    content = image(HEIGHT, WIDTH, 0)
    assert (fixed.stylize(content, np.zeros(DIM)) == content).all()
    assert (fixed.stylize(content[:-3, :-2], np.zeros(DIM)) == content[:-3, :-2]).all()


@pytest.mark.parametrize("size", [(64, 96), (48, 32), (24, 40), (36, 48)])
def test_a_content_of_another_size_is_refused_with_both(size, fixed, image):
    with pytest.raises(UserError, match=f"{size[1]} x {size[0]} pixels: .*takes {WIDTH} x {HEIGHT} only.*--dynamic"):
        fixed.stylize(image(*size, 0), np.zeros(DIM))


def test_a_style_is_resized_as_the_json_says(fixed, image):
    for size in ((200, 90), (30, 300), STYLE):
        style = image(*size, 1)
        expected = cover(style, STYLE).mean((0, 1)) / 255
        assert fixed.embed(style) == pytest.approx(np.tile(expected, 2), abs=1e-5)


def test_cover_keeps_the_shape_and_takes_the_middle():
    wide = np.zeros((10, 60, 3), np.uint8)
    wide[:, 20:40] = 200
    assert (cover(wide, (10, 20)) == 200).all()
    assert cover(wide, (20, 16)).shape == (20, 16, 3) and (cover(wide, (20, 16))[5:-5] > 190).all()
    assert cover(wide.transpose(1, 0, 2), (20, 10)).shape == (20, 10, 3)


def test_in_a_folder_the_misfits_are_named_and_the_rest_is_done(onnx_pair, image, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    (tmp_path / "in").mkdir()
    write_image(tmp_path / "in" / "fits.png", image(HEIGHT, WIDTH, 0))
    write_image(tmp_path / "in" / "larger.png", image(64, 96, 0))
    write_image(tmp_path / "style.png", image(40, 40, 1))
    arguments = [tmp_path / "in", tmp_path / "style.png", "-o", tmp_path / "out", "--checkpoint", onnx_pair]
    assert run_entry(stylize.main, [*map(str, arguments), "--engine", "onnxruntime"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and f"{tmp_path / 'in' / 'larger.png'}: content of 96 x 64 pixels" in lines[0]
    assert (read_image(tmp_path / "out" / "fits.png") == image(HEIGHT, WIDTH, 0)).all()


# files that don't fit


def test_other_parts_and_other_models_are_named(tmp_path):
    pytest.importorskip("onnxruntime")
    inputs, output = SHAPES["transfer"]
    write_onnx(tmp_path / "a_predictor.onnx", *SHAPES["predictor"])
    write_onnx(tmp_path / "a_transfer.onnx", {"content": inputs["content"], "style": (1, 3, *STYLE)}, output)
    with pytest.raises(UserError, match="a_transfer.onnx: takes content and style, expected content and embedding"):
        open_networks("onnxruntime", str(tmp_path / "a_transfer.onnx"))
    write_onnx(tmp_path / "a_transfer.onnx", {**inputs, "embedding": (1, 100)}, output)
    with pytest.raises(UserError, match=f"embeddings of 100 numbers, but a_predictor.onnx gives {DIM}"):
        open_networks("onnxruntime", str(tmp_path / "a_transfer.onnx"))
    write_onnx(tmp_path / "a_tiles.onnx", inputs, output)
    write_onnx(tmp_path / "a_transfer.onnx", inputs, output)
    networks = open_networks("onnxruntime", str(tmp_path / "a_transfer.onnx"))
    with pytest.raises(
        UserError, match="a_tiles.onnx: takes content and embedding, expected content and embedding and gi"
    ):
        networks.collect(np.zeros((1, 3, 32, 48), np.float32), np.zeros((1, DIM), np.float32))


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "mindir"])
@pytest.mark.parametrize("damage", ["empty", "text", "half"])
def test_a_damaged_file_is_one_line_with_the_reason(engine, damage, request, tmp_path, capfd):
    if engine != "mindir":
        pytest.importorskip(engine)
    from pathlib import Path

    pair = Path(request.getfixturevalue("mindir_pair" if engine == "mindir" else "onnx_pair"))
    for path in pair.parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    broken = tmp_path / pair.name
    whole = broken.read_bytes()
    broken.write_bytes({"empty": b"", "text": b"no graph", "half": whole[: len(whole) // 2]}[damage])
    capfd.readouterr()
    with pytest.raises(UserError) as caught:
        open_networks(engine, str(broken))
    said = str(caught.value)
    assert said.startswith(f"checkpoint {broken}: ") and "\n" not in said
    assert any(word in said.split("can't read it")[1] for word in ("model", "Model", "No graph", "damaged")), said
    assert capfd.readouterr().err == ""


def test_a_damaged_json_is_named(mindir_pair, tmp_path):
    from pathlib import Path

    for path in Path(mindir_pair).parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for text in ("{", "{}", '{"embedding_size": 6}', "[]"):
        (tmp_path / "a_transfer.mindir.json").write_text(text)
        with pytest.raises(UserError, match="a_transfer.mindir.json: missing or damaged"):
            open_networks("mindir", str(tmp_path / "a_transfer.mindir"))


def test_an_engine_that_fails_is_one_line_with_the_shapes(tmp_path):
    def fail(inputs):
        raise RuntimeError("Exception from src/a.cpp:1:\nCheck 'x' failed at b.cpp:2:\nno such kernel\n")

    files = [tmp_path / name for name in ("a_predictor.onnx", "a_transfer.onnx")]

    def read(path):
        inputs, output = SHAPES[path.stem.split("_")[1]]
        return Graph(path, inputs, [output], fail, (RuntimeError,))

    with pytest.raises(UserError, match=r"a_predictor.onnx: can't be run with style \[1, 3, 20, 28\]: no such kernel$"):
        assemble("some", files, read).embed(np.zeros((1, 3, *STYLE), np.float32))


def test_reason_of_an_empty_error_is_its_kind():
    assert reason(MemoryError()) == "MemoryError"
