"""What is kept beside the pixels: EXIF of any size, transparency at another size."""

import io

import numpy as np
import pytest
from conftest import make_image
from PIL import ExifTags, Image

from src.images.files import Picture, read_picture
from src.images.metadata import kept_exif

EXIF = ExifTags.IFD.Exif


def with_exif(**tags):
    """An opened JPEG with tags of the block Exif, and a description of so many letters."""
    exif, stream = Image.Exif(), io.BytesIO()
    exif[ExifTags.Base.ImageDescription.value] = "a" * tags.pop("letters", 5)
    for name, value in tags.items():
        exif.get_ifd(EXIF)[ExifTags.Base[name].value] = value
    Image.fromarray(make_image(8, 8)).save(stream, "JPEG", exif=exif)
    return Image.open(stream)


def kept(image):
    """The kept EXIF, read again: tags of the file, tags of its block Exif."""
    exif = Image.Exif()
    exif.load(kept_exif(image))
    return dict(exif), dict(exif.get_ifd(EXIF))


def test_exif_says_srgb_though_the_photograph_had_other_colours():
    _, block = kept(with_exif(ColorSpace=0xFFFF, ExifImageWidth=4000, FNumber=2.8))
    assert block[ExifTags.Base.ColorSpace.value] == 1
    assert float(block[ExifTags.Base.FNumber.value]) == pytest.approx(2.8)
    assert ExifTags.Base.ExifImageWidth.value not in block  # of the photograph, not of the pastiche


@pytest.mark.parametrize("letters, stays", [(60_000, True), (65_100, False)])
def test_exif_that_no_jpeg_holds_is_left_out(letters, stays):
    exif = kept_exif(with_exif(letters=letters))
    assert bool(exif) == stays
    Image.fromarray(make_image(8, 8)).save(io.BytesIO(), "JPEG", exif=exif)  # PIL refuses more


def test_transparency_is_resized_with_the_picture(tmp_path):
    alpha = np.zeros((40, 60), np.uint8)
    alpha[:, 30:] = 255
    Image.fromarray(np.dstack([make_image(40, 60), alpha])).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png").resized((20, 30))
    assert picture.pixels.shape == (20, 30, 3) and picture.alpha.shape == (20, 30)
    assert (picture.alpha[:, :12] < 20).all() and (picture.alpha[:, 18:] > 235).all()
    assert Picture(picture.pixels).resized((5, 6)).alpha is None
