"""The files of one kind: their order, their crops, and their bytes as MindData's decoder reads them right."""

import functools
import io
import logging
import threading

import mindspore.dataset.vision as vision
import numpy as np
from PIL import Image

from src.data import transforms
from src.data.scan import Source, check_file, read_stamp
from src.errors import UserError
from src.images.decoding import find_damage
from src.images.files import read_image

logger = logging.getLogger("style_transfer")
_ATTEMPTS = 5  # crops of an image that are drawn until one is not flat


class Stream:
    """The files of one kind, in the order that the seed gives them, and what is drawn about each.

    Attributes:
        failure: the `UserError` that ends the run, in whatever thread it came up; None as long as all is well.
    """

    def __init__(self, source, files, skipped, weights, key, draw, target, avoid_flat=False, crops=0):
        """
        Args:
            source: `src.data.scan.Source`.
            files: `SourceFile`s, sorted.
            skipped: how many files the scan left out.
            weights: sampling weight a file, or None for each file once an epoch.
            key: two numbers, seed and stream, that begin the key of every random generator.
            draw: function of a numpy generator that returns a `transforms.Draw`.
            target: short side in pixels that is always enough for the crops.
            avoid_flat: whether another crop, or the next file, replaces a crop of one colour.
            crops: how many fixed crops each file has; 0 for a new crop each time.
        """
        self.files, self.skipped, self.failure = files, skipped, None
        self._source: Source = source
        self._weights, self._key, self._draw, self._target, self._crops = weights, key, draw, target, crops
        self._avoid_flat = avoid_flat
        self._checked, self._odd, self._broken, self._flat = set(), set(), set(), set()
        self._instead = {}  # position: number of the file that replaces a flat one there
        self._lock = threading.Lock()
        self._order = functools.lru_cache(maxsize=4)(self._make_order)

    def __len__(self):
        return len(self.files)

    def _make_order(self, epoch):
        generator = np.random.default_rng((*self._key, 0, epoch))
        count = len(self.files)
        if self._weights is None:
            return generator.permutation(count)
        # evenly spaced points on the cumulated weights: each file comes up as often as expected, give or take one
        cumulated = np.cumsum(self._weights)
        points = (np.arange(count) + generator.random()) * (cumulated[-1] / count)
        return generator.permutation(np.searchsorted(cumulated, points, side="right").clip(max=count - 1))

    def index(self, position) -> int:
        """Which file stands at a position; a damaged or flat one is replaced by the next in sorted order."""
        if position in self._instead:
            return self._instead[position]
        epoch, place = divmod(position, len(self.files))
        return self._usable(int(self._order(epoch)[place]))

    def _usable(self, index):
        """The first file from an index on that is not known to be damaged."""
        for _ in range(len(self.files)):
            if index not in self._broken:
                return index
            index = (index + 1) % len(self.files)
        self.failure = UserError(
            f"option {self._source.option}: every image in {self._source.folder} has become unreadable; are the files "
            "still there? The same command goes on from the last checkpoint"
        )
        raise self.failure

    def draw(self, position, attempt=0) -> transforms.Draw:
        """The random numbers for the image at a position; each attempt has its own."""
        key = (1, position, *([attempt] if attempt else []))
        if self._crops:
            key = (2, *self.fixed_crop(position))
        return self._draw(np.random.default_rng((*self._key, *key)))

    def fixed_crop(self, position) -> tuple[int, int]:
        """Which file stands at a position, and which of its fixed crops."""
        generator = np.random.default_rng((*self._key, 3, position))
        return self.index(position), int(generator.integers(self._crops))

    def crop(self, image, draw, size, position) -> np.ndarray:
        """The crop for a position, as a batch holds it: `image` (uint8 (H, W, 3)) cropped and changed as drawn.

        Where that crop would be flat, another crop of the same image, or of the next files, takes its place. When all
        of these are flat, the result is flat.
        """
        first = found = transforms.apply(image, draw, size)
        for _ in range(len(self.files) if self._avoid_flat else 0):
            for other in self._other_draws(position):
                if not transforms.is_flat(found):
                    return found
                found = transforms.apply(image, other, size)
            if not transforms.is_flat(found):
                return found
            image = self._pass_over(position)
            found = transforms.apply(image, self.draw(position), size)
        self._instead.pop(position, None)
        return first

    def _other_draws(self, position):
        """Other crops: a few random ones, then the largest squares, which are flat only where the picture is flat."""
        yield from (self.draw(position, attempt) for attempt in range(1, _ATTEMPTS))
        yield from (transforms.Draw(1.0, place, place, 0.0) for place in (0.5, 0.0, 1.0))

    def _pass_over(self, position):
        """Replaces the flat file at a position by the next readable one, and returns the image of that."""
        index = self.index(position)
        with self._lock:
            if index not in self._flat:
                self._flat.add(index)
                self.skipped += 1
                logger.warning(
                    "skipped %s: a picture of one colour, of which nothing is learnt", self.files[index].path
                )
        while True:
            index = self._usable((index + 1) % len(self.files))
            try:
                image = read_image(self.files[index].path, at_least=self._target)
            except (UserError, OSError) as error:
                self._give_up(index, error)
            else:
                self._instead[position] = index
                return image

    def encoded(self, position) -> np.ndarray:
        """The image at a position as the bytes of a file that MindData's decoder reads right, uint8 (n,)."""
        while True:
            index = self.index(position)
            try:
                return self._read(index)
            except (UserError, OSError) as error:
                self._give_up(index, error)

    def check(self, position) -> bool:
        """Whether MindData decodes the image at a position; when not, PIL will decode it from now on."""
        index = self.index(position)
        try:
            vision.Decode()(self.encoded(position))
        except RuntimeError:
            self._odd.add(index)
            return False
        return True

    def _look_again(self, index):
        """The file of an index; one that was replaced since it was looked at is looked at anew."""
        file = self.files[index]
        if read_stamp(file.path) == file.stamp:
            return file
        with self._lock:
            if self.files[index] is file:
                found = check_file(file.path, self._source.min_side)
                if isinstance(found, str):
                    raise UserError(f"{file.path}: {found}")
                self.files[index] = found
                self._checked.discard(index)
                self._odd.discard(index)
                text = "replaced since the start; its pixels are taken as they are now, statistics computed before"
                logger.warning("%s: %s are kept", file.path, text)
            return self.files[index]

    def _read(self, index):
        file = self._look_again(index)
        reducible = file.jpeg and min(file.width, file.height) >= 2 * self._target
        if file.plain and not reducible and index not in self._odd:
            encoded = np.fromfile(file.path, np.uint8)
            # MindData fills a damaged part of a JPEG with grey, and does not report the damage
            if index not in self._checked:
                if damage := find_damage(io.BytesIO(encoded)):
                    raise UserError(f"{file.path}: {damage}")
                self._checked.add(index)
            return encoded
        bitmap = io.BytesIO()
        Image.fromarray(read_image(file.path, at_least=self._target)).save(bitmap, "BMP")
        return np.frombuffer(bitmap.getbuffer(), np.uint8)

    def _give_up(self, index, error):
        if self._source.is_gone():
            self.failure = UserError(
                f"option {self._source.option}: {self._source.folder}: no longer there, or empty; is its disk still "
                "mounted? The same command goes on from the last checkpoint"
            )
            raise self.failure
        with self._lock:
            if index in self._broken:
                return
            self._broken.add(index)
            self.skipped += 1
        logger.warning("skipped %s", error)
