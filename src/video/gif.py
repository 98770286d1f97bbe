"""Segments as a GIF: every frame, each with 256 colours of its own."""

from fractions import Fraction

import numpy as np
from PIL import Image

from src.video.packages import import_av

TICK = Fraction(1, 100)
# players show what is shorter for longer
SHORTEST = 2


def write_gif(segments, path, time_base):
    """Writes a GIF, whose times count in hundredths of a second. Pillow chooses the colours, FFmpeg writes the file.

    Pillow's own writer makes one frame of several in a row that are alike, and holds all of them in memory.

    Args:
        segments: `src.video.segments.Segments`, all done.
        path: the file.
        time_base: of the frames' times, seconds.
    """
    av, now, passed = import_av(), 0, 0.0
    last = segments.times(segments.done - 1)[-1][1] * time_base
    options = {"loop": "0", "final_delay": str(max(SHORTEST, round(last * 100)))}
    with av.open(str(path), "w", format="gif", options=options) as made:
        track = made.add_stream("gif", rate=100)
        for number in range(segments.done):
            with av.open(str(segments.video(number))) as container:
                for decoded, (_, length) in zip(container.decode(video=0), segments.times(number), strict=True):
                    frame = _with_palette(decoded.to_ndarray(format="rgb24"))
                    if not now:
                        track.width, track.height, track.pix_fmt = frame.width, frame.height, "pal8"
                        track.codec_context.time_base = track.time_base = TICK
                    frame.pts, frame.time_base = now, TICK
                    made.mux(track.encode(frame))
                    passed += float(length * time_base)
                    now += max(SHORTEST, round(passed * 100) - now)
        made.mux(track.encode(None))


def _with_palette(image):
    quantized = Image.fromarray(image).quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
    colours = np.array(quantized.getpalette("RGB"), np.uint8).reshape(-1, 3)
    palette = np.full((256, 4), 255, np.uint8)  # alpha, red, green, blue
    palette[: len(colours), 1:] = colours
    return import_av().VideoFrame.from_ndarray((np.array(quantized), palette), format="pal8")
