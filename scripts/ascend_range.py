"""The largest activation, gradient and Gram entry of each layer of a recipe's training, on real images, in float32.

python scripts/ascend_range.py [configs/n_styles.yaml ...] --content_path PHOTOS --style_path PAINTINGS
    --ckpt_path WEIGHTS [--init_ckpt CHECKPOINT] [--loss_network NAME] [--batch_size 2] [--batches 2] [--csv FILE]

Numbers of 65,504 or more do not fit into float16, in which the convolutions of a 910A compute. Gradients are multiplied
by the recipe's first loss scale. Without recipes: all of configs/. --init_ckpt is for the recipes whose networks it
fits. A recipe that distils is measured with its stylization losses.
"""

import csv
import math
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.config import ROOT, defaults, parse
from src.errors import UserError, run_entry
from src.files import atomic_write
from src.images.files import list_images
from src.options.option import Options, PathText, option


@dataclass(frozen=True)
class RangeOptions(Options):
    """What is measured."""

    content_path: PathText = option("dataset/test/content", "folder of photographs")
    style_path: PathText = option("dataset/test/style", "folder of style images; single_style takes the first")
    ckpt_path: PathText = option("pretrained_model", "folder with the pretrained networks")
    init_ckpt: PathText = option(
        "", "checkpoint to start from, where its networks are a recipe's; empty for new ones", aliases=("checkpoint",)
    )
    loss_network: str = option(
        "",
        "loss network in place of the recipe's; empty for that",
        choices=("", "vgg16", "vgg19", "distilled_vgg19"),
    )
    batch_size: int = option(2, "images in a batch; of few images the gradients are larger", least=1)
    batches: int = option(2, "batches a recipe", least=1)
    csv: PathText = option("", "file for the figures of every layer; empty for none", aliases=("output",))


def report(name, found) -> list[tuple]:
    """Prints what is largest in a recipe; returns a row (recipe, layer, kind, value) for each figure."""
    from src.ascend.ranges import FLOAT16_MAX

    layer, activation = found.largest_activation()
    print(f"{name}: {len(found.layers)} convolutions, loss scale {found.loss_scale:g}")
    print(f"  largest activation  {activation:12.4g}  {layer}")
    layer, gradient = found.largest_gradient()
    doublings = max(0, math.floor(math.log2(FLOAT16_MAX / gradient)))
    print(f"  largest gradient    {gradient:12.4g}  {layer}; the loss scale can double {doublings} times")
    tap = max(found.grams, key=found.grams.get)
    print(f"  largest Gram entry  {found.grams[tap]:12.4g}  {tap} (float32)")
    beyond = found.beyond_float16()
    print(f"  not below {FLOAT16_MAX:.0f}: {', '.join(beyond) or 'none'}", flush=True)
    rows = [(name, layer, "activation", one.activation) for layer, one in found.layers.items()]
    rows += [(name, layer, "gradient", one.gradient * found.loss_scale) for layer, one in found.layers.items()]
    return rows + [(name, tap, "Gram entry", value) for tap, value in found.grams.items()]


def measure(recipe, settings):
    """The `src.ascend.ranges.Ranges` of a recipe; of other networks than the checkpoint's, from new weights."""
    from src.ascend.ranges import measure_recipe

    style = settings.style_path
    if defaults(recipe)["network"].traits.has_one_style:
        style = str(list_images(style, "style_path")[0])
    data = {"content_path": settings.content_path, "style_path": style, "batch_size": settings.batch_size}
    train = {"ckpt_path": settings.ckpt_path, "init_ckpt": settings.init_ckpt}
    try:
        return measure_recipe(recipe, data, train, settings.batches, settings.loss_network)
    except UserError as error:
        if not settings.init_ckpt or "was trained with" not in str(error):
            raise
    return measure_recipe(recipe, data, {**train, "init_ckpt": ""}, settings.batches, settings.loss_network)


def main(argv):
    """Measures the recipes; returns 1 when a number does not fit into float16, 2 when a recipe can't be measured."""
    options = parse(argv, (), __doc__.splitlines()[0], positionals=[("recipes", "*", "recipes")], own=RangeOptions)
    recipes = [Path(path) for path in options.recipes] or sorted((ROOT / "configs").glob("*.yaml"))
    for path in recipes:
        if path.suffix != ".yaml" or not path.is_file():
            raise UserError(f"no such recipe: {path}; give files of configs/")
    import mindspore as ms

    ms.set_device("CPU")
    rows, failed, beyond = [], False, False
    for path in recipes:
        try:
            found = measure(path, options.own)
        except UserError as error:
            failed = True
            print(f"{path.name}: not measured: {error}", file=sys.stderr, flush=True)
            continue
        rows += report(path.name, found)
        beyond = beyond or bool(found.beyond_float16())
    if options.own.csv:
        with atomic_write(options.own.csv) as part, open(part, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("recipe", "layer", "of", "largest"), *rows])
    return 2 if failed else int(beyond)


if __name__ == "__main__":
    sys.exit(run_entry(main))
