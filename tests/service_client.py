"""A service in this process, as tests of it need one: application, client, pictures in memory."""

import io
import threading
import time

import numpy as np
import uvicorn
from conftest import make_image
from PIL import Image

from src.options.service import ServiceConfig
from src.service.application import create_application
from src.service.server import impatient
from src.stylize.stylizer import Stylizer

NAME = "arbitrary_compact"
# seconds; every wait ends as soon as what it waits for is there, so that only a test that fails takes them
PATIENCE = 120


def wait_until(condition, what=""):
    """What the condition gives as soon as that is true. `what` is for the failure, text or a function that gives it."""
    until = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < until, what() if callable(what) else what
        time.sleep(0.02)
    return found


def picture(height=48, width=64, seed=0, kind="PNG", **settings) -> bytes:
    """The bytes of a small picture's file."""
    stream = io.BytesIO()
    Image.fromarray(make_image(height, width, seed)).save(stream, kind, **settings)
    return stream.getvalue()


def make_clip(frames) -> bytes:
    """The bytes of a small MP4 file; needs PyAV."""
    import av

    stream = io.BytesIO()
    with av.open(stream, "w", format="mp4") as container:
        track = container.add_stream("libx264", rate=8)
        track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            image = np.roll(make_image(48, 64), 4 * number, 1)
            container.mux(track.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(track.encode())
    return stream.getvalue()


def read_picture(data) -> np.ndarray:
    """The pixels of a picture's file."""
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def bundled_stylizer() -> Stylizer:
    """The bundled model in ONNX Runtime."""
    return Stylizer.open(engine="onnxruntime")


class SlowNetworks:
    """Networks whose pastiche waits until a test lets it go on."""

    def __init__(self, networks):
        self._networks, self.begun, self.go_on = networks, threading.Semaphore(0), threading.Event()

    def __getattr__(self, name):
        return getattr(self._networks, name)

    def transfer(self, content, embedding):
        """As the networks do it, after the wait."""
        self.begun.release()
        assert self.go_on.wait(PATIENCE)
        return self._networks.transfer(content, embedding)


class RunningServer:
    """uvicorn on a free port of the loopback address, in a thread of this process, as `src.service.server` sets it up.

    Attributes:
        url: its address.
        port: number of its port.
        application: the `Gate`.
    """

    def __init__(self, stylizer, token="", **settings):
        settings = ServiceConfig(port=0, **settings)
        self.application = create_application(stylizer, settings, NAME, token)
        config = uvicorn.Config(
            self.application,
            port=0,
            http=impatient(settings.receive_seconds),
            ws="none",
            log_level="error",
            timeout_graceful_shutdown=PATIENCE,
        )
        self.server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self.server.run, daemon=True)

    def __enter__(self):
        self._thread.start()
        wait_until(lambda: self.server.started or not self._thread.is_alive(), "the server did not start")
        assert self.server.started
        self.port = self.server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def stop(self):
        """Asks it to stop, as a signal does, and waits until it has."""
        self.server.should_exit = True
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def __exit__(self, *_):
        self.stop()


def tensor(name, array):
    """An input of the open inference protocol as JSON, of a uint8 or float32 array."""
    datatype = {"uint8": "UINT8", "float32": "FP32"}[array.dtype.name]
    return {"name": name, "shape": list(array.shape), "datatype": datatype, "data": array.ravel().tolist()}
