"""The published MindSpore checkpoints: loaded, computed with, written, and refused when something is wrong."""

import json
import zlib
from types import SimpleNamespace

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter

from src.config import defaults
from src.errors import UserError
from src.losses import StylizationLoss
from src.models.vgg import IMAGENET_MEAN, IMAGENET_STD, VGG
from src.training.files import model_arrays, model_writer
from src.weights import modelzoo
from src.weights.load import load_loss_network_weights, load_model, read_inception, read_loss_network
from src.weights.loss_network import create_loss_network
from src.weights.native import read_checkpoint, save_checkpoint, to_arrays

TOLERANCE = 1e-4
TRANSFER = "transfer_net.style_transfer_network."
# what the ImageNet files hold beside the layers used here
EXTRAS = {
    "inceptionv3": {"Mixed_7a.branch0.0.conv.weight": (4, 4, 1, 1), "logits.fc.weight": (2, 4), "moments.x": (3,)},
    "vgg16": {
        "classifier.0.weight": (4, 4),
        "classifier.0.bias": (4,),
        "moments.layers.0.weight": (3,),
        "momentum": (),
    },
}


def filled(name, shape):
    """The stand-in's values: a rule of the name, so that no large file is needed."""
    normal = np.random.default_rng([zlib.crc32(name.encode()), 0]).standard_normal(shape)
    part = name.rsplit(".", 1)[-1]
    if part == "moving_variance":
        normal = np.exp(0.1 * normal)
    elif part == "gamma":
        normal = 1 + 0.1 * normal
    elif part in ("moving_mean", "beta", "bias"):
        normal = 0.1 * normal
    elif part == "weight":
        normal = normal * np.sqrt(2 / np.prod(shape[1:]))
    else:
        normal = np.zeros(shape)
    return np.asarray(normal, np.float32)


def published_value(name, shape):
    mean, std = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)
    if name == "meanshift.meanshift.weight":
        return (np.eye(3, dtype=np.float32) / std[:, None]).reshape(3, 3, 1, 1)
    if name == "meanshift.meanshift.bias":
        return -mean / std
    if name.startswith(("inception.", "vgg_conv")):
        name = name.split(".", 1)[1]
    return filled(name, shape)


def to_tensor(image):
    return ms.Tensor(image.astype(np.float32).transpose(2, 0, 1)[None] / 255)


def to_image(tensor):
    return tensor.asnumpy()[0].transpose(1, 2, 0)


@pytest.fixture(scope="module")
def names(shared):
    return json.loads(shared("compat", "checkpoint_names.json").read_text())


@pytest.fixture(scope="module")
def reference(shared):
    with np.load(shared("compat", "reference_seed0.npz")) as file:
        return dict(file)


@pytest.fixture(scope="module")
def folder(names, tmp_path_factory):
    """The three published files as stand-ins, under the names that their users have."""
    path = tmp_path_factory.mktemp("published")
    trained = {name: published_value(name, shape) for name, shape in names["style_transfer"]}
    save_checkpoint(path / "style_transfer_model_0100.ckpt", trained, None)
    for kind, extras in EXTRAS.items():
        arrays = {name: published_value(name, shape) for name, shape in names[kind]}
        arrays.update({name: np.ones(shape, np.float32) for name, shape in extras.items()})
        save_checkpoint(path / f"{kind}.ckpt", arrays, None)
    return path


@pytest.fixture(scope="module")
def trained(folder):
    return folder / "style_transfer_model_0100.ckpt"


@pytest.fixture(scope="module")
def model(trained):
    return load_model(trained)


@pytest.fixture(scope="module")
def published(trained):
    return read_checkpoint(trained)[0]


@pytest.fixture(scope="module")
def embeddings(model, reference):
    return {which: model.predictor(to_tensor(reference[which])) for which in ("content", "style")}


@pytest.fixture(scope="module")
def pastiche(model, reference, embeddings):
    return model.transfer(to_tensor(reference["content"]), embeddings["style"])


