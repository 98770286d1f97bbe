"""Chooses the encoder and the pixel format of a video, and encodes one segment of it."""

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from src.errors import UserError
from src.video.packages import import_av
from src.video.source import matrix

# by the ending: encoder without and with transparency
ENCODERS = {
    ".webm": ("libvpx-vp9", "libvpx-vp9"),
    ".mov": ("libx264", "prores_ks"),
    ".avi": ("mpeg4", "mpeg4"),
    ".gif": ("gif", "gif"),
}
GIF_RATE = 50  # players show a frame of less than 20 ms for longer
USUAL = ("libx264", "libx264")
CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".avi": "avi",
    ".gif": "gif",
}
# encoders that write the shape of a pixel into their own stream: PyAV sets it nowhere else
WITH_SHAPE = ("libx264", "libx264rgb", "libx265", "mpeg4")
PRESETS = ("libx264", "libx264rgb", "libx265", "libsvtav1")
# pixel formats in the order in which they are taken, for (more than 8 bits, transparency)
FORMATS = {
    (False, False): ("yuv420p", "yuvj420p", "yuv422p10le", "bgr0", "rgb24"),
    (False, True): ("yuva420p", "yuva444p10le", "argb", "rgba", "bgra"),
    (True, False): ("yuv420p10le", "yuv422p10le", "yuv444p10le", "gray10le"),
    (True, True): ("yuva444p10le", "yuva420p10le", "rgba64le"),
}
# x264, x265 and SVT-AV1 have the options crf and preset. Frames must be stored in the order in which they are shown
# (no B-frames), so that each packet is one frame and segments join without gaps.
WITH_CRF = ("libx264", "libx264rgb", "libx265", "libvpx-vp9", "libvpx", "libaom-av1", "libsvtav1")
# x264's vector code rounds otherwise than its plain code, and other pixels followed once in 300 runs: a video that is
# taken up again must equal an undisturbed one, so x264 keeps to what every processor computes alike.
EXTRA = {
    "libx264": {"bf": "0", "x264-params": "cpu-independent=1"},
    "libx264rgb": {"bf": "0", "x264-params": "cpu-independent=1"},
    "libx265": {"x265-params": "bframes=0:log-level=none"},
    "libvpx-vp9": {"auto-alt-ref": "0", "b": "0"},
    "libvpx": {"auto-alt-ref": "0", "b": "0"},
    "mpeg4": {"q:v": "3"},
}


@dataclass(frozen=True)
class Encoding:
    """How frames are encoded.

    Attributes:
        codec, pix_fmt: FFmpeg's names.
        options: of the encoder.
        colours: see `src.video.source.Source`.
        rate: mean frames a second.
        sample_aspect_ratio: of the source.
        notes: a line for each property of the source that the output can't hold.
    """

    codec: str
    pix_fmt: str
    options: dict
    colours: tuple
    rate: Fraction
    sample_aspect_ratio: Fraction
    notes: tuple


def choose_encoding(source, output, settings) -> Encoding:
    """Encoder and pixel format for a source and an output file's ending.

    Args:
        source: `src.video.source.Source`.
        output: the file to write.
        settings: `src.options.video.VideoConfig`.

    Raises:
        UserError: an encoder that this FFmpeg lacks, or that the container can't hold; a container it doesn't know.
    """
    av = import_av()
    container_of(output)
    suffix = Path(output).suffix.lower()
    codec = settings.codec or ENCODERS.get(suffix, USUAL)[bool(source.alpha)]
    if codec == "gif":
        rate, notes = _rate(source, settings), ["a GIF has 256 colours a frame and no sound"]
        if rate > GIF_RATE:
            notes.append(f"a GIF shows {GIF_RATE} frames a second at most and gets longer; use --fps {GIF_RATE}")
        if source.alpha:
            notes.append("a GIF is written without transparency, which is laid over white; use .webm, or .mov")
        return Encoding(codec, "rgb24", {}, source.colours, rate, source.sample_aspect_ratio, tuple(notes))
    try:
        known = av.codec.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError:
        raise UserError(
            f"option codec: found {codec!r}, which PyAV's FFmpeg can't encode; use libx264, libx265 or libvpx-vp9"
        ) from None
    if known.type != "video":
        raise UserError(f"option codec: found {codec!r}, which is for {known.type}, expected a video encoder")
    if not holds(container_of(output), known.canonical_name):
        raise UserError(f"option codec: {suffix} files can't hold {codec}; leave --codec out, or use .mkv")
    have = {form.name for form in known.video_formats or ()}
    deep, notes = source.bits > 8, []
    wishes = [(deep, source.alpha), (False, source.alpha), (deep, False), (False, False)]
    found = next(((wish, name) for wish in wishes for name in FORMATS[wish] if name in have), None)
    if found is None:
        raise UserError(f"option codec: {codec} takes none of the usual pixel formats; use libx264 or libvpx-vp9")
    (kept_deep, kept_alpha), pix_fmt = found
    if source.alpha and not kept_alpha:
        notes.append(f"{codec} holds no transparency, which is laid over white; use .webm, or .mov")
    if deep and not kept_deep and not av.VideoFormat(pix_fmt).components[0].bits > 8:
        notes.append(f"{codec} holds 8 bits a channel, the source has {source.bits}")
    if source.sample_aspect_ratio != 1 and codec not in WITH_SHAPE:
        notes.append(f"{codec} keeps no shape of pixels, those of {source.sample_aspect_ratio} are shown square")
    options = dict(EXTRA.get(codec, {}))
    if codec in WITH_CRF:
        options["crf"] = str(settings.crf)
    if settings.preset:
        if codec not in PRESETS:
            raise UserError(f"option preset: found {settings.preset!r}, but {codec} has no presets; leave it out")
        options["preset"] = settings.preset
    return Encoding(
        codec, pix_fmt, options, source.colours, _rate(source, settings), source.sample_aspect_ratio, tuple(notes)
    )


