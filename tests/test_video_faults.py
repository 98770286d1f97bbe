"""Videos whose disk, memory or segments fail in the middle, and parts that begin at a key frame. No network runs."""

import errno
import itertools
import resource

import numpy as np
import pytest
from conftest import make_image
from PIL import Image
from small_videos import Copy, write_moving
from test_video_runs import stopped_after
from video_checks import frames, same_frames, stylised

from src.errors import UserError
from src.images.colors import preserve_colors
from src.options.video import VideoConfig
from src.stylize.painting import mix
from src.video import pipeline, source
from src.video.failures import DiskRefuses, told
from src.video.pipeline import stylize_video
from src.video.source import probe, read_frames
from src.video.webcam import record

av = pytest.importorskip("av", reason="needs requirements-video.txt")
STARTS = np.arange(0.0007, 4.4, 0.163)


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mp4"
    write_moving(path)
    return path


@pytest.mark.parametrize("kilobytes, where", [(1, "frame.mkv"), (5, "unfinished.mkv"), (12, "out.mp4")])
def test_a_full_disk_is_said_and_the_same_command_goes_on(clip, tmp_path, kilobytes, where):
    """A limit for files is the disk: in the folder for the trial, in a segment, in the output."""
    output, whole, unlimited = tmp_path / "out.mp4", tmp_path / "whole.mp4", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1000, unlimited[1]))
    try:
        # the trial makes nothing that could be kept
        kept = "$" if where == "frame.mkv" else "; what is done is kept, and the same command"
        with pytest.raises(UserError, match=f"{where}: File too large{kept}"):
            stylised(Copy(), np.zeros(3), clip, output)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert not output.exists()
    assert len(list(tmp_path.glob(".out.mp4.segments/*.npz"))) == (2 if where == "out.mp4" else 0)
    stylised(Copy(), np.zeros(3), clip, output)
    stylised(Copy(), np.zeros(3), clip, whole)
    assert same_frames(whole, output)


def test_a_full_disk_ends_a_recording_of_the_webcam_in_a_line(tmp_path):
    unlimited, rng = resource.getrlimit(resource.RLIMIT_FSIZE), np.random.default_rng(0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, unlimited[1]))
    try:
        with pytest.raises(UserError, match="unfinished.mkv: File too large$"):
            record(
                lambda: rng.integers(0, 255, (64, 96, 3), np.uint8),
                np.flip,
                tmp_path / "out.mp4",
                VideoConfig(frames=40),
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert not list(tmp_path.iterdir())


def test_too_little_memory_is_said(clip, tmp_path, monkeypatch):
    def no_memory(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(Copy, "stylize", no_memory)
    with pytest.raises(UserError, match="clip.mp4: frames of 64 x 48 pixels need more memory .* smaller --size"):
        stylised(Copy(), np.zeros(3), clip, tmp_path / "out.mp4")


def test_an_error_of_ffmpeg_is_said(clip, tmp_path, monkeypatch):
    def refuse(*arguments):
        raise av.error.InvalidDataError(1, "no such thing")

    monkeypatch.setattr(pipeline, "assemble", refuse)
    with pytest.raises(UserError, match="out.mp4: FFmpeg can't write it .*no such thing.* another --codec or ending"):
        stylised(Copy(), np.zeros(3), clip, tmp_path / "out.mp4")


@pytest.mark.parametrize("name", ["key.txt", "000001.npz", "000001.state", "000000.mkv"])
@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"\xff" * len(data)])
def test_damaged_files_of_a_stopped_run_are_made_anew(clip, tmp_path, monkeypatch, name, damage):
    monkeypatch.setattr(pipeline, "LENGTH", 8)
    output, whole = tmp_path / "out.mp4", tmp_path / "whole.mp4"
    stopped_after(20, Copy(), np.zeros(3), clip, output, temporal=False)
    file = tmp_path / ".out.mp4.segments" / name
    file.write_bytes(damage(file.read_bytes()))
    stylised(Copy(), np.zeros(3), clip, output)
    stylised(Copy(), np.zeros(3), clip, whole)
    assert same_frames(whole, output)


