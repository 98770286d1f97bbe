"""Videos: every frame at its own time, other tracks kept, runs that go on, steady frames, and refusals."""

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from scripts.make_test_clip import write_clip
from src.errors import UserError
from src.options.video import VideoConfig
from src.stylize.stylizer import Stylizer
from src.video import command, pipeline, webcam
from src.video.measure import Steadiness, flicker, optical_flow, warping_error
from src.video.packages import is_video
from src.video.pipeline import Styles, stylize_video
from src.video.source import Frame, at_rate, probe, read_frames
from src.video.temporal import Steady, blend_along, is_cut
from stylize import main
from tests.conftest import make_image
from tests.video_checks import STYLE, check_kept, frames, kill_after_a_segment, same_frames, tracks
from tests.video_checks import command as stylize_command

av = pytest.importorskip("av", reason="needs requirements-video.txt")
pytest.importorskip("onnxruntime", reason="needs requirements-runtime.txt")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Three seconds of a clip with everything that is easily lost."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_clip(path, seconds=3, width=96, height=64)
    return path


@pytest.fixture(scope="module")
def stylizer():
    return Stylizer.open(engine="onnxruntime")


@pytest.fixture(scope="module")
def embedding(stylizer):
    return stylizer.embed(make_image(seed=5))


def stylised(stylizer, embedding, clip, output, **settings):
    lines = stylize_video(stylizer, [(embedding, 0.0)], clip, output, VideoConfig(**settings))
    return frames(output), lines


def test_a_killed_run_goes_on_and_everything_is_kept(clip, tmp_path):
    whole, again = tmp_path / "whole.mp4", tmp_path / "again.mp4"
    arguments = stylize_command(clip, again, "--temporal")
    kill_after_a_segment(arguments, again)
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "warping error: source" in done.stderr
    check_kept(clip, again)
    assert not list(tmp_path.glob(".*"))
    subprocess.run(stylize_command(clip, whole, "--temporal"), check=True, capture_output=True)
    assert same_frames(whole, again)


def test_segments_of_other_options_are_not_used(clip, stylizer, embedding, tmp_path, monkeypatch):
    output = tmp_path / "out.mp4"

    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "assemble", stop)
    with pytest.raises(KeyboardInterrupt):
        stylised(stylizer, embedding, clip, output, duration=0.5)
    monkeypatch.undo()
    other = stylizer.embed(make_image(seed=6))
    (_, first), _ = stylised(stylizer, other, clip, output, duration=0.5)
    output.unlink()
    (_, second), _ = stylised(stylizer, other, clip, output, duration=0.5)
    assert all(map(np.array_equal, first, second))


@pytest.mark.parametrize(
    "ending, codec, subtitles", [(".webm", "vp9", "webvtt"), (".mkv", "h264", "subrip"), (".mov", "h264", "mov_text")]
)
def test_other_containers_keep_what_they_can(clip, stylizer, embedding, tmp_path, ending, codec, subtitles):
    output = tmp_path / f"out{ending}"
    (times, _), lines = stylised(stylizer, embedding, clip, output, start=1.0, duration=1.0)
    assert times == list(np.round(np.arange(13) * 0.08, 4))
    with av.open(str(output)) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == codec
        assert len(container.streams.audio) == 2
        assert [s.codec_context.codec.canonical_name for s in container.streams.subtitles] == [subtitles]
        texts = [bytes(p) for p in container.demux(container.streams.subtitles[0]) if p.size > 2]
    assert [text[-8:] for text in texts] == [b"second 1"]
    assert any("can't be in" in line for line in lines) == (ending != ".mov")


def test_gif_in_and_out(clip, stylizer, embedding, tmp_path):
    one, two = tmp_path / "one.gif", tmp_path / "two.gif"
    (times, _), lines = stylised(stylizer, embedding, clip, one, duration=0.4)
    assert "a GIF has 256 colours a frame and no sound" in lines
    assert stylised(stylizer, embedding, one, two)[0][0] == times
    assert is_video(one, two) and is_video(one, "x.mp4") and not is_video(one, "x.png")


