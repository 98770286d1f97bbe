"""Compares the speed of pastiches, training steps and start-up with what users would pick instead.

    python benchmarks/speed.py --output_path output/speed [--python pytorch=/path/to/python] [--rounds 7]

Every contender runs in a process of its own, all take turns (one run each, round after round), medians are reported:
machines are noisy, ratios within one run are not. A contender whose package is missing is left out, and named.
Networks, weights and images are the same for all; the training step is that of --config_path at batch 4.

Writes speed.csv (every single time), speed.md (tables) and speed.png (ratios to PyTorch; growth with size and batch).
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.contenders import picture
from benchmarks.speed_report import Times, draw_chart, write_csv, write_tables
from src.config import ROOT, defaults, to_dict
from src.errors import UserError, run_entry
from src.files import check_folder

CONTENDERS = ("mindspore", "onnxruntime", "openvino", "openvino bf16", "pytorch", "published port")
SIDES = (256, 512, 1024)
MODELS = ("full", "compact")
STEP_BATCH = 4
GROWTH = ((1, 128), (2, 128), (4, 128), (2, 64), (2, 256))
START_ENGINES = ("mindspore", "onnxruntime", "openvino")
# MindSpore puts its libraries in the way of PyTorch's when it is imported
ENVIRONMENT = dict(os.environ)
PARTS = ("forward", "training", "optimize", "start", "growth")
LOSS_NETWORKS = ("vgg19", "distilled_vgg19")


class Process:
    """A contender's process, asked one thing at a time; stopped between, so that no thread of it waits actively."""

    def __init__(self, name, python, folder):
        self.name = name
        command = [python, str(ROOT / "benchmarks" / "contenders.py"), name, str(folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, text=True, cwd=ROOT, env=ENVIRONMENT, **pipes)

    def ask(self, **request):
        """The reply to a request, see benchmarks/contenders.py; None, and a line printed, when it fails."""
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            reply = json.loads(self.process.stdout.readline() or '{"error": "the process ended"}')
        except OSError as error:
            reply = {"error": str(error)}
        self.process.send_signal(signal.SIGSTOP)
        if "error" not in reply:
            return reply
        print(f"{self.name}: left out of {request}: {reply['error']}", flush=True)
        return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def take_turns(processes, requests, rounds, times, case):
    """Adds `rounds` times of each process after one warm-up; {process name: its request}."""
    running = [p for p in processes if p.name in requests and p.ask(**requests[p.name])]
    for _ in range(rounds):
        for process in list(running):
            reply = process.ask(**requests[process.name])
            if reply:
                times.add(case, process.name, reply["seconds"])
            else:
                running.remove(process)
    print(times.line(case), flush=True)


def prepare(folder, config_path):
    """Writes the models, their exported pairs and the recipe that the contenders read."""
    import mindspore as ms

    from src.engines.choice import BUNDLED
    from src.models.factory import create_model
    from src.models.vgg import VGG, DistilledVGG19
    from src.runtime import setup
    from src.weights.load import load_model
    from src.weights.native import save_checkpoint, to_arrays

    built = defaults()
    setup(built["runtime"])
    models = {"full": create_model(built["network"]), "compact": load_model(BUNDLED)}
    recipe = defaults(config_path)
    described = {name: to_dict(recipe[name]) for name in ("network", "loss", "train", "runtime")}
    described["train"]["steps"] = 1000
    options = {"recipe": described}
    for name, model in models.items():
        options[name] = to_dict(model.network)
        np.savez(folder / f"{name}.npz", **to_arrays(model))
        np.save(folder / f"{name}_embedding.npy", model.predictor(ms.Tensor(picture(1, 256))).asnumpy())
        save_checkpoint(folder / f"{name}.ckpt", model, {"network": to_dict(model.network)})
        for part in ("predictor", "transfer"):
            command = [sys.executable, "export.py", "--ckpt_path", folder / f"{name}.ckpt", "--file_format", "ONNX"]
            command += ["--parts", part, "--dynamic", "--file_name", folder / f"{name}_{part}"]
            subprocess.run(list(map(str, command)), cwd=ROOT, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    (folder / "options.json").write_text(json.dumps(options))
    for name, network in zip(LOSS_NETWORKS, (VGG(19, ("relu5_1",)), DistilledVGG19(("relu5_1",))), strict=True):
        save_checkpoint(folder / f"{name}.ckpt", network, {"loss_network": name})


def time_forward(open_process, names, settings, times):
    """Pastiches with the style embedded before, and with the style; how far each contender's are from MindSpore's."""
    for model in MODELS:
        entered = [n for n in names if n != "published port" or model == "full"]
        processes = [open_process(name) for name in entered]
        try:
            for side in settings.sides:
                for kind in ("pastiche", "style and pastiche"):
                    # at 1024 pixels the rebuilt port takes half a minute a picture
                    chosen = [n for n in entered if n != "published port" or side <= 512]
                    request = {"model": model, "side": side, "kind": kind}
                    take_turns(processes, dict.fromkeys(chosen, request), settings.rounds, times, (model, side, kind))
            for process in processes:
                output = settings.folder / f"{process.name}.npy"
                # PyTorch has no weights of the full model's predictor
                kind = "pastiche" if model == "full" else "style and pastiche"
                if process.ask(model=model, side=256, kind=kind, output=str(output)):
                    times.outputs[model, process.name] = np.load(output)
        finally:
            for process in processes:
                process.__exit__()


def measure_memory(open_process, names, times):
    """Peak memory of a process that made one pastiche at 1024 pixels, at full width."""
    for name in names:
        if name == "published port":
            continue
        with open_process(name) as process:
            reply = process.ask(model="full", side=1024, kind="pastiche")
            if reply:
                times.memory[name] = reply["megabytes"]


def time_steps(open_process, entered, settings, times, case, request):
    """A step that changes weights or a picture, by contenders of these names."""
    processes = [open_process(name) for name in settings.names if name in entered]
    try:
        take_turns(processes, dict.fromkeys(entered, request), settings.rounds, times, case)
    finally:
        for process in processes:
            process.__exit__()


def time_training(open_process, settings, times):
    """The recipe's step at batch 4 and 256 pixels."""
    case, request = ("training", 256, f"step of batch {STEP_BATCH}"), {"kind": "step", "batch": STEP_BATCH, "side": 256}
    time_steps(open_process, ("mindspore", "pytorch", "published port"), settings, times, case, request)


def time_optimization(open_process, settings, times):
    """An iteration of configs/optimize.yaml at 256 pixels, by each loss network."""
    for network in LOSS_NETWORKS:
        case, request = (network, 256, "iteration"), {"kind": "optimize", "network": network, "side": 256}
        time_steps(open_process, ("mindspore", "pytorch"), settings, times, case, request)


def time_growth(open_process, times):
    """MindSpore's step against batch and size, its pastiche's time and memory against size."""
    with open_process("mindspore") as process:
        for batch, side in GROWTH:
            replies = [process.ask(kind="step", batch=batch, side=side) for _ in range(4)]
            times.growth["step", batch, side] = min(r["seconds"] for r in replies[1:])
    for side in (256, 512, 768, 1024, 1448):
        with open_process("mindspore") as process:
            replies = [process.ask(model="full", kind="pastiche", side=side) for _ in range(3)]
            times.growth["pastiche", 1, side] = min(r["seconds"] for r in replies[1:])
            times.growth["megabytes", 1, side] = replies[-1]["megabytes"]


def time_start(settings, times):
    """stylize.py with the bundled model from its start to a 512-pixel PNG on disk, files in the system's cache."""
    content = sorted((ROOT / "dataset" / "test" / "content").glob("*.jpg"))[0]
    style = sorted((ROOT / "dataset" / "test" / "style").glob("*"))[0]
    target = settings.folder / "start.png"
    command = [sys.executable, "stylize.py", content, style, "-o", target, "--size", 512, "--overwrite", "--engine"]
    for turn in range(settings.rounds + 1):
        for engine in [e for e in START_ENGINES if e in settings.names]:
            started = time.perf_counter()
            subprocess.run(
                list(map(str, [*command, engine])), cwd=ROOT, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL
            )
            if turn:
                times.add(("compact", 512, "stylize.py, start to PNG"), engine, time.perf_counter() - started)
    print(times.line(("compact", 512, "stylize.py, start to PNG")), flush=True)


def read_options(argv):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument(
        "--output_path", "--output", default="output/speed", help="folder for speed.csv, speed.md and speed.png"
    )
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender (default: 7)")
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES, help="of the pictures, pixels")
    parser.add_argument("--contenders", nargs="+", default=CONTENDERS, choices=CONTENDERS)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS, help="what to measure")
    parser.add_argument("--config_path", default="configs/modelzoo.yaml", help="recipe whose training step is timed")
    parser.add_argument("--python", nargs="*", default=[], metavar="NAME=PYTHON", help="Python of a contender")
    settings = parser.parse_args(argv)
    if settings.rounds < 1 or any(side % 8 or side < 64 for side in settings.sides):
        raise UserError("options rounds and sides: expected 1 or more, and multiples of 8 from 64 up")
    pairs = [entry.partition("=") for entry in settings.python]
    for name, equals, python in pairs:
        if name not in CONTENDERS or not equals or not Path(python).is_file():
            raise UserError(f"option python: found {name}={python}, expected a contender and the path of a Python")
    settings.pythons = {name: python for name, _, python in pairs}
    settings.names = [name for name in CONTENDERS if name in settings.contenders]
    return settings


def main(argv):
    """Reads the options, measures, writes the three files, returns the exit code."""
    settings = read_options(argv)
    output = check_folder(settings.output_path, "output_path")
    times = Times()
    with tempfile.TemporaryDirectory() as folder:
        settings.folder = Path(folder)
        prepare(settings.folder, settings.config_path)

        def open_process(name):
            return Process(name, settings.pythons.get(name, sys.executable), settings.folder)

        if "forward" in settings.parts:
            time_forward(open_process, settings.names, settings, times)
            measure_memory(open_process, settings.names, times)
        if "training" in settings.parts:
            time_training(open_process, settings, times)
        if "optimize" in settings.parts:
            time_optimization(open_process, settings, times)
        if "start" in settings.parts:
            time_start(settings, times)
        if "growth" in settings.parts:
            time_growth(open_process, times)
    write_csv(output / "speed.csv", times)
    print(write_tables(output / "speed.md", times))
    draw_chart(output / "speed.png", times)
    print(f"speed.csv, speed.md and speed.png are in {output}")
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
