"""The networks against plain NumPy, and what they promise about shapes, ranges and names."""

import dataclasses
import json

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn
from numpy_layers import convolve

from src.config import defaults
from src.errors import UserError
from src.models.compact_prediction import CompactPredictor, StatisticsPredictor, channel_statistics
from src.models.factory import create_model
from src.models.inception_v3 import InceptionV3
from src.models.layers import (
    BilinearConvolution,
    Convolution,
    ImageConvolution,
    UpsampledConvolution,
    UpsampledImageConvolution,
)
from src.models.normalization import InstanceNorm
from src.models.style_transfer import StyleTransferNetwork
from src.models.vgg import VGG, DistilledVGG19, Pool
from src.runtime import apply_precision
from src.weights.loss_network import create_loss_network
from src.weights.native import save_checkpoint


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def network(**options):
    return defaults(network={"predictor": "compact", "width": 0.25, **options})["network"]


@pytest.mark.parametrize("affine", [False, True])
def test_conditional_instance_norm_is_its_definition(affine):
    x, gamma, beta = random(2, 3, 8, 10), random(2, 3, seed=1), random(2, 3, seed=2)
    norm = InstanceNorm(3, affine)
    own_gamma, own_beta = np.ones(3, np.float32), np.zeros(3, np.float32)
    if affine:
        own_gamma, own_beta = random(3, seed=3), random(3, seed=4)
        norm.gamma.set_data(ms.Tensor(own_gamma))
        norm.beta.set_data(ms.Tensor(own_beta))
    standard = (x - x.mean((2, 3), keepdims=True)) / np.sqrt(x.var((2, 3), keepdims=True) + 1e-5)
    own = standard * own_gamma[None, :, None, None] + own_beta[None, :, None, None]
    expected = own * gamma[:, :, None, None] + beta[:, :, None, None]
    found = norm(ms.Tensor(x), ms.Tensor(gamma), ms.Tensor(beta)).asnumpy()
    assert np.abs(found - expected).max() < 1e-5
    assert np.abs(norm(ms.Tensor(x)).asnumpy() - own).max() < 1e-5


def test_each_image_of_a_batch_keeps_its_own_style():
    net = StyleTransferNetwork(network())
    net.heads.weight.set_data(ms.Tensor(random(*net.heads.weight.shape) * 0.2))
    contents, embeddings = np.abs(random(2, 3, 32, 32)), random(2, 100, seed=1)
    both = net(ms.Tensor(contents), ms.Tensor(embeddings)).asnumpy()
    for i in range(2):
        one = net(ms.Tensor(contents[i : i + 1]), ms.Tensor(embeddings[i : i + 1])).asnumpy()
        assert np.abs(both[i] - one[0]).max() < 1e-5
    assert np.abs(both[0] - both[1]).max() > 0.01


@pytest.mark.parametrize("padding", ["reflect", "zero"])
def test_image_convolution_is_a_convolution(padding):
    x = ms.Tensor(random(2, 8, 16, 24))
    fast, plain = ImageConvolution(8, 3, 9, padding), Convolution(8, 3, 9, 1, padding)
    plain.weight.set_data(fast.weight)
    assert np.abs(fast(x).asnumpy() - plain(x).asnumpy()).max() < 1e-4


def test_reflection_padding_sees_the_mirrored_image():
    x = random(1, 2, 9, 11)
    reflect, zero = Convolution(2, 4, 3, 1, "reflect"), Convolution(2, 4, 3, 1, "zero")
    zero.weight.set_data(reflect.weight)
    mirrored = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), "reflect")
    expected = zero(ms.Tensor(mirrored)).asnumpy()[:, :, 1:-1, 1:-1]
    assert np.abs(reflect(ms.Tensor(x)).asnumpy() - expected).max() < 1e-5


@pytest.mark.parametrize("padding", ["reflect", "zero"])
@pytest.mark.parametrize("shape", [(2, 4, 5, 4), (1, 4, 2, 7)])
def test_convolution_of_a_repeated_picture_is_that(padding, shape):
    x = random(*shape)
    fast, plain = UpsampledConvolution(4, 6, padding), Convolution(4, 6, 3, 1, padding)
    plain.weight.set_data(fast.weight)
    expected = plain(ms.Tensor(x.repeat(2, 2).repeat(2, 3))).asnumpy()
    assert np.abs(fast(ms.Tensor(x)).asnumpy() - expected).max() < 1e-5


