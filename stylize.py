"""Stylises pictures, or a video, with one style image, a blend of several, or styles by name.

python stylize.py photo.jpg painting.jpg -o out.jpg
python stylize.py photos/ painting.jpg -o stylised/
python stylize.py photo.jpg painting.jpg -o out.jpg --config_path configs/optimize.yaml
"""

import dataclasses
import sys

from src.config import ROOT, parse, refuse_options
from src.engines.choice import model_files
from src.errors import UserError, run_entry
from src.images.files import Picture, read_image
from src.progress import Progress
from src.stylize.chosen import check_choice, choose_images, choose_names, embed_rows, names_styles, open_chosen
from src.stylize.jobs import SMALLER, STANDARD, measure_work, plan_jobs, run_jobs
from src.stylize.painting import Look, Painter, finish, read_masks, split_scale
from src.stylize.recipe import Again, describe, hash_files, with_content
from src.video.packages import is_video

# options of the section "stylize" that the optimisation reads, too
SHARED = ("output", "styles", "style_weights", "style_scale", "preserve_colors", "mask", "size", "metadata", "again")
SHARED += ("overwrite", "shard")
# and those that a video reads
OF_VIDEOS = ("output", "style", "styles", "style_weights", "blend_steps", "strength", "size", "tile", "engine")
OF_VIDEOS += ("checkpoint", "inception_ckpt", "overwrite", "preserve_colors")


def read_options(argv):
    """The options, the contents, the style image without an option or None, and the `Again` or None."""
    arguments = {
        "sections": ("stylize", "network.method", "optimize", "loss", "video", "runtime"),
        "description": "Stylises pictures or a video with a style image, a blend of several, or styles by name.",
        "positionals": (
            (
                "pictures",
                "*",
                "photographs (files, folders, globs, or - for stdin) or a video, and after them the style image",
            ),
        ),
        "topics": {"optimize": ("optimize", "loss"), "video": ("video",)},
    }
    options = parse(argv, **arguments)
    settings, pictures = options.stylize, options.pictures
    if settings.again:
        again = Again(settings.again)
        options = parse(argv, **arguments, base=again.values)
        return options, pictures or [again.content()], again.style, again
    by_option = settings.style or settings.styles or isinstance(settings.style_weights, dict)
    style = None if by_option or len(pictures) < 2 else pictures.pop()
    if not pictures:
        hint = "; options such as --styles take every name after them, so name the photograph first" * bool(by_option)
        raise UserError(f"content: missing, expected a photograph, a folder, or - for stdin{hint}")
    return options, pictures, style, None


def transfer(options, style, choice, jobs, progress):
    """A `Painter` for the jobs, the `Choice`, and the files of the model.

    choice: the `Choice` of style images; None where the options may name styles of a model's table.
    """
    settings = options.stylize
    if len(settings.style_scale) > 1:
        raise UserError("option style_scale: found several numbers, expected one; one a style is for --method optimize")
    work = measure_work(jobs, settings.size)
    stylizer, checkpoint = open_chosen(settings, options.runtime, choice is None, work)
    if stylizer.styles:
        choice = choose_names(stylizer.styles, style, settings)
    elif choice is None:
        choice = choose_images(style, settings)
    check_choice(choice, settings)
    embedded_scale, content_scale = split_scale(stylizer, settings.style_scale[0])
    look = Look(
        settings.strength,
        settings.strength_by,
        content_scale,
        settings.preserve_colors,
        settings.size,
        read_masks(settings.mask, len(choice.styles)),
        tuple(choice.names) if settings.sheet else (),
    )
    painter = Painter(stylizer, embed_rows(stylizer, choice, settings, embedded_scale), look, progress.within)
    engine = stylizer.networks.name
    model = [*model_files(engine, checkpoint), *filter(None, [settings.inception_ckpt])]
    # the recipe names the engine, because another engine's picture would differ in the last bits
    options.stylize = dataclasses.replace(settings, engine=engine)
    return painter, choice, model


