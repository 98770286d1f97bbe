"""eval.py with a model: what it writes, what it measures, what it refuses."""

import statistics

import numpy as np
import pytest
from eval_runs import read_rows

from src.images.files import read_image, write_image


def test_own_size_without_loss_network(call_eval, stylizer, image_folders, tmp_path):
    contents, styles = image_folders
    arguments = ("--content_path", contents, "--style_path", styles, "--output_path", tmp_path / "new" / "out")
    code, out, err = call_eval(*arguments)
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


def test_shards_together_give_the_figures_of_the_whole(call_eval, image_folders, tmp_path):
    contents, styles = image_folders
    found = {}
    for shard, folder in (("", "."), ("0/3", "shard_0_of_3"), ("1/3", "shard_1_of_3"), ("2/3", "shard_2_of_3")):
        code, _, err = call_eval(
            *("--content_path", contents, "--style_path", styles, "--output_path", tmp_path, "--image_size", 32),
            *(("--shard", shard) if shard else ()),
        )
        assert (code, err) == (0, [])
        found[shard] = [{**row, "milliseconds": ""} for row in read_rows(tmp_path / folder)]
        assert all((tmp_path / folder / row["picture"]).is_file() for row in found[shard])
    whole = found.pop("")
    assert [len(rows) for rows in found.values()] == [6, 3, 3]
    parts = [row for rows in found.values() for row in rows]
    assert sorted(parts, key=lambda row: row["picture"]) == sorted(whole, key=lambda row: row["picture"])


def test_deterministic(call_eval, image_folders, tmp_path):
    contents, styles = image_folders
    for run in ("first", "second"):
        code, _, _ = call_eval(
            "--content_path", contents, "--style_path", styles, "--output_path", tmp_path / run, "--image_size", 32
        )
        assert code == 0
    first, second = (sorted((tmp_path / run).glob("*.png")) for run in ("first", "second"))
    assert len(first) == 13
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_figures_and_summary_with_the_distilled_network(call_eval, image_folders, shared, tmp_path):
    weights = shared("weights", "vgg19_distilled_16x.npz")
    contents, styles = image_folders
    network = ("--loss_network", "distilled_vgg19", "--loss_network_ckpt", weights, "--image_size", "64")
    arguments = ("--content_path", contents, "--style_path", styles, "--output_path", tmp_path, *network)
    code, out, err = call_eval(*arguments, "--write_pictures", "false")
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


def test_same_stems_in_two_folders_do_not_overwrite_each_other(call_eval, tmp_path, image):
    for number, name in enumerate(("x/a.png", "y/a.png", "a.jpg")):
        write_image(tmp_path / "contents" / name, image(32, 32, number))
    write_image(tmp_path / "style.png", image(32, 32, 5))
    out = tmp_path / "out"
    code, _, _ = call_eval(
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


def test_interpolation_strips(call_eval, stylizer, image_folders, tmp_path):
    contents, styles = image_folders
    arguments = ("--content_path", contents / "content_0.png", "--style_path", styles, "--output_path", tmp_path)
    assert call_eval(*arguments, "--interpolation", 3)[0] == 0
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


def test_extreme_contents_and_styles(call_eval, tmp_path, image):
    write_image(tmp_path / "c" / "dot.png", image(1, 1, 0))
    write_image(tmp_path / "c" / "long.png", image(80, 12000, 1))
    paths = ("--content_path", tmp_path / "c", "--style_path", tmp_path / "c", "--output_path", tmp_path / "o")
    assert call_eval(*paths)[0] == 0
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
def test_bad_input(call_eval, image_folders, tmp_path, monkeypatch, arguments, naming):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "text.png").write_text("no picture")
    good = ("--content_path", image_folders[0], "--style_path", image_folders[1], "--output_path", "out")
    code, _, err = call_eval(*good, *arguments)
    assert code != 0
    assert len(err) == 1 and err[0].startswith("error: "), err
    for text in naming:
        assert text in err[0]
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "broken" / "text.png").read_text() == "no picture"


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
