"""From files to files: plans which picture is written where, leaves out what exists, and makes one after the other."""

import dataclasses
import glob
import io
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

from src.engines.fastest import Work
from src.errors import UserError
from src.files import check_folder, refuse_inputs
from src.images.files import (
    Picture,
    check_writable,
    encode_image,
    has_writer,
    list_images,
    read_picture,
    write_image,
)
from src.images.formats import open_image
from src.memory import memory_for
from src.shards import take_shard

SAMPLED = 9
STANDARD = "-"  # stdin as content, stdout as output
# the format of a picture on stdout: without loss, with alpha
STDOUT_SUFFIX = ".png"
SMALLER = "use a smaller --size, or small tiles (--tile 256)"


@dataclass(frozen=True)
class Job:
    """One content and the picture to write for it.

    Attributes:
        content: the content's file; `STANDARD` for stdin.
        output: the file to write; `STANDARD` for stdout.
        picture: the content, where it has been read already.
    """

    content: Path | str
    output: Path | str
    picture: Picture | None = None

    def read(self) -> Picture:
        """The content.

        Raises:
            UserError: the content can't be read.
        """
        if self.picture:
            return self.picture
        if self.content != STANDARD:
            return read_picture(self.content)
        return read_picture(io.BytesIO(sys.stdin.buffer.read()), "stdin")

    def write(self, picture, recipe=None):
        """Writes a `Picture`; see `src.images.files.write_image` for the recipe and the errors."""
        beside = {"alpha": picture.alpha, "exif": picture.exif, "recipe": recipe}
        if self.output == STANDARD:
            sys.stdout.buffer.write(encode_image(STDOUT_SUFFIX, picture.pixels, **beside))
            sys.stdout.buffer.flush()
        else:
            write_image(self.output, picture.pixels, **beside)


def plan_jobs(contents, output, overwrite, inputs=None, shard="") -> tuple[list[Job], list[Job]]:
    """The pictures to write for contents. Refuses outputs that can't be written, before any work.

    Pictures of a folder, or of a glob such as "trips/*/a*.jpg", keep their names and subfolders under `output`; single
    files keep their names. A format that can be read but not written becomes .png. Where the output folder lies inside
    the contents' folder, its pictures are no contents.

    Args:
        contents: files, folders, globs, or `STANDARD` alone.
        output: the file to write for a single file, else the folder; `STANDARD` for stdout.
        overwrite: whether outputs may exist.
        inputs: other files that must stay, {file: what it is}.
        shard: which part of the contents, see `src.shards.take_shard`.

    Returns:
        the jobs to do, and the jobs whose pictures exist already. An existing picture of a single file is an error.

    Raises:
        UserError: nothing to read, or an output that exists, can't be written, or is an input.
    """
    if STANDARD in contents and len(contents) > 1:
        raise UserError("content -: stdin is one picture; leave the other contents out")
    output = output or (STANDARD if STANDARD in contents else "")
    if not output:
        raise UserError("option output: missing; say where the picture goes, e.g. -o out.jpg")
    single = len(contents) == 1 and (contents[0] == STANDARD or Path(contents[0]).expanduser().is_file())
    if output == STANDARD and not single:
        raise UserError("option output: - is for a single picture; name a folder")
    if single:
        jobs = [_plan_one(contents[0], output)]
    else:
        folder, found = Path(output).expanduser(), {}
        for content in contents:
            for path, name in _find(content, folder):
                found.setdefault(path, name)
        _check_output_folder(contents, folder)
        names = _output_names(list(found.values()))
        jobs = [Job(path, folder / name) for path, name in zip(found, names, strict=True)]
    files = [job.content for job in jobs if job.content != STANDARD]
    jobs = take_shard(jobs, shard)
    outputs = [job.output for job in jobs if job.output != STANDARD]
    refuse_inputs(outputs, {**(inputs or {}), **dict.fromkeys(files, "the content")})
    for path in outputs:
        check_writable(path, overwrite or not single)
    done = [job for job in jobs if not (single or overwrite) and job.output.exists()]
    return [job for job in jobs if job not in done], done


