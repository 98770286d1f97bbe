"""The open inference protocol, version 2, which clients of KServe and Triton speak, with its binary extension.

Inputs of a model that embeds style images: content UINT8 [N, H, W, 3]; style UINT8 [N or 1, h, w, 3] or embedding
FP32 [N or 1, E]; strength FP32 [1], which may be left out. Of a model with a table of styles: content, weights
FP32 [N or 1, styles] with the sum 1, and strength, which mixes pixels there. Outputs: pastiche UINT8 [N, H, W, 3], and
embedding FP32 [N, E].
"""

import asyncio
import math

import numpy as np
from fastapi import APIRouter, Request, Response

from src.service.refusal import Refusal
from src.service.routes import gone
from src.service.tensors import LENGTH_HEADER, read_request, wanted_outputs, write_response

VERSION = "1"
OUTPUTS = ("pastiche", "embedding")
STRENGTH_MOST = 1.5


def describe(model) -> dict:
    """The model's metadata as the protocol has it."""

    def port(name, datatype, *shape):
        return {"name": name, "datatype": datatype, "shape": list(shape)}

    numbers, inputs = model.stylizer.embedding_dim, [port("content", "UINT8", -1, -1, -1, 3)]
    if model.has_table:
        inputs += [port("weights", "FP32", -1, len(model.gallery))]
        optional = []
    else:
        optional = [port("style", "UINT8", -1, -1, -1, 3), port("embedding", "FP32", -1, numbers)]
    inputs += [{**entry, "optional": True} for entry in [*optional, port("strength", "FP32", 1)]]
    outputs = [port("pastiche", "UINT8", -1, -1, -1, 3), port("embedding", "FP32", -1, numbers)]
    names = {"name": model.name, "versions": [VERSION], "platform": model.stylizer.networks.name}
    return {**names, "inputs": inputs, "outputs": outputs}


def check_inputs(model, inputs, most_pixels):
    """Raises a Refusal unless the inputs are those that the model takes."""
    ports = {port["name"]: port for port in describe(model)["inputs"]}
    for name, array in inputs.items():
        if name not in ports:
            raise Refusal(400, f"input {name:.40}: there is none of this name; expected {', '.join(ports)}")
        shape = ports[name]["shape"]
        kind = "UINT8" if array.dtype == np.uint8 else "FP32"
        fits = len(shape) == array.ndim and all(b in (-1, a) for a, b in zip(array.shape, shape, strict=True))
        if kind != ports[name]["datatype"] or not fits or not array.size:
            expected = f"{ports[name]['datatype']} {shape}"
            raise Refusal(400, f"input {name}: found {kind} {list(array.shape)}, expected {expected}")
        if kind == "UINT8" and math.prod(array.shape[:3]) > most_pixels:
            raise Refusal(413, f"input {name}: has more than {most_pixels / 1e6:g} million pixels; send less")
    if "content" not in inputs:
        raise Refusal(400, "input content: missing")
    sources = [name for name in ("weights", "style", "embedding") if name in inputs]
    if len(sources) != 1:
        expected = "weights" if model.has_table else "one of style and embedding"
        raise Refusal(400, f"inputs: found {' and '.join(sources) or 'no style'}, expected {expected}")
    count = len(inputs["content"])
    if len(inputs[sources[0]]) not in (1, count):
        raise Refusal(400, f"input {sources[0]}: has {len(inputs[sources[0]])} of them, expected 1 or {count}")
    if "weights" in inputs:
        weights = inputs["weights"]
        if weights.min() < 0 or np.abs(weights.sum(1) - 1).max() > 1e-3:
            raise Refusal(400, "input weights: expected numbers from 0 with the sum 1")
    if "strength" in inputs and not 0 <= inputs["strength"][0] <= STRENGTH_MOST:
        raise Refusal(400, f"input strength: found {inputs['strength'][0]:g}, expected 0 to {STRENGTH_MOST}")


def infer(model, inputs, ticket) -> dict:
    """The outputs, {name: array}, of inputs that `check_inputs` took."""
    contents, stylizer = inputs["content"], model.stylizer
    if "weights" in inputs:
        embeddings = [stylizer.networks.embed(row[None])[0] for row in inputs["weights"].astype(np.float32)]
    elif "style" in inputs:
        embeddings = [stylizer.embed(np.ascontiguousarray(style)) for style in inputs["style"]]
    else:
        embeddings = list(inputs["embedding"].astype(np.float32))
    embeddings = embeddings * (len(contents) if len(embeddings) == 1 else 1)
    strength = float(inputs["strength"][0]) if "strength" in inputs else 1.0
    pastiches = []
    for content, embedding in zip(contents, embeddings, strict=True):
        ticket.check()
        pastiches.append(model.stylize(np.ascontiguousarray(content), embedding, strength, "none", ticket))
    return {"pastiche": np.stack(pastiches), "embedding": np.stack(embeddings).astype("<f4")}


def build_router(state) -> APIRouter:
    """The routes.

    Args:
        state: `src.service.application.State`.
    """
    router = APIRouter(prefix="/v2", tags=["open inference protocol"])
    model, queue = state.model, state.queue

    def find(name, version=VERSION):
        if name != model.name or version != VERSION:
            raise Refusal(404, f"model {name!r:.80} version {version!r:.20}: is not here; expected {model.name}")

    @router.get("", summary="The server's name, version and extensions")
    async def server():
        return {"name": "style_transfer", "version": VERSION, "extensions": ["binary_tensor_data"]}

    @router.get("/health/live")
    async def live():
        return {"live": True}

    @router.get("/health/ready")
    async def ready():
        if state.stopping:
            raise Refusal(503, "the service is stopping", 5)
        return {"ready": True}

    @router.get("/models/{name}")
    @router.get("/models/{name}/versions/{version}")
    async def metadata(name: str, version: str = VERSION):
        find(name, version)
        return describe(model)

    @router.get("/models/{name}/ready")
    @router.get("/models/{name}/versions/{version}/ready")
    async def model_ready(name: str, version: str = VERSION):
        find(name, version)
        await ready()
        return {"name": name, "ready": True}

    @router.post("/models/{name}/infer", response_class=Response)
    @router.post("/models/{name}/versions/{version}/infer", response_class=Response)
    async def model_infer(request: Request, name: str, version: str = VERSION):
        find(name, version)
        queue.refuse_when_full()
        body, length = await request.body(), request.headers.get(LENGTH_HEADER)
        asked, inputs = await asyncio.to_thread(read_request, body, length)
        check_inputs(model, inputs, state.most_pixels)
        wanted = wanted_outputs(asked, OUTPUTS)
        outputs, ticket = await queue.run(lambda ticket: infer(model, inputs, ticket), gone(request))
        state.metrics.time("stylize_seconds", ticket.worked)
        head = {"model_name": model.name, "model_version": VERSION}
        if isinstance(asked.get("id"), str):
            head["id"] = asked["id"]
        answer, headers = await asyncio.to_thread(write_response, head, outputs, wanted)
        return Response(answer, headers=headers)

    return router
