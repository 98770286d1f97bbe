"""Trains the compact model as configs/compact_vgg16.yaml does, with the step in PyTorch.

    python benchmarks/torch_training.py --config_path configs/compact_vgg16.yaml --content_path C --style_path S \
        --ckpt_path WEIGHTS --init_ckpt pretrained_model/arbitrary_compact.ckpt --output_dir output/torch

For processors on which MindSpore's convolutions take several times as long. The loss network, and the convolutions of
the style transfer network, run in bfloat16, which leaves the direction of the gradients as it is (cosine 0.998). It is
fast where the processor has AVX512-BF16 or AMX. torch.compile joins what stands between the convolutions; it needs a
C++ compiler, and where there is none the step runs without. Batches, losses and learning rates are those of train.py.
So are the checkpoints, which train.py can go on from with --init_ckpt. The same command goes on from the last one.
Needs requirements.txt and requirements-benchmark.txt. Where other programs take the cores, OMP_NUM_THREADS=1 before the
command helps much: threads that wait for each other took 165 s for a step of 2 s.

Takes train.py's options, and a few of its own. By default it trains, with Adam, the style transfer network and the last
two layers of the compact predictor. The bundled model's last run used SOAP, and trained the predictor's other layers:

    ... --soap --whole_predictor --rates transfer.heads=0.7,predictor=0.3,predictor.hidden=0.6,predictor.dense=0.6
"""

import logging
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.config import parse, to_dict
from src.errors import UserError, run_entry
from src.files import check_folder
from src.grid_energy import SMALLEST_SIDE
from src.options.option import Options, option
from src.sections import TRAINING_SECTIONS

logger = logging.getLogger("style_transfer")


@dataclass(frozen=True)
class TorchOptions(Options):
    """Options of this program alone."""

    soap: bool = option(False, "SOAP (benchmarks/soap.py) in place of Adam")
    whole_predictor: bool = option(False, "trains all layers of the predictor, also those that freeze names")
    rates: dict[str, float] = option(
        {},
        "factors of the learning rate, by the beginnings of weights' names; the longest beginning counts, 1 elsewhere",
        above=0,
    )
    compile: bool = option(True, "torch.compile the networks; false for short trials, since it takes a minute")


def check_settings(options):
    """Raises a UserError for what only train.py can do."""
    asked = {
        "method": (options.network.method, "arbitrary"),
        "predictor": (options.network.predictor, "compact"),
        "optimizer": (options.train.optimizer, "adam"),
        "normalize_losses": (options.loss.normalize_losses, "balanced"),
        "style_loss_clamp": (options.loss.style_loss_clamp, 0),
        "tv_norm": (options.loss.tv_norm, "absolute"),
        "format": (options.train.format, "native"),
    }
    for name, (value, needed) in asked.items():
        if value != needed:
            raise UserError(f"option {name}: found {value!r}, expected {needed!r} here; train.py takes others")
    side = options.data.image_size
    if side % 4 or side < SMALLEST_SIDE:
        raise UserError(
            f"option image_size: found {side}, expected a multiple of 4 from {SMALLEST_SIDE} up here; train.py takes "
            "others"
        )
    if not options.data.style_crops or not options.train.init_ckpt:
        raise UserError("options style_crops and init_ckpt: expected both, as configs/compact_vgg16.yaml says")


def can_compile(wanted) -> bool:
    """Whether torch.compile is wanted and works; says in a line why it does not."""
    from benchmarks.torch_half import compiler_fault

    fault = compiler_fault() if wanted else ""
    if fault:
        logger.warning("torch.compile does not work here (%s): the step runs without, and takes longer", fault)
    return wanted and not fault