def test_transparency_is_kept_or_said(stylizer, embedding, tmp_path):
    source = tmp_path / "alpha.mov"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("qtrle", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "argb"
        for i in range(3):
            pixels = np.dstack([make_image(32, 32, i), np.full((32, 32), 60 * i, np.uint8)])
            frame = av.VideoFrame.from_ndarray(pixels, format="rgba").reformat(format="argb")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    kept = tmp_path / "kept.mov"
    stylised(stylizer, embedding, source, kept)
    with av.open(str(kept)) as container:
        alphas = [frame.to_ndarray(format="rgba")[..., 3].mean() for frame in container.decode(video=0)]
    np.testing.assert_allclose(alphas, [0, 60, 120], atol=3)
    lines = stylised(stylizer, embedding, source, tmp_path / "lost.mp4")[1]
    assert any("holds no transparency" in line for line in lines)


def test_ten_bits_and_pixel_shapes_are_kept(stylizer, embedding, tmp_path):
    source, output = tmp_path / "deep.mkv", tmp_path / "out.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p10le"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        frame = av.VideoFrame.from_ndarray(make_image(32, 48), format="rgb24").reformat(format="yuv420p10le")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    lines = stylised(stylizer, embedding, source, output)[1]
    assert "frames of 10 bits a channel are stylised with 8" in lines
    with av.open(str(output)) as container:
        context = container.streams.video[0].codec_context
        assert context.pix_fmt == "yuv420p10le"
        assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
    lines = stylised(stylizer, embedding, source, tmp_path / "out.webm")[1]
    assert "libvpx-vp9 keeps no shape of pixels, those of 4/3 are shown square" in lines


def test_frames_at_a_constant_rate_are_those_shown_then():
    given = [
        Frame(pts, length, np.full((1, 1, 3), i), None) for i, (pts, length) in enumerate([(0, 4), (4, 1), (5, 5)])
    ]
    found = [(f.pts, int(f.image[0, 0, 0])) for f in at_rate(given, Fraction(1, 10), Fraction(5), 0.0)]
    assert found == [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2)]


def test_a_constant_rate_keeps_the_clock_of_the_source():
    given = [Frame(pts, 5, np.full((1, 1, 3), pts), None) for pts in (15, 20)]  # the video begins after its sound
    found = [(f.pts, int(f.image[0, 0, 0])) for f in at_rate(given, Fraction(1, 10), Fraction(4), 1.5)]
    assert found == [(6, 15), (7, 15), (8, 20), (9, 20)]


def test_a_part_at_a_constant_rate_begins_at_zero(clip, stylizer, embedding, tmp_path, monkeypatch):
    seconds = []
    monkeypatch.setattr(Styles, "at", lambda self, second, content: seconds.append(second) or embedding)
    output = tmp_path / "out.mp4"
    (times, _), _ = stylised(stylizer, embedding, clip, output, fps=5.0, start=1.0, duration=1.0)
    assert times == list(np.round(np.arange(5) * 0.2, 4))
    np.testing.assert_allclose(seconds, times, atol=1e-6)
    sounds = [track for key, track in tracks(output)[0].items() if key[0] == "audio"]
    assert all(-0.05 < sound[0][0] and 0.9 < sound[-1][0] < 1.05 for *_, sound in sounds)


def test_a_part_has_the_frames_that_are_shown_in_it(clip):
    source = probe(clip)
    unit = float(source.time_base)
    part = list(read_frames(source, start=1.1, duration=0.5))
    every = list(read_frames(source))
    shown = [f for f in every if f.pts * unit < 1.6 and (f.pts + f.duration) * unit > 1.1]
    assert [frame.image.tobytes() for frame in part] == [frame.image.tobytes() for frame in shown]
    assert part[0].pts * unit == pytest.approx(1.1) and shown[0].pts * unit == pytest.approx(1.08)
    assert (part[-1].pts + part[-1].duration) * unit == pytest.approx(1.6)


def test_styles_change_evenly_between_their_seconds(stylizer):
    one, two = np.zeros(100, np.float32), np.ones(100, np.float32)
    styles = Styles(stylizer, [(one, 1.0), (two, 3.0)], 1.0)
    assert [float(styles.at(second, None)[0]) for second in (0, 1, 2, 2.5, 9)] == [0, 0, 0.5, 0.75, 1]


def moved(seed=0):
    """Two views of a picture, the second one 3 pixels further right."""
    picture = np.asarray(make_image(80, 120, seed))
    return picture[:, 10:110], picture[:, 13:113]


def test_flow_and_warping_error():
    previous, current = moved()
    flow, valid = optical_flow(previous, current)
    assert valid.mean() > 0.7
    np.testing.assert_allclose(np.median(flow[valid], 0), (3, 0), atol=0.3)
    assert warping_error(previous, current, flow, valid) < 0.1 * warping_error(previous, current, 0 * flow, valid)


def test_flicker_is_what_the_pastiche_changes_more_than_the_content():
    content = make_image(64, 64)
    brighter = np.clip(content.astype(int) + 10, 0, 255).astype(np.uint8)
    assert flicker((content, brighter), (content, brighter)) == 0
    assert flicker((content, brighter), (content, content)) == 0
    assert flicker((content, content), (content, brighter)) == pytest.approx(10 / 255, rel=0.1)


def test_a_blend_follows_the_flow_and_leaves_what_does_not_fit():
    contents = moved()
    flow, valid = optical_flow(*contents)
    previous, current = np.full_like(contents[0], 200), np.full_like(contents[0], 100)
    assert np.median(blend_along(flow, valid, contents, (previous, current))) > 160
    apart = (contents[0], 255 - contents[1])
    np.testing.assert_allclose(blend_along(flow, valid, apart, (previous, current)), 100, atol=25)


