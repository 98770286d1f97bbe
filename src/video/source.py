"""A video as frames: upright RGB, each with its own time."""

import itertools
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from src.errors import UserError
from src.video.packages import import_av

UNSPECIFIED = 2  # FFmpeg's number for a colour tag that is not set
BT709, BT601 = 1, 6
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
# containers whose table of key frames says the time of each: FFmpeg guesses the place in the others
SEEKABLE = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")


@dataclass(frozen=True)
class Source:
    """The properties of a video, known before its frames are decoded.

    Attributes:
        path: the file.
        time_base: seconds of a unit of `Frame.pts`.
        rate: mean frames a second.
        frames: how many there are, by the container or from the duration; 0 where neither says.
        start: time of the container's first moment, seconds; the other times of the file count from 0 as well.
        shape: (height, width) of its first frame, upright.
        sample_aspect_ratio: width by height of a pixel, of the upright picture.
        bits: of a colour channel.
        alpha: whether frames have transparency; of a GIF, whether the first one is transparent somewhere.
        colours: (colorspace, primaries, transfer, range) as FFmpeg numbers them.
        notes: a line for each property that is lost in reading.
    """

    path: Path
    time_base: Fraction
    rate: Fraction
    frames: int
    start: float
    shape: tuple
    sample_aspect_ratio: Fraction
    bits: int
    alpha: bool
    colours: tuple
    notes: tuple


@dataclass(frozen=True)
class Frame:
    """A decoded frame.

    Attributes:
        pts: its time in units of the time base.
        duration: until the next one, in the same units.
        image: uint8 (H, W, 3) RGB.
        alpha: uint8 (H, W), or None.
        repeated: whether this is the same frame as the one before.
    """

    pts: int
    duration: int
    image: np.ndarray
    alpha: np.ndarray | None
    repeated: bool = False


def probe(path) -> Source:
    """Reads a video's header and its first frame.

    Raises:
        UserError: no such file, not a video, or one without a frame that can be decoded.
    """
    av = import_av()
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UserError(f"{path}: holds no video; give another file")
            stream = container.streams.video[0]
            first = next(container.decode(stream), None)
            if first is None:
                raise UserError(f"{path}: no frame can be decoded; the file is empty or damaged")
            context, components = stream.codec_context, first.format.components
            rate = stream.average_rate or stream.guessed_rate or Fraction(25)
            seconds = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / 1e6
            bits = max(component.bits for component in components)
            alpha = any(component.is_alpha for component in components) or "pal8" in first.format.name
            if alpha and context.name == "gif":  # the decoder of GIF gives all frames an alpha channel
                alpha = first.to_ndarray(format="rgba")[..., 3].min() < 255
            ratio = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
            notes = []
            if bits > 8:
                notes.append(f"frames of {bits} bits a channel are stylised with 8")
            if {key.lower(): value for key, value in stream.metadata.items()}.get("alpha_mode") == "1" and not alpha:
                notes.append("transparency in a second picture (WebM's alpha) is not read")
            if context.color_trc in HDR_TRANSFERS:
                notes.append(f"HDR ({HDR_TRANSFERS[context.color_trc]}) is stylised as if it were standard range")
            return Source(
                path=path,
                time_base=stream.time_base,
                rate=Fraction(rate),
                frames=stream.frames or round(seconds * rate),
                start=float((stream.start_time or 0) * stream.time_base),
                shape=(first.width, first.height) if first.rotation % 180 else (first.height, first.width),
                sample_aspect_ratio=1 / ratio if first.rotation % 180 else ratio,
                bits=bits,
                alpha=alpha,
                colours=(context.colorspace, context.color_primaries, context.color_trc, context.color_range),
                notes=tuple(notes),
            )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise UserError(f"{path}: can't be read as a video ({error}); give another file") from None


def matrix(colours, height) -> int:
    """The YUV matrix of a video: as it says, else the usual one of its height."""
    return colours[0] if colours[0] not in (0, UNSPECIFIED, None) else BT709 if height >= 720 else BT601


def read_frames(source, start=0.0, duration=0.0):
    """Yields every frame of a part of a video, in the order of their times.

    The frame that is shown when the part begins belongs to it from there on, and the last one ends with the part.

    Args:
        source: from `probe`.
        start: seconds from the beginning of the video.
        duration: seconds; 0 for all that follow.

    Raises:
        UserError: the file gets unreadable in between.
    """
    av = import_av()
    low = round((source.start + start) / source.time_base) if start else None
    high = round((source.start + start + duration) / source.time_base) if duration else None
    waiting = None

    def part(end):
        pts, decoded, _ = waiting
        begin = pts if low is None else max(pts, low)
        end = end if high is None else min(end, high)
        if end > begin:
            yield _frame(source, begin, end - begin, decoded)

    try:
        for decoded in _decoded(source.path, low, av):
            step = max(1, decoded.duration or round(1 / (source.rate * source.time_base)))
            if decoded.pts is not None:
                pts = decoded.pts
            else:
                pts = waiting[0] + waiting[2] if waiting else 0
            if waiting:
                yield from part(max(waiting[0] + 1, pts))
            waiting = (pts, decoded, step)
            if high is not None and pts >= high:
                return
        if waiting:
            yield from part(waiting[0] + waiting[2])
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{source.path}: can't be read any further ({error})") from None


def _decoded(path, low, av):
    """The frames of a file, from the key frame on that is shown at `low` or before, where the container finds one.

    Args:
        low: time in units of the stream's time base; None for the first frame.
    """
    if low is not None:
        with av.open(str(path)) as container:
            if container.format.name in SEEKABLE:
                # a key frame is found by the time at which it is decoded, so it may be shown too late
                frames = itertools.dropwhile(lambda frame: not frame.key_frame, _sought(container, low, av))
                first = next(frames, None)
                if first is not None and first.pts is not None and first.pts <= low:
                    yield first
                    yield from frames
                    return
    with av.open(str(path)) as container:
        yield from _decodable(container, av)


def _sought(container, low, av):
    try:
        container.seek(low, stream=container.streams.video[0])
    except av.FFmpegError:  # a file without the table
        return
    yield from _decodable(container, av)


def _decodable(container, av):
    """The frames of a video; packets that are damaged are passed over, as players do."""
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1  # painting takes far longer, and nothing depends on threads' order
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            continue


def _frame(source, pts, duration, decoded):
    """The pixels of a frame, turned upright, so that strokes and optical flow are those of what one sees."""
    colorspace = matrix(source.colours, decoded.height)
    pixels = decoded.to_ndarray(format="rgba" if source.alpha else "rgb24", src_colorspace=colorspace)
    turns = round(decoded.rotation / 90) % 4
    if turns:
        pixels = np.rot90(pixels, turns)
    pixels = np.ascontiguousarray(pixels)
    alpha = np.ascontiguousarray(pixels[..., 3]) if source.alpha else None
    return Frame(pts, duration, np.ascontiguousarray(pixels[..., :3]), alpha)


def at_rate(frames, time_base, rate, start):
    """The frames at constant intervals: at each moment the one that is shown then.

    Args:
        frames: from `read_frames`.
        time_base: of their `pts`.
        rate: frames a second, a Fraction; the results' `pts` count in units of 1 / rate, on the source's clock too.
        start: time of the first moment, seconds; `pts` of the first result is the nearest to it.
    """
    first = round(start * rate)
    number = 0
    for frame in frames:
        end, repeated = float((frame.pts + frame.duration) * time_base) - start, False
        while number / rate < end - 1e-9:
            yield Frame(first + number, 1, frame.image, frame.alpha, repeated)
            number, repeated = number + 1, True
