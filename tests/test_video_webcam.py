"""Webcams: written to a file, shown in a window."""

import sys
import types

import numpy as np
import pytest
from conftest import make_image
from video_checks import frames

from src.errors import UserError
from src.options.video import VideoConfig
from src.video import webcam

pytest.importorskip("av", reason="needs requirements-video.txt")
pytest.importorskip("onnxruntime", reason="needs requirements-runtime.txt")


def test_webcam_to_a_file(onnx_stylizer, embedding, tmp_path):
    output = tmp_path / "cam.mp4"
    pictures = iter([make_image(60, 80, seed) for seed in range(4)])
    settings = VideoConfig(frames=4)
    webcam.record(lambda: next(pictures), lambda frame: onnx_stylizer.stylize(frame, embedding), output, settings)
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
