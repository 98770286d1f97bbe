"""stylize.py as a user calls it."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import stylize
from src.errors import run_entry
from src.images.files import read_image, write_image


@pytest.fixture
def call(stylizer, capsys, monkeypatch):
    """Function of arguments that runs stylize.py in this process: exit code, lines of stdout, lines of stderr.

    It takes networks that are compiled already; `test_as_a_user_calls_it` loads its own.
    """
    monkeypatch.setattr("src.stylize.stylizer.open_networks", lambda *_: stylizer.networks)

    def run(*arguments):
        code = run_entry(stylize.main, list(map(str, arguments)))
        out, err = capsys.readouterr()
        return code, out.splitlines(), err.splitlines()

    return run


@pytest.fixture
def refused(call):
    """Function that runs stylize.py and expects one line on stderr holding every text given."""

    def run(*arguments, naming):
        code, out, err = call(*arguments)
        assert code != 0
        assert out == []
        assert len(err) == 1 and err[0].startswith("error: "), err
        for text in naming:
            assert text in err[0]

    return run


@pytest.fixture
def files(tmp_path, image):
    """A folder with photo.jpg and painting.png."""
    write_image(tmp_path / "photo.jpg", image(50, 66, 0))
    write_image(tmp_path / "painting.png", image(70, 60, 1))
    return tmp_path


def test_one_picture(call, files, stylizer):
    code, out, err = call(files / "photo.jpg", files / "painting.png", "-o", files / "new" / "out.png")
    assert (code, out, err) == (0, [str(files / "new" / "out.png")], [])
    embedding = stylizer.embed(read_image(files / "painting.png"))
    expected = stylizer.stylize(read_image(files / "photo.jpg"), embedding)
    assert (read_image(files / "new" / "out.png") == expected).all()


def test_blend_strength_and_size(call, files, stylizer):
    output = files / "out.png"
    styles = (files / "painting.png", files / "photo.jpg")
    arguments = ("--styles", *styles, "--style_weights", 3, 1, "--strength", 0.5, "--size", 40, "--output", output)
    assert call(files / "photo.jpg", *arguments)[0] == 0
    picture = read_image(output)
    assert picture.shape == (40, 53, 3)
    content = np.asarray(Image.fromarray(read_image(files / "photo.jpg")).resize((53, 40), Image.Resampling.LANCZOS))
    style = stylizer.blend([stylizer.embed(read_image(path)) for path in styles], [0.75, 0.25])
    expected = stylizer.stylize(content, stylizer.blend([stylizer.embed(content), style], [0.5, 0.5]))
    assert np.abs(picture.astype(int) - expected).max() <= 1


def test_a_folder_keeps_names_and_subfolders(call, files, image):
    (files / "photos" / "trip").mkdir(parents=True)
    write_image(files / "photos" / "a.jpg", image(40, 40, 2))
    write_image(files / "photos" / "trip" / "a.webp", image(44, 40, 3))
    output = files / "photos" / "styled"  # inside the folder of contents: not to be read as a content
    for _ in range(2):
        code, out, err = call(files / "photos", files / "painting.png", "-o", output, "--overwrite")
        assert (code, err) == (0, [])
        assert out == [str(output / "a.jpg"), str(output / "trip" / "a.webp")]
    assert read_image(output / "trip" / "a.webp").shape == (44, 40, 3)
    assert sorted(path.name for path in output.rglob("*.*")) == ["a.jpg", "a.webp"]


def test_a_folder_as_output_of_one_picture(call, files):
    (files / "out").mkdir()
    assert call(files / "photo.jpg", files / "painting.png", "-o", files / "out")[0] == 0
    assert (files / "out" / "photo.jpg").is_file()


def test_one_unreadable_picture_of_a_folder_is_skipped(call, files, image):
    photos = files / "photos"
    for name in ("a.png", "c.png"):
        write_image(photos / name, image(40, 40, 2))
    (photos / "b.png").write_bytes((photos / "a.png").read_bytes()[:300])
    code, out, err = call(photos, files / "painting.png", "-o", files / "out")
    assert code != 0
    assert out == [str(files / "out" / "a.png"), str(files / "out" / "c.png")]
    assert len(err) == 2 and "b.png" in err[0] and "1 of 3" in err[1]
    assert not (files / "out" / "b.png").exists()


@pytest.mark.parametrize("size", [(1, 1), (80, 12000)])
def test_extreme_contents_and_styles(call, files, image, size):
    write_image(files / "extreme.png", image(*size, 3))
    assert call(files / "extreme.png", files / "extreme.png", "-o", files / "out.png")[0] == 0
    assert read_image(files / "out.png").shape == (*size, 3)


def test_existing_output_is_kept_unless_told(call, refused, files):
    output = files / "out.png"
    output.write_bytes(b"precious")
    arguments = (files / "photo.jpg", files / "painting.png", "-o", output)
    refused(*arguments, naming=["out.png", "--overwrite"])
    assert output.read_bytes() == b"precious"
    assert call(*arguments, "--overwrite")[0] == 0
    assert read_image(output).shape == (50, 66, 3)


def test_pictures_of_a_folder_that_are_there_are_left_out(call, files, image):
    write_image(files / "photos" / "a.png", image(40, 40, 2))
    write_image(files / "photos" / "b.png", image(40, 40, 2))
    write_image(files / "out" / "b.png", image(20, 20, 2))
    arguments = (files / "photos", files / "painting.png", "-o", files / "out")
    code, out, err = call(*arguments)
    assert (code, out) == (0, [str(files / "out" / "a.png")])
    assert err == ["1 picture is there already; --overwrite makes it anew"]
    assert read_image(files / "out" / "b.png").shape == (20, 20, 3)
    assert call(*arguments)[:2] == (0, [])
    assert call(*arguments, "--overwrite")[1] == [str(files / "out" / name) for name in ("a.png", "b.png")]
    assert read_image(files / "out" / "b.png").shape == (40, 40, 3)


def bad_calls():
    """(what is wrong, arguments after the content photo.jpg, texts that the line must hold)."""
    good = ("painting.png", "-o", "out.png")
    mindspore = ("--engine", "mindspore")
    return [
        ("no output", ("painting.png",), ["output", "-o"]),
        ("no style", ("-o", "out.png"), ["styles"]),
        ("style and styles", ("painting.png", "--styles", "painting.png", "-o", "out.png"), ["styles"]),
        ("missing style", ("nowhere.png", "-o", "out.png"), ["nowhere.png"]),
        ("folder as style", (".", "-o", "out.png"), ["folder"]),
        ("unreadable style", ("text.png", "-o", "out.png"), ["text.png"]),
        ("unknown ending", ("painting.png", "-o", "out.xyz"), ["out.xyz", ".png"]),
        ("no ending", ("painting.png", "-o", "out"), ["out", ".png"]),
        ("file in place of a folder", ("painting.png", "-o", "text.png/out.png"), ["text.png", "folder"]),
        ("content as output", ("painting.png", "-o", "photo.jpg", "--overwrite"), ["photo.jpg", "content"]),
        ("too strong", (*good, "--strength", "1.6"), ["strength", "1.6"]),
        ("negative strength", (*good, "--strength", "-0.1"), ["strength", "-0.1"]),
        ("no number", (*good, "--strength", "strong"), ["strength", "strong"]),
        ("not finite", (*good, "--strength", "nan"), ["strength", "nan"]),
        ("negative size", (*good, "--size", "-4"), ["size", "-4"]),
        ("wrong tile", (*good, "--tile", "130"), ["option tile: found 130", "multiple of 4 from 128"]),
        ("small tile", (*good, "--tile", "64"), ["option tile: found 64", "multiple of 4 from 128"]),
        ("negative tile", (*good, "--tile", "-4"), ["option tile: found -4", "or 0"]),
        ("broken size", (*good, "--size", "4.5"), ["size", "4.5"]),
        ("weights without styles", (*good, "--style_weights", "1"), ["style_weights", "--styles"]),
        ("too few weights", ("--styles", "painting.png", "photo.jpg", "--style_weights", "1", "-o", "out.png"), ["2"]),
        ("weights of nothing", ("--styles", "painting.png", "--style_weights", "0", "-o", "out.png"), ["above 0"]),
        ("unknown option", (*good, "--strenght", "1"), ["--strenght"]),
        ("wrong precision", (*good, *mindspore, "--precision", "bfloat16", "--device_target", "CPU"), ["bfloat16"]),
        ("wrong device", (*good, *mindspore, "--device_target", "TPU"), ["device_target", "TPU"]),
    ]


@pytest.mark.parametrize("arguments, naming", [call[1:] for call in bad_calls()], ids=[call[0] for call in bad_calls()])
def test_bad_options(refused, files, monkeypatch, arguments, naming):
    monkeypatch.chdir(files)
    (files / "text.png").write_text("no picture")
    before = sorted(files.iterdir())
    refused("photo.jpg", *arguments, naming=naming)
    assert sorted(files.iterdir()) == before


@pytest.mark.parametrize("content, naming", [("nowhere", "nowhere"), ("empty", "no image"), ("text.png", "text.png")])
def test_bad_contents(refused, files, content, naming):
    (files / "empty").mkdir()
    (files / "text.png").write_text("no picture")
    refused(files / content, files / "painting.png", "-o", files / "out.png", naming=["content", naming][1:])
    assert not (files / "out.png").exists()


def test_folder_over_itself_or_a_file(refused, files, image):
    write_image(files / "photos" / "a.png", image(40, 40, 2))
    style = files / "painting.png"
    refused(files / "photos", style, "-o", files / "photos", "--overwrite", naming=["photos", "another folder"])
    refused(files / "photos", style, "-o", style, "--overwrite", naming=["painting.png", "folder"])


def test_wrong_checkpoints(files, capsys):
    bad = files / "bad.ckpt"
    bad.write_bytes(b"not a checkpoint at all")
    for path in (bad, files / "none.ckpt", files / "photo.jpg", files):
        arguments = [files / "photo.jpg", files / "painting.png", "-o", files / "out.png", "--checkpoint", path]
        assert run_entry(stylize.main, list(map(str, arguments))) != 0
        err = capsys.readouterr().err.splitlines()
        assert len(err) == 1 and str(path) in err[0]
    assert not (files / "out.png").exists()


def test_full_disk_leaves_nothing(call, files, monkeypatch):
    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", refuse)
    code, _, err = call(files / "photo.jpg", files / "painting.png", "-o", files / "new" / "out.png")
    assert code != 0
    assert len(err) == 1 and "out.png" in err[0] and "free some space" in err[0]
    assert list((files / "new").iterdir()) == []


def test_mistakes_are_answered_before_mindspore_is_imported(root, files):
    program = (
        "import sys, stylize; from src.errors import run_entry;"
        "code = run_entry(stylize.main, sys.argv[1:]);"
        "sys.exit(99 if 'mindspore' in sys.modules else code)"
    )
    arguments = [str(files / "photo.jpg"), str(files / "painting.png"), "-o", str(files / "out.xyz")]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", program, *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_as_a_user_calls_it(run_entry_point, files, tiny_checkpoint):
    done = run_entry_point(
        "stylize.py", "photo.jpg", "painting.png", "-o", "out.jpg", "--checkpoint", tiny_checkpoint, cwd=files
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "out.jpg\n", "")
    assert read_image(files / "out.jpg").shape == (50, 66, 3)
