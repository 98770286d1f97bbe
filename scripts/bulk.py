"""Stylises very many pictures with Ray Data: on the cores of this machine, or on a cluster.

python scripts/bulk.py photos/ painting.jpg -o stylised/ --workers 8
python scripts/bulk.py photos/ painting.jpg -o stylised/ --workers 64 --address ray://head:10001

Existing pictures are left alone, so a run that was stopped goes on when it is started again. Contents
that can't be stylised are listed in stylised/failures.csv, and tried again by the next run.
On a cluster every machine must reach the contents and the output folder under the same names.
"""

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.config import ROOT, parse
from src.errors import UserError, run_entry
from src.options.option import Options, option
from src.stylize.bulk import (
    Worker,
    prepare_choice,
    remove_leftovers,
    remove_outputs,
    to_row,
    with_absolute_paths,
    write_failures,
)
from src.stylize.jobs import STANDARD, plan_jobs

USED = ("output", "style", "styles", "style_weights", "strength", "strength_by", "size", "tile", "engine", "checkpoint")
USED += ("inception_ckpt", "shard", "overwrite")
# files of the project's folder that a worker on another machine does not need
NOT_SENT = [".git", ".venv", "output", "dataset", "docs", "tests", "benchmarks"]


@dataclass(frozen=True)
class BulkOptions(Options):
    """How the work is shared out."""

    workers: int = option(0, "processes, each with a model of its own", least=1, zero="for one every two cores")
    address: str = option("", "address of a Ray cluster, such as ray://head:10001; empty starts Ray on this machine")
    batch: int = option(16, "pictures that a worker is given at once", least=1)
    worker_cpus: float = option(1.0, "cores that Ray sets aside for a worker", above=0)
    worker_gpus: float = option(0.0, "GPUs that Ray sets aside for a worker", above=0, zero="for none")


def stylize_all(jobs, options, choice):
    """Yields (content, error or "") of each job, in the order in which workers are done.

    Args:
        jobs: from `src.stylize.jobs.plan_jobs`.
        options: as `parse` gives them.
        choice: from `src.stylize.bulk.prepare_choice`.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # otherwise Ray reports this run to its makers
    # a worker may be killed for memory or with its machine; Ray starts another, which gets the batch again
    import ray

    own = options.own
    workers = own.workers or max(1, (os.cpu_count() or 2) // 2)
    if own.address:
        environment = {"working_dir": str(ROOT), "excludes": NOT_SENT}
        ray.init(own.address, runtime_env=environment, log_to_driver=False)
    else:
        cores = max(os.cpu_count() or 1, -(-workers * own.worker_cpus // 1) + 1)
        environment = {"env_vars": {"PYTHONPATH": str(ROOT)}}
        ray.init(num_cpus=int(cores), runtime_env=environment, include_dashboard=False, log_to_driver=False)
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        blocks = max(workers, -(-len(jobs) // own.batch))
        table = ray.data.from_items([to_row(job) for job in jobs], override_num_blocks=min(blocks, len(jobs)))
        done = table.map_batches(
            Worker,
            fn_constructor_args=(with_absolute_paths(options.stylize), options.runtime, choice),
            batch_size=own.batch,
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=own.worker_cpus,
            num_gpus=own.worker_gpus or None,
        )
        for row in done.iter_rows():
            yield row["content"], row["error"]
    finally:
        ray.shutdown()


def main(argv):
    """Reads the options, stylises, returns the exit code."""
    options = parse(
        argv,
        (*(f"stylize.{name}" for name in USED), "runtime"),
        "Stylises very many pictures with Ray Data, on this machine or on a cluster.",
        positionals=(
            ("contents", None, "folder of photographs, or a glob in quotes"),
            ("image", "?", "style image; or --styles, --style"),
        ),
        own=BulkOptions,
    )
    if importlib.util.find_spec("ray") is None:
        raise UserError("ray: not installed in this Python; run 'pip install -r requirements-bulk.txt'")
    settings = options.stylize
    if options.contents == STANDARD or settings.output == STANDARD:
        raise UserError("content -: scripts/bulk.py takes a folder; stylize.py reads stdin")
    choice = prepare_choice(options.image, settings)
    contents = str(Path(options.contents).expanduser().absolute())
    output = str(Path(settings.output).expanduser().absolute()) if settings.output else ""
    inputs = dict.fromkeys(choice.files if choice else (), "the style image")
    jobs, there = plan_jobs([contents], output, settings.overwrite, inputs, settings.shard)
    print(f"{len(jobs)} pictures to make, {len(there)} are there", flush=True)
    if not jobs:
        write_failures(output, {})
        return 0
    if settings.overwrite:
        remove_outputs(jobs)
    failures, made = {}, 0
    for content, error in stylize_all(jobs, options, choice):
        made += 1
        if error:
            failures[content] = error
        if made % 1000 == 0:
            print(f"{made} of {len(jobs)} done, {len(failures)} failed", flush=True)
    folder = Path(output)
    remove_leftovers(folder)
    lost = [job for job in jobs if str(job.content) not in failures and not job.output.exists()]
    failures |= {str(job.content): "no picture, and no error; start the program again" for job in lost}
    listed = write_failures(folder, failures)
    print(f"{len(jobs) - len(failures)} pictures made in {folder}")
    if listed:
        print(f"error: {len(failures)} of {len(jobs)} pictures failed, see {listed}", file=sys.stderr)
    return 2 if failures else 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