class Run:
    """A run: the images, the step, and the checkpoints that the same command goes on from.

    Args:
        options: of the program.
        output: folder.
    """

    def __init__(self, options, output):
        from benchmarks.torch_training_step import Step
        from src.data.dataset import PairedImages
        from src.runtime import setup
        from src.training.files import CheckpointFolder
        from src.training.first_weights import check_same_network, weights_folder
        from src.weights.load import load_model
        from src.weights.loss_network import create_loss_network
        from src.weights.native import to_arrays

        runtime = setup(options.runtime)
        model = load_model(options.train.init_ckpt)
        check_same_network(options.network, model.network, options.train.init_ckpt)
        loss_network = create_loss_network(options.loss, weights_folder(options.train))
        self.images = PairedImages(options.data, runtime.seed)
        self.options, self.network, self.arrays = options, model.network, to_arrays(model)
        compiled = can_compile(options.own.compile)
        self.step = Step(options, model.network, self.arrays, to_arrays(loss_network), compiled)
        self.checkpoints = CheckpointFolder(output / "checkpoints", options.train.keep_checkpoints)
        self.start, self.known = 0, {}
        newest = self.checkpoints.read_newest() if options.train.resume else None
        if newest is not None:
            self._resume(*newest)

    def _resume(self, step, model, state):
        (arrays, described), (state, metadata), where = model, state, self.checkpoints.state_file(step)
        if (described or {}).get("network") != to_dict(self.network):
            raise UserError(
                f"cannot resume from {where}: its network is another than that of init_ckpt; use the options of that "
                "run, or another --output_dir, or --resume false"
            )
        self.step.load(arrays)
        self.step.restore(state, (metadata or {}).get("optimizer"), where)
        self.start, self.arrays = step, arrays
        logger.info("resuming after step %d from %s", step, where)

    def results(self, rates):
        """Makes the steps that are left; yields the terms of each, see `benchmarks.torch_losses.Losses.names`."""
        import torch

        batches = self.images.batches(self.start, self.options.train.steps)
        for number, (content, style) in enumerate(batches, self.start):
            content, style = torch.from_numpy(content.asnumpy()), torch.from_numpy(style.asnumpy())
            crops = self.images.style_crops(number)
            for i, crop in enumerate(crops):
                if crop not in self.known:
                    self.known[crop] = self.step.describe(style[i : i + 1])
            yield self.step(content, style, [self.known[crop] for crop in crops], rates[number])

    def save(self, step):
        """Writes the model, with the moving averages as its weights, and what resuming needs beside it."""
        from src.weights.native import save_checkpoint

        options = {name: to_dict(getattr(self.options, name)) for name in ("loss", "data", "train", "own")}
        metadata = {"network": to_dict(self.network), "loss_network": self.options.loss.loss_network}
        metadata |= {"trained_by": "PyTorch", "options": options, "step": step}
        weights = self.arrays | {name: average.numpy() for name, average in self.step.averages.items()}
        state = {"step": step, "trained_by": "PyTorch", "optimizer": self.step.optimizer_name}
        self.checkpoints.save(step, lambda path: save_checkpoint(path, weights, metadata), self.step.state(), state)


def train(run, output) -> int:
    """Makes the remaining steps of a `Run`. Returns the exit code."""
    from src.signals import Interrupt, status
    from src.training.log import LossLog
    from src.training.schedule import learning_rates

    options, step = run.options.train, run.start
    if step >= options.steps:
        logger.info("%s holds step %d of %d: nothing to do; --steps asks for more", output, step, options.steps)
        return 0
    rates = learning_rates(options)
    log, rows = LossLog(output / "losses.csv", run.step.losses.names, step, options.steps), []
    with Interrupt() as interrupt:
        for terms in run.results(rates):
            rows.append(terms)
            step += 1
            last = step == options.steps or interrupt.wanted
            if last or step % options.log_every == 0 or step % options.save_every == 0:
                log.write(step - len(rows) + 1, rates[step - len(rows) : step], rows)
                rows = []
            if last or step % options.save_every == 0:
                run.save(step)
            if last:
                break
    if interrupt.wanted:
        logger.info("interrupted: step %d is saved in %s; the same command goes on", step, run.checkpoints.folder)
        return status(interrupt.number)
    logger.info("done: %s", run.checkpoints.model_file(step))
    return 0


def main(argv):
    """Reads the options, trains, returns the exit code."""
    options = parse(argv, TRAINING_SECTIONS, "Trains the compact model, with the step in PyTorch.", own=TorchOptions)
    check_settings(options)
    try:
        import torch  # noqa: F401 before MindSpore, whose libraries get in the way of PyTorch's
    except ImportError:
        raise UserError("PyTorch is not installed: pip install -r requirements-benchmark.txt") from None

    from src.lock import only_run_in
    from src.training.log import setup_logging

    setup_logging()
    output = Path(options.train.output_dir).expanduser()
    check_folder(output, "output_dir")
    with only_run_in(output, "output_dir"):
        return train(Run(options, output), output)


if __name__ == "__main__":
    sys.exit(run_entry(main))
