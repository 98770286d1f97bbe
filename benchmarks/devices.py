"""What a training step of configs/modelzoo.yaml should take on 1, 8 and 64 Ascend 910, beside the published times.

python benchmarks/devices.py [--batch_size 16] [--image_size 256]

Nothing is timed. The multiplications of every convolution, forward and backward, are counted while a step runs on the
CPU: of this project's, and of the published port's, rebuilt in benchmarks/published_port.py. Assumed are:

- the published port's time on one device is that of its convolutions. So they reach a share of the chip's peak, and
  this project's are taken to reach the same share;
- gradients (float32) are summed by rings: within a server over HCCS, between servers over each device's own network
  port; the sums begin when the backward pass has ended, and start-up of a message costs nothing.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.config import ROOT, defaults, parse
from src.errors import run_entry
from src.options.option import Options, option

# Huawei's figures of the Ascend 910, as reported in 2019 (https://vengineer.hatenablog.com/entry/2019/09/06/070000):
# 256 TFLOPS in float16, 240 Gb/s a HCCS port, eight chips a server, two RoCE ports of 100 Gb/s, of which an Atlas 800
# server (model 9000) wires one a chip
PEAK = 256e12
HCCS, ROCE = 240e9 / 8, 100e9 / 8  # bytes a second
SERVER = 8
# README of mindspore-ai/models, research/cv/ArbitraryStyleTransfer: seconds a step of 16 images a device, by devices
PUBLISHED = {1: 0.392, 8: 0.303}
DEVICES = (1, 8, 64)


@dataclass(frozen=True)
class DevicesOptions(Options):
    """What is computed."""

    batch_size: int = option(16, "images a device a step", least=1)
    image_size: int = option(256, "side of the crops, pixels", least=96)


def multiply_adds(weight_shape, output_shape) -> int:
    """Multiplications of a convolution: weight (out, in, kh, kw), output (N, out, h, w)."""
    _, channels, rows, columns = weight_shape
    n, out, h, w = output_shape
    return n * out * h * w * channels * rows * columns


class Counter:
    """Counts the multiplications of convolutions of cells, in PyNative mode, forward and for each gradient."""

    def __init__(self, cells):
        from src.ascend.ranges import wrap_convolutions

        self.total = 0
        for cell in cells:
            wrap_convolutions(cell, self._counted)

    def _counted(self, name, kernel):
        from mindspore import ops

        def run(x, weight):
            count = 0

            def add(gradients):
                self.total += count

            trained = getattr(weight, "requires_grad", True)
            y = kernel(ops.HookBackward(add)(x), ops.HookBackward(add)(weight) if trained else weight)
            count = multiply_adds(weight.shape, y.shape)
            self.total += count
            return y

        return run


def count_step(image_size):
    """Multiplications of an image's part of a step: (this project's, the published port's); and bytes of gradients."""
    import mindspore as ms
    import numpy as np
    from mindspore import ops

    from benchmarks.published_port import PublishedLoss, published_model
    from src.models.factory import create_model, new_loss_network
    from src.training.stylization import create_stylization

    ms.set_context(mode=ms.PYNATIVE_MODE)
    options = defaults(ROOT / "configs" / "modelzoo.yaml")
    network, loss = options["network"], options["loss"]
    random = np.random.default_rng(0)
    content, style = (ms.Tensor(random.random((1, 3, image_size, image_size), np.float32)) for _ in range(2))

    objective = create_stylization(create_model(network), loss, new_loss_network)
    ours = Counter([objective])
    weights = ms.ParameterTuple(objective.model.trainable_params())

    def step(content, style):
        return objective(content, style, ops.stop_gradient(objective.targets(content, style)))[0]

    ops.value_and_grad(step, None, weights)(content, style)

    published = PublishedLoss(published_model(network), loss)
    theirs = Counter([published])
    published(content, style)
    ops.value_and_grad(published, None, ms.ParameterTuple(published.model.trainable_params()))(content, style)
    return ours.total, theirs.total, sum(4 * parameter.size for parameter in weights)


def ring_seconds(size, members, speed) -> float:
    """A sum over a ring: each member sends 2 (members - 1) / members of so many bytes."""
    return 2 * (members - 1) / members * size / speed


def sum_seconds(size, devices) -> float:
    """The sum of gradients of so many bytes over devices: within servers, and between them of each device's share."""
    inside = min(devices, SERVER)
    return ring_seconds(size, inside, HCCS) + ring_seconds(size / inside, devices // inside, ROCE)


def table(ours, theirs, size, batch_size) -> list[str]:
    """Lines of Markdown. ours, theirs: multiplications an image; size: bytes of gradients."""
    share = 2 * theirs * 16 / PUBLISHED[1] / PEAK
    bound, step = 2 * ours * batch_size / PEAK, 2 * ours * batch_size / (share * PEAK)
    lines = [
        f"Multiplications an image: {ours / 1e9:.1f} G here, {theirs / 1e9:.1f} G in the published port, which at its "
        f"{PUBLISHED[1] * 1e3:.0f} ms a step of 16 reaches {share:.1%} of the peak. Gradients: {size / 1e6:.1f} MB.",
        "",
        "| devices | images a step | convolutions at the peak | at the port's share of it | sum of gradients | step | "
        "images a second | published step |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for devices in DEVICES:
        summed = sum_seconds(size, devices)
        published = f"{PUBLISHED[devices] * 1e3:.0f} ms" if devices in PUBLISHED else "none"
        images = devices * batch_size
        lines.append(
            f"| {devices} | {images} | {bound * 1e3:.1f} ms | {step * 1e3:.0f} ms | {summed * 1e3:.2f} ms | "
            f"{(step + summed) * 1e3:.0f} ms | {images / (step + summed):.0f} | {published} |"
        )
    return lines


def main(argv):
    """Counts, computes, prints."""
    settings = parse(argv, (), __doc__.splitlines()[0], own=DevicesOptions).own
    import mindspore as ms

    ms.set_device("CPU")
    print("\n".join(table(*count_step(settings.image_size), settings.batch_size)))


if __name__ == "__main__":
    sys.exit(run_entry(main))
