"""Reading every kind of image file, value ranges, writing, and files whole or not at all."""

import errno
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from src.errors import UserError
from src.files import TEMPORARY_PREFIX, atomic_write
from src.images.files import (
    center_crop,
    check_writable,
    list_images,
    read_image,
    resize_short_side,
    to_image,
    to_network,
    write_image,
)

ROOT = Path(__file__).resolve().parent.parent


def gradient(height=40, width=60):
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], axis=-1).astype(np.uint8)


def assert_close(found, expected, tolerance):
    assert found.dtype == np.uint8 and found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() <= tolerance


@pytest.mark.parametrize("suffix, tolerance", [("png", 0), ("bmp", 0), ("jpg", 4), ("webp", 6)])
def test_rgb_files(tmp_path, suffix, tolerance):
    path = tmp_path / f"ein bild ü.{suffix}"
    Image.fromarray(gradient()).save(path, quality=95)
    assert_close(read_image(path), gradient(), tolerance)


def test_grey_becomes_three_equal_channels(tmp_path):
    grey = gradient()[:, :, 0]
    Image.fromarray(grey).save(tmp_path / "a.png")
    assert_close(read_image(tmp_path / "a.png"), np.repeat(grey[:, :, None], 3, axis=2), 0)


@pytest.mark.parametrize("value, expected", [(0, 0), (256 * 77, 77), (65535, 255)])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path, value, expected):
    Image.fromarray(np.full((10, 12), value, np.uint16)).save(tmp_path / "a.png")
    assert_close(read_image(tmp_path / "a.png"), np.full((10, 12, 3), expected), 0)


def test_transparency_is_laid_over_white(tmp_path):
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:, 4:] = (200, 100, 0, 255)
    rgba[0, 4:, 3] = 128
    Image.fromarray(rgba).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert (image[:, :4] == 255).all()
    assert (image[1:, 4:] == (200, 100, 0)).all()
    assert np.abs(image[0, 4].astype(int) - (227, 177, 127)).max() <= 1


def test_palette_with_a_transparent_colour(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [1, 2]], np.uint8), mode="P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.save(tmp_path / "a.png", transparency=1)
    expected = [[[10, 20, 30], [255, 255, 255]], [[255, 255, 255], [70, 80, 90]]]
    assert read_image(tmp_path / "a.png").tolist() == expected


def test_cmyk(tmp_path):
    Image.fromarray(gradient()).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    assert_close(read_image(tmp_path / "a.jpg"), gradient(), 6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation):
    """What PIL's own transposition gives, for each of the eight ways to hold a camera."""
    image = Image.fromarray(gradient())
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    with Image.open(tmp_path / "a.jpg") as opened:
        expected = np.array(ImageOps.exif_transpose(opened).convert("RGB"))
    found = read_image(tmp_path / "a.jpg")
    assert found.shape == ((40, 60, 3) if orientation < 5 else (60, 40, 3))
    assert (found == expected).all()


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"]
)
def test_absurd_exif_is_upright(tmp_path, exif):
    Image.fromarray(gradient()).save(tmp_path / "a.jpg", exif=exif, quality=95)
    assert_close(read_image(tmp_path / "a.jpg"), gradient(), 4)


def test_orientation_out_of_range_is_upright(tmp_path):
    image = Image.fromarray(gradient())
    exif = image.getexif()
    exif[0x0112] = 999
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    assert_close(read_image(tmp_path / "a.jpg"), gradient(), 4)


def test_contents_decide_not_the_ending(tmp_path):
    Image.fromarray(gradient()).save(tmp_path / "a.jpg", format="PNG")
    assert_close(read_image(tmp_path / "a.jpg"), gradient(), 0)


@pytest.mark.parametrize("height, width", [(1, 1), (80, 12000)])
def test_extreme_shapes(tmp_path, height, width):
    Image.fromarray(gradient(height, width)).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.shape == (height, width, 3)
    n = 16
    assert center_crop(resize_short_side(image, n), n).shape == (n, n, 3)


def test_reduced_decoding_keeps_enough_pixels(tmp_path):
    Image.fromarray(gradient(800, 1000)).save(tmp_path / "a.jpg", quality=95)
    reduced = read_image(tmp_path / "a.jpg", at_least=150)
    assert reduced.shape == (200, 250, 3)
    assert_close(reduced, np.array(Image.fromarray(gradient(800, 1000)).resize((250, 200), Image.BOX)), 3)
    assert read_image(tmp_path / "a.jpg", at_least=700).shape == (800, 1000, 3)


@pytest.mark.parametrize(
    "name, contents, expected",
    [
        ("empty.jpg", b"", "not an image"),
        ("text.png", b"hello, I am a text", "not an image"),
        ("missing.png", None, "No such file"),
    ],
)
def test_unreadable_files_are_named(tmp_path, name, contents, expected):
    if contents is not None:
        (tmp_path / name).write_bytes(contents)
    with pytest.raises(UserError) as error:
        read_image(tmp_path / name)
    assert name in str(error.value) and expected in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp"])
