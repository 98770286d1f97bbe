"""The training loop."""

import functools
import logging
from pathlib import Path

import yaml

from src.config import to_dict
from src.data.dataset import PairedImages
from src.errors import UserError
from src.files import atomic_write, check_folder
from src.lock import only_run_in
from src.sections import SECTIONS
from src.signals import Interrupt, status
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
from src.training.ranks import check_same_weights
from src.training.schedule import learning_rates
from src.training.sink import check_sink, sink
from src.training.skipped import SkippedSteps
from src.training.style_crops import fixed_crops
from src.training.styles import known_styles, table_styles, table_weights, whole_grams
from src.weights.modelzoo import check_published
from src.weights.native import load_into

logger = logging.getLogger("style_transfer")


def train(options, runtime) -> int:
    """Trains as the options say, from the start or from the newest checkpoint in the output folder.

    Args:
        options: namespace of `network`, `loss`, `data`, `train` (see `src.config`).
        runtime: `src.runtime.Runtime`.

    Returns:
        0 when all steps are done, 130 after Ctrl-C or SIGTERM, 129 after SIGHUP (a checkpoint is saved).

    Raises:
        UserError: folders, weights or options that can't be used, among them an output folder that another run uses;
            NaN or Inf in step after step.
    """
    if options.train.format == "modelzoo":
        check_published(options.network)
    check_sink(options, runtime.device_target)
    output = Path(options.train.output_dir).expanduser()
    if not runtime.is_main:  # the ranks are one run, whose files the first one writes
        return _train(options, runtime, output)
    check_folder(output, "output_dir")
    with only_run_in(output, "output_dir"):
        return _train(options, runtime, output)


def _train(options, runtime, output):
    setting = options.train
    known = known_styles(options.network, starting_checkpoint(setting))
    images = PairedImages(options.data, runtime.seed, runtime.rank, runtime.rank_size, known)
    styles = table_styles(options.network, images.all_files()[1], known)
    logger.info(
        "%d content images, %d style images, %d files skipped", images.content_count, images.style_count, images.skipped
    )
    model = build_model(options.network, options.loss, setting, styles)
    objective, loss_network, parameters = build_objective(options, model, runtime)
    checkpoints = CheckpointFolder(output / "checkpoints", setting.keep_checkpoints)
    newest = checkpoints.read_newest() if setting.resume else None
    start = newest[0] if newest else 0
    if not start:
        standardise_statistics(model.predictor, images, options.data.image_size)
    step_cell = build_step(setting, objective, parameters, runtime)
    if start:
        _resume(checkpoints, newest, model, step_cell, runtime, images, options)
    check_same_weights(step_parameters(step_cell), runtime)
    if start >= setting.steps:
        logger.info("%s holds step %d of %d: nothing to do; --steps asks for more", output, start, setting.steps)
        return 0
    if styles and not options.data.style_augment:
        files = images.all_files()[1]
        objective.remember(whole_grams(objective, options.loss, files, styles, options.data.style_side))

    crops = fixed_crops(options, objective, images)

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
        with atomic_write(output / "options.yaml") as temporary:
            temporary.write_text(yaml.safe_dump(sections))
        log = LossLog(output / "losses.csv", objective.names, start, setting.steps, setting.summary)
        preview = Preview(model, *images.all_files(), options.data.image_size)

    def save(step):
        state = {name: p.asnumpy() for name, p in step_parameters(step_cell).items()}
        arrays = model_arrays(model, step_cell)
        write = model_writer(model, arrays, {**metadata, "step": step}, setting.format, loss_network, state)
        identity = _data_identity(images, runtime, options)
        checkpoints.save(step, write, state, {"step": step, "samples": images.samples_before(step), **identity})

    rates = learning_rates(setting)
    skipped = SkippedSteps(images, objective.names, start)
    results, save_due, step = [], False, start
    batches, run_step = images.batches(start, setting.steps), step_cell
    if setting.dataset_sink_mode:
        weights = functools.partial(table_weights, styles, images) if styles else None
        batches, run_step = sink(step_cell, images, start, setting.steps, weights)
    with Interrupt() as interrupt:
        for batch in batches:
            given = []
            if styles and batch:
                given = [table_weights(styles, images, step)]
            elif crops is not None:
                given = crops.targets(images.style_crops(step), batch[1])
            results.append(run_step(*batch, *given))
            step += 1
            last = step == setting.steps or interrupt.wanted
            # weights are saved after a step that has shown that they give finite losses
            save_due = save_due or last or step % setting.save_every == 0
            if save_due or step % setting.log_every == 0 or step == start + 1:
                first = step - len(results)
                results = [(terms.asnumpy(), done.asnumpy()) for terms, done in results]
                skipped.look(first, results)
                if log is not None:
                    log.write(first + 1, rates[first:step], [terms for terms, _ in results])
                results = []
            if save_due and (last or not skipped.last_was_skipped):
                if runtime.is_main:
                    save(step)
                skipped.saved(step)
                save_due = False
            if runtime.is_main and (last or step % setting.image_every == 0) and not interrupt.wanted:
                preview.draw(output / "grids" / f"step_{step:08d}.png", model_arrays(model, step_cell))
            if last:
                break
    if log is not None:
        log.close()
    if interrupt.wanted:
        logger.info("interrupted: step %d is saved in %s; the same command goes on", step, checkpoints.folder)
        return status(interrupt.number)
    if log is not None:
        log.curves(output / "losses.png")
        logger.info("done: %s", checkpoints.model_file(step))
    return 0


def _data_identity(images, runtime, options):
    """What must be the same for a resumed run to see the same batches."""
    return {
        "seed": runtime.seed,
        "rank_size": runtime.rank_size,
        "batch_size": options.data.batch_size,
        "content_count": images.content_count,
        "style_count": images.style_count,
        "style_crops": options.data.style_crops,
    }


def _resume(checkpoints, newest, model, step_cell, runtime, images, options):
    """Sets model and training state of a step; says so when the batches that follow will be others."""
    start, (params, model_metadata), (state, metadata) = newest
    where = checkpoints.state_file(start)
    if model_metadata and "network" in model_metadata:
        had = model_metadata.get("styles", ())
        if tuple(had) != model.styles:
            raise UserError(
                f"cannot resume from {where}: its styles are {', '.join(had) or 'none'}, the options' "
                f"{', '.join(model.styles) or 'none'}; to add some, name it with --init_ckpt, with another --output_dir"
            )
        load_into(model, params, checkpoints.model_file(start))
    restore_state(step_cell, state, where)
    identity = _data_identity(images, runtime, options)
    if metadata and "rank_size" in metadata:
        drawn = start * metadata["rank_size"] * metadata["batch_size"]
        images.go_on(start, metadata.get("samples", drawn))  # a state of an earlier version has no "samples"
        if drawn == start * runtime.rank_size * options.data.batch_size:
            # the same samples a step, on another number of ranks
            identity = {k: v for k, v in identity.items() if k not in ("rank_size", "batch_size")}
    for name, value in identity.items():
        if metadata and metadata.get(name, 0) != value:
            logger.warning("resuming with other batches: %s was %s, now %s", name, metadata.get(name), value)
    logger.info("resuming after step %d from %s", start, where)
