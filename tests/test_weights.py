"""The project's own checkpoints and those of loss networks: loaded, and refused when something is wrong."""

from dataclasses import replace

import mindspore as ms
import numpy as np
import pytest

from src.config import ROOT, defaults
from src.errors import UserError
from src.images.files import read_at, to_network
from src.models.compact_prediction import STATISTICS_TAPS
from src.models.factory import create_model
from src.models.vgg import VGG
from src.weights import modelzoo
from src.weights.load import load_loss_network_weights, load_model, read_loss_network
from src.weights.loss_network import create_loss_network, create_statistics_network
from src.weights.native import load_into, read_checkpoint, save_checkpoint, to_arrays


def test_own_checkpoint_says_which_network_it_is_of(tmp_path):
    network = defaults(network={"predictor": "compact", "width": 0.25, "output": "tanh"})["network"]
    written = create_model(network)
    save_checkpoint(tmp_path / "own.ckpt", written, {"network": vars(network)})
    loaded = load_model(tmp_path / "own.ckpt")
    assert loaded.network == network
    for one, other in zip(written.get_parameters(), loaded.get_parameters(), strict=True):
        np.testing.assert_array_equal(one.asnumpy(), other.asnumpy())


@pytest.mark.parametrize("name", ["a.CKPT", "a", "a.backup"])
def test_checkpoints_of_any_name_are_written_and_read(tmp_path, name):
    """MindSpore itself adds .ckpt to what ends otherwise, and reads nothing else."""
    save_checkpoint(tmp_path / name, {"x": np.arange(3.0, dtype=np.float32)}, {"note": "n"})
    assert [path.name for path in tmp_path.iterdir()] == [name]
    arrays, metadata = read_checkpoint(tmp_path / name)
    assert arrays["x"].tolist() == [0, 1, 2] and metadata["note"] == "n"


def test_own_checkpoint_is_refused_by_name(tmp_path):
    network = defaults(network={"predictor": "compact", "width": 0.25})["network"]
    params = {name: parameter.asnumpy() for name, parameter in create_model(network).parameters_and_names()}
    lacking = {name: array for name, array in params.items() if name != "transfer.heads.bias"}
    save_checkpoint(tmp_path / "own.ckpt", lacking, {"network": vars(network)})
    with pytest.raises(UserError, match="own.ckpt: parameter transfer.heads.bias is missing"):
        load_model(tmp_path / "own.ckpt")
    save_checkpoint(tmp_path / "own.ckpt", params, {"network": vars(replace(network, width=0.5))})
    with pytest.raises(UserError, match="own.ckpt: parameter transfer.contract1.conv.weight has shape"):
        load_model(tmp_path / "own.ckpt")


def test_weights_that_are_not_finite_are_neither_written_nor_read(tmp_path):
    network = defaults(network={"predictor": "compact", "width": 0.25})["network"]
    model, path = create_model(network), tmp_path / "own.ckpt"
    save_checkpoint(path, model, {"network": vars(network)})
    before = path.read_bytes()
    bias = np.zeros(model.transfer.heads.bias.shape, np.float32)
    bias[3] = np.nan
    broken = {**to_arrays(model), "transfer.heads.bias": bias}
    with pytest.raises(UserError, match="own.ckpt: not written, since parameter transfer.heads.bias holds NaN or Inf"):
        save_checkpoint(path, broken, {"network": vars(network)})
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["own.ckpt"]
    with pytest.raises(UserError, match="own.ckpt: parameter transfer.heads.bias holds NaN or Inf"):
        load_into(model, broken, path)
    assert np.isfinite(model.transfer.heads.bias.asnumpy()).all()


def test_a_weight_too_large_for_half_precision_is_not_written(tmp_path):
    with pytest.raises(UserError, match="parameter large holds NaN or Inf"):
        save_checkpoint(tmp_path / "half.ckpt", {"large": np.array([1e6], np.float32)}, None, half=True)
    assert not list(tmp_path.iterdir())


def test_a_loss_network_with_nan_is_refused(tmp_path):
    np.savez(tmp_path / "vgg.npz", **{"conv1_1.weight": np.full((64, 3, 3, 3), np.nan), "conv1_1.bias": np.zeros(64)})
    with pytest.raises(UserError, match="vgg.npz: parameter conv1_1.weight holds NaN or Inf"):
        load_loss_network_weights(tmp_path / "vgg.npz", VGG(16, ("relu1_1",)))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("none.ckpt", None, "no such file"),
        ("empty.ckpt", b"", "empty"),
        ("text.ckpt", b"not a checkpoint at all", "not a MindSpore checkpoint"),
        ("vgg.pth", b"PK", "PyTorch file.*convert_weights"),
        ("vgg.mat", b"MATLAB", "MATLAB file.*convert_weights"),
        ("weights.npz", b"PK", "not a .npz"),
    ],
)
def test_other_files_are_refused(tmp_path, name, content, expected):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=expected) as error:
        load_model(tmp_path / name)
    assert name in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(("depth", "other"), [(16, 19), (19, 16)])
