"""eval.py: what it writes, what it measures, what it refuses."""

import csv
import statistics
from types import SimpleNamespace

import numpy as np
import pytest

import eval as eval_entry
from src.engines.choice import open_networks
from src.errors import run_entry
from src.evaluation.found_pictures import with_pictures
from src.evaluation.metrics import ImageMetric, Measurement
from src.evaluation.names import relative_names, unique_names
from src.evaluation.pairs import EvaluationFolder, Pair, evaluate_pairs, write_table
from src.images.files import center_crop, read_image, resize_short_side, write_image
from src.stylize.stylizer import Stylizer


@pytest.fixture(scope="module")
def stylizer(tiny_checkpoint):
    return Stylizer.open(tiny_checkpoint, engine="mindspore")


@pytest.fixture
def call(stylizer, tiny_checkpoint, capsys, monkeypatch):
    """Function of arguments that runs eval.py in this process: exit code, stdout, lines of stderr.

    For the tiny checkpoint it takes networks that are compiled already; `test_as_a_user_calls_it` loads its own.
    """
    load = open_networks

    def load_once(engine, checkpoint, *rest):
        return stylizer.networks if checkpoint == str(tiny_checkpoint) else load(engine, checkpoint, *rest)

    monkeypatch.setattr("src.stylize.stylizer.open_networks", load_once)

    def run(*arguments):
        code = run_entry(eval_entry.main, ["--ckpt_path", str(tiny_checkpoint), *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return run


def read_rows(folder):
    with open(folder / "metrics.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Counting:
    """A method that returns the content with the style's mean colour in its corner, and counts its calls."""

    def __init__(self):
        self.embedded, self.stylised = 0, 0

    def embed(self, style):
        self.embedded += 1
        return style.mean((0, 1)).astype(np.uint8)

    def stylize(self, content, embedding):
        self.stylised += 1
        pastiche = content.copy()
        pastiche[0, 0] = embedding
        return pastiche


def test_every_content_with_every_style_embedded_once(image_folders):
    contents, styles = (sorted(folder.iterdir()) for folder in image_folders)
    method = Counting()
    pairs = list(evaluate_pairs(contents, styles, method, ImageMetric()))
    assert [(p.content_index, p.style_index) for p in pairs] == [(i, j) for i in range(4) for j in range(3)]
    assert method.embedded == 3
    assert method.stylised == 4 * 3 + 1  # one before the clock runs
    for pair in pairs:
        assert (pair.content == read_image(contents[pair.content_index])).all()
        assert (pair.pastiche[0, 0] == read_image(styles[pair.style_index]).mean((0, 1)).astype(np.uint8)).all()


def test_of_a_table_each_style_is_embedded_by_its_own_name(image_folders):
    contents, styles = (sorted(folder.iterdir()) for folder in image_folders)
    asked = {"first": 10, "second": 20, "third": 30}

    class Table(Counting):
        def embed(self, name):
            return np.full(3, asked[name], np.uint8)

    pairs = evaluate_pairs(contents[:2], styles, Table(), ImageMetric(), names=list(asked))
    assert [int(pair.pastiche[0, 0, 0]) for pair in pairs] == [10, 20, 30] * 2


def test_image_size_crops_contents_and_styles(image_folders):
    contents, styles = (sorted(folder.iterdir()) for folder in image_folders)
    seen = []

    class Looking(Counting):
        def embed(self, style):
            seen.append(style.shape)
            return super().embed(style)

    pairs = list(evaluate_pairs(contents[:1], styles, Looking(), ImageMetric(), image_size=48))
    assert seen == [(48, 48, 3)] * 3
    assert (pairs[0].content == center_crop(resize_short_side(read_image(contents[0]), 48), 48)).all()


def test_names_never_collide():
    assert unique_names(["a_b", "c", "a_b", "A_B", "a_b-2"]) == ["a_b", "c", "a_b-2", "A_B-3", "a_b-2-2"]


def test_names_in_the_table(tmp_path):
    paths = [tmp_path / "a.png", tmp_path / "sub" / "a.png"]
    assert relative_names(paths, str(tmp_path)) == ["a.png", "sub/a.png"]
    assert relative_names(paths[:1], str(paths[0])) == ["a.png"]


def test_own_size_without_loss_network(call, stylizer, image_folders, tmp_path):
    contents, styles = image_folders
    arguments = ("--content_path", contents, "--style_path", styles, "--output_path", tmp_path / "new" / "out")
    code, out, err = call(*arguments)
    folder = tmp_path / "new" / "out"
    assert (code, err) == (0, [])
    assert "structural similarity" in out and "loss_network_ckpt" in out
    names = {f"content_{i}_style_{j}.png" for i in range(4) for j in range(3)}
    assert {path.name for path in folder.iterdir()} == names | {"grid.png", "metrics.csv"}
    expected = stylizer.stylize(
        read_image(contents / "content_3.png"), stylizer.embed(read_image(styles / "style_1.png"))
    )
    assert expected.shape == (97, 131, 3)
    assert (read_image(folder / "content_3_style_1.png") == expected).all()
    rows = read_rows(folder)
    assert [(row["content"], row["style"]) for row in rows] == [
        (f"content_{i}.png", f"style_{j}.png") for i in range(4) for j in range(3)
    ]
    assert all(row["style_left"] == "" and row["content_distance"] == "" for row in rows)
    assert all(-1 <= float(row["ssim"]) <= 1 and float(row["milliseconds"]) > 0 for row in rows)
    assert {row["picture"] for row in rows} == names


def test_each_figure_stands_in_its_own_column(tmp_path):
    measured = Measurement(0.1, 2.0, 3.0, 0.4, 0.5, 0.6, {"relu1_1": 0.7, "relu2_1": float("nan")})
    pair = Pair(0, 0, None, None, None, measured, 8.0)
    write_table(tmp_path / "metrics.csv", [{"content": "a.jpg", **pair.figures()}])
    assert read_rows(tmp_path) == [
        {
            "content": "a.jpg",
            "ssim": "0.1",
            "content_distance": "0.5",
            "style_left": "0.6",
            "style_left_relu1_1": "0.7",
            "style_left_relu2_1": "",
            "grid_energy": "2",
            "colour_mean": "3",
            "colour_covariance": "0.4",
            "milliseconds": "8",
        }
    ]


def test_the_summary_is_medians_and_outer_tenths():
    named = {"content": "a", "style": "b", "picture": "c"}
    figures = [{"ssim": n / 10, "style_left": float("nan"), "grid_energy": 1.0 * n} for n in range(11)]
    table = EvaluationFolder.summary(SimpleNamespace(rows=[{**named, **row} for row in figures]))
    assert [line.split() for line in table.splitlines()] == [
        ["median", "10", "%", "90", "%"],
        ["ssim", "0.5000", "0.1000", "0.9000"],
        ["grid_energy", "5.0", "1.0", "9.0"],
    ]


def test_deterministic(call, image_folders, tmp_path):
    contents, styles = image_folders
    for run in ("first", "second"):
        code, _, _ = call(
            "--content_path", contents, "--style_path", styles, "--output_path", tmp_path / run, "--image_size", 32
        )
        assert code == 0
    first, second = (sorted((tmp_path / run).glob("*.png")) for run in ("first", "second"))
    assert len(first) == 13
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_figures_and_summary_with_the_distilled_network(call, image_folders, shared, tmp_path):
    weights = shared("weights", "vgg19_distilled_16x.npz")
    contents, styles = image_folders
    network = ("--loss_network", "distilled_vgg19", "--loss_network_ckpt", weights, "--image_size", "64")
    arguments = ("--content_path", contents, "--style_path", styles, "--output_path", tmp_path, *network)
    code, out, err = call(*arguments, "--write_pictures", "false")
    assert (code, err) == (0, [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["grid.png", "metrics.csv"]
    rows = read_rows(tmp_path)
    taps = [float(rows[0][f"style_left_relu{i}_1"]) for i in range(1, 6)]
    assert float(rows[0]["style_left"]) == pytest.approx(statistics.fmean(taps), rel=1e-4)
    table = {line.split()[0]: line.split()[1:] for line in out.splitlines() if len(line.split()) == 4}
    for key in ("style_left", "content_distance", "ssim", "grid_energy", "colour_mean", "colour_covariance"):
        values = [float(row[key]) for row in rows]
        assert np.isfinite(values).all()
        expected = [statistics.median(values), *np.quantile(values, (0.1, 0.9))]
        digits = len(table[key][0].partition(".")[2])
        assert list(map(float, table[key])) == pytest.approx(expected, abs=10**-digits)


def write_pictures(folder, image_folders, method, size=48):
    """A picture of every pair but one, as another program would leave them."""
    contents, styles = (sorted(path.iterdir()) for path in image_folders)
    for pair in evaluate_pairs(contents, styles, method, ImageMetric(), size):
        stem = f"{contents[pair.content_index].stem}_{styles[pair.style_index].stem}"
        if stem != "content_1_style_2":
            write_image(folder / f"{stem}.{'bmp' if pair.style_index else 'png'}", pair.pastiche)


def test_pictures_of_another_program_get_the_figures_of_a_model(call, stylizer, image_folders, tmp_path):
    write_pictures(tmp_path / "theirs", image_folders, stylizer)
    write_image(tmp_path / "theirs" / "sheet.png", np.zeros((8, 8, 3), np.uint8))
    common = ("--content_path", image_folders[0], "--style_path", image_folders[1], "--image_size", 48)
    assert call(*common, "--output_path", tmp_path / "model")[0] == 0
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


def test_contents_and_styles_without_a_picture_are_left_out():
    found = with_pictures({(2, 1): "cy", (0, 1): "ay", (0, 3): "aw"}, ["a", "b", "c"], ["x", "y", "z", "w"])
    assert found == (["a", "c"], ["y", "w"], {(1, 0): "cy", (0, 0): "ay", (0, 1): "aw"})


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


def test_same_stems_in_two_folders_do_not_overwrite_each_other(call, tmp_path, image):
    for number, name in enumerate(("x/a.png", "y/a.png", "a.jpg")):
        write_image(tmp_path / "contents" / name, image(32, 32, number))
    write_image(tmp_path / "style.png", image(32, 32, 5))
    out = tmp_path / "out"
    code, _, _ = call(
        "--content_path", tmp_path / "contents", "--style_path", tmp_path / "style.png", "--output_path", out
    )
    assert code == 0
    rows = read_rows(out)
    assert {row["content"]: row["picture"] for row in rows} == {
        "a.jpg": "a_style.png",
        "x/a.png": "a_style-2.png",
        "y/a.png": "a_style-3.png",
    }
    assert len({(out / row["picture"]).read_bytes() for row in rows}) == 3


def test_interpolation_strips(call, stylizer, image_folders, tmp_path):
    contents, styles = image_folders
    arguments = ("--content_path", contents / "content_0.png", "--style_path", styles, "--output_path", tmp_path)
    assert call(*arguments, "--interpolation", 3)[0] == 0
    folder = tmp_path / "interpolation"
    assert sorted(path.name for path in folder.iterdir()) == [
        "content_0_style_0.png",
        "content_0_style_0_to_style_1.png",
        "content_0_style_1.png",
        "content_0_style_1_to_style_2.png",
        "content_0_style_2.png",
    ]
    pastiches = [read_image(tmp_path / f"content_0_style_{j}.png") for j in range(3)]
    width = pastiches[0].shape[1]
    to_style = read_image(folder / "content_0_style_1.png")
    between = read_image(folder / "content_0_style_1_to_style_2.png")
    assert to_style.shape == between.shape == (96, 3 * width + 8, 3)
    close = {"atol": 1, "rtol": 0}
    np.testing.assert_allclose(to_style[:, -width:].astype(int), pastiches[1], **close)
    np.testing.assert_allclose(between[:, :width].astype(int), pastiches[1], **close)
    np.testing.assert_allclose(between[:, -width:].astype(int), pastiches[2], **close)
    content = read_image(contents / "content_0.png")
    own = stylizer.stylize(content, stylizer.embed(content))
    np.testing.assert_allclose(to_style[:, :width].astype(int), own, **close)


def test_extreme_contents_and_styles(call, tmp_path, image):
    write_image(tmp_path / "c" / "dot.png", image(1, 1, 0))
    write_image(tmp_path / "c" / "long.png", image(80, 12000, 1))
    assert (
        call("--content_path", tmp_path / "c", "--style_path", tmp_path / "c", "--output_path", tmp_path / "o")[0] == 0
    )
    assert read_image(tmp_path / "o" / "dot_long.png").shape == (1, 1, 3)
    assert read_image(tmp_path / "o" / "long_dot.png").shape == (80, 12000, 3)


BAD = {
    "missing content folder": (("--content_path", "nowhere"), ["content_path", "nowhere"]),
    "missing style folder": (("--style_path", "nowhere"), ["style_path", "nowhere"]),
    "empty folder": (("--content_path", "empty"), ["content_path", "empty", "no image"]),
    "unreadable content": (("--content_path", "broken"), ["text.png", "not an image"]),
    "unreadable style": (("--style_path", "broken"), ["text.png", "not an image"]),
    "file in place of the output": (("--output_path", "broken/text.png"), ["output_path", "text.png", "folder"]),
    "tiny image size": (("--image_size", "3"), ["image_size", "3"]),
    "no whole number": (("--image_size", "big"), ["image_size", "big"]),
    "one step": (("--interpolation", "1"), ["interpolation", "1"]),
    "unknown option": (("--image_sise", "64"), ["--image_sise"]),
    "unknown loss network": (("--loss_network", "vgg11"), ["loss_network", "vgg11"]),
    "missing loss network": (("--loss_network_ckpt", "nowhere.ckpt"), ["loss_network_ckpt", "nowhere.ckpt"]),
    "wrong loss network": (("--loss_network_ckpt", "broken/text.png"), ["text.png"]),
    "missing checkpoint": (("--ckpt_path", "nowhere.ckpt"), ["nowhere.ckpt"]),
    "wrong checkpoint": (("--ckpt_path", "broken/text.png"), ["text.png"]),
}


@pytest.mark.parametrize("arguments, naming", BAD.values(), ids=BAD.keys())
def test_bad_input(call, image_folders, tmp_path, monkeypatch, arguments, naming):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "text.png").write_text("no picture")
    good = ("--content_path", image_folders[0], "--style_path", image_folders[1], "--output_path", "out")
    code, _, err = call(*good, *arguments)
    assert code != 0
    assert len(err) == 1 and err[0].startswith("error: "), err
    for text in naming:
        assert text in err[0]
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "broken" / "text.png").read_text() == "no picture"


OPTIMIZE = (
    *("--method", "optimize", "--loss_network", "distilled_vgg19", "--style_taps", "relu1_1=1,relu2_1=1"),
    *("--content_taps", "relu2_2=1", "--normalize_losses", "--iterations", 4, "--image_size", 32),
)


@pytest.fixture
def optimize(image_folders, loss_weights, tmp_path, capsys):
    """Function of arguments that evaluates the optimisation in this process: exit code, stdout, lines of stderr."""

    def run(*arguments):
        paths = ("--content_path", image_folders[0], "--style_path", image_folders[1], "--output_path", tmp_path / "o")
        weights = ("--loss_network_ckpt", loss_weights / "vgg19_distilled_16x.npz")
        code = run_entry(eval_entry.main, list(map(str, (*paths, *OPTIMIZE, *weights, *arguments))))
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return run


def test_the_optimisation_is_evaluated_as_a_model(optimize, tmp_path):
    code, out, err = optimize()
    assert (code, err) == (0, [])
    rows = read_rows(tmp_path / "o")
    assert len(rows) == 12 and statistics.median(float(row["style_left"]) for row in rows) < 0.95
    assert (tmp_path / "o" / "grid.png").is_file()


@pytest.mark.parametrize(
    "arguments, naming",
    [
        (("--ckpt_path", "model.ckpt"), "option ckpt_path"),
        (("--interpolation", "3"), "option interpolation"),
        (("--checkpoint_output", "out_%s.png"), "option checkpoint_output"),
        (("--method", "arbitrary"), "option iterations"),
        (("--method", "n_styles"), "option iterations"),
        (("--iterations", "0"), "option iterations"),
    ],
)
def test_options_that_the_optimisation_does_not_read(optimize, tmp_path, arguments, naming):
    code, _, err = optimize(*arguments)
    assert code == 2 and len(err) == 1 and naming in err[0]
    assert not (tmp_path / "o").exists()


def test_as_a_user_calls_it(run_entry_point, image_folders, tiny_checkpoint, tmp_path):
    done = run_entry_point(
        "eval.py",
        *("--content_path", image_folders[0], "--style_path", image_folders[1], "--ckpt_path", tiny_checkpoint),
        *("--output_path", tmp_path / "out", "--image_size", 32),
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 contents x 3 styles" in done.stdout and "milliseconds" in done.stdout
    assert (tmp_path / "out" / "grid.png").is_file()
