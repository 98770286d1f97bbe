"""Videos: every frame at its own time, other tracks kept, runs that go on, steady frames, and refusals."""

import sys
import types
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from scripts.make_test_clip import write_clip
from src.engines.choice import bundled_styles
from src.errors import UserError
from src.options.video import VideoConfig
from src.stylize import tiles
from src.stylize.stylizer import Stylizer
from src.video import command, pipeline, webcam
from src.video.assemble import READ_TEXT, WRITE_TEXT
from src.video.measure import Steadiness, flicker, optical_flow, warping_error
from src.video.packages import is_video
from src.video.pipeline import Styles, stylize_video
from src.video.segments import open_segments
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


def test_a_killed_run_goes_on_and_everything_is_kept(clip, tmp_path, capsys):
    whole, again = tmp_path / "whole.mp4", tmp_path / "again.mp4"
    arguments = stylize_command(clip, again, "--temporal")
    kill_after_a_segment(arguments, again)
    assert main(arguments[2:]) == 0
    assert "warping error: source" in capsys.readouterr().err
    check_kept(clip, again)
    assert not list(tmp_path.glob(".*"))
    assert main(stylize_command(clip, whole, "--temporal")[2:]) == 0
    assert same_frames(whole, again)


def stopped_after(count, stylizer, embedding, clip, output, **settings):
    """Starts a run that ends after so many frames."""

    def stop(done, total, text):
        if done == count:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stylize_video(stylizer, [(embedding, 0.0)], clip, output, VideoConfig(**settings), progress=stop)


def test_a_run_goes_on_where_a_frame_is_repeated(clip, stylizer, embedding, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "LENGTH", 3)
    whole, again = tmp_path / "whole.mp4", tmp_path / "again.mp4"
    settings = {"fps": 50.0, "duration": 0.2, "temporal": True}
    stylised(stylizer, embedding, clip, whole, **settings)
    stopped_after(4, stylizer, embedding, clip, again, **settings)  # the third and fourth are the same frame
    stylised(stylizer, embedding, clip, again, **settings)
    assert same_frames(whole, again)


def cut_short(folder):
    video = folder / "000001.mkv"
    video.write_bytes(video.read_bytes()[:-100])


def with_a_packet_less(folder):
    note = dict(np.load(folder / "000001.npz"))
    np.savez(folder / "000001.npz", times=note["times"][:-1], size=note.get("size", 0))


def emptied(folder):
    (folder / "000000.mkv").write_bytes(b"")


def without_state(folder):
    for path in folder.glob("*.state"):
        path.unlink()


def test_damaged_segments_are_made_anew(clip, stylizer, embedding, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "LENGTH", 3)
    whole = tmp_path / "whole.mp4"
    stylised(stylizer, embedding, clip, whole, duration=0.4, temporal=True)
    for damage in (cut_short, with_a_packet_less, emptied, without_state):
        again = tmp_path / f"{damage.__name__}.mp4"
        stopped_after(8, stylizer, embedding, clip, again, duration=0.4, temporal=True)
        damage(tmp_path / f".{again.name}.segments")
        stylised(stylizer, embedding, clip, again, duration=0.4, temporal=True)
        assert same_frames(whole, again), damage
        assert not list(tmp_path.glob(".*"))


def test_another_model_starts_anew(clip, stylizer, embedding, tmp_path, monkeypatch):
    assert [file.suffix for file in stylizer.files] == [".onnx"] * 3
    monkeypatch.setattr(pipeline, "LENGTH", 3)
    model, output = tmp_path / "model.onnx", tmp_path / "out.mp4"
    monkeypatch.setattr(stylizer, "files", [model])
    for content, first in ((b"one", 1), (b"one", 7), (b"other", 1)):
        if not model.is_file() or model.read_bytes() != content:
            model.write_bytes(content)
        counts = []

        def stop(done, total, text, counts=counts):
            counts.append(done)
            if len(counts) == 8:
                raise KeyboardInterrupt

        try:
            stylize_video(stylizer, [(embedding, 0.0)], clip, output, VideoConfig(duration=0.4), 0, 1.0, True, stop)
        except KeyboardInterrupt:
            pass
        assert counts[0] == first
        if first == 7:
            output.unlink()
            stopped_after(8, stylizer, embedding, clip, output, duration=0.4)


def test_no_folder_stays_without_a_segment_and_one_run_has_it(clip, stylizer, embedding, tmp_path):
    output = tmp_path / "out.mp4"
    stopped_after(1, stylizer, embedding, clip, output)
    assert not list(tmp_path.iterdir())
    with open_segments(output, "key"), pytest.raises(UserError, match="is used by another run"):
        stylised(stylizer, embedding, clip, output, duration=0.1)


def test_all_frames_have_the_size_of_the_first(clip, stylizer, embedding, tmp_path, monkeypatch):
    given = [Frame(i * 24, 24, make_image(*shape), None) for i, shape in enumerate([(96, 64), (48, 32), (70, 90)])]
    monkeypatch.setattr(pipeline, "read_frames", lambda *_: iter(given))
    (_, images), _ = stylised(stylizer, embedding, clip, tmp_path / "out.mp4")
    assert [image.shape for image in images] == [(96, 64, 3)] * 3


