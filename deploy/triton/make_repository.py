"""Writes a model repository for NVIDIA Triton, and a manifest for KServe.

python deploy/triton/make_repository.py style_transfer.onnx repository [--device GPU] [--storage_uri
s3://bucket/repository]

A pair NAME_predictor.onnx, NAME_transfer.onnx, exported with --dynamic, becomes four models:
NAME_predictor, NAME_transfer   the graphs in ONNX Runtime; the server keeps the predictor's answers
NAME_ensemble                   both, one after the other: arrays in [0, 1] in, the pastiche out
NAME                            pictures in, pictures out, with the preparation of stylize.py and kept embeddings
"""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import yaml

from src.config import ROOT, parse
from src.engines.choice import PARTS, find_parts
from src.engines.exported import read_description
from src.errors import UserError, run_entry
from src.files import atomic_write, check_folder
from src.options.option import Options, PathText, option

# folders and files of src/ that the preparation imports, beside the modules in src/ itself
PROJECT = ("engines", "images", "options", "stylize")
TYPES = {"float32": "TYPE_FP32"}


@dataclass(frozen=True)
class RepositoryOptions(Options):
    """How the server is to run the models."""

    device: str = option("CPU", "where the networks run", choices=("CPU", "GPU"))
    most_batch: int = option(8, "pictures of one size that the server may put together", least=1)
    cached_embeddings: int = option(256, "embeddings of style images that NAME keeps", least=1)
    storage_uri: PathText = option("", "where KServe finds the repository; empty writes no manifest")
    overwrite: bool = option(False, "replace models that are there")


def quoted(text) -> str:
    """A string of a protobuf text file."""
    return json.dumps(text)


def port_block(kind, ports) -> str:
    """The `input` or `output` part of a config.pbtxt, of (name, type, dims, whether it may be left out)."""
    entries = [
        f"  {{ name: {quoted(name)} data_type: {data_type} dims: [ {', '.join(map(str, dims))} ]"
        + " optional: true" * optional
        + " }"
        for name, data_type, dims, optional in ports
    ]
    return f"{kind} [\n" + ",\n".join(entries) + "\n]\n"


def graph_ports(ports):
    """(name, type, dims without the batch, False) of `inputs` or `outputs` of an exported file's JSON."""
    return [
        (p["name"], TYPES[p["dtype"]], [s if isinstance(s, int) else -1 for s in p["shape"][1:]], False) for p in ports
    ]


def graph_config(name, description, options, cached) -> str:
    """config.pbtxt of an exported graph in ONNX Runtime.

    Args:
        name: of the model.
        description: the JSON beside the file.
        options: `RepositoryOptions`.
        cached: whether the server keeps its answers (tritonserver --cache-config).
    """
    parts = [
        f'name: {quoted(name)}\nbackend: "onnxruntime"\nmax_batch_size: {options.most_batch}\n',
        port_block("input", graph_ports(description["inputs"])),
        port_block("output", graph_ports(description["outputs"])),
        "dynamic_batching { }\n",
        f"instance_group [ {{ count: 1 kind: KIND_{options.device} }} ]\n",
    ]
    return "".join(parts) + "response_cache { enable: true }\n" * cached


def ensemble_config(name, descriptions, options) -> str:
    """config.pbtxt of the predictor and the transfer network, one after the other."""
    predictor, transfer = descriptions
    style = predictor["inputs"][0]["name"]
    inputs = graph_ports([port for port in transfer["inputs"] if port["name"] != "embedding"] + predictor["inputs"])

    def step(part, inputs, output):
        given = "".join(f"      input_map {{ key: {quoted(n)} value: {quoted(n)} }}\n" for n in inputs)
        made = f"      output_map {{ key: {quoted(output)} value: {quoted(output)} }}\n"
        return f"    {{\n      model_name: {quoted(f'{name}_{part}')}\n      model_version: -1\n{given}{made}    }}"

    steps = [step("predictor", [style], "embedding"), step("transfer", ["content", "embedding"], "pastiche")]
    return (
        f'name: {quoted(f"{name}_ensemble")}\nplatform: "ensemble"\nmax_batch_size: {options.most_batch}\n'
        + port_block("input", inputs)
        + port_block("output", graph_ports(transfer["outputs"]))
        + "ensemble_scheduling {\n  step [\n"
        + ",\n".join(steps)
        + "\n  ]\n}\n"
    )


