"""Stylises every content with every style and measures the result.

python eval.py --content_path C --style_path S --ckpt_path F --output_path D [--image_size N] [--interpolation K]
python eval.py --content_path C --style_path S --output_path D --image_size N --config_path configs/optimize.yaml
"""

import sys
from pathlib import Path

from src.config import ROOT, parse, refuse_options
from src.data.images import list_images, read_image
from src.errors import run_entry
from src.files import check_folder

# what concerns one picture's files, which eval.py writes in its own way
ONE_PICTURE = ("init_image", "image_width", "print_iterations", "resume", "losses")
ONE_PICTURE += ("checkpoint_iterations", "checkpoint_output")
TRAINED = ("ckpt_path", "inception_ckpt", "interpolation")


def check_method_options(options):
    """Raises a UserError for options that do nothing with the method."""
    if options.network.method == "optimize":
        idle = set(ONE_PICTURE) | set(TRAINED)
        kept = set(vars(options.eval) | vars(options.optimize)) - idle
        refuse_options(options.given, ["eval", "optimize"], kept, "does nothing here with --method optimize")
    else:
        refuse_options(options.given, ["optimize"], (), "does nothing without --method optimize")


def create_method(options, runtime):
    """What stylises: a `Stylizer`, or the optimisation."""
    if options.network.method == "optimize":
        from src.gatys.method import Gatys

        folder = ROOT / "pretrained_model"
        return Gatys(options.loss, options.optimize, folder, precision=runtime.precision, seed=runtime.seed)
    from src.stylize.stylizer import Stylizer

    settings = options.eval
    return Stylizer(settings.ckpt_path, settings.inception_ckpt, options.loss, "mindspore", options.runtime)


def main(argv):
    """Reads the options, evaluates, returns the exit code."""
    sections = ("eval", "network.method", "optimize", "loss", "runtime")
    topics = {"optimize": ("optimize",)}
    options = parse(argv, sections, "Stylises and measures every content with every style.", topics=topics)
    settings = options.eval
    check_method_options(options)
    folder = check_folder(settings.output_path, "output_path")
    contents = list_images(settings.content_path, "content_path")
    styles = list_images(settings.style_path, "style_path")
    for path in {*contents, *styles}:
        read_image(path)  # a damaged file is named now rather than after half of the work

    from src.evaluation import EvaluationFolder, evaluate_pairs, relative_names
    from src.metrics import create_metric
    from src.runtime import setup
    from src.stylize.named import match_styles

    runtime = setup(options.runtime)
    method = create_method(options, runtime)
    names = match_styles(method.styles, styles)
    searched = [Path(settings.ckpt_path).expanduser().parent, ROOT / "pretrained_model"]
    metric = create_metric(options.loss, searched)
    if not metric.has_features:
        print(
            f"no weights of {options.loss.loss_network} in {searched[0]} or {searched[1]}: structural similarity and "
            "times only; name a loss network's file with --loss_network_ckpt (and its kind with --loss_network)"
        )
    report = EvaluationFolder(
        folder,
        contents,
        styles,
        relative_names(contents, settings.content_path),
        relative_names(styles, settings.style_path),
        settings.image_size,
        settings.pictures,
    )
    print(f"{len(contents)} contents x {len(styles)} styles on {runtime.device_target}")
    for pair in evaluate_pairs(contents, styles, method, metric, settings.image_size, names=names):
        report.add(pair)
        if pair.style_index == len(styles) - 1:
            print(f"content {pair.content_index + 1} of {len(contents)} done", flush=True)
    report.finish()
    if report.grid.cut:
        print(f"grid.png shows the first {report.grid.rows} contents and {report.grid.columns} styles")
    if settings.interpolation:
        print(f"interpolating in {settings.interpolation} steps", flush=True)
        report.interpolate(method, settings.interpolation)
    print(report.summary())
    print(f"pictures, grid.png and metrics.csv are in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
