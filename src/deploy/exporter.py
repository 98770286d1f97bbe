"""From a checkpoint to an exported file and the JSON that describes it: both are checked, or neither is written."""

import importlib.util
from pathlib import Path

from src.deploy import check, mindir
from src.deploy.manifest import make_manifest
from src.deploy.parts import make_part
from src.engines.choice import find_checkpoint
from src.engines.mindspore_networks import MindSporeNetworks
from src.errors import UserError
from src.files import atomic_write, check_folder, write_json
from src.stylize.stylizer import Stylizer
from src.weights.load import read_weights

SUFFIXES = {"MINDIR": ".mindir", "AIR": ".air", "ONNX": ".onnx"}


def manifest_path(path) -> Path:
    """Where the JSON of an exported file lies."""
    return path.with_name(path.name + ".json")


def check_settings(settings) -> Path:
    """Refuses options under which an export could not be made or written, before anything is loaded.

    Args:
        settings: `src.sections.ExportConfig`.

    Returns:
        the file to write.

    Raises:
        UserError: options that exclude each other, a package is not installed, the file exists or can't be written.
    """
    if settings.file_format == "ONNX":
        missing = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
        if missing:
            raise UserError(
                f"option file_format: ONNX needs {' and '.join(missing)}, not installed here; run 'pip install -r "
                "requirements-onnx.txt', or use --file_format MINDIR"
            )
    if settings.parts == "tiles" and (settings.file_format != "ONNX" or not settings.dynamic):
        raise UserError("option parts: tiles are exported as ONNX with free sides; use --file_format ONNX --dynamic")
    if settings.dynamic and settings.file_format == "AIR":
        raise UserError("option dynamic: AIR takes fixed sizes only; use --height and --width, or --file_format MINDIR")
    return _output_path(settings)


def _output_path(settings):
    suffix = SUFFIXES[settings.file_format]
    path = Path(settings.file_name).expanduser()
    if not path.name:
        raise UserError(f"option file_name: found {settings.file_name!r}, expected the name of a file")
    if path.suffix.lower() != suffix:
        path = path.with_name(path.name + suffix)
    check_folder(path.parent, "file_name")
    for file in (path, manifest_path(path)):
        if file.is_dir():
            raise UserError(f"option file_name: {file} is a folder, expected the name of a file")
        if file.exists() and not settings.overwrite:
            raise UserError(f"option file_name: {file} exists already; add --overwrite or choose another name")
    return path


def export(settings, runtime) -> dict:
    """Exports a model, reads the file back, compares it with the network, and writes the JSON beside it.

    Args:
        settings: `src.sections.ExportConfig`.
        runtime: `src.runtime.Runtime`.

    Returns:
        the JSON's contents; `src.deploy.manifest.make_manifest` makes them.

    Raises:
        UserError: anything that `check_settings` refuses, AIR without an Ascend device, a checkpoint of another kind,
            or a graph that differs from the network.
    """
    path = check_settings(settings)
    if settings.file_format == "AIR" and runtime.device_target != "Ascend":
        raise UserError(
            f"option file_format: AIR can only be written on an Ascend device, this machine runs MindSpore on "
            f"{runtime.device_target}; use --file_format MINDIR, which Ascend's tools convert as well"
        )
    checkpoint = find_checkpoint(settings.ckpt_path)
    stylizer = Stylizer(MindSporeNetworks.load(checkpoint, settings.inception_ckpt))
    model = stylizer.networks.model
    part = make_part(
        model,
        settings.parts,
        None if settings.dynamic else (settings.height, settings.width),
        None if settings.dynamic else (settings.style_height, settings.style_width),
        free_batch=settings.dynamic and settings.file_format == "ONNX",
    )
    source = {"checkpoint": Path(checkpoint).name, "metadata": read_weights(checkpoint)[1]}
    with atomic_write(path) as temporary:
        versions, measured = _write(part, temporary, settings.file_format, stylizer, runtime.seed)
        manifest = make_manifest(part, path.name, settings.file_format, model, source, versions, measured)
        write_json(manifest_path(path), manifest)
    return manifest


def _write(part, path, file_format, stylizer, seed):
    """Writes and compares. Returns versions and the check, for the manifest."""
    if file_format == "AIR":
        mindir.write_air(part, path)
        return {}, {"done": False, "why": "MindSpore can't read AIR back"}
    if file_format == "ONNX":
        # imported only here, because this module needs the packages of requirements-onnx.txt
        from src.deploy import onnx_graph as module
    else:
        module = mindir
    module.write(part, path)
    results = check.compare(module.load(path), stylizer, part, seed)
    largest = max(result["max_difference"] for result in results)
    return module.versions(), {
        "done": True,
        "engine": module.ENGINE,
        "tolerance": check.TOLERANCE,
        "max_difference": largest,
        "images": results,
    }
