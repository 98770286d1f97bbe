"""A packed checkpoint: half the size, the same pictures, no trace of the machine that trained it."""

import numpy as np

from src.config import to_dict
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
        stylizer = Stylizer(path, engine="mindspore")
        pictures.append(stylizer.stylize(content, stylizer.embed(style)).astype(int))
    assert np.abs(pictures[0] - pictures[1]).max() <= 3


def test_packing_names_what_it_expects(run_entry_point):
    done = run_entry_point("scripts/pack_checkpoint.py", "one.ckpt")
    assert done.returncode == 2 and "expected two" in done.stderr