def test_embedding_is_the_published_one(model, reference, embeddings):
    features = model.predictor.inception(to_tensor(reference["style"])).asnumpy()
    assert features.shape == tuple(reference["inception_shape"])
    np.testing.assert_allclose(features.mean((0, 2, 3)), reference["inception_mean"], atol=TOLERANCE, rtol=0)
    np.testing.assert_allclose(embeddings["style"].asnumpy()[0], reference["style_embedding"], atol=TOLERANCE, rtol=0)


def test_pastiche_is_the_published_one(reference, pastiche):
    np.testing.assert_allclose(to_image(pastiche), reference["pastiche"], atol=TOLERANCE, rtol=0)


def test_blend_is_the_published_one(model, reference, embeddings):
    blend = 0.4 * embeddings["style"] + 0.6 * embeddings["content"]
    found = to_image(model.transfer(to_tensor(reference["content"]), blend))
    np.testing.assert_allclose(found, reference["blend_04_style_06_content"], atol=TOLERANCE, rtol=0)


def test_losses_are_the_published_ones(folder, reference, pastiche):
    loss = defaults(modelzoo.CONFIG)["loss"]
    taps = tuple(loss.style_taps)
    network = create_loss_network(loss, folder, taps)
    content = network(to_tensor(reference["content"]))
    means = [feature.asnumpy().mean() for feature in content]
    deviations = [feature.asnumpy().std() for feature in content]
    np.testing.assert_allclose(means, reference["vgg_tap_mean"], rtol=TOLERANCE)
    np.testing.assert_allclose(deviations, reference["vgg_tap_std"], rtol=TOLERANCE)

    function = StylizationLoss(loss, taps)
    targets = function.style_targets(network(to_tensor(reference["style"])), None)
    total, terms = function(pastiche, network(pastiche), function.content_targets(content), targets)
    terms = dict(zip(function.names, terms.asnumpy(), strict=True))
    np.testing.assert_allclose(terms["content"], reference["content_loss"], rtol=TOLERANCE)
    np.testing.assert_allclose([terms[f"style_{tap}"] for tap in taps], reference["style_losses"], rtol=TOLERANCE)
    np.testing.assert_allclose(total.asnumpy(), reference["total_loss"], rtol=TOLERANCE)


def test_round_trip_writes_the_published_file_again(model, names, published, folder, tmp_path):
    vgg = create_loss_network(defaults(modelzoo.CONFIG)["loss"], folder)
    vgg = {name: parameter.asnumpy() for name, parameter in vgg.parameters_and_names()}
    modelzoo.save_published(tmp_path / "written.ckpt", model.network, to_arrays(model), vgg)
    written, metadata = read_checkpoint(tmp_path / "written.ckpt")
    assert metadata is None
    assert [[name, list(array.shape)] for name, array in written.items()] == names["style_transfer"]
    left_by_training = ("moment1.", "moment2.", "learning_rate", "beta1_power", "beta2_power")
    for name, array in written.items():
        if not name.startswith(left_by_training) and "instancenorm" not in name.replace(".gamma", "").replace(
            ".beta", ""
        ):
            np.testing.assert_array_equal(array, published[name], err_msg=name)
    again = load_model(tmp_path / "written.ckpt")
    for name, parameter in model.parameters_and_names():
        np.testing.assert_array_equal(dict(again.parameters_and_names())[name].asnumpy(), parameter.asnumpy())


