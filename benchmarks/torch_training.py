"""Trains the compact model as configs/compact_vgg16.yaml does, with the step in PyTorch.

    python benchmarks/torch_training.py --config_path configs/compact_vgg16.yaml --content_path C --style_path S \
        --ckpt_path WEIGHTS --init_ckpt pretrained_model/arbitrary_compact.ckpt --output_dir output/torch

For processors on which MindSpore's convolutions take several times as long: the loss network, and the convolutions of
the style transfer network, run in bfloat16, which doubles the speed where the processor has AVX512-BF16 and leaves the
direction of the gradients as it is (cosine 0.998). Batches, losses and learning rates are those of train.py. So are the
checkpoints, which train.py can go on from with --init_ckpt. Needs requirements.txt and requirements-benchmark.txt.

Takes train.py's options. It trains the style transfer network and the last two layers of the compact predictor, on
fixed style crops, with Adam; other choices are refused.
"""

import csv
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.config import parse, to_dict
from src.errors import UserError, run_entry
from src.sections import TRAINING_SECTIONS

FROZEN = ["predictor.stages", "predictor.translate", "predictor.refine"]
TERMS = ("total", "content", "style", "tv", "grid", "color")


def check_settings(options):
    """Raises a UserError for what only train.py can do."""
    asked = {
        "method": (options.network.method, "arbitrary"),
        "predictor": (options.network.predictor, "compact"),
        "freeze": (sorted(options.train.freeze), sorted(FROZEN)),
        "optimizer": (options.train.optimizer, "adam"),
        "normalize_losses": (options.loss.normalize_losses, "balanced"),
        "tv_norm": (options.loss.tv_norm, "absolute"),
    }
    for name, (value, needed) in asked.items():
        if value != needed:
            raise UserError(f"option {name}: found {value!r}, expected {needed!r} here; train.py takes others")
    if not options.data.style_crops or not options.train.init_ckpt:
        raise UserError("options style_crops and init_ckpt: expected both, as configs/compact_vgg16.yaml says")


