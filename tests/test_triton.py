"""The Triton repository: config.pbtxt is parsed and held against the graphs, the Python model runs on a stand-in."""

import importlib.util
import json
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import yaml

from src.engines.choice import BUNDLED, BUNDLED_STYLES
from src.errors import run_entry
from src.stylize.stylizer import Stylizer

onnxruntime = pytest.importorskip("onnxruntime", reason="needs requirements-runtime.txt")
ROOT = Path(__file__).resolve().parent.parent
# the messages of Triton's model_config.proto that the repository uses: field -> (number, type, repeated)
STRING, INT, BOOL = 9, 3, 8
MESSAGES = {
    "Port": {"name": (1, STRING, 0), "data_type": (2, "DataType", 0), "dims": (4, INT, 1), "optional": (9, BOOL, 0)},
    "Step": {
        "model_name": (1, STRING, 0),
        "model_version": (2, INT, 0),
        "input_map": (3, "Entry", 1),
        "output_map": (4, "Entry", 1),
    },
    "Entry": {"key": (1, STRING, 0), "value": (2, STRING, 0)},
    "Ensemble": {"step": (1, "Step", 1)},
    "Batching": {},
    "Group": {"count": (2, INT, 0), "kind": (4, "Kind", 0)},
    "Value": {"string_value": (1, STRING, 0)},
    "Parameter": {"key": (1, STRING, 0), "value": (2, "Value", 0)},
    "Cache": {"enable": (1, BOOL, 0)},
    "ModelConfig": {
        "name": (1, STRING, 0),
        "platform": (2, STRING, 0),
        "max_batch_size": (4, INT, 0),
        "input": (5, "Port", 1),
        "output": (6, "Port", 1),
        "instance_group": (7, "Group", 1),
        "dynamic_batching": (11, "Batching", 0),
        "parameters": (14, "Parameter", 1),
        "ensemble_scheduling": (15, "Ensemble", 0),
        "backend": (17, STRING, 0),
        "response_cache": (24, "Cache", 0),
    },
}
ENUMS = {"DataType": {"TYPE_UINT8": 2, "TYPE_FP32": 11}, "Kind": {"KIND_GPU": 1, "KIND_CPU": 2}}


@pytest.fixture(scope="module")
def parse_config():
    """Function of a file to a ModelConfig; an unknown field or value is an error."""
    pytest.importorskip("google.protobuf", reason="needs requirements-onnx.txt")
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

    file = descriptor_pb2.FileDescriptorProto(name="triton_subset.proto", package="triton", syntax="proto2")
    for name, values in ENUMS.items():
        enum = file.enum_type.add(name=name)
        for value, number in values.items():
            enum.value.add(name=value, number=number)
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, repeated) in fields.items():
            entry = message.field.add(name=field, number=number, label=3 if repeated else 1)
            if isinstance(kind, str):
                entry.type, entry.type_name = 14 if kind in ENUMS else 11, f".triton.{kind}"
            else:
                entry.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("triton.ModelConfig"))
    return lambda path: text_format.Parse(Path(path).read_text(), kind())


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The folder with the models of both bundled pairs."""
    folder = tmp_path_factory.mktemp("triton") / "repository"
    program = load(ROOT / "deploy/triton/make_repository.py", "make_repository")
    for checkpoint, uri in ((BUNDLED, ["--storage_uri", "s3://b/r", "--device", "GPU"]), (BUNDLED_STYLES, [])):
        source = checkpoint.with_name(f"{checkpoint.stem}_transfer.onnx")
        assert run_entry(program.main, [str(source), str(folder), "--cached_embeddings", "2", *uri]) == 0
    return folder


def dims(session_ports):
    return {port.name: [side if isinstance(side, int) else -1 for side in port.shape[1:]] for port in session_ports}


def ports(entries):
    return {port.name: list(port.dims) for port in entries}


@pytest.mark.parametrize("name", [BUNDLED.stem, BUNDLED_STYLES.stem])
def test_the_configurations_fit_the_graphs(name, repository, parse_config):
    graphs = {}
    for part in ("predictor", "transfer"):
        folder = repository / f"{name}_{part}"
        config = parse_config(folder / "config.pbtxt")
        session = onnxruntime.InferenceSession((folder / "1/model.onnx").read_bytes())
        assert (config.name, config.backend) == (folder.name, "onnxruntime") and config.max_batch_size == 8
        assert ports(config.input) == dims(session.get_inputs())
        assert ports(config.output) == dims(session.get_outputs())
        assert all(port.data_type == ENUMS["DataType"]["TYPE_FP32"] for port in [*config.input, *config.output])
        assert config.response_cache.enable == (part == "predictor")
        graphs[folder.name] = config
    ensemble = parse_config(repository / f"{name}_ensemble/config.pbtxt")
    known = ports(ensemble.input)
    for step in ensemble.ensemble_scheduling.step:
        taken, made = ports(graphs[step.model_name].input), ports(graphs[step.model_name].output)
        assert {entry.key: known[entry.value] for entry in step.input_map} == taken
        known |= {entry.value: made[entry.key] for entry in step.output_map}
    assert ports(ensemble.output).items() <= known.items() and (repository / ensemble.name / "1").is_dir()
    pictures = parse_config(repository / name / "config.pbtxt")
    assert (pictures.name, pictures.backend, pictures.max_batch_size) == (name, "python", 0)
    assert ports(pictures.output)["pastiche"] == [-1, -1, -1, 3]


def test_the_manifest_names_the_repository(repository):
    manifest = yaml.safe_load(repository.with_name("repository.kserve.yaml").read_text())
    model = manifest["spec"]["predictor"]["model"]
    assert manifest["kind"] == "InferenceService" and "_" not in manifest["metadata"]["name"]
    assert (model["storageUri"], model["modelFormat"]["name"]) == ("s3://b/r", "triton")
    assert model["resources"]["limits"]["nvidia.com/gpu"] == "1"


class Tensor:
    def __init__(self, name, array):
        self._name, self._array = name, array

    def name(self):
        return self._name

    def as_numpy(self):
        return self._array


class Response:
    def __init__(self, output_tensors, error=None):
        self.tensors, self._error = {tensor.name(): tensor for tensor in output_tensors}, error

    def has_error(self):
        return self._error is not None

    def error(self):
        return self._error


@pytest.fixture
def backend(repository, monkeypatch):
    """Function of a model's name and inputs to its response, and the list of models that were asked."""
    asked, sessions = [], {}

    class Request:
        def __init__(self, model_name, requested_output_names, inputs):
            self.model, self.outputs, self.inputs = model_name, requested_output_names, inputs

        def exec(self):
            asked.append(self.model)
            if self.model not in sessions:
                file = repository / self.model / "1/model.onnx"
                sessions[self.model] = onnxruntime.InferenceSession(file.read_bytes())
            given = {tensor.name(): tensor.as_numpy() for tensor in self.inputs}
            arrays = sessions[self.model].run(self.outputs, given)
            return Response([Tensor(name, array) for name, array in zip(self.outputs, arrays, strict=True)])

    module = types.ModuleType("triton_python_backend_utils")
    module.Tensor, module.InferenceRequest, module.InferenceResponse, module.TritonError = (
        Tensor,
        Request,
        Response,
        str,
    )
    module.get_output_tensor_by_name = lambda response, name: response.tensors.get(name)
    module.get_input_tensor_by_name = lambda request, name: request.get(name)
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", module)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def start(name):
        model = load(repository / name / "1/model.py", f"triton_{name}").TritonPythonModel()
        parameters = {"cached_embeddings": {"string_value": "2"}}
        model.initialize({"model_config": json.dumps({"name": name, "parameters": parameters})})
        return lambda **inputs: model.execute([{key: Tensor(key, array) for key, array in inputs.items()}])[0]

    return start, asked


