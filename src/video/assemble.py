"""From segments to the finished video: frames get their own times, everything else is copied from the source."""

import heapq
import html
import itertools
import re
from fractions import Fraction

import numpy as np

from src.errors import UserError
from src.files import atomic_write, temporary_folder
from src.video.encoder import SegmentEncoder, container_of, holds
from src.video.failures import is_of_the_disk
from src.video.gif import write_gif
from src.video.packages import import_av

# markup in the text of a subtitle: <i>, </font>, {\\b1}
TAGS = re.compile(rb"</?[A-Za-z][^<>]*>|\{\\[^{}]*\}")


def _untagged(data):
    return TAGS.sub(b"", bytes(data))


def _read_ass(data):
    return _untagged(data.split(b",", 8)[-1]).replace(b"\\N", b"\n").replace(b"\\n", b"\n").replace(b"\\h", b" ")


def _read_webvtt(data):
    return html.unescape(_untagged(data).decode(errors="replace")).encode()


# the text in a subtitle's packet, by the codec: mov_text has its length before it, ASS eight fields
READ_TEXT = {
    "mov_text": lambda data: data[2 : 2 + int.from_bytes(data[:2], "big")],
    "subrip": _untagged,
    "text": bytes,
    "webvtt": _read_webvtt,
    "ass": _read_ass,
}
# for each container: the codec of its subtitles, and a function from a text to a packet
WRITE_TEXT = {
    "mp4": ("mov_text", lambda text: len(text).to_bytes(2, "big") + text if text else b""),
    "mov": ("mov_text", lambda text: len(text).to_bytes(2, "big") + text if text else b""),
    "matroska": ("subrip", bytes),
    "webm": ("webvtt", lambda text: html.escape(text.decode(errors="replace"), quote=False).encode()),
}
# for each number of channels: the layout for libopus, which has no channels at the sides
OPUS_LAYOUTS = {3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
# packets of the source that are tried before the first frame is stylised
TRIED = 100


def assemble(source, segments, encoding, output, time_base, start=0.0, duration=0.0) -> list[str]:
    """Writes the output, whole or not at all.

    Sound tracks and subtitles are copied packet by packet; where the container can't hold a sound track's codec, it is
    encoded anew in the container's own. Chapters and the file's metadata are copied.

    Args:
        source: `src.video.source.Source`.
        segments: `src.video.segments.Segments`, all done.
        encoding: `src.video.encoder.Encoding`.
        output: the file to write.
        time_base: of the frames' times, seconds.
        start, duration: part of the source that was stylised, seconds; with a start its first moment becomes 0.

    Returns:
        a line for each part of the source that the output lacks.
    """
    with atomic_write(output) as temporary:
        if encoding.codec == "gif":
            write_gif(segments, temporary, time_base)
            return []
        return _write(source, segments, encoding, temporary, container_of(output), time_base, start, duration)


def rehearse(source, encoding, output, time_base, shape):
    """Writes the output with one black frame to a temporary folder, so that errors come before hours of work.

    Args:
        source: as for `assemble`; None for frames alone.
        encoding, output, time_base: as for `assemble`.
        shape: (height, width) of the frames.

    Raises:
        UserError: the encoder or the container refuses what it is given; names the options.
    """
    errors = (import_av().FFmpegError, ValueError, OverflowError)
    with temporary_folder() as folder:
        black = _OneFrame(folder / "frame.mkv")
        try:
            encoder = SegmentEncoder(black.path, encoding)
            encoder.add(np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.uint8) if source and source.alpha else None)
            encoder.close()
        except errors as error:
            if is_of_the_disk(error):
                raise
            raise UserError(
                f"option codec: {encoding.codec} can't encode {shape[1]} x {shape[0]} pixels at "
                f"{float(encoding.rate):g} frames a second with {encoding.options or 'no options'} ({error}); use "
                "another --codec, --preset, --crf, --fps or --size"
            ) from None
        if encoding.codec == "gif":
            return
        try:
            path, container = folder / f"output{output.suffix}", container_of(output)
            if source:
                _write(source, black, encoding, path, container, time_base, tried=TRIED)
            else:
                _write_alone(black, encoding, path, container, time_base)
        except errors as error:
            if is_of_the_disk(error):
                raise
            raise UserError(
                f"{output}: FFmpeg can't write {encoding.codec} and the source's sound and subtitles into it "
                f"({error}); use another --codec, or .mkv"
            ) from None


class _OneFrame:
    """Stands for `src.video.segments.Segments` in `rehearse`."""

    done = 1

    def __init__(self, path):
        self.path = path

    def video(self, number):
        return self.path

    def times(self, number):
        return [(0, 1)]


def write_frames(segments, encoding, output, time_base):
    """Writes the frames of segments alone, without a source to copy from. Arguments as those of `assemble`."""
    with atomic_write(output) as temporary:
        if encoding.codec == "gif":
            write_gif(segments, temporary, time_base)
        else:
            _write_alone(segments, encoding, temporary, container_of(output), time_base)


def _write_alone(segments, encoding, path, container, time_base):
    with import_av().open(str(path), "w", format=container) as made:
        track = _video_track(made, segments, encoding, container, time_base)
        for _, packet in _video_packets(segments, track, time_base, 0.0):
            made.mux(packet)


def _video_track(made, segments, encoding, container, time_base):
    with import_av().open(str(segments.video(0))) as first:
        given = first.streams.video[0]
        # some encoders (SVT-AV1) write a header that a decoder's context would lose
        track = made.add_stream_from_template(given, opaque=True)
        if container in ("mp4", "mov") and given.codec_context.codec.canonical_name == "hevc":
            track.codec_context.codec_tag = "hvc1"  # Apple's players read no other tag
        if container in ("webm", "matroska") and encoding.pix_fmt == "yuva420p":
            track.metadata["alpha_mode"] = "1"
    track.time_base = time_base
    return track


