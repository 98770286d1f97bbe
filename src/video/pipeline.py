"""A video stylised: decoding, painting and encoding run side by side, segment by segment."""

import itertools
import queue
import threading
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from src.errors import UserError
from src.files import check_folder, refuse_inputs
from src.images.files import resize_to
from src.stylize.painting import finish, look_of
from src.video.assemble import assemble, rehearse
from src.video.encoder import SegmentEncoder, choose_encoding
from src.video.failures import told
from src.video.segments import LENGTH, fingerprint, open_segments
from src.video.source import at_rate, probe, read_frames
from src.video.temporal import Plain, Steady

# frames that may wait between two of the three threads; each of them is a picture in memory
WAITING = 4
END = object()
KEPT = "what is done is kept, and the same command goes on from there"


def stylize_video(
    stylizer,
    embeddings,
    content,
    output,
    settings,
    size=0,
    strength=1.0,
    overwrite=False,
    progress=None,
    preserve_colors="none",
    kept=KEPT,
):
    """Stylises every frame of a video, or of a part of it; sound, subtitles and chapters stay.

    A run that was stopped goes on where it was when it is started again with the same source and options: the result
    is that of an undisturbed run, frame for frame.

    Args:
        stylizer: `src.stylize.stylizer.Stylizer`.
        embeddings: (embedding, second at which it is reached) pairs, the seconds rising; one pair for one style.
        content: the video file.
        output: the file to write.
        settings: `src.options.video.VideoConfig`.
        size: short side of the output, pixels; 0 for the source's.
        strength: see `Stylizer.strengthen`; the content's own style is that of the first frame.
        overwrite: whether the output may exist.
        progress: function (frames done, frames in all or 0, text); or None.
        preserve_colors: see `src.images.colors.preserve_colors`; of each frame.
        kept: what an error in the middle says of the work that is done; empty where nobody can go on with it.

    Returns:
        lines for the user: what got lost, and the figures of --temporal.

    Raises:
        UserError: a file that is no video, an output that can't be written, an encoder that is not there.
    """
    source, output = probe(content), Path(output).expanduser()
    check_folder(output.parent, "output")
    refuse_inputs([output], {content: "the content"})
    if output.exists() and not overwrite:
        raise UserError(f"{output}: exists already; add --overwrite or choose another name")
    encoding = choose_encoding(source, output, settings)
    frames, time_base = _frames(source, encoding, settings)
    rows = [np.asarray(embedding, np.float32).tobytes().hex() for embedding, _ in embeddings]
    seconds = [second for _, second in embeddings]
    shape = output_shape(source, size)
    model = [stylizer.networks.name, stylizer.tile]
    wishes = [asdict(settings), size, strength, preserve_colors, rows, seconds, *model, str(encoding)]
    key = fingerprint(source.path, stylizer.files, wishes)
    with told(content, output, shape):
        rehearse(source, encoding, output, time_base, shape)
    with told(content, output, shape, kept):
        with open_segments(output, key) as segments:
            # one side for all frames, because free memory comes and goes
            side = segments.side(stylizer.side(shape[0] * shape[1]))
            painter = (Steady if settings.temporal else Plain)(stylizer, side)
            state = segments.last_state()
            if state:
                painter.restore(state)
            styles = Styles(stylizer, embeddings, strength, state.get("own"))
            look = look_of(stylizer, strength, preserve_colors)
            paint = _Paint(painter, styles, look, shape, time_base, source.start + settings.start)
            count = _run(frames, paint, segments, encoding, _expected(source, encoding, settings), progress)
            if not count:
                raise UserError(f"{content}: no frame between the seconds that --start and --duration name")
            lost = assemble(source, segments, encoding, output, time_base, settings.start, settings.duration)
            segments.discard()
    return [*source.notes, *encoding.notes, *lost, *painter.report().splitlines()]


def _frames(source, encoding, settings):
    """The frames to stylise and the unit of their times, seconds."""
    frames = read_frames(source, settings.start, settings.duration)
    if not settings.fps:
        return frames, source.time_base
    return at_rate(frames, source.time_base, encoding.rate, source.start + settings.start), 1 / encoding.rate


def _expected(source, encoding, settings) -> int:
    """How many frames there will be, 0 where that is not known."""
    seconds = max(0.0, source.frames / float(source.rate) - settings.start)
    seconds = min(seconds, settings.duration or seconds)
    return round(seconds * float(encoding.rate))


def output_shape(source, size) -> list[int]:
    """(height, width) of all frames of the output: that of the source's first one, or with a short side of `size`."""
    scale = size / min(source.shape) if size else 1
    return [max(2, round(side * scale / 2) * 2) for side in source.shape]  # most formats halve the colours' sides


