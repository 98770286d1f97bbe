"""fast_neural_style in NumPy after its definition: a converted network computes the same, without PyTorch.

tests/test_fast_neural_style.py does it with PyTorch itself, where that is installed.
"""

from pathlib import Path

import numpy as np
import pytest
from numpy_layers import convolve

from src.errors import UserError
from src.stylize.stylizer import Stylizer
from src.weights.fast_neural_style import from_fast_neural_style, is_fast_neural_style
from src.weights.native import save_checkpoint

CHANNELS = (8, 16, 32)
TOLERANCE = 1e-3  # of 255


class Network:
    """The network over {name: array}, pixels (3, H, W) from 0 to 255, in float64."""

    def __init__(self, tensors):
        self.tensors = {name: array.astype(np.float64) for name, array in tensors.items()}

    def conv(self, x, name, stride=1):
        weight = self.tensors[f"{name}.conv2d.weight"]
        border = weight.shape[2] // 2
        return convolve(x, weight, self.tensors[f"{name}.conv2d.bias"], border, "reflect")[:, ::stride, ::stride]

    def norm(self, x, name):
        x = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-5)
        return x * self.tensors[f"{name}.weight"][:, None, None] + self.tensors[f"{name}.bias"][:, None, None]

    def __call__(self, x):
        for conv, norm, stride in (("conv1", "in1", 1), ("conv2", "in2", 2), ("conv3", "in3", 2)):
            x = np.maximum(self.norm(self.conv(x, conv, stride), norm), 0)
        for block in (f"res{i}" for i in range(1, 6)):
            y = np.maximum(self.norm(self.conv(x, f"{block}.conv1"), f"{block}.in1"), 0)
            x = x + self.norm(self.conv(y, f"{block}.conv2"), f"{block}.in2")
        for conv, norm in (("deconv1", "in4"), ("deconv2", "in5")):
            x = np.maximum(self.norm(self.conv(x.repeat(2, 1).repeat(2, 2), conv), norm), 0)
        return self.conv(x, "deconv3")


@pytest.fixture
def tensors():
    """Random weights whose pastiches spread over the range of pixels."""
    c1, c2, c3 = CHANNELS
    rng, made = np.random.default_rng(0), {}
    layers = [("conv1", "in1", c1, 3, 9), ("conv2", "in2", c2, c1, 3), ("conv3", "in3", c3, c2, 3)]
    layers += [(f"res{b}.conv{i}", f"res{b}.in{i}", c3, c3, 3) for b in range(1, 6) for i in (1, 2)]
    layers += [("deconv1", "in4", c2, c3, 3), ("deconv2", "in5", c1, c2, 3), ("deconv3", "", 3, c1, 9)]
    for conv, norm, outputs, inputs, size in layers:
        weight = rng.normal(0, 1 / np.sqrt(inputs * size**2), (outputs, inputs, size, size))
        made[f"{conv}.conv2d.weight"], made[f"{conv}.conv2d.bias"] = weight, rng.normal(0, 0.1, outputs)
        if norm:
            made[f"{norm}.weight"], made[f"{norm}.bias"] = rng.normal(1, 0.3, outputs), rng.normal(0, 0.3, outputs)
            made[f"{norm}.running_mean"] = np.full(outputs, 7.0)  # older files have it, and nothing reads it
    made["deconv3.conv2d.weight"] *= 60
    made["deconv3.conv2d.bias"][:] = 127
    return {name: array.astype(np.float32) for name, array in made.items()}


def test_a_converted_network_computes_what_its_definition_does(tensors, tmp_path, image):
    assert is_fast_neural_style(tensors)
    params, metadata = from_fast_neural_style(tensors, Path("great wave.pth"))
    save_checkpoint(tmp_path / "wave.ckpt", params, metadata)
    stylizer = Stylizer.open(tmp_path / "wave.ckpt", engine="mindspore")
    assert stylizer.styles == ("great_wave",)
    pixels = image(40, 56, 0).transpose(2, 0, 1)
    expected = Network(tensors)(pixels.astype(np.float64))
    found = stylizer.networks.transfer(pixels[None].astype(np.float32) / 255, stylizer.embed(0)[None])[0] * 255
    assert expected.std() > 25
    assert np.abs(found - expected).max() < TOLERANCE


@pytest.mark.parametrize(
    "change, text",
    [
        (lambda t: t.pop("res3.in2.bias"), "res3.in2.bias is missing"),
        (lambda t: t.update({"deconv2.conv2d.bias": np.zeros(5)}), "deconv2.conv2d.bias has shape"),
        (lambda t: t.update({"res6.conv1.conv2d.weight": np.zeros(1)}), "res6.conv1.conv2d.weight is none of"),
    ],
)
def test_another_network_is_refused_by_the_tensor(change, text, tensors):
    change(tensors)
    with pytest.raises(UserError, match=text):
        from_fast_neural_style(tensors, Path("bad.pth"))
