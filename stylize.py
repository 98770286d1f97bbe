"""Stylises a picture, or a folder of pictures, with one style image or a blend of several.

python stylize.py photo.jpg painting.jpg -o out.jpg
python stylize.py photo.jpg painting.jpg -o out.jpg --config_path configs/optimize.yaml
"""

import shutil
import sys

from src.config import ROOT, parse, refuse_options
from src.engines.choice import bundled_styles
from src.errors import UserError, run_entry
from src.images.files import read_image
from src.stylize.pictures import (
    blend_rows,
    check_blend,
    measure_work,
    named_styles,
    names_styles,
    plan_jobs,
    run_jobs,
    style_files,
)
from src.stylize.stylizer import Stylizer
from src.video.packages import is_video

# of the section "stylize", what the optimisation reads, too
SHARED = ("output", "styles", "style_weights", "size", "overwrite")


def show_progress(done, total, text=""):
    """A bar on the last line of a terminal, taken away when all is done; elsewhere a line of its own for each text."""
    if not sys.stderr.isatty():
        print(f"{done}/{total}  {text}", file=sys.stderr, flush=True)
        return
    bar = f"[{'#' * (40 * done // total):<40}] {100 * done // total:3d} %  {text}".rstrip()
    bar = bar[: shutil.get_terminal_size().columns - 1]
    end = "\r" + " " * len(bar) + "\r" if done == total else ""
    print(f"\r{bar}{end}", end="", file=sys.stderr, flush=True)


def image_styles(style, settings):
    """The style images that the options name, and their weights."""
    if settings.style or isinstance(settings.style_weights, dict):
        option = "style" if settings.style else "style_weights"
        raise UserError(f"option {option}: names styles, and there is no model with a table of them; name style images")
    files, weights = style_files(style, settings.styles, settings.style_weights)
    check_blend(settings.blend_steps, files, settings.style_weights)
    return [read_image(path) for path in files], weights


def transfer(options, jobs, styles, weights):
    """Yields (job, None or an error) for each job, stylised by a style transfer network.

    styles: the images; None when their files, or names, are to be looked up in the model.
    """
    settings = options.stylize
    checkpoint = settings.checkpoint or (bundled_styles(settings.engine) if styles is None else "")
    work = measure_work(jobs, settings.size)
    stylizer = Stylizer.open(
        checkpoint,
        settings.engine,
        inception_ckpt=settings.inception_ckpt,
        runtime=options.runtime,
        tile=settings.tile,
        work=work,
    )
    if stylizer.styles:
        styles, weights = named_styles(stylizer.styles, options.style, settings)
        check_blend(settings.blend_steps, styles, settings.style_weights)
    elif styles is None:
        styles, weights = image_styles(options.style, settings)
    embeddings = blend_rows(stylizer, styles, weights, settings.blend_steps)
    progress = show_progress if sys.stderr.isatty() else None
    yield from run_jobs(jobs, stylizer, embeddings, settings.strength, settings.size, progress)


def optimize(options, jobs, styles, weights):
    """As `transfer`, each pastiche optimised."""
    from src.optimize.run import Outputs, optimize_file
    from src.optimize.settings import check_scales

    settings = options.optimize
    check_scales(settings, len(styles))
    outputs = Outputs(settings, len(jobs), options.stylize.overwrite)
    initial = read_image(settings.init_image) if settings.init_image else None

    from src.optimize.method import Gatys
    from src.runtime import setup

    runtime = setup(options.runtime)
    folder = ROOT / "pretrained_model"
    method = Gatys(options.loss, settings, folder, weights, runtime.precision, runtime.seed)
    for job in jobs:
        try:
            optimize_file(method, job, styles, initial, outputs, options.stylize.size, show_progress)
        except UserError as error:
            yield job, error
        else:
            yield job, None


def stylize_video(options) -> int:
    """Stylises a video, says what got lost on the way, returns the exit code."""
    from src.video.command import run

    for line in run(options, show_video_progress):
        print(line, file=sys.stderr)
    print(options.stylize.output)
    return 0


def show_video_progress(done, total, text):
    """As `show_progress`, where the number of frames may not be known; elsewhere than on a terminal seldom."""
    if sys.stderr.isatty() or done % 100 == 0 or done == total:
        show_progress(min(done, total or done), total or done, text)


def main(argv):
    """Reads the options, stylises, returns the exit code."""
    options = parse(
        argv,
        ("stylize", "network.method", "optimize", "loss", "video", "runtime"),
        "Stylises a picture, or a folder of them, with a style image or a blend of several.",
        positionals=(
            ("content", None, "photograph, a folder of them, or a video"),
            ("style", "?", "style image; several with --styles instead"),
        ),
        topics={"optimize": ("optimize", "loss"), "video": ("video",)},
    )
    settings, optimises = options.stylize, options.network.method == "optimize"
    if optimises:
        why = "is for a trained network, and does nothing with --method optimize"
        refuse_options(options.given, ["stylize"], SHARED, why)
    else:
        refuse_options(options.given, ["optimize", "loss"], (), "does nothing without --method optimize")
    if is_video(options.content, settings.output):
        if optimises:
            raise UserError("option method: optimize takes minutes a frame and is not for videos; use a network")
        return stylize_video(options)
    refuse_options(options.given, ["video"], (), "is for videos")
    styles, weights = None, None
    if optimises or not names_styles(options.style, settings):
        styles, weights = image_styles(options.style, settings)
    inputs = dict.fromkeys(filter(None, [options.style, *settings.styles]), "the style image")
    if options.optimize.init_image:
        inputs[options.optimize.init_image] = "the picture to start from"
    jobs = plan_jobs(options.content, settings.output, settings.overwrite, inputs)
    if len(jobs) == 1:
        read_image(jobs[0].content)  # says so before the networks are loaded and compiled

    failures = 0
    for job, error in (optimize if optimises else transfer)(options, jobs, styles, weights):
        if error:
            failures += 1
            print(f"error: {error}", file=sys.stderr)
        else:
            print(job.output)
    if failures and len(jobs) > 1:
        print(f"error: {failures} of {len(jobs)} pictures were skipped, see above", file=sys.stderr)
    return 2 if failures else 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
