"""Writes a video with much that is easily lost: variable frame rate, rotation, two sound tracks, subtitles, chapters.

python scripts/make_test_clip.py clip.mp4 [--seconds 10] [--width 640] [--height 360] [--still]

docs/video.md uses it to show what stylize.py keeps. The picture moves over a sample photograph; --still holds it and
adds noise.
"""

import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from src.config import ROOT, parse
from src.errors import run_entry
from src.images.files import read_image, resize_short_side
from src.options.option import Options, option
from src.video.packages import import_av

RATE, SOUND_RATE = 25, 48000
TIME_BASE = Fraction(1, 600)
TONES = {"eng": 440, "deu": 660}


@dataclass(frozen=True)
class ClipOptions(Options):
    """What the clip shows."""

    seconds: int = option(10, "length", least=1)
    width: int = option(640, "width, pixels", least=16, multiple=2)
    height: int = option(360, "height, pixels", least=16, multiple=2)
    still: bool = option(False, "a picture that does not move, with noise")


def frame_times(seconds) -> list[int]:
    """Times in units of `TIME_BASE`: 25 frames a second, 12.5 in every other second."""
    times, time = [], 0
    while time < seconds * 600:
        times.append(time)
        time += 24 if (time // 600) % 2 == 0 else 48
    return times


def frame_at(photo, second, width, height, still, rng) -> np.ndarray:
    """A moving view of the photograph, or a still view with noise; uint8 (height, width, 3)."""
    rows, columns = photo.shape[0] - height, photo.shape[1] - width
    part = 0.5 if still else 0.5 + 0.4 * np.sin(second * 0.8)
    view = photo[int(rows * part) :, int(columns * part) :][:height, :width]
    if still:
        view = np.clip(view + rng.normal(0, 6, view.shape), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(view)


def write_clip(path, seconds=10, width=640, height=360, still=False, rotation=90):
    """Writes the clip. Frames are stored on their side with a rotation in the file, as telephones do."""
    av = import_av()
    photo = resize_short_side(read_image(ROOT / "dataset/test/content/astronaut.jpg"), max(width, height) + 80)
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE, options={"crf": "12", "preset": "veryfast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.time_base = video.time_base = TIME_BASE
        video.set_display_rotation(rotation)
        tracks = []
        for language, tone in TONES.items():
            track = container.add_stream("aac", rate=SOUND_RATE)
            track.metadata["language"] = language
            tracks.append((track, tone))
        subtitles = container.add_mux_stream("mov_text") if Path(path).suffix in (".mp4", ".mov") else None
        ends = (0, seconds // 2 * 1000, seconds * 1000)
        chapters = [
            {
                "id": i,
                "start": ends[i],
                "end": ends[i + 1],
                "time_base": Fraction(1, 1000),
                "metadata": {"title": f"part {i + 1}"},
            }
            for i in range(2)
        ]
        container.set_chapters(chapters)
        container.metadata["title"] = "a test clip"
        for time in frame_times(seconds):
            image = frame_at(photo, time / 600, width, height, still, rng)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = time, TIME_BASE
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for track, tone in tracks:
            _add_sound(container, track, tone, seconds)
        if subtitles is not None:
            _add_subtitles(container, subtitles, seconds)


def _add_sound(container, track, tone, seconds):
    av = import_av()
    wave = np.sin(np.arange(SOUND_RATE * seconds) * 2 * np.pi * tone / SOUND_RATE).astype(np.float32) * 0.3
    for begin in range(0, len(wave), 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, begin : begin + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, begin, Fraction(1, SOUND_RATE)
        container.mux(track.encode(frame))
    container.mux(track.encode(None))


def _add_subtitles(container, track, seconds):
    av = import_av()
    for second in range(seconds):
        text = f"second {second}".encode()
        packet = av.Packet(len(text).to_bytes(2, "big") + text)
        packet.stream, packet.time_base = track, Fraction(1, 1000)
        packet.pts = packet.dts = second * 1000
        packet.duration = 900
        container.mux(packet)


def main(argv):
    """Reads the options, writes the clip, returns the exit code."""
    options = parse(
        argv,
        (),
        __doc__.splitlines()[0],
        positionals=[("path", None, "file to write, .mp4 or .mkv", "--output")],
        own=ClipOptions,
    )
    own = options.own
    write_clip(options.path, own.seconds, own.width, own.height, own.still)
    print(options.path)
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
