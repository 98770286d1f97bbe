"""The bundled table of styles: there for every engine, pastiches of their styles, blends between them."""

from pathlib import Path

import numpy as np
import pytest

import stylize
from src.engines.choice import BUNDLED_STYLES, bundled_styles, installed
from src.errors import run_entry
from src.images.files import read_at, read_image, resize_short_side
from src.images.sheets import labelled_sheet
from src.stylize.stylizer import Stylizer

ROOT = Path(__file__).resolve().parent.parent
SIDE, LARGEST = 128, 4 * 2**20
FILES = {path.stem: path for path in sorted((ROOT / "dataset/test/style").glob("*.jpg")) if path.stem != "woodcut"}
CONTENTS = sorted((ROOT / "dataset/test/content").glob("*.jpg"))
CAT = next(path for path in CONTENTS if path.stem == "cat")


@pytest.fixture(scope="module")
def table():
    return Stylizer.open(bundled_styles("mindspore"), engine="mindspore")


@pytest.fixture(scope="module")
def pastiches(table):
    """{style: its pastiches of CONTENTS}, as numbers."""
    contents = [read_at(path, SIDE) for path in CONTENTS]
    return {
        name: [table.stylize(content, table.embed(name)).astype(float) for content in contents] for name in table.styles
    }


def colour(image):
    return np.asarray(image, float).mean((0, 1))


def test_it_is_small_and_has_the_drawn_styles(table):
    assert table.styles == tuple(FILES)
    assert sum(path.stat().st_size for path in BUNDLED_STYLES.parent.glob("n_styles*")) < LARGEST


def test_pastiches_have_the_colours_of_their_own_style_rather_than_of_the_others(pastiches):
    wanted = {name: colour(read_at(path, SIDE)) for name, path in FILES.items()}
    places = {}
    for name, images in pastiches.items():
        found = np.mean([colour(image) for image in images], axis=0)
        places[name] = sorted(wanted, key=lambda other, found=found: np.abs(found - wanted[other]).sum()).index(name)
    assert sum(place < 2 for place in places.values()) >= 7, places


def test_blends_lead_from_one_style_to_the_other(table, pastiches):
    first, last = "burning_sky", "swirling_night"
    content, to_go = read_at(CAT, SIDE), []
    for part in (0, 0.25, 0.5, 0.75, 1):
        pastiche = table.stylize(content, table.embed({first: 1 - part, last: part}))
        to_go.append(np.abs(pastiche - pastiches[last][CONTENTS.index(CAT)]).mean())
    assert to_go[-1] == 0 and all(np.diff(to_go) < 0), to_go


@pytest.mark.parametrize("engine", ["mindspore", "onnxruntime", "openvino"])
def test_a_style_named_without_a_checkpoint_is_one_of_them(engine, tmp_path, pastiches, capsys):
    if not installed(engine):
        pytest.skip(f"{engine} is not installed")
    arguments = [
        str(CAT),
        "--style",
        "facets",
        "--size",
        str(SIDE),
        "--engine",
        engine,
        "-o",
        str(tmp_path / "o.png"),
    ]
    assert run_entry(stylize.main, arguments) == 0, capsys.readouterr().err
    found = read_image(tmp_path / "o.png")
    height, width = (found.shape[i] - SIDE for i in range(2))
    middle = found[height // 2 : height // 2 + SIDE, width // 2 : width // 2 + SIDE]
    assert np.abs(colour(middle) - colour(pastiches["facets"][CONTENTS.index(CAT)])).max() < 12


def test_a_square_of_blends_has_the_styles_at_its_corners(tmp_path, capsys):
    names = ["swirling_night", "wave_print", "facets", "hatching"]
    arguments = [str(CAT), "--styles", *names, "--blend_steps", "2", "--size", "64", "-o", str(tmp_path / "o.png")]
    assert run_entry(stylize.main, arguments) == 0, capsys.readouterr().err
    square = read_image(tmp_path / "o.png")
    assert (
        run_entry(stylize.main, [*arguments[:1], "--style", "hatching", *arguments[-4:-1], str(tmp_path / "h.png")])
        == 0
    )
    alone = read_image(tmp_path / "h.png")
    height, width = alone.shape[:2]
    assert np.array_equal(square[-height:, -width:], alone)


@pytest.mark.parametrize("styles", [(), ("washes", "facets")], ids=["all", "two"])
def test_a_sheet_of_the_table(tmp_path, capsys, styles):
    """All styles of the table without a word, otherwise those that are named, each with its name below."""
    pytest.importorskip("onnxruntime")
    pair = str(BUNDLED_STYLES.with_name("n_styles_transfer.onnx"))
    arguments = [str(CAT), "--sheet", "--checkpoint", pair, "--engine", "onnxruntime", "--size", "64"]
    arguments += ["--styles", *styles] if styles else []
    assert run_entry(stylize.main, [*arguments, "-o", str(tmp_path / "sheet.png")]) == 0, capsys.readouterr().err
    table, content = Stylizer.open(pair, engine="onnxruntime"), resize_short_side(read_image(CAT), 64)
    names = styles or tuple(FILES)
    frames = [content, *(table.stylize(content, table.embed(name)) for name in names)]
    found, expected = read_image(tmp_path / "sheet.png"), labelled_sheet(frames, [CAT.name, *names])
    assert found.shape == expected.shape and np.abs(found.astype(int) - expected).max() <= 1
