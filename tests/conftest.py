"""What every test may use: the project on sys.path, the training data beside it when there, small images, scripts."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from slow_tests import is_slow

if "PYTEST_XDIST_WORKER" in os.environ:
    # Each worker would start a thread for every core. The libraries read this once, so it goes before their import.
    _threads = max(1, (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    os.environ.setdefault("OMP_NUM_THREADS", str(_threads))

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
sys.path.insert(0, str(ROOT))

import src  # noqa: E402, F401  prepares the environment, so it goes before any test's import of mindspore

pytest_plugins = ["family_runs", "chromium", "demo_page"]  # trainings and a browser that several test files share


def pytest_collection_modifyitems(items):
    """Marks the tests of tests/slow_tests.py as slow."""
    for item in items:
        if is_slow(item.path.name, item.name.partition("[")[0]):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Escapes file names that are no text in what a test printed: a process of xdist cannot send them as they are."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(scope="session", autouse=True)
def runtime():
    """Device and graph mode as entry points set them, before any test computes: MindSpore refuses it afterwards."""
    from src.config import defaults
    from src.runtime import setup

    return setup(defaults()["runtime"])


@pytest.fixture(autouse=True)
def seed(runtime):
    """First weights are the same whatever tests ran before."""
    import mindspore as ms

    ms.set_seed(runtime.seed)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared():
    """Function of a path under ../shared (training data, not part of the project): the path, or the test is skipped."""

    def find(*parts) -> Path:
        path = SHARED.joinpath(*parts)
        if not path.exists():
            pytest.skip(f"needs {Path('..', 'shared', *parts)}, which is not here")
        return path

    return find


def make_image(height=64, width=64, seed=0) -> np.ndarray:
    """A picture with edges, gradients and grain, (H, W, 3) uint8 RGB: no two seeds, and no two channels, are alike."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    turn = rng.uniform(0, np.pi, 3)
    period = rng.uniform(9, 30, 3)
    waves = np.sin((np.cos(turn) * x[..., None] + np.sin(turn) * y[..., None]) / period * 2 * np.pi)
    square = (np.abs(x - width / 2) < width / 5) & (np.abs(y - height / 2) < height / 5)
    image = 128 + 70 * waves + rng.normal(0, 8, (height, width, 3)) + 60 * square[..., None] * rng.uniform(-1, 1, 3)
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def image():
    """Function (height, width, seed) that makes a small picture: `make_image`."""
    return make_image


@pytest.fixture(scope="session")
def image_folders(tmp_path_factory) -> tuple[Path, Path]:
    """A folder of 4 content and one of 3 style images of several sizes. Read only: all tests share it."""
    from PIL import Image

    base = tmp_path_factory.mktemp("images")
    sizes = {"content": [(96, 128), (128, 96), (80, 80), (97, 131)], "style": [(112, 96), (90, 90), (70, 120)]}
    for folder in sizes:
        (base / folder).mkdir()
        for number, size in enumerate(sizes[folder]):
            Image.fromarray(make_image(*size, seed=len(folder) + number)).save(base / folder / f"{folder}_{number}.png")
    return base / "content", base / "style"


@pytest.fixture(scope="session")
def run_entry_point():
    """Function that runs an entry point or script of the project as a user would and returns the finished process.

    run_entry_point("eval.py", "--image_size", 64): with this Python, in the project's root, output captured as text.
    """

    def run(program, *arguments, cwd=ROOT, timeout=600, **environment) -> subprocess.CompletedProcess:
        launcher = "bash" if str(program).endswith(".sh") else sys.executable
        command = [launcher, str(ROOT / program), *map(str, arguments)]
        variables = {**os.environ, "PYTHON": sys.executable, **environment}
        return subprocess.run(
            command, cwd=cwd, env=variables, timeout=timeout, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )

    return run


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory) -> Path:
    """A checkpoint of a quarter-width model with a compact predictor, untrained, whose styles look different."""
    import mindspore as ms

    from src.config import defaults, to_dict
    from src.models.factory import create_model
    from src.weights.native import save_checkpoint

    ms.set_seed(1)  # it is made before the test's own seed is set
    network = defaults(network={"predictor": "compact", "width": 0.25})["network"]
    model = create_model(network)
    heads = np.random.default_rng(0).normal(0, 0.2, model.transfer.heads.weight.shape)
    model.transfer.heads.weight.set_data(ms.Tensor(heads, ms.float32))
    path = tmp_path_factory.mktemp("tiny") / "tiny.ckpt"
    save_checkpoint(path, model, {"network": to_dict(network)})
    return path


