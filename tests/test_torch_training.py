"""benchmarks/torch_training.py: its own operators, its optimizer, and a run that goes on as if never stopped."""

from pathlib import Path

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch", reason="needs requirements-benchmark.txt")

from benchmarks import torch_losses  # noqa: E402
from benchmarks.soap import Soap  # noqa: E402
from benchmarks.tiny import OPTIONS, write_all  # noqa: E402
from benchmarks.torch_half import HalfTransfer, gram, reflect_pad  # noqa: E402
from benchmarks.torch_losses import GridLoss, band_loss, color_loss, color_moments  # noqa: E402
from benchmarks.torch_networks import Transfer  # noqa: E402
from src.weights.native import read_checkpoint  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
RECIPE = {
    **OPTIONS,
    "config_path": ROOT / "configs/compact_vgg16.yaml",
    "ends": "full",
    "style_size": 48,
    "image_size": 48,
    "normalize_losses": "balanced",
    "style_loss_clamp": 0,
    "style_kinds": "",
    "lr_schedule": "constant",
    "log_every": 1,
    "save_every": 2,
    "compile": "false",
    "content_taps": "relu2_1=1",
    "detail_taps": "relu1_2=0.7,relu2_2=0.4",
    "palette_weight": 5,
}


def doubles(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).requires_grad_()


@pytest.mark.parametrize("border", [1, 4])
def test_the_padding_is_pytorchs_and_so_is_its_gradient(border):
    x, weights = doubles(1, 2, 5, 6), doubles(1, 2, 5 + 2 * border, 6 + 2 * border, seed=1).detach()
    expected = torch.nn.functional.pad(x, (border,) * 4, mode="reflect")
    torch.testing.assert_close(reflect_pad(x, border), expected)
    found, wanted = (torch.autograd.grad((y * weights).sum(), x)[0] for y in (reflect_pad(x, border), expected))
    torch.testing.assert_close(found, wanted)
    assert torch.autograd.gradcheck(lambda x: reflect_pad(x, border), (x,))


@pytest.mark.parametrize("ends", ["full", "half"])
def test_the_style_transfer_network_is_that_of_mindspore(ends):
    import mindspore as ms

    from src.config import defaults
    from src.models.style_transfer import StyleTransferNetwork

    network = defaults(network={"predictor": "compact", "width": 0.25, "ends": ends})["network"]
    ours, theirs = StyleTransferNetwork(network), Transfer(network)
    weights = {name: torch.from_numpy(p.asnumpy()) for name, p in ours.parameters_and_names()}
    theirs.load_state_dict(weights)
    rng = np.random.default_rng(0)
    content, embedding = rng.random((2, 3, 32, 48)).astype(np.float32), rng.normal(size=(2, 100)).astype(np.float32)
    expected = ours(ms.Tensor(content), ms.Tensor(embedding)).asnumpy()
    found = theirs(torch.from_numpy(content), torch.from_numpy(embedding)).detach().numpy()
    assert expected.std() > 0.1 and np.abs(found - expected).max() < 1e-4
    half = HalfTransfer(network)
    half.load_state_dict(weights)
    found = half(torch.from_numpy(content), torch.from_numpy(embedding)).detach().numpy()
    assert np.sqrt(np.square(found - expected).mean()) < 0.02


def test_gram_matrices_and_their_gradient():
    x = doubles(2, 3, 4, 5)
    flat = x.flatten(2)
    torch.testing.assert_close(gram(x), flat @ flat.mT / 20)
    assert torch.autograd.gradcheck(gram, (x,))


def test_losses_are_those_of_the_mindspore_step():
    import mindspore as ms

    from src import color_loss as ours
    from src.losses import GridLoss as OurGridLoss

    rng = np.random.default_rng(0)
    images, styles = (rng.random((2, 3, 64, 64)).astype(np.float32) ** power for power in (1, 3))
    images[:, :, ::4] *= 0.5
    grid = OurGridLoss()(ms.Tensor(images)).asnumpy()
    assert grid > 0.1
    assert GridLoss(64)(torch.from_numpy(images)).item() == pytest.approx(grid, rel=1e-3)
    moments = ours.ColorMoments()
    both = (
        [moments(ms.Tensor(x)) for x in (images, styles)],
        [color_moments(torch.from_numpy(x)) for x in (images, styles)],
    )
    for loss, ms_loss in ((color_loss, ours.color_loss), (band_loss, ours.band_loss)):
        assert loss(*both[1]).item() == pytest.approx(ms_loss(*both[0]).asnumpy().mean(), rel=1e-3)