def _write(source, segments, encoding, path, container, time_base, start=0.0, duration=0.0, tried=None):
    """See `assemble`. `tried` limits the packets that are taken from the source."""
    av = import_av()
    notes = []
    with av.open(str(source.path)) as given, av.open(str(path), "w", format=container) as made:
        made.metadata.update(given.metadata)
        offset = source.start + start if start else 0.0
        video = _video_track(made, segments, encoding, container, time_base)
        video.metadata.update({k: v for k, v in given.streams.video[0].metadata.items() if k in ("language", "title")})
        copied, encoded = _other_streams(given, made, container, notes)
        _copy_chapters(given, made, offset, duration)
        sequences = [_video_packets(segments, video, time_base, offset)]
        low = source.start + start if start else float("-inf")  # sound may begin before the first frame
        high = source.start + start + duration if duration else float("inf")
        if copied or encoded:
            sequences.append(_source_packets(given, copied, encoded, offset, low, high, tried))
        for _, packet in heapq.merge(*sequences, key=lambda entry: entry[0]):
            made.mux(packet)
        for track, _ in encoded.values():
            for packet in track.encode(None):
                made.mux(packet)
    return notes


def _other_streams(given, made, container, notes):
    """Tracks for the sound and subtitles of the source: ({index: copy}, {index: (encoder, resampler)})."""
    av = import_av()
    copied, encoded = {}, {}
    for stream in (*given.streams.audio, *given.streams.subtitles):
        name = stream.codec_context.codec.canonical_name if stream.codec_context else ""
        if holds(container, name):
            track = made.add_stream_from_template(stream)
            copied[stream.index] = (track, None)
        elif name in READ_TEXT and container in WRITE_TEXT:
            codec, write = WRITE_TEXT[container]
            track = made.add_mux_stream(codec)
            copied[stream.index] = (track, lambda data, read=READ_TEXT[name], write=write: write(read(data)))
            notes.append(f"subtitle track {stream.index}: {name} can't be in {container}, its plain text is kept")
        elif stream.type == "audio" and made.default_audio_codec:
            rate = 48000 if made.default_audio_codec in ("opus", "libopus") else stream.codec_context.sample_rate
            codec = {"opus": "libopus", "vorbis": "libvorbis"}.get(made.default_audio_codec, made.default_audio_codec)
            track = made.add_stream(codec, rate=rate)
            layout = stream.codec_context.layout.name
            if codec == "libopus":
                layout = OPUS_LAYOUTS.get(stream.codec_context.layout.nb_channels, layout)
            track.codec_context.layout = layout
            form = track.codec_context.codec.audio_formats[0].name
            track.codec_context.format = form
            resampler = av.AudioResampler(form, layout, rate, frame_size=960 if rate == 48000 else None)
            encoded[stream.index] = (track, resampler)
            notes.append(f"sound track {stream.index}: {name} can't be in {container}, encoded as {codec}")
        else:
            notes.append(f"{stream.type} track {stream.index}: {name or 'its codec'} can't be in {container}, left out")
            continue
        track.metadata.update(stream.metadata)
        track.disposition = stream.disposition
    return copied, encoded


def _copy_chapters(given, made, offset, duration):
    chapters = []
    for chapter in given.chapters():
        base = Fraction(chapter["time_base"])
        begin, end = (float(chapter[side] * base) - offset for side in ("start", "end"))
        if end > 0 and not (duration and begin >= duration):
            kept = {
                **chapter,
                "time_base": Fraction(1, 1000),
                "start": round(max(0, begin) * 1000),
                "end": round(end * 1000),
            }
            chapters.append(kept)
    if chapters:
        made.set_chapters(chapters)


def _converted(packet, convert):
    """A subtitle's packet with its data converted; None where it holds no text."""
    data = convert(bytes(packet))
    if not data.strip(b"\0"):
        return None
    made = import_av().Packet(data)
    made.time_base, made.pts, made.dts, made.duration = packet.time_base, packet.pts, packet.dts, packet.duration
    return made


def _video_packets(segments, track, time_base, offset):
    """Yields (seconds, packet) of all segments, each packet with the time of its frame."""
    av = import_av()
    for number in range(segments.done):
        times = segments.times(number)
        with av.open(str(segments.video(number))) as container:
            packets = (packet for packet in container.demux(video=0) if packet.size)
            for packet, (pts, length) in zip(packets, times, strict=True):
                pts -= round(offset / time_base)
                packet.stream, packet.time_base = track, time_base
                packet.pts = packet.dts = pts
                packet.duration = length
                yield float(pts * time_base), packet


def _source_packets(given, copied, encoded, offset, low, high, tried):
    """Yields (seconds, packet) of the tracks that are taken from the source."""
    chosen = [given.streams[index] for index in (*copied, *encoded)]
    for packet in itertools.islice(given.demux(chosen), tried):
        if packet.dts is None:
            continue
        seconds = float(packet.dts * packet.time_base)
        if not low - 1e-9 <= seconds < high:
            continue
        index = packet.stream.index
        if index in copied:
            track, convert = copied[index]
            if convert and not (packet := _converted(packet, convert)):
                continue
            shift = round(offset / packet.time_base)
            packet.pts, packet.dts = (time if time is None else time - shift for time in (packet.pts, packet.dts))
            packet.stream = track
            yield seconds - offset, packet
        else:
            track, resampler = encoded[index]
            for frame in packet.decode():
                frame.pts -= round(offset / frame.time_base)
                for part in resampler.resample(frame):
                    for result in track.encode(part):
                        yield float(result.dts * result.time_base), result
