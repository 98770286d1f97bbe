"""Which files are drawn: kinds of style, files that cannot be used, options that make no sense; and how it all ends."""

import csv
import logging
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from data_folders import assert_same, config, fill, names, picture, take
from image_files import chunk
from PIL import Image

from src.data.dataset import PairedImages
from src.data.scan import scan_folder, style_weights
from src.errors import UserError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def folders(tmp_path):
    return fill(tmp_path / "content", 10), fill(tmp_path / "style", 7)


def weighted(folders, kinds, steps):
    images = PairedImages(config(folders, batch_size=1, style_kinds=kinds), 1)
    return Counter(images.batch_files(step)[1][0].parent.name for step in range(steps))


def test_style_kinds_by_first_level_folder(tmp_path):
    content = fill(tmp_path / "content", 2)
    fill(tmp_path / "style" / "painting" / "deep", 4)
    fill(tmp_path / "style" / "texture", 4)
    folders = content, tmp_path / "style"
    assert weighted(folders, {"painting": 3.0}, 160) == {"deep": 120, "texture": 40}
    assert weighted(folders, {"texture": 0.0}, 80) == {"deep": 80}
    assert weighted(folders, {}, 80) == {"deep": 40, "texture": 40}


def test_style_kinds_by_table(tmp_path):
    folder = fill(tmp_path / "style" / "train", 4)
    with open(tmp_path / "SOURCES.csv", "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([("file", "kind"), ("style/train/00.png", "painting"), ("style/train/03.png", "texture")])
    files, _ = scan_folder(folder, "style_path", 16)
    assert style_weights(files, folder, {"painting": 2.0, "texture": 0.5}) == [2.0, 1.0, 1.0, 0.5]
    assert style_weights(files, folder, {}) is None
    # what the table says of a file goes before its folder
    assert style_weights(files, folder.parent, {"painting": 2.0, "train": 3.0}) == [2.0, 3.0, 3.0, 3.0]


@pytest.mark.parametrize(
    "kinds, words", [({"paintign": 2.0}, "paintign"), ({"a": -1.0}, "0 or more"), ({"a": 0.0}, "above 0")]
)
def test_style_kinds_that_make_no_sense(tmp_path, kinds, words):
    fill(tmp_path / "style" / "a", 2)
    files, _ = scan_folder(tmp_path / "style", "style_path", 16)
    with pytest.raises(UserError, match=words) as error:
        style_weights(files, tmp_path / "style", kinds)
    assert "style_kinds" in str(error.value)


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_unusable_files_are_skipped_named_once_and_counted(folders, caplog):
    content = folders[0]
    good = picture(0, 200, 200)
    bad = ["empty.jpg", "half.jpg", "half.png", "half.webp", "half.bmp", "text.jpg", "tiny.png", "link.jpg", "head.jpg"]
    (content / "empty.jpg").write_bytes(b"")
    for name in ("half.jpg", "half.png", "half.webp", "half.bmp", "head.jpg"):
        Image.fromarray(good).save(content / name)
        half(content / name)
    (content / "head.jpg").write_bytes((content / "head.jpg").read_bytes()[:20])
    (content / "text.jpg").write_text("no image at all")
    Image.fromarray(good[:8, :8]).save(content / "tiny.png")
    (content / "link.jpg").symlink_to(content / "nowhere.jpg")
    (content / "folder.jpg").mkdir()
    with caplog.at_level(logging.WARNING, logger="style_transfer"):
        images = PairedImages(config(folders), 1)
        take(images, 0, 8)
    assert (images.content_count, images.skipped) == (10, len(bad))
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == len(bad)
    assert all(sum(f"/{name}: " in message for message in messages) == 1 for name in bad)


def damage_inside(path):
    """Whole at both ends, damaged in the middle."""
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (200, 200, 3), np.uint8)).save(path, quality=95)
    contents = bytearray(path.read_bytes())
    middle = len(contents) // 2
    contents[middle : middle + 4000] = rng.bytes(4000)
    path.write_bytes(contents)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_damage_inside_a_file_is_found_when_it_is_read(folders, suffix, caplog):
    """Replaced by the next file, the same whatever the workers and wherever the run starts; named once."""
    damage_inside(folders[0] / f"05.{suffix}")
    (folders[0] / "05.png").unlink() if suffix != "png" else None
    results = []
    for workers, start in ((1, 0), (2, 0), (2, 5)):
        caplog.clear()
        images = PairedImages(config(folders, num_parallel_workers=workers), 1)
        assert images.content_count == 10 and images.skipped == 0
        results.append(take(images, start, 10))
        assert images.skipped == 1
        assert len(caplog.records) == 1 and f"05.{suffix}" in caplog.records[0].getMessage()
    assert_same(results[0], results[1])
    assert_same(results[0][5:], results[2])
    drawn = Counter(name for step in range(10) for name in names(images.batch_files(step)[0]))
    assert f"05.{suffix}" not in drawn and drawn["06.png"] == 6


def test_a_file_that_only_minddata_refuses_is_read_otherwise(folders):
    """MindData's decoder stops the pipeline; it goes on at the same step, without losing or repeating a batch."""
    expected = take(PairedImages(config(folders), 1), 0, 10)
    path = folders[0] / "05.png"
    contents = path.read_bytes()
    end = contents.index(b"IEND") - 4
    path.write_bytes(contents[:end] + chunk(b"ABCD", b"") + contents[end:])  # PIL passes over what it does not know
    images = PairedImages(config(folders), 1)
    assert_same(take(images, 0, 10), expected)
    assert images.skipped == 0


