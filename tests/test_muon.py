"""The optimiser Muon: what one update of a kernel and of anything else is."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, nn

from src.config import defaults
from src.errors import UserError
from src.runtime import Runtime
from src.training.build import build_step
from src.training.distillation.muon import MOMENTUM, Muon, orthogonalised
from src.training.files import restore_state, step_parameters

RATES = [0.02, 0.01, 0.005]
SHAPES = {"kernel": (6, 4, 3, 3), "pointwise": (12, 5, 1, 1), "dense": (7, 5), "bias": (6,)}
# Five rounds of Jordan's polynomial do not converge to 1, they bring into this band every singular value that is at
# least 0.003 of the matrix's Frobenius norm.
BAND = 0.68, 1.21


def parameters():
    rng = np.random.default_rng(0)
    return [Parameter(ms.Tensor(rng.normal(size=shape), ms.float32), name=name) for name, shape in SHAPES.items()]


def gradients(step):
    rng = np.random.default_rng(100 + step)
    return tuple(ms.Tensor(rng.normal(0, 0.1, shape), ms.float32) for shape in SHAPES.values())


@pytest.fixture(scope="module")
def weights(runtime):
    """The weights before the first step and after each, with `RATES` and `gradients`."""
    optimizer = Muon(parameters(), RATES)
    found = [[p.asnumpy().copy() for p in optimizer.parameters]]
    for step in range(len(RATES)):
        optimizer(gradients(step))
        found.append([p.asnumpy().copy() for p in optimizer.parameters])
    return found


@pytest.mark.parametrize("shape", [(16, 16), (8, 40), (40, 8), (1, 9), (64, 288)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
def test_singular_values_become_nearly_one(shape, scale):
    matrix = np.random.default_rng(1).normal(0, scale, shape)
    found = orthogonalised(ms.Tensor(matrix, ms.float32)).asnumpy()
    assert found.shape == shape
    u, _, v = np.linalg.svd(matrix, full_matrices=False)
    inside = u.T @ found @ v.T
    values = np.diag(inside)
    assert BAND[0] <= values.min() and values.max() <= BAND[1]
    np.testing.assert_allclose(inside, np.diag(values), atol=1e-3)  # the directions stay


def test_directions_of_little_energy_are_lifted():
    """What Muon is for: a gradient with most of its energy in one direction moves the others as much."""
    rng = np.random.default_rng(2)
    u, v = (np.linalg.qr(rng.normal(size=(16, 16)))[0] for _ in range(2))
    energies = np.geomspace(1, 0.01, 16)
    found = orthogonalised(ms.Tensor(u * energies @ v, ms.float32)).asnumpy()
    values = np.diag(u.T @ found @ v.T)
    assert BAND[0] <= values.min() and values.max() <= BAND[1]


def test_a_gradient_of_zeros_moves_nothing():
    assert not orthogonalised(ms.Tensor(np.zeros((4, 6)), ms.float32)).asnumpy().any()


def test_kernels_move_by_the_rate_times_the_documented_size(weights):
    """Of 0.2 sqrt(longer side) times an orthogonal matrix, the root mean square is 0.2, about that of Adam's."""
    for place, shape in enumerate(list(SHAPES.values())[:2]):
        rows, columns = shape[0], int(np.prod(shape[1:]))
        moved = ((weights[0][place] - weights[1][place]) / RATES[0]).reshape(rows, columns)
        values = np.linalg.svd(moved, compute_uv=False) / (0.2 * np.sqrt(max(rows, columns)))
        assert BAND[0] <= values.min() and values.max() <= BAND[1]
        assert 0.2 * BAND[0] <= np.sqrt(np.mean(moved**2)) <= 0.2 * BAND[1]
        # down the gradient (the first step's momentum is a multiple of it)
        assert (moved * gradients(0)[place].asnumpy().reshape(rows, columns)).sum() > 0


def test_kernels_follow_nesterov_momentum_at_the_rate_of_each_step(weights):
    for place, shape in enumerate(list(SHAPES.values())[:2]):
        momentum = np.zeros(shape, np.float32)
        for step, rate in enumerate(RATES):
            gradient = gradients(step)[place].asnumpy()
            momentum = MOMENTUM * momentum + gradient
            matrix = ms.Tensor((gradient + MOMENTUM * momentum).reshape(shape[0], -1))
            size = 0.2 * np.sqrt(max(matrix.shape))
            expected = weights[step][place] - rate * size * orthogonalised(matrix).asnumpy().reshape(shape)
            np.testing.assert_allclose(weights[step + 1][place], expected, atol=1e-5)


@pytest.mark.parametrize("name", ["dense", "bias"])
def test_everything_else_follows_adam(weights, name):
    place = list(SHAPES).index(name)
    value, first, second = weights[0][place].astype(float), 0.0, 0.0
    for step, rate in enumerate(RATES, 1):
        gradient = gradients(step - 1)[place].asnumpy().astype(float)
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        value -= rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        np.testing.assert_allclose(weights[step][place], value, atol=2e-6)


def test_a_state_of_adam_is_refused():
    options = defaults(train={"optimizer": "muon", "steps": 6})["train"]
    step = build_step(options, nn.Cell(), parameters(), Runtime("CPU", 0, "graph", "float32", 1, 0, 1))
    state = {name: p.asnumpy() for name, p in step_parameters(step).items() if "momentum" not in name}
    with pytest.raises(UserError, match="momentum.kernel is missing"):
        restore_state(step, state, "step 3")
