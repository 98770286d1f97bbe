"""Pictures in, pictures out, in Triton's Python backend: the preparation of stylize.py around the two ONNX models.

Inputs and outputs are those that the service's /v2 has: content UINT8 [N, H, W, 3]; style UINT8 [N or 1, h, w, 3],
embedding FP32 [N or 1, E] or, of a model with a table of styles, weights FP32 [N or 1, styles]; strength FP32 [1].
Embeddings of style images are kept, the last `cached_embeddings` of them by the images' checksums.
make_repository.py puts this file, the code that this file imports, and the description of the model into the
repository.
"""

import hashlib
import json
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "project"))

from src.engines.exported import Architecture  # noqa: E402
from src.errors import UserError  # noqa: E402
from src.stylize.painting import finish, look_of  # noqa: E402
from src.stylize.stylizer import Stylizer  # noqa: E402


class TritonNetworks:
    """`src.engines.engine.Networks` whose two networks are other models of the same server.

    Args:
        name: of the model; its parts are NAME_predictor and NAME_transfer.
        description: the JSON beside the exported transfer network.
    """

    name = "onnxruntime"
    content_size = style_size = None
    can_tile = False

    def __init__(self, name, description):
        self._name = name
        self.embedding_dim = description["embedding_size"]
        self.styles = tuple(description.get("styles", ()))
        known = description["network"]
        self.architecture = Architecture(**{key: known[key] for key in Architecture.__annotations__ if key in known})

    def _ask(self, part, output, **inputs):
        request = pb_utils.InferenceRequest(
            model_name=f"{self._name}_{part}",
            requested_output_names=[output],
            inputs=[pb_utils.Tensor(name, array) for name, array in inputs.items()],
        )
        response = request.exec()
        if response.has_error():
            raise UserError(f"{self._name}_{part}: {response.error().message()}")
        return pb_utils.get_output_tensor_by_name(response, output).as_numpy()

    def embed(self, style):
        """See `src.engines.engine.Networks`."""
        return self._ask("predictor", "embedding", **{"weights" if self.styles else "style": style})

    def transfer(self, content, embedding):
        """See `src.engines.engine.Networks`."""
        return self._ask("transfer", "pastiche", content=content, embedding=embedding)


class TritonPythonModel:
    """The class that Triton's Python backend loads and calls."""

    def initialize(self, args):
        """Reads the model's description and the size of the cache."""
        config = json.loads(args["model_config"])
        description = json.loads((HERE / "description.json").read_text(encoding="utf-8"))
        self._stylizer = Stylizer(TritonNetworks(config["name"], description))
        self._most = int(config["parameters"]["cached_embeddings"]["string_value"])
        self._kept = OrderedDict()

    def execute(self, requests):
        """A response for each request. A mistake in a request becomes the error of its own response."""
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        def find(name):
            tensor = pb_utils.get_input_tensor_by_name(request, name)
            return None if tensor is None else tensor.as_numpy()

        try:
            outputs = self._stylize(*map(find, ("content", "style", "embedding", "weights", "strength")))
        except (UserError, ValueError) as error:
            return pb_utils.InferenceResponse(output_tensors=[], error=pb_utils.TritonError(str(error)))
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in outputs.items()])

    def _stylize(self, contents, styles, embeddings, weights, strength):
        sources = [source for source in (styles, embeddings, weights) if source is not None]
        if len(sources) != 1:
            raise UserError(f"inputs: found {len(sources)} of style, embedding and weights, expected one of them")
        if len(sources[0]) not in (1, len(contents)):
            raise UserError(
                f"inputs: found {len(sources[0])} styles for {len(contents)} contents, expected 1 or as many"
            )
        if styles is not None:
            rows = [self._embed(style) for style in styles]
        elif weights is not None:
            rows = [self._stylizer.networks.embed(row[None])[0] for row in weights]
        else:
            rows = list(embeddings)
        rows *= len(contents) if len(rows) == 1 else 1
        much = 1.0 if strength is None else float(strength.reshape(-1)[0])
        look = look_of(self._stylizer, much, "none")
        pastiches = [self._paint(content, row, look) for content, row in zip(contents, rows, strict=True)]
        return {"pastiche": np.stack(pastiches), "embedding": np.stack(rows).astype(np.float32)}

    def _paint(self, content, row, look):
        if look.strength_by == "embedding":
            row = self._stylizer.strengthen(content, row, look.strength)
        return finish(content, [self._stylizer.stylize(content, row)], look)

    def _embed(self, style):
        style = np.ascontiguousarray(style)
        key = hashlib.sha256(repr(style.shape).encode() + style.tobytes()).digest()
        if key not in self._kept:
            self._kept[key] = self._stylizer.embed(style)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]