@pytest.mark.parametrize("padding", ["reflect", "zero"])
def test_convolution_of_a_repeated_picture_to_pixels_is_that(padding):
    x = random(2, 4, 6, 8)
    fast = UpsampledImageConvolution(4, 3, 9, padding, bias=True)
    fast.bias.set_data(ms.Tensor(random(3, seed=1)))
    bordered = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)), "reflect" if padding == "reflect" else "constant")
    for found, picture in zip(fast(ms.Tensor(x)).asnumpy(), bordered.repeat(2, 2).repeat(2, 3), strict=True):
        assert np.abs(found - convolve(picture, fast.weight.asnumpy(), fast.bias.asnumpy(), 0)).max() < 1e-4


def gradients(net, picture):
    """Of a weighted sum of net's output: by its input and by its weight."""
    weights = ms.Tensor(random(*net(ms.Tensor(picture)).shape, seed=3))

    def weighted_sum(x):
        return (net(x) * weights).sum()

    of_input, of_weights = ms.grad(weighted_sum, 0, net.trainable_params())(ms.Tensor(picture))
    return of_input.asnumpy(), of_weights[0].asnumpy()


@pytest.mark.parametrize(
    "make, enlarged",
    [
        (lambda: ImageConvolution(4, 3, 9), 1),
        (lambda: UpsampledConvolution(4, 3), 2),
        # with zeros the border is the same before and after an enlargement
        (lambda: UpsampledImageConvolution(4, 3, 9, "zero"), 2),
    ],
    ids=["image", "upsampled", "upsampled image"],
)
def test_convolutions_in_other_forms_have_the_gradients_of_plain_ones(make, enlarged):
    x = random(2, 4, 8, 12)
    cell = make()
    plain = Convolution(4, 3, cell.kernel_size, padding=cell.padding)
    plain.weight.set_data(cell.weight)
    ours, our_weights = gradients(cell, x)
    theirs, their_weights = gradients(plain, x.repeat(enlarged, 2).repeat(enlarged, 3))
    theirs = theirs.reshape(2, 4, 8, enlarged, 12, enlarged).sum((3, 5))
    assert np.abs(ours - theirs).max() < 1e-4
    assert np.abs(our_weights - their_weights).max() < 1e-3 * np.abs(their_weights).max()


def test_bilinear_upsampling_takes_pixel_i_from_half_of_i():
    x = random(1, 2, 5, 4)
    rows, columns = (np.minimum(np.arange(2 * n) / 2, n - 1) for n in x.shape[2:])
    y0, x0 = np.floor(rows).astype(int), np.floor(columns).astype(int)
    y1, x1 = np.minimum(y0 + 1, x.shape[2] - 1), np.minimum(x0 + 1, x.shape[3] - 1)
    down = (rows - y0)[None, None, :, None]
    right = (columns - x0)[None, None, None, :]
    vertical = x[:, :, y0] * (1 - down) + x[:, :, y1] * down
    expected = vertical[:, :, :, x0] * (1 - right) + vertical[:, :, :, x1] * right
    assert np.abs(BilinearConvolution(2, 2).enlarged(ms.Tensor(x)).asnumpy() - expected).max() < 1e-6


@pytest.mark.parametrize(
    "options",
    [
        {"padding": "reflect", "upsampling": "nearest", "output": "sigmoid"},
        {"padding": "zero", "upsampling": "bilinear", "output": "tanh", "norm_affine": True, "conv_bias": True},
        {"ends": "half", "output": "tanh", "conv_bias": True},
    ],
)
def test_pastiche_has_the_content_s_size_and_range(options):
    model = create_model(network(**options))
    content, style = np.abs(random(1, 3, 32, 48)), np.abs(random(1, 3, 40, 36, seed=1))
    pastiche = model(ms.Tensor(content), ms.Tensor(style)).asnumpy()
    assert pastiche.shape == content.shape
    assert 0 <= pastiche.min() < pastiche.max() <= 1
    names = dict(model.parameters_and_names())
    assert ("transfer.residual3.norm2.gamma" in names) == options.get("norm_affine", False)
    assert ("transfer.output.conv.bias" in names) == options.get("conv_bias", False)


def test_full_width_network_has_the_paper_s_2758_gammas_and_betas():
    model = StyleTransferNetwork(network(width=1.0))
    assert model.heads.weight.shape == (2758, 100)
    assert model.contract3.conv.weight.shape == (128, 64, 3, 3)