@pytest.fixture(scope="session")
def loss_weights(tmp_path_factory):
    """A folder with a loss network of the distilled network's shape and random weights."""
    from benchmarks.tiny import write_loss_network

    folder = tmp_path_factory.mktemp("weights")
    write_loss_network(folder)
    return folder


@pytest.fixture
def compilations():
    """Function of a cell: how often it was compiled.

    When MindSpore 2.8 deletes a cell, it forgets the input shapes of all cells that have them in common, and compiles
    those again. So what other tests have left is deleted first.
    """
    gc.collect()
    return lambda cell: len(cell.compile_cache)


@pytest.fixture(scope="session")
def few_statistics():
    """From here on a training standardises its predictor over a few style crops, not a hundred: that took seconds."""
    from tiny_runs import use_few_statistics

    with pytest.MonkeyPatch.context() as patch:
        use_few_statistics(patch)
        yield


@pytest.fixture(scope="module")
def stylizer(tiny_checkpoint, runtime):
    """The tiny model's `Stylizer` on MindSpore; each file has its own, as tests count its compilations."""
    from src.stylize.stylizer import Stylizer

    return Stylizer.open(tiny_checkpoint, engine="mindspore")


@pytest.fixture(scope="session")
def onnx_stylizer():
    """The bundled model's `Stylizer` on ONNX Runtime, which computes without MindSpore."""
    pytest.importorskip("onnxruntime", reason="needs requirements-runtime.txt")
    from src.stylize.stylizer import Stylizer

    return Stylizer.open(engine="onnxruntime")


@pytest.fixture(scope="session")
def embedding(onnx_stylizer):
    """The bundled model's embedding of a small picture."""
    return onnx_stylizer.embed(make_image(seed=5))


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Path:
    """Three seconds of a video with everything that is easily lost: `write_clip`. Read only: all tests share it."""
    pytest.importorskip("av", reason="needs requirements-video.txt")
    from scripts.make_test_clip import write_clip

    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_clip(path, seconds=3, width=96, height=64)
    return path


@pytest.fixture
def call_eval(stylizer, tiny_checkpoint, capsys, monkeypatch):
    """Function of arguments that runs eval.py in this process: exit code, stdout, lines of stderr.

    For the tiny checkpoint it takes networks that are compiled already; `test_as_a_user_calls_it` loads its own.
    """
    import eval as eval_entry
    from src.engines.choice import open_networks
    from src.errors import run_entry

    load = open_networks

    def load_once(engine, checkpoint, *rest):
        return stylizer.networks if checkpoint == str(tiny_checkpoint) else load(engine, checkpoint, *rest)

    monkeypatch.setattr("src.stylize.stylizer.open_networks", load_once)

    def run(*arguments):
        code = run_entry(eval_entry.main, ["--ckpt_path", str(tiny_checkpoint), *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return run


@pytest.fixture
def export_settings(tiny_checkpoint, tmp_path):
    """Function of options: those of an export of the tiny model to tmp_path/model."""
    from src.config import defaults

    def make(**options):
        base = {"ckpt_path": str(tiny_checkpoint), "file_name": str(tmp_path / "model"), "height": 32, "width": 40}
        return defaults(export={**base, **options})["export"]

    return make


@pytest.fixture
def torch_pickler(monkeypatch):
    """A pickler that writes tensors as PyTorch does: `fake_torch`."""
    from torch_files import fake_torch

    return fake_torch(monkeypatch)
