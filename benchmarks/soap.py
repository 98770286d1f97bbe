"""SOAP: Adam in the eigenbasis of Shampoo's preconditioners (Vyas et al. 2024, arXiv 2409.11321).

Shampoo keeps running means of G G^T and G^T G for the gradient G of each weight matrix. Their eigenvectors turn the
gradient into coordinates in which a step of Adam suits badly conditioned losses better. The turned means of squares
are Adam's, the mean gradient is kept unturned. Differs from the paper: G G^T and G^T G are computed in bfloat16 where
the processor has it, and the layers' bases are refreshed in different steps, so that all steps take alike long. The
products with the bases stay in float32: rounded to bfloat16, the large coordinates would drown the small ones.
"""

import contextlib

import torch


@contextlib.contextmanager
def fast_products():
    """Lets products of float32 matrices run in bfloat16 inside the block, where the processor has it."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


class Soap(torch.optim.Optimizer):
    """The optimizer. Vectors get Adam; kernels of convolutions are matrices (outputs, all else).

    The first step only fills the running means, as in the authors' code: it changes no weight.

    Args:
        parameters: of the model, or groups of them as every PyTorch optimizer takes them.
        lr: learning rate.
        betas: decay of the mean gradient and of the mean squares.
        shampoo_beta: decay of G G^T and G^T G.
        every: steps between refreshes of a matrix's bases, each of them one product and one QR decomposition.
        largest: sides of a matrix longer than this stay unturned.
    """

    def __init__(self, parameters, lr, betas=(0.9, 0.99), shampoo_beta=0.99, every=20, largest=1024, eps=1e-8):
        super().__init__(parameters, {"lr": lr})
        self.betas, self.shampoo_beta, self.every, self.largest, self.eps = betas, shampoo_beta, every, largest, eps

    @torch.no_grad()
    def step(self):
        """Makes the step with the gradients that the parameters have."""
        pairs = [(group["lr"], p) for group in self.param_groups for p in group["params"] if p.grad is not None]
        for place, (rate, parameter) in enumerate(pairs):
            gradient = parameter.grad.flatten(1) if parameter.ndim > 1 else parameter.grad
            state = self.state[parameter]
            if not state:
                self._begin(state, gradient)
                continue
            state["step"] += 1
            change = self._change(state, gradient)
            parameter.add_(change.reshape(parameter.shape), alpha=-rate)
            for axis in _turned(state):
                state[f"product{axis}"].lerp_(_product(gradient, axis), 1 - self.shampoo_beta)
                if state["step"] % self.every == place % self.every:
                    _refresh(state, axis)

    def _begin(self, state, gradient):
        state["step"] = torch.tensor(0.0)
        state["mean"], state["square"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
        for axis, side in enumerate(gradient.shape if gradient.ndim > 1 else ()):
            if side <= self.largest:
                product = _product(gradient, axis)
                state[f"product{axis}"] = product
                # largest eigenvalue first; the addend keeps the decomposition from failing for a gradient of zeros
                basis = torch.linalg.eigh(product + 1e-12 * torch.eye(side, dtype=product.dtype))[1]
                state[f"basis{axis}"] = basis.flip(1).contiguous()

    def _change(self, state, gradient):
        """Adam's step in the turned coordinates, turned back, for a learning rate of 1."""
        (mean_beta, square_beta), step = self.betas, int(state["step"])
        turned = _turn(state, gradient)
        state["mean"].lerp_(gradient, 1 - mean_beta)
        state["square"].mul_(square_beta).addcmul_(turned, turned, value=1 - square_beta)
        mean = _turn(state, state["mean"]) / (1 - mean_beta**step)
        root = (state["square"] / (1 - square_beta**step)).sqrt_().add_(self.eps)
        return _turn(state, mean / root, back=True)


def _turned(state):
    """The axes that have a basis."""
    return [axis for axis in (0, 1) if f"basis{axis}" in state]


def _product(gradient, axis):
    """G G^T for axis 0, G^T G for axis 1."""
    with fast_products():
        return gradient @ gradient.T if axis == 0 else gradient.T @ gradient


def _turn(state, matrix, back=False):
    """A matrix in the coordinates of the bases, or back from them."""
    for axis in _turned(state):
        basis = state[f"basis{axis}"]
        basis = basis if back else basis.T
        matrix = basis @ matrix if axis == 0 else matrix @ basis.T
    return matrix


def _refresh(state, axis):
    """One step of the power iteration on a basis; the mean squares follow its new order."""
    product, basis = state[f"product{axis}"], state[f"basis{axis}"]
    order = (basis * (product @ basis)).sum(0).argsort(descending=True)
    state["square"] = state["square"].index_select(axis, order)
    state[f"basis{axis}"] = torch.linalg.qr(product @ basis[:, order])[0]
