"""The training loop."""

import logging
import signal
from pathlib import Path

import numpy as np
import yaml

from src.config import to_dict
from src.data.dataset import PairedImages
from src.errors import UserError
from src.files import check_folder
from src.sections import SECTIONS
from src.training.build import (
    build_model,
    build_objective,
    build_step,
    describe_versions,
    standardise_statistics,
    starting_checkpoint,
)
from src.training.files import CheckpointFolder, model_arrays, model_writer, restore_state, step_parameters
from src.training.log import LossLog
from src.training.preview import Preview
from src.training.schedule import learning_rates
from src.training.styles import known_styles, table_styles, table_weights, whole_grams
from src.weights.native import load_into, read_checkpoint

logger = logging.getLogger("style_transfer")
INTERRUPTED = 130


class _Interrupt:
    """Turns Ctrl-C and SIGTERM into a wish to stop after the step."""

    def __enter__(self):
        self.wanted = False
        self._before = {s: signal.signal(s, self._note) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def _note(self, *_):
        self.wanted = True

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)


def train(options, runtime) -> int:
    """Trains as the options say, from the start or from the newest checkpoint in the output folder.

    Args:
        options: namespace of `network`, `loss`, `data`, `train` (see `src.config`).
        runtime: `src.runtime.Runtime`.

    Returns:
        0 when all steps are done, 130 after Ctrl-C or SIGTERM (a checkpoint is saved).

    Raises:
        UserError: folders, weights or options that can't be used; NaN or Inf in a loss.
    """
    setting = options.train
    output = Path(setting.output_dir)
    if runtime.is_main:
        output = check_folder(setting.output_dir, "output_dir")
    known = known_styles(options.network, starting_checkpoint(setting))
    images = PairedImages(options.data, runtime.seed, runtime.rank, runtime.rank_size, known)
    styles = table_styles(options.network, images.all_files()[1], known)
    logger.info(
        "%d content images, %d style images, %d files skipped", images.content_count, images.style_count, images.skipped
    )
    model = build_model(options.network, options.loss, setting, styles)
    objective, loss_network, parameters = build_objective(options, model, runtime)
    checkpoints = CheckpointFolder(output / "checkpoints", setting.keep_checkpoints)
    done = checkpoints.steps()[-1:] if setting.resume else []
    start = done[0] if done else 0
    if not start:
        standardise_statistics(model.predictor, images, options.data.image_size)
    step_cell = build_step(setting, objective, parameters, runtime)
    if start:
        _resume(checkpoints, start, model, step_cell, runtime, images, options)
    if start >= setting.steps:
        logger.info("%s holds step %d of %d: nothing to do; --steps asks for more", output, start, setting.steps)
        return 0
    if styles and not options.data.style_augment:
        files = images.all_files()[1]
        objective.remember(whole_grams(objective, options.loss, files, styles, options.data.style_side))

    log, preview = None, None
    metadata = {
        "network": to_dict(options.network),
        "loss_network": options.loss.loss_network,
        "options": {name: to_dict(getattr(options, name)) for name in ("loss", "data", "train")},
        "versions": describe_versions(),
        **({"styles": styles} if styles else {}),
    }
    if runtime.is_main:
        output.mkdir(parents=True, exist_ok=True)
        sections = {name: to_dict(section) for name, section in vars(options).items() if name in SECTIONS}
        (output / "options.yaml").write_text(yaml.safe_dump(sections))
        log = LossLog(output / "losses.csv", objective.names, start, setting.steps, setting.summary)
        preview = Preview(model, *images.all_files(), options.data.image_size)

    def save(step):
        state = {name: p.asnumpy() for name, p in step_parameters(step_cell).items()}
        arrays = model_arrays(model, step_cell)
        write = model_writer(model, arrays, {**metadata, "step": step}, setting.format, loss_network, state)
        checkpoints.save(step, write, state, {"step": step, **_data_identity(images, runtime, options)})

    rates = learning_rates(setting)
    rows, saved, step = [], start, start
    with _Interrupt() as interrupt:
        for content, style in images.batches(start, setting.steps):
            weights = [table_weights(styles, images, step)] if styles else []
            rows.append(step_cell(content, style, *weights))
            step += 1
            last = step == setting.steps or interrupt.wanted
            at_save = step % setting.save_every == 0
            if last or at_save or step % setting.log_every == 0 or step == start + 1:
                first = step - len(rows)
                values = _finite([row.asnumpy() for row in rows], first, images, objective.names, saved)
                rows = []
                if log is not None:
                    log.write(first + 1, rates[first:step], values)
            if runtime.is_main and (last or at_save):
                save(step)
                saved = step
            if runtime.is_main and (last or step % setting.image_every == 0) and not interrupt.wanted:
                preview.draw(output / "grids" / f"step_{step:08d}.png", model_arrays(model, step_cell))
            if last:
                break
    if log is not None:
        log.close()
    if interrupt.wanted:
        logger.info("interrupted: step %d is saved in %s; the same command goes on", step, checkpoints.folder)
        return INTERRUPTED
    if log is not None:
        log.curves(output / "losses.png")
        logger.info("done: %s", checkpoints.model_file(step))
    return 0


def _finite(rows, first, images, names, saved):
    """The rows, unless one holds NaN or Inf: that stops the training with the step and the batch's files."""
    for i, row in enumerate(rows):
        if not np.all(np.isfinite(row)):
            content, style = images.batch_files(first + i)
            terms = ", ".join(n for n, v in zip(names, row, strict=True) if not np.isfinite(v))
            raise UserError(
                f"step {first + i + 1}: NaN or Inf in {terms}; content images {', '.join(map(str, content))}; style "
                f"images {', '.join(map(str, style))}; look at these files, or go on from step {saved} with a lower "
                "--learning_rate or with --clip_norm"
            )
    return rows


def _data_identity(images, runtime, options):
    """What must be the same for a resumed run to see the same batches."""
    return {
        "seed": runtime.seed,
        "rank_size": runtime.rank_size,
        "batch_size": options.data.batch_size,
        "content_count": images.content_count,
        "style_count": images.style_count,
    }


def _resume(checkpoints, start, model, step_cell, runtime, images, options):
    """Sets model and training state of a step; says so when the batches that follow will be others."""
    where = checkpoints.state_file(start)
    params, metadata = read_checkpoint(checkpoints.model_file(start))
    if metadata and "network" in metadata:
        had = metadata.get("styles", ())
        if tuple(had) != model.styles:
            raise UserError(
                f"cannot resume from {where}: its styles are {', '.join(had) or 'none'}, the options' "
                f"{', '.join(model.styles) or 'none'}; to add some, name it with --init_ckpt, with another --output_dir"
            )
        load_into(model, params, checkpoints.model_file(start))
    state, metadata = checkpoints.load_state(start)
    restore_state(step_cell, state, where)
    for name, value in _data_identity(images, runtime, options).items():
        if metadata and metadata.get(name) != value:
            logger.warning("resuming with other batches: %s was %s, now %s", name, metadata.get(name), value)
    logger.info("resuming after step %d from %s", start, where)
