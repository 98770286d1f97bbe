"""From segments to the finished video: frames get their own times, everything else is copied from the source."""

import heapq
from fractions import Fraction

from PIL import Image

from src.files import atomic_write
from src.video.encoder import container_of, holds
from src.video.packages import import_av

# the text in a subtitle's packet, by the codec: mov_text has its length before it, ASS eight fields
READ_TEXT = {
    "mov_text": lambda data: data[2 : 2 + int.from_bytes(data[:2], "big")],
    "subrip": bytes,
    "text": bytes,
    "webvtt": bytes,
    "ass": lambda data: data.split(b",", 8)[-1].replace(b"\\N", b"\n"),
}
# by the container: codec of its subtitles, and the packet for a text
WRITE_TEXT = {
    "mp4": ("mov_text", lambda text: len(text).to_bytes(2, "big") + text if text else b""),
    "mov": ("mov_text", lambda text: len(text).to_bytes(2, "big") + text if text else b""),
    "matroska": ("subrip", bytes),
    "webm": ("webvtt", bytes),
}


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
        what got lost, a line each.
    """
    with atomic_write(output) as temporary:
        if encoding.codec == "gif":
            _write_gif(segments, temporary, time_base)
            return []
        return _write(source, segments, temporary, container_of(output), time_base, start, duration)


def write_frames(segments, encoding, output, time_base):
    """Writes the frames of segments alone, without a source to copy from. Arguments as those of `assemble`."""
    with atomic_write(output) as temporary:
        if encoding.codec == "gif":
            _write_gif(segments, temporary, time_base)
            return
        with import_av().open(str(temporary), "w", format=container_of(output)) as made:
            for _, packet in _video_packets(segments, _video_track(made, segments, time_base), time_base, 0.0):
                made.mux(packet)


def _video_track(made, segments, time_base):
    with import_av().open(str(segments.video(0))) as first:
        track = made.add_stream_from_template(first.streams.video[0])
    track.time_base = time_base
    return track


def _write(source, segments, path, container, time_base, start, duration):
    av = import_av()
    notes = []
    with av.open(str(source.path)) as given, av.open(str(path), "w", format=container) as made:
        made.metadata.update(given.metadata)
        offset = source.start + start if start else 0.0
        video = _video_track(made, segments, time_base)
        video.metadata.update({k: v for k, v in given.streams.video[0].metadata.items() if k in ("language", "title")})
        copied, encoded = _other_streams(given, made, container, notes)
        _copy_chapters(given, made, offset, duration)
        sequences = [_video_packets(segments, video, time_base, offset)]
        low = source.start + start if start else float("-inf")  # sound may begin before the first frame
        high = source.start + start + duration if duration else float("inf")
        if copied or encoded:
            sequences.append(_source_packets(given, copied, encoded, offset, low, high))
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
            track.codec_context.layout = stream.codec_context.layout
            form = track.codec_context.codec.audio_formats[0].name
            track.codec_context.format = form
            resampler = av.AudioResampler(
                form, stream.codec_context.layout, rate, frame_size=960 if rate == 48000 else None
            )
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
        times = iter(segments.times(number))
        with av.open(str(segments.video(number))) as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.size == 0:
                    continue
                pts, length = next(times)
                pts -= round(offset / time_base)
                packet.stream, packet.time_base = track, time_base
                packet.pts = packet.dts = pts
                packet.duration = length
                yield float(pts * time_base), packet


def _source_packets(given, copied, encoded, offset, low, high):
    """Yields (seconds, packet) of the tracks that are taken from the source."""
    chosen = [given.streams[index] for index in (*copied, *encoded)]
    for packet in given.demux(chosen):
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


def _write_gif(segments, path, time_base):
    """A GIF by Pillow, which chooses the 256 colours of each frame; its times count in hundredths of a second."""
    av = import_av()
    frames, lengths, passed = [], [], 0.0
    for number in range(segments.done):
        with av.open(str(segments.video(number))) as container:
            for decoded, (_, length) in zip(container.decode(video=0), segments.times(number), strict=True):
                image = Image.fromarray(decoded.to_ndarray(format="rgb24"))
                frames.append(image.quantize(256, dither=Image.Dither.FLOYDSTEINBERG))
                passed += float(length * time_base)
                lengths.append(max(20, round(passed * 100) * 10 - sum(lengths)))
    frames[0].save(path, format="GIF", save_all=True, append_images=frames[1:], duration=lengths, loop=0, disposal=1)