class Step:
    """The training step: losses as in `src.losses`, Adam, moving averages of the weights."""

    def __init__(self, options, model, loss_network):
        import torch
        from torch_networks import CompactPredictor, LossNetwork, Transfer

        from src.grid_energy import tables
        from src.weights.native import to_arrays

        self.torch, self.loss, self.train = torch, options.loss, options.train
        torch.manual_seed(options.runtime.seed)

        def filled(module, arrays):
            module.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in arrays.items()})
            return module

        self.predictor = filled(CompactPredictor(model.network), to_arrays(model.predictor)).requires_grad_(False)
        self.transfer = filled(Transfer(model.network), to_arrays(model.transfer))
        weights = {name.replace("conv", "layers."): array for name, array in to_arrays(loss_network).items()}
        self.features = filled(LossNetwork(options.loss), weights)
        self.features = self.features.to(torch.bfloat16, memory_format=torch.channels_last)
        for layer in (self.predictor.hidden, self.predictor.dense):
            layer.requires_grad_(True)
        parts = (("transfer", self.transfer), ("predictor", self.predictor))
        named = [(f"{part}.{name}", p) for part, module in parts for name, p in module.named_parameters()]
        self.weights = {name: p for name, p in named if p.requires_grad}
        self.optimizer = torch.optim.Adam(self.weights.values())
        self.averages = {name: p.detach().clone() for name, p in self.weights.items()}
        self.done, self.known = 0, {}
        rows = [torch.from_numpy(table).float() for table in tables(options.data.image_size)]
        self.cosines_and_sines = torch.complex(rows[0], -rows[1])

    def gram(self, features):
        """Features (N, C, h, w) in bfloat16 to Gram matrices (N, C, C) in float32."""
        flat = features.permute(0, 2, 3, 1).flatten(1, 2)
        return self.torch.stack([x.T @ x for x in flat]).float() / flat.shape[1]

    def describe(self, style):
        """A style crop (1, 3, H, W) to the predictor's statistics, Gram matrices in half precision, color moments."""
        torch, p = self.torch, self.predictor
        with torch.no_grad():
            features = self.features(style)
            grams = [self.gram(features[tap])[0].half() for tap in self.loss.style_taps]
            return p.statistics(style)[0], grams, [matrix[0] for matrix in self.moments(style)]

    def moments(self, images):
        """Means and covariances of the colors for each side of `src.color_loss.AREAS`, (N, 3, 4) each."""
        from src.color_loss import AREAS

        torch, moments = self.torch, []
        for side in AREAS:
            colors = torch.nn.functional.avg_pool2d(images, side).flatten(2)
            mean = colors.mean(2, keepdim=True)
            centred = colors - mean
            moments.append(torch.cat((mean, centred @ centred.mT / colors.shape[2]), 2))
        return moments

    def color(self, images, targets):
        """The color loss of `src.color_loss.color_loss`."""
        from src.color_loss import AREAS, LEAST_COVARIANCE, LEAST_VARIANCE

        total = 0
        for k, (found, target) in enumerate(zip(self.moments(images), targets, strict=True)):
            if k == 0:
                variance = target[:, :, 1:].diagonal(dim1=1, dim2=2).sum(1)
                distance = (found[:, :, 0] - target[:, :, 0]).square().sum(1)
                total = (distance / (variance + LEAST_VARIANCE)).mean()
            covariance, style = found[:, :, 1:], target[:, :, 1:]
            energy = style.square().sum((1, 2)) + covariance.detach().square().sum((1, 2)) + LEAST_COVARIANCE
            total = total + ((covariance - style).square().sum((1, 2)) / energy).mean() / len(AREAS)
        return total

    def grid(self, images):
        """The grid loss of `src.losses.GridLoss`."""
        from src.grid_energy import FLOOR, FREQUENCIES, around_mask, near_mask

        torch = self.torch
        luma = (images * torch.tensor((0.299, 0.587, 0.114))[:, None, None]).sum(1)
        luma = (luma - luma.mean((1, 2), keepdim=True)).to(torch.complex64)
        table = self.cosines_and_sines
        power = torch.view_as_real(table @ luma @ table.T).square().sum(-1)
        power = power.reshape(len(images), 3, 19, 3, 19).permute(0, 1, 3, 2, 4)
        near, around = torch.from_numpy(near_mask()), torch.from_numpy(around_mask())
        peaks = [
            ((power[:, k, m][:, near].mean(1) + FLOOR) / (power[:, k, m][:, around].mean(1) + FLOOR)).log().clamp(min=0)
            for k, m in FREQUENCIES
        ]
        return torch.stack(peaks).mean()

    def losses(self, content, styles):
        """The total and the terms of content (N, 3, H, W) under described styles."""
        torch, loss = self.torch, self.loss
        embedding = self.predictor.embed(torch.stack([statistics for statistics, _, _ in styles]))
        with torch.no_grad():
            targets = self.features(content, loss.content_taps)
        with torch.autocast("cpu", torch.bfloat16):
            pastiche = self.transfer(content, embedding)
        pastiche = pastiche.float()
        found = self.features(pastiche)

        def error(actual, target, energy):
            axes = tuple(range(1, actual.ndim))
            return ((actual - target).square().mean(axes) / (energy.square().mean(axes) + 1e-8)).mean()

        of_content = sum(
            w * error(found[tap].float(), targets[tap].float(), targets[tap].float())
            for tap, w in loss.content_taps.items()
        )
        of_style = 0
        for k, (tap, w) in enumerate(loss.style_taps.items()):
            gram, target = self.gram(found[tap]), torch.stack([grams[k] for _, grams, _ in styles]).float()
            energy = torch.cat((target, gram.detach()), 1) * 2**0.5  # whose mean square is the sum of both
            of_style = of_style + w * error(gram, target, energy)
        tv = sum(pastiche.diff(dim=axis).abs().mean() for axis in (2, 3))
        grid = self.grid(pastiche)
        total = loss.content_weight * of_content + loss.style_weight * of_style
        of_colors = zip(*(moments for _, _, moments in styles), strict=True)
        color = self.color(pastiche, [torch.stack(matrices) for matrices in of_colors])
        total = total + loss.tv_weight * tv + loss.grid_weight * grid + loss.color_weight * color
        return total, (total, of_content, of_style, tv, grid, color)

    def __call__(self, content, styles, rate):
        """Makes the step unless a gradient is not finite; returns the terms before it."""
        total, terms = self.losses(content, styles)
        self.optimizer.zero_grad()
        total.backward()
        bound = self.train.clip_norm or float("inf")
        norm = self.torch.nn.utils.clip_grad_norm_(self.weights.values(), bound)
        if norm.isfinite():
            self.optimizer.param_groups[0]["lr"] = float(rate)
            self.optimizer.step()
            self.done += 1
            decay = min((1 + self.done) / (10 + self.done), self.train.ema_decay)
            for average, weight in zip(self.averages.values(), self.weights.values(), strict=True):
                average.lerp_(weight.detach(), 1 - decay)
        return [term.item() for term in terms]


