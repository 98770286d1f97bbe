"""The training step of benchmarks/torch_training.py: losses, optimizer, moving averages, and their state."""

import dataclasses

import torch

from benchmarks.soap import Soap
from benchmarks.torch_half import LAST, HalfLossNetwork, HalfPredictor, HalfTransfer
from benchmarks.torch_losses import Losses
from src.errors import UserError

# of the compact predictor: standardise its statistics, set once from images; never trained
FIXED = ("predictor.center", "predictor.scale")
# from its statistics to the embedding
LAST_LAYERS = ("predictor.hidden.", "predictor.dense.")


@dataclasses.dataclass(frozen=True)
class Style:
    """What a step needs of a style crop, computed once: see `Losses.describe`, and the predictor's statistics.

    The statistics are None where the layers that give them are trained.
    """

    described: tuple
    statistics: torch.Tensor | None


class Step:
    """The training step: losses as in `src.losses`, Adam or SOAP, moving averages of the weights.

    Args:
        options: of the program.
        network: `src.sections.NetworkConfig` of the model.
        arrays: {name: array}, the model's weights.
        loss_arrays: {name: array}, the loss network's weights.
        compiled: whether torch.compile makes the networks fast.

    Raises:
        UserError: option `rates` or `freeze` leaves nothing to train, or names no weight.
    """

    def __init__(self, options, network, arrays, loss_arrays, compiled):
        train, own = options.train, options.own
        self.clip_norm, self.ema_decay = train.clip_norm or float("inf"), train.ema_decay
        self.transfer, self.predictor = HalfTransfer(network), HalfPredictor(network)
        features = HalfLossNetwork(options.loss)
        self.load(arrays)
        _fill(features, {name.replace("conv", "layers."): array for name, array in loss_arrays.items()})
        frozen = FIXED if own.whole_predictor else (*FIXED, *train.freeze)
        for name, parameter in self._parameters().items():
            parameter.requires_grad_(not name.startswith(frozen))
        self.weights = {name: p for name, p in self._parameters().items() if p.requires_grad}
        if not self.weights:
            raise UserError(f"option freeze: found {train.freeze}, which leaves nothing to train")
        self.reads_pixels = any(n.startswith("predictor.") and not n.startswith(LAST_LAYERS) for n in self.weights)
        self.factors = [_factor(name, own.rates) for name in self.weights]
        for beginning in own.rates:
            if not any(name.startswith(beginning) for name in self.weights):
                raise UserError(f"option rates: found {beginning!r}, expected the beginning of a trained weight's name")
        groups = [{"params": [weight]} for weight in self.weights.values()]
        self.optimizer = (Soap if own.soap else torch.optim.Adam)(groups, lr=train.learning_rate)
        self.averages = {name: weight.detach().clone() for name, weight in self.weights.items()}
        self.done = 0
        self.run_transfer, self.run_predictor, run_features = (
            torch.compile(part, dynamic=False) if compiled else part
            for part in (self.transfer, self.predictor, features)
        )
        self.losses = Losses(options.loss, options.data.image_size, run_features)

    def _parameters(self):
        parts = (("transfer", self.transfer), ("predictor", self.predictor))
        return {f"{part}.{name}": p for part, module in parts for name, p in module.named_parameters()}

    def load(self, arrays):
        """Sets the weights of both networks from {name: array}."""
        for part, module in (("transfer.", self.transfer), ("predictor.", self.predictor)):
            _fill(module, {n.removeprefix(part): array for n, array in arrays.items() if n.startswith(part)})

    def describe(self, style):
        """The `Style` of a style crop (1, 3, H, W) in [0, 1]."""
        style = style.contiguous(memory_format=LAST)
        if self.reads_pixels:
            return Style(self.losses.describe(style), None)
        with torch.no_grad():
            return Style(self.losses.describe(style), self.predictor.statistics(style)[0])

    def terms(self, content, style, known):
        """The losses `benchmarks.torch_losses.Losses.names`, numbers.

        Args:
            content, style: (N, 3, H, W) in [0, 1].
            known: the `Style` of each image of `style`.
        """
        if self.reads_pixels:
            embedding = self.run_predictor(style.contiguous(memory_format=LAST))
        else:
            embedding = self.predictor.embed(torch.stack([one.statistics for one in known]))
        content = content.contiguous(memory_format=LAST)
        pastiche = self.run_transfer(content, embedding)
        return self.losses(content, pastiche, [one.described for one in known])

    def __call__(self, content, style, known, rate):
        """Makes the step with a learning rate, unless a gradient is not finite; returns the terms before it, floats."""
        terms = self.terms(content, style, known)
        self.optimizer.zero_grad()
        terms[0].backward()
        norm = torch.nn.utils.clip_grad_norm_(self.weights.values(), self.clip_norm)
        if norm.isfinite():
            for group, factor in zip(self.optimizer.param_groups, self.factors, strict=True):
                group["lr"] = float(rate) * factor
            self.optimizer.step()
            self.done += 1
            decay = min((1 + self.done) / (10 + self.done), self.ema_decay)
            for average, weight in zip(self.averages.values(), self.weights.values(), strict=True):
                average.lerp_(weight.detach(), 1 - decay)
        return [term.item() for term in terms]

    @property
    def optimizer_name(self) -> str:
        """Adam or Soap."""
        return type(self.optimizer).__name__

    def state(self) -> dict:
        """{name: array}: what `restore` takes, beside the weights of the model, to go on from here."""
        state = {f"weight.{name}": weight.detach().numpy() for name, weight in self.weights.items()}
        state |= {f"average.{name}": average.numpy() for name, average in self.averages.items()}
        for name, weight in self.weights.items():
            for key, value in self.optimizer.state[weight].items():
                state[f"optimizer.{key}.{name}"] = value.numpy()
        return {**state, "done": torch.tensor(self.done).numpy()}

    def restore(self, state, optimizer, where):
        """Goes on from a `state`.

        Args:
            state: {name: array}.
            optimizer: the `optimizer_name` of the run that it is of; None where that is not known.
            where: the file it came from, for errors.

        Raises:
            UserError: the run had another optimizer, or trained other weights.
        """
        saved = {"weight": {}, "average": {}, "optimizer": {}}
        for full, array in state.items():
            kind, _, name = full.partition(".")
            if kind in saved:
                saved[kind][name] = torch.tensor(array)
        if optimizer != self.optimizer_name or not set(self.weights) == set(saved["weight"]) == set(saved["average"]):
            raise UserError(
                f"cannot resume from {where}: found {len(saved['weight'])} weights trained by {optimizer}, expected "
                f"{len(self.weights)} by {self.optimizer_name}; use the options of that run, or another "
                "--output_dir, or --resume false"
            )
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(saved["weight"][name])
                self.averages[name].copy_(saved["average"][name])
        places, entries = {name: i for i, name in enumerate(self.weights)}, {}
        for full, value in saved["optimizer"].items():
            key, _, name = full.partition(".")
            value = value.reshape(()) if key == "step" else value
            entries.setdefault(places[name], {})[key] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": entries, "param_groups": groups})
        self.done = int(state["done"].item())


def _fill(module, arrays):
    module.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})


def _factor(name, rates):
    """The factor of the longest beginning of a name; 1 where there is none."""
    return rates[max(fitting, key=len)] if (fitting := [b for b in rates if name.startswith(b)]) else 1.0
