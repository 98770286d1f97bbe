"""Runs of a video that stop and go on: killed, damaged, with another model or other options."""

import os
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from conftest import make_image
from video_checks import check_kept, command, frames, kill_after, same_frames, stylised

from src.errors import UserError
from src.options.video import VideoConfig
from src.stylize import tiles
from src.video import pipeline
from src.video.encoder import Encoding, SegmentEncoder
from src.video.pipeline import stylize_video
from src.video.segments import open_segments
from stylize import main

pytest.importorskip("av", reason="needs requirements-video.txt")
pytest.importorskip("onnxruntime", reason="needs requirements-runtime.txt")


def test_a_killed_run_goes_on_and_everything_is_kept(clip, tmp_path, capsys):
    whole, again = tmp_path / "whole.mp4", tmp_path / "again.mp4"
    arguments = command(clip, again, "--temporal")
    kill_after(arguments, again)
    assert main(arguments[2:]) == 0
    assert "warping error: source" in capsys.readouterr().err
    check_kept(clip, again)
    assert not list(tmp_path.glob(".*"))
    assert main(command(clip, whole, "--temporal")[2:]) == 0
    assert same_frames(whole, again)


def stopped_after(count, stylizer, embedding, clip, output, **settings):
    """Starts a run that ends after so many frames."""

    def stop(done, total, text):
        if done == count:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stylize_video(stylizer, [(embedding, 0.0)], clip, output, VideoConfig(**settings), progress=stop)


def test_a_run_goes_on_where_a_frame_is_repeated(clip, onnx_stylizer, embedding, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "LENGTH", 3)
    whole, again = tmp_path / "whole.mp4", tmp_path / "again.mp4"
    settings = {"fps": 50.0, "duration": 0.2, "temporal": True}
    stylised(onnx_stylizer, embedding, clip, whole, **settings)
    stopped_after(4, onnx_stylizer, embedding, clip, again, **settings)  # the third and fourth are the same frame
    stylised(onnx_stylizer, embedding, clip, again, **settings)
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


def test_damaged_segments_are_made_anew(clip, onnx_stylizer, embedding, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "LENGTH", 3)
    whole = tmp_path / "whole.mp4"
    stylised(onnx_stylizer, embedding, clip, whole, duration=0.4, temporal=True)
    for damage in (cut_short, with_a_packet_less, emptied, without_state):
        again = tmp_path / f"{damage.__name__}.mp4"
        stopped_after(8, onnx_stylizer, embedding, clip, again, duration=0.4, temporal=True)
        damage(tmp_path / f".{again.name}.segments")
        stylised(onnx_stylizer, embedding, clip, again, duration=0.4, temporal=True)
        assert same_frames(whole, again), damage
        assert not list(tmp_path.glob(".*"))


def test_another_model_starts_anew(clip, onnx_stylizer, embedding, tmp_path, monkeypatch):
    assert [file.suffix for file in onnx_stylizer.files] == [".onnx"] * 3
    monkeypatch.setattr(pipeline, "LENGTH", 3)
    model, output = tmp_path / "model.onnx", tmp_path / "out.mp4"
    monkeypatch.setattr(onnx_stylizer, "files", [model])
    for content, first in ((b"one", 1), (b"one", 7), (b"other", 1)):
        if not model.is_file() or model.read_bytes() != content:
            model.write_bytes(content)
        counts = []

        def stop(done, total, text, counts=counts):
            counts.append(done)
            if len(counts) == 8:
                raise KeyboardInterrupt

        try:
            stylize_video(
                onnx_stylizer, [(embedding, 0.0)], clip, output, VideoConfig(duration=0.4), 0, 1.0, True, stop
            )
        except KeyboardInterrupt:
            pass
        assert counts[0] == first
        if first == 7:
            output.unlink()
            stopped_after(8, onnx_stylizer, embedding, clip, output, duration=0.4)


def test_a_run_goes_on_with_the_tiles_that_it_began_with(clip, onnx_stylizer, embedding, tmp_path, monkeypatch):
    """Less free memory than at its start made a run throw its segments away, or would have changed its frames."""
    monkeypatch.setattr(pipeline, "LENGTH", 3)
    whole, again, sides = tmp_path / "whole.mp4", tmp_path / "again.mp4", []
    stylised(onnx_stylizer, embedding, clip, whole, duration=0.4)
    stopped_after(8, onnx_stylizer, embedding, clip, again, duration=0.4)
    real = type(onnx_stylizer).stylize

    def stylize(self, *arguments, side=None, **named):
        sides.append(side)
        return real(self, *arguments, side=side, **named)

    monkeypatch.setattr(type(onnx_stylizer), "stylize", stylize)
    monkeypatch.setattr(type(onnx_stylizer), "side", lambda self, pixels: 1536)
    stylised(onnx_stylizer, embedding, clip, again, duration=0.4)
    assert set(sides) == {0} and len(sides) == 4  # of ten frames, six were done
    assert same_frames(whole, again)


def test_no_folder_stays_without_a_segment_and_one_run_has_it(clip, onnx_stylizer, embedding, tmp_path):
    output = tmp_path / "out.mp4"
    stopped_after(1, onnx_stylizer, embedding, clip, output)
    assert not list(tmp_path.iterdir())
    with open_segments(output, "key"), pytest.raises(UserError, match="is used by another run"):
        stylised(onnx_stylizer, embedding, clip, output, duration=0.1)


def test_segments_of_other_options_are_not_used(clip, onnx_stylizer, embedding, tmp_path, monkeypatch):
    output = tmp_path / "out.mp4"

    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "assemble", stop)
    with pytest.raises(KeyboardInterrupt):
        stylised(onnx_stylizer, embedding, clip, output, duration=0.5)
    monkeypatch.undo()
    other = onnx_stylizer.embed(make_image(seed=6))
    (_, first), _ = stylised(onnx_stylizer, other, clip, output, duration=0.5)
    output.unlink()
    monkeypatch.setattr(tiles, "free_memory", lambda: 0)  # another program's use of memory changes no frame
    (_, second), _ = stylised(onnx_stylizer, other, clip, output, duration=0.5)
    np.testing.assert_array_equal(np.stack(first), np.stack(second))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux to bind a thread to a core")
def test_frames_do_not_depend_on_the_number_of_cores(tmp_path):
    """FFmpeg gives an encoder as many threads as there are cores, and x264 as many slices, which differ in pixels."""
    encoding = Encoding("libx264", "yuv420p", {"crf": "18"}, (1, 1, 1, 1), Fraction(25), Fraction(1), ())
    images = [make_image(256, 256, seed) for seed in range(3)]

    def encode(path, cores):
        os.sched_setaffinity(0, cores)  # of this thread
        encoder = SegmentEncoder(path, encoding)
        for image in images:
            encoder.add(image, None)
        encoder.close()

    cores = os.sched_getaffinity(0)
    for name, some in (("one", {min(cores)}), ("all", cores)):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(encode, tmp_path / name, some).result()
    np.testing.assert_array_equal(*(np.stack(frames(tmp_path / name)[1]) for name in ("one", "all")))
