"""Batches: pixels of every kind of file, the schedule of files and draws, the share of each rank."""

from collections import Counter

import numpy as np
import pytest
from data_folders import SIZE, assert_same, config, fill, names, picture, plain, take
from image_files import GREY, WIDE, png, profile, transparent
from PIL import Image, ImageCms

from src.config import defaults
from src.data import transforms
from src.data.dataset import PairedImages
from src.errors import UserError
from src.images.files import read_image


@pytest.fixture
def folders(tmp_path):
    return fill(tmp_path / "content", 10), fill(tmp_path / "style", 7)


def test_shapes_types_and_range(folders):
    batches = take(PairedImages(config(folders, content_resize=1.5), 1), 0, 4)
    assert len(batches) == 4
    for batch in batches:
        for images in batch:
            assert images.shape == (3, 3, SIZE, SIZE) and images.dtype == np.float32
            assert images.min() >= 0 and images.max() <= 1
    assert max(images.max() for batch in batches for images in batch) > 0.5


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


def test_same_batches_whatever_the_workers(folders):
    results = [take(PairedImages(config(folders, num_parallel_workers=n), 5), 0, 8) for n in (1, 2, 64)]
    assert_same(results[0], results[1])
    assert_same(results[0], results[2])


def test_seed_decides(folders):
    first = take(PairedImages(config(folders), 1), 0, 3)
    assert_same(first, take(PairedImages(config(folders), 1), 0, 3))
    other = take(PairedImages(config(folders), 2), 0, 3)
    assert not any((a == b).all() for a, b in zip(first[0], other[0], strict=True))
    assert_same(take(PairedImages(config(folders), -1), 0, 1), take(PairedImages(config(folders), -1), 0, 1))


def test_any_step_can_be_the_first(folders):
    images = PairedImages(config(folders), 3)
    assert_same(take(images, 0, 9)[6:], take(PairedImages(config(folders), 3), 6, 9))
    assert take(images, 4, 4) == []


def test_far_steps_start_at_once(folders, monkeypatch):
    """Drawing the billionth batch costs no more random numbers than drawing the first: none are made on the way."""
    made = []

    def count(*arguments, make=np.random.default_rng):
        made.append(arguments)
        assert len(made) < 100, "it draws what came before"
        return make(*arguments)

    monkeypatch.setattr(np.random, "default_rng", count)
    counts = []
    for start in (0, 10**9):
        made.clear()
        assert len(take(PairedImages(config(folders), 3), start, start + 1)) == 1
        counts.append(len(made))
    assert counts[1] <= counts[0] + 4  # an epoch of each kind may begin inside the batch