def test_files_that_vanish_are_replaced(folders, caplog):
    images = PairedImages(config(folders), 1)
    (folders[1] / "03.png").unlink()
    assert len(take(images, 0, 6)) == 6
    assert images.skipped == 1 and "03.png" in caplog.text


def test_all_files_vanished(folders):
    images = PairedImages(config(folders), 1)
    for path in folders[1].iterdir():
        path.write_bytes(b"")
    with pytest.raises(UserError, match="option style_path: every image in .*style has become unreadable"):
        take(images, 0, 6)


@pytest.mark.parametrize("how", ["removed", "taken away", "moved and back"])
@pytest.mark.parametrize("kind", [0, 1])
def test_a_data_folder_that_disappears_within_an_epoch_is_named_at_once(folders, caplog, how, kind):
    """No file of it is skipped, so that the run that goes on later draws what it would have drawn."""
    images = PairedImages(config(folders, prefetch=1), 1)
    away = folders[kind].with_name("away")
    batches = images.batches(0, 200)
    next(batches)
    folders[kind].rename(away)
    if how == "taken away":  # the folder of a disk that is no longer mounted
        folders[kind].mkdir()
    option = ("content_path", "style_path")[kind]
    with pytest.raises(UserError, match=f"option {option}: {folders[kind]}: no longer there, or empty") as error:
        for count, _ in enumerate(batches):
            assert count < 150
            failed = images._content.failure or images._style.failure
            if how == "moved and back" and failed and away.exists():
                away.rename(folders[kind])
    assert "the same command goes on" in str(error.value).lower()
    assert images.skipped == 0 and not caplog.messages


def test_a_data_file_replaced_within_an_epoch_is_looked_at_anew(folders, caplog):
    """A file that MindData decodes right is replaced by one that lies on its side, which MindData does not see."""
    path, batch = folders[0] / "05.png", {"batch_size": 1, "content_resize": 1.0, "prefetch": 1}
    images = PairedImages(config(folders, **batch), 1)
    take(images, 0, 10)  # every file was read once
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(picture(5, 64, 48)).save(path, exif=turned)
    expected = take(PairedImages(config(folders, **batch), 1), 10, 20)
    assert_same(take(images, 10, 20), expected)
    assert [message for message in caplog.messages if "05.png" in message] == [
        f"{path}: replaced since the start; its pixels are taken as they are now, statistics computed before are kept"
    ]
    assert images.skipped == 0


def test_a_data_file_replaced_by_a_damaged_one_is_skipped(folders, caplog):
    """MindData fills what is damaged with grey. A file that was whole when it was first read is looked at again."""
    rng = np.random.default_rng(0)
    path = folders[0] / "05.jpg"
    Image.fromarray(rng.integers(0, 255, (200, 200, 3), np.uint8)).save(path, quality=95)
    (folders[0] / "05.png").unlink()
    images = PairedImages(config(folders, batch_size=1, content_resize=6.0, prefetch=1), 1)
    take(images, 0, 10)
    assert images.skipped == 0
    damage_inside(path)
    take(images, 10, 20)
    assert images.skipped == 1 and "skipped" in caplog.text and "05.jpg" in caplog.text


def test_nothing_usable_is_an_error_at_once(tmp_path):
    folders = fill(tmp_path / "content", 1), tmp_path / "style"
    with pytest.raises(UserError, match="style_path.*no such file or folder"):
        PairedImages(config(folders), 1)
    folders[1].mkdir()
    with pytest.raises(UserError, match="style_path.*no image in it"):
        PairedImages(config(folders), 1)
    Image.fromarray(picture(0, 8, 8)).save(folders[1] / "a.png")
    with pytest.raises(UserError, match="style_path.*a.png: 8 x 8 pixels.*--min_side"):
        PairedImages(config(folders), 1)


@pytest.mark.parametrize(
    "option, value",
    [
        ("image_size", 0),
        ("batch_size", 0),
        ("num_parallel_workers", 0),
        ("prefetch", 0),
        ("content_resize", 0.5),
        ("style_resize_min", 0.5),
        ("style_resize_min", 2.5),
        ("brightness", 1.5),
        ("saturation", -0.1),
        ("hue", 0.6),
    ],
)
def test_options_that_make_no_sense(folders, option, value):
    with pytest.raises(UserError, match=f"option {option}: found {value}"):
        PairedImages(config(folders, **{option: value}), 1)


PROGRAM = """
import sys, time
from src.config import defaults
from src.data.dataset import PairedImages
options = dict(content_path=sys.argv[1], style_path=sys.argv[2], image_size=32, batch_size=2, min_side=16)
data = defaults(data=options)["data"]
for step, batch in enumerate(PairedImages(data, 1).batches(0, 10**6)):
    if step == 3:
        print("running", flush=True)
        if sys.argv[3] == "leave":
            break
    time.sleep(0.01)
"""


@pytest.mark.parametrize("how, code", [("leave", 0), ("interrupt", -signal.SIGINT)])
def test_leaves_no_thread_behind(folders, how, code):
    """A program that stops in the middle of the batches, or is interrupted, ends at once."""
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, folders), how],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout.readline() == "running\n"
        if how == "interrupt":
            child.send_signal(signal.SIGINT)
        child.communicate(timeout=20)
    finally:
        child.kill()
    assert child.returncode == code
