"""`Stylizer`, and stylize.py as a user calls it."""

import os
import subprocess
import sys

import mindspore as ms
import numpy as np
import pytest
from PIL import Image

import stylize
from src.data.images import read_image, to_image, to_network, write_image
from src.errors import run_entry
from src.stylize.padding import pad_image
from src.stylize.report import Grid, strip, thumbnail
from src.stylize.stylizer import STYLE_SIDE, Stylizer, prepare_style


@pytest.fixture(scope="module")
def stylizer(tiny_checkpoint):
    return Stylizer(tiny_checkpoint, engine="mindspore")


@pytest.fixture
def call(stylizer, capsys, monkeypatch):
    """Function of arguments that runs stylize.py in this process: exit code, lines of stdout, lines of stderr.

    It takes a `Stylizer` that is compiled already; `test_as_a_user_calls_it` loads its own.
    """
    monkeypatch.setattr("stylize.Stylizer", lambda *_, **__: stylizer)

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


# padding


def test_padding_reflects_without_repeating_the_edge():
    image = np.arange(5 * 6 * 3, dtype=np.uint8).reshape(5, 6, 3)
    padded = pad_image(image, 4, 4)
    assert padded.shape == (8, 8, 3)
    assert (padded[:5, :6] == image).all()
    assert (padded[5:, :6] == image[[3, 2, 1]]).all()
    assert (padded[:5, 6:] == image[:, [4, 3]]).all()


def test_padding_of_sides_too_short_to_reflect():
    assert (pad_image(np.full((1, 1, 3), 7, np.uint8), 4, 16) == np.full((16, 16, 3), 7)).all()
    two = np.arange(6, dtype=np.uint8).reshape(2, 1, 3)
    assert (pad_image(two, 4, 8)[:, 0] == two[[0, 1] * 4, 0]).all()


def test_padding_leaves_alone_what_fits():
    image = np.zeros((16, 32, 3), np.uint8)
    assert pad_image(image, 4, 16) is image


# Stylizer


def test_pastiche_is_the_networks(stylizer, image):
    content, embedding = image(32, 48, 0), stylizer.embed(image(64, 64, 1))
    direct = stylizer.networks.model.transfer(ms.Tensor(to_network(content)), ms.Tensor(embedding[None]))
    assert (stylizer.stylize(content, embedding) == to_image(direct)).all()


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (33, 50), (47, 31), (64, 64)])
def test_contents_of_any_size(stylizer, image, size):
    pastiche = stylizer.stylize(image(*size, 0), stylizer.embed(image(40, 40, 1)))
    assert pastiche.shape == (*size, 3)
    assert pastiche.dtype == np.uint8


def test_padded_content_is_cropped_back(stylizer, image):
    content, embedding = image(33, 50, 0), stylizer.embed(image(64, 64, 1))
    whole = stylizer.stylize(np.pad(content, ((0, 3), (0, 2), (0, 0)), mode="reflect"), embedding)
    assert (stylizer.stylize(content, embedding) == whole[:33, :50]).all()


def test_large_contents_are_stylised_smaller_and_enlarged(stylizer, image, monkeypatch):
    content, embedding = image(60, 80, 0), stylizer.embed(image(64, 64, 1))
    monkeypatch.setattr("src.stylize.stylizer.MOST_PIXELS", 30 * 40)
    smaller = np.asarray(Image.fromarray(content).resize((40, 30), Image.Resampling.LANCZOS))
    expected = Image.fromarray(stylizer.stylize(smaller, embedding)).resize((80, 60), Image.Resampling.BICUBIC)
    assert (stylizer.stylize(content, embedding) == np.asarray(expected)).all()


def test_sizes_share_one_compilation(stylizer, image):
    embedding = stylizer.embed(image(40, 40, 1))
    for size in ((32, 32), (48, 20), (80, 64)):
        stylizer.stylize(image(*size, 0), embedding)
        stylizer.embed(image(*size, 0))
    assert len(stylizer.networks.model.transfer.compile_cache) == 1
    assert len(stylizer.networks.model.predictor.compile_cache) == 1


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (300, 500), (12000, 80)])
def test_styles_of_any_size(stylizer, size):
    style = np.full((*size, 3), (200, 40, 90), np.uint8)
    prepared = prepare_style(style)
    assert min(prepared.shape[:2]) == STYLE_SIDE and max(prepared.shape[:2]) <= 4 * STYLE_SIDE
    reference = stylizer.embed(np.full((256, 256, 3), (200, 40, 90), np.uint8))
    found = stylizer.embed(style)
    assert found.shape == (100,) and found.dtype == np.float32
    # the border of a convolution weighs more in a long thin picture
    assert np.abs(found - reference).max() <= 0.1 * np.abs(reference).max()