@pytest.mark.parametrize(
    "name, codec, options, fewer",
    [
        ("a.mp4", "libx264", {"bf": "3"}, True),
        ("a.mkv", "libx264", {"bf": "3", "x264-params": "open-gop=1", "begin": 700}, True),
        ("a.mov", "mpeg4", {"bf": "2"}, True),
        ("a.webm", "libvpx-vp9", {"cpu-used": "8", "count": 24}, True),
        ("a.mp4", "libx264", {"x264-params": "intra-refresh=1"}, False),  # has one key frame
        ("a.avi", "mpeg4", {}, False),
    ],
)
def test_a_part_is_read_from_the_key_frame_before_it(tmp_path, monkeypatch, name, codec, options, fewer):
    write_moving(tmp_path / name, codec, **options)
    clip, decoded, plain = probe(tmp_path / name), [], source._decodable

    def counted(*arguments):
        for frame in plain(*arguments):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(source, "_decodable", counted)

    def part(start):
        decoded.clear()
        found = [(frame.pts, frame.duration, frame.image.tobytes()) for frame in read_frames(clip, start, 0.15)]
        return found, len(decoded)

    sought = [part(start) for start in STARTS]
    monkeypatch.setattr(source, "SEEKABLE", ())
    from_begin = [part(start) for start in STARTS]
    assert [frames for frames, _ in sought] == [frames for frames, _ in from_begin]
    assert all(frames for frames, _ in sought[:12])
    assert (sum(count for _, count in sought) < 0.7 * sum(count for _, count in from_begin)) == fewer


@pytest.mark.parametrize("table", [False, True])
def test_colours_of_the_content_are_kept_and_strength_mixes_pixels_after_that(clip, tmp_path, monkeypatch, table):
    monkeypatch.setattr(Copy, "styles", ("a", "b") if table else ())
    output, settings = tmp_path / "out.mkv", VideoConfig(codec="ffv1", duration=0.1)
    strength, content = 0.25 if table else 1.0, next(read_frames(probe(clip))).image
    stylize_video(Copy(), [(np.zeros(3), 0.0)], clip, output, settings, 0, strength, preserve_colors="luma")
    expected = preserve_colors(255 - content, content, "luma")
    expected = mix(content, [expected], [strength])
    assert np.abs(expected.astype(int) - content).mean() > 10
    # colours of half the size, as the encoder has them
    assert np.abs(frames(output)[1][0].astype(int).mean(2) - expected.mean(2)).mean() < 4


@pytest.mark.parametrize("number, disk", [(errno.ENOSPC, True), (errno.EACCES, True), (errno.EPERM, False)])
def test_an_encoder_without_its_driver_is_no_full_disk(number, disk, tmp_path):
    """FFmpeg's encoder of NVIDIA's cards says EPERM where no driver is."""
    with pytest.raises(UserError) as caught, told("in.mp4", tmp_path / "out.mp4", (8, 8)):
        raise av.error.PermissionError(number, "said by FFmpeg", "avcodec_open2")
    assert isinstance(caught.value, DiskRefuses) == disk
    assert ("another --codec" in str(caught.value)) != disk


def test_a_gif_has_every_frame_though_they_are_alike(tmp_path):
    pictures, clip, output = [make_image(48, 64, seed) for seed in (1, 1, 2, 2, 2, 3)], tmp_path / "a.mkv", "a.gif"
    with av.open(str(clip), "w") as container:
        video = container.add_stream("ffv1", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "bgr0"
        for picture in pictures:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0")))
        container.mux(video.encode())
    (times, images), _ = stylised(Copy(), np.zeros(3), clip, tmp_path / output)
    assert times == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    for image, picture in zip(images, pictures, strict=True):
        assert np.abs(image.astype(int) - (255 - picture)).mean() < 9  # of 256 colours, dithered
    assert [np.array_equal(*pair) for pair in itertools.pairwise(images)] == [True, False, True, True, False]
    with Image.open(tmp_path / output) as gif:
        assert gif.info["loop"] == 0
        lengths = [gif.seek(number) or gif.info["duration"] for number in range(gif.n_frames)]
    assert lengths == [100] * 6
    assert frames(tmp_path / output)[0] == times