def optimize(options, choice, jobs, progress):
    """As `transfer`, for --method optimize: the first result is a function that optimises a job's pastiche."""
    from src.optimize.run import Outputs, optimize_content
    from src.optimize.settings import check_scales, size_content

    settings, shared = options.optimize, options.stylize
    check_scales(settings, len(choice.styles))
    outputs = Outputs(settings, len(jobs), shared.overwrite)
    initial = read_image(settings.init_image) if settings.init_image else None
    if len(shared.mask) > 1:
        raise UserError("option mask: one a style is for networks; --method optimize takes a single mask")
    look = Look(masks=read_masks(shared.mask, len(choice.styles)))

    from src.optimize.method import Gatys
    from src.runtime import setup
    from src.weights.loss_network import find_loss_weights

    runtime = setup(options.runtime)
    folder = ROOT / "pretrained_model"
    method = Gatys(options.loss, settings, folder, choice.weights, runtime.precision, runtime.seed)

    def make(job, picture):
        picture = size_content(picture, settings, shared.size, job.content)
        pastiche = optimize_content(method, picture.pixels, choice.styles, initial, outputs, progress.within)
        return Picture(finish(picture.pixels, [pastiche], look), picture.alpha, picture.exif)

    return make, choice, [find_loss_weights(options.loss, folder)]


def share_options(options):
    """Checks that every option given means something for the method, and gives it to the method's section."""
    given, optimises = options.given, not options.network.traits.has_networks
    if not optimises:
        refuse_options(given, ["optimize", "loss"], (), "does nothing without --method optimize")
        return False
    refuse_options(given, ["stylize"], SHARED, "is for a trained network, and does nothing with --method optimize")
    both = {name: getattr(options.stylize, name) for name in ("style_scale", "preserve_colors")}
    told = {name: value for name, value in both.items() if ("stylize", name) in given}
    options.optimize = dataclasses.replace(options.optimize, **told)
    return True


def stylize_video(options, content, style) -> int:
    """Stylises a video, prints what of the source the output lacks, returns the exit code."""
    from src.video.command import run

    refuse_options(options.given, ["stylize"], OF_VIDEOS, "is for pictures, and does nothing with a video")
    options.content, options.style = content, style
    with Progress(1) as progress:

        def report(done, total, text):  # the number of frames may not be known
            if sys.stderr.isatty() or done % 100 == 0 or done == total:
                progress.within(min(done, total or done), total or done, text)

        lines = run(options, report)
    for line in lines:
        print(line, file=sys.stderr)
    if options.stylize.output:  # a webcam may be shown in a window instead
        print(options.stylize.output)
    return 0


def main(argv):
    """Reads the options, stylises, returns the exit code."""
    options, contents, style, again = read_options(argv)
    settings, optimises = options.stylize, share_options(options)
    if videos := [content for content in contents if is_video(content, settings.output)]:
        if optimises:
            raise UserError("option method: optimize takes minutes a frame and is not for videos; use a network")
        if len(contents) > 1:
            raise UserError(f"content {videos[0]}: is a video, which is stylised alone; leave the other contents out")
        return stylize_video(options, contents[0], style)
    refuse_options(options.given, ["video"], (), "is for videos")
    choice = None
    if optimises or not names_styles(style, settings):
        choice = choose_images(style, settings)
        check_choice(choice, settings)
    others = [*settings.mask, *filter(None, [options.optimize.init_image])]
    inputs = dict.fromkeys(others, "a picture to read")
    inputs |= dict.fromkeys(choice.files if choice else (), "the style image")
    jobs, done = plan_jobs(contents, settings.output, settings.overwrite, inputs, settings.shard)
    if done:
        said = "1 picture is there already; --overwrite makes it anew"
        if len(done) > 1:
            said = f"{len(done)} pictures are there already; --overwrite makes them anew"
        print(said, file=sys.stderr)
    if not jobs:
        return 0
    if len(jobs) == 1:  # so that a damaged picture is named before the networks are loaded and compiled
        jobs = [dataclasses.replace(jobs[0], picture=jobs[0].read())]

    smaller = "use a smaller --image_width" if optimises else SMALLER
    failed = []
    with Progress(len(jobs)) as progress:
        if optimises:
            make, choice, model = optimize(options, choice, jobs, progress)
        else:
            make, choice, model = transfer(options, style, choice, jobs, progress)
        sources, model = hash_files(dict.fromkeys([*choice.files, *others])), hash_files(model)
        if again:
            again.check(sources, model)
        said = describe(options, style, sources, model)

        def recipe(job):
            return with_content(said, None if job.content == STANDARD else job.content)

        try:
            for job, error in run_jobs(jobs, make, recipe, settings.metadata, smaller):
                if error:
                    failed.append(error)
                progress.finish_part("" if error or job.output == STANDARD else str(job.output))
        finally:
            for error in failed:
                print(f"error: {error}", file=sys.stderr)
    if failed and len(jobs) > 1:
        print(f"error: {len(failed)} of {len(jobs)} pictures failed, see above", file=sys.stderr)
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