def _plan_one(content, output):
    if content != STANDARD:
        content = list_images(content, "content")[0]
    if output == STANDARD:
        return Job(content, STANDARD)
    target = Path(output).expanduser()
    if target.is_dir() or output.endswith("/"):
        name = f"stdin{STDOUT_SUFFIX}" if content == STANDARD else content.name
        target = target / _output_names([Path(name)])[0]
    check_folder(target.parent, "output")
    return Job(content, target)


def _check_output_folder(contents, folder):
    if folder.resolve() in [Path(content).expanduser().resolve() for content in contents]:
        raise UserError(f"option output: {folder} is the folder of the contents; choose another folder")
    check_folder(folder, "output")
    if has_writer(folder) and not folder.is_dir():
        raise UserError(
            f"option output: found {folder} for {', '.join(map(str, contents[:3]))}{' ...' * (len(contents) > 3)}; "
            "several contents need a folder, such as -o out/ (with --style or --styles, all pictures are contents)"
        )


def _find(content, folder):
    """(file, its path under the output folder) of each picture that a file, a folder or a glob stands for."""
    path = Path(content).expanduser()
    if path.is_dir():
        return [(file, file.relative_to(path)) for file in list_images(path, "content", folder)]
    if path.exists() or not glob.has_magic(str(path)):
        return [(file, Path(file.name)) for file in list_images(path, "content")]
    fixed = Path(*(part for part in path.parts[: [glob.has_magic(part) for part in path.parts].index(True)]))
    files = [Path(found) for found in sorted(glob.glob(str(path), recursive=True)) if Path(found).is_file()]
    results = folder.resolve()
    files = [file for file in files if results not in file.resolve().parents or results in Path.cwd().parents]
    if not files:
        raise UserError(f"option content: {content}: no file has such a name; check the spelling")
    return [(file, file.relative_to(fixed)) for file in files]


def _output_names(names):
    """Names of the pictures for the contents' relative paths; with .png where the format can't be written.

    Raises:
        UserError: two contents whose pictures would have one name.
    """
    taken, chosen = {name for name in names if has_writer(name)}, []
    if len({*names}) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"content {twice}: two contents have this name; stylise them into two folders")
    for name in names:
        if not has_writer(name):
            name = next((n for n in (name.with_suffix(".png"), Path(f"{name}.png")) if n not in taken), None)
            if name is None:
                raise UserError(f"content {names[len(chosen)]}: others have the names of its picture; rename it")
            taken.add(name)
        chosen.append(name)
    return chosen


def measure_work(jobs, size=0) -> Work:
    """The `Work` of jobs: the number of pictures, and the pixels of the median of the first few contents.

    Args:
        jobs: from `plan_jobs`.
        size: short side of the output in pixels; 0 for the content's.
    """
    found = []
    for job in jobs[:SAMPLED]:
        try:
            sides = job.picture.pixels.shape[1::-1] if job.picture else open_image(job.content).size
        except Exception:  # noqa: BLE001  whatever a damaged file leads PIL to: it is named when its turn comes
            continue
        scale = size / min(sides) if size else 1
        found.append(int(sides[0] * sides[1] * scale**2))
    return Work(len(jobs), statistics.median_high(found) if found else 0)


def run_jobs(jobs, make, recipe=None, metadata=True, smaller=SMALLER):
    """Makes and writes every picture.

    Args:
        jobs: from `plan_jobs`.
        make: function of a job and its `Picture` that gives the `Picture` to write.
        recipe: function of a job that gives the recipe to write into its picture.
        metadata: whether EXIF and recipe are written.
        smaller: what the user can do where the memory does not hold a picture.

    Yields:
        (job, None) when the picture is written; (job, the `UserError`) when the content can't be read, the memory does
        not hold what is made of it, or the format can't hold the picture.

    Raises:
        OSError: the disk refuses a picture, and would refuse the others, too.
    """
    for job in jobs:
        try:
            content = job.read()
            height, width = content.pixels.shape[:2]
            with memory_for(f"{job.content}: a picture of {width} x {height} pixels", smaller):
                picture = make(job, content)
                if not metadata:
                    picture = dataclasses.replace(picture, exif=b"")
                job.write(picture, recipe(job) if metadata and recipe else None)
        except UserError as error:
            named = str(job.content) in str(error) or str(job.output) in str(error)
            yield job, error if named else UserError(f"{job.content}: {error}")
        else:
            yield job, None