def test_palette_and_detail_loss_are_those_of_the_mindspore_step():
    import mindspore as ms

    from src import palette_loss as ours
    from src.detail_loss import detail_loss

    rng = np.random.default_rng(0)
    pair = [rng.random((2, 3, 64, 64)).astype(np.float32) ** power for power in (1, 3)]
    cell, (pastiche, style) = ours.Palette(), map(torch.from_numpy, pair)
    described = ours.describe_palette(cell(ms.Tensor(pair[1])))
    theirs = torch_losses.describe_palette(torch_losses.palette(style))
    np.testing.assert_allclose(theirs.flatten(1), described.asnumpy(), rtol=1e-3, atol=1e-5)
    found = torch_losses.palette_loss(torch_losses.palette(pastiche), theirs)
    expected = ours.palette_loss(cell(ms.Tensor(pair[0])), described).asnumpy().mean()
    assert expected > 0.1
    assert found.item() == pytest.approx(expected, rel=1e-3)
    expected = detail_loss(*map(ms.Tensor, pair)).asnumpy().mean()
    assert torch_losses.detail_loss(pastiche, style).item() == pytest.approx(expected, rel=1e-3)


def loss_after(make, rate, steps=300):
    """The loss that an optimizer leaves of |A (W - T) B|^2, where A and B stretch directions by 1 to 10, and turn."""
    generator = torch.Generator().manual_seed(0)

    def stretch():
        turn = torch.linalg.qr(torch.randn(24, 24, generator=generator))[0]
        return turn * torch.logspace(0, 1, 24) @ torch.linalg.qr(torch.randn(24, 24, generator=generator))[0]

    left, right, target = stretch(), stretch(), torch.randn(24, 24, generator=generator)
    weight = torch.zeros(24, 24, requires_grad=True)
    optimizer = make([weight], lr=rate)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        loss = (left @ (weight - target) @ right).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def test_soap_is_faster_than_adam_where_directions_are_stretched_unlike():
    rates = (0.01, 0.03, 0.1)
    soap, adam = (min(loss_after(make, rate=rate) for rate in rates) for make in (Soap, torch.optim.Adam))
    assert soap < adam / 1000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("torch")
    write_all(folder)
    return folder


@pytest.fixture
def run(folder, tiny_checkpoint, tmp_path, run_entry_point):
    """Runs the program in a process of its own, in which PyTorch comes before MindSpore."""

    def run(output, *switches, status=0, **options):
        paths = {"content_path": "content", "style_path": "style", "ckpt_path": "weights"}
        paths = {name: folder / place for name, place in paths.items()}
        options = {**RECIPE, **paths, "init_ckpt": tiny_checkpoint, "output_dir": tmp_path / output, **options}
        words = [part for name, value in options.items() for part in (f"--{name}", value)]
        process = run_entry_point("benchmarks/torch_training.py", *words, *switches, OMP_NUM_THREADS="1")
        assert process.returncode == status, process.stdout + process.stderr
        return process

    return run


def rows(path):
    table = np.genfromtxt(path / "losses.csv", delimiter=",", names=True)
    return {name: table[name] for name in table.dtype.names if name != "seconds"}


@pytest.mark.parametrize("switches", [(), ("--soap", "--whole_predictor", "--rates", "predictor=0.3")], ids=str)
def test_the_same_command_goes_on(run, tmp_path, tiny_checkpoint, switches):
    run("whole", *switches, steps=4)
    run("parts", *switches, steps=2)
    assert "resuming after step 2" in run("parts", *switches, steps=4).stdout
    found, expected = rows(tmp_path / "parts"), rows(tmp_path / "whole")
    for name, column in expected.items():
        np.testing.assert_allclose(found[name], column, rtol=1e-3, err_msg=name)
    weights = yaml.safe_load(RECIPE["config_path"].read_text())["loss"]
    total = expected["content"] + 5 * expected["palette"] + expected["detail"]
    total += sum(weights[f"{name}_weight"] * expected[name] for name in ("style", "tv", "grid", "color", "band"))
    assert expected["palette"].min() > 0.01 and expected["detail"].min() > 0.01
    np.testing.assert_allclose(expected["total"], total, rtol=1e-4)
    (whole, _), (parts, _) = (
        read_checkpoint(tmp_path / name / "checkpoints" / "step_00000004.ckpt") for name in ("whole", "parts")
    )
    before, _ = read_checkpoint(tiny_checkpoint)
    changed = {name for name, array in whole.items() if not np.array_equal(array, before[name])}
    assert "transfer.contract1.conv.weight" in changed and "predictor.hidden.weight" in changed
    assert ("predictor.stages.0.0.weight" in changed) == bool(switches)
    for name in whole:
        np.testing.assert_allclose(parts[name], whole[name], atol=1e-4)
    error = run("parts", f"--soap={str(not switches).lower()}", steps=6, status=2).stderr
    assert "step_00000004.state.ckpt: found" in error and "use the options of that run" in error


def test_what_it_cannot_do_is_refused_with_the_option(run):
    assert "option optimizer: found 'muon'" in run("out", optimizer="muon", status=2).stderr
    assert "option rates: found 'gone'" in run("out", rates="gone=1", status=2).stderr
