"""deploy/: the pictures of eval.py's preparation in each engine; MindSpore Lite's API by a stand-in on ONNX Runtime."""

import importlib.util
import json
import os
import subprocess
import sys
import types
from enum import Enum
from pathlib import Path

import numpy as np
import pytest

from src.engines.choice import BUNDLED, find_parts
from src.errors import run_entry
from src.images.files import read_at, read_image, write_image
from src.stylize.stylizer import Stylizer

ROOT = Path(__file__).resolve().parent.parent
onnxruntime = pytest.importorskip("onnxruntime", reason="needs requirements-runtime.txt")


def load(path):
    """A program of deploy/ as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pictures(tmp_path):
    """Folders of two contents and two styles."""
    random = np.random.default_rng(0)
    for kind, sizes in {"content": ((64, 80), (50, 47)), "style": ((70, 64), (96, 72))}.items():
        for i, size in enumerate(sizes):
            low = random.integers(0, 255, (4, 4, 3), np.uint8)
            image = np.kron(low, np.ones((24, 24, 1), np.uint8))[: size[0], : size[1]]
            write_image(tmp_path / kind / f"{kind}{i}.png", image)
    return tmp_path


class Tensor:
    """As `mindspore_lite.Tensor`: named, of a shape, its array set and got."""

    def __init__(self, name, shape):
        self.name, self.shape, self._array = name, shape, None

    def set_data_from_numpy(self, array):
        if list(array.shape) != list(self.shape):
            raise RuntimeError("data size not equal")
        self._array = array

    def get_data_to_numpy(self):
        return self._array


class Model:
    """As `mindspore_lite.Model`, on ONNX Runtime: shapes have to be set by `resize` before `predict`."""

    contexts = []

    def build_from_file(self, path, model_type, context):
        assert model_type is ModelType.MINDIR
        self.contexts.append(context)
        self._session = onnxruntime.InferenceSession(Path(path).read_bytes())
        self._inputs, self._outputs = (
            [Tensor(port.name, [side if isinstance(side, int) else -1 for side in port.shape]) for port in ports]
            for ports in (self._session.get_inputs(), self._session.get_outputs())
        )

    def get_inputs(self):
        return self._inputs

    def get_outputs(self):
        return self._outputs

    def resize(self, inputs, dims):
        for tensor, shape in zip(inputs, dims, strict=True):
            tensor.shape = shape

    def predict(self, inputs):
        arrays = self._session.run(None, {tensor.name: tensor.get_data_to_numpy() for tensor in inputs})
        for tensor, array in zip(self._outputs, arrays, strict=True):
            tensor._array = array
        return self._outputs


class ModelType(Enum):
    MINDIR = 0


class Context:
    def __init__(self):
        self.target = []
        self.ascend, self.cpu = types.SimpleNamespace(), types.SimpleNamespace()


@pytest.fixture
def lite_pair(tmp_path, monkeypatch):
    """A pair that the stand-in for mindspore_lite reads."""
    module = types.ModuleType("mindspore_lite")
    module.Model, module.ModelType, module.Context = Model, ModelType, Context
    module.__spec__ = importlib.util.spec_from_loader("mindspore_lite", None)
    monkeypatch.setitem(sys.modules, "mindspore_lite", module)
    monkeypatch.setenv("DEVICE_ID", "3")
    Model.contexts.clear()
    for file in find_parts("", ".onnx")[:2]:
        (tmp_path / f"{file.stem}.mindir").write_bytes(file.read_bytes())
    return tmp_path / f"{BUNDLED.stem}_transfer.mindir"


def infer(folder, out, *more):
    argv = ["--content_path", str(folder / "content"), "--style_path", str(folder / "style"), *more]
    assert run_entry(load("deploy/infer.py").main, [*argv, "--output_path", str(out)]) == 0
    return {path.name: read_image(path) for path in sorted(out.iterdir())}


def test_every_engine_gives_the_pictures_of_the_stylizer(pictures, lite_pair):
    made = infer(pictures, pictures / "onnx", "--image_size", "48", "--device_target", "CPU")
    stylizer = Stylizer.open(engine="onnxruntime")
    for name, picture in made.items():
        content, style = (pictures / stem[:-1] / f"{stem}.png" for stem in name[:-4].split("_"))
        expected = stylizer.stylize(read_at(content, 48), stylizer.embed(read_at(style, 48)))
        assert np.array_equal(picture, expected)
    lite = infer(
        pictures, pictures / "lite", "--model_type", "Lite", "--model_path", str(lite_pair), "--image_size", "48"
    )
    assert list(lite) == list(made) and len(made) == 4
    assert all(np.array_equal(lite[name], made[name]) for name in made)
    context = Model.contexts[0]
    assert (context.target, context.ascend.device_id, context.ascend.precision_mode) == (["ascend"], 3, "enforce_fp32")


def test_openvino_gives_the_same_pictures_but_for_rounding(pictures):
    pytest.importorskip("openvino", reason="needs requirements-openvino.txt")
    made = [infer(pictures, pictures / kind, "--model_type", kind) for kind in ("ONNX", "OpenVINO")]
    differences = [np.abs(made[0][name].astype(int) - made[1][name]).max() for name in made[0]]
    assert list(made[0]) == list(made[1]) and max(differences) <= 1


def test_a_damaged_content_is_named_and_the_others_are_written(pictures, capsys):
    (pictures / "content" / "broken.png").write_bytes(b"no picture")
    argv = ["--content_path", str(pictures / "content"), "--style_path", str(pictures / "style")]
    assert run_entry(load("deploy/infer.py").main, [*argv, "--output_path", str(pictures / "out")]) == 2
    assert "broken.png" in capsys.readouterr().err and len(list((pictures / "out").iterdir())) == 4


def test_lite_refuses_what_it_lacks(pictures, lite_pair, capsys, monkeypatch):
    argv = ["--content_path", str(pictures / "content"), "--style_path", str(pictures / "style"), "--output_path"]
    argv += [str(pictures / "out"), "--model_type", "Lite", "--model_path", str(lite_pair)]
    assert run_entry(load("deploy/infer.py").main, [*argv, "--precision", "bfloat16"]) == 2
    assert "option precision: found bfloat16" in capsys.readouterr().err
    monkeypatch.setenv("DEVICE_ID", "first")
    assert run_entry(load("deploy/infer.py").main, argv) == 2
    assert "DEVICE_ID" in capsys.readouterr().err


def test_the_converter_is_told_inputs_and_sizes_of_the_exported_files(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")
    source = BUNDLED.with_name(f"{BUNDLED.stem}_transfer.onnx")
    convert = load("deploy/convert_lite.py")
    target = tmp_path / "lite" / "style_transfer.mindir"
    assert run_entry(convert.main, [str(source), str(target), "--sizes", "256x256", "512x384"]) == 0
    config = (target.parent / "style_transfer.cfg").read_text()
    assert "input_shape=content:[1,3,-1,-1];embedding:[1,100]\ndynamic_dims=[256,256],[384,512]\n" in config
    assert "dynamic_dims=[256,256]\n" in (target.parent / "style_predictor.cfg").read_text()
    commands = capsys.readouterr().out.splitlines()
    assert f"--modelFile={source}" in commands[1] and f"--outputFile={target.with_suffix('')} " in commands[1]
    assert json.loads(Path(f"{target}.json").read_text())["embedding_size"] == 100
    assert run_entry(convert.main, [str(source), str(target), "--sizes", "255x256"]) == 2
    assert "option sizes: found 255x256" in capsys.readouterr().err


def test_folders_beside_the_program_hide_no_package(tmp_path, pictures):
    """MindSpore imports triton where it is there; deploy/triton is none."""
    fake = tmp_path / "mindspore/__init__.py"
    fake.parent.mkdir()
    fake.write_text("import importlib.util, sys\nprint(importlib.util.find_spec('triton'))\nsys.exit(7)\n")
    arguments = ["--content_path", pictures / "content", "--style_path", pictures / "style", "--output_path", tmp_path]
    process = subprocess.run(
        [sys.executable, ROOT / "deploy/infer.py", "--model_type", "MindSpore", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 7, process.stderr
    assert str(ROOT) not in process.stdout