@pytest.mark.parametrize("kind, count", [(0, 10), (1, 7)])
def test_each_epoch_is_every_file_once_in_another_order(folders, kind, count):
    images = PairedImages(config(folders, batch_size=1), 1)
    epochs = [[images.batch_files(epoch * count + i)[kind][0].name for i in range(count)] for epoch in range(4)]
    assert all(sorted(epoch) == [f"{i:02}.png" for i in range(count)] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_ranks_share_the_epoch_out(folders):
    options = config(folders, batch_size=1)
    ranks = [PairedImages(options, 1, rank, 2) for rank in range(2)]
    drawn = [images.batch_files(step)[0][0].name for step in range(5) for images in ranks]
    assert sorted(drawn) == [f"{i:02}.png" for i in range(10)]


def test_two_ranks_make_the_batch_of_one(folders):
    whole = take(PairedImages(config(folders, batch_size=4), 1), 0, 3)
    ranks = [take(PairedImages(config(folders, batch_size=2), 1, rank, 2), 0, 3) for rank in range(2)]
    joined = [
        tuple(np.concatenate(parts) for parts in zip(*halves, strict=True)) for halves in zip(*ranks, strict=True)
    ]
    assert_same(whole, joined)


def test_pairs_are_random(tmp_path):
    folders = fill(tmp_path / "content", 10), fill(tmp_path / "style", 10)
    images = PairedImages(config(folders, batch_size=1), 1)
    pairs = [tuple(files[0].name for files in images.batch_files(step)) for step in range(100)]
    partners = Counter(content for content, _ in set(pairs))
    assert len(partners) == 10 and min(partners.values()) >= 4
    assert sum(content == style for content, style in pairs) < 30


def test_content_and_style_are_cropped_and_flipped_apart_from_each_other(tmp_path):
    """Red tells the column of a pixel, so that each crop tells where it lies and whether it is mirrored."""
    columns = np.tile(np.arange(0, 192, 2, dtype=np.uint8)[None, :, None], (SIZE, 1, 3))
    folders = tmp_path / "content", tmp_path / "style"
    for folder in folders:
        folder.mkdir()
        Image.fromarray(columns).save(folder / "a.png")
    still = {"brightness": 0.0, "saturation": 0.0, "hue": 0.0, "vertical_flip": False}
    size = {"content_resize": 1.0, "style_resize_min": 1.0, "style_resize_max": 1.0, "batch_size": 64}
    content, style = take(PairedImages(config(folders, **still, **size), 1), 0, 1)[0]
    lefts, flips = [], []
    for images in (content, style):
        red = np.rint(images[:, 0, 0] * 255).astype(int)
        assert (np.abs(np.diff(red)) == 2).all()
        lefts.append(red.min(1) / 2)
        flips.append(red[:, 0] > red[:, -1])
    assert 16 < (flips[0] == flips[1]).sum() < 48
    assert abs(np.corrcoef(lefts)[0, 1]) < 0.4 and np.std(lefts, axis=1).min() > 10


def test_styles_may_have_a_size_of_their_own(folders):
    content, style = take(PairedImages(config(folders, style_size=48), 0), 0, 1)[0]
    assert content.shape[2:] == (SIZE, SIZE) and style.shape[2:] == (48, 48)
    assert_same(
        take(PairedImages(config(folders, style_size=SIZE), 0), 0, 2), take(PairedImages(config(folders), 0), 0, 2)
    )


def test_fixed_crops_of_a_style_come_up_again_and_again(folders):
    options = {"style_crops": 2, "style_resize_min": 1.5, "style_resize_max": 2.0}
    images = PairedImages(config(folders, **options), 0)
    met = {}
    for step, (_, style) in enumerate(take(images, 0, 12)):
        paths = images.batch_files(step)[1]
        for path, crop, pixels in zip(paths, images.style_crops(step), style, strict=True):
            assert images.all_files()[1][crop[0]] == path
            assert (met.setdefault(crop, pixels) == pixels).all()
    assert len(met) == 2 * images.style_count
    assert len({pixels.tobytes() for pixels in met.values()}) == len(met)
    with pytest.raises(UserError, match="style_crops"):
        PairedImages(config(folders, style_crops=-1), 0)


def test_known_styles_are_not_drawn_unless_there_are_no_others(folders):
    files = PairedImages(config(folders), 0).all_files()[1]
    known = [path.stem for path in files]
    assert PairedImages(config(folders), 0, known_styles=known[1:]).all_files()[1] == files[:1]
    assert PairedImages(config(folders), 0, known_styles=known).all_files()[1] == files


def test_batch_files_are_the_files_of_the_batch(folders):
    """The mean of each picture tells which it is: crops are whole images here."""
    for folder in folders:
        for number, path in enumerate(sorted(folder.iterdir())):
            Image.new("RGB", (SIZE, SIZE), (number * 20, number * 10, 77)).save(path)
    images = PairedImages(config(folders, **plain()), 1)
    for step, batch in enumerate(take(images, 0, 5)):
        for kind in (0, 1):
            numbers = np.rint(batch[kind][:, 0].mean(axis=(1, 2)) * 255 / 20).astype(int)
            assert names(images.batch_files(step)[kind]) == [f"{number:02}.png" for number in numbers]


def test_the_training_images_are_all_usable(shared):
    options = {"content_path": str(shared("data/content/train")), "style_path": str(shared("data/style/train"))}
    data = defaults(data={**options, "style_kinds": {"painting": 2.0, "texture": 1.0}})["data"]
    images = PairedImages(data, 1)
    assert (images.content_count, images.style_count, images.skipped) == (1640, 1224, 0)
    content, style = take(images, 0, 1)[0]
    assert content.shape == style.shape == (data.batch_size, 3, data.image_size, data.image_size)
