"""The one model in memory: its networks, the gallery of styles, and the embeddings of styles that clients sent.

Its methods that compute are for the threads of `src.service.work.WorkQueue`. Imports no FastAPI.
"""

import hashlib
import io
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np
from PIL import Image

from src.config import ROOT
from src.errors import UserError
from src.images.files import list_images, read_image
from src.service.pictures import decode_picture
from src.service.refusal import Refusal
from src.styles import style_names
from src.stylize.painting import finish, look_of
from src.stylize.stylizer import Stylizer

GALLERY, SAMPLES = ROOT / "dataset" / "test" / "style", ROOT / "dataset" / "test" / "content"
THUMBNAIL = 192


# engines whose networks several threads may run at the same time
SHARED = ("onnxruntime",)


class OneAtATime:
    """Networks that only one thread at a time runs, for engines that allow no more. Pictures and videos share them.

    Args:
        networks: `src.engines.engine.Networks`.
    """

    def __init__(self, networks):
        self._networks, self._lock = networks, threading.RLock()

    def __getattr__(self, name):
        found = getattr(self._networks, name)
        return self._alone(found) if name in ("embed", "transfer", "collect", "transfer_tile") else found

    def _alone(self, method):
        def run(*arguments):
            with self._lock:
                return method(*arguments)

        return run


def style_key(data) -> str:
    """The name under which the embedding of a style image is kept: a hash of the file's bytes."""
    return hashlib.sha256(data).hexdigest()


class Model:
    """Networks and styles.

    Args:
        stylizer: `src.stylize.stylizer.Stylizer`.
        settings: `src.options.service.ServiceConfig`.
        metrics: `src.service.metrics.Metrics`.
        name: of the model, for the open inference protocol.

    Attributes:
        gallery: {name: file} of the styles that the service offers; of a model with a table None where no picture shows
            the style.
        samples: {name: file} of photographs to try with.
        has_table: whether the model's styles are a table, so that it embeds no images.

    Raises:
        UserError: a folder without images, or two with one name.
    """

    def __init__(self, stylizer, settings, metrics, name):
        if stylizer.networks.name not in SHARED:
            stylizer = Stylizer(OneAtATime(stylizer.networks), stylizer.tile)
        self.stylizer, self.name, self._metrics, self._most = stylizer, name, metrics, settings.cached_styles
        pictures = _by_name(settings.gallery or GALLERY, "gallery")
        self.has_table = bool(stylizer.styles)
        self.gallery = {name: pictures.get(name) for name in stylizer.styles} if self.has_table else pictures
        self.samples = _by_name(settings.samples or SAMPLES, "samples")
        self._kept, self._lock = OrderedDict(), threading.Lock()

    def warm_up(self):
        """Stylises a small picture, so that no client waits while an engine compiles its networks.

        Raises:
            UserError: the model can't be run.
        """
        name, path = next(iter(self.gallery.items()))
        embedding = self.stylizer.embed(name if self.has_table else read_image(path))
        self.stylizer.stylize(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8), embedding)

    def known(self, style) -> bool:
        """Whether a style is one of the gallery's, or the key of an embedding that is kept."""
        with self._lock:
            return style in self.gallery or style in self._kept

    def embed_file(self, data, what):
        """The embedding (embedding_dim,) of a style image file's bytes, and whether it was kept from before."""
        key = style_key(data)
        found = self._look_up(key)
        if found is not None:
            return found, True
        return self._keep(key, self.stylizer.embed(decode_picture(data, what))), False

    def embed_name(self, style):
        """The embedding of a style that is `known`.

        Raises:
            Refusal: the embedding is no longer kept.
        """
        found = self._look_up(style)
        if found is not None:
            return found
        if style not in self.gallery:
            raise Refusal(404, f"style {style!r:.80}: is not known any more; send its image again")
        return self._keep(style, self.stylizer.embed(style if self.has_table else read_image(self.gallery[style])))

    def _look_up(self, key):
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
        self._metrics.add("embeddings_total", result="miss" if found is None else "hit")
        return found

    def _keep(self, key, embedding):
        with self._lock:
            self._kept[key] = embedding
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return embedding

    def blend(self, styles, weights):
        """The embedding of a blend.

        Args:
            styles: of each style its name or key, or its file's bytes.
            weights: a number from 0 for each, one of them above 0.
        """
        embeddings = [
            self.embed_file(style, f"style {i}")[0] if isinstance(style, bytes) else self.embed_name(style)
            for i, style in enumerate(styles, 1)
        ]
        return self.stylizer.blend(embeddings, weights)

    def stylize(self, content, embedding, strength, colours, ticket):
        """The pastiche, uint8 (H, W, 3), of a uint8 (H, W, 3) content.

        Args:
            ticket: `src.service.work.Ticket`; work in tiles ends when it says so.
        """
        look = look_of(self.stylizer, strength, colours)
        if look.strength_by == "embedding":
            embedding = self.stylizer.strengthen(content, embedding, strength)
        pastiche = finish(content, [self.stylizer.stylize(content, embedding, ticket.check)], look)
        self._metrics.add("pictures_total")
        self._metrics.add("pixels_total", content[..., 0].size)
        return pastiche


def thumbnail_file(path) -> bytes:
    """A JPEG of a picture, `THUMBNAIL` pixels at its long side at most."""
    image = Image.fromarray(read_image(path))
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=88)
    return stream.getvalue()


def _by_name(folder, option) -> dict[str, Path]:
    paths = list_images(folder, option)
    try:
        return dict(zip(style_names(paths), paths, strict=True))
    except UserError as error:
        raise UserError(f"option {option}: {error}") from None
