"""The page of docs/demo/ with what it needs beside it: ONNX Runtime Web, the models for a browser, sample pictures."""

import base64
import gzip
import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from PIL import Image

from src.config import ROOT
from src.deploy.browser import for_browser
from src.engines.choice import find_parts
from src.engines.exported import read_description
from src.errors import UserError
from src.files import atomic_write, check_folder, write_json
from src.images.files import list_images, read_image, resize_short_side
from src.styles import style_name

PAGE = ROOT / "docs" / "demo"
SAMPLES = ROOT / "dataset" / "test"
PARTS = ("predictor", "transfer", "tiles")
THUMBNAIL = 128
# The version that requirements-onnx.txt has, so that both sides compute with the same kernels
PACKAGE, VERSION = "onnxruntime-web", "1.23.2"
INTEGRITY = "T09JUtMn+CZLk3mFwqiH0lgQf+4S7+oYHHtk6uhaYAAJI95bTcKi5bOOZYwORXfS/RLZCjDDEXGWIuOCAFlEjg=="
# What the page loads before its first picture, beside its own files and the lists' small pictures
FIRST = ("models/predictor.onnx", "models/transfer.onnx", "models/model.json", "samples/samples.json")
FIRST += ("samples/content_cat.jpg", "samples/style_swirling_night.jpg")
# One pair runs on the processor, the other on WebGPU; the page loads one of them.
RUNTIME = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)


def build_demo(output=PAGE, checkpoint="") -> Path:
    """Writes models/, samples/ and runtime/ beside the page, and the page itself where the folder is another.

    Args:
        output: folder that a web server is to serve.
        checkpoint: one of an exported ONNX pair of the method `arbitrary`, with its graph for tiles; empty for the
            bundled one.

    Returns:
        the folder.

    Raises:
        UserError: a model that the page can't run, or a runtime that can't be had.
    """
    output = check_folder(output, "output")
    for folder in ("models", "samples", "runtime"):
        (output / folder).mkdir(parents=True, exist_ok=True)
    _write_models(checkpoint, output / "models")
    _write_samples(output / "samples")
    _write_runtime(output / "runtime")
    if output.resolve() != PAGE.resolve():
        for file in PAGE.iterdir():
            if file.is_file():
                _copy(file, output / file.name)
    return output


def first_load(folder) -> int:
    """Bytes that a built page loads before its first picture, each file compressed by gzip, without the runtime."""
    files = [*folder.glob("*.*"), *folder.glob("samples/*_small.jpg"), *(folder / name for name in FIRST)]
    return sum(len(gzip.compress(file.read_bytes())) for file in files)


def _write_models(checkpoint, folder):
    files = find_parts(checkpoint, ".onnx")
    description = read_description(files[1])
    network_options = description["network"]
    if len(files) < len(PARTS) or description.get("styles") or network_options["padding"] != "reflect":
        raise UserError(
            f"checkpoint {files[1]}: the page needs a model that embeds images, reflects at borders and has its graph "
            "for tiles; write it with export.py --dynamic --parts predictor, transfer and tiles"
        )
    for file, part in zip(files, PARTS, strict=True):
        with atomic_write(folder / f"{part}.onnx") as temporary:
            for_browser(file, temporary)
    statistics = read_description(files[2])["inputs"][2]["shape"]
    write_json(
        folder / "model.json",
        {"embedding_dim": description["embedding_size"], "output": network_options["output"], "statistics": statistics},
    )


def _write_samples(folder):
    """Copies the pictures of dataset/test, with a small one of each for the page's lists."""
    samples = {}
    for kind in ("content", "style"):
        samples[kind] = []
        for file in list_images(SAMPLES / kind, kind):
            small = f"{kind}_{file.stem}_small.jpg"
            _copy(file, folder / f"{kind}_{file.name}")
            with atomic_write(folder / small) as temporary:
                picture = resize_short_side(read_image(file), THUMBNAIL)
                Image.fromarray(picture).save(temporary, format="JPEG", quality=80)
            name = style_name(file).replace("_", " ")
            samples[kind].append({"name": name, "file": f"{kind}_{file.name}", "small": small})
    write_json(folder / "samples.json", samples)


def _write_runtime(folder):
    with tarfile.open(fetch_runtime()) as archive:
        for name in RUNTIME:
            with archive.extractfile(f"package/dist/{name}") as source, atomic_write(folder / name) as temporary:
                with open(temporary, "wb") as target:
                    shutil.copyfileobj(source, target)


def runtime_file() -> Path:
    """Where the package of the runtime is kept once it is there."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "arbitrary_style_transfer" / f"{PACKAGE}-{VERSION}.tgz"


def fetch_runtime() -> Path:
    """The package of ONNX Runtime Web: from the cache, or by npm from its registry into the cache.

    Raises:
        UserError: no npm, no registry, or another content than this version's.
    """
    file = runtime_file()
    if file.is_file():
        return _check(file)
    way_out = f"get {file.name} from the npm registry on another machine and copy it to {file.parent}"
    npm = shutil.which("npm")
    if not npm:
        raise UserError(f"npm: not installed here, expected it to get {PACKAGE}; install Node.js, or {way_out}")
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as temporary:
        folder = temporary.with_name(f"{temporary.stem}-npm")
        folder.mkdir()
        try:
            command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", "--silent", "--pack-destination", "."]
            process = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if process.returncode:
                said = (process.stderr.strip().splitlines() or [f"status {process.returncode}"])[-1]
                raise UserError(f"npm pack {PACKAGE}@{VERSION}: {said}; try again with internet, or {way_out}")
            os.replace(_check(folder / file.name), temporary)
        finally:
            shutil.rmtree(folder)
    return file


def _check(file):
    found = base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()
    if found != INTEGRITY:
        raise UserError(f"{file}: SHA-512 {found}, expected {INTEGRITY}; remove the file, it is damaged or another one")
    return file


def _copy(source, target):
    with atomic_write(target) as temporary:
        shutil.copyfile(source, temporary)
