"""A checkpoint with a flipped bit is refused by its name, and a run goes on from the one before."""

import mindspore as ms
import numpy as np
import pytest
from mindspore.train.checkpoint_pb2 import Checkpoint

from src.errors import UserError
from src.training.files import CheckpointFolder
from src.weights.native import read_checkpoint, save_checkpoint

WEIGHTS = {"a": np.arange(500, dtype=np.float32), "b": np.arange(3)}


def flip(path, value):
    """Flips the lowest bit of the mantissa of a number in a file."""
    data = bytearray(path.read_bytes())
    place = data.index(np.float32(value).tobytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("half", [False, True])
def test_a_whole_file_is_read_without_a_trace_of_its_checksum(tmp_path, half):
    save_checkpoint(tmp_path / "a.ckpt", WEIGHTS, {"step": 3}, half=half)
    arrays, metadata = read_checkpoint(tmp_path / "a.ckpt")
    np.testing.assert_array_equal(arrays["a"], WEIGHTS["a"])
    assert metadata == {"format": "style-transfer/1", "step": 3}


def test_a_flipped_bit_is_refused_by_the_file_s_name(tmp_path):
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, WEIGHTS, {"step": 3})
    flip(path, 321.0)
    with pytest.raises(UserError, match="a.ckpt: damaged, its contents don't fit its checksum"):
        read_checkpoint(path)


def test_damage_to_the_very_name_of_the_checksum_is_refused(tmp_path):
    """Without a checksum of this name, the file would pass for one of a former version, which had none."""
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, WEIGHTS, {"step": 3})
    name = "checksum".encode("utf-32-le")  # as MindSpore writes texts
    assert path.read_bytes().count(name) == 1
    path.write_bytes(path.read_bytes().replace(name, "chfcksum".encode("utf-32-le")))
    with pytest.raises(UserError, match="a.ckpt: damaged, its contents don't fit its checksum"):
        read_checkpoint(path)


def test_a_text_of_no_characters_is_refused(tmp_path):
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, WEIGHTS, {"step": 3})
    name = "step".encode("utf-32-le")
    path.write_bytes(path.read_bytes().replace(name, b"\xff\xff\xff\x7f" + name[4:]))
    with pytest.raises(UserError, match="a.ckpt: .*metadata is no text"):
        read_checkpoint(path)


@pytest.mark.parametrize("more", [-1, 1, 2**40])
def test_a_shape_that_does_not_fit_its_numbers_is_refused_before_mindspore_reads_them(tmp_path, more):
    """MindSpore would write past the end of a smaller array, and leave what lay in the memory in a larger one."""
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, WEIGHTS, {"step": 3})
    entries = Checkpoint()
    entries.ParseFromString(path.read_bytes())
    entries.value[0].tensor.dims[0] += more
    path.write_bytes(entries.SerializeToString())
    with pytest.raises(UserError, match="a.ckpt: .*parameter a has 2000 bytes, which do not fit its shape"):
        read_checkpoint(path)


def test_a_file_without_a_checksum_is_read(tmp_path):
    save_checkpoint(tmp_path / "a.ckpt", WEIGHTS, None)
    assert read_checkpoint(tmp_path / "a.ckpt")[1] is None


def write_pair(folder, step):
    folder.save(
        step,
        lambda path: save_checkpoint(path, {"w": np.full(9, step, np.float32)}, {"step": step}),
        {"raw": np.full(9, step + 0.25, np.float32)},
        {"seed": 1},
    )


@pytest.mark.parametrize("damaged", ["model", "state"])
def test_the_pair_before_a_damaged_one_is_taken(tmp_path, caplog, damaged):
    folder = CheckpointFolder(tmp_path, 3)
    for step in (10, 20):
        write_pair(folder, step)
    file = folder.model_file(20) if damaged == "model" else folder.state_file(20)
    flip(file, 20.0 if damaged == "model" else 20.25)
    step, (weights, _), (state, _) = folder.read_newest()
    assert (step, weights["w"][0], state["raw"][0]) == (10, 10, 10.25)
    assert file.name in caplog.text and "the checkpoint before it is taken" in caplog.text
    write_pair(folder, 15)
    assert folder.steps() == [10, 15, 20]


def test_when_every_pair_is_damaged_the_way_out_is_said(tmp_path):
    folder = CheckpointFolder(tmp_path, 3)
    assert folder.read_newest() is None
    write_pair(folder, 10)
    flip(folder.model_file(10), 10.0)
    with pytest.raises(UserError, match="no earlier one is whole: start anew with --resume false"):
        folder.read_newest()


@pytest.mark.parametrize("text", ["[1, 2]", "3", '"checksum"', "null"])
def test_metadata_that_are_no_object_are_another_project_s(tmp_path, text):
    path = tmp_path / "a.ckpt"
    ms.save_checkpoint([{"name": "a", "data": ms.Tensor(WEIGHTS["a"])}], str(path), append_dict={"metadata": text})
    arrays, metadata = read_checkpoint(path)
    assert metadata is None and np.array_equal(arrays["a"], WEIGHTS["a"])
