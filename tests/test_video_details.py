"""What is easily lost of a video: colours, chapters of a part, strength, times of a webcam. No network runs."""

import dataclasses

import numpy as np
import pytest
from conftest import make_image
from small_videos import Copy, write_moving
from test_video_runs import stopped_after
from video_checks import frames, tracks

from scripts.make_test_clip import write_clip
from src.options.video import VideoConfig
from src.video import pipeline, webcam
from src.video.encoder import SegmentEncoder, choose_encoding, over_white
from src.video.measure import optical_flow
from src.video.pipeline import Styles, stylize_video
from src.video.source import probe

av = pytest.importorskip("av", reason="needs requirements-video.txt")
NOTHING = [(np.zeros(3, np.float32), 0.0)]


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mp4"
    write_moving(path, count=12)
    return path


@pytest.mark.parametrize("space", [1, 6])
def test_colours_are_those_of_the_matrix_that_the_video_names(tmp_path, space):
    picture, source, output = np.full((64, 64, 3), (230, 30, 90), np.uint8), tmp_path / "a.mkv", tmp_path / "b.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.colorspace = space
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p", dst_colorspace=space)
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    stylize_video(Copy(), NOTHING, source, output, VideoConfig(crf=4))
    with av.open(str(output)) as container:
        assert container.streams.video[0].codec_context.colorspace == space
        found = next(container.decode(video=0)).to_ndarray(format="rgb24", src_colorspace=space)
    assert np.abs(found.astype(int) - (255 - picture)).max() < 8  # the other matrix is 20 levels off


def test_a_part_has_its_own_chapters(tmp_path):
    clip, output = tmp_path / "clip.mp4", tmp_path / "out.mp4"
    write_clip(clip, seconds=2, width=64, height=48)
    for start, duration, chapters in (
        (0.0, 0.5, [(0, 1000, "part 1")]),
        (1.5, 0.0, [(0, 500, "part 2")]),
        (0.5, 1.0, [(0, 500, "part 1"), (500, 1500, "part 2")]),
    ):
        stylize_video(Copy(), NOTHING, clip, output, VideoConfig(start=start, duration=duration), overwrite=True)
        assert tracks(output)[1] == chapters


def test_a_webcam_faster_than_the_clock_has_a_time_for_every_frame(tmp_path, monkeypatch):
    monkeypatch.setattr(webcam.time, "monotonic", lambda: 5.0)
    webcam.record(lambda: make_image(48, 64), np.flip, tmp_path / "out.mp4", VideoConfig(frames=5))
    assert frames(tmp_path / "out.mp4")[0] == [0.0, 0.001, 0.002, 0.003, 0.004]


def test_the_flow_of_a_large_frame_counts_its_own_pixels():
    pytest.importorskip("cv2", reason="needs requirements-video.txt")
    picture = np.kron(make_image(95, 120), np.ones((8, 8, 1), np.uint8))  # 760 x 960
    flow, valid = optical_flow(picture[:, :900], picture[:, 24:924])
    np.testing.assert_allclose(np.median(flow[valid], 0), (24, 0), atol=1.5)


def test_strength_of_an_embedding_counts_from_the_first_frames_own():
    class Embedding:
        styles = ()

        def strengthen(self, content, embedding, strength):
            assert strength == 0
            return np.full(3, float(content.mean()), np.float32)

        def blend(self, embeddings, weights):
            return np.tensordot(weights, np.stack(embeddings), 1)

    styles = Styles(Embedding(), [(np.ones(3), 0.0)], 0.25)
    assert [styles.at(0, np.full((2, 2, 3), level))[0] for level in (5, 9)] == [0.75 * 5 + 0.25] * 2


@pytest.mark.parametrize(
    "changed", [{"size": 32}, {"strength": 0.5}, {"preserve_colors": "luma"}, {"settings": VideoConfig(crf=40)}]
)
def test_segments_of_another_wish_are_not_used(clip, tmp_path, monkeypatch, changed):
    monkeypatch.setattr(Copy, "styles", ("a", "b"))
    monkeypatch.setattr(pipeline, "LENGTH", 3)
    again, whole = tmp_path / "again.mkv", tmp_path / "whole.mkv"
    stopped_after(4, Copy(), np.zeros(3, np.float32), clip, again)
    wishes = {"settings": VideoConfig(), **changed}
    for output in (again, whole):
        stylize_video(Copy(), NOTHING, clip, output, **wishes)
    (times, one), (others, two) = frames(again), frames(whole)
    assert times == others
    np.testing.assert_array_equal(np.stack(one), np.stack(two))


@pytest.mark.parametrize("codec", ["libx264", "libx264rgb"])
def test_x264_gives_the_same_pixels_on_every_processor(clip, tmp_path, codec):
    encoding = choose_encoding(probe(clip), tmp_path / "clip.mkv", VideoConfig(codec=codec))
    plain = dataclasses.replace(encoding, options={**encoding.options})
    plain.options["x264-params"] = ":".join(filter(None, (encoding.options.get("x264-params"), "asm=0")))
    images = [make_image(240, 320, seed) for seed in range(3)]
    found = []
    for name, chosen in (("vector", encoding), ("plain", plain)):
        path = tmp_path / f"{name}.mkv"
        encoder = SegmentEncoder(path, chosen)
        for image in images:
            encoder.add(image, None)
        encoder.close()
        found.append(np.stack(frames(path)[1]))
    np.testing.assert_array_equal(*found)


def test_what_is_transparent_is_laid_over_white():
    image, alpha = np.full((1, 3, 3), 100, np.uint8), np.array([[0, 51, 255]], np.uint8)
    assert over_white(image, alpha)[0, :, 0].tolist() == [255, 224, 100]
