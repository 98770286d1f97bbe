"""Contents of one colour are passed over, crops of one colour are drawn again."""

import logging

import numpy as np
import pytest
from data_folders import assert_same, config, fill, picture, take
from PIL import Image

from src.data.dataset import PairedImages
from src.data.transforms import is_flat


@pytest.fixture
def folders(tmp_path):
    return fill(tmp_path / "content", 10), fill(tmp_path / "style", 7)


@pytest.mark.parametrize(
    ("flat", "expected"),
    [
        (np.full((64, 64, 3), (120, 160, 200)), True),
        (np.full((64, 64, 3), (120, 160, 200)) + np.random.default_rng(0).integers(-1, 2, (64, 64, 3)), True),
        (np.full((64, 64, 3), 90) + 4 * (np.arange(64)[:, None, None] // 32), False),
        (np.full((300, 9, 3), 90) + 4 * (np.arange(9)[:, None] // 5), False),
    ],
    ids=["one colour", "noise", "two tones down", "two tones across"],
)
def test_flat_is_less_than_a_level_from_the_mean_colour(flat, expected):
    assert is_flat(flat.astype(np.uint8)) == expected


def test_a_flat_content_is_passed_over_and_named_once(folders, caplog):
    """Through 16 instance norms of constant channels, gradients grow to infinity."""
    Image.new("RGB", (64, 48), (120, 160, 200)).save(folders[0] / "03.png")
    images = PairedImages(config(folders, batch_size=1), 1)
    order = [images.batch_files(step)[0][0].name for step in range(10)]
    with caplog.at_level(logging.WARNING, "style_transfer"):
        batches = take(images, 0, 20)
    assert all(content.std((2, 3)).mean() > 1 / 255 for content, _ in batches)
    drawn = [images.batch_files(step)[0][0].name for step in range(10)]
    assert drawn == ["04.png" if name == "03.png" else name for name in order]
    assert [message for message in caplog.messages if "03.png" in message] == [
        f"skipped {folders[0] / '03.png'}: a picture of one colour, of which nothing is learnt"
    ]
    assert images.skipped == 1
    later = PairedImages(config(folders, batch_size=1), 1)  # a resumed run sees the same
    assert_same(take(later, 7, 20), batches[7:])


def test_each_attempt_at_a_crop_is_another(folders):
    images = PairedImages(config(folders, content_resize=1.5), 1)
    assert len({images._content.draw(7, attempt) for attempt in range(5)}) == 5


def test_a_crop_of_the_sky_is_drawn_again(folders):
    """Three quarters of the picture are flat, and every crop shows the rest."""
    sky = np.full((48, 192, 3), (120, 160, 200), np.uint8)
    sky[:, 144:] = picture(0, 48, 48)
    for path in folders[0].iterdir():
        Image.fromarray(sky).save(path)
    images = PairedImages(config(folders, batch_size=2, content_resize=1.5), 1)
    assert all(content.std((2, 3)).mean(1).min() > 1 / 255 for content, _ in take(images, 0, 10))
    assert images.skipped == 0


def test_flat_contents_alone_are_drawn_as_they_are(folders):
    for path in folders[0].iterdir():
        Image.new("RGB", (64, 48), (120, 160, 200)).save(path)
    images = PairedImages(config(folders, batch_size=1), 1)
    order = [images.batch_files(step)[0] for step in range(3)]
    assert all(content.std((2, 3)).max() < 1e-6 for content, _ in take(images, 0, 3))
    assert [images.batch_files(step)[0] for step in range(3)] == order
