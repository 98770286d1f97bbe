"""Odd pictures given to stylize.py: each gives the right result, or one line that says what is wrong."""

import io
import struct
import zlib

import numpy as np
import pytest
from half_networks import HalfNetworks, half
from image_files import COLOUR, GREY, WIDE, chunk, png, profile, to_srgb, transparent
from PIL import Image

import stylize
from src.errors import run_entry
from src.images.files import read_picture

INK = (40, 80, 120)


def gradient(height=24, width=36):
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (3 * x + 2 * y) % 256], -1).astype(np.uint8)


def saved(image, kind, **settings):
    stream = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(stream, kind, **settings)
    return stream.getvalue()


def oriented(kind, **settings):
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(gradient(), kind, exif=exif, **settings)


def bomb():
    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def lab():
    from PIL import ImageCms

    image, spaces = Image.fromarray(gradient()), [ImageCms.createProfile(name) for name in ("sRGB", "LAB")]
    return saved(ImageCms.profileToProfile(image, *spaces, outputMode="LAB"), "TIFF")


def palette():
    image = Image.fromarray(np.array([[0, 1], [1, 2]], np.uint8), mode="P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    return saved(image, "PNG", transparency=1)


def rgba():
    return np.dstack([gradient(), np.repeat(np.linspace(0, 255, 24).astype(np.uint8)[:, None], 36, 1)])


def coded(gamma, primaries=None):
    extra = chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000)))
    if primaries is not None:
        extra = chunk(b"cHRM", struct.pack(">8I", *(round(number * 100_000) for number in primaries))) + extra
    return png(gradient(), COLOUR, 8, extra)


def adapted(xy):
    """The columns of `image_files.profile` of primaries with the white of sRGB."""
    points = np.reshape(xy, (4, 2))
    xyz = np.column_stack([points[:, 0], points[:, 1], 1 - points.sum(1)]) / points[:, 1:]
    columns = xyz[1:] * np.linalg.solve(xyz[1:].T, xyz[0])[:, None]
    srgb = np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    to_d50 = np.linalg.inv(srgb) @ [
        [0.43607, 0.22249, 0.01392],
        [0.38515, 0.71687, 0.09708],
        [0.14307, 0.06061, 0.7141],
    ]
    return columns @ to_d50


ADOBE = (0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
SRGB = np.array([[0.43607, 0.22249, 0.01392], [0.38515, 0.71687, 0.09708], [0.14307, 0.06061, 0.71410]])
G, GREYS = gradient(), np.arange(256).reshape(4, 64)
BITS = Image.fromarray(G).convert("1")
# name of the file: (its bytes, the content that is painted, how far off it may be on average)
RIGHT = {
    "cmyk.jpg": (lambda: saved(Image.fromarray(G).convert("CMYK"), "JPEG", quality=98), G, 6),
    "cmyk.tif": (lambda: saved(Image.fromarray(G).convert("CMYK"), "TIFF"), G, 3),
    "one.png": (lambda: saved(G[:1, :1], "PNG"), G[:1, :1], 0),
    "line.png": (lambda: saved(gradient(1, 300), "PNG"), gradient(1, 300), 0),
    "column.webp": (lambda: saved(gradient(300, 1), "WEBP", lossless=True), gradient(300, 1), 0),
    "long.png": (lambda: saved(gradient(3, 9000), "PNG"), gradient(3, 9000), 0),
    "grey16.png": (lambda: png(GREYS * 257, GREY, 16), np.repeat(GREYS[..., None], 3, 2), 0),
    "colour16.png": (lambda: png(G * np.int64(257), COLOUR, 16), G, 0),
    "bit.png": (lambda: saved(BITS, "PNG"), np.array(BITS.convert("RGB")), 0),
    "float.tif": (
        lambda: saved(Image.fromarray((GREYS / 255).astype(np.float32)), "TIFF"),
        np.repeat(GREYS[..., None], 3, 2),
        0.5,
    ),
    "lab.tif": (lab, G, 3),
    "pages.tif": (lambda: saved(G, "TIFF", save_all=True, append_images=[Image.fromarray(255 - G)]), G, 0),
    "wrong suffix.jpg": (lambda: saved(G, "PNG"), G, 0),
    "no suffix": (lambda: saved(G, "PNG"), G, 0),
    "moving.gif": (
        lambda: saved(
            Image.new("RGB", (9, 7), (255, 0, 0)), "GIF", save_all=True, append_images=[Image.new("RGB", (9, 7))]
        ),
        np.full((7, 9, 3), (255, 0, 0)),
        0,
    ),
    "moving.png": (lambda: saved(G, "PNG", save_all=True, append_images=[Image.fromarray(255 - G)]), G, 0),
    "turned.jpg": (lambda: oriented("JPEG", quality=98), np.rot90(G, -1), 4),
    "turned.tif": (lambda: oriented("TIFF"), np.rot90(G, -1), 0),
    "broken exif.jpg": (lambda: saved(G, "JPEG", quality=98, exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), G, 4),
    "more after the end.jpg": (lambda: saved(G, "JPEG", quality=98, progressive=True) + b"camera's own" * 99, G, 4),
    "wide.png": (lambda: saved(G, "PNG", icc_profile=profile(2.2, WIDE)), to_srgb(G, 2.2, WIDE), 1),
    "broken profile.png": (lambda: saved(G, "PNG", icc_profile=b"no profile" * 20), G, 0),
    "gamma 1.png": (lambda: coded(1.0), to_srgb(G, 1.0, SRGB), 0.6),
    "adobe by numbers.png": (lambda: coded(1 / 2.2, ADOBE), to_srgb(G, 2.2, adapted(ADOBE)), 0.6),
    "gamma of srgb.png": (lambda: coded(0.45455, (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)), G, 0),
    "photo.avif": (lambda: saved(G, "AVIF", quality=98), G, 9),
    "photo.heic": (lambda: heic(), G, 9),
    "name\nwith a line ü.png": (lambda: saved(G, "PNG"), G, 0),
}
LINES = {
    "cut.jpg": (lambda: saved(G, "JPEG", quality=98)[:900], "damaged image"),
    "cut.png": (lambda: saved(G, "PNG")[:-60], "damaged image"),
    "cut.webp": (lambda: saved(G, "WEBP", lossless=True)[:-60], "damaged image"),
    "empty.jpg": (lambda: b"", "not an image (empty"),
    "text.png": (lambda: b"a text, no picture", "not an image"),
    "checksum.png": (lambda: png(G, COLOUR, 8)[:-14] + b"....IEND\xaeB`\x82", "damaged image"),
    "bomb.png": (bomb, "more than 179 million pixels"),
    "nan.tif": (lambda: saved(Image.fromarray(np.array([[0, np.nan]], np.float32)), "TIFF"), "NaN or infinity"),
    "postscript.png": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
    "video.heic": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40), "not an image (empty, damaged"),
}


