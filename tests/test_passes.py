"""What a training step and a pastiche compute, counted: the guard of the speed that benchmarks/speed.py measures."""

import json
import subprocess
import sys

import pytest

COUNT = """
import json, sys
from collections import Counter
import mindspore as ms, numpy as np
from src.config import defaults
from src.models.factory import create_model, new_loss_network
from src.models.style_transfer import StyleTransferNetwork
from src.runtime import setup
from src.training.build import build_step
from src.training.stylization import create_stylization

options = defaults(sys.argv[1], network={"width": 0.25, "predictor": sys.argv[2]}, runtime={"mode": "pynative"})
runtime, loss, network = setup(options["runtime"]), options["loss"], options["network"]
model = create_model(network, loss.loss_network)
objective = create_stylization(model, loss, new_loss_network)
judge = objective.loss_network
step = build_step(options["train"], objective, model.trainable_params(), runtime)

calls = Counter()
def count(cell, name):
    plain = cell.construct
    def construct(self, *inputs):
        calls[name] += inputs[0].shape[0]
        return plain(self, *inputs)
    cell.construct = construct
count(type(judge), "loss network")
count(StyleTransferNetwork, "transfer network")
count(type(model.predictor), "predictor")
images = [ms.Tensor(np.random.rand(2, 3, 64, 64).astype(np.float32)) for _ in range(2)]
step(*images)
print(json.dumps(calls))
"""


@pytest.mark.parametrize(
    ("recipe", "predictor", "embedded"),
    [("configs/modelzoo.yaml", "compact", 2), ("configs/compact.yaml", "statistics", 0)],
)
def test_each_image_goes_through_each_network_once_a_step(recipe, predictor, embedded, root):
    command = [sys.executable, "-c", COUNT, recipe, predictor]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    # two contents, two styles, two pastiches; a statistics predictor reads the loss network's pass over the styles
    assert found.pop("predictor", 0) == embedded
    assert found == {"loss network": 6, "transfer network": 2}
