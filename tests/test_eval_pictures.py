"""eval.py --pictures: another program's pastiches get the figures of a model's."""

import numpy as np
import pytest
from eval_runs import Counting, read_rows

import eval as eval_entry
from src.errors import run_entry
from src.evaluation.metrics import ImageMetric
from src.evaluation.pairs import evaluate_pairs
from src.images.files import write_image


def write_pictures(folder, image_folders, method, size=48):
    """A picture of every pair but one, as another program would leave them."""
    contents, styles = (sorted(path.iterdir()) for path in image_folders)
    for pair in evaluate_pairs(contents, styles, method, ImageMetric(), size):
        stem = f"{contents[pair.content_index].stem}_{styles[pair.style_index].stem}"
        if stem != "content_1_style_2":
            write_image(folder / f"{stem}.{'bmp' if pair.style_index else 'png'}", pair.pastiche)


def test_pictures_of_another_program_get_the_figures_of_a_model(call_eval, stylizer, image_folders, tmp_path):
    write_pictures(tmp_path / "theirs", image_folders, stylizer)
    write_image(tmp_path / "theirs" / "sheet.png", np.zeros((8, 8, 3), np.uint8))
    common = ("--content_path", image_folders[0], "--style_path", image_folders[1], "--image_size", 48)
    assert call_eval(*common, "--output_path", tmp_path / "model")[0] == 0
    theirs = ("--pictures", tmp_path / "theirs", "--output_path", tmp_path / "measured")
    code = run_entry(eval_entry.main, list(map(str, (*common, *theirs))))
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "measured").iterdir()) == ["grid.png", "metrics.csv"]
    expected = {(row["content"], row["style"]): row for row in read_rows(tmp_path / "model")}
    found = read_rows(tmp_path / "measured")
    assert len(found) == 11
    for row in found:
        model = expected[row["content"], row["style"]]
        assert row["picture"].rpartition(".")[0] == model["picture"].rpartition(".")[0]
        assert row["milliseconds"] == "" and row["ssim"] != ""
        for key in ("ssim", "grid_energy", "colour_mean", "colour_covariance"):
            assert row[key] == model[key]


def test_pictures_says_what_it_measured(image_folders, tmp_path, capsys):
    write_pictures(tmp_path / "theirs", image_folders, Counting())
    write_image(tmp_path / "theirs" / "sheet.png", np.zeros((8, 8, 3), np.uint8))
    paths = ("--content_path", image_folders[0], "--style_path", image_folders[1], "--output_path", tmp_path / "out")
    arguments = (*paths, "--image_size", 48, "--pictures", tmp_path / "theirs")
    assert run_entry(eval_entry.main, list(map(str, arguments))) == 0
    out = capsys.readouterr().out
    assert "11 of the 12 pairs" in out and "sheet.png" in out and "milliseconds" not in out


@pytest.mark.parametrize(
    "arguments, naming",
    [
        (("--image_size", "64"), ["content_0_style_0", "48 x 48", "64 x 64", "image_size"]),
        (("--ckpt_path", "model.ckpt"), ["option ckpt_path"]),
        (("--interpolation", "3"), ["option interpolation"]),
        (("--iterations", "3"), ["option iterations"]),
        (("--write_pictures", "false"), ["option write_pictures"]),
        (("--method", "optimize"), ["option method"]),
        (("--pictures", "nowhere"), ["option pictures", "nowhere"]),
        (("--style_path", "{contents}"), ["option pictures", "content_0_content_0.png", "content_0_style_0"]),
        ((), ["same pair", "content_3_style_0.jpg"]),
    ],
)
def test_pictures_that_cannot_be_measured(image_folders, tmp_path, capsys, arguments, naming):
    write_pictures(tmp_path / "theirs", image_folders, Counting())
    if not arguments:
        write_image(tmp_path / "theirs" / "content_3_style_0.jpg", np.zeros((48, 48, 3), np.uint8))
    paths = ("--content_path", image_folders[0], "--style_path", image_folders[1], "--output_path", tmp_path / "out")
    given = (*paths, "--pictures", tmp_path / "theirs", "--image_size", 48)
    given += tuple(str(argument).replace("{contents}", str(image_folders[0])) for argument in arguments)
    assert run_entry(eval_entry.main, list(map(str, given))) == 2
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 1
    for text in naming:
        assert text in err[0]
    assert not (tmp_path / "out").exists()