def heic():
    pytest.importorskip("pillow_heif").register_heif_opener()
    return saved(G, "HEIF", quality=98)


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Function of the name and the bytes of a content that runs stylize.py on it: exit code, lines of stderr."""
    monkeypatch.setattr("src.stylize.stylizer.open_networks", lambda *_: HalfNetworks())
    Image.new("RGB", (30, 30), INK).save(tmp_path / "ink.png")

    def run(name, data):
        (tmp_path / name).write_bytes(data)
        paths = [str(tmp_path / part) for part in (name, "ink.png", "out.png")]
        code = run_entry(stylize.main, [*paths[:2], "-o", paths[2], "--engine", "onnxruntime"])
        return code, capsys.readouterr().err.splitlines()

    return run


@pytest.mark.parametrize("name", RIGHT)
def test_right_results(call, tmp_path, name):
    data, content, tolerance = RIGHT[name]
    assert call(name, data()) == (0, [])
    found = read_picture(tmp_path / "out.png")
    assert found.pixels.shape == np.shape(content) and found.alpha is None
    # what is painted is half as far off as what was read, and rounded
    assert np.abs(found.pixels - half(content, INK)).mean() <= tolerance / 2 + 0.51


@pytest.mark.parametrize("name", LINES)
def test_clear_lines(call, tmp_path, name):
    data, reason = LINES[name]
    code, err = call(name, data())
    assert code == 2 and len(err) == 1 and err[0].startswith("error: ") and name in err[0] and reason in err[0], err
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    "data, alpha",
    [
        (palette, [[255, 0], [0, 255]]),
        (lambda: saved(rgba(), "PNG"), rgba()[..., 3]),
        (lambda: saved(rgba(), "WEBP", lossless=True, exact=True), rgba()[..., 3]),
        (lambda: png(GREYS, GREY, 8, transparent(7)), np.where(GREYS == 7, 0, 255)),
    ],
    ids=["palette", "rgba", "webp", "a grey level"],
)
def test_what_is_transparent_stays_so(call, tmp_path, data, alpha):
    assert call("a.png", data()) == (0, [])
    found = read_picture(tmp_path / "out.png")
    assert (found.alpha == alpha).all()
    with Image.open(tmp_path / "out.png") as image:  # under the alpha it is painted as over white
        assert np.abs(np.array(image)[..., :3] - half(read_picture(tmp_path / "a.png").pixels, INK)).max() <= 1


def test_without_the_package_heic_and_avif_name_it(call, monkeypatch):
    monkeypatch.setattr("src.images.formats.missing_package", lambda suffix: {".heic": "pillow-heif"}.get(suffix, ""))
    code, err = call("a.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40))
    assert code == 2 and len(err) == 1 and "pip install pillow-heif" in err[0] and "a.jpg" in err[0]