def test_half_ends_have_no_layer_at_full_size():
    transfer = StyleTransferNetwork(network(ends="half"))
    assert transfer.heads.weight.shape == (2 * (10 * 32 + 16 + 16 + 3), 100)
    assert transfer.contract3 is transfer.upsample2 is None
    x, shapes = ms.Tensor(np.abs(random(1, 3, 32, 48))), []
    for layer in (transfer.contract1, transfer.contract2, transfer.upsample1, transfer.finish, transfer.output):
        x = layer(x, *[ms.Tensor(random(1, 3 if layer is transfer.output else 16))] * 2) if shapes[1:] else layer(x)
        shapes.append(x.shape[1:])
    assert shapes == [(16, 16, 24), (32, 8, 12), (16, 16, 24), (16, 16, 24), (3, 32, 48)]


@pytest.mark.parametrize("side", [32, 65])
def test_compact_predictor_embeds_images_of_any_size(side):
    predictor = CompactPredictor(100)
    assert predictor(ms.Tensor(np.abs(random(2, 3, side, side)))).shape == (2, 100)
    assert sum(p.size for p in predictor.get_parameters()) < 2_500_000


def test_statistics_predictor_standardises_and_clips():
    predictor = StatisticsPredictor(10, "distilled_vgg19")
    statistics = random(50, predictor.center.shape[0]) * 3 + 1
    predictor.standardise_over(statistics)
    assert np.allclose(predictor.center.asnumpy(), statistics.mean(0), atol=1e-5)
    standard = (statistics - statistics.mean(0)) / (statistics.std(0) + 0.01 * statistics.std(0).mean())
    found = predictor.clipped(ms.Tensor(2 * statistics - statistics.mean(0))).asnumpy()
    assert np.allclose(found, (2 * standard).clip(-5, 5), atol=1e-4) and found.max() == 5
    far, further = statistics.mean(0) + 100 * statistics.std(0), statistics.mean(0) + 1000 * statistics.std(0)
    found = predictor.embed_statistics(ms.Tensor(np.stack([far, further]).astype(np.float32))).asnumpy()
    assert np.allclose(found[0], found[1])


def test_channel_statistics_are_means_and_deviations():
    features = random(2, 3, 6, 7)
    found = channel_statistics((ms.Tensor(features),)).asnumpy()
    assert np.allclose(found[:, :3], features.mean((2, 3)), atol=1e-5)
    assert np.allclose(found[:, 3:], features.std((2, 3)), atol=1e-4)


@pytest.mark.parametrize(("depth", "last"), [(16, "relu5_3"), (19, "relu5_4")])
def test_vgg_gives_any_tap_in_the_order_asked_for(depth, last):
    vgg = VGG(depth, (last, "relu1_2", "relu3_1"))
    deep, first, third = vgg(ms.Tensor(np.abs(random(1, 3, 32, 32))))
    assert (deep.shape, first.shape, third.shape) == ((1, 512, 2, 2), (1, 64, 32, 32), (1, 256, 8, 8))
    alone = VGG(depth, ("relu1_2",))
    assert [n for n, _ in alone.parameters_and_names() if n.startswith("conv")][-1] == "conv1_2.bias"
    with pytest.raises(UserError, match="relu6_1"):
        VGG(depth, ("relu6_1",))


