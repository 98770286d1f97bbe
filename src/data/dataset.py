"""Batches of content and style images for training: two independent streams of files.

    position p of a stream -> epoch, place in it -> file -> encoded bytes -> decode -> crop, flip, colours -> batch
    \\___________ schedule: numpy, from the seed alone ___________/   \\_________ MindData, in C++ _________/

Global position = (step * rank_size + rank) * batch_size + place in the batch. So the ranks share each epoch out among
themselves. No step depends on the steps before, so that any step can be the first.
"""

import copy
import functools
import multiprocessing

import mindspore.dataset as ds
import mindspore.dataset.vision as vision
import numpy as np

from src.data import transforms
from src.data.scan import Source, scan_folder, style_weights
from src.data.stream import Stream
from src.errors import UserError
from src.styles import style_name

_CONTENT, _STYLE = 0, 1
_PIPELINE_DEPTH = 64  # steps searched for the file that stopped the pipeline; more than the pipeline ever reads ahead


class PairedImages:
    """Content and style images in random pairs. The same seed gives the same pairs with any number of workers.

    Args:
        data: `src.sections.DataConfig`.
        seed: whole number.
        rank: of this process.
        rank_size: number of processes that share the images out.
        known_styles: names of styles (see `src.styles`) that are not drawn, unless there are no others.

    Raises:
        UserError: a folder is missing or has no usable image, or an option of `data` makes no sense. While batches are
            made: a folder is gone.
    """

    def __init__(self, data, seed, rank=0, rank_size=1, known_styles=()):
        _check_options(data)
        self._data, self._rank, self._rank_size = data, rank, rank_size
        self._offset = 0  # samples that other batches, or other ranks, have drawn beyond this run's steps
        seed &= 0xFFFFFFFF  # keys of numpy generators are not negative
        files, skipped = scan_folder(data.content_path, "content_path", data.min_side)
        draw = functools.partial(transforms.draw_content, data=data)
        target = round(data.image_size * data.content_resize)
        source = Source("content_path", data.content_path, data.min_side)
        self._content = Stream(source, files, skipped, None, (seed, _CONTENT), draw, target, avoid_flat=True)
        files, skipped = scan_folder(data.style_path, "style_path", data.min_side)
        files = [file for file in files if style_name(file.path) not in known_styles] or files
        weights = style_weights(files, data.style_path, data.style_kinds)
        draw = functools.partial(transforms.draw_style, data=data)
        target = round(data.style_side * data.style_resize_max)
        source = Source("style_path", data.style_path, data.min_side)
        self._style = Stream(source, files, skipped, weights, (seed, _STYLE), draw, target, crops=data.style_crops)

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
        """(content paths, style paths) of the usable files at the start, sorted."""
        return tuple([file.path for file in s.files] for s in (self._content, self._style))

    def of_first_rank(self):
        """These images with the batches of the first rank, for what every rank must compute from the same ones."""
        images = copy.copy(self)
        images._rank = 0
        return images

    def samples_before(self, step) -> int:
        """How many samples all ranks together have drawn before a step."""
        return self._offset + step * self._rank_size * self._data.batch_size

    def go_on(self, step, samples):
        """Lets a step begin after so many samples, for a run that goes on with other ranks or another batch size."""
        self._offset += samples - self.samples_before(step)

    def _positions(self, step):
        first = self.samples_before(step) + self._rank * self._data.batch_size
        return range(first, first + self._data.batch_size)

    def batch_files(self, step):
        """The files of a step's batch on this rank: (content paths, style paths), in the order of the batch.

        A file that is damaged inside is noticed only when it is read. So ask about steps whose batches exist already.
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
            iterator = self.pipeline(step, stop_step).create_tuple_iterator(num_epochs=1)
            try:
                for batch in iterator:
                    yield tuple(batch)
                    step += 1
            except RuntimeError:  # MindData's, whatever was raised in its threads
                if failure := self._content.failure or self._style.failure:
                    raise failure from None
                if not self._repair(step):
                    raise
            finally:
                iterator.stop()

    def pipeline(self, start_step, stop_step):
        """The MindData dataset of the batches of steps start_step to stop_step - 1; see `batches` for what it gives.

        A damaged file ends it, where `batches` takes another in its place.
        """
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
        """Looks for the file that stopped the pipeline, from a step on, and leaves this file out from now on."""
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
