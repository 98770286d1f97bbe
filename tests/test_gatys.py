"""Gatys' optimisation: what its options change, how its optimisers move, and that a step is compiled once."""

import dataclasses

import numpy as np
import pytest

from src.config import defaults
from src.errors import UserError
from src.images.colors import keep_luma
from src.images.files import resize_short_side
from src.optimize.method import Gatys
from src.optimize.optimizers import LBFGS
from src.optimize.settings import plan_levels, weighted_loss

LOSS = {
    "loss_network": "distilled_vgg19",
    "style_taps": {"relu1_1": 1.0, "relu2_1": 1.0},
    "content_taps": {"relu2_2": 0.5, "relu3_1": 0.5},
    "style_weight": 5.0,
    "tv_weight": 1.0,
    "tv_norm": "absolute",
    "normalize_losses": True,
}


@pytest.fixture(scope="module")
def method(loss_weights):
    """Function of options of the optimisation (and of `loss`) that makes a `Gatys` for small pictures."""

    def make(blend=(1.0,), seed=1, loss=None, **options):
        built = defaults(loss={**LOSS, **(loss or {})}, optimize={"iterations": 5, **options})
        return Gatys(built["loss"], built["optimize"], str(loss_weights), blend, seed=seed)

    return make


@pytest.fixture
def pictures(image):
    """A content of 40 x 48 and two styles."""
    return image(40, 48, 0), (image(44, 60, 1), image(70, 50, 2))


def totals(method, content, styles, **given):
    return [float(iteration.terms[0]) for iteration in method.optimize(content, styles, **given)]


@pytest.fixture(scope="module")
def usual(method, image):
    """The pastiche and the losses of the options that other tests change one by one."""
    made = method()
    losses = totals(made, image(40, 48, 0), (image(44, 60, 1),))
    return made.image(image(40, 48, 0)), losses


def test_the_loss_falls_and_the_pastiche_is_another_picture(usual, pictures):
    pastiche, losses = usual
    assert len(losses) == 5 and losses[-1] < 0.8 * losses[0]
    assert pastiche.shape == pictures[0].shape and pastiche.dtype == np.uint8
    assert np.abs(pastiche.astype(int) - pictures[0]).mean() > 1


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_step_is_compiled_once_for_all_iterations_and_contents_of_a_size(
    compilations, method, pictures, image, optimizer
):
    made = method(optimizer=optimizer, iterations=2)
    made.stylize(pictures[0], pictures[1][:1])
    cell = made._optimizer.cell
    again = made.stylize(pictures[0], pictures[1][:1])
    made.stylize(image(40, 48, 5), pictures[1][1:])
    assert made._optimizer.cell is cell and compilations(cell) == 1
    assert compilations(made._targets) == 1
    # and nothing of another content stays behind
    assert (made.stylize(pictures[0], pictures[1][:1]) == again).all()


def test_lbfgs_lowers_the_loss_faster_than_adam(method, pictures):
    found = {
        name: totals(method(optimizer=name, iterations=12), pictures[0], pictures[1][:1]) for name in ("adam", "lbfgs")
    }
    assert found["lbfgs"][-1] < 0.9 * found["adam"][-1]
    assert all(later <= earlier for earlier, later in zip(found["lbfgs"], found["lbfgs"][1:], strict=False))


class Quadratic(LBFGS):
    """A loss with a known answer, and 30 times as much curvature in one direction as in another."""

    wanted, curvature = np.linspace(-0.5, 1.5, 12, dtype=np.float32), np.geomspace(1, 30, 12).astype(np.float32)

    def __init__(self, settings):
        self.settings = settings
        self.restart(np.full(12, 0.5))

    def _evaluate(self, x):
        error = x - self.wanted
        return np.array([0.5 * np.sum(self.curvature * error**2)]), self.curvature * error

    def pastiche(self):
        return self._x


def test_lbfgs_finds_the_minimum_of_a_quadratic_within_the_bounds():
    found = Quadratic(defaults()["optimize"])
    for _ in range(40):
        found.step()
    np.testing.assert_allclose(found.pastiche(), Quadratic.wanted.clip(0, 1), atol=1e-3)


def test_lbfgs_knows_the_curvature_along_its_last_moves():
    found = Quadratic(defaults(optimize={"history": 2})["optimize"])
    places = []
    for _ in range(5):
        found.step()
        places.append(found.pastiche())
    moves = np.diff(places, axis=0)[-2:]
    assert np.abs(moves).max(1).all()
    np.testing.assert_array_equal(found.state()["moves"], moves)
    np.testing.assert_allclose(found.state()["changes"], moves * Quadratic.curvature, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"learning_rate": 0.005}, {"preserve_colors": True}, {"coarse_widths": [40]},
        {"loss": {"content_weight": 9.0}}, {"loss": {"style_weight": 50.0}}, {"loss": {"tv_weight": 20.0}},
    ],
    ids=str,
)  # fmt: skip
def test_an_option_changes_the_pastiche(method, usual, pictures, options):
    assert (method(**options).stylize(pictures[0], pictures[1][:1]) != usual[0]).any()


