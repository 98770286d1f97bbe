"""Sink mode: batches wait in a queue on the device, and a training step fetches its batch there.

The host then neither copies a batch in a step nor waits for the copy. Written to `mindspore.data_sink` of MindSpore
2.8, which is for Ascend and GPU; tested with a stand-in for that function, not run on hardware.
"""

import mindspore as ms
import mindspore.dataset as ds

from src.errors import UserError

TARGETS = ("Ascend", "GPU")


def check_sink(options, device_target):
    """Refuses sink mode where it does not work.

    Args:
        options: namespace of `data`, `train`.
        device_target: Ascend, GPU or CPU.

    Raises:
        UserError: sink mode is asked for on a device, or with a MindSpore, that has no queue of batches; or with fixed
            style crops, whose targets are taken from the host's memory at each step.
    """
    if not options.train.dataset_sink_mode:
        return
    wrong = ""
    if device_target not in TARGETS:
        wrong = f"with device_target {device_target}, expected {' or '.join(TARGETS)}"
    elif not hasattr(ms, "data_sink"):
        wrong = f"with MindSpore {ms.__version__}, which has no mindspore.data_sink; 2.8 has it"
    elif options.data.style_crops:
        wrong = f"with style_crops {options.data.style_crops}, whose targets lie in the host's memory; expected 0"
    if wrong:
        raise UserError(f"option dataset_sink_mode: found true {wrong}; or use --dataset_sink_mode false")


def sink(step_cell, images, start, stop, weights=None):
    """Replaces the batches and the step of the training loop in sink mode.

    Args:
        step_cell: `src.training.train_step.TrainOneStep`.
        images: `src.data.dataset.PairedImages`.
        start, stop: the steps.
        weights: function of a step that gives the weights (N, styles) of a table's styles; None without a table.

    Returns:
        an empty tuple for each step, in place of a batch; and a function without arguments that runs the next step and
        returns what the step returns.
    """
    batches = images.pipeline(start, stop)
    if weights is not None:

        def rows():
            for step in range(start, stop):
                yield (weights(step).asnumpy(),)

        batches = ds.zip((batches, ds.GeneratorDataset(rows, ["weights"], shuffle=False, num_parallel_workers=1)))
    level = (ms.context.get_jit_config() or {}).get("jit_level", "O0")
    run = ms.data_sink(step_cell, batches, sink_size=1, jit_config=ms.JitConfig(jit_level=level))
    return [()] * (stop - start), run
