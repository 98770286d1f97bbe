"""Training: preparation, and the loop over the steps."""

import logging
from pathlib import Path

from src.data.dataset import PairedImages
from src.files import check_folder
from src.lock import only_run_in
from src.memory import memory_for
from src.signals import Interrupt, status
from src.training.build import build_objective, build_step
from src.training.distillation.statistics import standardise_statistics
from src.training.files import CheckpointFolder, step_parameters
from src.training.first_weights import build_model, starting_checkpoint
from src.training.outputs import Outputs
from src.training.ranks import check_same_weights
from src.training.run import Run
from src.training.sink import check_sink
from src.training.styles import known_styles, table_styles
from src.weights.modelzoo import check_published

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
            NaN or Inf in step after step; a step that the memory does not hold.
    """
    if options.train.format == "modelzoo":
        check_published(options.network)
    check_sink(options, runtime.device_target)
    output = Path(options.train.output_dir).expanduser()
    data = options.data
    work = f"option batch_size: a step with {data.batch_size} crops of {data.image_size} x {data.image_size} pixels"
    with memory_for(work, "use a smaller --batch_size or --image_size"):
        if not runtime.is_main:  # the ranks are one run, whose files the first one writes
            return _train(options, runtime, output)
        check_folder(output, "output_dir")
        with only_run_in(output, "output_dir"):
            return _train(options, runtime, output)


def _train(options, runtime, output):
    run, steps = prepare(options, runtime, output), options.train.steps
    if run.start >= steps:
        logger.info("%s holds step %d of %d: nothing to do; --steps asks for more", output, run.start, steps)
        return 0
    inputs, run_step = run.steps()
    return run_steps(run, inputs, run_step, Outputs(run, output))


def prepare(options, runtime, output) -> Run:
    """Images, networks, objective and step of a run, with the weights of its start or of its newest checkpoint."""
    train_options, network_options = options.train, options.network
    images, styles = find_images(options, runtime)
    model = build_model(network_options, options.loss, train_options, styles)
    objective, loss_network, parameters = build_objective(options, model, runtime)
    checkpoints = CheckpointFolder(output / "checkpoints", train_options.keep_checkpoints)
    newest = checkpoints.read_newest() if train_options.resume else None
    if newest is None:
        standardise_statistics(model.predictor, images, options.data.image_size)
    step_cell = build_step(train_options, objective, parameters, runtime)
    run = Run(options, runtime, images, model, objective, loss_network, step_cell, checkpoints)
    if newest is not None:
        run.resume(newest)
    # the model's own, too: some of its parameters are not trained
    check_same_weights(step_parameters(step_cell) | dict(model.parameters_and_names()), runtime)
    return run


def find_images(options, runtime):
    """The images of a run (`PairedImages`), and the names of a table's styles."""
    known = known_styles(options.network, starting_checkpoint(options.train))
    images = PairedImages(options.data, runtime.seed, runtime.rank, runtime.rank_size, known)
    styles = table_styles(options.network, images.all_files()[1], known)
    logger.info(
        "%d content images, %d style images, %d files skipped", images.content_count, images.style_count, images.skipped
    )
    return images, styles


def run_steps(run, inputs, run_step, outputs) -> int:
    """Runs the remaining steps. Returns the exit code, see `train`.

    Args:
        run: a `Run`, prepared.
        inputs, run_step: what `run.steps` returned.
        outputs: `Outputs` of the run.
    """
    train_options, step = run.options.train, run.start
    results, save_due = [], False
    with Interrupt() as interrupt:
        for batch in inputs:
            results.append(run_step(*batch))
            step += 1
            last = step == train_options.steps or interrupt.wanted
            # weights are saved after a step that has shown that they give finite losses
            save_due = save_due or last or step % train_options.save_every == 0
            if save_due or step % train_options.log_every == 0 or step == run.start + 1:
                outputs.log(step - len(results), results)
                results = []
            if save_due and (last or not outputs.last_was_skipped):
                outputs.save(step)
                save_due = False
            if (last or step % train_options.image_every == 0) and not interrupt.wanted:
                outputs.draw(step)
            if last:
                break
    outputs.close()
    if interrupt.wanted:
        logger.info("interrupted: step %d is saved in %s; the same command goes on", step, run.checkpoints.folder)
        return status(interrupt.number)
    outputs.finish(step)
    return 0
