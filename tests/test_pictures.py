"""What becomes of contents: which files, colours, masks, strength, strokes' size, sheets, metadata, making anew."""

import io
import sys

import numpy as np
import pytest
from half_networks import HalfNetworks, half
from PIL import Image

import stylize
from src.errors import UserError, run_entry
from src.images.colors import match_colors
from src.images.files import read_image, read_picture, write_image
from src.images.sheets import labelled_sheet
from src.stylize.jobs import plan_jobs

INK, SAND = (40, 80, 120), (220, 200, 160)


@pytest.fixture
def networks():
    return HalfNetworks()


@pytest.fixture
def files(tmp_path, image, monkeypatch):
    """The working folder, with photo.png, ink.png and sand.png."""
    monkeypatch.chdir(tmp_path)
    write_image("photo.png", image(40, 48, 0))
    for name, colour in (("ink", INK), ("sand", SAND)):
        Image.new("RGB", (30, 30), colour).save(f"{name}.png")
    return tmp_path


@pytest.fixture(autouse=True)
def opened(networks, monkeypatch):
    monkeypatch.setattr("src.stylize.stylizer.open_networks", lambda *_: networks)


@pytest.fixture
def call(files, capsys):
    """Function of arguments that runs stylize.py: exit code, lines of stdout, lines of stderr."""

    def run(*arguments):
        code = run_entry(stylize.main, [*map(str, arguments), *(() if "--again" in arguments else ENGINE)])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err.splitlines()

    return run


ENGINE = ("--engine", "onnxruntime")


def refused(done, *naming):
    code, out, err = done
    assert (code, out) == (2, []) and len(err) == 1 and err[0].startswith("error: "), err
    for text in naming:
        assert text in err[0], err[0]


def off(found, expected):
    return np.abs(found.astype(float) - expected).max()


# contents


def test_several_files_and_a_glob_go_into_a_folder(call, files, image):
    for name in ("trips/a/1.png", "trips/b/1.png", "trips/b/2.tif", "other.png"):
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image(8, 9, 1)).save(files / name)
    assert call("photo.png", "other.png", "ink.png", "-o", "out")[:2] == (0, ["out/photo.png", "out/other.png"])
    found = call("trips/*/1.*", "other.png", "ink.png", "-o", "glob/")
    assert found[:2] == (0, ["glob/a/1.png", "glob/b/1.png", "glob/other.png"])
    assert call("trips/**/2*", "ink.png", "-o", "deep")[:2] == (0, ["deep/b/2.png"])
    refused(call("trips/a/1.png", "trips/b/1.png", "ink.png", "-o", "two"), "1.png", "two contents")
    refused(call("photo.png", "other.png", "ink.png", "-o", "out.png"), "out.png", "folder")
    refused(call("nothing*.jpg", "ink.png", "-o", "out"), "nothing*.jpg")