class Flickering:
    """A stylizer whose pastiche is the content, brighter in every other frame."""

    def __init__(self):
        self.calls = 0

    def statistics(self, content, embedding):
        return None

    def stylize(self, content, embedding, statistics=None):
        self.calls += 1
        return np.clip(content.astype(int) + 40 * (self.calls // 2 % 2), 0, 255).astype(np.uint8)


def test_steady_frames_flicker_less_and_a_cut_resets_them():
    steady, content = Steady(Flickering(), measured=20), make_image(64, 96)
    for _ in range(12):
        steady.paint(content, None)
    figures = steady.steadiness.sums
    assert figures["flicker_output"] < 0.5 * figures["flicker_plain"]
    assert figures["warping_output"] < 0.7 * figures["warping_plain"]
    other = 255 - content
    assert is_cut(content, other) and not is_cut(*moved())
    steady.stylizer.calls = 0
    np.testing.assert_array_equal(steady.paint(other, None), other)


def test_statistics_are_smoothed(stylizer, embedding):
    contents = [make_image(64, 64, seed) for seed in (1, 1)]
    noisy = np.clip(contents[1].astype(int) + 20, 0, 255).astype(np.uint8)
    steady = Steady(stylizer, measured=-1)
    steady.paint(contents[0], embedding)
    first, own = steady.statistics, stylizer.statistics(noisy, embedding)
    steady.paint(noisy, embedding)
    np.testing.assert_allclose(steady.statistics, 0.85 * first + 0.15 * own, rtol=1e-4, atol=1e-5)
    whole = stylizer.stylize(contents[0], embedding, statistics=first)
    assert np.abs(whole.astype(int) - stylizer.stylize(contents[0], embedding)).max() <= 1


def test_the_state_holds_the_figures(stylizer):
    one = Steady(stylizer)
    one.content = one.pastiche = make_image(32, 32)
    one.steadiness = Steadiness(dict.fromkeys(Steadiness.NAMES, 2.0), 4)
    other = Steady(stylizer)
    other.restore(one.state())
    assert other.report() == one.report() != ""
    np.testing.assert_array_equal(other.pastiche, one.pastiche)


def test_webcam_to_a_file(stylizer, embedding, tmp_path):
    output = tmp_path / "cam.mp4"
    pictures = iter([make_image(60, 80, seed) for seed in range(4)])
    settings = VideoConfig(frames=4)
    webcam.record(lambda: next(pictures), lambda frame: stylizer.stylize(frame, embedding), output, settings)
    times, images = frames(output)
    assert len(times) == 4 and times == sorted(times) and images[0].shape == (60, 80, 3)
    assert webcam.is_webcam("webcam:2") and not webcam.is_webcam("webcam.jpg")


@pytest.mark.parametrize(
    "output, settings, message",
    [
        ("x.zip", {}, "cannot write a video as '.zip'"),
        ("x.webm", {"codec": "libx264"}, "option codec: .webm files can't hold libx264"),
        ("x.mp4", {"codec": "nothing"}, "option codec: found 'nothing'"),
        ("x.mp4", {"codec": "aac"}, "expected a video encoder"),
        ("x.webm", {"preset": "fast"}, "option preset: found 'fast'"),
        ("x.mp4", {"start": 60.0}, "no frame between the seconds"),
    ],
)
def test_refusals(clip, stylizer, embedding, tmp_path, output, settings, message):
    with pytest.raises(UserError, match=message):
        stylised(stylizer, embedding, clip, tmp_path / output, **settings)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("data", [b"", b"no video at all" * 100])
def test_files_that_are_no_videos(tmp_path, data):
    (tmp_path / "a.mp4").write_bytes(data)
    with pytest.raises(UserError, match="a.mp4: can't be read as a video"):
        probe(tmp_path / "a.mp4")


def test_mistakes_on_the_command_line(clip, tmp_path):
    for options, message in (
        ((), "option output: missing"),
        (("-o", str(clip), "--overwrite"), "is the content"),
        (("-o", str(tmp_path / "x.mp4"), "--schedule", "0", "1"), "found 2 seconds for 1 styles"),
        (("-o", str(tmp_path / "x.mp4"), "--method", "optimize"), "not for videos"),
    ):
        with pytest.raises(UserError, match=message):
            main([str(clip), str(STYLE), *options])
    with pytest.raises(UserError, match="option fps: is for videos"):
        main([str(STYLE), str(STYLE), "-o", str(tmp_path / "x.png"), "--fps", "10"])


def test_a_video_without_the_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match="pip install -r requirements-video.txt"):
        command.import_av()
