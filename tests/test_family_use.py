"""Models of all methods of the family are evaluated, exported and used alike."""

import csv

import numpy as np
import pytest
from family_runs import NETWORKS, STYLES, TABLES, checkpoint
from tiny_runs import RUNTIME

import eval as eval_entry
import stylize
from src import api
from src.config import defaults
from src.deploy.exporter import export
from src.errors import run_entry
from src.images.files import read_image, write_image
from src.stylize.stylizer import Stylizer


@pytest.mark.parametrize("method", NETWORKS)
def test_evaluates_with_its_own_styles(method, family_runs, image_folders, tmp_path, capsys):
    styles = image_folders[1] / "style_1.png" if method == "single_style" else image_folders[1]
    arguments = [
        "--ckpt_path",
        checkpoint(family_runs(method)),
        "--content_path",
        image_folders[0],
        "--style_path",
        styles,
    ]
    arguments += ["--output_path", tmp_path / "out", "--interpolation", 2, "--image_size", 32]
    assert run_entry(eval_entry.main, list(map(str, arguments))) == 0, capsys.readouterr().err
    with open(tmp_path / "out" / "metrics.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 4 * max(1, len(STYLES[method]) or 3)
    strips = sorted(path.name for path in (tmp_path / "out" / "interpolation").glob("content_0_*"))
    between = ["content_0_style_0_to_style_1.png", "content_0_style_1_to_style_2.png"]
    own = [f"content_0_style_{i}.png" for i in range(3)]
    assert strips == {"arbitrary": sorted(own + between), "n_styles": between, "single_style": []}[method]


def test_evaluation_of_a_style_that_the_model_lacks_is_refused(family_runs, image_folders, tmp_path, capsys):
    write_image(tmp_path / "other.png", read_image(image_folders[1] / "style_0.png"))
    arguments = ["--ckpt_path", checkpoint(family_runs("n_styles")), "--content_path", image_folders[0]]
    arguments += ["--style_path", tmp_path / "other.png", "--output_path", tmp_path / "out"]
    assert run_entry(eval_entry.main, list(map(str, arguments))) == 2
    assert "no style 'other'; it has style_0, style_1, style_2" in capsys.readouterr().err


@pytest.mark.parametrize("file_format", ["ONNX", "MINDIR"])
@pytest.mark.parametrize("method", TABLES)
def test_exported_pairs_stylise_as_the_checkpoint_does(method, file_format, family_runs, models, tmp_path, image):
    if file_format == "ONNX":
        pytest.importorskip("onnxruntime")
    path = str(checkpoint(family_runs(method)))
    for part in ("predictor", "transfer", *(["tiles"] if file_format == "ONNX" else [])):
        setting = {"ckpt_path": path, "file_name": str(tmp_path / f"m_{part}"), "parts": part, "dynamic": True}
        manifest = export(defaults(export={**setting, "file_format": file_format})["export"], RUNTIME)
        assert manifest["styles"] == list(STYLES[method])
    engine = {"ONNX": "onnxruntime", "MINDIR": "mindir"}[file_format]
    exported = Stylizer.open(str(tmp_path / f"m_transfer.{file_format.lower()}"), engine=engine)
    reference = models(method)
    assert exported.styles == reference.styles == STYLES[method]
    assert exported.networks.can_tile == (file_format == "ONNX")
    content, last = image(50, 70, 1), len(STYLES[method]) - 1
    blend = {0: 0.25, last: 0.75} if last else 0
    ours, theirs = (s.stylize(content, s.embed(blend)) for s in (exported, reference))
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert not np.array_equal(theirs, content)


@pytest.mark.parametrize("file_format", ["ONNX", "MINDIR"])
@pytest.mark.parametrize("method", TABLES)
def test_fused_graphs_take_weights_of_the_styles_or_the_content_alone(method, file_format, family_runs, tmp_path):
    if file_format == "ONNX":
        pytest.importorskip("onnxruntime")
    setting = {
        "ckpt_path": str(checkpoint(family_runs(method))),
        "file_name": str(tmp_path / "fused"),
        "parts": "fused",
    }
    sides = {"height": 32, "width": 40} if file_format == "MINDIR" else {"dynamic": True}
    manifest = export(defaults(export={**setting, **sides, "file_format": file_format})["export"], RUNTIME)
    assert manifest["check"]["max_difference"] < 1e-4
    names = {"n_styles": ["content", "weights"], "single_style": ["content"]}
    assert [entry["name"] for entry in manifest["inputs"]] == names[method]


@pytest.fixture(scope="module")
def models(family_runs):
    """Function of a method: its run's model for stylising, compiled once."""
    loaded = {}

    def of(method):
        if method not in loaded:
            loaded[method] = api.build_model(str(checkpoint(family_runs(method))))
        return loaded[method]

    return of


@pytest.fixture
def call(family_runs, models, tmp_path, image, capsys, monkeypatch):
    """Function of a method and arguments that runs stylize.py on photo.png with its checkpoint: code and error."""
    write_image(tmp_path / "photo.png", image(48, 64, 0))
    write_image(tmp_path / "painting.png", image(48, 64, 1))
    monkeypatch.chdir(tmp_path)

    def run(method, *arguments):
        networks = models(method).networks  # loaded before what loads them is replaced
        monkeypatch.setattr("src.stylize.stylizer.open_networks", lambda *_: networks)
        line = ["photo.png", *map(str, arguments), "-o", "out.png", "--overwrite"]
        code = run_entry(stylize.main, [*line, "--checkpoint", str(checkpoint(family_runs(method)))])
        return code, capsys.readouterr().err

    return run


def test_a_style_is_picked_by_name_or_number(call, models, tmp_path):
    model, pictures = models("n_styles"), []
    for style in ("style_2", "2", "0"):
        assert call("n_styles", "--style", style) == (0, "")
        pictures.append(read_image(tmp_path / "out.png"))
    assert (pictures[0] == pictures[1]).all() and (pictures[0] != pictures[2]).any()
    assert (api.predict(model, tmp_path / "photo.png", "style_2") == pictures[0]).all()
    several = api.predict(model, [tmp_path / "photo.png", read_image(tmp_path / "photo.png")], 0)
    assert all((picture == pictures[2]).all() for picture in several)


def test_a_network_of_a_single_style_needs_no_choice(call, models, tmp_path):
    assert call("single_style") == (0, "")
    assert (api.predict(models("single_style"), tmp_path / "photo.png") == read_image(tmp_path / "out.png")).all()


def test_blends_are_means_of_rows(call, models, tmp_path):
    assert call("n_styles", "--style_weights", "style_0=0.7,style_2=0.3") == (0, "")
    blended = read_image(tmp_path / "out.png")
    assert call("n_styles", "--styles", "0", "style_2", "--style_weights", 0.7, 0.3) == (0, "")
    assert (read_image(tmp_path / "out.png") == blended).all()
    model = models("n_styles")
    rows = [model.embed(name) for name in ("style_0", "style_2")]
    expected = model.stylize(read_image(tmp_path / "photo.png"), 0.7 * rows[0] + 0.3 * rows[1])
    assert np.abs(blended.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    "method, styles, shape",
    [
        ("n_styles", ["style_0", "style_2"], (48, 3 * 64 + 8, 3)),
        ("arbitrary", ["painting.png", "photo.png", "photo.png", "painting.png"], (3 * 48 + 8, 3 * 64 + 8, 3)),
    ],
)
def test_sheets_of_blends_begin_and_end_with_the_styles(call, tmp_path, method, styles, shape):
    assert call(method, "--styles", *styles, "--blend_steps", 3) == (0, "")
    sheet = read_image(tmp_path / "out.png")
    assert sheet.shape == shape
    for style, corner in ((styles[0], sheet[:48, :64]), (styles[-1], sheet[-48:, -64:])):
        assert call(method, *(["--style"] if method == "n_styles" else []), style) == (0, "")
        assert (read_image(tmp_path / "out.png") == corner).all()


@pytest.mark.parametrize(
    "method, arguments, naming",
    [
        ("n_styles", (), ["option style", "style_0, style_1, style_2"]),
        ("n_styles", ("--style", "style_9"), ["style_9", "0 style_0, 1 style_1, 2 style_2"]),
        ("n_styles", ("--style", "3"), ["'3'", "2 style_2"]),
        ("n_styles", ("painting.png",), ["painting.png", "--style"]),
        ("n_styles", ("--style_weights", "style_0=0.7,style_2=0.2"), ["style_0=0.7, style_2=0.2", "sum 0.9"]),
        ("n_styles", ("--style_weights", "style_0=1.5,style_2=-0.5"), ["style_2=-0.5", "from 0"]),
        ("n_styles", ("--style_weights", "style_0=0.5,0=0.5"), ["twice"]),
        ("n_styles", ("--styles", "1", "1"), ["twice"]),
        ("n_styles", ("--styles", "0", "1", "--style_weights", "1"), ["1 for 2 styles"]),
        ("n_styles", ("--style", "0", "--style_weights", "style_0=1"), ["more than one"]),
        ("n_styles", ("--style", "0", "--strength", "0.5", "--strength_by", "embedding"), ["strength_by", "pixels"]),
        ("n_styles", ("--style", "0", "--blend_steps", "5"), ["blend_steps", "1 style,", "2 for a strip or 4"]),
        ("n_styles", ("--styles", "0", "1", "--blend_steps", "1"), ["blend_steps", "found 1"]),
        ("n_styles", ("--styles", "0", "1", "--style_weights", "1", "0", "--blend_steps", "3"), ["blend_steps"]),
        ("single_style", ("--style", "other"), ["'other'", "0 style_1"]),
        ("arbitrary", ("--style", "style_0"), ["option style", "images"]),
        ("arbitrary", ("--style_weights", "a=0.5,b=0.5"), ["option style_weights", "images"]),
        ("arbitrary", (), ["option styles", "no style image"]),
    ],
)
def test_styles_that_can_not_be_picked_are_one_line(call, tmp_path, method, arguments, naming):
    code, error = call(method, *arguments)
    assert code == 2 and len(error.splitlines()) == 1, error
    assert not (tmp_path / "out.png").exists()
    for text in naming:
        assert text in error
