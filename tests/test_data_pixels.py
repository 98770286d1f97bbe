"""Pixels of batches: every kind of file, crops, flips, colours."""

import numpy as np
import pytest
from data_folders import SIZE, config, fill, picture, plain, take
from image_files import GREY, WIDE, png, profile, transparent
from PIL import Image, ImageCms

from src.config import defaults
from src.data import transforms
from src.data.dataset import PairedImages
from src.images.files import read_image


def save_sideways(image, path):
    exif = image.getexif()
    exif[0x0112] = 6
    image.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif, quality=95)


def save_wide_grey(image, path):
    Image.fromarray(np.array(image.convert("L")).astype(np.uint16) * 256).save(path)


def save_wide_grey_with_transparency(image, path):
    grey = np.array(image.convert("L")).astype(np.uint16) * 256
    path.write_bytes(png(grey, GREY, 16, transparent(grey[5, 5])))


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
FILES = {
    "rgb.jpg": lambda image, path: image.save(path, quality=95),
    "progressive.jpeg": lambda image, path: image.save(path, quality=95, progressive=True),
    "grey.jpg": lambda image, path: image.convert("L").save(path, quality=95),
    "cmyk.jpg": lambda image, path: image.convert("CMYK").save(path, quality=95),
    "sideways.jpg": save_sideways,
    "absurd_exif.jpg": lambda image, path: image.save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\xff", quality=95),
    "trailing.jpg": lambda image, path: (image.save(path, quality=95), path.open("ab").write(b"x" * 5000)),
    "rgb.png": lambda image, path: image.save(path),
    "grey.png": lambda image, path: image.convert("L").save(path),
    "grey_wide.png": save_wide_grey,
    "alpha.png": lambda image, path: image.convert("RGBA").save(path),
    "palette.png": lambda image, path: image.quantize(200).save(path),
    "black_white.png": lambda image, path: image.convert("1").save(path),
    "a.bmp": lambda image, path: image.save(path),
    "a.webp": lambda image, path: image.save(path, lossless=True),
    "grey_wide_transparent.png": save_wide_grey_with_transparency,
    "profile.png": lambda image, path: image.save(path, icc_profile=profile(1.8, WIDE)),
    "profile.jpg": lambda image, path: image.save(path, icc_profile=profile(1.8, WIDE), quality=95),
    "grey_profile.jpg": lambda image, path: image.convert("L").save(path, icc_profile=profile(1.0), quality=95),
    "srgb_profile.jpg": lambda image, path: image.save(path, icc_profile=SRGB, quality=95),
    "sideways.tif": lambda image, path: image.save(path, tiffinfo={0x0112: 6}),
    "floats.tiff": lambda image, path: Image.fromarray(np.float32(image.convert("L")) / 255).save(path),
    "wrong ending ü.png": lambda image, path: image.save(path, format="JPEG", quality=95),
}


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_comes_out_as_read_image_gives_it(tmp_path, name):
    """One decoder's rule: training sees the pixels that stylising and evaluation see, exactly."""
    for kind in ("content", "style"):
        (tmp_path / kind).mkdir()
        FILES[name](Image.fromarray(picture(3, SIZE, SIZE)), tmp_path / kind / name)
    expected = read_image(tmp_path / "content" / name)
    assert expected.shape == (SIZE, SIZE, 3) and expected.std() > 20
    images = PairedImages(config((tmp_path / "content", tmp_path / "style"), **plain(batch_size=4)), 1)
    assert images.skipped == 0
    content, style = take(images, 0, 1)[0]
    for found in np.rint(np.concatenate([content, style]) * 255).astype(np.uint8).transpose(0, 2, 3, 1):
        assert (found == expected).all() or (found == expected[:, ::-1]).all()


def test_extreme_shapes(tmp_path):
    for kind in ("content", "style"):
        (tmp_path / kind).mkdir()
        Image.fromarray(picture(0, 80, 12_000)).save(tmp_path / kind / "wide.jpg")
        Image.fromarray(picture(0, 1, 1)).save(tmp_path / kind / "one.png")
    images = PairedImages(config((tmp_path / "content", tmp_path / "style")), 1)
    assert (images.content_count, images.style_count, images.skipped) == (1, 1, 2)
    assert take(images, 0, 1)[0][0].shape == (3, 3, SIZE, SIZE)


def test_small_images_are_enlarged(tmp_path):
    folders = fill(tmp_path / "content", 2, height=16, width=20), fill(tmp_path / "style", 2, height=16, width=20)
    images = PairedImages(config(folders, **plain()), 1)
    content = take(images, 0, 1)[0][0]
    assert content.shape == (3, 3, SIZE, SIZE)
    assert np.abs(np.diff(content, axis=-1)).max() < 0.1


