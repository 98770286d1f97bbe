"""The files of a training run in its output folder, and how a run goes on from them.

options.yaml                  every option of the run
losses.csv                    every loss term of every step
losses.png                    their curves, at the end
grids/step_00001000.png       fixed test pairs
checkpoints/step_00001000.ckpt         the model (averaged weights when ema_decay is set)
checkpoints/step_00001000.state.ckpt   what resuming needs beside: raw weights, optimiser, loss scale, step, seed
"""

import logging
import re
from pathlib import Path

import mindspore as ms
import numpy as np

from src.errors import UserError
from src.files import TEMPORARY_PREFIX
from src.weights.modelzoo import save_published
from src.weights.native import check_finite, read_checkpoint, save_checkpoint, to_arrays

logger = logging.getLogger("style_transfer")
_STATE = re.compile(r"step_(\d+)\.state\.ckpt")


class CheckpointFolder:
    """Pairs of model and state files, the last few of which are kept.

    Args:
        folder: where they go.
        keep: how many pairs stay.
    """

    def __init__(self, folder, keep):
        self.folder = Path(folder)
        self.keep = max(1, keep)

    def model_file(self, step) -> Path:
        """Where the model of a step lies."""
        return self.folder / f"step_{step:08d}.ckpt"

    def state_file(self, step) -> Path:
        """Where the training state of a step lies."""
        return self.folder / f"step_{step:08d}.state.ckpt"

    def steps(self) -> list[int]:
        """Steps with both files, oldest first."""
        found = (_STATE.fullmatch(path.name) for path in self.folder.glob("step_*.state.ckpt"))
        return sorted(s for s in (int(m[1]) for m in found if m) if self.model_file(s).is_file())

    def save(self, step, write_model, state, metadata):
        """Writes both files, the state last, so that a state without its model never counts; then drops old pairs.

        Args:
            step: steps done.
            write_model: function of a path, writes the model.
            state: {name: array}.
            metadata: of the state file, what JSON can hold.

        Raises:
            UserError: weights or state hold NaN or Inf; nothing is written.
            OSError: the disk refuses; earlier pairs are untouched.
        """
        for name, array in state.items():
            check_finite(array, name, self.state_file(step))
        write_model(self.model_file(step))
        save_checkpoint(self.state_file(step), state, metadata)
        # later pairs don't count: they are damaged, or of a run that this one replaces
        for old in [done for done in self.steps() if done <= step][: -self.keep]:
            self.state_file(old).unlink(missing_ok=True)
            self.model_file(old).unlink(missing_ok=True)
        for leftover in self.folder.glob(f"{TEMPORARY_PREFIX}*"):  # files of a process that was killed while it wrote
            leftover.unlink(missing_ok=True)

    def read_newest(self):
        """The newest undamaged pair: (step, (arrays, metadata) of the model, (arrays, metadata) of the state).

        The log names damaged pairs, which are left out. The result is None where there is no pair at all.

        Raises:
            UserError: every pair is damaged.
        """
        damaged = []
        for step in reversed(self.steps()):
            try:
                return step, read_checkpoint(self.model_file(step)), read_checkpoint(self.state_file(step))
            except UserError as error:
                logger.warning("%s; the checkpoint before it is taken", error)
                damaged.append(error)
        if damaged:
            raise UserError(f"{damaged[0]}; no earlier one is whole: start anew with --resume false")
        return None


def model_arrays(model, step_cell) -> dict:
    """The model's weights by name; the averaged weights where the step keeps them."""
    arrays = to_arrays(model)
    by_identity = {id(parameter): name for name, parameter in model.parameters_and_names()}
    for weight, average in zip(step_cell.weights, step_cell.averages, strict=False):
        arrays[by_identity[id(weight)]] = average.asnumpy()
    return arrays


def model_writer(model, arrays, metadata, layout, loss_network, state):
    """A function of a path that writes a model in a layout, native or modelzoo.

    Args:
        model: the model, for its options and the names of the trained parameters.
        arrays: the weights, from `model_arrays`.
        metadata: of a native checkpoint.
        layout: native or modelzoo.
        loss_network: None for a training without a loss network.
        state: arrays of `step_parameters`, whose entries of Adam go into the published checkpoint.
    """
    if layout == "native":
        return lambda path: save_checkpoint(path, arrays, metadata)
    vgg = None if loss_network is None else to_arrays(loss_network)
    return lambda path: save_published(path, model.network, arrays, vgg, _published_state(model, state))


def _published_state(model, state):
    """Adam's entries, under the model's names, as the published checkpoint holds them."""
    names = [name for name, parameter in model.parameters_and_names() if parameter.requires_grad]
    entries = {}
    for key, array in state.items():
        # MindSpore puts the cells on the way before a name: optimizer.moment1.model.transfer.heads.bias
        for moment in ("moment1", "moment2"):
            entries.update({f"{moment}.{n}": array for n in names if f".{moment}." in key and key.endswith(f".{n}")})
        counter = key.rpartition(".")[2]
        if counter in ("global_step", "beta1_power", "beta2_power"):
            entries[counter] = array
    return entries


def step_parameters(step_cell) -> dict:
    """Every parameter that a step changes, by part and name: raw weights, averages, optimiser, loss scale."""
    parameters = {f"weight.{p.name}": p for p in step_cell.weights}
    # without the learning rates, which follow from the options (a resumed run may ask for more steps)
    other = {id(p) for p in (*step_cell.weights, *step_cell.optimizer.learning_rate.get_parameters())}
    parameters.update({f"optimizer.{p.name}": p for p in step_cell.optimizer.get_parameters() if id(p) not in other})
    parameters.update({f"average.{p.name}": p for p in step_cell.averages})
    if step_cell.averages:
        parameters["average_steps"] = step_cell.averaged_steps
    if step_cell.scaler is not None:
        parameters["loss_scale"] = step_cell.scaler.scale_value
        parameters["loss_scale_steps"] = step_cell.scaler.counter
    return parameters


def restore_state(step_cell, state, where):
    """Sets every parameter of `step_parameters` from {name: array}.

    Raises:
        UserError: the state is of another network or other options, or holds NaN or Inf.
    """
    for name, parameter in step_parameters(step_cell).items():
        if name not in state or tuple(state[name].shape) != tuple(parameter.shape):
            found = f"of shape {state[name].shape}" if name in state else "missing"
            raise UserError(
                f"cannot resume from {where}: {name} is {found}, expected shape {tuple(parameter.shape)}; use the "
                "options of that run, or another --output_dir, or --resume false"
            )
        check_finite(state[name], name, where)
        parameter.set_data(ms.Tensor(np.asarray(state[name]), parameter.dtype))
