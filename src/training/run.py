"""A training run: its images, networks, step and files, prepared from the options."""

import functools
import logging
from dataclasses import dataclass
from types import SimpleNamespace

from mindspore import nn

from src.config import to_dict
from src.data.dataset import PairedImages
from src.errors import UserError
from src.models.factory import StylizationModel
from src.runtime import Runtime
from src.training.build import describe_versions
from src.training.files import CheckpointFolder, model_arrays, model_writer, restore_state, step_parameters
from src.training.objective import Objective
from src.training.sink import sink
from src.training.style_crops import StyleCrops
from src.training.styles import table_weights, whole_grams
from src.training.train_step import TrainOneStep
from src.weights.native import load_into

logger = logging.getLogger("style_transfer")


@dataclass
class Run:
    """A training run between two steps.

    Attributes:
        options: namespace of `network`, `loss`, `data`, `train` (see `src.config`).
        runtime: where it runs.
        images: the source of the batches.
        model: the model in training.
        objective: the objective that the steps minimise.
        loss_network: the loss network; None for a distillation without stylization loss.
        step_cell: the compiled step.
        checkpoints: the folder of the checkpoints.
        start: number of steps done before.
    """

    options: SimpleNamespace
    runtime: Runtime
    images: PairedImages
    model: StylizationModel
    objective: Objective
    loss_network: nn.Cell | None
    step_cell: TrainOneStep
    checkpoints: CheckpointFolder
    start: int = 0

    def weights(self) -> dict:
        """The model's weights {name: array}, the averaged ones when there are any."""
        return model_arrays(self.model, self.step_cell)

    def save(self, step):
        """Writes the checkpoint of a step: the model, and the state for resuming."""
        options = self.options
        metadata = {
            "network": to_dict(options.network),
            "loss_network": options.loss.loss_network,
            "options": {name: to_dict(getattr(options, name)) for name in ("loss", "data", "train")},
            "versions": describe_versions(),
            **({"styles": self.model.styles} if self.model.styles else {}),
            "step": step,
        }
        state = {name: p.asnumpy() for name, p in step_parameters(self.step_cell).items()}
        write = model_writer(self.model, self.weights(), metadata, options.train.format, self.loss_network, state)
        samples = self.images.samples_before(step)
        self.checkpoints.save(step, write, state, {"step": step, "samples": samples, **self._what_decides_batches()})

    def resume(self, newest):
        """Goes on from a checkpoint; says so when the batches that follow will be others.

        Args:
            newest: from `CheckpointFolder.read_newest`.

        Raises:
            UserError: a checkpoint of another network, of other styles or of other options.
        """
        self.start, (params, model_metadata), (state, metadata) = newest
        where = self.checkpoints.state_file(self.start)
        if model_metadata and "network" in model_metadata:
            had = model_metadata.get("styles", ())
            if tuple(had) != self.model.styles:
                raise UserError(
                    f"cannot resume from {where}: its styles are {', '.join(had) or 'none'}, the options' "
                    f"{', '.join(self.model.styles) or 'none'}; to add some, name it with --init_ckpt, with another "
                    "--output_dir"
                )
            load_into(self.model, params, self.checkpoints.model_file(self.start))
        restore_state(self.step_cell, state, where)
        decides = self._what_decides_batches()
        if metadata and "rank_size" in metadata:
            drawn = self.start * metadata["rank_size"] * metadata["batch_size"]
            # a state of an earlier version has no "samples"
            self.images.go_on(self.start, metadata.get("samples", drawn))
            if drawn == self.start * self.runtime.rank_size * self.options.data.batch_size:
                # the same samples a step, on another number of ranks
                decides = {k: v for k, v in decides.items() if k not in ("rank_size", "batch_size")}
        for name, value in decides.items():
            if metadata and metadata.get(name, 0) != value:
                logger.warning("resuming with other batches: %s was %s, now %s", name, metadata.get(name), value)
        logger.info("resuming after step %d from %s", self.start, where)

    def _what_decides_batches(self):
        """The options and files that decide which batches a run sees; a resumed run compares them."""
        return {
            "seed": self.runtime.seed,
            "rank_size": self.runtime.rank_size,
            "batch_size": self.options.data.batch_size,
            "content_count": self.images.content_count,
            "style_count": self.images.style_count,
            "style_crops": self.options.data.style_crops,
        }

    def steps(self):
        """The steps that are left: the inputs of each, and the function that runs a step with them.

        Returns:
            an iterable of tuples, and a function that takes one tuple's elements and returns what `step_cell` returns.
        """
        images, train_options, styles = self.images, self.options.train, self.model.styles
        style_inputs = self._style_inputs()
        if train_options.dataset_sink_mode:
            weights = functools.partial(table_weights, styles, images) if styles else None
            return sink(self.step_cell, images, self.start, train_options.steps, weights)
        batches = enumerate(images.batches(self.start, train_options.steps), self.start)
        inputs = ((content, style, *style_inputs(step, style)) for step, (content, style) in batches)
        return inputs, self.step_cell

    def _style_inputs(self):
        """A function (step, style images of the step's batch) that gives the inputs of a step beside the batch, a list.

        With a table these are the weights that pick the batch's styles, with fixed style crops the crops' targets.
        """
        images, data, styles = self.images, self.options.data, self.model.styles
        if styles:
            if not data.style_augment:
                files = images.all_files()[1]
                self.objective.remember(whole_grams(self.objective, self.options.loss, files, styles, data.style_side))
            return lambda step, style: [table_weights(styles, images, step)]
        if data.style_crops:
            stylization = getattr(self.objective, "stylization", self.objective)
            crops = StyleCrops(stylization, data.style_crops * images.style_count, data.style_side)
            return lambda step, style: crops.targets(images.style_crops(step), style)
        return lambda step, style: []
