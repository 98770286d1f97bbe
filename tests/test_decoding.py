"""What the metadata of image files says is applied once: orientation, colours, transparency, ranges; checksums."""

import struct

import numpy as np
import pytest
from image_files import COLOUR, GREY, WIDE, chunk, png, profile, to_srgb, transparent
from PIL import Image, ImageCms

from src.errors import UserError
from src.images.files import read_image

TURNED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}
SAVED = {
    "raw.tif": {},
    "lzw.tif": {"compression": "tiff_lzw"},
    "a.png": {},
    "a.webp": {"lossless": True, "exact": True},
}
RAMP = np.arange(256, dtype=np.uint8).reshape(4, 64)


def colours():
    """Colours all over the cube, uint8 (36, 36, 3), of which no two rows or columns are alike."""
    levels = np.arange(0, 256, 23)
    cube = np.stack(np.meshgrid(levels, levels, levels[:9]), -1).reshape(36, 36, 3)
    return cube.astype(np.uint8)


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize("orientation", TURNED)
def test_orientation_is_applied_once(tmp_path, orientation, name):
    stored = colours()[:20]
    image = Image.fromarray(stored)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / name, exif=exif, **SAVED[name])
    assert (read_image(tmp_path / name) == TURNED[orientation](stored)).all()


@pytest.mark.parametrize("name, tolerance", [(name, 1) for name in SAVED] + [("a.jpg", 3)])
def test_colours_of_a_wide_profile_become_srgb(tmp_path, name, tolerance):
    stored = np.repeat(np.repeat(colours(), 16, 0), 16, 1) if name == "a.jpg" else colours()
    settings = SAVED.get(name, {"quality": 100, "subsampling": 0})
    Image.fromarray(stored).save(tmp_path / name, icc_profile=profile(2.19921875, WIDE), **settings)
    expected = to_srgb(stored, 2.19921875, WIDE)
    assert np.abs(expected - stored).mean() > 9
    difference = np.abs(read_image(tmp_path / name) - expected)
    assert difference.mean() < tolerance and np.median(difference) < 1


def test_exchanged_primaries_exchange_the_channels(tmp_path):
    """sRGB's own primaries in another order: red becomes blue."""
    primaries = [[0.14307, 0.06061, 0.71410], [0.38515, 0.71687, 0.09708], [0.43607, 0.22249, 0.01392]]
    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "a.png", icc_profile=profile(2.2, primaries))
    assert np.abs(read_image(tmp_path / "a.png").astype(int) - (0, 0, 255)).max() <= 1


def test_profile_of_a_picture_with_alpha_or_a_palette(tmp_path):
    columns, expected = WIDE[::-1], to_srgb([[[200, 60, 120]]], 2.2, WIDE[::-1])
    half = np.full((4, 4, 4), (200, 60, 120, 255), np.uint8)
    half[2:, :, 3] = 0
    image = Image.fromarray(half)
    image.save(tmp_path / "a.png", icc_profile=profile(2.2, columns))
    found = read_image(tmp_path / "a.png")
    assert np.abs(found[:2] - expected).max() <= 1.5 and (found[2:] == 255).all()
    image.convert("RGB").quantize(4).save(tmp_path / "b.png", icc_profile=profile(2.2, columns))
    assert np.abs(read_image(tmp_path / "b.png") - expected).max() <= 1.5


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_profile_of_grey_levels(tmp_path, mode):
    stored = RAMP.astype(np.uint16) * 257 if mode == "I;16" else RAMP
    image = Image.fromarray(stored)
    image = image.convert("LA") if mode == "LA" else image
    assert image.mode == mode
    image.save(tmp_path / "a.png", icc_profile=profile(1.0))
    expected = to_srgb(RAMP, 1.0)
    assert np.abs(read_image(tmp_path / "a.png") - expected[..., None]).max() <= 1.5