def picture_config(name, descriptions, options) -> str:
    """config.pbtxt of deploy/triton/model.py, whose batch is a dimension of its own."""
    numbers, styles = descriptions[1]["embedding_size"], descriptions[1].get("styles", ())
    picture, embedding = ("TYPE_UINT8", [-1, -1, -1, 3]), ("TYPE_FP32", [-1, numbers])
    inputs = [("content", *picture, False)]
    if styles:
        inputs += [("weights", "TYPE_FP32", [-1, len(styles)], True)]
    else:
        inputs += [("style", *picture, True)]
    inputs += [("embedding", *embedding, True), ("strength", "TYPE_FP32", [1], True)]
    return (
        f'name: {quoted(name)}\nbackend: "python"\nmax_batch_size: 0\n'
        + port_block("input", inputs)
        + port_block("output", [("pastiche", *picture, False), ("embedding", *embedding, False)])
        + "instance_group [ { count: 1 kind: KIND_CPU } ]\n"
        + f'parameters {{ key: "cached_embeddings" value {{ string_value: "{options.cached_embeddings}" }} }}\n'
    )


def kserve_manifest(name, options) -> dict:
    """An InferenceService that runs the repository in KServe's Triton runtime, with a cache for the predictor."""
    resources = {"limits": {"cpu": "4", "memory": "8Gi"}, "requests": {"cpu": "1", "memory": "2Gi"}}
    if options.device == "GPU":
        for amounts in resources.values():
            amounts["nvidia.com/gpu"] = "1"
    model = {
        "modelFormat": {"name": "triton"},
        "protocolVersion": "v2",
        "runtime": "kserve-tritonserver",
        "storageUri": options.storage_uri,
        "args": ["--cache-config=local,size=67108864"],
        "resources": resources,
    }
    # names of Kubernetes have no underscore
    metadata = {"name": name.lower().replace("_", "-")}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": metadata,
        "spec": {"predictor": {"model": model}},
    }


def write_text(path, text):
    """Writes a file that is whole or absent."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def make_repository(checkpoint, folder, options) -> list[str]:
    """Writes the models.

    Args:
        checkpoint: one of a pair of ONNX files.
        folder: of the repository.
        options: `RepositoryOptions`.

    Returns:
        the models' names.

    Raises:
        UserError: an incomplete pair, a pair that was exported without --dynamic, or models that exist already.
    """
    files = find_parts(checkpoint, ".onnx")[: len(PARTS)]
    descriptions = [read_description(file) for file in files]
    for file, description in zip(files, descriptions, strict=True):
        if any(
            isinstance(side, int) for port in description["inputs"] for side in [port["shape"][0], *port["shape"][2:]]
        ):
            raise UserError(f"checkpoint {file}: was exported for one size; export it again with --dynamic")
    name = files[1].stem.removesuffix("_transfer")
    names = [f"{name}_predictor", f"{name}_transfer", f"{name}_ensemble", name]
    there = [folder / each for each in names if (folder / each).exists()]
    if there and not options.overwrite:
        raise UserError(f"{there[0]}: exists already; add --overwrite or choose another folder")
    for path in there:
        shutil.rmtree(path)
    for part, file, description in zip(names, files, descriptions, strict=False):
        write_text(folder / part / "config.pbtxt", graph_config(part, description, options, part == names[0]))
        with atomic_write(folder / part / "1" / "model.onnx") as temporary:
            shutil.copyfile(file, temporary)
    write_text(folder / names[2] / "config.pbtxt", ensemble_config(name, descriptions, options))
    (folder / names[2] / "1").mkdir(parents=True, exist_ok=True)
    version = folder / name / "1"
    write_text(folder / name / "config.pbtxt", picture_config(name, descriptions, options))
    write_text(version / "description.json", json.dumps(descriptions[1]))
    shutil.copyfile(Path(__file__).with_name("model.py"), version / "model.py")
    for source in [*(ROOT / "src").glob("*.py"), *(ROOT / "src" / part for part in PROJECT)]:
        target = version / "project" / "src" / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    return names


def main(argv):
    """Reads a file's and a folder's name, writes the repository, returns the exit code."""
    options = parse(
        argv,
        (),
        __doc__.splitlines()[0],
        positionals=[
            (
                "source",
                None,
                "NAME_transfer.onnx, from export.py --dynamic, with NAME_predictor.onnx beside it",
                "--checkpoint",
            ),
            ("folder", None, "folder of the repository", "--output"),
        ],
        own=RepositoryOptions,
    )
    folder = check_folder(options.folder, "folder")
    for name in make_repository(options.source, folder, options.own):
        print(folder / name)
    if options.own.storage_uri:
        manifest = folder.with_name(f"{folder.name}.kserve.yaml")
        write_text(manifest, yaml.safe_dump(kserve_manifest(name, options.own), sort_keys=False))
        print(manifest)
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