def test_strength_of_a_model_with_a_table_mixes_pixels(clip, tmp_path):
    table = Stylizer.open(bundled_styles("onnxruntime"), "onnxruntime")
    row, output = table.embed(table.styles[0]), tmp_path / "out.mp4"
    stylize_video(table, [(row, 0.0)], clip, output, VideoConfig(duration=0.1, crf=1), strength=0.5)
    content = frames(clip)[1][0]
    expected = (content.astype(int) + table.stylize(content, row)) / 2
    assert np.abs(frames(output)[1][0] - expected).mean() < 4


@pytest.mark.parametrize(
    "codec, ending, name, tag",
    [
        ("libx265", ".mp4", "hevc", "hvc1"),
        ("libx265", ".mov", "hevc", "hvc1"),
    ],
)
def test_other_encoders(clip, stylizer, embedding, tmp_path, monkeypatch, codec, ending, name, tag):
    monkeypatch.setattr(stylizer, "stylize", lambda content, *_: content)  # the encoder is what is tested
    output = tmp_path / f"out{ending}"
    (times, _), _ = stylised(stylizer, embedding, clip, output, duration=0.2, codec=codec)
    assert len(times) == 5
    with av.open(str(output)) as container:
        context = container.streams.video[0].codec_context
        assert context.codec.canonical_name == name
        assert context.codec_tag == tag


def test_sound_around_is_encoded_anew(stylizer, embedding, tmp_path):
    source, output = tmp_path / "around.mkv", tmp_path / "out.webm"
    with av.open(str(source), "w") as container:
        stream, sound = container.add_stream("libx264", rate=10), container.add_stream("ac3", rate=48000)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        sound.codec_context.layout = "5.1(side)"
        for i in range(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(make_image(32, 48, i), format="rgb24")))
        container.mux(stream.encode())
        for i in range(12):
            frame = av.AudioFrame.from_ndarray(np.zeros((6, 1536), np.float32), format="fltp", layout="5.1(side)")
            frame.sample_rate, frame.pts, frame.time_base = 48000, i * 1536, Fraction(1, 48000)
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    stylised(stylizer, embedding, source, output)
    with av.open(str(output)) as container:
        context = container.streams.audio[0].codec_context
        assert (context.codec.canonical_name, context.layout.name) == ("opus", "5.1")


def test_subtitles_are_plain_text():
    assert READ_TEXT["subrip"](b"<i>a</i> {\\b1}b{\\b0} 1 < 2 > 0") == b"a b 1 < 2 > 0"
    assert READ_TEXT["ass"](b"0,0,Default,,0,0,0,,{\\an8}a, b\\Nc") == b"a, b\nc"
    assert READ_TEXT["webvtt"](b"<c.red>a</c> &amp; b") == b"a & b"
    assert WRITE_TEXT["webm"][1](b"a & b") == b"a &amp; b"


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
    monkeypatch.setattr(tiles, "free_memory", lambda: 0)  # another program's use of memory changes no frame
    (_, second), _ = stylised(stylizer, other, clip, output, duration=0.5)
    np.testing.assert_array_equal(np.stack(first), np.stack(second))


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
    assert not probe(one).alpha
    pictures = [Image.new("RGBA", (32, 32), (i * 50, 0, 0, 0)) for i in range(3)]
    pictures[0].save(one, save_all=True, append_images=pictures[1:], duration=10)
    assert probe(one).alpha
    lines = stylised(stylizer, embedding, one, tmp_path / "three.gif")[1]
    assert any("without transparency" in line for line in lines) and any("--fps 50" in line for line in lines)
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
    kept = tmp_path / "kept.webm"
    stylised(stylizer, embedding, source, kept)
    with av.open(str(kept)) as container:
        assert {k.lower(): v for k, v in container.streams.video[0].metadata.items()}["alpha_mode"] == "1"
        decoder = av.CodecContext.create("libvpx-vp9", "r")  # FFmpeg's own decoder passes over the alpha
        decoded = [frame for packet in container.demux(video=0) for frame in decoder.decode(packet)]
        alphas = [frame.to_ndarray(format="rgba")[..., 3].mean() for frame in decoded]
    np.testing.assert_allclose(alphas, [0, 60, 120], atol=6)
    assert any("WebM's alpha" in note for note in probe(kept).notes)
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


def test_flicker_is_what_the_pastiche_changes_more_or_less_than_the_content():
    content = make_image(64, 64)
    brighter = np.clip(content.astype(int) + 10, 0, 255).astype(np.uint8)
    assert flicker((content, brighter), (content, brighter)) == 0
    assert flicker((content, brighter), (content, content)) == pytest.approx(10 / 255, rel=0.1)
    assert flicker((content, content), (content, brighter)) == pytest.approx(10 / 255, rel=0.1)


