"""What stylize.py does with a video: from its options to a finished file."""

from pathlib import Path

from src.config import refuse_options
from src.engines.fastest import Work
from src.errors import UserError
from src.images.files import read_image
from src.stylize.chosen import named_styles, names_styles, open_chosen, style_files
from src.stylize.painting import finish, look_of
from src.video.packages import import_av
from src.video.pipeline import stylize_video
from src.video.source import probe
from src.video.temporal import Plain, Steady
from src.video.webcam import is_webcam, open_camera, record, show

NOT_READ = "does nothing with a webcam; leave it out"


def run(options, progress) -> list[str]:
    """Stylises the video that the options name.

    Args:
        options: of stylize.py, with the sections stylize, video and runtime.
        progress: see `src.video.pipeline.stylize_video`.

    Returns:
        lines for the user.

    Raises:
        UserError: an option that a video can't have, and whatever the video or the styles lack.
    """
    settings = options.stylize
    import_av()
    if not settings.output and not is_webcam(options.content):
        raise UserError("option output: missing; say where the video goes, e.g. -o out.mp4")
    if settings.blend_steps:
        raise UserError("option blend_steps: is for a picture; a video changes its style along --schedule")
    if is_webcam(options.content):
        return run_webcam(options, progress)
    source = probe(options.content)
    stylizer, embeddings = open_styles(options, Work(max(1, source.frames)))
    return stylize_video(
        stylizer,
        embeddings,
        options.content,
        settings.output,
        options.video,
        settings.size,
        settings.strength,
        settings.overwrite,
        progress,
        settings.preserve_colors,
    )


def run_webcam(options, progress) -> list[str]:
    """Stylises a webcam. Arguments and result as those of `run`."""
    settings = options.stylize
    if options.video.schedule:  # of a file of options, too
        raise UserError("option schedule: is for a video file, a webcam has no end; use --style_weights")
    if bool(options.video.frames) != bool(settings.output):
        raise UserError("option frames: goes with --output; give both to write a file, or none for a window")
    if settings.output and Path(settings.output).exists() and not settings.overwrite:
        raise UserError(f"{settings.output}: exists already; add --overwrite or choose another name")
    read_by_all = ("temporal", "frames")
    refuse_options(options.given, ["video"], read_by_all + ("codec", "crf", "preset") * bool(settings.output), NOT_READ)
    with open_camera(options.content) as read:
        stylizer, [(embedding, _)] = open_styles(options, Work(1000))
        painter = (Steady if options.video.temporal else Plain)(stylizer)
        if not stylizer.styles:
            embedding = stylizer.strengthen(read(), embedding, settings.strength)

        look = look_of(stylizer, settings.strength, settings.preserve_colors)

        def paint(frame):
            return finish(frame, [painter.paint(frame, embedding)], look)

        if not settings.output:
            show(read, paint, settings.size)
            return []
        lines = record(read, paint, settings.output, options.video, settings.size, progress)
    return [*lines, *painter.report().splitlines()]


def open_styles(options, work):
    """The stylizer, and (embedding, second) pairs for it: one, or those of --schedule.

    Args:
        options: see `run`.
        work: see `src.engines.choice.choose_engine`.
    """
    settings, schedule = options.stylize, options.video.schedule
    stylizer, _ = open_chosen(settings, options.runtime, names_styles(options.style, settings), work)
    if stylizer.styles:
        styles, weights = named_styles(stylizer.styles, options.style, settings)
    else:
        files, weights = style_files(options.style, settings.styles, settings.style_weights)
        styles = [read_image(path) for path in files]
    embeddings = [stylizer.embed(style) for style in styles]
    if not schedule:
        return stylizer, [(stylizer.blend(embeddings, weights), 0.0)]
    if len(schedule) != len(styles) or len(styles) < 2:
        raise UserError(
            f"option schedule: found {len(schedule)} seconds for {len(styles)} styles, expected two styles or more, "
            "and as many seconds"
        )
    if sorted(set(schedule)) != list(schedule):
        raise UserError(f"option schedule: found {schedule}, expected seconds that rise")
    if settings.style_weights:
        raise UserError("option style_weights: the schedule makes its own weights; leave one of the two out")
    return stylizer, list(zip(embeddings, schedule, strict=True))
