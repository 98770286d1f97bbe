"""Files of a stranger that say anything: one line, nothing executed, no wrong value. benchmarks/fuzz.py draws more."""

import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.fuzz_files import WEIGHTS, pixels, whole_pth, write_pth
from src.arrays import read_arrays
from src.config import defaults
from src.engines.exported import Graph, assemble, read_description
from src.errors import UserError
from src.images.metadata import read_recipe, settings_for
from src.training.log import LossLog
from src.weights.convert import read_tensors, vgg_from_matconvnet
from src.weights.load import describe, load_model, read_weights, said_of_network
from src.weights.native import save_checkpoint
from src.weights.torch_file import read_torch_file


@pytest.mark.parametrize(
    "text",
    [
        "train: 2001-99-99",  # a ValueError of the module datetime
        "train:\n  steps: " + "9" * 5000,
        "train: !!bool x",
        "[" * 500,
        "!!python/object/apply:os.system ['touch proof']",
        "%YAML 9.9\n---\n{}",
    ],
)
def test_a_recipe_that_yaml_can_not_make_is_named(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text(text)
    with pytest.raises(UserError, match="config_path recipe.yaml: not a YAML file"):
        defaults("recipe.yaml")
    assert not Path("proof").exists()


def test_an_error_about_a_long_value_is_short(tmp_path):
    (tmp_path / "a.yaml").write_text("x: &x [" + "a, " * 999 + "]\ntrain: [*x, *x, *x]")
    (tmp_path / "b.yaml").write_text("train:\n  steps: [" + "a, " * 9999 + "]")
    for name in ("a.yaml", "b.yaml"):
        with pytest.raises(UserError) as error:
            defaults(tmp_path / name)
        assert len(str(error.value)) < 400 + len(str(tmp_path))


@pytest.mark.parametrize("given", ["9007199254740993", 9007199254740993])
def test_a_whole_number_keeps_its_digits(given):
    assert defaults(runtime={"device_id": given})["runtime"].device_id == 9007199254740993
    with pytest.raises(UserError, match="device_id"):
        defaults(runtime={"device_id": "0.5"})


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_no_generator_takes_is_named(seed):
    with pytest.raises(UserError, match=f"option seed: found {seed}, expected 0 to 4294967295"):
        defaults(runtime={"seed": seed})


def _said(**changes):
    return {"network": {"predictor": "compact", "width": 0.25}, "loss_network": "vgg16", **changes}


@pytest.mark.parametrize(
    "metadata, found",
    [
        (_said(network="compact"), "network 'compact'"),
        (_said(network={"width": "wide"}), "option width"),
        (_said(network={"later_option": 1}), "later_option"),
        (_said(loss_network=["vgg16"]), "loss_network"),
        (_said(styles="ab"), "styles 'ab'"),
        (_said(network={"method": "n_styles"}), "name no style"),
    ],
)
def test_metadata_that_are_no_network_s_are_refused_with_the_file_s_name(tmp_path, metadata, found):
    save_checkpoint(tmp_path / "a.ckpt", WEIGHTS, metadata)
    with pytest.raises(UserError) as error:
        load_model(tmp_path / "a.ckpt")
    assert "a.ckpt" in str(error.value) and found in str(error.value)
    assert isinstance(describe(WEIGHTS, metadata), str)


def _npz(tmp_path, compressed=False, **members):
    path = tmp_path / "a.npz"
    (np.savez_compressed if compressed else np.savez)(path, **WEIGHTS)
    with zipfile.ZipFile(path, "a") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("case", ["a member that is no array", "one array", "damaged", "nothing", "objects"])
def test_an_npz_of_anything_but_arrays_is_refused(tmp_path, case):
    path = _npz(tmp_path, case == "damaged")
    assert list(read_weights(path)[0]) == list(WEIGHTS)
    if case == "a member that is no array":
        _npz(tmp_path, notes="text")
    elif case == "one array":
        with path.open("wb") as stream:
            np.save(stream, WEIGHTS["a"])
    elif case == "damaged":  # within what zlib packed
        data = bytearray(path.read_bytes())
        place = data.index(b"a.npy") + len("a.npy") + 40
        data[place : place + 8] = b"\xff" * 8
        path.write_bytes(data)
    elif case == "nothing":
        path.write_bytes(b"")
    else:
        np.savez(path, a=np.array([{}], object))
    for read in (read_weights, read_arrays):
        with pytest.raises(UserError, match=r"a.npz: not a .npz file of arrays, or damaged"):
            read(path)


def _pickled(*after):
    """The state dict of `whole_pth` with opcodes before its end."""
    return whole_pth()[:-1] + b"".join(after) + b"."


def test_the_hand_made_state_dict_is_read(tmp_path):
    write_pth(tmp_path / "a.pth", whole_pth())
    found = read_torch_file(tmp_path / "a.pth")
    assert list(found) == list(WEIGHTS)
    for name, array in found.items():
        np.testing.assert_array_equal(array, WEIGHTS[name])


@pytest.mark.parametrize(
    "name", ["torch._utils\n_rebuild_tensor_v2", "torch._utils\n_rebuild_parameter", "torch.nn.parameter\nParameter"]
)
def test_a_pickle_changes_no_function_of_this_program(tmp_path, name):
    """A new attribute of a function would hold for every file that is read after this one."""
    change = [f"c{name}\n".encode(), b"N}X\x04\0\0\0markK\x01s\x86b0"]
    write_pth(tmp_path / "a.pth", _pickled(*change))
    with pytest.raises(UserError, match="a new state for a function"):
        read_torch_file(tmp_path / "a.pth")


def test_a_tensor_of_more_numbers_than_its_storage_is_refused(tmp_path):
    """With strides of 0, two kilobytes would become terabytes."""
    size, stride = b"(K\x03K\x04t", b"(K\x04K\x01t"
    text = whole_pth().replace(size + stride, b"(J\xff\xff\xff\x7fK\xfft" + b"(K\0K\0t")
    assert text != whole_pth()
    write_pth(tmp_path / "a.pth", text)
    with pytest.raises(UserError, match="more numbers than its storage"):
        read_torch_file(tmp_path / "a.pth")


def test_a_pickle_that_numbers_its_objects_beyond_its_length_is_refused(tmp_path):
    """Python makes room for every number up to the largest: here 320 MB, with a larger one all of the memory."""
    write_pth(tmp_path / "a.pth", _pickled(b"r" + struct.pack("<I", 20_000_000)))
    with pytest.raises(UserError, match="an object has a number beyond the file"):
        read_torch_file(tmp_path / "a.pth")


def test_a_packed_state_dict_is_refused_before_it_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", whole_pth())
        archive.writestr("archive/data/0", bytes(10**6))
    with pytest.raises(UserError, match="packed"):
        read_torch_file(tmp_path / "a.pth")


def test_a_zip_of_a_version_to_come_is_refused(tmp_path):
    path = tmp_path / "a.pth"
    write_pth(path, whole_pth())
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 6] = 255  # version needed, in the first entry of the directory
    path.write_bytes(data)
    with pytest.raises(UserError, match="not a PyTorch state dict, or damaged"):
        read_torch_file(path)


