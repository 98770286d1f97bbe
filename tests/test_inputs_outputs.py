"""Which files are read and which are written: formats in folders, what is left out, and inputs that must stay."""

import contextlib
import importlib
import logging

import numpy as np
import pytest
from PIL import Image

import stylize
from src.engines.choice import find_parts
from src.errors import UserError, run_entry
from src.evaluation.pairs import EvaluationFolder
from src.images.files import list_images, read_image, write_image
from src.images.formats import FORMATS, readable_suffixes
from src.stylize.jobs import plan_jobs


@pytest.fixture
def photos(tmp_path):
    """A folder with a.jpg, b.png and trip/c.webp."""
    for name in ("a.jpg", "b.png", "trip/c.webp"):
        write_image(tmp_path / "photos" / name, np.zeros((8, 8, 3), np.uint8))
    return tmp_path / "photos"


@pytest.fixture
def left_out(caplog):
    """Function of a call: what it returns, and the one line of the log, or ''."""

    def run(call, *arguments):
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="style_transfer"):
            result = call(*arguments)
        messages = [record.getMessage() for record in caplog.records]
        assert len(messages) <= 1
        return result, "".join(messages)

    return run


def test_folders_are_searched_for_every_format_that_is_read():
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module("pillow_heif").register_heif_opener()
    endings = {ending for ending, name in Image.registered_extensions().items() if name in (*FORMATS, "MPO")}
    assert set(readable_suffixes()) == endings and len(readable_suffixes()) == len(endings)


def test_the_same_formats_in_a_folder_as_alone(tmp_path):
    image = Image.fromarray(np.full((8, 8, 3), 90, np.uint8))
    kinds = {"a.JPG": "JPEG", "b.tif": "TIFF", "c.gif": "GIF", "d.jfif": "JPEG", "e.ppm": "PPM", "f.webp": "WEBP"}
    for name, kind in kinds.items():
        image.save(tmp_path / name, format=kind)
    found = list_images(tmp_path, "content")
    assert [path.name for path in found] == sorted(kinds)
    assert all((np.abs(read_image(path).astype(int) - 90) <= 1).all() for path in found)


def test_one_line_counts_what_is_left_out(photos, left_out):
    assert left_out(list_images, photos, "content")[1] == ""
    for name in ("d.psd", "e.PSD", "notes.txt", "LICENCE", ".DS_Store", "._a.jpg", "trip/.thumbs/x.jpg"):
        (photos / name).parent.mkdir(exist_ok=True)
        (photos / name).write_bytes(b"x")
    found, line = left_out(list_images, photos, "content")
    assert [path.name for path in found] == ["a.jpg", "b.png", "c.webp"]
    assert line == f"{photos}: left out 2 .psd, 1 .txt, 3 hidden, 1 without an ending"


def test_a_folder_without_images_says_what_it_holds(tmp_path):
    (tmp_path / "a.psd").write_bytes(b"x")
    with pytest.raises(UserError, match=r"no image in it \(left out: 1 .psd\); expected .jpg"):
        list_images(tmp_path, "content")


def test_results_inside_the_contents_are_none(photos, left_out):
    for name in ("a.jpg", "trip/c.webp"):
        write_image(photos / "styled" / name, np.zeros((8, 8, 3), np.uint8))
    (jobs, _), line = left_out(plan_jobs, [photos], f"{photos}/styled", True)
    assert [job.output.relative_to(photos).as_posix() for job in jobs] == [
        "styled/a.jpg",
        "styled/b.png",
        "styled/trip/c.webp",
    ]
    assert line == f"{photos}: left out 2 in the output folder"


def test_a_content_that_is_a_link_into_the_output_folder_is_a_content(photos, left_out):
    write_image(photos / "styled" / "old.png", np.zeros((8, 8, 3), np.uint8))
    (photos / "again.png").symlink_to(photos / "styled" / "old.png")
    (jobs, _), line = left_out(plan_jobs, [photos], f"{photos}/styled", True)
    assert [job.content.name for job in jobs] == ["a.jpg", "again.png", "b.png", "c.webp"]
    assert "1 in the output folder" in line


def test_an_output_folder_above_the_contents_makes_no_results_of_them(photos, left_out):
    (jobs, _), line = left_out(plan_jobs, [photos / "trip"], str(photos), False)
    assert [(job.content, job.output) for job in jobs] == [(photos / "trip" / "c.webp", photos / "c.webp")]
    assert line == ""


def test_formats_that_are_only_read_become_png(photos):
    for name in ("a.tif", "b.gif", "c.gif", "c.tif"):
        Image.new("RGB", (8, 8)).save(photos / name)
    jobs, _ = plan_jobs([photos], "out", False)
    pairs = {job.content.name: job.output.name for job in jobs if job.content.parent == photos}
    expected = {"a.jpg": "a.jpg", "a.tif": "a.png", "b.png": "b.png", "b.gif": "b.gif.png"}
    assert pairs == {**expected, "c.gif": "c.png", "c.tif": "c.tif.png"}
    assert plan_jobs([photos / "a.tif"], f"{photos}/trip", False)[0][0].output == photos / "trip" / "a.png"


@pytest.mark.parametrize("output", ["painting.png", "other name.png", "link.png"])
@pytest.mark.parametrize("given", [["painting.png"], ["--styles", "painting.png", "photo.jpg"]])
def test_the_output_may_not_be_the_style(tmp_path, monkeypatch, capsys, image, given, output):
    monkeypatch.chdir(tmp_path)
    write_image("painting.png", image(70, 60, 1))
    write_image("photo.jpg", image(50, 66, 0))
    (tmp_path / "other name.png").hardlink_to("painting.png")
    (tmp_path / "link.png").symlink_to("painting.png")
    before = (tmp_path / "painting.png").read_bytes()
    assert run_entry(stylize.main, ["photo.jpg", *given, "-o", output, "--overwrite"]) == 2
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 1 and output in err[0] and "is the style image painting.png itself" in err[0]
    assert (tmp_path / "painting.png").read_bytes() == before


def test_an_output_may_not_be_another_content(tmp_path):
    """trip/trip/a.png would be painted to trip/a.png, before that one is read."""
    for name in ("trip/a.png", "trip/trip/a.png"):
        write_image(tmp_path / name, np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(UserError, match="is the content .*a.png itself"):
        plan_jobs([tmp_path / "trip"], str(tmp_path), True)


@pytest.mark.parametrize("taken", ["a_s.png", "grid.png"])
def test_evaluation_replaces_no_input(tmp_path, taken):
    contents = [tmp_path / "a.jpg", tmp_path / taken]
    styles = [tmp_path / "s.jpg"]
    for path in (*contents, *styles):
        write_image(path, np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(UserError, match=f"{taken}: is the content .*{taken} itself"):
        EvaluationFolder(tmp_path, contents, styles, ["a", "b"], ["s"])


def test_exported_pairs_may_be_spelt_in_capitals(tmp_path):
    names = ["a_predictor.ONNX", "a_transfer.ONNX", "a_tiles.ONNX"]
    for name in names:
        (tmp_path / name).touch()
    assert [path.name for path in find_parts(tmp_path / "a_transfer.ONNX", ".onnx")] == names
