"""What stylize.py keeps of a video. As a program it makes the proof that docs/video.md speaks of, in about ten minutes.

python tests/video_checks.py FOLDER
"""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.make_test_clip import write_clip  # noqa: E402
from src.options.video import VideoConfig  # noqa: E402
from src.video.packages import import_av  # noqa: E402
from src.video.pipeline import stylize_video  # noqa: E402

STYLE = ROOT / "dataset/test/style/coloured_dots.jpg"
MIDDLE = 4  # of the eight segments of a clip of 186 frames


def frames(path):
    """(times in seconds, frames uint8 upright) of a video."""
    times, images = [], []
    with import_av().open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for frame in container.decode(video=0):
            times.append(round(float(frame.pts * frame.time_base), 4))
            images.append(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90) % 4))
    return times, images


def stylised(stylizer, embedding, clip, output, **settings):
    """Stylises a clip; returns the output's (times, frames) and the lines that are said at the end."""
    lines = stylize_video(stylizer, [(embedding, 0.0)], clip, output, VideoConfig(**settings))
    return frames(output), lines


def tracks(path):
    """({(kind, position): codec, language, [(seconds, data)] of packets}, chapters, title) of a video."""
    found = {}
    with import_av().open(str(path)) as container:
        for kind in ("audio", "subtitles"):
            for position, stream in enumerate(getattr(container.streams, kind)):
                found[stream.index] = [(kind, position), stream.codec_context.codec.canonical_name, stream.language, []]
        for packet in container.demux():
            # mp4 fills the gaps between subtitles with empty ones
            if packet.stream_index in found and packet.dts is not None and packet.size > 2:
                entry = (round(float(packet.pts * packet.time_base), 3), bytes(packet))
                found[packet.stream_index][3].append(entry)
        chapters = [(entry["start"], entry["end"], entry["metadata"]["title"]) for entry in container.chapters()]
        return {key: rest for key, *rest in found.values()}, chapters, container.metadata.get("title")


def check_kept(source, output):
    """Asserts that an output has the source's frame times, upright shape, tracks, chapters and title."""
    (times, images), (found, pastiches) = frames(source), frames(output)
    assert found == times
    assert pastiches[0].shape == images[0].shape
    assert tracks(output) == tracks(source)


def command(source, output, *options):
    """The command that stylises a video without MindSpore."""
    options = ("--engine", "onnxruntime", *options)
    return [sys.executable, str(ROOT / "stylize.py"), str(source), str(STYLE), "-o", str(output), *options]


def kill_after(arguments, output, segments=1, seconds=300):
    """Starts a command and kills it when so many segments are done; returns how many there were.

    Args:
        seconds: in which the segments must be done.
    """
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    folder = output.with_name(f".{output.name}.segments")
    try:
        until = time.monotonic() + seconds
        while (done := len(list(folder.glob("[0-9]*.npz")))) < segments:
            assert process.poll() is None, f"ended before segment {segments} was done"
            assert time.monotonic() < until, f"{done} segments after {seconds} seconds"
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not output.exists()
    return len(list(folder.glob("[0-9]*.npz")))


def same_frames(one, other) -> bool:
    """Whether two videos have the same frames at the same times."""
    (times, images), (others, pictures) = frames(one), frames(other)
    return times == others and all(np.array_equal(*pair) for pair in zip(images, pictures, strict=True))


def main(folder):
    """The whole proof, with its figures on stdout."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    moving, still = folder / "moving.mp4", folder / "still.mp4"
    write_clip(moving)
    write_clip(still, still=True)
    for clip in (moving, still):
        output = clip.with_name(f"{clip.stem}_stylised.mp4")
        started = time.monotonic()
        done = subprocess.run(command(clip, output, "--temporal"), check=True, capture_output=True, text=True)
        check_kept(clip, output)
        count, seconds = len(frames(output)[0]), time.monotonic() - started
        print(f"{clip.name}: {count} frames, times and tracks kept, {count / seconds:.1f} frames/s with everything")
        print(
            *(line for line in done.stderr.splitlines() if line.startswith(("warping", "flicker"))),
            sep="\n",
            flush=True,
        )
    again = folder / "again.mp4"
    arguments = command(moving, again, "--temporal")
    segments = kill_after(arguments, again, MIDDLE, seconds=3600)  # of a machine with other work, too
    subprocess.run(arguments, check=True, capture_output=True)
    same = same_frames(again, moving.with_name("moving_stylised.mp4"))
    print(f"killed after {segments} of 8 segments and started again: {'the same frames' if same else 'OTHER FRAMES'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
