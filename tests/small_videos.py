"""Small videos, and a stylizer that costs nothing: what tests of videos need where no network must run."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
from conftest import make_image

from src.video.packages import import_av

TICKS = Fraction(1, 600)


class Copy:
    """Stands for a stylizer: the pastiche is the content, its colours turned around."""

    styles, files, networks, tile = (), (), SimpleNamespace(name="none"), 0

    def side(self, pixels):
        return 0

    def stylize(self, content, embedding, statistics=None, side=None):
        return 255 - content


def write_moving(path, codec="libx264", count=48, begin=0, **options):
    """A small clip, a key frame every ten, at a rate that varies."""
    picture, time = make_image(48, 64), begin
    av = import_av()
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=25, options={"g": "10", **options})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = video.time_base = TICKS
        for number in range(count):
            moved = np.ascontiguousarray(np.roll(picture, number * 2, 1))
            frame = av.VideoFrame.from_ndarray(moved, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = time, TICKS
            container.mux(video.encode(frame))
            time += 70 if number % 7 else 24
        container.mux(video.encode())
