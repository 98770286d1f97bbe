"""stylize.py --method optimize as a user calls it: its files, its resuming, its refusals."""

import csv

import numpy as np
import pytest

import stylize
from src.errors import run_entry
from src.images.files import read_image, write_image
from src.optimize.run import Checkpoints

SMALL = (
    "--method", "optimize", "--loss_network", "distilled_vgg19", "--style_taps", "relu1_1=1,relu2_1=1",
    "--content_taps", "relu2_2=1", "--normalize_losses", "--iterations", "6", "--print_iterations", "2",
)  # fmt: skip


@pytest.fixture
def files(tmp_path, image, monkeypatch):
    """The working folder, with photo.png and painting.png."""
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "photo.png", image(40, 48, 0))
    write_image(tmp_path / "painting.png", image(44, 60, 1))
    return tmp_path


@pytest.fixture
def call(files, loss_weights, capsys):
    """Function of arguments after the two pictures that runs stylize.py: exit code, lines of stdout and of stderr."""
    weights = ("--loss_network_ckpt", loss_weights / "vgg19_distilled_16x.npz")

    def run(*arguments, pictures=("photo.png", "painting.png")):
        code = run_entry(stylize.main, list(map(str, (*pictures, *SMALL, *weights, *arguments))))
        out, err = capsys.readouterr()
        return code, out.splitlines(), err.splitlines()

    return run


def test_a_picture_its_losses_and_its_progress(call, files):
    code, out, err = call("-o", "out.png", "--losses", "logs/out.csv")
    assert (code, out) == (0, ["out.png"])
    assert read_image("out.png").shape == (40, 48, 3)
    assert (read_image("out.png") != read_image("photo.png")).any()
    reports = [line for line in err if "total" in line]
    assert [line.split()[0] for line in reports] == ["2/6", "4/6", "6/6"]
    rows = list(csv.DictReader(open("logs/out.csv")))
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert float(rows[-1]["total"]) < float(rows[0]["total"])
    assert set(rows[0]) >= {"total", "content", "style", "tv", "style_relu1_1", "content_relu2_2"}


def test_curves_of_the_losses(call, files):
    pytest.importorskip("matplotlib")
    assert call("-o", "out.png", "--losses", "out.csv")[0] == 0
    assert min(read_image("out_curves.png").shape[:2]) > 200


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_stopped_run_goes_on_from_its_last_checkpoint(call, files, optimizer):
    common = ("--optimizer", optimizer, "--losses", "losses.csv")
    points = ("--checkpoint_iterations", 2, "--checkpoint_output", "points/out_%s.png")
    assert call(*common, "-o", "whole.png")[0] == 0
    whole = list(csv.DictReader(open("losses.csv")))
    assert call(*common, *points, "-o", "first.png", "--iterations", 4, "--overwrite")[0] == 0
    assert sorted(path.name for path in (files / "points").glob("*")) == ["out_2.png", "out_4.png", "out_4.state.npz"]
    code, _, err = call(*common, *points, "-o", "second.png", "--resume")
    assert code == 0 and [line.split()[0] for line in err if "total" in line] == ["6/6"]
    assert (read_image("second.png") == read_image("whole.png")).all()
    assert (read_image("points/out_6.png") == read_image("whole.png")).all()
    rows = list(csv.DictReader(open("losses.csv")))
    assert [row["total"] for row in rows] == [row["total"] for row in whole]


def test_without_its_state_it_goes_on_from_the_picture(call, files):
    points = ("--checkpoint_iterations", 2, "--checkpoint_output", "out_%s.png")
    assert call(*points, "-o", "first.png", "--iterations", 4)[0] == 0
    (files / "out_4.state.npz").unlink()
    assert call(*points, "-o", "second.png", "--resume")[0] == 0
    difference = np.abs(read_image("second.png").astype(int) - read_image("first.png"))
    assert 0 < difference.mean() < 10


def test_size_several_styles_and_a_folder(call, files, image):
    write_image(files / "photos" / "a.png", image(60, 80, 3))
    write_image(files / "photos" / "b.png", image(10, 80, 4))
    pictures = ("photos", "--styles", "painting.png", "photo.png", "--style_weights", 2, 1)
    code, out, err = call("-o", "done", "--image_width", 44, "--style_scale", 1, 0.9, pictures=pictures)
    assert code == 2 and out == ["done/a.png"]  # b is too low, and named
    assert any("b.png" in line and "44 x 6" in line for line in err)
    assert read_image("done/a.png").shape == (33, 44, 3)


