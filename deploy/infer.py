"""Stylises every content with every style in the engine of a deployment, with the preparation of eval.py.

python deploy/infer.py --model_type ONNX --model_path style_transfer.onnx --content_path C --style_path S
    --output_path D [--image_size N] [--device_target Ascend|GPU|CPU]

Writes D/<content>_<style>.png, the pictures that eval.py writes for the same model, without measuring anything.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.config import parse
from src.errors import UserError, run_entry
from src.evaluation.names import pair_names
from src.files import check_folder, refuse_inputs
from src.images.files import list_images, read_at, write_image
from src.memory import memory_for
from src.options.option import Options, PathText, option
from src.styles import match_styles
from src.stylize.stylizer import Stylizer

ENGINES = {
    "MindSpore": "mindspore",
    "MindIR": "mindir",
    "Lite": "mindspore_lite",
    "ONNX": "onnxruntime",
    "OpenVINO": "openvino",
}


@dataclass(frozen=True)
class InferOptions(Options):
    """Which model, in which engine."""

    model_type: str = option(
        "ONNX",
        "MindSpore for a checkpoint, MindIR for exported files in MindSpore, Lite for files of converter_lite, ONNX "
        "and OpenVINO for exported .onnx files",
        choices=tuple(ENGINES),
    )
    model_path: PathText = option(
        "",
        "checkpoint, or one of a pair of exported files; empty takes the bundled model",
        aliases=("checkpoint", "ckpt_path"),
    )


def infer(stylizer, contents, styles, folder, image_size=0):
    """Writes the pastiche of every content with every style.

    Args:
        stylizer: `src.stylize.stylizer.Stylizer`.
        contents, styles: lists of files.
        folder: where the pictures go.
        image_size: see `src.images.files.read_at`.

    Yields:
        (file, None) of each picture that is written; (content file, the `UserError`) of one that can't be.
    """
    names = iter(pair_names(contents, styles))
    chosen = match_styles(stylizer.styles, styles) or [read_at(path, image_size) for path in styles]
    embeddings = [stylizer.embed(style) for style in chosen]
    for content in contents:
        outputs = [folder / f"{next(names)}.png" for _ in styles]
        try:
            image = read_at(content, image_size)
            work = f"{content}: a picture of {image.shape[1]} x {image.shape[0]} pixels"
            for embedding, output in zip(embeddings, outputs, strict=True):
                with memory_for(work, "use a smaller --image_size"):
                    write_image(output, stylizer.stylize(image, embedding))
                yield output, None
        except UserError as error:
            yield content, error


def main(argv):
    """Reads the options, stylises, returns the exit code."""
    sections = ("eval.content_path", "eval.style_path", "eval.output_path", "eval.image_size", "runtime")
    options = parse(argv, sections, __doc__.splitlines()[0], own=InferOptions)
    settings = options.eval
    folder = check_folder(settings.output_path, "output_path")
    contents = list_images(settings.content_path, "content_path", folder)
    styles = list_images(settings.style_path, "style_path", folder)
    inputs = {**dict.fromkeys(styles, "the style image"), **dict.fromkeys(contents, "the content")}
    refuse_inputs([folder / f"{name}.png" for name in pair_names(contents, styles)], inputs)
    stylizer = Stylizer.open(options.own.model_path, ENGINES[options.own.model_type], runtime=options.runtime)
    failures = 0
    for path, error in infer(stylizer, contents, styles, folder, settings.image_size):
        if error:
            failures += 1
            print(f"error: {error}", file=sys.stderr)
        else:
            print(path)
    return 2 if failures else 0


if __name__ == "__main__":
    # MindSpore imports the package triton where it is installed; the folder of that name beside this file is another
    sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != Path(__file__).resolve().parent]
    sys.exit(run_entry(main))
