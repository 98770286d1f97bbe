"""Which pairs are evaluated, under which names, and the table and summary of their figures."""

from types import SimpleNamespace

import numpy as np
from eval_runs import Counting, read_rows

from src.evaluation.found_pictures import with_pictures
from src.evaluation.metrics import ImageMetric, Measurement
from src.evaluation.names import relative_names, unique_names
from src.evaluation.pairs import EvaluationFolder, Pair, evaluate_pairs, write_table
from src.images.files import center_crop, read_image, resize_short_side


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


def test_contents_and_styles_without_a_picture_are_left_out():
    found = with_pictures({(2, 1): "cy", (0, 1): "ay", (0, 3): "aw"}, ["a", "b", "c"], ["x", "y", "z", "w"])
    assert found == (["a", "c"], ["y", "w"], {(1, 0): "cy", (0, 0): "ay", (0, 1): "aw"})