def test_a_term_without_weight_is_not_lowered(method, pictures):
    def ends(**weights):
        made = method(iterations=12, loss=weights)
        *_, last = made.optimize(pictures[0], pictures[1][:1])
        return dict(zip(made.names, last.terms, strict=True))

    weighted = ends()
    for name in ("content", "style", "tv"):
        assert weighted[name] < 0.9 * ends(**{f"{name}_weight": 0.0})[name], name


@pytest.mark.parametrize(
    "scales, sides",
    [([1.0], [(40, 55), (56, 40)]), ([2.0], [(80, 109), (112, 80)]), ([0.8, 3.0], [(32, 44), (168, 120)])],
)
def test_style_scale_is_the_short_side_by_that_of_the_pastiche(method, pictures, scales, sides):
    made, seen = method(style_scale=scales, blend=(1.0, 1.0)), []

    def record(image):
        seen.append(image.shape[2:])
        if len(seen) == 3:
            raise InterruptedError
        return (), ()

    made._targets = record
    with pytest.raises(InterruptedError):
        next(iter(made.optimize(*pictures)))
    assert seen == [(40, 48), *sides]


def test_blend_weights_of_several_styles(method, usual, pictures):
    content, styles = pictures
    first, pastiche = {}, {}
    for blend in ((1.0, 0.0), (0.0, 1.0), (3.0, 1.0)):
        made = method(blend=blend)
        iterations = list(made.optimize(content, styles))
        first[blend] = iterations[0].terms[made.names.index("style")]
        pastiche[blend] = made.image(content)
    assert (pastiche[3.0, 1.0] != usual[0]).any()
    # all the weight on one style is that style alone, and before the first step nothing but the weights differ
    assert (pastiche[1.0, 0.0] == usual[0]).mean() > 0.99
    assert first[3.0, 1.0] == pytest.approx(0.75 * first[1.0, 0.0] + 0.25 * first[0.0, 1.0], rel=1e-4)


def test_a_blend_with_the_losses_on_palette_and_detail(method, pictures):
    content, styles = pictures
    first = {}
    for blend in ((1.0, 0.0), (0.0, 1.0), (3.0, 1.0)):
        made = method(blend=blend, loss={"palette_weight": 2.0, "color_weight": 1.0, "detail_taps": {"relu1_2": 0.5}})
        losses = [dict(zip(made.names, one.terms, strict=True)) for one in made.optimize(content, styles)]
        assert losses[-1]["palette"] < losses[0]["palette"]
        assert losses[0]["detail"] == pytest.approx(0, abs=1e-5) and losses[-1]["detail"] > 0.001
        first[blend] = losses[0]
    one, other, both = (first[blend] for blend in ((1.0, 0.0), (0.0, 1.0), (3.0, 1.0)))
    assert both["palette"] == pytest.approx(0.75 * one["palette"] + 0.25 * other["palette"], rel=1e-4)
    assert one["palette"] != pytest.approx(other["palette"], rel=0.1)


def test_pooling(method, pictures, tmp_path_factory):
    from src.models.vgg import VGG
    from src.weights.native import save_checkpoint

    path = tmp_path_factory.mktemp("vgg") / "vgg19.ckpt"
    save_checkpoint(path, VGG(19, ("relu3_1",)), {"loss_network": "vgg19"})
    loss = {"loss_network": "vgg19", "loss_network_ckpt": str(path), "content_taps": {"relu2_2": 1.0}}
    made = [method(loss={**loss, "pooling": kind}, iterations=2) for kind in ("max", "average")]
    first, second = (totals(one, pictures[0], pictures[1][:1]) for one in made)
    assert first[0] != pytest.approx(second[0], rel=1e-3)


def test_initial_picture_and_noise(method, pictures, image):
    content, styles = pictures
    starts = {}
    for name, seed, part in (
        ("plain", 1, 0.0),
        ("noise", 1, 1.0),
        ("same", 1, 1.0),
        ("other", 2, 1.0),
        ("half", 1, 0.5),
    ):
        made = method(init_noise_blend=part, seed=seed)
        starts[name] = made._start(content, None)
        assert 0 <= starts[name].min() and starts[name].max() <= 1
    assert (starts["noise"] == starts["same"]).all() and (starts["noise"] != starts["other"]).any()
    np.testing.assert_allclose(starts["half"], (starts["plain"] + starts["noise"]) / 2, atol=1e-6)
    initial = image(80, 96, 7)
    assert (method()._start(content, initial)[0] * 255).round().astype(int).transpose(1, 2, 0).tolist() == (
        resize_short_side(initial, 40).tolist()
    )


