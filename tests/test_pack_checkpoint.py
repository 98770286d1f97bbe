"""A packed checkpoint: half the size, the same pictures, no trace of the machine that trained it."""

import numpy as np
import pytest

from src.config import to_dict
from src.images.files import read_image
from src.stylize.stylizer import Stylizer
from src.weights.load import load_model
from src.weights.native import read_checkpoint, save_checkpoint, to_arrays


def test_packing_keeps_the_pictures_and_drops_the_folders(tiny_checkpoint, run_entry_point, image, tmp_path):
    model = load_model(tiny_checkpoint)
    options = {"data": {"content_path": "/secret/photos", "batch_size": 4}, "train": {"distill_from": "/secret/t.ckpt"}}
    whole, packed = tmp_path / "whole.ckpt", tmp_path / "packed.ckpt"
    save_checkpoint(whole, to_arrays(model), {"network": to_dict(model.network), "step": 7, "options": options})
    done = run_entry_point("scripts/pack_checkpoint.py", whole, packed)
    assert done.returncode == 0, done.stdout + done.stderr
    assert packed.stat().st_size < 0.6 * whole.stat().st_size
    assert b"secret" not in packed.read_bytes()
    metadata = read_checkpoint(packed)[1]
    assert metadata["step"] == 7 and metadata["options"]["data"] == {"batch_size": 4}
    content, style = image(64, 64, 1), image(64, 64, 2)
    pictures = []
    for path in (whole, packed):
        stylizer = Stylizer.open(path, engine="mindspore")
        pictures.append(stylizer.stylize(content, stylizer.embed(style)).astype(int))
    assert np.abs(pictures[0] - pictures[1]).max() <= 3


def test_packing_names_what_it_expects(run_entry_point):
    done = run_entry_point("scripts/pack_checkpoint.py", "one.ckpt")
    assert done.returncode == 2 and "target" in done.stderr


def test_an_emphasis_moves_embeddings_away_from_their_mean(tiny_checkpoint, run_entry_point, image_folders, tmp_path):
    packed = tmp_path / "packed.ckpt"
    done = run_entry_point(
        "scripts/pack_checkpoint.py", tiny_checkpoint, packed, "--emphasis", 1.25, "--style_path", image_folders[1]
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert read_checkpoint(packed)[1]["emphasis"] == 1.25
    styles = [read_image(path) for path in sorted(image_folders[1].iterdir())]
    before, after = (
        np.array([model.embed(style) for style in styles])
        for model in (Stylizer.open(path, engine="mindspore") for path in (tiny_checkpoint, packed))
    )
    mean = before.mean(0)
    np.testing.assert_allclose(after, mean + 1.25 * (before - mean), atol=0.01 * np.abs(before).max())
    assert np.abs(after - before).max() > 0.05 * np.abs(before - mean).max()


def test_the_style_transfer_network_of_another_checkpoint(tiny_checkpoint, run_entry_point, tmp_path):
    model = load_model(tiny_checkpoint)
    other, packed = tmp_path / "other.ckpt", tmp_path / "packed.ckpt"
    moved = {name: array + 0.25 for name, array in to_arrays(model).items()}
    save_checkpoint(other, moved, {"network": to_dict(model.network)})
    done = run_entry_point("scripts/pack_checkpoint.py", tiny_checkpoint, packed, "--transfer_from", other)
    assert done.returncode == 0, done.stdout + done.stderr
    for name, array in read_checkpoint(packed)[0].items():
        wanted = moved[name] if name.startswith("transfer.") else to_arrays(model)[name]
        np.testing.assert_allclose(array, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "options, text",
    [(("--emphasis", 1.1), "option style_path"), (("--emphasis", 9, "--style_path", "."), "0.67 to 1.5")],
)
def test_an_emphasis_that_can_not_be_is_one_line(options, text, tiny_checkpoint, run_entry_point, tmp_path):
    done = run_entry_point("scripts/pack_checkpoint.py", tiny_checkpoint, tmp_path / "packed.ckpt", *options)
    assert done.returncode == 2 and text in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "packed.ckpt").exists()
