"""Other frameworks' networks, converted: they compute what they did there."""

import mindspore as ms
import numpy as np
import pytest
from numpy_layers import convolve
from torch_files import write_pth

from src.errors import UserError
from src.models.inception_v3 import InceptionV3
from src.models.vgg import VGG
from src.weights.convert import convert, inception_from_torchvision
from src.weights.load import load_inception, load_loss_network_weights, read_loss_network
from src.weights.modelzoo import inception_shapes
from src.weights.native import read_checkpoint

CHANNELS = {16: [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6, 19: [64] * 2 + [128] * 2 + [256] * 4 + [512] * 8}
# places of the convolutions in torchvision's `features`
PLACES = {
    16: [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28],
    19: [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34],
}
MEAN = np.array([0.485, 0.456, 0.406], np.float32)[:, None, None]
STD = np.array([0.229, 0.224, 0.225], np.float32)[:, None, None]


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


@pytest.mark.parametrize("old", [False, True], ids=["weights", "filters and biases"])
def test_matconvnet_vgg(tmp_path, old):
    """Filters lie as height x width x in x out, the input is 0..255 RGB minus the average colour.

    Files before MatConvNet 1.0-beta11 have other names, no `meta`, and an average image.
    """
    from scipy.io import savemat

    arrays = random_vgg(19)
    average = np.array([123.68, 116.779, 103.939])
    names = [f"conv{b}_{i}" for b, n in enumerate((2, 2, 4, 4, 4), 1) for i in range(1, n + 1)]
    layers = []
    for name, place in zip(names, PLACES[19], strict=True):
        weights = np.empty((1, 2), object)
        weights[0, 0] = arrays[f"features.{place}.weight"].transpose(2, 3, 1, 0)
        weights[0, 1] = arrays[f"features.{place}.bias"][None]
        held = {"filters": weights[0, 0], "biases": weights[0, 1]} if old else {"weights": weights}
        layers += [{"name": name, "type": "conv", **held}, {"name": f"relu{name[4:]}", "type": "relu"}]
    side = 4 if old else 1
    normalisation = {"normalization": {"averageImage": np.broadcast_to(average, (side, side, 3))}}
    content = {"layers": np.array(layers, object).reshape(1, -1)}
    variables = {**content, **(normalisation if old else {"meta": normalisation})}
    savemat(tmp_path / "vgg.mat", variables, do_compression=old)
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


def test_weights_that_are_not_finite_are_not_converted(tmp_path, torch_pickler):
    arrays = random_vgg(16)
    arrays["features.2.bias"][7] = np.nan
    source = write_pth(tmp_path / "vgg.pth", arrays, torch_pickler)
    with pytest.raises(UserError, match=r"vgg.pth: parameter features.2.bias holds NaN or Inf \(1 of 64 numbers\)"):
        convert(source, tmp_path)
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


def test_the_target_may_be_spelt_in_capitals(tmp_path, torch_pickler):
    source, target = write_pth(tmp_path / "vgg.pth", random_vgg(16), torch_pickler), tmp_path / "new" / "x.CKPT"
    assert convert(source, target) == target and target.is_file()
    assert [path.name for path in target.parent.iterdir()] == ["x.CKPT"]
    assert read_loss_network(target).kind == "vgg16"


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
