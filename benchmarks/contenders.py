"""One contender of benchmarks/speed.py, in a process and a Python of its own.

    python benchmarks/contenders.py NAME FOLDER

Reads one JSON object a line and answers with one line of JSON. {"model": "full", "kind": "pastiche", "side": 256} runs
once and gives {"seconds": ..., "megabytes": ...} (the process' peak so far); with "output": FILE also writes the
pastiche. {"kind": "step", "batch": 4, "side": 256} runs a training step of the recipe, {"kind": "optimize", "network":
"vgg19", "side": 256} an iteration of configs/optimize.yaml. FOLDER holds what speed.py made: options.json, the loss
networks NETWORK.ckpt, and of each model NAME.ckpt, NAME_predictor.onnx, NAME_transfer.onnx, NAME.npz (its arrays) and
NAME_embedding.npy.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.config import ROOT, build, defaults


def known_embedding(folder, model):
    """The style embedding (1, embedding_dim) that pastiches are made with, the same for every contender."""
    return np.load(folder / f"{model}_embedding.npy")


class Engine:
    """An engine of `src.engines.choice`, in one precision."""

    def __init__(self, folder, engine, precision="float32"):
        self.folder, self.engine, self.precision = folder, engine, precision
        self.opened = {}

    def _networks(self, model):
        from src.engines.choice import open_networks

        if model not in self.opened:
            name = f"{model}.ckpt" if self.engine == "mindspore" else f"{model}_transfer.onnx"
            if self.engine == "mindspore":
                from src.runtime import setup

                setup(defaults()["runtime"])
            runtime = defaults(runtime={"precision": self.precision, "device_target": "CPU"})["runtime"]
            self.opened[model] = open_networks(self.engine, str(self.folder / name), runtime_options=runtime)
        return self.opened[model]

    def embedded_before(self, model, style):
        """What `transfer` takes for a style that was embedded before the clock runs."""
        return known_embedding(self.folder, model)

    def embed(self, model, style):
        """Embedding (1, embedding_dim) of style (1, 3, h, w)."""
        return self._networks(model).embed(style)

    def transfer(self, model, content, embedding):
        """Pastiche (1, 3, H, W)."""
        return self._networks(model).transfer(content, embedding)

    def training(self):
        """A function of content and style (N, 3, H, W) that makes a step."""
        return mindspore_step(self.folder)

    def optimization(self, network, content, style):
        """A function that makes an iteration of the optimisation of a content, with a loss network of that name."""
        from src.images.files import to_image
        from src.optimize.method import Gatys
        from src.runtime import setup

        options = optimization_options(self.folder, network)
        setup(options["runtime"])
        method = Gatys(options["loss"], options["optimize"])
        return method.optimize(to_image(content), (to_image(style),)).__next__


class Published:
    """The published port, rebuilt."""

    def __init__(self, folder):
        self.folder = folder
        self.model = None

    def embedded_before(self, model, style):
        """The style, see `embed`."""
        return style

    def embed(self, model, style):
        """Nothing: it embeds the style with every picture, as `transfer` does here."""
        return style

    def transfer(self, model, content, style):
        """Pastiche (1, 3, H, W)."""
        import mindspore as ms

        from benchmarks.published_port import published_model
        from src.runtime import setup

        if self.model is None:
            setup(defaults()["runtime"])
            self.model = published_model(recipe(self.folder)["network"])
        return self.model(ms.Tensor(content), ms.Tensor(style)).asnumpy()

    def training(self):
        """See `Engine.training`."""
        import mindspore as ms

        from benchmarks.published_port import PublishedStep
        from src.runtime import setup

        setup(defaults()["runtime"])
        options = recipe(self.folder)
        step = PublishedStep(options["network"], options["loss"])
        return lambda content, style: step(ms.Tensor(content), ms.Tensor(style)).asnumpy()


class PyTorch:
    """benchmarks/torch_networks.py."""

    def __init__(self, folder):
        self.folder = folder
        self.opened = {}

    def _parts(self, model):
        import torch

        from benchmarks.torch_networks import PREDICTORS, Transfer

        if model not in self.opened:
            described = json.loads((self.folder / "options.json").read_text())[model]
            network = build({"network": described}, ("network",))["network"]
            arrays = {name: torch.from_numpy(value) for name, value in np.load(self.folder / f"{model}.npz").items()}
            predictor, transfer = PREDICTORS[network.predictor](network), Transfer(network)
            for part, prefix in ((transfer, "transfer."), (predictor, "predictor.")):
                own = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
                if network.predictor != "inception_v3" or part is transfer:
                    part.load_state_dict(own)
                part.eval()
            self.opened[model] = predictor, transfer
        return self.opened[model]

    def embedded_before(self, model, style):
        """See `Engine.embedded_before`."""
        return known_embedding(self.folder, model)

    def embed(self, model, style):
        """Embedding (1, embedding_dim) of style (1, 3, h, w)."""
        import torch

        with torch.inference_mode():
            return self._parts(model)[0](torch.from_numpy(style)).numpy()

    def transfer(self, model, content, embedding):
        """Pastiche (1, 3, H, W)."""
        import torch

        with torch.inference_mode():
            return self._parts(model)[1](torch.from_numpy(content), torch.from_numpy(embedding)).numpy()

    def training(self):
        """See `Engine.training`."""
        from benchmarks.torch_steps import Training

        options = recipe(self.folder)
        return Training(options["network"], options["loss"])

    def optimization(self, network, content, style):
        """See `Engine.optimization`."""
        from benchmarks.torch_steps import Optimization

        options = optimization_options(self.folder, network)
        return Optimization(options["loss"], options["optimize"], content, style)


def recipe(folder) -> dict:
    """The sections of the recipe whose step is timed."""
    described = json.loads((folder / "options.json").read_text())["recipe"]
    return build(described, tuple(described))


def optimization_options(folder, network) -> dict:
    """The sections of configs/optimize.yaml for a loss network of `folder`, without an end."""
    loss = {"loss_network": network, "loss_network_ckpt": str(folder / f"{network}.ckpt")}
    return defaults(ROOT / "configs" / "optimize.yaml", loss=loss, optimize={"iterations": 10**9})


def mindspore_step(folder):
    """This project's training step with random weights, as `train.py` builds it."""
    import mindspore as ms

    from src.models.factory import create_model, new_loss_network
    from src.runtime import setup
    from src.training.build import build_step
    from src.training.stylization import create_stylization

    options = recipe(folder)
    machine = setup(options["runtime"])
    loss = options["loss"]
    model = create_model(options["network"], loss.loss_network)
    objective = create_stylization(model, loss, lambda loss, taps: new_loss_network(loss, taps, bias=False))
    step = build_step(options["train"], objective, model.trainable_params(), machine)
    return lambda content, style: step(ms.Tensor(content), ms.Tensor(style)).asnumpy()