def pooled(x, kind):
    n, c, h, w = x.shape
    windows = x.reshape(n, c, h // 2, 2, w // 2, 2)
    return windows.mean((3, 5)) if kind == "average" else windows.max((3, 5))


@pytest.mark.parametrize("kind", ["average", "max"])
@pytest.mark.parametrize("shape", [(2, 3, 6, 10), (1, 2, 128, 128)], ids=["whole", "in slabs"])
def test_pooling_is_its_definition(kind, shape):
    x = random(*shape)
    np.testing.assert_allclose(Pool(kind)(ms.Tensor(x)).asnumpy(), pooled(x, kind), atol=1e-6)


def check_pooling(net, kind, mode):
    """relu2_1 is the convolution of the pooled relu1_2."""
    before, after = (feature.asnumpy() for feature in net(ms.Tensor(np.abs(random(1, 3, 16, 12)))))
    weight, bias = net.conv2_1.weight.asnumpy(), net.conv2_1.bias.asnumpy()
    expected = np.maximum(convolve(pooled(before, kind)[0], weight, bias, 1, mode), 0)
    np.testing.assert_allclose(after[0], expected, atol=1e-4 * expected.max())


@pytest.mark.parametrize("kind", ["average", "max"])
def test_a_loss_network_pools_as_the_option_says(tmp_path, kind):
    taps = ("relu1_2", "relu2_1")
    save_checkpoint(tmp_path / "vgg16.ckpt", VGG(16, taps), {"loss_network": "vgg16"})
    loss = defaults(loss={"loss_network": "vgg16", "pooling": kind})["loss"]
    check_pooling(create_loss_network(loss, tmp_path, taps), kind, "constant")


def test_the_distilled_network_takes_the_maximum():
    check_pooling(DistilledVGG19(("relu1_2", "relu2_1")), "max", "reflect")


def test_a_vgg_without_biases_has_none():
    assert not any(n.endswith("bias") for n, _ in VGG(16, ("relu2_1",), bias=False).parameters_and_names())


@pytest.mark.parametrize(("precision", "expected"), [("float32", 1 + 2.0**-12), ("float16", 1.0)])
def test_precision_is_that_of_convolutions_alone(precision, expected):
    """1 + 2^-12 is no float16 number; what is not a convolution computes with it as it is."""
    value = ms.Tensor(np.full((1, 1, 3, 3), 1 + 2.0**-12), ms.float32)
    convolution, norm = Convolution(1, 1, 1), InstanceNorm(1, True)
    convolution.weight.set_data(ms.Tensor(np.ones((1, 1, 1, 1)), ms.float32))
    norm.beta.set_data(ms.Tensor([1 + 2.0**-12], ms.float32))
    cells = nn.SequentialCell(convolution, norm)
    apply_precision(cells, precision)
    assert np.all(convolution(value).asnumpy() == np.float32(expected))
    assert np.all(norm(value).asnumpy() == np.float32(1 + 2.0**-12))


def test_distilled_network_gives_the_values_of_its_check_file(shared):
    check = json.loads(shared("weights", "vgg19_distilled_16x.check.json").read_text())
    taps = tuple(t["name"] for t in (*check["taps"], *check["aux"]))
    net = DistilledVGG19(taps)
    with np.load(shared("weights", "vgg19_distilled_16x.npz")) as arrays:
        for name, parameter in net.parameters_and_names():
            parameter.set_data(ms.Tensor(arrays[name]))
    i, j = np.mgrid[:64, :64]
    image = np.stack([((i + 2 * j + 32 * c) % 64) / 63 for c in range(3)])[None].astype(np.float32)
    for feature, expected in zip(net(ms.Tensor(image)), (*check["taps"], *check["aux"]), strict=True):
        assert list(feature.shape) == expected["shape"]
        assert feature.asnumpy().mean() == pytest.approx(expected["mean"], rel=1e-4)


def test_aux_layers_are_lifted_by_a_convolution_and_relu():
    net = DistilledVGG19(("aux2_1", "relu2_1"))
    bias = random(128)
    net.aux2_1.bias.set_data(ms.Tensor(bias))
    aux, relu = (feature.asnumpy() for feature in net(ms.Tensor(np.abs(random(1, 3, 16, 16)))))
    lifted = np.einsum("oi,nihw->nohw", net.aux2_1.weight.asnumpy()[..., 0, 0], relu) + bias[:, None, None]
    assert np.allclose(aux, lifted.clip(0), atol=1e-4) and lifted.min() < -0.1


def test_distilled_network_names_what_it_lacks():
    with pytest.raises(UserError, match="aux1_2"):
        DistilledVGG19(("aux1_2",))
    with pytest.raises(UserError, match="relu5_2"):
        DistilledVGG19(("relu5_2",))


def test_options_reach_every_layer():
    reflect, zero = create_model(network()), create_model(network(padding="zero"))
    for name, cell in zero.transfer.cells_and_names():
        if isinstance(cell, Convolution):
            assert cell.padding == "zero", name
    assert all(c.padding == "reflect" for _, c in reflect.transfer.cells_and_names() if isinstance(c, Convolution))
    assert dataclasses.asdict(reflect.network)["padding"] == "reflect"


def test_inception_trains_convolutions_but_no_statistics():
    assert not InceptionV3().trainable_params()
    trained = {parameter.name.rsplit(".", 1)[-1] for parameter in InceptionV3(trainable=True).trainable_params()}
    assert trained == {"weight", "gamma", "beta"}
