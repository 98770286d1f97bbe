"""Every option of every recipe has a test that its inverse would fail: which one it is, and those not found elsewhere.

Values are computed by NumPy or by hand. An option that a recipe takes up later fails here until it has such a test.
"""

import dataclasses
import re

import mindspore as ms
import numpy as np
import pytest
from tiny_runs import RUNTIME

from src import config
from src.config import defaults
from src.data import transforms
from src.models.compact_prediction import CompactPredictor, StatisticsPredictor
from src.models.factory import create_model
from src.models.layers import BilinearConvolution, Convolution, UpsampledConvolution
from src.models.style_prediction import StyleTable
from src.options.recipes import overlay
from src.sections import SECTIONS
from src.training.build import build_step
from src.training.distillation.muon import Muon
from src.training.distillation.objective import Distillation
from src.training.schedule import learning_rates
from src.weights.loss_network import create_loss_network

# option: a test, here or elsewhere, that fails when the option does the opposite, or nothing
TESTS = {
    "runtime.precision": "test_precision_is_that_of_convolutions_alone",
    "train.loss_scale": "test_the_loss_is_scaled_in_float16_alone",
    "network.method": "test_method_and_predictor_make_what_embeds",
    "network.predictor": "test_method_and_predictor_make_what_embeds",
    "network.width": "test_full_width_network_has_the_paper_s_2758_gammas_and_betas",
    "network.padding": "test_options_reach_every_layer",
    "network.ends": "test_half_ends_have_no_layer_at_full_size",
    "network.upsampling": "test_upsampling_and_width_make_the_layers",
    "network.output": "test_the_constant_is_the_last_offset_through_the_last_activation",
    "network.norm_affine": "test_pastiche_has_the_content_s_size_and_range",
    "network.conv_bias": "test_pastiche_has_the_content_s_size_and_range",
    "network.half_offsets": "test_published_offsets_are_rounded_where_the_port_rounds_them",
    "network.embedding_dim": "test_method_and_predictor_make_what_embeds",
    "network.train_inception": "test_train_inception_reaches_inception",
    "loss.loss_network": "test_loss_network_is_the_one_named",
    "loss.unit_activations": "test_weights_of_any_scale_give_the_same_features",
    "loss.pooling": "test_a_loss_network_pools_as_the_option_says",
    "loss.content_taps": "test_total_is_the_weighted_sum_of_its_terms",
    "loss.style_taps": "test_total_is_the_weighted_sum_of_its_terms",
    "loss.detail_taps": "test_the_detail_loss_is_a_term_with_weights_of_layers_that_nothing_else_reads",
    "loss.content_weight": "test_total_is_the_weighted_sum_of_its_terms",
    "loss.style_weight": "test_total_is_the_weighted_sum_of_its_terms",
    "loss.tv_weight": "test_total_is_the_weighted_sum_of_its_terms",
    "loss.tv_norm": "test_total_variation_counts_each_pair_of_neighbours_in_both_directions",
    "loss.grid_weight": "test_the_grid_loss_is_a_term_with_a_weight",
    "loss.color_weight": "test_a_loss_on_colors_is_a_term_with_a_weight",
    "loss.band_weight": "test_a_loss_on_colors_is_a_term_with_a_weight",
    "loss.palette_weight": "test_the_palette_loss_is_a_term_with_a_weight",
    "loss.normalize_losses": "test_total_is_the_weighted_sum_of_its_terms",
    "loss.style_loss_clamp": "test_normalised_loss_is_relative_and_clamped_for_each_image",
    "data.image_size": "test_styles_may_have_a_size_of_their_own",
    "data.style_size": "test_styles_may_have_a_size_of_their_own",
    "data.batch_size": "test_shapes_types_and_range",
    "data.content_resize": "test_ranges_of_the_draws",
    "data.style_augment": "test_augmentation_switch",
    "data.style_crops": "test_fixed_crops_of_a_style_come_up_again_and_again",
    "data.style_resize_min": "test_ranges_of_the_draws",
    "data.style_resize_max": "test_ranges_of_the_draws",
    "data.brightness": "test_ranges_of_the_draws",
    "data.style_kinds": "test_style_kinds_by_first_level_folder",
    "train.hint_weight": "test_distillation_weighs_its_terms",
    "train.freeze": "test_frozen_parts_stay_as_they_were",
    "train.steps": "test_learning_rates_by_hand",
    "train.optimizer": "test_optimizer_is_the_one_named",
    "train.learning_rate": "test_learning_rates_by_hand",
    "train.warmup_steps": "test_learning_rates_by_hand",
    "train.lr_schedule": "test_learning_rates_by_hand",
    "train.lr_final": "test_learning_rates_by_hand",
    "train.clip_norm": "test_clipping_keeps_the_direction_and_what_is_short",
    "train.ema_decay": "test_average_follows_the_weights",
    "train.log_every": "test_pictures_checkpoints_and_lines_come_when_they_are_due",
    "train.image_every": "test_pictures_checkpoints_and_lines_come_when_they_are_due",
    "train.save_every": "test_pictures_checkpoints_and_lines_come_when_they_are_due",
    "runtime.seed": "test_seed_decides",
    "optimize.optimizer": "test_lbfgs_lowers_the_loss_faster_than_adam",
    "optimize.iterations": "test_the_loss_falls_and_the_pastiche_is_another_picture",
    "optimize.learning_rate": "test_the_pixels_follow_adam",
}