def test_a_blend_follows_the_flow_and_leaves_what_does_not_fit():
    contents = moved()
    flow, valid = optical_flow(*contents)
    previous, current = np.full_like(contents[0], 200), np.full_like(contents[0], 100)
    assert np.median(blend_along(flow, valid, contents, (previous, current))) > 130
    apart = (contents[0], 255 - contents[1])
    np.testing.assert_allclose(blend_along(flow, valid, apart, (previous, current)), 100, atol=25)


def test_moving_strokes_stay_sharp():
    strokes = np.random.default_rng(0).integers(0, 256, (80, 100, 3), np.uint8)
    flow, valid = np.full((80, 100, 2), (3.5, 0), np.float32), np.ones((80, 100), bool)
    plain, former = np.full_like(strokes, 128), strokes
    for _ in range(6):  # a half pixel blurs the most
        former = blend_along(flow, valid, (plain, plain), (former, strokes))
    assert former.std() > 0.6 * strokes.std()  # 0.39 where 0.75 is kept of what was moved linearly


class Flickering:
    """A stylizer whose pastiche is the content, brighter in every other frame."""

    def __init__(self):
        self.calls = 0

    def statistics(self, content, embedding, side=None):
        return None

    def stylize(self, content, embedding, statistics=None, side=None):
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

    def gone():
        if len(given) == 3:
            raise UserError("content webcam: the camera gives no picture any more")
        given.append(make_image(60, 80))
        return given[-1]

    given = []
    lines = webcam.record(gone, lambda frame: frame, tmp_path / "short.mp4", settings)
    assert lines == ["content webcam: the camera gives no picture any more; 3 of 4 frames are written"]
    assert len(frames(tmp_path / "short.mp4")[0]) == 3
    assert webcam.is_webcam("webcam:2") and not webcam.is_webcam("webcam.jpg")


class Window:
    """In place of Tk's window: calls what is to be called until it is destroyed."""

    def __init__(self, *_):
        self.calls, self.there = [], True

    def after(self, milliseconds, call):
        self.calls.append(call)

    def mainloop(self):
        while self.there:
            self.calls.pop(0)()

    def destroy(self):
        self.there = False

    title = bind = pack = configure = lambda *_, **__: None


def test_a_camera_that_goes_closes_the_window_and_is_released(monkeypatch):
    tkinter = types.SimpleNamespace(Tk=Window, Label=Window)
    monkeypatch.setitem(sys.modules, "tkinter", tkinter)
    monkeypatch.setattr("PIL.ImageTk.PhotoImage", lambda image: image)

    class Camera:
        left, released = 2, False

        def __init__(self, number):
            cameras.append(self)

        def isOpened(self):
            return True

        def read(self):
            self.left -= 1
            return self.left >= 0, np.zeros((60, 80, 3), np.uint8)

        def release(self):
            self.released = True

    cameras, shown = [], []
    monkeypatch.setattr(webcam.import_cv2(), "VideoCapture", Camera)
    with pytest.raises(UserError, match="no picture any more"), webcam.open_camera("webcam") as read:
        webcam.show(read, lambda frame: shown.append(frame) or frame)
    assert len(shown) == 2 and cameras[0].released


@pytest.mark.parametrize(
    "output, settings, message",
    [
        ("x.zip", {}, "cannot write a video as '.zip'"),
        ("x.webm", {"codec": "libx264"}, "option codec: .webm files can't hold libx264"),
        ("x.mp4", {"codec": "nothing"}, "option codec: found 'nothing'"),
        ("x.mp4", {"codec": "aac"}, "expected a video encoder"),
        ("x.webm", {"preset": "fast"}, "option preset: found 'fast'"),
        ("x.mp4", {"preset": "nonsense"}, "option codec: libx264 can't encode .* 'nonsense'"),
        ("x.avi", {"fps": 100000.0}, "option codec: mpeg4 can't encode .* 100000 frames a second"),
        ("x.mp4", {"fps": 0.0001}, "option fps: found 0.0001, expected 0.001"),
        ("x.mp4", {"start": 60.0}, "no frame between the seconds"),
    ],
)
def test_refusals_before_the_first_frame(clip, stylizer, embedding, tmp_path, monkeypatch, output, settings, message):
    monkeypatch.setattr(stylizer, "stylize", None)
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
    for options, name in (
        (("--start", "1"), "start"),
        (("--codec", "libx264"), "codec"),
        (("--frames", "9", "-o", str(tmp_path / "x.mp4"), "--fps", "9"), "fps"),
    ):
        with pytest.raises(UserError, match=f"option {name}: does nothing with a webcam"):
            main(["webcam", str(STYLE), *options])
    with pytest.raises(UserError, match="option fps: is for videos"):
        main([str(STYLE), str(STYLE), "-o", str(tmp_path / "x.png"), "--fps", "10"])


def test_a_video_without_the_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match="pip install -r requirements-video.txt"):
        command.import_av()


def test_threads_of_ffmpeg_do_not_wait_for_python():
    """With a level set, PyAV logs through Python, and a decoder's thread that warns stops the program for good."""
    av.logging.set_level(av.logging.PANIC)
    assert command.import_av().logging.get_level() is None
