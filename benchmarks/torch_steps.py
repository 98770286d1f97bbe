"""The same steps in PyTorch, eager, as someone who knows PyTorch would write them: of training, and of Gatys' method.

Needs requirements-benchmark.txt; imports no MindSpore.
"""

import torch
from torch.nn import functional

from benchmarks.torch_networks import PREDICTORS, LossNetwork, Transfer


def gram(x):
    """Gram matrices of features (N, C, h, w)."""
    flat = x.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


class Training:
    """A training step: predictor (its body frozen when Inception), transfer network, losses, Adam."""

    def __init__(self, network, loss):
        self.loss, self.features = loss, LossNetwork(loss)
        self.predictor, self.transfer = PREDICTORS[network.predictor](network), Transfer(network)
        trained = [p for part in (self.predictor, self.transfer) for p in part.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=1e-4)

    def __call__(self, content, style):
        """content, style: float32 arrays (N, 3, H, W) in [0, 1]."""
        content, style = torch.from_numpy(content), torch.from_numpy(style)
        with torch.no_grad():
            of_content, of_style = self.features(content), self.features(style)
        found = self.features(self.transfer(content, self.predictor(style)))
        total = sum(w * functional.mse_loss(found[t], of_content[t]) for t, w in self.loss.content_taps.items())
        for tap, weight in self.loss.style_taps.items():
            total = total + weight * functional.mse_loss(gram(found[tap]), gram(of_style[tap]))
        self.optimizer.zero_grad()
        total.backward()
        self.optimizer.step()
        return total.item()


def relative_error(found, target, normalize):
    """Mean squared error, divided by the target's mean square with `normalize`."""
    error = functional.mse_loss(found, target)
    return error / (target.square().mean() + 1e-8) if normalize else error


def total_variation(images, norm):
    """Mean squared or absolute difference of neighbouring pixels."""
    differences = images.diff(dim=2), images.diff(dim=3)
    return sum((d.abs() if norm == "absolute" else d.square()).mean() for d in differences)


class Optimization:
    """A step of Gatys' optimisation by Adam.

    Args:
        loss: `src.sections.LossConfig`.
        optimize: `src.sections.OptimizeConfig`.
        content, style: float32 arrays (1, 3, H, W) in [0, 1].
        features: a `LossNetwork`; None for one with random weights.
    """

    def __init__(self, loss, optimize, content, style, features=None):
        self.loss, self.features = loss, features or LossNetwork(loss)
        self.pastiche = torch.from_numpy(content).clone().requires_grad_()
        betas = (optimize.beta1, optimize.beta2)
        self.optimizer = torch.optim.Adam([self.pastiche], optimize.learning_rate, betas, optimize.epsilon)
        with torch.no_grad():
            self.content = self.features(torch.from_numpy(content))
            self.grams = {tap: gram(x) for tap, x in self.features(torch.from_numpy(style)).items()}

    def __call__(self):
        """Makes the step. Returns the total loss before it."""
        loss, found = self.loss, self.features(self.pastiche)
        content = sum(
            weight * relative_error(found[tap], self.content[tap], loss.normalize_losses)
            for tap, weight in loss.content_taps.items()
        )
        style = sum(
            weight * relative_error(gram(found[tap]), self.grams[tap], loss.normalize_losses)
            for tap, weight in loss.style_taps.items()
        )
        variation = total_variation(self.pastiche, loss.tv_norm)
        total = loss.content_weight * content + loss.style_weight * style + loss.tv_weight * variation
        self.optimizer.zero_grad()
        total.backward()
        self.optimizer.step()
        with torch.no_grad():
            self.pastiche.clamp_(0, 1)
        return total.item()