def test_stdin_to_stdout(files, monkeypatch, capsysbinary):
    data = (files / "photo.png").read_bytes()
    for output in ([], ["-o", "-"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert run_entry(stylize.main, ["-", "ink.png", *output, *ENGINE]) == 0
        picture = read_picture(io.BytesIO(capsysbinary.readouterr().out), "stdout")
        assert off(picture.pixels, half(read_image("photo.png"), INK)) <= 0.5


def test_what_is_no_single_picture_has_no_stdin_and_stdout(call, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    refused(call("-", "ink.png"), "stdin", "not an image")
    refused(call("-", "photo.png", "ink.png", "-o", "out"), "stdin")
    refused(call(".", "ink.png", "-o", "-"), "single picture")


def test_failures_stand_at_the_end_with_their_number(call, files, image):
    for name in "abc":
        write_image(f"photos/{name}.png", image(8, 8, 2))
    (files / "photos" / "b.png").write_bytes(b"")
    code, out, err = call("photos", "ink.png", "-o", "out")
    assert (code, out) == (2, ["out/a.png", "out/c.png"])
    assert len(err) == 2 and "b.png" in err[0] and "1 of 3" in err[1]


def test_pictures_that_are_there_are_left_out_of_the_next_run(files, image):
    for name in "ab":
        write_image(f"photos/{name}.png", image(8, 8, 2))
    write_image("out/a.png", image(8, 8, 2))
    jobs, done = plan_jobs(["photos"], "out", False)
    assert [job.content.name for job in jobs] == ["b.png"] and [job.content.name for job in done] == ["a.png"]
    assert len(plan_jobs(["photos"], "out", True)[0]) == 2
    with pytest.raises(UserError, match="exists already"):
        plan_jobs(["photos/a.png"], "out/a.png", False)


def test_a_photograph_that_a_list_took_is_asked_for(call):
    refused(call("--styles", "ink.png", "sand.png", "photo.png", "-o", "out.png"), "content: missing", "--styles")
    refused(call("-o", "out.png"), "content: missing")


# colours


def test_match_gives_mean_and_covariance_of_the_content(image):
    content, pastiche = image(60, 70, 1) // 4 + 90, image(40, 30, 2)
    found = match_colors(pastiche, content).reshape(-1, 3).astype(float)
    wanted = content.reshape(-1, 3).astype(float)
    np.testing.assert_allclose(found.mean(0), wanted.mean(0), atol=0.2)
    np.testing.assert_allclose(np.cov(found.T), np.cov(wanted.T), atol=0.02 * np.cov(wanted.T).max())


def test_match_of_one_colour_is_the_contents_mean(image):
    content = image(20, 20, 1)
    for pastiche in (np.full((9, 9, 3), 77, np.uint8), np.repeat(image(9, 9, 1)[..., :1], 3, 2)):
        assert np.isfinite(match_colors(pastiche, content)).all()
    assert off(match_colors(np.full((9, 9, 3), 77, np.uint8), content), content.mean((0, 1))) <= 0.51


@pytest.mark.parametrize("given", [["luma"], [], ["true"]])
def test_luma_keeps_the_contents_colours(call, given):
    assert call("photo.png", "ink.png", "-o", "out.png", "--preserve_colors", *given)[0] == 0
    found, content = (
        np.array(Image.open(name).convert("RGB").convert("YCbCr"), int) for name in ("out.png", "photo.png")
    )
    expected = Image.fromarray(np.rint(half(read_image("photo.png"), INK)).astype(np.uint8)).convert("YCbCr")
    inside = (read_image("out.png") > 0).all(-1) & (read_image("out.png") < 255).all(-1)
    assert np.abs(found - content)[inside][:, 1:].max() <= 2
    assert np.abs(found - np.array(expected))[inside][:, 0].max() <= 2


def test_what_both_methods_have_is_given_to_the_one_that_runs(files, monkeypatch):
    line = ["photo.png", "ink.png", "-o", "out.png", "--preserve_colors", "--style_scale", "2"]
    for method, scales in (("optimize", [2.0]), ("arbitrary", [1.0])):
        options = stylize.read_options([*line, "--method", method])[0]
        assert stylize.share_options(options) == (method == "optimize")
        assert (options.optimize.style_scale, options.stylize.style_scale) == (scales, [2.0])
        assert options.optimize.preserve_colors == ("luma" if method == "optimize" else "none")
    with pytest.raises(UserError, match="option sheet: is for a trained network"):
        stylize.share_options(stylize.read_options([*line, "--sheet", "--method", "optimize"])[0])


# masks and strength


def test_a_mask_says_where_with_soft_edges(call, files):
    mask = np.tile(np.linspace(0, 255, 48).astype(np.uint8), (40, 1))
    Image.fromarray(mask).save("mask.png")
    assert call("photo.png", "ink.png", "-o", "out.png", "--mask", "mask.png")[0] == 0
    content, share = read_image("photo.png").astype(float), mask[..., None] / 255
    assert off(read_image("out.png"), content + share * (half(content, INK) - content)) <= 1.01


def test_a_mask_a_style_makes_regions(call, files):
    left = np.zeros((20, 24), np.uint8)  # of another size than the content
    left[:, :12] = 255
    Image.fromarray(left).save("left.png")
    hole = np.dstack([255 - left, np.full_like(left, 255)])
    hole[:2, :, 1] = 0  # what is transparent is no style's
    Image.fromarray(hole).save("right.png")
    assert (
        call("photo.png", "--styles", "ink.png", "sand.png", "-o", "out.png", "--mask", "left.png", "right.png")[0] == 0
    )
    found, content = read_image("out.png"), read_image("photo.png")
    assert off(found[8:, :20], half(content, INK)[8:, :20]) <= 1
    assert off(found[8:, 28:], half(content, SAND)[8:, 28:]) <= 1
    assert off(found[:2, 28:], content[:2, 28:]) <= 1


def test_masks_that_say_nothing_are_refused(call, files, image):
    write_image("m.png", image(8, 8, 0))
    two = ("photo.png", "--styles", "ink.png", "sand.png", "-o", "out.png")
    refused(call(*two, "--mask", "m.png", "m.png", "m.png"), "option mask", "3 masks for 2 styles")
    refused(call(*two, "--mask", "m.png", "m.png", "--style_weights", "1", "2"), "option mask", "style_weights")
    refused(call(*two, "--mask", "m.png", "m.png", "--blend_steps", "3"), "option blend_steps", "several masks")
    refused(call(*two, "--mask", "none.png"), "none.png")
    optimise = ("--method", "optimize", "--loss_network_ckpt", "none.npz")
    refused(call(*two, "--mask", "m.png", "m.png", *optimise)[:3], "option")


def test_strength_by_pixels(call):
    assert call("photo.png", "ink.png", "-o", "out.png", "--strength", "0.5", "--strength_by", "pixels")[0] == 0
    content = read_image("photo.png").astype(float)
    assert off(read_image("out.png"), (content + half(content, INK)) / 2) <= 0.76


def test_strength_of_a_table_of_styles_is_by_pixels(call, monkeypatch):
    table = HalfNetworks(("black", "white"))
    monkeypatch.setattr("src.stylize.stylizer.open_networks", lambda *_: table)
    named = ("photo.png", "--style", "white", "--checkpoint", "x_transfer.onnx")
    for reader in ("stylize.model_files", "src.stylize.stylizer.read_files"):
        monkeypatch.setattr(reader, lambda *_: [])
    assert call(*named, "-o", "out.png", "--strength", "0.25")[0] == 0
    content = read_image("photo.png").astype(float)
    assert off(read_image("out.png"), content + 0.25 * (half(content, 255) - content)) <= 0.76
    refused(call(*named, "-o", "no.png", "--strength", "0.5", "--strength_by", "embedding"), "strength_by", "pixels")


# size of strokes


@pytest.mark.parametrize(("scale", "embedded", "painted"), [(4, (512, 512), (20, 24)), (0.25, (128, 128), (80, 96))])
def test_strokes_grow_by_embedding_and_by_the_contents_size(call, networks, scale, embedded, painted):
    assert call("photo.png", "ink.png", "-o", "out.png", "--style_scale", scale)[0] == 0
    assert (networks.embedded, networks.seen) == ([embedded], [painted])
    assert read_image("out.png").shape == (40, 48, 3)


def test_scales_that_networks_do_not_have(call):
    refused(call("photo.png", "ink.png", "-o", "out.png", "--style_scale", 1, 2), "style_scale", "optimize")
    refused(call("photo.png", "ink.png", "-o", "o.png", "--style_scale", 0.05, "--size", 1600), "style_scale", "--size")


# sheets


def test_a_sheet_of_a_folder_of_styles(call, files, networks):
    for name in ("ink", "sand"):
        (files / "styles").mkdir(exist_ok=True)
        (files / f"{name}.png").rename(files / "styles" / f"{name}.png")
    assert call("photo.png", "styles", "--sheet", "-o", "sheet.png")[0] == 0
    content = read_image("photo.png")
    expected = labelled_sheet(
        [content, *(np.rint(half(content, colour)).astype(np.uint8) for colour in (INK, SAND))],
        ["photo.png", "ink", "sand"],
    )
    assert off(read_image("sheet.png"), expected) <= 1
    refused(call("photo.png", "styles", "-o", "no.png"), "styles is a folder", "--sheet")


def test_labels_stand_under_their_pictures_and_long_ones_are_cut(image):
    sheet = labelled_sheet([image(50, 100, 0)] * 3, ["one", "a name much too long for so small a picture", "three"])
    assert sheet.shape[0] > 100 and (sheet[4:54, 4:104] == image(50, 100, 0)).all()
    assert (sheet[56:78] < 128).any() and (sheet[:, -4:] == 255).all()


# metadata


@pytest.mark.parametrize("output", ["out.png", "out.jpg", "out.webp"])
def test_exif_is_kept_upright_and_can_be_left_out(call, files, output):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    exif.get_ifd(0x8769)[0x9003] = "2020:02:03 04:05:06"
    exif.get_ifd(0x8825)[1] = "N"
    Image.open("photo.png").save("photo.jpg", exif=exif)
    assert call("photo.jpg", "ink.png", "-o", output)[0] == 0
    with Image.open(output) as image:
        found = image.getexif()
        assert image.size == (40, 48) and found.get(0x0112, 1) == 1 and found[0x010F] == "a camera"
        assert found.get_ifd(0x8769)[0x9003] == "2020:02:03 04:05:06" and found.get_ifd(0x8825)[1] == "N"
    assert call("photo.jpg", "ink.png", "-o", output, "--overwrite", "--metadata", "false")[0] == 0
    with Image.open(output) as image:
        assert not len(image.getexif())
    refused(call("--again", output, "-o", "new.png"), output, "does not say how it was made")


@pytest.mark.parametrize("output", ["out.png", "out.jpg", "out.webp"])
def test_a_picture_is_made_anew(call, files, output):
    write_image("mask.png", np.full((9, 9, 3), 200, np.uint8))
    options = ("--strength", 0.7, "--preserve_colors", "match", "--mask", "mask.png", "--size", 30)
    assert call("photo.png", "--styles", "ink.png", "sand.png", "-o", output, *options)[0] == 0
    new = f"new/{output}"
    assert call("--again", output, "-o", new) == (0, [new], [])
    assert (files / new).read_bytes() == (files / output).read_bytes()
    assert call("--again", output, "ink.png", "-o", "other.png")[0] == 0  # another content in the same way
    assert read_image("other.png").shape == (30, 30, 3)


def test_what_moved_is_found_beside_the_picture_and_what_changed_is_named(call, files, image):
    assert call("photo.png", "ink.png", "-o", "out.png")[0] == 0
    for name in ("photo.png", "ink.png"):
        (files / "old").mkdir(exist_ok=True)
        (files / name).rename(files / "old" / name)
    refused(call("--again", "out.png", "-o", "new.png"), "ink.png", "no longer there")
    (files / "out.png").rename(files / "old" / "out.png")
    assert call("--again", "old/out.png", "-o", "new.png")[0] == 0
    for name in ("photo.png", "ink.png"):
        kept = (files / "old" / name).read_bytes()
        write_image(f"old/{name}", image(40, 48, 9))
        refused(call("--again", "old/out.png", "-o", "newer.png"), name, "has changed")
        (files / "old" / name).write_bytes(kept)
    refused(call("--again", "sand.png", "-o", "newer.png"), "sand.png", "does not say")
    refused(call("--again", "none.png", "-o", "newer.png"), "none.png", "No such file")


def test_a_picture_names_no_files_to_write(call, files):
    """A picture of a stranger may say anything of its making."""
    from src.stylize.recipe import Again

    recipe = {
        "options": {"optimize": {"losses": "a.csv", "iterations": 9}, "stylize": {"output": "b.png"}, "data": {"c": 1}},
        "style": "ink.png", "styles": {}, "model": {}, "content": {"path": "photo.png", "sha256": ""},
    }  # fmt: skip
    write_image("stranger.png", np.zeros((8, 8, 3), np.uint8), recipe=recipe)
    assert Again("stranger.png").values == {"optimize": {"iterations": 9}, "stylize": {}}
    for broken in ({**recipe, "options": 3}, {**recipe, "styles": [1]}, {**recipe, "content": "photo.png"}):
        write_image("stranger.png", np.zeros((8, 8, 3), np.uint8), recipe=broken)
        refused(call("--again", "stranger.png", "-o", "new.png"), "stranger.png", "damaged")
