"""The published names of parameters: to this project's names and back, for networks with weights of our own."""

from types import SimpleNamespace

import mindspore as ms
import numpy as np
import pytest
from tiny_runs import RUNTIME

from src.config import defaults
from src.errors import UserError
from src.models.factory import create_model
from src.models.vgg import BLOCKS, layer_names
from src.training.trainer import train
from src.weights import modelzoo
from src.weights.native import to_arrays

TRANSFER = "transfer_net.style_transfer_network."


@pytest.fixture(scope="module")
def published_model():
    return create_model(modelzoo.published_network())


def test_names_are_a_bijection(published_model):
    """Every parameter of the model, and every row of the heads, is in the published file exactly once."""
    entries = modelzoo.trained_entries()
    assert len({entry.name for entry in entries}) == len(entries) == 102
    shapes = {name: parameter.shape for name, parameter in published_model.parameters_and_names()}
    inception = {n[len(modelzoo.NATIVE_INCEPTION) :]: s for n, s in shapes.items() if "inception" in n}
    assert inception == modelzoo.inception_shapes() and len(inception) == 350
    taken = {name: np.zeros(shape[0], int) for name, shape in shapes.items() if "inception" not in name}
    for entry in entries:
        rows = entry.rows or slice(None)
        assert (taken[entry.source][rows].size, *shapes[entry.source][1:]) == entry.shape
        taken[entry.source][rows] += 1
    assert all((count == 1).all() for count in taken.values())


def test_native_to_published_and_back_is_exact(published_model):
    rng = np.random.default_rng(0)
    params = {n: rng.standard_normal(p.shape, np.float32) for n, p in published_model.parameters_and_names()}
    published = modelzoo.to_published(params)
    assert len(published) == 711
    inception = modelzoo.take_inception(published, "file")
    back = modelzoo.to_native(published, "file", inception)
    assert back.keys() == params.keys()
    assert all(np.array_equal(back[name], params[name]) for name in params)
    # gammas come first in the heads, in the order of the layers; the port keeps a pair of dense layers for each
    heads = params["transfer.heads.weight"]
    np.testing.assert_array_equal(published[f"{TRANSFER}res1.fc_gamma2.weight"], heads[128:256])
    np.testing.assert_array_equal(published[f"{TRANSFER}upconv3.fc_beta.weight"], heads[-3:])


def test_optimiser_goes_into_the_published_file(published_model):
    trained = {name: p.asnumpy() for name, p in published_model.parameters_and_names() if "inception" not in name}
    training = {f"moment1.{n}": a + 1 for n, a in trained.items()} | {f"moment2.{n}": a + 2 for n, a in trained.items()}
    training |= {"global_step": np.array([3]), "learning_rate": np.float32(0.5)}
    params = {name: parameter.asnumpy() for name, parameter in published_model.parameters_and_names()}
    published = modelzoo.to_published(params, training=training)
    name = f"{TRANSFER}upconv1.fc_beta.bias"
    np.testing.assert_array_equal(published[f"moment1.{name}"], published[name] + 1)
    np.testing.assert_array_equal(published[f"moment2.{name}"], published[name] + 2)
    del training["moment1.transfer.contract1.conv.weight"]  # as when Muon trains it, or it is frozen
    left = modelzoo.to_published(params, training=training)
    changed = [key for key in published if not np.array_equal(left[key], published[key])]
    assert len(changed) == 1 and changed[0].startswith("moment1.") and not left[changed[0]].any()
    assert published["global_step"].tolist() == [3] and published["learning_rate"] == 0.5
    assert published["beta1_power"] == pytest.approx(0.9**3)


def test_another_network_is_not_written_as_published(tmp_path):
    small = create_model(defaults(network={"predictor": "compact", "width": 0.25})["network"])
    with pytest.raises(UserError, match="option format: .* predictor 'compact'"):
        modelzoo.save_published(tmp_path / "small.ckpt", small.network, to_arrays(small))
    assert not list(tmp_path.iterdir())


def test_training_refuses_the_published_names_for_another_network_before_anything_else(tmp_path):
    chosen = {"output_dir": str(tmp_path / "run"), "format": "modelzoo"}
    options = SimpleNamespace(**defaults(network={"predictor": "compact"}, train=chosen))
    with pytest.raises(UserError, match="option format: .* predictor 'compact'"):  # and not: content_path is empty
        train(options, RUNTIME)


def test_published_names_of_vgg_are_known():
    assert list(modelzoo.vgg_index(16).values()) == [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    assert list(modelzoo.vgg_index(19)) == layer_names(BLOCKS[19])


def test_published_offsets_are_rounded_where_the_port_rounds_them():
    network = defaults(network={"predictor": "compact", "width": 0.25, "half_offsets": True})["network"]
    transfer = create_model(network).transfer
    transfer.heads.bias.set_data(transfer.heads.bias + 0.1234567)
    pairs = transfer.style_parameters(ms.Tensor(np.zeros((1, network.embedding_dim), np.float32)))
    for layer, (gamma, beta) in enumerate(pairs):
        expected = np.float32(0.1234567)
        if layer >= 10:
            expected = np.float32(np.float16(expected))
        np.testing.assert_array_equal(beta.asnumpy(), np.full(beta.shape, expected))
        np.testing.assert_allclose(gamma.asnumpy(), 1.1234567, rtol=1e-6)
