"""From files to files: which picture is written where, and stylising one content or a folder of them."""

from dataclasses import dataclass
from pathlib import Path

from src.data.images import check_writable, list_images, read_image, resize_short_side, write_image
from src.errors import UserError
from src.files import check_folder
from src.stylize.tiles import check_tile

STRONGEST = 1.5


@dataclass(frozen=True)
class Job:
    """One content image file and the picture to write for it."""

    content: Path
    output: Path


def plan_jobs(content, output, overwrite) -> list[Job]:
    """What to write for a content image or a folder of them. Refuses what can't be written, before any work.

    A folder's pictures keep their names and subfolders under `output`; a single content with a folder as output keeps
    its name, too. Pictures that already lie in the output folder are no contents.

    Args:
        content: a file or a folder.
        output: the file, or the folder, to write.
        overwrite: whether outputs may exist.

    Raises:
        UserError: nothing to read, or an output that exists, can't be written, or is its own content.
    """
    if not output:
        raise UserError("option output: missing; say where the picture goes, e.g. -o out.jpg")
    files = list_images(content, "content")
    content, target = Path(content).expanduser(), Path(output).expanduser()
    if content.is_dir():
        under = target.resolve()
        if under == content.resolve():
            raise UserError(f"option output: {output} is the folder of the contents; choose another folder")
        files = [path for path in files if under not in path.resolve().parents]
        if not files:
            raise UserError(f"option content: {content}: no image in it but those of the output folder")
        folder = check_folder(target, "output")
        jobs = [Job(path, folder / path.relative_to(content)) for path in files]
    else:
        if target.is_dir() or output.endswith("/"):
            target = target / content.name
        check_folder(target.parent, "output")
        jobs = [Job(content, target)]
    for job in jobs:
        if job.output.exists() and job.output.samefile(job.content):
            raise UserError(f"option output: {job.output} is the content itself; choose another name")
        check_writable(job.output, overwrite)
    return jobs


def style_files(style, styles, weights) -> tuple[list, list[float]]:
    """The style image files and a weight for each, from a single style or several.

    Raises:
        UserError: none or both of them, no such file, or weights that make no blend.
    """
    if bool(style) == bool(styles):
        found = "both a style image and --styles" if style else "no style image"
        raise UserError(f"option styles: found {found}, expected one style image, or --styles and as many as you like")
    if style and weights:
        raise UserError("option style_weights: is for several styles; name them with --styles, or use --strength")
    styles = styles or [style]
    weights = weights or [1.0] * len(styles)
    if len(weights) != len(styles):
        raise UserError(f"option style_weights: found {len(weights)} for {len(styles)} styles, expected one a style")
    if not all(0 <= weight < float("inf") for weight in weights) or not sum(weights):
        raise UserError(f"option style_weights: found {weights}, expected numbers from 0, one of them above 0")
    for path in styles:
        if Path(path).is_dir():
            raise UserError(f"option styles: {path} is a folder, expected an image file")
    return styles, weights


def check_settings(strength, size, tile=0):
    """Raises a UserError for a strength, a size or a side of tiles that makes no picture."""
    if not 0 <= strength <= STRONGEST:
        raise UserError(f"option strength: found {strength}, expected a number from 0 to {STRONGEST}")
    if size < 0:
        raise UserError(f"option size: found {size}, expected pixels, or 0 for the content's own size")
    check_tile(tile)


def run_jobs(jobs, stylizer, embedding, strength=1.0, size=0, progress=None):
    """Stylises and writes every job.

    Args:
        jobs: from `plan_jobs`.
        stylizer: `src.stylize.stylizer.Stylizer`.
        embedding: (embedding_dim,) of the style, or of the blend of styles.
        strength: 0 to 1.5, see `Stylizer.strengthen`.
        size: short side of the output in pixels; 0 for the content's.
        progress: see `Stylizer.stylize`.

    Yields:
        (job, None) when it is written; (job, the `UserError`) when its content can't be read or its format can't hold
        it.

    Raises:
        OSError: the disk refuses a picture: it would refuse the others, too.
    """
    for job in jobs:
        try:
            content = read_image(job.content)
            if size:
                content = resize_short_side(content, size)
            pastiche = stylizer.stylize(content, stylizer.strengthen(content, embedding, strength), progress)
            write_image(job.output, pastiche)
        except UserError as error:
            yield job, error
        else:
            yield job, None
