"""Stylises every content with every style and measures the result.

python eval.py --content_path C --style_path S --ckpt_path F --output_path D [--image_size N] [--interpolation K]
python eval.py --content_path C --style_path S --output_path D --image_size N --config_path configs/optimize.yaml
python eval.py --content_path C --style_path S --pictures DIR --output_path D [--image_size N]
"""

import sys
from pathlib import Path

from src.config import ROOT, parse, refuse_options
from src.errors import UserError, run_entry
from src.files import check_folder
from src.images.files import list_images, read_image
from src.lock import only_run_in
from src.memory import memory_for
from src.modelarts import ModelArtsOptions, on_modelarts
from src.shards import shard_folder, take_shard

# options for the files of a single picture, which eval.py does not use
ONE_PICTURE = ("init_image", "image_width", "print_iterations", "resume", "losses")
ONE_PICTURE += ("checkpoint_iterations", "checkpoint_output")
TRAINED = ("ckpt_path", "inception_ckpt", "interpolation")


def check_method_options(options):
    """Raises a UserError for options that do nothing with the method, or with --pictures."""
    settings = options.eval
    if settings.pictures_path:
        if settings.interpolation:  # also where a recipe says so
            raise UserError(f"option interpolation: found {settings.interpolation}, expected 0 with --pictures FOLDER")
        kept = ("content_path", "style_path", "output_path", "image_size", "pictures")
        refuse_options(options.given, ["eval", "network", "optimize"], kept, "does nothing with --pictures FOLDER")
    elif not options.network.traits.has_networks:
        idle = set(ONE_PICTURE) | set(TRAINED)
        kept = set(vars(settings) | vars(options.optimize)) - idle
        refuse_options(options.given, ["eval", "optimize"], kept, "does nothing here with --method optimize")
    else:
        refuse_options(options.given, ["optimize"], (), "does nothing without --method optimize")


def create_method(options, runtime):
    """The method that stylises: a `Stylizer`, or the optimisation."""
    if not options.network.traits.has_networks:
        from src.optimize.method import Gatys

        folder = ROOT / "pretrained_model"
        return Gatys(options.loss, options.optimize, folder, precision=runtime.precision, seed=runtime.seed)
    from src.stylize.stylizer import Stylizer

    settings = options.eval
    return Stylizer.open(
        settings.ckpt_path,
        "mindspore",
        inception_ckpt=settings.inception_ckpt,
        loss_options=options.loss,
        runtime=runtime,
    )


def create_told_metric(options):
    """The metric of the options; prints a line where the weights of the loss network are missing."""
    from src.evaluation.metrics import create_metric

    searched = [Path(options.eval.ckpt_path).expanduser().parent, ROOT / "pretrained_model"]
    metric = create_metric(options.loss, searched)
    if not metric.has_features:
        print(
            f"no weights of {options.loss.loss_network} in {searched[0]} or {searched[1]}: structural similarity, grid "
            "energy, colours and times only; name a loss network's file with --loss_network_ckpt (and its kind with "
            "--loss_network)"
        )
    return metric


def new_report(settings, folder, contents, styles):
    """The `EvaluationFolder` of some contents and styles."""
    from src.evaluation.names import relative_names
    from src.evaluation.pairs import EvaluationFolder

    names = relative_names(contents, settings.content_path), relative_names(styles, settings.style_path)
    return EvaluationFolder(folder, contents, styles, *names, settings.image_size, settings.writes_pictures)


def measure_found(options, folder, contents, styles):
    """Measures the pictures of --pictures; returns the finished report."""
    from src.evaluation.found_pictures import check_pictures, find_pictures, measure_pictures, named, with_pictures
    from src.runtime import setup

    settings = options.eval
    pictures, others = find_pictures(settings.pictures_path, contents, styles)
    print(f"{len(pictures)} of the {len(contents) * len(styles)} pairs have a picture in {settings.pictures_path}")
    if others:
        print(f"{len(others)} pictures there belong to no pair: {named(others)}")
    contents, styles, pictures = with_pictures(pictures, contents, styles)
    check_pictures(pictures, contents, settings.image_size)
    setup(options.runtime)
    metric = create_told_metric(options)
    report = new_report(settings, folder, contents, styles)
    for pair in measure_pictures(pictures, contents, styles, metric, settings.image_size):
        report.add(pair, pictures[pair.content_index, pair.style_index].name)
    report.finish()
    return report


def measure_method(options, folder, contents, styles):
    """Stylises and measures; returns the finished report."""
    from src.evaluation.pairs import evaluate_pairs
    from src.runtime import setup
    from src.styles import match_styles

    settings = options.eval
    runtime = setup(options.runtime)
    method = create_method(options, runtime)
    names = match_styles(method.styles, styles)
    metric = create_told_metric(options)
    report = new_report(settings, folder, contents, styles)
    print(f"{len(contents)} contents x {len(styles)} styles on {runtime.device_target}")
    for pair in evaluate_pairs(contents, styles, method, metric, settings.image_size, names=names):
        report.add(pair)
        if pair.style_index == len(styles) - 1:
            print(f"content {pair.content_index + 1} of {len(contents)} done", flush=True)
    report.finish()
    if settings.interpolation:
        print(f"interpolating in {settings.interpolation} steps", flush=True)
        report.interpolate(method, settings.interpolation)
    return report


def main(argv):
    """Reads the options, evaluates, returns the exit code."""
    sections = ("eval", "network.method", "optimize", "loss", "runtime")
    description = "Stylises and measures every content with every style, or measures pictures."
    options = parse(argv, sections, description, topics={"optimize": ("optimize",)}, own=ModelArtsOptions)
    check_method_options(options)
    with on_modelarts(options) as options:
        return evaluate(options)


def evaluate(options):
    """Evaluates, says where the results are, returns the exit code."""
    settings = options.eval
    folder = check_folder(settings.output_path, "output_path")
    contents = take_shard(list_images(settings.content_path, "content_path", folder), settings.shard)
    folder = shard_folder(folder, settings.shard)
    styles = list_images(settings.style_path, "style_path", folder)
    for path in {*contents, *styles}:
        read_image(path)  # a damaged file is named now rather than after half of the work
    measured = measure_found if settings.pictures_path else measure_method
    size = settings.image_size
    work = f"option image_size: evaluating pictures of {f'{size} x {size} pixels' if size else 'their own sizes'}"
    smaller = f"use --image_size {size // 2 if size else 512} or less"
    with only_run_in(folder, "output_path"), memory_for(work, smaller):
        report = measured(options, folder, contents, styles)
    if report.grid.cut:
        print(f"grid.png shows the first {report.grid.rows} contents and {report.grid.columns} styles")
    print(report.summary())
    print(f"{'' if settings.pictures_path else 'pictures, '}grid.png and metrics.csv are in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
