"""The largest numbers of a training step, and the time that many devices should take: counted, not timed."""

import mindspore as ms
import numpy as np
import pytest
import yaml
from tiny_runs import LOSS

from benchmarks import devices
from src.ascend.ranges import FLOAT16_MAX, measure_recipe
from src.config import defaults
from src.data.dataset import PairedImages
from src.models.layers import Convolution


@pytest.fixture
def pynative():
    """PyNative mode, in which layers can be watched; graph mode afterwards."""
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.fixture
def measure(pynative, few_statistics, loss_weights, image_folders, tmp_path):
    """Function of (folder with the loss network, loss options): the `Ranges` of a tiny recipe's first batch."""

    def run(weights=loss_weights, **loss):
        recipe = tmp_path / "recipe.yaml"
        sections = {
            "network": {"method": "n_styles", "width": 0.25},
            "loss": {**LOSS, **loss},
            "data": {"image_size": 32, "min_side": 32, "style_augment": False},
        }
        recipe.write_text(yaml.safe_dump(sections), encoding="utf-8")
        data = {"content_path": str(image_folders[0]), "style_path": str(image_folders[1]), "batch_size": 2}
        ms.set_seed(1)
        return measure_recipe(recipe, data, {"ckpt_path": str(weights)}, batches=1), data, recipe

    return run


def test_activations_gradients_and_gram_entries_of_each_layer(measure):
    found, data, recipe = measure()
    images = PairedImages(defaults(recipe, data=data)["data"], 1)
    largest = max(image.asnumpy().max() for image in next(iter(images.batches(0, 1))))
    # what the first layer takes is the images, what it gives is the images less a half
    assert found.layers["distilled_vgg19.preprocess"].activation == pytest.approx(largest, rel=1e-6)
    assert {"transfer.contract1.conv", "transfer.residual3.conv2", "distilled_vgg19.conv3_1"} <= set(found.layers)
    assert set(found.grams) == {"relu1_1", "relu2_1"} and min(found.grams.values()) > 0
    assert found.loss_scale == 1024 and found.beyond_float16() == []
    name, value = found.largest_gradient()
    assert value == found.layers[name].gradient * 1024 == max(x.gradient for x in found.layers.values()) * 1024

    loss = defaults(recipe)["loss"]
    weights = ("content_weight", "style_weight", "tv_weight")
    doubled, _, _ = measure(**{name: 2 * getattr(loss, name) for name in weights})
    for name, one in found.layers.items():
        assert doubled.layers[name].gradient == pytest.approx(2 * one.gradient, rel=1e-3), name
        assert doubled.layers[name].activation == pytest.approx(one.activation, rel=1e-6), name


def test_a_layer_beyond_float16_is_named(measure, loss_weights, tmp_path):
    arrays = dict(np.load(loss_weights / "vgg19_distilled_16x.npz"))
    arrays["conv2_1.weight"] = arrays["conv2_1.weight"] * 1e6
    (tmp_path / "large").mkdir()
    np.savez(tmp_path / "large" / "vgg19_distilled_16x.npz", **arrays)
    found, _, _ = measure(tmp_path / "large")
    assert "distilled_vgg19.conv2_1" in found.beyond_float16()
    assert found.largest_activation()[1] >= FLOAT16_MAX


def test_multiplications_are_counted_forward_and_for_both_gradients(pynative):
    convolution = Convolution(3, 8, 3, padding="zero")
    counter = devices.Counter([convolution])
    forward = 2 * 8 * 16 * 16 * 3 * 9
    image = ms.Tensor(np.ones((2, 3, 16, 16), np.float32))
    convolution(image)
    assert counter.total == forward
    counter.total = 0
    weights = ms.ParameterTuple(convolution.trainable_params())
    ms.value_and_grad(lambda x: convolution(x).sum(), 0, weights)(image)
    assert counter.total == 3 * forward


def test_sums_of_gradients_by_hand():
    size = 8_000_000
    assert devices.sum_seconds(size, 1) == 0
    assert devices.sum_seconds(size, 8) == pytest.approx(2 * 7 / 8 * size / 30e9)
    between = 2 * 7 / 8 * (size / 8) / 12.5e9
    assert devices.sum_seconds(size, 64) == pytest.approx(2 * 7 / 8 * size / 30e9 + between)


def test_the_table_has_the_published_times_beside_the_computed_ones():
    # a fifth of the port's multiplications, at the port's share of the peak, take a fifth of its time
    lines = devices.table(50e9, 250e9, 8_000_000, 16)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[4:]]
    assert [row[0] for row in rows] == ["1", "8", "64"]
    assert [row[1] for row in rows] == ["16", "128", "1024"]
    assert rows[0][3] == "78 ms" and [row[-1] for row in rows] == ["392 ms", "303 ms", "none"]
