"""The engines beside MindSpore: which is taken, that they agree with it, and that they start without it."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from src.engines import choice as engines
from src.engines.choice import choose_engine, find_parts, installed, open_networks
from src.engines.openvino import open_openvino
from src.errors import UserError
from src.images.files import write_image
from src.stylize.stylizer import Stylizer

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def exported(tiny_checkpoint, tmp_path_factory):
    """{suffix: one of the pair of files} of the tiny model, as export.py writes them."""
    from src.config import defaults
    from src.deploy.exporter import export
    from src.runtime import setup

    folder = tmp_path_factory.mktemp("parts")
    runtime = setup(defaults()["runtime"])
    for part in ("predictor", "transfer"):
        for file_format in ("ONNX", "MINDIR"):
            name = str(folder / f"tiny_{part}")
            setting = {"ckpt_path": str(tiny_checkpoint), "parts": part, "dynamic": True, "file_name": name}
            export(defaults(export={**setting, "file_format": file_format})["export"], runtime)
    return {suffix: str(folder / f"tiny_transfer{suffix}") for suffix in (".onnx", ".mindir")}


@pytest.fixture(scope="module")
def reference(tiny_checkpoint):
    return Stylizer.open(tiny_checkpoint, engine="mindspore")


@pytest.mark.parametrize("engine", ["mindir", "onnxruntime", "openvino"])
def test_engine_agrees_with_mindspore(engine, exported, reference, image):
    if not installed(engine):
        pytest.skip(f"{engine} is not installed (requirements-{engine}.txt)")
    networks = open_networks(engine, exported[engines.ENGINES[engine].suffix])
    assert networks.embedding_dim == reference.embedding_dim
    for seed, (height, width) in enumerate([(64, 96), (128, 68)]):
        content, style = (np.float32(image(height, width, s).transpose(2, 0, 1)[None] / 255) for s in (seed, seed + 5))
        embedding = reference.networks.embed(style)
        assert np.abs(networks.embed(style) - embedding).max() < TOLERANCE * max(1, np.abs(embedding).max())
        pastiche = reference.networks.transfer(content, embedding)
        assert np.abs(networks.transfer(content, embedding) - pastiche).max() < TOLERANCE


def test_stylizer_gives_the_same_picture_on_onnx_runtime(exported, reference, image):
    stylizer = Stylizer.open(exported[".onnx"], engine="onnxruntime")
    content, style = image(50, 70, 1), image(90, 60, 2)
    ours, theirs = (s.stylize(content, s.embed(style)) for s in (stylizer, reference))
    assert np.abs(ours.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize(
    "there, checkpoint, expected",
    [
        (("mindspore", "openvino"), "", "openvino"),
        (("mindspore", "onnxruntime"), "", "onnxruntime"),
        (("mindspore",), "", "mindspore"),
        (("mindspore", "onnxruntime"), "model.ckpt", "mindspore"),
        (
            ("mindspore", "onnxruntime"),
            str(engines.BUNDLED.with_name("arbitrary_compact_transfer.onnx")),
            "onnxruntime",
        ),
        (("mindspore", "onnxruntime"), "a_transfer.mindir", "mindir"),
    ],
)
def test_auto_takes_the_fastest_that_is_installed(monkeypatch, there, checkpoint, expected):
    monkeypatch.setattr(engines, "installed", lambda name: engines.package(name) in there)
    assert choose_engine("auto", checkpoint) == expected


@pytest.mark.parametrize(
    "engine, checkpoint, file",
    [
        ("openvino", "", "requirements-openvino.txt"),
        ("onnxruntime", "", "requirements-runtime.txt"),
        ("auto", "a_transfer.onnx", "requirements-runtime.txt"),
        ("auto", "model.ckpt", "requirements.txt"),
    ],
)
def test_an_engine_that_is_not_installed_names_what_to_install(monkeypatch, engine, checkpoint, file):
    monkeypatch.setattr(engines, "installed", lambda name: False)
    with pytest.raises(UserError, match=file):
        choose_engine(engine, checkpoint)


@pytest.mark.parametrize("precision, told", [("float32", "f32"), ("bfloat16", "bf16"), ("float16", "f16")])
def test_openvino_is_told_the_precision(precision, told, monkeypatch):
    openvino = pytest.importorskip("openvino", reason="needs requirements-openvino.txt")

    def compile_model(core, file, device, settings):
        raise RuntimeError(settings["INFERENCE_PRECISION_HINT"])

    monkeypatch.setattr(openvino.Core, "compile_model", compile_model)
    with pytest.raises(UserError, match=f"OpenVINO can't read it: {told}$"):
        open_openvino([Path("a_predictor.onnx"), Path("a_transfer.onnx")], precision=precision)


def test_parts_are_found_from_either_name(exported):
    for name in (exported[".onnx"], exported[".onnx"].replace("transfer", "predictor")):
        assert [path.name for path in find_parts(name, ".onnx")] == ["tiny_predictor.onnx", "tiny_transfer.onnx"]


def test_bad_exported_files_are_named(tmp_path, exported):
    with pytest.raises(UserError, match="NAME_predictor.onnx"):
        find_parts(tmp_path / "model.onnx", ".onnx")
    broken = tmp_path / "a_transfer.onnx"
    broken.write_bytes(b"no graph")
    with pytest.raises(UserError, match="a_predictor.onnx: no such file"):
        find_parts(broken, ".onnx")
    (tmp_path / "a_predictor.onnx").write_bytes(b"no graph")
    with pytest.raises(UserError, match="a_predictor.onnx: ONNX Runtime can't read it"):
        open_networks("onnxruntime", str(broken))


WITHOUT_MINDSPORE = """
import sys
from pathlib import Path
sys.modules["mindspore"] = None  # an import of it fails, as where it is not installed
import importlib.metadata
version = importlib.metadata.version
def refuse(name):
    if name.startswith("mindspore"):
        raise importlib.metadata.PackageNotFoundError(name)
    return version(name)
importlib.metadata.version = refuse
sys.path.insert(0, ".")
import stylize
from src.errors import run_entry
code = run_entry(stylize.main, sys.argv[1:])
assert not [name for name in sys.modules if name.startswith("mindspore.")]
sys.exit(code)
"""


def test_stylize_runs_on_onnx_runtime_without_mindspore(root, tmp_path, exported, image):
    write_image(tmp_path / "photo.png", image(48, 64, 0))
    write_image(tmp_path / "painting.png", image(64, 64, 1))
    files = [str(tmp_path / name) for name in ("photo.png", "painting.png", "out.png")]
    command = [sys.executable, "-c", WITHOUT_MINDSPORE, files[0], files[1], "-o", files[2]]
    options = ["--engine", "onnxruntime", "--checkpoint", exported[".onnx"]]
    done = subprocess.run([*command, *options], cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.png").is_file()


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
def test_openvino_leaves_nothing_in_the_home_folder(root, tmp_path):
    code = "from src.engines.choice import open_networks; open_networks('openvino')"
    environment = {**os.environ, "HOME": str(tmp_path), "CI": ""}
    subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, check=True)
    assert not list(tmp_path.iterdir())