def bad_calls():
    """(what is wrong, arguments, texts that the line must hold)."""
    points = ("--checkpoint_output", "out_%s.png")
    every = ("--checkpoint_iterations", "2")
    return [
        ("strength", ("--strength", "0.5"), ["option strength", "--method optimize"]),
        ("engine", ("--engine=openvino",), ["option engine", "--method optimize"]),
        ("checkpoints without a name", every, ["checkpoint_output", "both"]),
        ("name without a place", ("--checkpoint_output", "out.png", *every), ["checkpoint_output", "%s"]),
        ("name of no picture", ("--checkpoint_output", "out_%s.txt", *every), ["out_0.txt"]),
        ("resume from nothing", (*points, *every, "--resume"), ["option resume", "out_%s.png"]),
        ("resume without a name", ("--resume",), ["option resume", "--checkpoint_output"]),
        ("losses of no kind", ("--losses", "losses.txt"), ["option losses", ".csv"]),
        ("unknown optimizer", ("--optimizer", "sgd"), ["optimizer", "lbfgs"]),
        ("unknown layer", ("--style_taps", "relu9_1=1"), ["relu9_1"]),
        ("no weights", ("--loss_network_ckpt", "none.npz"), ["loss_network_ckpt", "none.npz"]),
        ("a MATLAB file", ("--loss_network_ckpt", "vgg.mat"), ["vgg.mat", "scripts/convert_weights.py"]),
        ("missing start", ("--init_image", "none.png"), ["none.png"]),
        ("two sizes", ("--size", "40", "--image_width", "40"), ["size", "image_width"]),
        ("too small", ("--size", "20"), ["photo.png", "32"]),
        ("no iterations", ("--iterations", "0"), ["option iterations"]),
        ("a model's style", ("--style", "udnie"), ["option style", "--method optimize"]),
        ("a model's styles", ("--style_weights", "udnie=1"), ["option style_weights", "name style images"]),
        ("a network's method", ("--method", "n_styles"), ["option loss_network", "--method optimize"]),
    ]


@pytest.mark.parametrize("arguments, naming", [case[1:] for case in bad_calls()], ids=[case[0] for case in bad_calls()])
def test_a_mistake_is_one_line(call, files, arguments, naming):
    (files / "vgg.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    before = sorted(files.iterdir())
    code, out, err = call("-o", "out.png", *arguments)
    assert code == 2 and out == []
    assert len(err) == 1 and err[0].startswith("error: "), err
    for text in naming:
        assert text in err[0]
    assert sorted(files.iterdir()) == before


def test_options_of_the_optimisation_are_refused_without_it(files, capsys):
    for option in ("--iterations", "--style_weight"):
        assert run_entry(stylize.main, ["photo.png", "painting.png", "-o", "out.png", option, "3"]) == 2
        assert f"option {option[2:]}: " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["out.png", "losses.csv", "losses_curves.png", "out_4.png"])
def test_files_that_exist_are_kept_unless_told(call, files, name):
    (files / name).write_bytes(b"precious")
    arguments = ("-o", "out.png", "--losses", "losses.csv")
    arguments += ("--checkpoint_iterations", 4, "--checkpoint_output", "out_%s.png")
    code, _, err = call(*arguments)
    assert code == 2 and name in err[0] and "--overwrite" in err[0]
    assert (files / name).read_bytes() == b"precious"


def test_a_checkpoint_of_other_options_is_refused(call, files):
    points = ("--checkpoint_iterations", 2, "--checkpoint_output", "out_%s.png", "-o", "out.png")
    assert call(*points, "--iterations", 2)[0] == 0
    for options, naming in (
        (("--image_width", 40), "48 pixels wide"),
        (("--optimizer", "lbfgs"), "not made by lbfgs"),
        (("--iterations", 1), "past the last iteration"),
    ):
        code, _, err = call(*points, "--resume", "--overwrite", *options)
        assert code == 2 and naming in err[0]
    (files / "out_2.state.npz").write_bytes(b"half")
    code, _, err = call(*points, "--resume", "--overwrite")
    assert code == 2 and "out_2.state.npz: not a .npz file of arrays, or damaged" in err[0]


def test_numbers_of_checkpoints_are_read_from_their_names(tmp_path, image):
    for name in ("a_10.png", "a_9.png", "a_x.png", "b_11.png", "a_12.jpg"):
        write_image(tmp_path / name, image(8, 8, 0)) if "x" not in name else (tmp_path / name).touch()
    assert Checkpoints(str(tmp_path / "a_%s.png"), overwrite=True, resume=False).numbers() == [9, 10]