def test_colours_of_the_content_brightness_of_the_pastiche(image):
    from PIL import Image

    pastiche, content = image(40, 40, 1), image(40, 40, 2) // 4 + 96  # moderate colours, that every brightness has
    pastiche = pastiche // 4 + 96
    planes = [
        np.asarray(Image.fromarray(x).convert("YCbCr"), int) for x in (keep_luma(pastiche, content), pastiche, content)
    ]
    assert np.abs(planes[0][..., 0] - planes[1][..., 0]).max() <= 2
    assert np.abs(planes[0][..., 1:] - planes[2][..., 1:]).max() <= 3


def test_levels_go_from_coarse_to_fine(method, pictures):
    settings = defaults(optimize={"iterations": 4, "coarse_iterations": 3, "coarse_widths": [32, 40]})["optimize"]
    assert [dataclasses.astuple(level) for level in plan_levels(settings, 48)] == [(32, 1, 3), (40, 4, 6), (48, 7, 10)]
    # what a coarse level has done is not lost: the fine one begins lower than from the content
    coarse = totals(method(coarse_widths=[40], coarse_iterations=8, iterations=1), pictures[0], pictures[1][:1])
    plain = totals(method(iterations=1), pictures[0], pictures[1][:1])
    assert len(coarse) == 9 and coarse[-1] < plain[0]


@pytest.mark.parametrize(
    "options, stop",
    [({}, 4), ({"optimizer": "lbfgs"}, 4), ({"coarse_widths": [40]}, 4), ({"coarse_widths": [40]}, 6)],
    ids=str,
)
def test_a_resumed_run_gives_the_picture_of_an_uninterrupted_one(method, pictures, options, stop):
    content, styles = pictures[0], pictures[1][:1]
    whole = method(iterations=6, **options)
    for iteration in whole.optimize(content, styles):
        if iteration.number == stop:
            state = {name: np.array(value) for name, value in whole.state().items()}
    resumed = method(iterations=6, **options)
    numbers = [iteration.number for iteration in resumed.optimize(content, styles, state=state)]
    assert numbers == list(range(stop + 1, 13 if "coarse_widths" in options else 7))
    assert (resumed.image(content) == whole.image(content)).all()


def test_weights_of_layers(method):
    built = defaults(loss=LOSS, optimize={"style_layer_weight_exp": 0.5, "content_weight_blend": 0.75})
    changed = weighted_loss(built["loss"], built["optimize"])
    assert changed.style_taps == pytest.approx({"relu1_1": 4 / 3, "relu2_1": 2 / 3})
    assert changed.content_taps == pytest.approx({"relu2_2": 0.75, "relu3_1": 0.25})
    assert method(style_layer_weight_exp=0.5, content_weight_blend=0.75).loss_options.style_taps == changed.style_taps
    only = weighted_loss(built["loss"], dataclasses.replace(built["optimize"], content_weight_blend=0.0))
    assert only.content_taps == {"relu3_1": 1.0}
    same = weighted_loss(built["loss"], defaults()["optimize"])
    assert same == built["loss"]
    one = dataclasses.replace(built["loss"], content_taps={"relu2_2": 1.0})
    with pytest.raises(UserError, match="content_weight_blend: blends two content layers"):
        weighted_loss(one, built["optimize"])


@pytest.mark.parametrize(
    "options",
    [
        {"iterations": 0}, {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"beta1": 1.0}, {"beta2": -0.1},
        {"epsilon": 0.0}, {"history": 0}, {"style_scale": [1.0, 2.0]}, {"style_scale": [0.0]},
        {"init_noise_blend": 1.5}, {"content_weight_blend": -0.5}, {"coarse_widths": [8]}, {"image_width": 4},
        {"print_iterations": 0}, {"checkpoint_iterations": -1}, {"style_layer_weight_exp": 0.0},
    ],
    ids=str,
)  # fmt: skip
def test_numbers_that_make_no_optimisation_are_named(method, options):
    with pytest.raises(UserError, match=f"option.*{next(iter(options))}"):
        method(**options)


def test_half_precision_needs_adam(method, loss_weights, pictures):
    built = defaults(loss=LOSS, optimize={"optimizer": "lbfgs"})
    with pytest.raises(UserError, match="--optimizer adam"):
        Gatys(built["loss"], built["optimize"], str(loss_weights), precision="float16")
    built = defaults(loss=LOSS, optimize={"iterations": 3})
    made = Gatys(built["loss"], built["optimize"], str(loss_weights), precision="float16")
    losses = totals(made, pictures[0], pictures[1][:1])
    assert losses[-1] < losses[0] and "loss_scale" in made.state()
