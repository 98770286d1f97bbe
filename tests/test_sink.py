"""What passes between host and device in training: nothing is waited for between log lines, and sink mode."""

import dataclasses
from types import SimpleNamespace

import mindspore as ms
import numpy as np
import pytest
from test_train_step import make
from tiny_runs import LOSS, RUNTIME, use_plain_steps

from src.config import defaults
from src.data.dataset import PairedImages
from src.errors import UserError
from src.training import trainer
from src.training.sink import check_sink, sink
from src.training.train_step import DONE, TrainOneStep
from src.weights.native import read_checkpoint

# every one of them waits until the device has computed a tensor
WAITING = ("asnumpy", "item", "tolist", "__float__", "__int__", "__bool__", "__index__", "__array__")
ON_ASCEND = dataclasses.replace(RUNTIME, device_target="Ascend")


@pytest.fixture
def options(few_statistics, loss_weights, image_folders, tmp_path):
    """Function of (network's options, train's options): the options of a tiny run."""

    def build(network, **train):
        content, style = map(str, image_folders)
        train = {"output_dir": str(tmp_path / "run"), "ckpt_path": str(loss_weights), "image_every": 1000, **train}
        data = {"content_path": content, "style_path": style, "image_size": 32, "batch_size": 2, "min_side": 32}
        built = defaults(network={"width": 0.25, **network}, loss=LOSS, data=data, train=train)
        return SimpleNamespace(**{name: built[name] for name in ("network", "loss", "data", "train")})

    return build


@pytest.fixture
def waits(monkeypatch):
    """How many steps were begun when the host waited for a tensor, each time; `steps` counts them."""
    found = SimpleNamespace(steps=0, when=[])

    def counting(name):
        real = getattr(ms.Tensor, name)

        def call(self, *arguments, **named):
            found.when.append(found.steps)
            return real(self, *arguments, **named)

        return call

    for name in WAITING:
        if hasattr(ms.Tensor, name):
            monkeypatch.setattr(ms.Tensor, name, counting(name))
    return found


@pytest.mark.parametrize("network", [{"predictor": "compact"}, {"method": "n_styles"}], ids=["images", "table"])
def test_the_host_waits_for_the_device_at_log_lines_only(options, waits, monkeypatch, network):
    class QuietStep(TrainOneStep):
        def __call__(self, content, style, *given):
            waits.steps += 1
            return ms.Tensor(np.ones(len(self.objective.names), np.float32)), ms.Tensor(DONE, ms.float32)

    use_plain_steps(monkeypatch)
    monkeypatch.setattr("tiny_runs.PlainStep", QuietStep)
    assert trainer.train(options(network, steps=10, log_every=4, save_every=1000), RUNTIME) == 0
    # the first step has a line of its own; the last one also writes the checkpoint
    assert waits.steps == 10 and {step for step in waits.when if step} == {1, 4, 8, 10}


def test_a_compiled_step_does_not_wait(waits):
    step = make(clip_norm=5.0, ema_decay=0.5, loss_scale=1024.0)
    images = [ms.Tensor(np.full((1, 3, 2, 2), value), ms.float32) for value in (0.5, 0.25)]
    step(*images)
    waits.when.clear()  # compiling reads constants
    terms, _ = step(*images)
    step(*images)
    assert waits.when == []
    terms.asnumpy()
    assert waits.when


@pytest.fixture
def data_sink(monkeypatch):
    """A stand-in for `mindspore.data_sink` that does on the host what the function's page says of the device."""

    def stand_in(fn, dataset, sink_size=1, jit_config=None, input_signature=None):
        assert sink_size == 1
        batches = dataset.create_tuple_iterator(num_epochs=1)
        return lambda: fn(*next(batches))

    monkeypatch.setattr(ms, "data_sink", stand_in, raising=False)


def test_sink_mode_trains_as_without(options, data_sink, monkeypatch, tmp_path):
    use_plain_steps(monkeypatch)
    found = []
    for sunk in (False, True):
        ms.set_seed(1)
        folder = tmp_path / str(sunk)
        given = options({"predictor": "compact"}, steps=6, log_every=2, output_dir=str(folder), dataset_sink_mode=sunk)
        assert trainer.train(given, ON_ASCEND) == 0
        weights, _ = read_checkpoint(folder / "checkpoints" / "step_00000006.ckpt")
        found.append(((folder / "losses.csv").read_text(), weights))
    losses, weights = zip(*found, strict=True)
    values = [[[line.split(",")[0], *line.split(",")[2:]] for line in text.splitlines()] for text in losses]
    assert values[0] == values[1] and len(values[0]) > 3
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_queue_gives_the_batches_of_its_steps_and_the_weights_of_their_styles(options, data_sink):
    images = PairedImages(options({"predictor": "compact"}).data, 1)
    seen = []
    places, run = sink(lambda *batch: seen.append(batch), images, 3, 6, lambda step: ms.Tensor([[step, 0.5]]))
    assert list(places) == [(), (), ()]
    for _ in places:
        run()
    for step, (expected, found) in enumerate(zip(images.batches(3, 6), seen, strict=True), 3):
        assert all(np.array_equal(e.asnumpy(), f.asnumpy()) for e, f in zip(expected, found[:2], strict=True))
        assert found[2].asnumpy().tolist() == [[step, 0.5]]


@pytest.mark.parametrize(
    ("target", "crops", "lacking", "named"),
    [
        ("CPU", 0, False, "with device_target CPU, expected Ascend or GPU"),
        ("Ascend", 2, False, "with style_crops 2"),
        ("GPU", 0, True, "no mindspore.data_sink"),
    ],
)
def test_sink_mode_is_refused_where_there_is_no_queue(monkeypatch, target, crops, lacking, named):
    if lacking:
        monkeypatch.delattr(ms, "data_sink", raising=False)
    built = defaults(train={"dataset_sink_mode": True}, data={"style_crops": crops})
    given = SimpleNamespace(data=built["data"], train=built["train"])
    with pytest.raises(UserError, match=f"option dataset_sink_mode: found true.*{named}"):
        check_sink(given, target)
    given.train = dataclasses.replace(given.train, dataset_sink_mode=False)
    assert check_sink(given, target) is None