@pytest.mark.parametrize("kind", ["sRGB", "broken", "of grey levels"])
def test_profiles_that_change_nothing(tmp_path, kind):
    """sRGB's own, which most cameras write, one that is damaged, and one that can't be this picture's."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = {"sRGB": srgb, "broken": srgb[: len(srgb) // 2], "of grey levels": profile(1.0)}[kind]
    Image.fromarray(colours()).save(tmp_path / "a.png", icc_profile=data)
    assert (read_image(tmp_path / "a.png") == colours()).all()


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_transparent_grey_level(tmp_path, bits):
    """The level is one of the file's own numbers of bits; it becomes white, and no other does."""
    top = 2**bits - 1
    levels = np.array([[0, 1], [top // 2, top]])
    (tmp_path / "a.png").write_bytes(png(levels, GREY, bits, transparent(1)))
    shown = levels >> 8 if bits == 16 else np.round(levels * 255 / top)
    expected = np.where(levels == 1, 255, shown)
    assert (read_image(tmp_path / "a.png") == expected[..., None]).all()


@pytest.mark.parametrize("bits", [8, 16])
def test_transparent_colour(tmp_path, bits):
    """Of 16 bits, all count: colours that differ in the lower eight only are not the same."""
    values = np.array([[[10, 20, 30], [10, 20, 31], [11, 20, 30]]]) * (1 if bits == 8 else 256)
    if bits == 16:
        values[0, 1] = values[0, 0] + (0, 0, 7)
    (tmp_path / "a.png").write_bytes(png(values, COLOUR, bits, transparent(*values[0, 0])))
    expected = values >> (bits - 8)
    expected[0, 0] = 255
    assert (read_image(tmp_path / "a.png") == expected).all()


GREYS = np.array([[0, 51], [102, 204]])
RANGES = {
    "floats to 1": (GREYS / 255, GREYS),
    "floats to 255": (GREYS * 1.0, GREYS),
    "floats to 65535": (GREYS * 257.0, GREYS),
    "floats a little above 1": (GREYS / 200, GREYS * 1.25),
    "floats with negative values": (GREYS / 102 - 1.0, GREYS * 1.25),
    "floats far from 0": (GREYS / 204 + 4000, GREYS * 1.25),
    "whole numbers to 255": (GREYS.astype(np.int32), GREYS),
    "whole numbers to 65535": (GREYS.astype(np.int32) * 257, GREYS),
    "whole numbers to 2^31": (GREYS.astype(np.int32) * 10_000_000, GREYS * 1.25),
    "one value": (np.full((2, 2), 0.8), np.full((2, 2), 204)),
    "zeros": (np.zeros((2, 2)), np.zeros((2, 2))),
}


@pytest.mark.parametrize("case", RANGES)
def test_numbers_of_32_bits_are_scaled_by_their_range(tmp_path, case):
    values, expected = RANGES[case]
    Image.fromarray(values if values.dtype == np.int32 else values.astype(np.float32)).save(tmp_path / "a.tif")
    assert np.abs(read_image(tmp_path / "a.tif") - expected[..., None]).max() <= 0.51


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_floats_that_are_no_numbers_are_refused(tmp_path, wrong):
    Image.fromarray(np.array([[0.1, wrong]], np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(UserError, match="a.tif: damaged image .NaN or infinity"):
        read_image(tmp_path / "a.tif")


def test_white_is_zero(tmp_path):
    Image.fromarray(GREYS.astype(np.uint16) * 257).save(tmp_path / "a.tif", tiffinfo={262: 0})
    assert (read_image(tmp_path / "a.tif") == 255 - GREYS[..., None]).all()


def test_twelve_bits(tmp_path):
    """A TIFF of one row of two pixels, written by hand: PIL writes none of 12 bits."""
    tags = [(256, 2), (257, 1), (258, 12), (259, 1), (262, 1), (273, 122), (277, 1), (278, 1), (279, 3)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    assert len(head) == 122
    (tmp_path / "a.tif").write_bytes(head + bytes([0xFF, 0xF8, 0x00]))  # 4095 and 2048
    assert read_image(tmp_path / "a.tif")[0, :, 0].tolist() == [255, 128]


def test_portable_greymap_says_its_range(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 2 2 65535 " + (GREYS * 100).astype(">u2").tobytes())
    assert (read_image(tmp_path / "a.pgm") == (GREYS * 100 >> 8)[..., None]).all()


@pytest.mark.parametrize("place", [b"IDAT", b"tEXt"])
def test_a_wrong_checksum_is_refused(tmp_path, place):
    whole = png(colours(), COLOUR, 8, chunk(b"tEXt", b"Author\0nobody"))
    (tmp_path / "a.png").write_bytes(whole)
    assert (read_image(tmp_path / "a.png") == colours()).all()
    start = whole.index(place) + 4 + int.from_bytes(whole[whole.index(place) - 4 : whole.index(place)], "big")
    damaged = whole[:start] + bytes([whole[start] ^ 255]) + whole[start + 1 :]
    (tmp_path / "a.png").write_bytes(damaged)
    with pytest.raises(UserError, match="a.png: .*damaged"):
        read_image(tmp_path / "a.png")
