"""Writes the configurations of MindSpore Lite's converter_lite for an exported pair, and runs it where it is installed.

python deploy/convert_lite.py style_transfer.onnx lite/style_transfer.mindir --sizes 256x256 512x768

On Ascend a converted transfer network takes only the sizes (width x height) of --sizes; the predictor takes style
images of 256 x 256. Without --sizes every side is free, which works on CPU and GPU.
"""

import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.config import parse
from src.engines.choice import PARTS, find_parts
from src.engines.exported import read_description
from src.errors import UserError, run_entry
from src.files import atomic_write, write_json
from src.options.option import Options, option
from src.stylize.stylizer import MULTIPLE, SMALLEST_SIDE, STYLE_SIDE

STYLE_SIZE = (STYLE_SIDE, STYLE_SIDE)


@dataclass(frozen=True)
class ConvertOptions(Options):
    """How the converted files are to run."""

    sizes: list[str] = option([], "sizes of contents, such as 512x384 for 512 pixels wide; empty leaves them free")
    precision_mode: str = option(
        "enforce_fp32",
        "arithmetic on Ascend; half precision is faster, and not checked on hardware",
        choices=("enforce_fp32", "enforce_fp16", "preferred_fp32", "enforce_origin", "preferred_optimal"),
    )


def read_sizes(texts) -> list[tuple[int, int]]:
    """(height, width) of each text "WIDTHxHEIGHT".

    Raises:
        UserError: a text that is no size, or a side that the network does not take.
    """
    sizes = []
    for text in texts:
        width, _, height = text.lower().partition("x")
        if not (width.isdigit() and height.isdigit()):
            raise UserError(f"option sizes: found {text}, expected WIDTHxHEIGHT in pixels, such as 512x384")
        sides = int(height), int(width)
        if any(side % MULTIPLE or side < SMALLEST_SIDE for side in sides):
            raise UserError(f"option sizes: found {text}, expected multiples of {MULTIPLE} from {SMALLEST_SIDE} up")
        sizes.append(sides)
    return sizes


def _fixed(port, images):
    return "1,3,-1,-1" if port in images else f"1,{port['shape'][1]}"


def converter_config(ports, sizes, precision_mode) -> str:
    """The text of converter_lite's --configFile.

    Args:
        ports: `inputs` of the JSON beside an exported file.
        sizes: (height, width) that the image may have; empty for free ones.
        precision_mode: see `ConvertOptions`.
    """
    lines = ["[ascend_context]", f"precision_mode={precision_mode}"]
    images = [port for port in ports if port["layout"] == "NCHW"]
    if sizes and images:
        # batches of one; dynamic_dims has a bracket for each size, and in it a number for each -1
        shapes = [f"{p['name']}:[{_fixed(p, images)}]" for p in ports]
        lines += ["input_shape=" + ";".join(shapes)]
        lines += ["dynamic_dims=" + ",".join(f"[{height},{width}]" for height, width in sizes)]
    return "\n".join(lines) + "\n"


def converter_command(source, target, config, ascend) -> list[str]:
    """The command line of converter_lite, which adds the ending .mindir to the output itself."""
    kind = "MINDIR" if source.suffix.lower() == ".mindir" else "ONNX"
    command = ["converter_lite", f"--fmk={kind}", f"--modelFile={source}", f"--outputFile={target.with_suffix('')}"]
    command += ["--saveType=MINDIR", f"--configFile={config}"]
    return [*command, "--optimize=ascend_oriented"] if ascend else command


def main(argv):
    """Reads two file names, writes the configurations, converts, returns the exit code."""
    options = parse(
        argv,
        (),
        __doc__.splitlines()[0],
        positionals=[
            (
                "source",
                None,
                "NAME_transfer.onnx or .mindir from export.py, with NAME_predictor beside it",
                "--checkpoint",
            ),
            ("target", None, "NAME_transfer.mindir to write; the predictor is written beside it", "--output"),
        ],
        own=ConvertOptions,
    )
    sizes = read_sizes(options.own.sizes)
    target = Path(options.target)
    if not target.name.endswith("_transfer.mindir"):
        raise UserError(f"target {target}: expected a name that ends in _transfer.mindir")
    name = target.name.removesuffix("_transfer.mindir")
    sources = find_parts(options.source, Path(options.source).suffix.lower())[: len(PARTS)]
    installed = shutil.which("converter_lite")
    for part, source in zip(PARTS, sources, strict=True):
        file = target.with_name(f"{name}_{part}.mindir")
        description = read_description(source)
        config = file.with_suffix(".cfg")
        chosen = ([STYLE_SIZE] if part == "predictor" else sizes) if sizes else []
        with atomic_write(config) as temporary:
            temporary.write_text(
                converter_config(description["inputs"], chosen, options.own.precision_mode), encoding="utf-8"
            )
        write_json(file.with_name(file.name + ".json"), description)
        command = converter_command(source, file, config, ascend=bool(sizes))
        print(shlex.join(command), flush=True)
        if installed and subprocess.run(command, check=False).returncode:
            raise UserError(f"converter_lite failed on {source}, see above")
    if not installed:
        print("converter_lite is not on PATH: run these commands where MindSpore Lite is installed")
    return 0


if __name__ == "__main__":
    # MindSpore imports the package triton where it is installed; the folder of that name beside this file is another
    sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != Path(__file__).resolve().parent]
    sys.exit(run_entry(main))
