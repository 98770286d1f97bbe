"""What dataset/make_styles.py draws with: smooth noise, palettes, brush strokes, lines and paper."""

import cv2
import numpy as np


def noise(rng, shape, cell, octaves=3):
    """Smooth noise of zero mean and unit deviation, (H, W) float32; `cell` is the largest feature's size in pixels."""
    height, width = shape
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        step = max(cell / 2**octave, 2)
        grid = rng.standard_normal((int(height / step) + 4, int(width / step) + 4)).astype(np.float32)
        field = cv2.resize(grid, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
        total += field[:height, :width] / 2**octave
    return (total - total.mean()) / total.std()


def colours(*codes):
    """Hexadecimal RGB codes as an array (n, 3) float32, 0 to 255."""
    return np.array([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for code in codes], np.float32)


def gradient(palette, value):
    """Colours of a palette at `value` (H, W) in [0, 1], linearly between its entries: (H, W, 3) float32."""
    position = np.clip(value, 0, 1) * (len(palette) - 1)
    low = np.minimum(position.astype(int), len(palette) - 2)
    part = (position - low)[..., None]
    return palette[low] * (1 - part) + palette[low + 1] * part


def axes(shape):
    """Coordinates (y, x) of the pixels, each (H, W) float32 in [0, 1]."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    return y / shape[0], x / shape[1]


def paint(rng, canvas, scene, angle, count, length, width, jitter=14.0, bristles=5, contrast=16.0):
    """Covers `canvas` with brush strokes along a field; each takes its colour from `scene` where it starts.

    Args:
        canvas, scene: (H, W, 3) float32 RGB, 0 to 255; the canvas is drawn on.
        angle: (H, W) direction of the strokes, radians.
        count, length, width: how many strokes, and their size in pixels.
        jitter: deviation of a stroke's colour from the scene's.
        bristles: lighter and darker lines along a stroke, `contrast` apart: the ridges of thick paint.
    """
    height, width_all = angle.shape
    step = max(width * 0.7, 2)
    for y, x in zip(rng.uniform(0, height, count), rng.uniform(0, width_all, count), strict=True):
        colour = scene[int(y), int(x)] + rng.normal(0, jitter) + rng.normal(0, jitter * 0.5, 3)
        points, sides = [], []
        for _ in range(max(int(length * rng.uniform(0.5, 1.3) / step), 2)):
            if not (0 <= y < height and 0 <= x < width_all):
                break
            direction = angle[int(y), int(x)]
            points.append((x, y))
            sides.append((-np.sin(direction), np.cos(direction)))
            x, y = x + step * np.cos(direction), y + step * np.sin(direction)
        if len(points) < 2:
            continue
        points, sides = np.array(points), np.array(sides)
        thickness = width * rng.uniform(0.7, 1.3)
        draw_line(canvas, points, colour - contrast * 0.4, thickness)
        for offset in np.linspace(-0.38, 0.38, bristles):
            shade = colour + rng.normal(0, contrast * 0.5) - offset * contrast  # light from the upper left
            draw_line(canvas, points + sides * offset * thickness, shade, max(thickness / bristles * 0.9, 1))
    return canvas


def overlay(scene, angle, mask, colour, direction):
    """Puts a thing into a scene where `mask` (H, W) holds: its colour and the direction of the strokes on it.

    Both are arrays over the whole scene or one value; scene (H, W, 3) and angle (H, W) are drawn on.
    """
    np.copyto(scene, colour, where=mask[..., None])
    np.copyto(angle, direction, where=mask)


def paint_layers(rng, scene, angle, layers, **style):
    """The scene under several layers of strokes, each (count, length, width); `style` as in `paint`."""
    canvas = scene.copy()
    for count, length, width in layers:
        paint(rng, canvas, scene, angle, count, length, width, **style)
    return canvas


def draw_line(canvas, points, colour, thickness):
    """A line through points (n, 2) of x, y, antialiased by the scaling at the end."""
    fixed = np.round(points * 16).astype(np.int32)
    cv2.polylines(canvas, [fixed], False, np.clip(colour, 0, 255).tolist(), max(round(thickness), 1), cv2.LINE_8, 4)


def fill(canvas, points, colour):
    """A filled polygon of points (n, 2) of x, y."""
    cv2.fillPoly(canvas, [np.round(points * 16).astype(np.int32)], np.clip(colour, 0, 255).tolist(), cv2.LINE_8, 4)


def paper(rng, shape, strength):
    """Grain of paper or canvas, (H, W, 1), to be added."""
    return (noise(rng, shape, 5, 2) * strength)[..., None]
