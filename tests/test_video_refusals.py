"""Mistakes with videos are named before the first frame."""

import sys

import pytest
from video_checks import STYLE, stylised

from src.errors import UserError
from src.video import command
from src.video.source import probe
from stylize import main

av = pytest.importorskip("av", reason="needs requirements-video.txt")
pytest.importorskip("onnxruntime", reason="needs requirements-runtime.txt")


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
def test_refusals_before_the_first_frame(
    clip, onnx_stylizer, embedding, tmp_path, monkeypatch, output, settings, message
):
    monkeypatch.setattr(onnx_stylizer, "stylize", None)
    with pytest.raises(UserError, match=message):
        stylised(onnx_stylizer, embedding, clip, tmp_path / output, **settings)
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
