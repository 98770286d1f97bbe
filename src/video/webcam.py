"""A webcam, stylised while it runs: shown in a window, or a number of frames written to a file."""

import contextlib
import re
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from src.errors import UserError
from src.images.files import resize_short_side
from src.video.assemble import rehearse, write_frames
from src.video.encoder import SegmentEncoder, choose_encoding
from src.video.failures import told
from src.video.packages import import_cv2
from src.video.segments import open_segments
from src.video.source import Source

RATE = Fraction(15)
PATTERN = re.compile(r"webcam(?::(\d+))?")
SIDE = 360
COLOURS = (2, 2, 2, 1)


def is_webcam(content) -> bool:
    """Whether a content is `webcam` or `webcam:N`."""
    return bool(PATTERN.fullmatch(str(content)))


@contextlib.contextmanager
def open_camera(content):
    """Yields a function that gives the next frame, uint8 (H, W, 3) RGB; the camera is free again at the block's end.

    Raises:
        UserError: no such camera, or one that gives no picture.
    """
    cv2 = import_cv2()
    number = int(PATTERN.fullmatch(content).group(1) or 0)
    camera = cv2.VideoCapture(number)
    if not camera.isOpened():
        raise UserError(f"content {content}: no camera {number} is there, or another program has it; try webcam:1")

    def read():
        there, frame = camera.read()
        if not there:
            raise UserError(f"content {content}: the camera gives no picture any more")
        return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)

    try:
        yield read
    finally:
        camera.release()


def record(read, paint, output, settings, size=0, progress=None):
    """Writes a number of stylised frames of a camera to a file, each with the time at which the camera took it.

    When the camera is unplugged earlier, the frames until then are written.

    Args:
        read: from `open_camera`.
        paint: function of a frame to its pastiche.
        output: the file to write.
        settings: `src.options.video.VideoConfig`.
        size: short side of the frames, pixels; 0 for 360.
        progress: see `src.video.pipeline.stylize_video`.

    Returns:
        lines for the user.

    Raises:
        UserError: see `src.video.encoder.choose_encoding`; the camera gives no first frame.
    """
    first = _reduced(read(), size)
    shape, square = first.shape[:2], Fraction(1)
    source = Source(Path("webcam"), Fraction(1, 1000), RATE, settings.frames, 0.0, shape, square, 8, False, COLOURS, ())
    encoding, lines, entries, times = choose_encoding(source, output, settings), [], [], []
    with told("webcam", output, shape):
        rehearse(None, encoding, output, source.time_base, shape)
        with open_segments(output, f"webcam {time.time_ns()}") as segments:
            with segments.new(entries, dict) as path, contextlib.closing(SegmentEncoder(path, encoding)) as encoder:
                started = time.monotonic()
                for number in range(settings.frames):
                    try:
                        frame = _reduced(read(), size) if number else first
                    except UserError as error:
                        lines.append(f"{error}; {number} of {settings.frames} frames are written")
                        break
                    moment = round((time.monotonic() - started) * 1000)
                    encoder.add(paint(frame), None)
                    times.append(max(moment, times[-1] + 1) if times else moment)
                    if progress:
                        progress(number + 1, settings.frames, "")
                entries += zip(times, [*np.diff(times).tolist(), round(1000 / RATE)], strict=True)
            write_frames(segments, encoding, output, source.time_base)
            segments.discard()
    return [*encoding.notes, *lines]


def show(read, paint, size=0):
    """Shows stylised frames in a window until it is closed, or q or Escape is pressed.

    Raises:
        UserError: there is no display, or this Python has no Tk; the camera goes, which closes the window.
    """
    try:
        import tkinter

        from PIL import ImageTk

        window = tkinter.Tk()
    except (ImportError, RuntimeError) as error:
        raise _no_window(error) from None
    except Exception as error:  # noqa: BLE001  tkinter.TclError, which can't be named where tkinter is missing
        raise _no_window(error) from None
    from PIL import Image

    window.title("style transfer")
    label = tkinter.Label(window)
    label.pack()
    for key in ("q", "<Escape>"):
        window.bind(key, lambda _: window.destroy())

    errors = []

    def step():
        try:
            pastiche = paint(_reduced(read(), size))
        except BaseException as error:  # noqa: BLE001  raised below: Tk would print it and go on
            errors.append(error)
            window.destroy()
            return
        label.image = ImageTk.PhotoImage(Image.fromarray(pastiche))
        label.configure(image=label.image)
        window.after(1, step)

    window.after(1, step)
    window.mainloop()
    if errors:
        raise errors[0]


def _no_window(error):
    return UserError(
        f"content webcam: no window can be opened here ({error}); write to a file with --frames 100 -o out.mp4"
    )


def _reduced(frame, size):
    frame = resize_short_side(frame, size or min(SIDE, *frame.shape[:2]))
    height, width = (side // 2 * 2 for side in frame.shape[:2])
    return np.ascontiguousarray(frame[:height, :width])
