"""Trainings that are killed, damaged or fed otherwise, beside an undisturbed one: the losses must be the same digits.

python benchmarks/reliability.py --moments 20

Kills a tiny training with SIGKILL at so many random moments, every third one inside the write of a checkpoint, and
resumes each time; then cuts the newest checkpoint in half, and flips a bit of the one that came after; and trains with
other numbers of data workers. Compares every row of losses.csv and the weights of the end.
"""

import csv
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.tiny import train_command, write_all
from src.config import parse
from src.errors import UserError, run_entry
from src.files import TEMPORARY_PREFIX
from src.options.option import Options, option

STEPS_A_MOMENT = 6
EVERY = {"log_every": 1, "save_every": 2, "image_every": 100000, "keep_checkpoints": 2}


@dataclass(frozen=True)
class ReliabilityOptions(Options):
    """How much is done."""

    moments: int = option(20, "kills", least=1)
    seed: int = option(0, "of the moments")
    workers: list[int] = option([1, 4], "numbers of data workers to compare with the standard one", least=1)


def read_losses(folder) -> dict:
    """{step: row of losses.csv without the time}; rows that a kill has cut are left out."""
    try:
        with open(folder / "losses.csv", newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if None not in row.values()]
    except FileNotFoundError:
        return {}
    return {int(row["step"]): {key: value for key, value in row.items() if key != "seconds"} for row in rows}


def finish(command):
    """Runs a training to its end; returns what it wrote.

    Raises:
        UserError: another status than 0.
    """
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"train.py: status {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout + done.stderr


def writes_checkpoint(folder) -> bool:
    """Whether a checkpoint is being written."""
    return any(folder.glob(f"checkpoints/{TEMPORARY_PREFIX}*"))


def kill_once(command, folder, kind, chance):
    """Starts a training, kills it at a moment of that kind, and says when that was; None if the training was faster."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    for leftover in folder.glob(f"checkpoints/{TEMPORARY_PREFIX}*"):
        leftover.unlink()  # of the kill before, which would look like a write of this run
    before, started = len(read_losses(folder)), time.monotonic()
    pause, more = chance.uniform(0.5, 8), chance.randint(2, STEPS_A_MOMENT)
    while process.poll() is None:
        new = len(read_losses(folder)) - before
        if kind == "start" and time.monotonic() - started > pause:
            break
        if kind == "step" and new >= more:
            time.sleep(chance.uniform(0, 0.05))
            break
        if kind == "write" and new >= 2 and writes_checkpoint(folder):
            break
        time.sleep(0 if kind == "write" else 0.005)
    process.kill()
    process.wait()
    return None if process.returncode != -9 else len(read_losses(folder))


def compare(folder, whole, what):
    """Raises a UserError unless every row of losses is that of the undisturbed run."""
    expected, found = read_losses(whole), read_losses(folder)
    different = [step for step, row in found.items() if row != expected[step]]
    if different:
        raise UserError(f"{what}: other losses from step {different[0]} on")


def compare_weights(folder, whole, steps):
    """Raises a UserError unless the last checkpoints hold the same weights."""
    import numpy as np

    from src.weights.native import read_checkpoint

    name = f"checkpoints/step_{steps:08d}.ckpt"
    ours, theirs = read_checkpoint(folder / name)[0], read_checkpoint(whole / name)[0]
    if ours.keys() != theirs.keys() or not all(np.array_equal(ours[key], theirs[key]) for key in ours):
        raise UserError(f"{folder.name}: other weights at the end")


def damage(folder, kind):
    """Cuts the newest model file in half, or flips a bit in the middle of the newest state; returns its name."""
    ending = ".state.ckpt" if kind == "flip" else ".ckpt"
    states = sorted(folder.glob("checkpoints/step_*.state.ckpt"))
    path = states[-1].with_name(states[-1].name.replace(".state.ckpt", ending))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    if kind == "flip":
        data[middle] ^= 1
    path.write_bytes(bytes(data[:middle]) if kind == "cut" else bytes(data))
    return path.name


def kill_often(base, options, whole, steps):
    """Kills and resumes; returns how many kills of each kind there were."""
    chance, kinds, folder = random.Random(options.seed), ("step", "write", "start"), base / "killed"
    command, counts, tries = train_command(base, folder, steps=steps, **EVERY), dict.fromkeys(kinds, 0), 0
    while sum(counts.values()) < options.moments:
        kind = kinds[tries % len(kinds)]
        tries += 1
        if tries > 3 * options.moments:
            raise UserError(f"only {sum(counts.values())} of {options.moments} kills met a running training")
        at = kill_once(command, folder, kind, chance)
        if at is None:  # the training was done before its moment came
            folder = base / f"killed{tries}"
            command = train_command(base, folder, steps=steps, **EVERY)
            continue
        inside = writes_checkpoint(folder)
        if kind == "write" and not inside:
            kind = "step"  # the write was over before the signal
        counts[kind] += 1
        compare(folder, whole, f"kill {sum(counts.values())} ({kind})")
        print(f"kill {sum(counts.values())}: {kind}, {at} rows of losses, as undisturbed", flush=True)
    finish(command)
    compare(folder, whole, "the end of the killed run")
    if len(read_losses(folder)) != steps:
        raise UserError(f"the killed run has {len(read_losses(folder))} rows of losses, expected {steps}")
    compare_weights(folder, whole, steps)
    return counts


def damage_and_resume(base, whole, steps):
    """Damages the newest checkpoint in each way; the run must name it and go on from the one before."""
    folder = base / "damaged"
    for kind, until in (("cut", steps // 2), ("flip", steps)):
        finish(train_command(base, folder, **{**EVERY, "steps": until - until % 2 - 4}))
        name = damage(folder, kind)
        said = finish(train_command(base, folder, steps=until, **EVERY))
        if name not in said or "the checkpoint before it is taken" not in said:
            raise UserError(f"{kind}: {name} is not named:\n{said[-2000:]}")
        compare(folder, whole, kind)
        print(f"{kind}: {name} refused by name, the one before taken, losses as undisturbed", flush=True)
    compare_weights(folder, whole, steps)


def main(argv):
    """Runs everything, prints a line each, returns the exit code."""
    options = parse(argv, (), __doc__.splitlines()[0], own=ReliabilityOptions).own
    steps = STEPS_A_MOMENT * options.moments + 10
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        write_all(base)
        whole = base / "whole"
        finish(train_command(base, whole, steps=steps, **EVERY))
        if len(read_losses(whole)) != steps:
            raise UserError(f"the undisturbed run has {len(read_losses(whole))} rows of losses, expected {steps}")
        counts = kill_often(base, options, whole, steps)
        print(f"{options.moments} kills ({', '.join(f'{n} {kind}' for kind, n in counts.items())}): losses the same")
        damage_and_resume(base, whole, steps)
        for workers in options.workers:
            folder = base / f"workers{workers}"
            finish(train_command(base, folder, steps=steps, num_parallel_workers=workers, **EVERY))
            compare(folder, whole, f"{workers} data workers")
            compare_weights(folder, whole, steps)
            print(f"{workers} data workers: losses and weights the same", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