def _rate(source, settings):
    rate = Fraction(settings.fps).limit_denominator(1001) if settings.fps else source.rate
    if not rate:
        raise UserError(f"option fps: found {settings.fps:g}, expected 0.001 or more")
    return rate


def container_of(output) -> str:
    """FFmpeg's name of the container that a file's ending means.

    Raises:
        UserError: an ending that isn't written.
    """
    suffix = Path(output).suffix.lower()
    if suffix not in CONTAINERS:
        expected = ", ".join(CONTAINERS)
        raise UserError(f"{output}: cannot write a video as {suffix or 'a name without ending'!r}; use {expected}")
    return CONTAINERS[suffix]


def holds(container, codec) -> bool:
    """Whether a container, by FFmpeg's name, can hold streams of a codec, by its canonical name."""
    with import_av().open(io.BytesIO(), "w", format=container) as empty:
        return codec in empty.supported_codecs


class SegmentEncoder:
    """Encodes frames into a file of one segment, a packet a frame; `assemble` sets the times of the frames.

    Args:
        path: the file, Matroska.
        encoding: an `Encoding`.
    """

    def __init__(self, path, encoding):
        self.encoding = encoding
        self.container = import_av().open(str(path), "w", format="matroska")
        self.stream, self.count = None, 0

    def _open(self, height, width):
        av, encoding = import_av(), self.encoding
        codec = "ffv1" if encoding.codec == "gif" else encoding.codec
        rate = max(1, round(encoding.rate))
        stream = self.container.add_stream(codec, rate=rate, options=dict(encoding.options))
        context = stream.codec_context
        stream.width, stream.height, stream.pix_fmt = width, height, "bgr0" if codec == "ffv1" else encoding.pix_fmt
        # the slices of several threads would give other pixels on another number of cores; painting takes far longer
        context.thread_count = 1
        context.time_base = Fraction(1, rate)
        context.sample_aspect_ratio = encoding.sample_aspect_ratio
        if "yuv" in encoding.pix_fmt and encoding.codec != "gif":
            space, primaries, transfer, _ = encoding.colours
            context.colorspace = matrix(encoding.colours, height)
            context.color_primaries, context.color_trc = primaries, transfer
            context.color_range = av.video.reformatter.ColorRange.MPEG
        self.stream = stream

    def add(self, image, alpha):
        """Encodes the next frame: uint8 (H, W, 3) RGB, and uint8 (H, W) or None."""
        av = import_av()
        if self.stream is None:
            self._open(*image.shape[:2])
        with_alpha = alpha is not None and av.VideoFormat(self.stream.pix_fmt).components[-1].is_alpha
        if alpha is not None and not with_alpha:
            image = over_white(image, alpha)
        pixels = np.dstack([image, alpha]) if with_alpha else image
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgba" if with_alpha else "rgb24")
        if "yuv" in self.stream.pix_fmt:
            frame = frame.reformat(
                format=self.stream.pix_fmt,
                dst_colorspace=matrix(self.encoding.colours, image.shape[0]),
                dst_color_range=av.video.reformatter.ColorRange.MPEG,
            )
        else:
            frame = frame.reformat(format=self.stream.pix_fmt)
        frame.pts, frame.time_base = self.count, self.stream.codec_context.time_base
        self.count += 1
        for packet in self.stream.encode(frame):
            self.container.mux(packet)

    def close(self):
        """Writes the frames that the encoder still holds, and the end of the file."""
        if self.stream is not None:
            for packet in self.stream.encode():
                self.container.mux(packet)
        self.container.close()


def over_white(image, alpha) -> np.ndarray:
    """A transparent picture over white, uint8 (H, W, 3)."""
    part = alpha[..., None].astype(np.float32) / 255
    return np.rint(image * part + 255 * (1 - part)).astype(np.uint8)
