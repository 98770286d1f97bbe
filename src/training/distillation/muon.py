"""Muon: momentum whose update of each convolution kernel is made orthogonal (Jordan et al. 2024)."""

import mindspore as ms
from mindspore import Parameter, ParameterTuple, nn, ops

MOMENTUM = 0.95
# coefficients of Jordan's quintic iteration, five rounds of which bring every singular value near 1
ROUNDS, A, B, C = 5, 3.4445, -4.7750, 2.0315


def orthogonalised(matrix):
    """matrix (rows, columns) to about U V^T of its singular value decomposition U S V^T, by Newton-Schulz iteration."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (ops.sqrt(ops.square(x).sum()) + 1e-7)
    for _ in range(ROUNDS):
        gram = ops.matmul(x, x.T)
        x = A * x + ops.matmul(B * gram + C * ops.matmul(gram, gram), x)
    return x.T if tall else x


class Muon(nn.Cell):
    """Orthogonal updates for convolution kernels, Adam for everything else, at one learning rate.

    Natural images have most of their energy in a few directions. Adam learns these first, and is slow with the fine
    ones, which a predictor of style statistics needs. Orthogonal updates learn all directions at the same pace. They
    are scaled to the size of Adam's updates (Liu et al. 2025, section 2.2).

    Args:
        parameters: to train; those with four axes are kernels.
        rates: learning rate of each step, a list.
    """

    def __init__(self, parameters, rates):
        super().__init__()
        self.parameters = ParameterTuple(parameters)
        self.kernels = tuple(i for i, p in enumerate(parameters) if p.ndim == 4)
        self.others = tuple(i for i, p in enumerate(parameters) if p.ndim != 4)
        self.adam = nn.Adam([parameters[i] for i in self.others], rates)
        self.learning_rate = self.adam.learning_rate
        self.momenta = ParameterTuple(
            Parameter(ops.zeros(parameters[i].shape, ms.float32), name=f"momentum.{parameters[i].name}")
            for i in self.kernels
        )

    def construct(self, gradients):
        rate = self.adam.get_lr()
        rest = ()
        for i in self.others:
            rest += (gradients[i],)
        done = ops.depend(self.adam(rest), rate)
        for k in range(len(self.kernels)):
            i = self.kernels[k]
            weight, gradient = self.parameters[i], gradients[i].astype(ms.float32)
            momentum = self.momenta[k] * MOMENTUM + gradient
            done = ops.depend(done, ops.assign(self.momenta[k], momentum))
            update = orthogonalised((gradient + MOMENTUM * momentum).reshape((weight.shape[0], -1)))
            size = 0.2 * max(update.shape[0], update.shape[1]) ** 0.5
            moved = weight - (rate * size) * update.reshape(weight.shape)
            done = ops.depend(done, ops.assign(self.parameters[i], moved))
        return done