def test_truncated_files_are_named(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(gradient(200, 200)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=f"a.{suffix}: "):
        read_image(path)


def test_folder_instead_of_an_image(tmp_path):
    with pytest.raises(UserError, match="directory"):
        read_image(tmp_path)


def test_a_bomb_is_refused(tmp_path):
    """A PNG header that promises 100,000 x 100,000 pixels; nothing of that size is allocated."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IDAT" + struct.pack(">I", 0))
    with pytest.raises(UserError, match="bomb.png: more than 179 million pixels"):
        read_image(tmp_path / "bomb.png")


def test_nothing_is_printed_about_large_images_and_broken_exif(tmp_path):
    Image.new("1", (10_000, 9_100)).save(tmp_path / "a.png")
    Image.fromarray(gradient()).save(tmp_path / "b.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    code = "import sys; from src.images.files import *; [read_image(path) for path in list_images(sys.argv[1], 'x')]"
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_list_is_recursive_sorted_and_of_images_only(tmp_path):
    names = ["b.JPG", "a.png", "sub/deep/c.webp", "sub/d e.jpeg", "sub/é.bmp"]
    for name in [*names, "notes.txt", "._a.png", ".hidden/x.png"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "folder.jpg" / "inside.png").write_bytes(b"x")
    found = [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path, "content_path")]
    assert sorted(found) == sorted([*names, "folder.jpg/inside.png"])
    assert list_images(tmp_path, "content_path") == sorted(list_images(tmp_path, "content_path"))


def test_list_survives_links_in_a_circle(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.png").write_bytes(b"x")
    (tmp_path / "sub" / "up").symlink_to(tmp_path, target_is_directory=True)
    assert [path.name for path in list_images(tmp_path, "content_path")] == ["a.png"]


def test_list_of_one_file(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    assert list_images(tmp_path / "a.png", "content_path") == [tmp_path / "a.png"]


def test_list_errors_name_option_and_folder(tmp_path):
    for folder, words in [("", "empty"), (tmp_path / "nowhere", "nowhere"), (tmp_path, "no image in it")]:
        with pytest.raises(UserError) as error:
            list_images(folder, "style_path")
        assert "style_path" in str(error.value) and words in str(error.value)


def test_network_range_and_back():
    image = gradient()
    array = to_network(image)
    assert array.shape == (1, 3, 40, 60) and array.dtype == np.float32 and array.flags.c_contiguous
    assert array.min() == 0 and array.max() <= 1
    assert (to_image(array) == image).all() and (to_image(array[0]) == image).all()
    assert to_network(np.full((2, 2, 3), 255, np.uint8)).max() == 1.0
    assert to_image(np.full((3, 2, 2), 1.7)).max() == 255 and to_image(np.full((3, 2, 2), -0.2)).max() == 0
    with pytest.raises(ValueError, match="one image"):
        to_image(np.zeros((2, 3, 4, 4)))


def test_to_image_rounds_to_the_nearest():
    assert to_image(np.full((3, 1, 1), 100.6 / 255, np.float32)).tolist() == [[[101, 101, 101]]]


@pytest.mark.parametrize(
    "height, width, n, expected", [(40, 60, 20, (20, 30)), (60, 40, 80, (120, 80)), (3, 900, 1, (1, 300))]
)
def test_resize_keeps_the_shape(height, width, n, expected):
    assert resize_short_side(gradient(height, width), n).shape == (*expected, 3)


def test_center_crop_takes_the_middle():
    image = gradient(40, 60)
    assert (center_crop(image, 20) == image[10:30, 20:40]).all()
    with pytest.raises(ValueError, match="cannot crop"):
        center_crop(image, 41)


@pytest.mark.parametrize("suffix, tolerance", [("png", 0), ("bmp", 0), ("jpg", 2), ("jpeg", 2), ("webp", 5)])
def test_write_and_read_back(tmp_path, suffix, tolerance):
    path = tmp_path / "new folder" / f"a.{suffix}"
    write_image(path, gradient())
    assert_close(read_image(path), gradient(), tolerance)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_write_refuses(tmp_path):
    path = tmp_path / "a.png"
    write_image(path, gradient())
    before = path.read_bytes()
    with pytest.raises(UserError, match="exists already"):
        write_image(path, 255 - gradient(), overwrite=False)
    assert path.read_bytes() == before
    with pytest.raises(UserError, match="cannot write '.gif'"):
        check_writable(tmp_path / "a.gif")
    with pytest.raises(UserError, match="too large for JPEG"):
        write_image(tmp_path / "long.jpg", np.zeros((1, 70_000, 3), np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        write_image(path, gradient() / 255)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_atomic_write_replaces_only_when_complete(tmp_path):
    path = tmp_path / "file.ckpt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path) as temporary:
        temporary.write_text("half")
        assert temporary.parent == tmp_path and temporary.suffix == ".ckpt"
        assert temporary.name.startswith(TEMPORARY_PREFIX)
        raise RuntimeError
    assert path.read_text() == "old"
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_write_names_the_file_when_the_disk_is_full(tmp_path):
    with pytest.raises(OSError) as error, atomic_write(tmp_path / "file.ckpt"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert error.value.errno == errno.ENOSPC and error.value.filename == str(tmp_path / "file.ckpt")
    assert not list(tmp_path.iterdir())


def test_atomic_write_below_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError), atomic_write(tmp_path / "file" / "a.png"):
        pass