CONTENDERS = {
    "mindspore": lambda folder: Engine(folder, "mindspore"),
    "onnxruntime": lambda folder: Engine(folder, "onnxruntime"),
    "openvino": lambda folder: Engine(folder, "openvino"),
    "openvino bf16": lambda folder: Engine(folder, "openvino", "bfloat16"),
    "pytorch": PyTorch,
    "published port": Published,
}


def picture(batch, side):
    """float32 (batch, 3, side, side) in [0, 1], the same in every process."""
    coarse = np.random.default_rng(0).random((batch, 3, side // 8, side // 8), np.float32)
    return np.ascontiguousarray(np.kron(coarse, np.ones((8, 8), np.float32)))


class Worker:
    """Answers requests for one contender."""

    def __init__(self, contender):
        self.contender = contender
        self.step = None

    def _prepare(self, request):
        kind, side = request["kind"], request["side"]
        if kind == "step":
            self.step = self.step or self.contender.training()
            content, style = picture(request["batch"], side), picture(request["batch"], side)[:, ::-1].copy()
            return lambda: self.step(content, style)
        if kind == "optimize":
            if self.step is None:
                content, style = picture(1, side), picture(1, side)[:, ::-1].copy()
                self.step = self.contender.optimization(request["network"], content, style)
            return self.step
        model, content, style = request["model"], picture(1, side), picture(1, 256)[:, ::-1].copy()
        if kind == "pastiche":
            embedding = self.contender.embedded_before(model, style)
            return lambda: self.contender.transfer(model, content, embedding)
        return lambda: self.contender.transfer(model, content, self.contender.embed(model, style))

    def answer(self, request) -> dict:
        """Runs a request once."""
        run = self._prepare(request)
        started = time.perf_counter()
        result = run()
        seconds = time.perf_counter() - started
        if "output" in request:
            np.save(request["output"], result)
        return {"seconds": seconds, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main(name, folder):
    """Answers until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not get between the answers
    worker = Worker(CONTENDERS[name](Path(folder)))
    for line in sys.stdin:
        try:
            reply = worker.answer(json.loads(line))
        except Exception as error:  # noqa: BLE001  whatever stops a contender is reported, the others go on
            reply = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
        answers.write(json.dumps(reply) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