def test_pictures_are_those_of_the_stylizer_and_styles_are_embedded_once(backend):
    start, asked = backend
    ask = start(BUNDLED.stem)
    contents = np.random.default_rng(0).integers(0, 255, (2, 33, 48, 3), np.uint8)
    styles = np.random.default_rng(1).integers(0, 255, (2, 64, 80, 3), np.uint8)
    stylizer = Stylizer.open(engine="onnxruntime")
    made = [ask(content=contents, style=styles).tensors["pastiche"].as_numpy() for _ in range(2)][1]
    for content, style, pastiche in zip(contents, styles, made, strict=True):
        assert np.array_equal(pastiche, stylizer.stylize(content, stylizer.embed(style)))
    assert asked.count(f"{BUNDLED.stem}_predictor") == 2
    ask(content=contents[:1], style=styles[:1] // 2)
    ask(content=contents[:1], style=styles[:1])  # the oldest of three went
    assert asked.count(f"{BUNDLED.stem}_predictor") == 4


def test_a_table_takes_weights_and_a_mistake_is_an_error_of_its_request(backend):
    start, _ = backend
    ask = start(BUNDLED_STYLES.stem)
    content = np.random.default_rng(0).integers(0, 255, (1, 32, 32, 3), np.uint8)
    stylizer = Stylizer.open(str(BUNDLED_STYLES.with_name(f"{BUNDLED_STYLES.stem}_transfer.onnx")), "onnxruntime")
    weights = np.eye(len(stylizer.styles), dtype=np.float32)[2:3]
    made = ask(content=content, weights=weights).tensors["pastiche"].as_numpy()
    assert np.array_equal(made[0], stylizer.stylize(content[0], stylizer.embed(2)))
    assert "expected one of them" in ask(content=content).error()
    assert "found 2 styles for 1 contents" in ask(content=content, weights=np.repeat(weights, 2, 0)).error()
    much = np.array([0.5], np.float32)
    mixed = ask(content=content, weights=weights, strength=much).tensors["pastiche"].as_numpy()
    expected = (content[0].astype(np.float32) + made[0]) / 2  # pixels, since contents have no row in the table
    assert np.abs(mixed[0] - expected).max() <= 0.5


def test_the_code_in_the_repository_is_all_that_the_model_imports(repository, tmp_path):
    project = repository / BUNDLED.stem / "1" / "project"
    text = f"import sys; sys.path.insert(0, {str(project)!r}); import src.stylize.stylizer as s; print(s.__file__)"
    process = subprocess.run(
        [sys.executable, "-I", "-c", text], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert process.stdout.startswith(str(project)), process.stderr


def test_what_is_there_stays_and_a_fixed_size_is_refused(repository, tmp_path, capsys):
    program = load(ROOT / "deploy/triton/make_repository.py", "make_repository")
    source = BUNDLED.with_name(f"{BUNDLED.stem}_transfer.onnx")
    assert run_entry(program.main, [str(source), str(repository)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    for part in ("predictor", "transfer"):
        file = BUNDLED.with_name(f"{BUNDLED.stem}_{part}.onnx")
        (tmp_path / f"a_{part}.onnx").write_bytes(b"")
        description = json.loads(Path(f"{file}.json").read_text())
        description["inputs"][0]["shape"] = [1, 3, 64, 64]
        (tmp_path / f"a_{part}.onnx.json").write_text(json.dumps(description))
    assert run_entry(program.main, [str(tmp_path / "a_transfer.onnx"), str(tmp_path / "out")]) == 2
    assert "--dynamic" in capsys.readouterr().err and not (tmp_path / "out").exists()