class Styles:
    """The style embedding of each moment. For a model with a table of styles, the strength is mixed in pixels instead.

    Args:
        stylizer, embeddings, strength: see `stylize_video`.
        own: the embedding of the first frame, where a former run has it already.
    """

    def __init__(self, stylizer, embeddings, strength, own=None):
        self.stylizer, self.strength, self.own = stylizer, strength, own
        self.embeddings = [np.asarray(embedding, np.float32) for embedding, _ in embeddings]
        self.seconds = [second for _, second in embeddings]

    def at(self, second, content) -> np.ndarray:
        """The embedding at a second, for a frame; between two styles their weights change evenly."""
        if len(self.embeddings) == 1:
            embedding = self.embeddings[0]
        else:
            columns = np.stack(self.embeddings).T
            embedding = np.array([np.interp(second, self.seconds, column) for column in columns], np.float32)
        if self.strength == 1 or self.stylizer.styles:
            return embedding
        if self.own is None:
            self.own = self.stylizer.strengthen(content, embedding, 0.0)
        return self.stylizer.blend([self.own, embedding], [1 - self.strength, self.strength])


class _Paint:
    """From a decoded frame to a pastiche of the output's size."""

    def __init__(self, painter, styles, look, shape, time_base, start):
        self.painter, self.styles, self.look, self.shape = painter, styles, look, shape
        self.time_base, self.start = time_base, start

    def __call__(self, frame):
        content = resize_to(frame.image, self.shape)
        if not frame.repeated or self.painter.pastiche is None:
            second = float(frame.pts * self.time_base) - self.start
            self.painter.paint(content, self.styles.at(second, content))
        alpha = None if frame.alpha is None else resize_to(frame.alpha, self.shape)
        return finish(content, [self.painter.pastiche], self.look), alpha

    def state(self) -> dict:
        """The arrays on which the next frame depends."""
        own = {} if self.styles.own is None else {"own": self.styles.own}
        return {**self.painter.state(), **own}


def _run(frames, paint, segments, encoding, expected, progress) -> int:
    """Stylises the frames that are not done yet, and returns the number of all frames."""
    skipped = done = segments.frames()
    decoded = _in_thread(itertools.islice(frames, skipped, None))
    started, ended = time.monotonic(), False
    while not ended:
        times = []
        with segments.new(times, paint.state) as path:
            encoder = _EncoderThread(path, encoding)
            try:
                for frame in itertools.islice(decoded, LENGTH):
                    encoder.add(*paint(frame))
                    times.append((frame.pts, frame.duration))
                    done += 1
                    if progress:
                        progress(done, expected, _pace(done - skipped, done, expected, started))
            finally:
                encoder.close()
        ended = len(times) < LENGTH
    return done


def _pace(made, done, expected, started) -> str:
    """Frames a second, and the time left."""
    rate = made / max(1e-6, time.monotonic() - started)
    left = f", {int((expected - done) / rate)} s left" if expected > done else ""
    return f"{rate:.1f} frames/s{left}"


def _in_thread(items):
    """Yields the items of an iterator that runs in a thread of its own, a few ahead."""
    waiting = queue.Queue(WAITING)
    stopped = threading.Event()

    def put(entry):
        while not stopped.is_set():
            try:
                return waiting.put(entry, timeout=0.2)
            except queue.Full:
                continue

    def work():
        try:
            for item in items:
                put((item, None))
                if stopped.is_set():
                    return
            put((END, None))
        except BaseException as error:  # noqa: BLE001  raised again in the thread that reads
            put((END, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        while True:
            item, error = waiting.get()
            if error:
                raise error
            if item is END:
                return
            yield item
    finally:
        stopped.set()


class _EncoderThread:
    """A `SegmentEncoder` in a thread of its own."""

    def __init__(self, path, encoding):
        self.waiting, self.error = queue.Queue(WAITING), None
        self.thread = threading.Thread(target=self._work, args=(path, encoding), daemon=True)
        self.thread.start()

    def _work(self, path, encoding):
        entry = None
        try:
            encoder = SegmentEncoder(path, encoding)
            while (entry := self.waiting.get()) is not END:
                encoder.add(*entry)
            encoder.close()
        except BaseException as error:  # noqa: BLE001  raised again in the thread that paints
            self.error = error
            while entry is not END:
                entry = self.waiting.get()

    def add(self, image, alpha):
        """Encodes a frame, soon."""
        if self.error:
            raise self.error
        self.waiting.put((image, alpha))

    def close(self):
        """Waits until all frames are in the file."""
        self.waiting.put(END)
        self.thread.join()
        if self.error:
            raise self.error
