"""Stylises a picture, or a folder of pictures, with one style image or a blend of several.

python stylize.py photo.jpg painting.jpg -o out.jpg
"""

import sys

from src.config import parse
from src.data.images import read_image
from src.errors import UserError, run_entry
from src.stylize.engines import PACKAGES, choose_engine
from src.stylize.pictures import (
    blend_rows,
    check_blend,
    check_settings,
    named_styles,
    names_styles,
    plan_jobs,
    run_jobs,
    style_files,
)
from src.stylize.stylizer import Stylizer


def show_progress(done, total):
    """A bar on the last line of a terminal, taken away when all is done."""
    bar = f"[{'#' * (40 * done // total):<40}] {100 * done // total:3d} %"
    end = "\r" + " " * len(bar) + "\r" if done == total else ""
    print(f"\r{bar}{end}", end="", file=sys.stderr, flush=True)


def image_styles(style, settings):
    """The style images that the options name, and their weights."""
    if settings.style or isinstance(settings.style_weights, dict):
        option = "style" if settings.style else "style_weights"
        raise UserError(f"option {option}: names styles, but the model has no table of them; give it style images")
    files, weights = style_files(style, settings.styles, settings.style_weights)
    check_blend(settings.blend_steps, files, settings.style_weights)
    return [read_image(path) for path in files], weights


def main(argv):
    """Reads the options, stylises, returns the exit code."""
    options = parse(
        argv,
        ("stylize", "runtime"),
        "Stylises a picture, or a folder of them, with a style image or a blend of several.",
        positionals=(
            ("content", None, "photograph, or a folder of them"),
            ("style", "?", "style image; several with --styles instead"),
        ),
        aliases={"output": ["-o"]},
    )
    settings = options.stylize
    check_settings(settings.strength, settings.size, settings.tile)
    if not names_styles(options.style, settings):
        styles, weights = image_styles(options.style, settings)
    jobs = plan_jobs(options.content, settings.output, settings.overwrite)
    if len(jobs) == 1:
        read_image(jobs[0].content)  # says so before the networks are loaded and compiled

    engine = choose_engine(settings.engine, settings.checkpoint)
    if PACKAGES[engine] == "mindspore":
        from src.runtime import setup

        setup(options.runtime)
    stylizer = Stylizer(
        settings.checkpoint, settings.inception_ckpt, engine=engine, runtime=options.runtime, tile=settings.tile
    )
    if stylizer.styles:
        styles, weights = named_styles(stylizer.styles, options.style, settings)
    elif names_styles(options.style, settings):
        styles, weights = image_styles(options.style, settings)
    check_blend(settings.blend_steps, styles, settings.style_weights)
    embeddings = blend_rows(stylizer, styles, weights, settings.blend_steps)
    failures = 0
    progress = show_progress if sys.stderr.isatty() else None
    for job, error in run_jobs(jobs, stylizer, embeddings, settings.strength, settings.size, progress):
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