def test_separate_inception_replaces_the_one_inside(trained, folder, tmp_path):
    params = read_inception(folder / "inceptionv3.ckpt")
    same = read_inception(trained)
    assert list(params) == list(same)
    assert all(np.array_equal(params[name], same[name]) for name in params)
    params["Mixed_6e.branch0.bn.beta"] = params["Mixed_6e.branch0.bn.beta"] + 1
    save_checkpoint(tmp_path / "other.ckpt", params, None)
    loaded = load_model(trained, tmp_path / "other.ckpt").predictor.inception.Mixed_6e.branch0.bn.beta
    np.testing.assert_array_equal(loaded.asnumpy(), params["Mixed_6e.branch0.bn.beta"])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (f"{TRANSFER}res3.fc_gamma2.bias", "missing"),
        (f"{TRANSFER}upconv3.conv.weight", "misshapen"),
        ("inception.Mixed_5c.branch2.1.bn.moving_mean", "missing"),
    ],
)
def test_missing_and_misshapen_parameters_are_named(published, tmp_path, name, change):
    params = dict(published)
    if change == "missing":
        del params[name]
    else:
        params[name] = params[name][1:]
    save_checkpoint(tmp_path / "bad.ckpt", params, None)
    with pytest.raises(UserError, match="missing" if change == "missing" else "has shape") as error:
        load_model(tmp_path / "bad.ckpt")
    assert name in str(error.value) and "bad.ckpt" in str(error.value)


def test_unknown_trained_parameter_is_named(published, tmp_path):
    save_checkpoint(tmp_path / "bad.ckpt", {**published, f"{TRANSFER}res6.conv1.weight": np.ones((2, 2))}, None)
    with pytest.raises(UserError, match="res6.conv1.weight"):
        load_model(tmp_path / "bad.ckpt")


def test_files_of_another_kind_are_named_as_what_they_are(folder, trained):
    with pytest.raises(UserError, match="found vgg16, a loss network, expected a style transfer model"):
        load_model(folder / "vgg16.ckpt")
    with pytest.raises(UserError, match="found an Inception-v3 only"):
        load_model(folder / "inceptionv3.ckpt")
    with pytest.raises(UserError, match="found vgg16, a loss network, expected Inception-v3"):
        load_model(trained, folder / "vgg16.ckpt")
    with pytest.raises(UserError, match="found an Inception-v3 only .* expected a loss network"):
        read_loss_network(folder / "inceptionv3.ckpt")
    with pytest.raises(UserError, match="is a folder"):
        load_model(folder)


def test_loss_network_comes_from_the_trained_checkpoint_too(folder, trained):
    from_vgg, from_trained = (VGG(16, ("relu4_1",), bias=False) for _ in range(2))
    load_loss_network_weights(folder / "vgg16.ckpt", from_vgg)
    load_loss_network_weights(trained, from_trained)
    for one, other in zip(from_vgg.get_parameters(), from_trained.get_parameters(), strict=True):
        np.testing.assert_array_equal(one.asnumpy(), other.asnumpy())
    with pytest.raises(UserError, match="layers.19.weight is missing"):
        load_loss_network_weights(trained, VGG(16, ("relu5_3",), bias=False))


def test_training_writes_averaged_weights_under_the_published_names_too(model, tmp_path):
    trained = [p for p in model.trainable_params() if p.name.endswith("contract1.conv.weight")]
    averages = [Parameter(p.asnumpy() + 1, name=f"average.{p.name}") for p in trained]
    arrays = model_arrays(model, SimpleNamespace(weights=trained, averages=averages))
    model_writer(model, arrays, {}, "modelzoo", None, {})(tmp_path / "written.ckpt")
    written = read_checkpoint(tmp_path / "written.ckpt")[0]
    np.testing.assert_array_equal(written[f"{TRANSFER}conv1.conv.weight"], averages[0].asnumpy())
    untrained = to_arrays(model)["transfer.contract2.conv.weight"]
    np.testing.assert_array_equal(written[f"{TRANSFER}conv2.conv.weight"], untrained)


def test_a_published_checkpoint_with_nan_is_refused_unless_nothing_reads_it(published, tmp_path):
    inception = modelzoo.take_inception(published, "it")
    unread = {**published, "moment1.x": np.full(3, np.nan, np.float32)}
    modelzoo.to_native(unread, "it.ckpt", inception)
    name = f"{TRANSFER}res1.fc_beta1.bias"
    broken = {**published, name: np.where(np.arange(128) == 5, np.inf, published[name])}
    with pytest.raises(UserError, match=rf"it.ckpt: parameter {name} holds NaN or Inf \(1 of 128 numbers\)"):
        modelzoo.to_native(broken, "it.ckpt", inception)