def main(argv):
    """Reads the options, trains, returns the exit code."""
    options = parse(argv, TRAINING_SECTIONS, "Trains the compact model, with the step in PyTorch.")
    check_settings(options)
    import torch

    from src.data.dataset import PairedImages
    from src.runtime import setup
    from src.training.first_weights import weights_folder
    from src.training.schedule import learning_rates
    from src.weights.load import load_model
    from src.weights.loss_network import create_loss_network
    from src.weights.native import save_checkpoint, to_arrays

    runtime = setup(options.runtime)
    model = load_model(options.train.init_ckpt)
    loss_network = create_loss_network(options.loss, weights_folder(options.train))
    images = PairedImages(options.data, runtime.seed)
    step, rates = Step(options, model, loss_network), learning_rates(options.train)
    output = Path(options.train.output_dir)
    (output / "checkpoints").mkdir(parents=True, exist_ok=True)
    metadata = {"network": to_dict(model.network), "loss_network": options.loss.loss_network, "trained_by": "PyTorch"}
    metadata["options"] = {name: to_dict(getattr(options, name)) for name in ("loss", "data", "train")}
    started, sums = time.perf_counter(), []
    with open(output / "losses.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("step", "seconds", "learning_rate", *TERMS))
        for number, (content, style) in enumerate(images.batches(0, options.train.steps), 1):
            crops = images.style_crops(number - 1)
            for i, crop in enumerate(crops):
                if crop not in step.known:
                    step.known[crop] = step.describe(torch.from_numpy(style.asnumpy()[i : i + 1]))
            content = torch.from_numpy(content.asnumpy())
            terms = step(content, [step.known[crop] for crop in crops], rates[number - 1])
            seconds = time.perf_counter() - started
            table.writerow((number, f"{seconds:.1f}", f"{rates[number - 1]:.2e}", *(f"{term:.5f}" for term in terms)))
            sums.append(terms)
            if number % options.train.log_every == 0 or number == options.train.steps:
                means = [sum(column) / len(sums) for column in zip(*sums, strict=True)]
                shown = ", ".join(f"{name} {mean:.4f}" for name, mean in zip(TERMS, means, strict=True))
                print(f"step {number}/{options.train.steps}  {shown}  {seconds / number:.2f} s a step", flush=True)
                sums = []
                file.flush()
            if number % options.train.save_every == 0 or number == options.train.steps:
                averages = {name: average.numpy() for name, average in step.averages.items()}
                path = output / "checkpoints" / f"step_{number:08d}.ckpt"
                save_checkpoint(path, to_arrays(model) | averages, {**metadata, "step": number})
    print(f"done: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