def test_other_formats_that_say_anything(tmp_path):
    head = json.dumps({"a": {"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]}}).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + bytes(8))
    with pytest.raises(UserError, match="a.safetensors: not a safetensors file"):
        read_tensors(tmp_path / "a.safetensors")
    (tmp_path / "a.mat").write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + b"\x0f\0\0\0\x08\0\0\0" + bytes(8))
    with pytest.raises(UserError, match="a.mat: not a MatConvNet network"):
        vgg_from_matconvnet(tmp_path / "a.mat")


WHOLE = {"embedding_size": 8, "inputs": [], "parts": "transfer", "styles": ["a"], "network": {"width": 1.0}}


@pytest.mark.parametrize(
    "said",
    [
        {"inputs": [{"name": "content"}]}, {"inputs": [3]}, {"inputs": {"name": []}}, {"styles": "ab"}, {"styles": [1]},
        {"network": []}, {"network": {"width": "1"}}, {"embedding_size": "8"}, {"outputs": [{"shape": 3}]},
    ],
)  # fmt: skip
def test_a_description_of_other_types_is_damaged(tmp_path, said):
    file, text = tmp_path / "a_transfer.onnx", tmp_path / "a_transfer.onnx.json"
    text.write_text(json.dumps(WHOLE))
    assert read_description(file) == WHOLE
    text.write_text(json.dumps({**WHOLE, **said}))
    with pytest.raises(UserError, match="a_transfer.onnx.json: missing or damaged"):
        read_description(file)
    text.write_text("[" * 99999)
    with pytest.raises(UserError, match="a_transfer.onnx.json: missing or damaged"):
        read_description(file)


def test_exported_files_of_another_rank_are_refused(tmp_path):
    image = (1, 3, None, None)
    for made, taken in (((8,), (1, 8)), ((1, 8), (8,)), ((), (1, 8))):
        graphs = [
            Graph(tmp_path / "a_predictor.onnx", {"style": image}, [made], None, ()),
            Graph(tmp_path / "a_transfer.onnx", {"content": image, "embedding": taken}, [], None, ()),
        ]
        with pytest.raises(UserError, match=r"its embedding has \d sides, expected 2"):
            assemble("onnxruntime", graphs, lambda graph: graph)


@pytest.mark.parametrize("place", [8, 20, 40])
def test_the_recipe_of_a_damaged_picture(tmp_path, place):
    stream = io.BytesIO()
    Image.fromarray(pixels()).save(stream, "PNG", **settings_for("PNG", b"", {"options": {}}))
    data = bytearray(stream.getvalue())
    data[place : place + 4] = b"\xff\xff\xff\x7f"
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(UserError, match=r"option again: .*a.png"):
        read_recipe(tmp_path / "a.png")


def test_rows_of_losses_stay_when_a_resumed_run_is_killed_while_it_writes_them(tmp_path, monkeypatch):
    path = tmp_path / "losses.csv"
    LossLog(path, ["total"], 0, 9).write(1, [0.1] * 3, np.ones((3, 1)))
    before = path.read_text()
    assert before.count("\n") == 4

    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("src.training.log.csv.writer", kill)
        with pytest.raises(Killed):
            LossLog(path, ["total"], 2, 9)
    assert path.read_text() == before
    LossLog(path, ["total"], 2, 9)
    assert path.read_text().count("\n") == 3


@pytest.mark.parametrize("row", ["x,1,1,1\n", "\xff,1,1,1\n"])
def test_a_damaged_table_of_losses_is_named(tmp_path, row):
    path = tmp_path / "losses.csv"
    path.write_bytes(b"step,seconds,learning_rate,total\n" + row.encode("latin-1"))
    with pytest.raises(UserError, match="losses.csv: damaged"):
        LossLog(path, ["total"], 2, 9)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"network": 3}, "network 3, expected options"),
        ({"network": ["method"]}, "expected options"),
        ({"network": {}, "loss_network": "vgg17"}, "loss_network 'vgg17', expected vgg16 or"),
        ({"network": {}, "styles": "ab"}, "styles 'ab', expected a list of names"),
        ({"network": {}, "styles": [1]}, "expected a list of names"),
    ],
)
def test_metadata_of_other_types_are_one_line(tmp_path, wrong, said):
    with pytest.raises(UserError, match=f"a.ckpt: its metadata are damaged: found .*{said}"):
        said_of_network(wrong, tmp_path / "a.ckpt")