def test_large_jpegs_are_reduced_while_decoding(tmp_path):
    """Reduced and whole decoding give nearly the same crop."""
    folders = tmp_path / "content", fill(tmp_path / "style", 1)
    folders[0].mkdir()
    Image.fromarray(picture(0, 800, 800)).save(folders[0] / "a.jpg", quality=98)
    whole = np.asarray(Image.open(folders[0] / "a.jpg").resize((SIZE, SIZE), Image.BOX)) / 255
    images = PairedImages(config(folders, **plain()), 1)
    for found in take(images, 0, 1)[0][0].transpose(0, 2, 3, 1):
        difference = min(np.abs(found - whole).mean(), np.abs(found - whole[:, ::-1]).mean())
        assert difference < 0.01


def test_decoding_leaves_enough_pixels_for_the_smallest_crop(tmp_path, monkeypatch):
    folders = tmp_path / "content", tmp_path / "style"
    for folder in folders:
        folder.mkdir()
        Image.fromarray(picture(0, 100, 100)).save(folder / "a.bmp")
    asked = {}

    def reading(path, at_least=0):
        asked[path.parent.name] = at_least
        return read_image(path, at_least)

    monkeypatch.setattr("src.data.stream.read_image", reading)
    options = {"content_resize": 1.5, "style_size": 48, "style_resize_min": 1.0, "style_resize_max": 2.5}
    take(PairedImages(config(folders, **options), 1), 0, 1)
    assert asked == {"content": round(1.5 * SIZE), "style": 120}


def test_apply_crops_where_the_draw_says():
    image = picture(0, 100, 60)
    corner = transforms.apply(image, transforms.Draw(scale=2.0, top=1.0, left=1.0, flip=0.0), 30)
    assert (corner == image[70:, 30:]).all()
    below = transforms.apply(image, transforms.Draw(scale=2.0, top=1.0, left=0.0, flip=1.0, flop=0.0), 30)
    assert (below == image[70:, :30][:, ::-1]).all()
    beside = transforms.apply(image, transforms.Draw(scale=2.0, top=0.0, left=1.0, flip=0.0, flop=1.0), 30)
    assert (beside == image[:30, 30:][::-1]).all()


def test_strong_reduction_does_not_alias():
    board = (np.indices((512, 512)).sum(axis=0) % 2 * 255).astype(np.uint8)
    small = transforms.apply(np.repeat(board[:, :, None], 3, axis=2), transforms.Draw(1.0, 0.0, 0.0, 0.0), 60)
    assert 120 < small.mean() < 135 and small.std() < 15


def test_brightness_is_added_and_clipped():
    image = np.array([[[0, 100, 250]]], np.uint8)
    assert transforms.shift_brightness(image, 0.2).tolist() == [[[51, 151, 255]]]
    assert transforms.shift_brightness(image, -0.2).tolist() == [[[0, 49, 199]]]


def test_saturation_and_hue_do_what_they_say():
    image = np.full((8, 8, 3), (200, 60, 60), np.uint8)
    middle = {"scale": 1.0, "top": 0.0, "left": 0.0, "flip": 0.0}
    grey = transforms.apply(image, transforms.Draw(**middle, saturation=0.0), 8)
    assert np.ptp(grey[0, 0].astype(int)) <= 1
    turned = transforms.apply(image, transforms.Draw(**middle, hue=0.3333), 8)[0, 0]
    assert turned.argmax() == 1  # red becomes green


def test_augmentation_switch(tmp_path):
    folders = fill(tmp_path / "content", 1), fill(tmp_path / "style", 1, height=SIZE, width=SIZE)
    expected = read_image(folders[1] / "00.png").transpose(2, 0, 1) / 255

    def same(images):
        """How many of 30 style images are the file's pixels, mirrored or not."""
        styles = np.concatenate([style for _, style in take(images, 0, 10)])
        return sum(
            any(np.abs(style - turned).max() < 1e-6 for turned in (expected, expected[:, :, ::-1])) for style in styles
        )

    options = {"style_resize_min": 1.0, "style_resize_max": 1.0}
    assert same(PairedImages(config(folders, **options, style_augment=False), 1)) == 30
    assert same(PairedImages(config(folders, **options, style_augment=True), 1)) == 0


def test_defaults_are_those_of_the_papers_code():
    data = defaults()["data"]
    assert (data.brightness, data.saturation, data.hue, data.vertical_flip) == (0.8, 0.5, 0.2, True)
    draws = [transforms.draw_style(np.random.default_rng(i), data) for i in range(500)]
    for field, low, high in [
        ("scale", data.style_resize_min, data.style_resize_max),
        ("brightness", -0.8, 0.8),
        ("saturation", 0.5, 1.5),
        ("hue", -0.2, 0.2),
        ("top", 0, 1),
        ("left", 0, 1),
    ]:
        values = [getattr(draw, field) for draw in draws]
        assert low <= min(values) < low + 0.05 * (high - low) and high - 0.05 * (high - low) < max(values) <= high
    assert 200 < sum(draw.flip for draw in draws) < 300 and 200 < sum(draw.flop for draw in draws) < 300