def recipe_options(recipe):
    """{section.option: value} that a recipe sets, itself or through its base."""
    values = {section: {} for section in SECTIONS}
    overlay(values, SECTIONS, recipe)
    return {f"{section}.{name}": value for section, options in values.items() for name, value in options.items()}


def test_the_options_of_a_recipe_are_those_of_its_base_too(tmp_path):
    (tmp_path / "base.yaml").write_text("train: {steps: 3, output: there}\n", encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text("base: base.yaml\ndata: {hue: 0.1}\n", encoding="utf-8")
    expected = {"train.steps": 3, "train.output_dir": "there", "data.hue": 0.1}
    assert recipe_options(tmp_path / "recipe.yaml") == expected


def test_every_option_of_every_recipe_has_a_test():
    used = {name for recipe in (config.ROOT / "configs").glob("*.yaml") for name in recipe_options(recipe)}
    assert used - set(TESTS) == set()
    text = "\n".join(path.read_text(encoding="utf-8") for path in (config.ROOT / "tests").glob("test_*.py"))
    assert set(TESTS.values()) - set(re.findall(r"^def (test_\w+)", text, flags=re.MULTILINE)) == set()


# network


@pytest.mark.parametrize(
    "options, kind, size",
    [
        ({"predictor": "compact", "embedding_dim": 7}, CompactPredictor, 7),
        ({"predictor": "statistics", "embedding_dim": 9}, StatisticsPredictor, 9),
        # a gamma and a beta of 10 * 32 + 16 + 8 channels, and of 3 at the output unless it is linear
        ({"method": "n_styles"}, StyleTable, 2 * 347),
        ({"method": "single_style", "output": "linear"}, StyleTable, 2 * 344),
    ],
)
def test_method_and_predictor_make_what_embeds(options, kind, size):
    model = create_model(defaults(network={"width": 0.25, **options})["network"], "distilled_vgg19", ("a",))
    assert type(model.predictor) is kind and model.transfer.embedding_dim == size


def test_train_inception_reaches_inception(monkeypatch):
    from src.models import factory

    made = []
    monkeypatch.setattr(factory, "InceptionPredictor", lambda *arguments: made.append(arguments) or ms.nn.Cell())
    for trained in (True, False):
        create_model(defaults(network={"width": 0.25, "train_inception": trained})["network"])
    assert made == [(100, True), (100, False)]


@pytest.mark.parametrize("upsampling, kind", [("nearest", UpsampledConvolution), ("bilinear", BilinearConvolution)])
@pytest.mark.parametrize("width, channels", [(0.25, [8, 16, 32]), (0.5, [16, 32, 64])])
def test_upsampling_and_width_make_the_layers(upsampling, kind, width, channels):
    options = {"predictor": "compact", "width": width, "upsampling": upsampling}
    transfer = create_model(defaults(network=options)["network"]).transfer
    assert type(transfer.upsample1.conv) is type(transfer.upsample2.conv) is kind
    layers = [cell for _, cell in transfer.cells_and_names() if isinstance(cell, Convolution)]
    assert sorted({layer.weight.shape[0] for layer in layers}) == [3, *channels]


# losses


def test_loss_network_is_the_one_named(loss_weights, tmp_path):
    from src.models.vgg import VGG, DistilledVGG19
    from src.weights.native import save_checkpoint

    for depth in (16, 19):
        save_checkpoint(tmp_path / f"vgg{depth}.ckpt", VGG(depth, ("relu1_2",)), {"loss_network": f"vgg{depth}"})
        found = create_loss_network(defaults(loss={"loss_network": f"vgg{depth}"})["loss"], tmp_path, ("relu1_2",))
        assert found.kind == f"vgg{depth}"
    loss = defaults(loss={"loss_network": "distilled_vgg19"})["loss"]
    assert type(create_loss_network(loss, loss_weights, ("relu1_1",))) is DistilledVGG19


# data


def test_ranges_of_the_draws():
    data = defaults(
        data={
            "content_resize": 1.5,
            "style_resize_min": 1.25,
            "style_resize_max": 1.75,
            "brightness": 0.3,
            "saturation": 0.4,
            "hue": 0.1,
            "vertical_flip": False,
        }
    )["data"]
    generators = [np.random.default_rng(seed) for seed in range(400)]
    styles = [transforms.draw_style(generator, data) for generator in generators]
    contents = [transforms.draw_content(generator, data) for generator in generators]
    ranges = {"scale": (1.25, 1.75), "brightness": (-0.3, 0.3), "saturation": (0.6, 1.4), "hue": (-0.1, 0.1)}
    for draws, field, (low, high) in [(styles, *item) for item in ranges.items()] + [(contents, "scale", (1.0, 1.5))]:
        values = [getattr(draw, field) for draw in draws]
        room = 0.03 * (high - low)
        assert low <= min(values) < low + room and high - room < max(values) <= high, field
    assert not any(draw.flop for draw in styles) and 150 < sum(draw.flip for draw in styles) < 250


# training


@pytest.mark.parametrize(
    "schedule, quarter, end",
    [("constant", 8, 8), ("linear", 6.5, 2), ("cosine", 5 + 3 * np.sqrt(0.5), 2), ("exponential", 4 * np.sqrt(2), 2)],
)
def test_learning_rates_by_hand(schedule, quarter, end):
    """Up from 0 over 3 steps, then from 8 at step 3 to 2 at step 43; a quarter of the way is step 13."""
    train = {"steps": 44, "learning_rate": 8.0, "warmup_steps": 3, "lr_schedule": schedule, "lr_final": 2.0}
    rates = learning_rates(defaults(train=train)["train"])
    assert rates.shape == (44,)
    np.testing.assert_allclose(rates[:4], [2, 4, 6, 8], rtol=1e-6)
    np.testing.assert_allclose(rates[[13, 43]], [quarter, end], rtol=1e-6)


@pytest.mark.parametrize("name, kind", [("adam", ms.nn.Adam), ("muon", Muon), ("sgd", ms.nn.Momentum)])
def test_optimizer_is_the_one_named(name, kind):
    shapes = {"conv.weight": (4, 3, 3, 3), "conv.bias": (4,)}
    weights = [ms.Parameter(ms.Tensor(np.ones(shape), ms.float32), name=name) for name, shape in shapes.items()]
    train = defaults(train={"optimizer": name, "steps": 2, "learning_rate": 0.5})["train"]
    optimizer = build_step(train, ms.nn.Cell(), weights, RUNTIME).optimizer
    assert type(optimizer) is kind
    if name == "sgd":
        assert float(optimizer.momentum) == pytest.approx(0.9)


@pytest.mark.parametrize("precision, scale", [("float32", None), ("bfloat16", None), ("float16", 512)])
def test_the_loss_is_scaled_in_float16_alone(precision, scale):
    weights = [ms.Parameter(ms.Tensor(np.ones(3), ms.float32), name="weight")]
    train = defaults(train={"optimizer": "sgd", "steps": 2, "loss_scale": 512.0})["train"]
    scaler = build_step(train, ms.nn.Cell(), weights, dataclasses.replace(RUNTIME, precision=precision)).scaler
    assert (scaler and float(scaler.scale_value)) == scale


class Brightness(ms.nn.Cell):
    """A predictor: statistics times an image's brightness, and twice these as its embedding."""

    def __init__(self, statistics):
        super().__init__()
        self.statistics = ms.Tensor(statistics, ms.float32)

    def standard_statistics(self, images):
        return images.mean((1, 2, 3)).reshape((-1, 1)) * self.statistics

    def embed_standard(self, statistics):
        return 2 * statistics

    def construct(self, images):
        return 2 * self.standard_statistics(images)


class Student(ms.nn.Cell):
    def __init__(self, statistics, heads):
        super().__init__()
        self.predictor, self.transfer = Brightness(statistics), ms.nn.Cell()
        self.transfer.heads = ms.nn.Cell()
        self.transfer.heads.weight = ms.Parameter(ms.Tensor(heads, ms.float32), name="heads")


class Judge(ms.nn.Cell):
    """A stylization loss: the sum of the embeddings that a pastiche is painted with."""

    names = ("total", "style")

    def targets(self, content, style):
        return (0, 0)

    def judge(self, content, embedding, features, grams):
        total = embedding.sum()
        return total, ms.ops.stack((total, total / 2))


@pytest.mark.parametrize("hint_weight, weight", [(0.0, 0.0), (0.5, 0.0), (4.0, 0.25)])
def test_distillation_weighs_its_terms(hint_weight, weight):
    rng = np.random.default_rng(0)
    ours, theirs, heads = rng.normal(size=(1, 5)), rng.normal(size=(1, 5)), rng.normal(size=(8, 5))
    judge = Judge() if weight else None
    cell = Distillation(Student(ours, heads), Brightness(theirs), judge, weight, hint_weight)
    content, style = (ms.Tensor(np.full((1, 3, 8, 8), value), ms.float32) for value in (0.25, 0.75))
    total, terms = cell.construct(content, style, cell.targets(content, style))
    found = dict(zip(cell.names, terms.asnumpy(), strict=True))
    brightness = np.array([[0.25], [0.75]])
    error = np.square(2 * brightness * (ours - theirs) @ heads.T).mean()
    error /= np.square(2 * brightness * theirs @ heads.T).mean()
    hint = np.square(brightness * (ours - theirs)).mean()
    assert found["embedding"] == pytest.approx(error, rel=1e-4)
    assert found.get("hint", 0) == pytest.approx(hint if hint_weight else 0, rel=1e-4)
    judged = 2 * 0.75 * ours.sum()  # the pastiche is the content's in the style, not in the content's own
    expected = error + hint_weight * hint + weight * judged
    assert float(total) == pytest.approx(expected, rel=1e-4) and found["total"] == pytest.approx(expected, rel=1e-4)


# runtime


def test_the_seed_decides_what_a_new_network_is():
    from src.runtime import setup

    found = []
    for seed in (5, 5, 6):
        setup(defaults(runtime={"seed": seed})["runtime"])
        found.append(ms.nn.Dense(3, 2, weight_init="normal").weight.asnumpy())
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])


# the optimisation


def test_the_pixels_follow_adam():
    from src.optimize.optimizers import BoundedAdam

    options = {"learning_rate": 0.03, "beta1": 0.6, "beta2": 0.7, "epsilon": 0.05}
    start = np.random.default_rng(0).uniform(0.3, 0.7, (1, 3, 2, 2)).astype(np.float32)
    picture = ms.Parameter(ms.Tensor(start), name="pastiche")
    adam = BoundedAdam(picture, defaults(optimize=options)["optimize"])
    expected, first, second = start.astype(np.float64), 0, 0
    for step in range(1, 4):
        gradient = np.random.default_rng(step).normal(0, 0.1, start.shape)
        adam((ms.Tensor(gradient, ms.float32),))
        first, second = 0.6 * first + 0.4 * gradient, 0.7 * second + 0.3 * gradient**2
        # as MindSpore and the paper's efficient form have it: epsilon beside the uncorrected second moment
        rate = 0.03 * np.sqrt(1 - 0.7**step) / (1 - 0.6**step)
        expected = expected - rate * first / (np.sqrt(second) + 0.05)
    np.testing.assert_allclose(picture.asnumpy(), expected, atol=1e-5)
