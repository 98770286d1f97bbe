"""Times a training step of a recipe on this machine, beside the same step in PyTorch when that is installed.

    python benchmarks/step_time.py --config_path configs/modelzoo.yaml --batch_size 2 --image_size 128 [--steps 20]

Weights are random: time does not depend on them, so no file is needed. PyTorch's step is the transfer network and the
losses (features of content, style and pastiche, backward, Adam), without the prediction network, run eagerly.
"""

import dataclasses
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.config import parse
from src.errors import run_entry
from src.models.vgg import BLOCKS, CHANNELS, DISTILLED_BLOCKS, DISTILLED_CHANNELS, layer_names

WARM_UP = 3


def time_mindspore(options, steps):
    """Seconds of each step after the compiled graph is warm, and seconds of the first step, which compiles."""
    import mindspore as ms

    from src.models.factory import create_model
    from src.models.vgg import VGG, DistilledVGG19
    from src.training.build import build_step
    from src.training.objectives import Stylization, loss_taps

    taps = loss_taps(options.loss, options.network.predictor)
    if options.loss.loss_network == "distilled_vgg19":
        loss_network = DistilledVGG19(taps)
    else:
        loss_network = VGG(int(options.loss.loss_network[3:]), taps, options.loss.pooling, bias=False)
    for parameter in loss_network.get_parameters():
        parameter.requires_grad = False
    model = create_model(options.network, options.loss.loss_network)
    objective = Stylization(model, loss_network, taps, options.loss)
    rated = dataclasses.replace(options.train, steps=steps + WARM_UP + 1)
    step = build_step(rated, objective, model.trainable_params(), options.machine)
    shape = (options.data.batch_size, 3, options.data.image_size, options.data.image_size)
    rng = np.random.default_rng(0)
    content, style = (ms.Tensor(rng.random(shape), ms.float32) for _ in range(2))

    def run():
        started = time.perf_counter()
        step(content, style).asnumpy()
        return time.perf_counter() - started

    first = run()
    for _ in range(WARM_UP):
        run()
    return [run() for _ in range(steps)], first


def time_pytorch(options, steps):
    """Seconds of each step of the same transfer network and losses in PyTorch, or None when it is not installed."""
    try:
        import torch
        from torch import nn
        from torch.nn import functional
    except ImportError:
        return None
    from src.models.style_transfer import layer_channels

    c1, c2, c3 = layer_channels(options.network.width)
    reflect = options.network.padding == "reflect"

    class Layer(nn.Module):
        def __init__(self, inputs, outputs, kernel, stride=1):
            super().__init__()
            border = kernel // 2
            mode = "reflect" if reflect else "zeros"
            self.conv = nn.Conv2d(inputs, outputs, kernel, stride, border, bias=False, padding_mode=mode)
            self.norm = nn.InstanceNorm2d(outputs, affine=True)

        def forward(self, x):
            return self.norm(self.conv(x))

    class Transfer(nn.Module):
        def __init__(self):
            super().__init__()
            self.contract = nn.ModuleList([Layer(3, c1, 9), Layer(c1, c2, 3, 2), Layer(c2, c3, 3, 2)])
            self.residual = nn.ModuleList([Layer(c3, c3, 3) for _ in range(10)])
            self.expand = nn.ModuleList([Layer(c3, c2, 3), Layer(c2, c1, 3)])
            self.output = Layer(c1, 3, 9)

        def forward(self, x):
            for layer in self.contract:
                x = functional.relu(layer(x))
            for i in range(0, 10, 2):
                x = x + self.residual[i + 1](functional.relu(self.residual[i](x)))
            for layer in self.expand:
                x = functional.interpolate(x, scale_factor=2, mode=options.network.upsampling)
                x = functional.relu(layer(x))
            return torch.sigmoid(self.output(x))

    distilled = options.loss.loss_network == "distilled_vgg19"
    blocks = DISTILLED_BLOCKS if distilled else BLOCKS[int(options.loss.loss_network[3:])]
    channels = DISTILLED_CHANNELS if distilled else CHANNELS
    taps = {tap[4:] for tap in (*options.loss.style_taps, *options.loss.content_taps)}
    names = layer_names(blocks)
    convolutions, inputs = nn.ModuleDict(), 3
    for name in names[: max(map(names.index, taps)) + 1]:
        outputs = channels[int(name[0]) - 1]
        convolutions[name] = nn.Conv2d(inputs, outputs, 3, padding=1, bias=distilled).requires_grad_(False)
        inputs = outputs
    pool = functional.avg_pool2d if options.loss.pooling == "average" and not distilled else functional.max_pool2d

    def features(x):
        found = {}
        for name, convolution in convolutions.items():
            if name.endswith("_1") and name != "1_1":
                x = pool(x, 2)
            x = functional.relu(convolution(x))
            if name in taps:
                found[name] = x
        return found

    def gram(x):
        flat = x.flatten(2)
        return flat @ flat.transpose(1, 2) / flat.shape[2]

    transfer = Transfer()
    optimizer = torch.optim.Adam(transfer.parameters(), lr=1e-4)
    shape = (options.data.batch_size, 3, options.data.image_size, options.data.image_size)
    content, style = torch.rand(shape), torch.rand(shape)

    def run():
        started = time.perf_counter()
        with torch.no_grad():
            content_features, style_features = features(content), features(style)
        found = features(transfer(content))
        loss = sum(functional.mse_loss(found[t[4:]], content_features[t[4:]]) for t in options.loss.content_taps)
        for tap, weight in options.loss.style_taps.items():
            loss = loss + weight * functional.mse_loss(gram(found[tap[4:]]), gram(style_features[tap[4:]]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return time.perf_counter() - started

    for _ in range(WARM_UP):
        run()
    return [run() for _ in range(steps)]


def main(argv):
    """Reads the options, times, prints a table."""
    options = parse(argv, ("network", "loss", "data", "train", "runtime"), __doc__.splitlines()[0])
    from src.runtime import setup

    options.machine = setup(options.runtime)
    steps = min(options.train.steps, 20)
    ours, first = time_mindspore(options, steps)
    theirs = time_pytorch(options, steps)
    size = options.data.image_size
    print(f"batch {options.data.batch_size}, {size} x {size}, {options.loss.loss_network}, {steps} steps")
    name = options.network.predictor
    print(f"MindSpore, with {name} predictor: {seconds(ours)}; the first, which compiles, {first:.1f}")
    print("PyTorch: not installed" if theirs is None else f"PyTorch, without predictor: {seconds(theirs)}")
    return 0


def seconds(times):
    """Median and least of a list of seconds, as text."""
    return f"median {statistics.median(times):.3f} s a step, fastest {min(times):.3f}"


if __name__ == "__main__":
    sys.exit(run_entry(main))
