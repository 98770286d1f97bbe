"""A program that trains a few numbers on one process or several: two_ranks.py CONTENT STYLE BATCH OUT.

Each process writes the numbers after each step to OUT/<rank>.npy, and to OUT/<rank>.json how often it compiled its
step, and the operators of that.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import src  # noqa: F401, I001  prepares the environment before MindSpore is imported
import mindspore as ms
import numpy as np
from mindspore import Parameter, nn, ops

from src.ascend.primitives import cell_primitives
from src.config import defaults
from src.data.dataset import PairedImages
from src.errors import run_entry
from src.runtime import finish, setup
from src.training.build import build_step
from src.training.files import step_parameters
from src.training.ranks import check_same_weights

STEPS = 20


class Colours(nn.Cell):
    """The mean squared difference of a style and its content, each channel of which is multiplied by a number."""

    def __init__(self):
        super().__init__()
        self.w = Parameter(ms.Tensor(np.ones((1, 3, 1, 1)), ms.float32), name="w")

    def targets(self, content, style):
        return ()

    def construct(self, content, style, targets):
        total = ops.square(content * self.w - style).mean()
        return total, ops.stack((total, total))


def main(argv):
    content, style, batch, out = argv
    data = {"content_path": content, "style_path": style, "batch_size": int(batch), "image_size": 32, "min_side": 16}
    train = {"steps": STEPS, "optimizer": "sgd", "learning_rate": 0.5, "clip_norm": 0.1}
    runtime = {"device_target": "CPU", "distributed": "MS_ROLE" in os.environ}
    options = defaults(data=data, train=train, runtime=runtime)
    runtime = setup(options["runtime"])
    objective = Colours()
    step = build_step(options["train"], objective, objective.trainable_params(), runtime)
    check_same_weights(step_parameters(step), runtime)
    images = PairedImages(options["data"], 1, runtime.rank, runtime.rank_size)
    found = []
    for pair in images.batches(0, STEPS):
        step(*pair)
        found.append(objective.w.asnumpy().ravel().copy())
    np.save(Path(out) / f"{runtime.rank}.npy", np.array(found))
    compiled = {"compilations": len(step.compile_cache), "operators": list(cell_primitives(step, pair))}
    (Path(out) / f"{runtime.rank}.json").write_text(json.dumps(compiled), encoding="utf-8")
    finish(runtime)


if __name__ == "__main__":
    sys.exit(run_entry(main))