def test_embedding_does_not_depend_on_the_files_resolution(stylizer, image):
    style = image(256, 256, 4)
    larger = np.asarray(Image.fromarray(style).resize((768, 768), Image.Resampling.LANCZOS))
    small, large, other = stylizer.embed(style), stylizer.embed(larger), stylizer.embed(image(256, 256, 5))
    assert np.linalg.norm(small - large) < 0.1 * np.linalg.norm(small - other)


def test_blend_is_a_weighted_mean(stylizer):
    a, b = np.zeros(100, np.float32), np.ones(100, np.float32)
    assert stylizer.blend([a, b], [3, 1]) == pytest.approx(np.full(100, 0.25))
    assert stylizer.blend([a, b], [-0.5, 1.5]) == pytest.approx(np.full(100, 1.5))
    for weights in ([1], [0, 0], [1, -1], [float("nan"), 1]):
        with pytest.raises(ValueError):
            stylizer.blend([a, b], weights)


def test_strength_goes_from_the_contents_own_style_to_the_style(stylizer, image):
    content, style = image(48, 48, 0), stylizer.embed(image(64, 64, 1))
    own = stylizer.embed(content)
    for strength in (0, 0.25, 1, 1.5):
        expected = own + strength * (style - own)
        assert stylizer.strengthen(content, style, strength) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_stylizer_refuses_what_is_no_image(stylizer, bad):
    with pytest.raises(ValueError, match="uint8"):
        stylizer.stylize(bad, np.zeros(100, np.float32))
    with pytest.raises(ValueError, match="uint8"):
        stylizer.embed(bad)


# pictures of pictures


def test_thumbnail_keeps_the_shape_on_white():
    cell = thumbnail(np.zeros((50, 100, 3), np.uint8), 20)
    assert cell.shape == (20, 20, 3)
    assert (cell[5:15] == 0).all() and (cell[:5] == 255).all() and (cell[15:] == 255).all()


def test_grid_places_headers_and_cells():
    grid = Grid(2, 3)
    for i in range(2):
        grid.put_content(i, np.full((8, 8, 3), 10 + i, np.uint8))
        for j in range(3):
            grid.put_style(j, np.full((8, 8, 3), 20 + j, np.uint8))
            grid.put(i, j, np.full((8, 8, 3), 100 + 10 * i + j, np.uint8))
    picture, pitch = grid.image(), grid.cell + 4
    centres = picture[grid.cell // 2 :: pitch, grid.cell // 2 :: pitch, 0]
    assert centres.tolist() == [[255, 20, 21, 22], [10, 100, 101, 102], [11, 110, 111, 112]]
    assert not grid.cut


def test_grid_is_cut_beyond_its_limit():
    grid = Grid(200, 2)
    assert grid.cut and (grid.rows, grid.columns) == (30, 2)
    before = grid.image().copy()
    grid.put(150, 1, np.zeros((8, 8, 3), np.uint8))
    assert (grid.image() == before).all()


def test_strip_is_bounded():
    assert strip([np.zeros((40, 30, 3), np.uint8)] * 3).shape == (40, 98, 3)
    assert strip([np.zeros((2000, 1000, 3), np.uint8)] * 2).shape == (512, 516, 3)


# stylize.py


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


def test_existing_picture_in_the_output_folder_is_kept(refused, files, image):
    write_image(files / "photos" / "a.png", image(40, 40, 2))
    write_image(files / "photos" / "b.png", image(40, 40, 2))
    write_image(files / "out" / "b.png", image(20, 20, 2))
    refused(files / "photos", files / "painting.png", "-o", files / "out", naming=["b.png", "--overwrite"])
    assert not (files / "out" / "a.png").exists()


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
