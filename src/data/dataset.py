"""Batches of content and style images for training: two streams of files, shuffled and drawn apart from each other.

    position p of a stream -> epoch, place in it -> file -> encoded bytes -> decode -> crop, flip, colours -> batch
    \\___________ schedule: numpy, from the seed alone ___________/   \\_________ MindData, in C++ _________/

Global position = (step * rank_size + rank) * batch_size + place in the batch, so the ranks share each epoch out among
themselves. Nothing is remembered from one step to the next: any step can be the first.
"""

import functools
import io
import logging
import multiprocessing
import threading

import mindspore.dataset as ds
import mindspore.dataset.vision as vision
import numpy as np
from PIL import Image

from src.data import transforms
from src.data.decoding import find_damage
from src.data.images import read_image
from src.data.scan import scan_folder, style_weights
from src.errors import UserError
from src.stylize.named import style_name

logger = logging.getLogger("style_transfer")
_CONTENT, _STYLE = 0, 1
_ATTEMPTS = 5  # crops of an image that are drawn until one is not flat
_PIPELINE_DEPTH = 64  # steps searched for the file that broke the pipeline; more than it ever reads ahead


class _Stream:
    """The files of one kind, in the order that the seed gives them, and what is drawn about each."""

    def __init__(self, files, skipped, weights, key, draw, target, avoid_flat=False, crops=0):
        """
        Args:
            files: `SourceFile`s, sorted.
            skipped: how many files the scan left out.
            weights: sampling weight a file, or None for each file once an epoch.
            key: two numbers, seed and stream, that begin the key of every random generator.
            draw: function of a numpy generator, gives a `transforms.Draw`.
            target: short side in pixels that is always enough for the crops.
            avoid_flat: whether another crop, or the next file, takes the place of a crop of one colour.
            crops: how many draws a file has; 0 for a new one each time.
        """
        self.files, self.skipped = files, skipped
        self._weights, self._key, self._draw, self._target, self._crops = weights, key, draw, target, crops
        self._avoid_flat = avoid_flat
        self._checked, self._odd, self._broken, self._flat = set(), set(), set(), set()
        self._instead = {}  # position: file that stands there in place of a flat one
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
        """The first file from an index on that was not found to be damaged."""
        for _ in range(len(self.files)):
            if index not in self._broken:
                return index
            index = (index + 1) % len(self.files)
        raise UserError(f"every image beside {self.files[0].path} has become unreadable; are the files still there?")

    def draw(self, position, attempt=0) -> transforms.Draw:
        """What chance decides about the image at a position; at each attempt anew."""
        key = (1, position, *([attempt] if attempt else []))
        if self._crops:
            key = (2, *self.fixed_crop(position))
        return self._draw(np.random.default_rng((*self._key, *key)))

    def fixed_crop(self, position) -> tuple[int, int]:
        """Which file stands at a position, and which of its fixed crops."""
        generator = np.random.default_rng((*self._key, 3, position))
        return self.index(position), int(generator.integers(self._crops))

    def crop(self, image, draw, size, position) -> np.ndarray:
        """What a batch holds at a position: the decoded image there, uint8 (H, W, 3), cropped and changed as drawn.

        Another crop of it, or of the next files, where that would be flat; the flat one when all are.
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
        """A few random ones, then the largest squares, which are flat of flat pictures alone."""
        yield from (self.draw(position, attempt) for attempt in range(1, _ATTEMPTS))
        yield from (transforms.Draw(1.0, place, place, 0.0) for place in (0.5, 0.0, 1.0))

    def _pass_over(self, position):
        """Puts the next readable file in the place of a flat one: its image."""
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

    def _read(self, index):
        file = self.files[index]
        reducible = file.jpeg and min(file.width, file.height) >= 2 * self._target
        if file.plain and not reducible and index not in self._odd:
            encoded = np.fromfile(file.path, np.uint8)
            if index not in self._checked:  # MindData fills what is damaged inside a JPEG with grey, without a word
                if damage := find_damage(io.BytesIO(encoded)):
                    raise UserError(f"{file.path}: {damage}")
                self._checked.add(index)
            return encoded
        bitmap = io.BytesIO()
        Image.fromarray(read_image(file.path, at_least=self._target)).save(bitmap, "BMP")
        return np.frombuffer(bitmap.getbuffer(), np.uint8)

    def _give_up(self, index, error):
        with self._lock:
            if index in self._broken:
                return
            self._broken.add(index)
            self.skipped += 1
        logger.warning("skipped %s", error)


class PairedImages:
    """Content and style images in random pairs, the same for the same seed whatever the number of workers.

    Args:
        data: `src.sections.DataConfig`.
        seed: whole number.
        rank: of this process.
        rank_size: number of processes that share the images out.
        known_styles: names of styles (see `src.stylize.named`) that are not drawn, unless there are no others.

    Raises:
        UserError: a folder is missing or has no usable image, or an option of `data` makes no sense.
    """

    def __init__(self, data, seed, rank=0, rank_size=1, known_styles=()):
        _check_options(data)
        self._data, self._rank, self._rank_size = data, rank, rank_size
        seed &= 0xFFFFFFFF  # keys of numpy generators are not negative
        files, skipped = scan_folder(data.content_path, "content_path", data.min_side)
        draw = functools.partial(transforms.draw_content, data=data)
        target = round(data.image_size * data.content_resize)
        self._content = _Stream(files, skipped, None, (seed, _CONTENT), draw, target, avoid_flat=True)
        files, skipped = scan_folder(data.style_path, "style_path", data.min_side)
        files = [file for file in files if style_name(file.path) not in known_styles] or files
        weights = style_weights(files, data.style_path, data.style_kinds)
        draw = functools.partial(transforms.draw_style, data=data)
        target = round(data.style_side * data.style_resize_max)
        self._style = _Stream(files, skipped, weights, (seed, _STYLE), draw, target, crops=data.style_crops)

    @property
    def content_count(self) -> int:
        """Usable content images found at the start."""
        return len(self._content)

    @property
    def style_count(self) -> int:
        """Usable style images found at the start."""
        return len(self._style)

    @property
    def skipped(self) -> int:
        """Files that could not be used so far, of both kinds."""
        return self._content.skipped + self._style.skipped

    def all_files(self):
        """(content paths, style paths) that were found usable at the start, sorted."""
        return tuple([file.path for file in s.files] for s in (self._content, self._style))

    def _positions(self, step):
        first = (step * self._rank_size + self._rank) * self._data.batch_size
        return range(first, first + self._data.batch_size)

    def batch_files(self, step):
        """The files of a step's batch on this rank: (content paths, style paths), in the order of the batch.

        Files that are damaged inside are known once they were read, so ask about steps whose batches were made.
        """
        positions = self._positions(step)
        return tuple([s.files[s.index(p)].path for p in positions] for s in (self._content, self._style))

    def style_crops(self, step):
        """The style crops of a step's batch on this rank, (file's number, crop's number) each; see `batch_files`."""
        return [self._style.fixed_crop(position) for position in self._positions(step)]

    def batches(self, start_step, stop_step):
        """Yields the batches of steps start_step to stop_step - 1.

        Yields:
            (content, style), float32 `mindspore.Tensor`s (batch_size, 3, image_size, image_size), the style's sides
            style_size when there is one, in [0, 1], RGB.
        """
        step = start_step
        while step < stop_step:
            iterator = self._pipeline(step, stop_step).create_tuple_iterator(num_epochs=1)
            try:
                for batch in iterator:
                    yield tuple(batch)
                    step += 1
            except RuntimeError:
                if not self._repair(step):
                    raise
            finally:
                iterator.stop()

    def _pipeline(self, start_step, stop_step):
        ds.config.set_prefetch_size(self._data.prefetch)
        # MindData refuses more workers than cores
        workers = {"num_parallel_workers": min(self._data.num_parallel_workers, multiprocessing.cpu_count())}
        size = self._data.batch_size
        loaded, images = ["content", "content_draw", "style", "style_draw", "position"], ["content", "style"]
        positions = _Positions(self._positions, start_step, stop_step, size)
        rows = ds.GeneratorDataset(positions, ["position"], shuffle=False, num_parallel_workers=1)
        # Called from Python one operation at a time, MindData keeps other Python threads waiting, so the costly ones
        # (decode, conversion to float) are stages of their own, which run beside Python.
        rows = rows.map(self._load, ["position"], loaded, **workers)
        for image in images:
            rows = rows.map(vision.Decode(), image, **workers)
        rows = rows.map(self._transform, loaded, images, **workers)
        for image in images:
            rows = rows.map(vision.ToTensor(), image, **workers)
        return rows.project(images).batch(size, drop_remainder=True)

    def _load(self, position):
        row = []
        for stream in (self._content, self._style):
            row += [stream.encoded(int(position)), np.array(stream.draw(int(position)))]
        return (*row, position)

    def _transform(self, content, content_draw, style, style_draw, position):
        kinds = (
            (self._content, content, content_draw, self._data.image_size),
            (self._style, style, style_draw, self._data.style_side),
        )
        return tuple(
            stream.crop(image, transforms.Draw(*draw.tolist()), size, int(position))
            for stream, image, draw, size in kinds
        )

    def _repair(self, step) -> bool:
        """Looks for the file that stopped the pipeline, from a step on, and takes it out of the way."""
        for later in range(step, step + _PIPELINE_DEPTH):
            checked = [s.check(p) for p in self._positions(later) for s in (self._content, self._style)]
            if not all(checked):
                return True
        return False


class _Positions:
    """The positions of a span of steps, as a source of MindData's GeneratorDataset."""

    def __init__(self, of_step, start_step, stop_step, batch_size):
        self._of_step, self._start, self._batch = of_step, start_step, batch_size
        self._count = (stop_step - start_step) * batch_size

    def __len__(self):
        return self._count

    def __getitem__(self, item):
        step, place = divmod(int(item), self._batch)
        # an array: with NumPy 2, MindData takes no scalar
        return np.array(self._of_step(self._start + step)[place])


def _check_options(data):
    if data.style_resize_min > data.style_resize_max:
        raise UserError(
            f"option style_resize_min: found {data.style_resize_min} with style_resize_max {data.style_resize_max}, "
            "expected style_resize_min <= style_resize_max"
        )
