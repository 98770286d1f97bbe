"""From files to files: which picture is written where, and stylising one content or a folder of them."""

import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from src.engines.fastest import Work
from src.errors import UserError
from src.files import check_folder, refuse_inputs
from src.images.files import check_writable, has_writer, list_images, read_image, resize_short_side, write_image
from src.images.sheets import sheet
from src.styles import blend_weights

SAMPLED = 9


@dataclass(frozen=True)
class Job:
    """One content image file and the picture to write for it."""

    content: Path
    output: Path


def plan_jobs(content, output, overwrite, inputs=None) -> list[Job]:
    """What to write for a content image or a folder of them. Refuses what can't be written, before any work.

    A folder's pictures keep their names and subfolders under `output`; a single content with a folder as output keeps
    its name, too. Those of formats that are read only become .png. Pictures that lie in an output folder inside the
    contents' are no contents.

    Args:
        content: a file or a folder.
        output: the file, or the folder, to write.
        overwrite: whether outputs may exist.
        inputs: other files that must stay, {file: what it is}.

    Raises:
        UserError: nothing to read, or an output that exists, can't be written, or is an input.
    """
    if not output:
        raise UserError("option output: missing; say where the picture goes, e.g. -o out.jpg")
    content, target = Path(content).expanduser(), Path(output).expanduser()
    if content.is_dir():
        if target.resolve() == content.resolve():
            raise UserError(f"option output: {output} is the folder of the contents; choose another folder")
        files = list_images(content, "content", target)
        folder = check_folder(target, "output")
        names = [path.relative_to(content) for path in files]
        jobs = [Job(path, folder / name) for path, name in zip(files, _output_names(names), strict=True)]
    else:
        files = list_images(content, "content")
        if target.is_dir() or output.endswith("/"):
            target = target / _output_names([Path(content.name)])[0]
        check_folder(target.parent, "output")
        jobs = [Job(content, target)]
    outputs = [job.output for job in jobs]
    refuse_inputs(outputs, {**(inputs or {}), **dict.fromkeys(files, "the content")})
    for path in outputs:
        check_writable(path, overwrite)
    return jobs


def _output_names(names):
    """Names of the pictures for contents by theirs, relative paths: .png where a format can't be written.

    Raises:
        UserError: two contents whose pictures would have one name.
    """
    taken, chosen = {name for name in names if has_writer(name)}, []
    for name in names:
        if not has_writer(name):
            name = next((n for n in (name.with_suffix(".png"), Path(f"{name}.png")) if n not in taken), None)
            if name is None:
                raise UserError(f"content {names[len(chosen)]}: others have the names of its picture; rename it")
            taken.add(name)
        chosen.append(name)
    return chosen


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


def names_styles(style, settings) -> bool:
    """Whether the options may pick styles by name, as a model with a table has them, rather than by image files.

    Args:
        style: the style image, or None.
        settings: `src.sections.StylizeConfig`.
    """
    if settings.style or isinstance(settings.style_weights, dict):
        return True
    if not settings.checkpoint:  # of the bundled models, one has a table; a file's name has an ending
        return bool(settings.styles) and not any(Path(name).suffix or Path(name).exists() for name in settings.styles)
    files = settings.styles and all(Path(path).exists() for path in settings.styles)
    return not style and not files


def named_styles(styles, style, settings) -> tuple[list, list[float]]:
    """The styles that the options pick from a model's table, and a weight for each.

    Args:
        styles: names of the model's styles.
        style: the style image, or None.
        settings: `src.sections.StylizeConfig`.

    Raises:
        UserError: none of them where there are several, or picked in two ways; weights with another sum than 1.
    """
    known = ", ".join(styles)
    if style:
        raise UserError(f"style image {style}: the model embeds no images; choose with --style one of {known}")
    by_weights = settings.style_weights if isinstance(settings.style_weights, dict) else {}
    ways = [way for way in (settings.style, settings.styles, by_weights) if way]
    if len(ways) > 1 or (settings.style and settings.style_weights):
        raise UserError("option style: found more than one of --style, --styles and --style_weights name=weight")
    if not ways and len(styles) > 1:
        raise UserError(f"option style: missing; choose one of {known}, or blend with --style_weights name=weight,...")
    chosen = [settings.style] if settings.style else list(by_weights) or settings.styles or list(styles)
    weights = list(by_weights.values()) or settings.style_weights or [1 / len(chosen)] * len(chosen)
    if len(weights) != len(chosen):
        raise UserError(f"option style_weights: found {len(weights)} for {len(chosen)} styles, expected one a style")
    if len(set(chosen)) < len(chosen):
        raise UserError(f"option styles: found {', '.join(chosen)}, where one style stands twice")
    blend_weights(styles, dict(zip(chosen, weights, strict=True)))
    return chosen, weights


def blend_rows(stylizer, styles, weights, steps=0) -> list[list]:
    """Embeddings of a blend of styles, or of a strip or a square of blends: rows of them.

    Args:
        stylizer: `src.stylize.stylizer.Stylizer`.
        styles: what it embeds.
        weights: of the one blend.
        steps: 0 for that one; else from the first style to the second in so many, or from the first two above to the
            other two below (Dumoulin et al. 2016, figure 7).
    """
    corners = [stylizer.embed(style) for style in styles]
    if not steps:
        return [[stylizer.blend(corners, weights)]]
    places = np.linspace(0, 1, steps)
    pairs = [corners[i : i + 2] for i in range(0, len(corners), 2)]
    across = [[stylizer.blend(pair, [1 - x, x]) for x in places] for pair in pairs]
    if len(across) == 1:
        return across
    return [[stylizer.blend(pair, [1 - y, y]) for pair in zip(*across, strict=True)] for y in places]


def check_blend(steps, styles, weights):
    """Raises a UserError unless so many steps between these styles make a strip or a square."""
    if not steps:
        return
    if len(styles) not in (2, 4):
        found = f"option blend_steps: found {len(styles)} style{'s' * (len(styles) != 1)}"
        raise UserError(f"{found}, expected 2 for a strip or 4 for a square (--styles)")
    if weights:
        raise UserError("option blend_steps: makes its own weights; leave --style_weights out")


def measure_work(jobs, size=0) -> Work:
    """How many pictures the jobs are, and of how many pixels the middle one of the first few contents is, or will be.

    Args:
        jobs: from `plan_jobs`.
        size: short side of the output in pixels; 0 for the content's.
    """
    found = []
    for job in jobs[:SAMPLED]:
        try:
            with Image.open(job.content) as image:  # reads the header only
                sides = image.size
        except Exception:  # noqa: BLE001  whatever a damaged file leads PIL to: it is named when its turn comes
            continue
        scale = size / min(sides) if size else 1
        found.append(int(sides[0] * sides[1] * scale**2))
    return Work(len(jobs), statistics.median_high(found) if found else 0)


def run_jobs(jobs, stylizer, embeddings, strength=1.0, size=0, progress=None):
    """Stylises and writes every job.

    Args:
        jobs: from `plan_jobs`.
        stylizer: `src.stylize.stylizer.Stylizer`.
        embeddings: rows of them, (embedding_dim,) each: of one style or blend, or of a sheet, see `blend_rows`.
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
            pastiches = [
                [stylizer.stylize(content, stylizer.strengthen(content, e, strength), progress) for e in row]
                for row in embeddings
            ]
            write_image(job.output, pastiches[0][0] if len(pastiches[0]) == 1 else sheet(pastiches))
        except UserError as error:
            named = str(job.content) in str(error) or str(job.output) in str(error)
            yield job, error if named else UserError(f"{job.content}: {error}")
        else:
            yield job, None
