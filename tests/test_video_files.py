"""Files of videos: frames at their own times, parts, encoders, containers, sound, subtitles, transparency."""

from fractions import Fraction

import numpy as np
import pytest
from conftest import make_image
from PIL import Image
from video_checks import frames, stylised, tracks

from src.engines.choice import bundled_styles
from src.options.video import VideoConfig
from src.stylize.stylizer import Stylizer
from src.video import pipeline
from src.video.assemble import READ_TEXT, WRITE_TEXT
from src.video.packages import is_video
from src.video.pipeline import Styles, stylize_video
from src.video.source import Frame, at_rate, probe, read_frames

av = pytest.importorskip("av", reason="needs requirements-video.txt")
pytest.importorskip("onnxruntime", reason="needs requirements-runtime.txt")


def test_all_frames_have_the_size_of_the_first(clip, onnx_stylizer, embedding, tmp_path, monkeypatch):
    given = [Frame(i * 24, 24, make_image(*shape), None) for i, shape in enumerate([(96, 64), (48, 32), (70, 90)])]
    monkeypatch.setattr(pipeline, "read_frames", lambda *_: iter(given))
    (_, images), _ = stylised(onnx_stylizer, embedding, clip, tmp_path / "out.mp4")
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
def test_other_encoders(clip, onnx_stylizer, embedding, tmp_path, monkeypatch, codec, ending, name, tag):
    monkeypatch.setattr(onnx_stylizer, "stylize", lambda content, *_, **__: content)  # the encoder is what is tested
    output = tmp_path / f"out{ending}"
    (times, _), _ = stylised(onnx_stylizer, embedding, clip, output, duration=0.2, codec=codec)
    assert len(times) == 5
    with av.open(str(output)) as container:
        context = container.streams.video[0].codec_context
        assert context.codec.canonical_name == name
        assert context.codec_tag == tag


def test_sound_around_is_encoded_anew(onnx_stylizer, embedding, tmp_path):
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
    stylised(onnx_stylizer, embedding, source, output)
    with av.open(str(output)) as container:
        context = container.streams.audio[0].codec_context
        assert (context.codec.canonical_name, context.layout.name) == ("opus", "5.1")


def test_subtitles_are_plain_text():
    assert READ_TEXT["subrip"](b"<i>a</i> {\\b1}b{\\b0} 1 < 2 > 0") == b"a b 1 < 2 > 0"
    assert READ_TEXT["ass"](b"0,0,Default,,0,0,0,,{\\an8}a, b\\Nc") == b"a, b\nc"
    assert READ_TEXT["webvtt"](b"<c.red>a</c> &amp; b") == b"a & b"
    assert WRITE_TEXT["webm"][1](b"a & b") == b"a &amp; b"


@pytest.mark.parametrize(
    "ending, codec, subtitles", [(".webm", "vp9", "webvtt"), (".mkv", "h264", "subrip"), (".mov", "h264", "mov_text")]
)
def test_other_containers_keep_what_they_can(clip, onnx_stylizer, embedding, tmp_path, ending, codec, subtitles):
    output = tmp_path / f"out{ending}"
    (times, _), lines = stylised(onnx_stylizer, embedding, clip, output, start=1.0, duration=1.0)
    assert times == list(np.round(np.arange(13) * 0.08, 4))
    with av.open(str(output)) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == codec
        assert len(container.streams.audio) == 2
        assert [s.codec_context.codec.canonical_name for s in container.streams.subtitles] == [subtitles]
        texts = [bytes(p) for p in container.demux(container.streams.subtitles[0]) if p.size > 2]
    assert [text[-8:] for text in texts] == [b"second 1"]
    assert any("can't be in" in line for line in lines) == (ending != ".mov")


def test_gif_in_and_out(clip, onnx_stylizer, embedding, tmp_path):
    one, two = tmp_path / "one.gif", tmp_path / "two.gif"
    (times, _), lines = stylised(onnx_stylizer, embedding, clip, one, duration=0.4)
    assert "a GIF has 256 colours a frame and no sound" in lines
    assert stylised(onnx_stylizer, embedding, one, two)[0][0] == times
    assert not probe(one).alpha
    pictures = [Image.new("RGBA", (32, 32), (i * 50, 0, 0, 0)) for i in range(3)]
    pictures[0].save(one, save_all=True, append_images=pictures[1:], duration=10)
    assert probe(one).alpha
    lines = stylised(onnx_stylizer, embedding, one, tmp_path / "three.gif")[1]
    assert any("without transparency" in line for line in lines) and any("--fps 50" in line for line in lines)
    assert is_video(one, two) and is_video(one, "x.mp4") and not is_video(one, "x.png")


def test_transparency_is_kept_or_said(onnx_stylizer, embedding, tmp_path):
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
    stylised(onnx_stylizer, embedding, source, kept)
    with av.open(str(kept)) as container:
        alphas = [frame.to_ndarray(format="rgba")[..., 3].mean() for frame in container.decode(video=0)]
    np.testing.assert_allclose(alphas, [0, 60, 120], atol=3)
    kept = tmp_path / "kept.webm"
    stylised(onnx_stylizer, embedding, source, kept)
    with av.open(str(kept)) as container:
        assert {k.lower(): v for k, v in container.streams.video[0].metadata.items()}["alpha_mode"] == "1"
        decoder = av.CodecContext.create("libvpx-vp9", "r")  # FFmpeg's own decoder passes over the alpha
        decoded = [frame for packet in container.demux(video=0) for frame in decoder.decode(packet)]
        alphas = [frame.to_ndarray(format="rgba")[..., 3].mean() for frame in decoded]
    np.testing.assert_allclose(alphas, [0, 60, 120], atol=6)
    assert any("WebM's alpha" in note for note in probe(kept).notes)
    lines = stylised(onnx_stylizer, embedding, source, tmp_path / "lost.mp4")[1]
    assert any("holds no transparency" in line for line in lines)


def test_ten_bits_and_pixel_shapes_are_kept(onnx_stylizer, embedding, tmp_path):
    source, output = tmp_path / "deep.mkv", tmp_path / "out.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p10le"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        frame = av.VideoFrame.from_ndarray(make_image(32, 48), format="rgb24").reformat(format="yuv420p10le")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    lines = stylised(onnx_stylizer, embedding, source, output)[1]
    assert "frames of 10 bits a channel are stylised with 8" in lines
    with av.open(str(output)) as container:
        context = container.streams.video[0].codec_context
        assert context.pix_fmt == "yuv420p10le"
        assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
    lines = stylised(onnx_stylizer, embedding, source, tmp_path / "out.webm")[1]
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


def test_a_part_at_a_constant_rate_begins_at_zero(clip, onnx_stylizer, embedding, tmp_path, monkeypatch):
    seconds = []
    monkeypatch.setattr(Styles, "at", lambda self, second, content: seconds.append(second) or embedding)
    output = tmp_path / "out.mp4"
    (times, _), _ = stylised(onnx_stylizer, embedding, clip, output, fps=5.0, start=1.0, duration=1.0)
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


def test_styles_change_evenly_between_their_seconds(onnx_stylizer):
    one, two = np.zeros(100, np.float32), np.ones(100, np.float32)
    styles = Styles(onnx_stylizer, [(one, 1.0), (two, 3.0)], 1.0)
    assert [float(styles.at(second, None)[0]) for second in (0, 1, 2, 2.5, 9)] == [0, 0, 0.5, 0.75, 1]
