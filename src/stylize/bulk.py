"""Very many pictures, by several workers: the work of one worker on a batch, and the table of failures.

This module does not start workers; scripts/bulk.py does that with Ray Data.
"""

import csv
import dataclasses
from pathlib import Path

from src.files import TEMPORARY_PREFIX, atomic_write
from src.stylize.chosen import check_choice, choose_images, choose_names, embed_rows, names_styles, open_chosen
from src.stylize.jobs import Job, run_jobs
from src.stylize.painting import Look, Painter

FAILURES = "failures.csv"


def to_row(job) -> dict:
    """A `Job` as a row of a table."""
    return {"content": str(job.content), "output": str(job.output)}


def prepare_choice(style, settings):
    """The `Choice` of style images; None for names of a table. The images are read here, so workers need no files.

    Args:
        style: the style image, or None.
        settings: `src.sections.StylizeConfig`.

    Raises:
        UserError: see `src.stylize.chosen.choose_images`.
    """
    if names_styles(style, settings):
        return None
    choice = choose_images(style, settings)
    check_choice(choice, settings)
    return choice


class Worker:
    """Stylises batches with one `Stylizer`, opened once.

    Args:
        settings: `src.sections.StylizeConfig`.
        runtime_options: `src.sections.RuntimeConfig`.
        choice: from `prepare_choice`.
    """

    def __init__(self, settings, runtime_options, choice):
        stylizer, _ = open_chosen(settings, runtime_options, choice is None)
        if choice is None:
            choice = choose_names(stylizer.styles, None, settings)
        look = Look(settings.strength, settings.strength_by, size=settings.size)
        self._make = Painter(stylizer, embed_rows(stylizer, choice, settings), look)

    def __call__(self, batch) -> dict:
        """Stylises a batch.

        A picture that exists is left alone, because a batch that a killed worker had begun comes a second time.

        Args:
            batch: rows of `to_row` as {name: list}.

        Returns:
            the batch with `error`, a text for each row, empty where all went well.
        """
        contents, outputs = (list(map(str, batch[name])) for name in ("content", "output"))
        jobs = [Job(Path(content), Path(output)) for content, output in zip(contents, outputs, strict=True)]
        missing = [job for job in jobs if not job.output.exists()]
        errors = {str(job.output): str(error) for job, error in run_jobs(missing, self._make, metadata=False) if error}
        return {"content": contents, "output": outputs, "error": [errors.get(output, "") for output in outputs]}


def remove_outputs(jobs):
    """Removes the pictures of jobs, for --overwrite, because a worker leaves existing pictures alone."""
    for job in jobs:
        Path(job.output).unlink(missing_ok=True)


def remove_leftovers(folder):
    """Removes the unfinished files that killed workers left in a folder and those below."""
    for path in Path(folder).rglob(f"{TEMPORARY_PREFIX}*"):
        path.unlink(missing_ok=True)


def write_failures(folder, failures) -> Path | None:
    """Writes the table of failures, {content: error}; without failures, removes the table of an earlier run."""
    path = Path(folder) / FAILURES
    if not failures:
        path.unlink(missing_ok=True)
        return None
    with atomic_write(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["content", "error"])
        table.writerows(sorted(failures.items()))
    return path


def with_absolute_paths(settings):
    """The options with absolute paths, as a worker with another working folder needs them."""
    paths = {
        name: str(Path(getattr(settings, name)).expanduser().absolute()) for name in ("checkpoint", "inception_ckpt")
    }
    return dataclasses.replace(settings, **{name: path for name, path in paths.items() if getattr(settings, name)})
