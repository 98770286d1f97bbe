"""Batches: the schedule of files and draws, and the share of each rank."""

from collections import Counter

import numpy as np
import pytest
from data_folders import SIZE, assert_same, config, fill, names, plain, take
from PIL import Image

from src.config import defaults
from src.data.dataset import PairedImages
from src.errors import UserError


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
