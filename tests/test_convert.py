"""Other frameworks' files: read without running what is in them, and computing what those frameworks compute."""

import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict

import mindspore as ms
import numpy as np
import pytest

from src.errors import UserError
from src.models.inception_v3 import InceptionV3
from src.models.vgg import VGG
from src.weights.convert import convert, inception_from_torchvision
from src.weights.load import load_inception, load_loss_network_weights, read_loss_network
from src.weights.modelzoo import inception_shapes
from src.weights.native import read_checkpoint
from src.weights.torch_file import read_torch_file

CHANNELS = {16: [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6, 19: [64] * 2 + [128] * 2 + [256] * 4 + [512] * 8}
# places of the convolutions in torchvision's `features`
PLACES = {
    16: [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28],
    19: [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34],
}
MEAN = np.array([0.485, 0.456, 0.406], np.float32)[:, None, None]
STD = np.array([0.229, 0.224, 0.225], np.float32)[:, None, None]


class FakeStorage:
    """Stands for the class of a storage; `persistent_id` below writes its name as PyTorch does."""

    def __init__(self, key, array):
        self.key, self.array = key, array


@pytest.fixture
def torch_pickler(monkeypatch):
    """A pickler that writes tensors as PyTorch does, made from stand-ins of the few names that its files mention."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2(*_):
        raise AssertionError("only written, never called")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    kinds = {"<f4": "FloatStorage", "<i8": "LongStorage", "<f2": "HalfStorage", "<u2": "BFloat16Storage"}
    for name in kinds.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    torch._utils = utils
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)

    class Tensor:
        def __init__(self, storage, offset, shape, strides):
            self.arguments = (storage, offset, shape, strides, False, OrderedDict())

        def __reduce__(self):
            return _rebuild_tensor_v2, self.arguments

    class Pickler(pickle.Pickler):
        legacy = False

        def persistent_id(self, value):
            if isinstance(value, FakeStorage):
                kind = getattr(torch, kinds[value.array.dtype.str])
                pid = ("storage", kind, value.key, "cpu", value.array.size)
                return (*pid, None) if self.legacy else pid
            return None

    def tensor(key, array, offset=0, shape=None, strides=None):
        array = np.ascontiguousarray(array)
        strides = strides or tuple(s // array.itemsize for s in array.strides)
        return Tensor(FakeStorage(key, array.reshape(-1)), offset, shape or array.shape, strides)

    return types.SimpleNamespace(Pickler=Pickler, tensor=tensor)


def write_pth(path, arrays, torch_pickler):
    """A zip archive, as PyTorch writes since 1.6."""
    tensors = OrderedDict((n, torch_pickler.tensor(str(i), a)) for i, (n, a) in enumerate(arrays.items()))
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("archive/data.pkl", "w") as stream:
            torch_pickler.Pickler(stream, protocol=2).dump(tensors)
        for i, array in enumerate(arrays.values()):
            archive.writestr(f"archive/data/{i}", np.ascontiguousarray(array).tobytes())
    return path


def write_legacy_pth(path, arrays, torch_pickler):
    """Pickles one after another and the numbers behind them, as PyTorch wrote before 1.6."""
    tensors = OrderedDict((n, torch_pickler.tensor(str(i), a)) for i, (n, a) in enumerate(arrays.items()))
    with path.open("wb") as file:
        for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
            pickle.dump(value, file, protocol=2)
        pickler = torch_pickler.Pickler(file, protocol=2)
        pickler.legacy = True
        pickler.dump(tensors)
        pickle.dump([str(i) for i in range(len(arrays))], file, protocol=2)
        for array in arrays.values():
            file.write(struct.pack("<q", array.size) + np.ascontiguousarray(array).tobytes())
    return path


def random_vgg(depth, layout="features.{place}.{part}"):
    """A VGG with torchvision's names and shapes; only the first two layers are random, zeros are quicker to make."""
    rng, arrays, inputs = np.random.default_rng(depth), {}, 3
    for place, channels in zip(PLACES[depth], CHANNELS[depth], strict=True):
        random = place in (0, 2)
        weight = rng.standard_normal((channels, inputs, 3, 3), np.float32) if random else np.zeros(1, np.float32)
        bias = rng.standard_normal(channels, np.float32)
        arrays[layout.format(place=place, part="weight")] = np.broadcast_to(weight, (channels, inputs, 3, 3))
        arrays[layout.format(place=place, part="bias")] = bias
        inputs = channels
    return arrays


def convolve(x, weight, bias, border):
    """3x3 correlation of x (C, H, W) with weight (O, C, 3, 3), in NumPy."""
    x = np.pad(x, ((0, 0), (border, border), (border, border)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))
    return np.einsum("chwij,ocij->ohw", windows, weight, optimize=True) + bias[:, None, None]


def images(side=10):
    return np.random.default_rng(5).random((1, 3, side, side), np.float32)


def first_features(checkpoint, depth):
    network = VGG(depth, ("relu1_1", "relu1_2"))
    load_loss_network_weights(checkpoint, network)
    return [feature.asnumpy()[0] for feature in network(ms.Tensor(images()))]


def check_first_features(found, x, weights):
    for feature, (weight, bias) in zip(found, weights, strict=True):
        x = np.maximum(convolve(x, weight, bias, 1), 0)
        np.testing.assert_allclose(feature, x, rtol=1e-4, atol=1e-3 * x.std())


@pytest.mark.parametrize("write", [write_pth, write_legacy_pth])
def test_pth_is_read_without_torch(tmp_path, torch_pickler, write):
    arrays = {
        "half": np.arange(6, dtype=np.float16).reshape(2, 3),
        "float": np.random.default_rng(0).standard_normal((4, 3, 2)).astype(np.float32),
        "count": np.array([7], np.int64),
    }
    found = read_torch_file(write(tmp_path / "file.pth", arrays, torch_pickler))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
    assert found["half"].dtype == found["float"].dtype == np.float32


def write_one(path, tensor, torch_pickler, raw):
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("x/data.pkl", "w") as stream:
            torch_pickler.Pickler(stream, protocol=2).dump({"state_dict": {"module.t": tensor, "epoch": 3}})
        archive.writestr("x/data/0", raw.tobytes())
    return path


def test_views_and_bfloat16(tmp_path, torch_pickler):
    values = np.arange(12, dtype=np.float32)
    turned = torch_pickler.tensor("0", values, offset=2, shape=(2, 3), strides=(1, 3))
    found = read_torch_file(write_one(tmp_path / "view.pth", turned, torch_pickler, values))
    np.testing.assert_array_equal(found["module.t"], [[2, 5, 8], [3, 6, 9]])
    upper = np.array([0x3FC0, 0xC000], "<u2")  # 1.5 and -2
    brain = torch_pickler.tensor("0", upper)
    found = read_torch_file(write_one(tmp_path / "brain.pth", brain, torch_pickler, upper))
    np.testing.assert_array_equal(found["module.t"], [1.5, -2])


def test_tensor_outside_of_its_storage_is_refused(tmp_path, torch_pickler):
    values = np.arange(4, dtype=np.float32)
    outside = torch_pickler.tensor("0", values, offset=1, shape=(4,), strides=(1,))
    with pytest.raises(UserError, match="outside of its storage"):
        read_torch_file(write_one(tmp_path / "file.pth", outside, torch_pickler, values))


def test_pickle_that_runs_something_is_refused_unrun(tmp_path):
    class Attack:
        def __reduce__(self):
            return (open, (str(tmp_path / "proof"), "w"))

    with zipfile.ZipFile(tmp_path / "bad.pth", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weight": Attack()}, protocol=2))
    with pytest.raises(UserError, match="open, which a state dict does not need"):
        read_torch_file(tmp_path / "bad.pth")
    (tmp_path / "old.pth").write_bytes(pickle.dumps(Attack(), protocol=2))
    with pytest.raises(UserError, match="open, which a state dict does not need"):
        read_torch_file(tmp_path / "old.pth")
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize("write", [write_pth, write_legacy_pth])
def test_damaged_pth_is_refused(tmp_path, torch_pickler, write):
    path = write(tmp_path / "file.pth", {"weight": np.ones((50, 50), np.float32)}, torch_pickler)
    whole = path.read_bytes()
    for length in (0, 1, 40, len(whole) // 2, len(whole) - 40):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"file.pth: .*(damaged|does not need)") as error:
            read_torch_file(path)
        assert "\n" not in str(error.value)


def test_files_of_torch_itself(tmp_path):
    torch = pytest.importorskip("torch")
    state = OrderedDict(a=torch.randn(3, 4).t(), b=torch.nn.Parameter(torch.randn(5)), c=torch.randn(2).half())
    for new in (True, False):
        torch.save(state, tmp_path / "file.pth", _use_new_zipfile_serialization=new)
        found = read_torch_file(tmp_path / "file.pth")
        for name, tensor in state.items():
            np.testing.assert_array_equal(found[name], tensor.detach().float().numpy())


@pytest.mark.parametrize("depth", [16, 19])
def test_torchvision_vgg(tmp_path, torch_pickler, depth):
    arrays = random_vgg(depth) | {"classifier.0.weight": np.ones((2, 2), np.float32)}
    written = convert(write_pth(tmp_path / "vgg.pth", arrays, torch_pickler), tmp_path)
    assert written == tmp_path / f"vgg{depth}.ckpt"
    weights = [(arrays[f"features.{place}.weight"], arrays[f"features.{place}.bias"]) for place in (0, 2)]
    check_first_features(first_features(written, depth), (images()[0] - MEAN) / STD, weights)
    # each layer's bias went to the layer of its place
    params = read_loss_network(written).params
    names = [name for name in params if name.endswith(".bias")]
    for name, place in zip(names, PLACES[depth], strict=True):
        np.testing.assert_array_equal(params[name], arrays[f"features.{place}.bias"])
    assert names[-1] == ("conv5_3.bias" if depth == 16 else "conv5_4.bias")


def test_matconvnet_vgg(tmp_path):
    """Filters lie as height x width x in x out, the input is 0..255 RGB minus the average colour."""
    from scipy.io import savemat

    arrays = random_vgg(19)
    average = np.array([123.68, 116.779, 103.939])
    names = [f"conv{b}_{i}" for b, n in enumerate((2, 2, 4, 4, 4), 1) for i in range(1, n + 1)]
    layers = []
    for name, place in zip(names, PLACES[19], strict=True):
        weights = np.empty((1, 2), object)
        weights[0, 0] = arrays[f"features.{place}.weight"].transpose(2, 3, 1, 0)
        weights[0, 1] = arrays[f"features.{place}.bias"][None]
        layers += [{"name": name, "type": "conv", "weights": weights}, {"name": f"relu{name[4:]}", "type": "relu"}]
    meta = {"normalization": {"averageImage": average.reshape(1, 1, 3)}}
    savemat(tmp_path / "vgg.mat", {"layers": np.array(layers, object).reshape(1, -1), "meta": meta})
    written = convert(tmp_path / "vgg.mat", tmp_path / "converted.ckpt")
    weights = [(arrays[f"features.{place}.weight"], arrays[f"features.{place}.bias"]) for place in (0, 2)]
    x = images()[0] * 255 - average.astype(np.float32)[:, None, None]
    check_first_features(first_features(written, 19), x, weights)
    np.testing.assert_array_equal(read_loss_network(written).params["conv5_4.bias"], arrays["features.34.bias"])


def torchvision_inception():
    """Random Inception-v3 to Mixed_6e under torchvision's names, and the published name of each tensor."""
    rng = np.random.default_rng(6)
    kinds = {"5": ("1x1", "5x5", "3x3dbl"), "6a": ("3x3", "3x3dbl"), "6": ("1x1", "7x7", "7x7dbl")}
    parts = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    arrays, names = {}, {}
    for published, shape in inception_shapes().items():
        block, *middle, layer, part = published.split(".")
        if not middle:
            size = "1x1" if block == "Conv2d_3b" else "3x3"
            theirs = f"{block}_{size}"
        elif middle[0] == "branch_pool":
            theirs = f"{block}.branch_pool"
        else:
            kind = kinds.get(block[6:]) or kinds[block[6]]
            number = f"_{int(middle[1]) + 1}" if len(middle) == 2 else ""
            theirs = f"{block}.branch{kind[int(middle[0][6:])]}{number}"
        name = f"{theirs}.{layer}.{part if layer == 'conv' else parts[part]}"
        scale = np.sqrt(2 / np.prod(shape[1:])) if layer == "conv" else 0.1
        array = rng.standard_normal(shape, np.float32) * np.float32(scale)
        arrays[name] = np.exp(array) if part == "moving_variance" else array
        names[name] = published
    return arrays, names


def test_torchvision_inception(tmp_path):
    from safetensors.numpy import save_file

    arrays, names = torchvision_inception()
    extras = {"fc.weight": np.ones((2, 2), np.float32), "Mixed_7a.branch3x3_1.conv.weight": np.ones(3, np.float32)}
    save_file(arrays | extras, tmp_path / "inception.safetensors")
    written = convert(tmp_path / "inception.safetensors", tmp_path / "folder")
    assert written == tmp_path / "folder" / "inceptionv3.ckpt"
    params, metadata = read_checkpoint(written)
    assert metadata is None and list(params) == list(inception_shapes())
    for theirs, ours in names.items():
        if ours not in ("Conv2d_1a.conv.weight", "Conv2d_1a.bn.moving_mean"):
            np.testing.assert_array_equal(params[ours], arrays[theirs], err_msg=theirs)

    network = InceptionV3()
    load_inception(written, network)
    x = images(15)
    normal = (ms.Tensor(x) - network.mean) / network.std
    found = network.Conv2d_1a(normal).asnumpy()[0]
    part = {name.rsplit(".", 1)[-1]: array for name, array in arrays.items() if name.startswith("Conv2d_1a_3x3.bn.")}
    expected = convolve((x[0] - 0.5) / 0.5, arrays["Conv2d_1a_3x3.conv.weight"], -part["running_mean"], 0)[:, ::2, ::2]
    scale = part["weight"] / np.sqrt(part["running_var"] + 1e-3)
    expected = np.maximum(expected * scale[:, None, None] + part["bias"][:, None, None], 0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_missing_and_misshapen_tensors_are_named(tmp_path, torch_pickler):
    arrays = random_vgg(16)
    lacking = {name: array for name, array in arrays.items() if name != "features.17.weight"}
    with pytest.raises(UserError, match=r"vgg.pth: parameter features.17.weight is missing"):
        convert(write_pth(tmp_path / "vgg.pth", lacking, torch_pickler), tmp_path)
    arrays["features.2.bias"] = np.zeros(5, np.float32)
    with pytest.raises(UserError, match=r"features.2.bias has shape \(5,\), expected \(64,\)"):
        convert(write_pth(tmp_path / "vgg.pth", arrays, torch_pickler), tmp_path)
    inception, _ = torchvision_inception()
    del inception["Mixed_6c.branch7x7dbl_4.bn.running_var"]
    with pytest.raises(UserError, match="Mixed_6c.branch7x7dbl_4.bn.running_var is missing"):
        inception_from_torchvision(inception, "file")
    assert not list(tmp_path.glob("*.ckpt"))


def test_other_networks_are_refused(tmp_path, torch_pickler):
    weight = np.zeros((64, 3, 3, 3), np.float32)
    vgg11 = {"features.0.weight": weight, "features.3.weight": weight}
    with pytest.raises(UserError, match="neither torchvision's vgg16 nor its vgg19"):
        convert(write_pth(tmp_path / "vgg11.pth", vgg11, torch_pickler), tmp_path)
    with pytest.raises(UserError, match=r"its tensors \(conv1.weight, ...\) are neither"):
        convert(write_pth(tmp_path / "resnet.pth", {"conv1.weight": weight}, torch_pickler), tmp_path)
    for name, expected in (("a.mat", "not a MatConvNet network"), ("a.safetensors", "not a safetensors file")):
        (tmp_path / name).write_bytes(b"no such format, but long enough to be looked at" * 20)
        with pytest.raises(UserError, match=f"{name}: {expected}"):
            convert(tmp_path / name, tmp_path)
        with pytest.raises(UserError, match="no such file"):
            convert(tmp_path / f"missing_{name}", tmp_path)
    with pytest.raises(UserError, match="found a .h5 file"):
        convert(tmp_path / "a.h5", tmp_path)
    assert not list(tmp_path.glob("*.ckpt"))


def test_an_existing_file_is_kept(tmp_path, torch_pickler):
    (tmp_path / "vgg16.ckpt").write_bytes(b"mine")
    source = write_pth(tmp_path / "vgg.pth", random_vgg(16), torch_pickler)
    with pytest.raises(UserError, match="vgg16.ckpt: exists"):
        convert(source, tmp_path)
    assert (tmp_path / "vgg16.ckpt").read_bytes() == b"mine"


def test_script_says_what_is_wrong_in_one_line(run_entry_point, tmp_path):
    finished = run_entry_point("scripts/convert_weights.py", tmp_path / "none.pth", tmp_path)
    assert finished.returncode == 2
    assert finished.stderr.strip().splitlines() == [f"error: {tmp_path / 'none.pth'}: no such file"]