def test_loss_network_of_another_depth_is_refused(tmp_path, depth, other):
    """Up to relu3_3 both have the same shapes: only the file's names tell which it is."""
    arrays = {f"layers.{place}.weight": np.zeros((2, 2), np.float32) for place in modelzoo.vgg_index(depth).values()}
    save_checkpoint(tmp_path / "vgg.ckpt", arrays, None)
    assert read_loss_network(tmp_path / "vgg.ckpt").kind == f"vgg{depth}"
    with pytest.raises(UserError, match=f"found vgg{depth}, expected vgg{other}"):
        load_loss_network_weights(tmp_path / "vgg.ckpt", VGG(other, ("relu1_1",)))


def test_vgg_with_batch_normalization_is_refused(tmp_path):
    arrays = {"layers.0.weight": np.zeros((64, 3, 3, 3)), "layers.1.gamma": np.zeros(64)}
    save_checkpoint(tmp_path / "vgg.ckpt", arrays, None)
    with pytest.raises(UserError, match="layers.1.gamma is none of this network's"):
        read_loss_network(tmp_path / "vgg.ckpt")


def test_loss_network_without_bias_is_one_with_zeros(tmp_path):
    rng = np.random.default_rng(1)
    arrays = {"layers.0.weight": rng.standard_normal((64, 3, 3, 3), np.float32)}
    save_checkpoint(tmp_path / "vgg.ckpt", arrays, None)
    network = VGG(16, ("relu1_1",))
    network.conv1_1.bias.set_data(ms.Tensor(np.ones(64, np.float32)))
    load_loss_network_weights(tmp_path / "vgg.ckpt", network)
    np.testing.assert_array_equal(network.conv1_1.bias.asnumpy(), 0)
    np.testing.assert_array_equal(network.conv1_1.weight.asnumpy(), arrays["layers.0.weight"])


@pytest.fixture(scope="module")
def vgg_files(tmp_path_factory):
    """One VGG-16 to relu2_1 from two sources, which differ by a factor a layer."""
    ms.set_seed(5)
    folder = tmp_path_factory.mktemp("vgg")
    network = VGG(16, ("relu1_2", "relu2_1"))
    arrays = {name: parameter.asnumpy().copy() for name, parameter in network.parameters_and_names()}
    for name in arrays:
        if name.endswith(".bias"):
            arrays[name] = np.random.default_rng(len(name)).normal(0, 0.1, arrays[name].shape).astype(np.float32)
    save_checkpoint(folder / "one.ckpt", arrays, {"loss_network": "vgg16"})
    before = 1
    for name, factor in (("conv1_1", 180.0), ("conv1_2", 0.3), ("conv2_1", 25.0)):
        arrays[f"{name}.weight"] = arrays[f"{name}.weight"] * np.float32(factor / before)
        arrays[f"{name}.bias"] = arrays[f"{name}.bias"] * np.float32(factor)
        before = factor
    save_checkpoint(folder / "other.ckpt", arrays, {"loss_network": "vgg16"})
    return folder / "one.ckpt", folder / "other.ckpt"


def vgg_options(path, **changes):
    taps = {"content_taps": {"relu2_1": 1.0}, "style_taps": {"relu1_2": 1.0, "relu2_1": 1.0}}
    return defaults(loss={"loss_network_ckpt": str(path), **taps, **changes})["loss"]


def test_weights_of_any_scale_give_the_same_features(vgg_files, image):
    picture = ms.Tensor(to_network(image(32, 32, 0)))
    one, other = (create_loss_network(vgg_options(path))(picture) for path in vgg_files)
    for feature, same in zip(one, other, strict=True):
        assert feature.asnumpy().max() > 1
        np.testing.assert_allclose(same.asnumpy(), feature.asnumpy(), rtol=1e-3, atol=1e-5)


def test_unit_activations_are_those_of_the_photographs(vgg_files):
    network = create_loss_network(vgg_options(vgg_files[1]))
    photographs = sorted((ROOT / "dataset/test/content").glob("*.jpg"))
    features = [network(ms.Tensor(to_network(read_at(path, 128)))) for path in photographs]
    for layer in zip(*features, strict=True):
        assert np.mean([feature.asnumpy().mean() for feature in layer]) == pytest.approx(1, rel=1e-4)


def test_unit_activations_leave_statistics_predictors_and_the_published_recipe_alone(monkeypatch):
    seen = []
    monkeypatch.setattr("src.weights.loss_network.create_loss_network", lambda loss, *rest: seen.append((loss, *rest)))
    create_statistics_network(defaults()["loss"], "folder")
    assert not seen[0][0].unit_activations and seen[0][1:] == ("folder", STATISTICS_TAPS)
    assert defaults()["loss"].unit_activations
    assert not defaults(modelzoo.CONFIG)["loss"].unit_activations


def test_a_layer_that_never_fires_is_named(tmp_path):
    arrays = {"layers.0.weight": np.zeros((64, 3, 3, 3), np.float32)}
    save_checkpoint(tmp_path / "dead.ckpt", arrays, None)
    loss = vgg_options(tmp_path / "dead.ckpt", content_taps={"relu1_1": 1.0}, style_taps={"relu1_1": 1.0})
    with pytest.raises(UserError, match=r"dead\.ckpt: the mean activation of conv1_1 .*unit_activations"):
        create_loss_network(loss)
