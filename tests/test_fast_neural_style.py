"""Networks of PyTorch's example fast_neural_style, converted: they compute what their definition does."""

import numpy as np
import pytest

from src.stylize.stylizer import Stylizer
from src.weights.convert import convert
from src.weights.load import load_model

TOLERANCE = 1e-3  # of 255
torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def network():
    """The example's network with random weights, whose pastiches spread over the range of pixels."""
    from torch_johnson import TransformerNet

    torch.manual_seed(0)
    made = TransformerNet()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if ".in" in name or name.startswith("in"):
                parameter.add_(torch.randn_like(parameter) * 0.3)
        made.deconv3.conv2d.weight.mul_(120)
        made.deconv3.conv2d.bias.fill_(127)
    return made


def old(tensors):
    """As files from before PyTorch 0.4 have it, on several devices."""
    norms = [name[:-7] for name in tensors if name.endswith(".weight") and tensors[name].ndim == 1]
    statistics = {
        f"{n}.{part}": torch.full_like(tensors[f"{n}.weight"], 7.0)
        for n in norms
        for part in ("running_mean", "running_var")
    }
    return {f"module.{name}": value for name, value in {**tensors, **statistics}.items()}


@pytest.mark.parametrize("file, layout", [("mosaic.pth", dict), ("udnie 2.model", old)])
def test_a_converted_network_computes_what_its_definition_does(file, layout, network, tmp_path, image):
    torch.save(layout(network.state_dict()), tmp_path / file)
    model = convert(tmp_path / file, tmp_path)
    assert model == tmp_path / f"{file.split('.')[0]}.ckpt"
    stylizer = Stylizer.open(model, engine="mindspore")
    assert stylizer.styles == (file.split(".")[0].replace(" ", "_"),)
    pixels = image(64, 96, 0)
    with torch.no_grad():
        expected = network.double()(torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float64))).numpy()
    network.float()
    content = pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255
    found = stylizer.networks.transfer(content, stylizer.embed(0)[None]) * 255
    assert expected.std() > 25
    assert np.abs(found - expected).max() < TOLERANCE
    picture = stylizer.stylize(pixels, stylizer.embed(0)).astype(float)
    assert np.abs(picture - expected[0].clip(0, 255).transpose(1, 2, 0)).max() <= 0.5 + TOLERANCE


def test_narrower_clones_are_recognised_by_their_shapes(network, tmp_path):
    half = {}
    for name, value in network.state_dict().items():
        sides = [side if side == 3 else side // 2 for side in value.shape[:2]]
        half[name] = value[tuple(slice(side) for side in sides)].clone()
    torch.save(half, tmp_path / "half.pth")
    assert load_model(convert(tmp_path / "half.pth", tmp_path)).network.width == 0.5
