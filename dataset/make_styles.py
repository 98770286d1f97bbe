"""Draws the sample style images of dataset/test/style: no painter's work is copied, so they may be shipped.

    python dataset/make_styles.py dataset/test/style

Each picture is a small scene, painted at twice its size with one technique (strokes along a flow field, dots, facets,
washes, hatching ...) and scaled down. The same seed gives the same picture with the same OpenCV.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from brushes import axes, colours, draw_line, fill, gradient, noise, overlay, paint, paint_layers, paper

SCALE = 2  # drawn at twice the size: scaling down is the only antialiasing that all techniques share


def swirling_night(rng, shape):
    """Thick strokes circling around lights in a blue sky, hills and a dark tree below."""
    y, x = axes(shape)
    ratio = shape[1] / shape[0]
    angle_x, angle_y = np.ones(shape, np.float32), 0.35 * np.sin(x * 7)
    scene = gradient(colours("0b1c4f", "16418f", "2f6fb5", "7fb2cf"), y * 1.15 + 0.13 * noise(rng, shape, 130))
    stars = [
        (0.17, 0.84, 0.13),
        (0.36, 0.44, 0.16),
        (0.13, 0.2, 0.07),
        (0.43, 0.74, 0.06),
        (0.1, 0.56, 0.06),
        (0.42, 0.13, 0.07),
        (0.28, 0.98, 0.05),
    ]
    for row, column, radius in stars:
        dy, dx = y - row, (x - column) * ratio
        distance = np.sqrt(dx**2 + dy**2) + 1e-4
        pull = np.exp(-((distance / (radius * 1.9)) ** 2)) * 7
        angle_x, angle_y = angle_x - pull * dy / distance, angle_y + pull * dx / distance
        rings = 0.5 + 0.5 * np.cos(distance / radius * 7.5)
        glow = np.clip(np.exp(-((distance / radius) ** 2) * 1.5) * (0.75 + 0.35 * rings), 0, 1)[..., None]
        scene = scene * (1 - glow) + gradient(colours("d9a521", "f2d13c", "fff3b0"), glow[..., 0]) * glow
    angle = np.arctan2(angle_y, angle_x)
    hills = 0.67 + 0.05 * np.sin(x * 6 + 1) + 0.03 * np.sin(x * 15)
    ground = gradient(colours("1f3b4d", "2c6e63", "7d8f3c", "c9a53a"), 0.5 + 0.3 * noise(rng, shape, 60) - (y - hills))
    overlay(scene, angle, y > hills, ground, 0.5 * np.cos(x * 6 + 1) + 0.3 * noise(rng, shape, 80))
    tree = np.abs(x - 0.1 - 0.02 * np.sin(y * 22)) < 0.085 * np.clip((y - 0.12) * 1.5, 0, 1)
    bark = gradient(colours("0d1a14", "1d3a25", "4b4a1c"), 0.5 + 0.35 * noise(rng, shape, 24))
    overlay(scene, angle, tree, bark, np.pi / 2 + 0.5 * np.sin(y * 30 + x * 40))
    return paint_layers(rng, scene, angle, ((2200, 90, 22), (5200, 60, 13), (5200, 42, 9)), jitter=15, contrast=38)


def burning_sky(rng, shape):
    """Long wavy strokes in red, orange and dark teal."""
    y, x = axes(shape)
    wave = 0.05 * np.sin(x * 7 + y * 5) + 0.03 * np.sin(x * 17 - y * 9)
    bands = y + wave + 0.015 * noise(rng, shape, 80)
    stripes = 0.16 * np.sin(bands * 60)
    scene = gradient(colours("7d1416", "d8401f", "f08a24", "f6c244", "e0571f"), bands * 2.1 + stripes)
    shore = 0.46 + 0.35 * (x - 0.55) ** 2 + 0.3 * wave
    curl = np.hypot((x - 0.72) * 1.2, y - 0.72)
    sea = gradient(colours("0c2430", "17495c", "3f7f86", "c8a25a"), 0.42 + 0.4 * np.sin(curl * 34 + 6 * wave))
    slope = np.arctan2(np.gradient(bands, axis=0), -np.gradient(bands, axis=1)) - np.pi / 2
    turn = np.arctan2(y - 0.72, (x - 0.72) * 1.2) + np.pi / 2
    angle = -slope
    overlay(scene, angle, y > shore, sea, turn)
    planks = gradient(colours("2b1410", "7a3b1d", "c57f3c"), 0.5 + 0.5 * np.sin((y - 0.75 * x) * 70))
    overlay(scene, angle, (y > 0.52 + 0.75 * x) & (x < 0.6), planks, np.arctan2(0.75, 1.0))
    return paint_layers(rng, scene, angle, ((1700, 190, 22), (3400, 140, 13), (2600, 110, 8)), jitter=17, contrast=34)


def coloured_dots(rng, shape):
    """Dots of unmixed colour: a river bank with trees in the sun."""
    y, x = axes(shape)
    scene = gradient(colours("8fc3e6", "d7e6d2", "f6e3b0"), y * 2.4)
    crowns = 0.30 + 0.12 * noise(rng, (1, shape[1]), 150, 3)
    light = 0.5 + 0.28 * noise(rng, shape, 60) - 0.6 * (y - 0.3)
    trees = gradient(colours("12402c", "2f7a35", "86b63d", "e4dc5a"), light)
    scene = np.where((y > crowns)[..., None], trees, scene)
    bank = 0.55 + 0.10 * x + 0.01 * np.sin(x * 20)
    meadow = gradient(colours("f3d94c", "b9cf46", "6fae44", "2c6b52"), (y - bank) * 3 + 0.25 * noise(rng, shape, 70))
    scene = np.where((y > bank)[..., None], meadow, scene)
    shore = 0.98 - 0.42 * x + 0.02 * np.sin(x * 16)
    ripples = 0.5 + 0.3 * noise(rng, (shape[0], shape[1] // 6), 16)
    water = gradient(colours("1d4f94", "3f86c6", "8cc6df", "f3c9a8"), cv2.resize(ripples, shape[::-1]))
    scene = np.where((y > shore)[..., None], water, scene)
    for column, row, size in ((0.2, 0.68, 0.05), (0.33, 0.62, 0.04), (0.55, 0.6, 0.03), (0.12, 0.82, 0.06)):
        robe = np.hypot((x - column) * 2.6, y - row - 0.3 * size) < size
        robe |= np.hypot((x - column) * 1.2, y - row + 1.1 * size) < size * 0.42
        scene[robe] = colours("c8243c", "e8743b", "7a3f9c", "f2efe2")[int(column * 100) % 4]
    canvas = np.full((*shape, 3), (233, 222, 196), np.float32)
    opposite = colours("f08030", "2f5fc4", "d83a5c", "f5e04e", "5a3f9e", "2f9e62")
    for spacing, radius in ((9, 6.6), (10, 5.2), (13, 4.2)):
        grid = np.mgrid[0 : shape[0] : spacing, 0 : shape[1] : spacing].reshape(2, -1).T
        for row, column in rng.permutation(grid + rng.uniform(-spacing / 2, spacing / 2, grid.shape)):
            row, column = np.clip((row, column), 0, np.array(shape) - 1).astype(int)
            colour = scene[row, column] + rng.normal(0, 20, 3) + rng.normal(0, 14)
            if rng.random() < 0.16:
                colour = 0.35 * colour + 0.65 * opposite[rng.integers(len(opposite))]
            size = max(round(radius * rng.uniform(0.75, 1.25)), 2)
            cv2.circle(canvas, (int(column), int(row)), size, np.clip(colour, 0, 255).tolist(), -1)
    return canvas


def facets(rng, shape):
    """Overlapping shaded planes in ochre, grey, brown and blue-green, with dark edges."""
    height, width = shape
    palette = colours("d9b679", "b98a4a", "7a5230", "3a2c22", "8f9a8e", "5d7a7d", "2f4d57", "e9dcc0", "a65a35")
    canvas = np.full((*shape, 3), (120, 100, 75), np.float32)
    y, x = axes(shape)
    for index in range(130):
        size = rng.uniform(60, 170) * (1.6 - index / 130)
        centre = rng.uniform((0, 0), (width, height))
        turn = rng.choice([0.25, 1.3, 2.2]) + rng.normal(0, 0.12)
        corners = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 6)))
        points = np.stack([np.cos(corners) * size * 1.3, np.sin(corners) * size * 0.75], 1)
        points = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + centre
        mask = np.zeros(shape, np.uint8)
        cv2.fillPoly(mask, [points.astype(np.int32)], 1)
        inside = mask > 0
        if not inside.any():
            continue
        light = 1.25 - 0.5 * (centre[0] / width) - 0.2 * (centre[1] / height)
        colour = palette[rng.integers(len(palette))] * light
        slope = np.cos(turn) * (x - centre[0] / width) + np.sin(turn) * (y - centre[1] / height)
        shade = colour * (1 + 2.4 * slope[inside, None] / (size / 100))
        canvas[inside] = 0.88 * shade + 0.12 * canvas[inside]
        edge = np.append(points, points[:1], 0)
        draw_line(canvas, edge, colour * rng.choice([0.22, 0.35, 1.5], p=[0.5, 0.3, 0.2]), rng.uniform(2, 5))
    for _ in range(14):  # arcs and strings across the planes
        centre, radius = rng.uniform((0, 0), (width, height)), rng.uniform(30, 130)
        start = rng.uniform(0, 2 * np.pi)
        arc = np.linspace(start, start + rng.uniform(1, 4), 40)
        draw_line(canvas, centre + radius * np.stack([np.cos(arc), np.sin(arc)], 1), (35, 26, 20), rng.uniform(3, 7))
    base = np.clip(canvas, 0, 255)
    angle = 0.8 + 0.5 * noise(rng, shape, 110, 1)
    paint(rng, canvas, base, angle, 7000, 26, 8, jitter=7, bristles=3, contrast=16)
    return 0.6 * canvas + 0.4 * base


def wave_print(rng, shape):
    """Flat indigo waves with white claws of foam before a sand-coloured sky, as a block print."""
    height, width = shape
    y, x = axes(shape)
    canvas = gradient(colours("e9d9b3", "efe3c6", "d9b98d"), y * 1.3).astype(np.float32)
    cv2.circle(canvas, (int(width * 0.7), int(height * 0.27)), int(height * 0.11), (196, 64, 42), -1)
    for band in np.linspace(0.05, 0.4, 7):  # streaks of cloud
        row, start = band * height, rng.uniform(0, 0.6) * width
        draw_line(canvas, np.array([(start, row), (start + width * rng.uniform(0.15, 0.4), row)]), (206, 170, 128), 7)
    peak = np.array([(0.34, 0.58), (0.47, 0.36), (0.6, 0.58)]) * (width, height)
    fill(canvas, peak, (92, 112, 140))
    fill(
        canvas,
        np.array([(0.435, 0.42), (0.47, 0.36), (0.505, 0.42), (0.48, 0.405), (0.462, 0.43)]) * (width, height),
        (245, 240, 226),
    )
    blues = colours("a9c8d0", "6b9dba", "2f6797", "1b4377", "102a55")
    ink, foam = (16, 28, 60), (248, 244, 234)
    place = np.linspace(-0.4, 1.4, 1400)
    for index in range(7):
        size = height * (0.035 + 0.012 * index)
        turn = place * 2 * np.pi * (5.2 - 0.45 * index) + rng.uniform(0, 6)
        lean = size * 1.25 * np.sin(turn + 0.5)  # the crests overhang
        outline = np.stack([place * width + lean, (0.5 + 0.085 * index) * height - size * np.cos(turn)], 1)
        fill(canvas, np.concatenate([outline, [(2 * width, 2 * height), (-width, 2 * height)]]), blues[2 + index % 2])
        for stripe in range(1, 7):  # stripes that follow the water
            follow = outline + (size * 0.1 * stripe, size * 0.3 * stripe)
            draw_line(canvas, follow, blues[(index + stripe * 2) % len(blues)], size * (0.16 - 0.012 * stripe))
        for colour, thickness, lift in ((ink, 20, 0), (foam, 14, 0), (ink, 3, 12)):
            draw_line(canvas, outline + (0, lift), colour, thickness)
        crest = outline[np.cos(turn) > 0.72]
        claws = crest[rng.permutation(len(crest))[: len(crest) // 4]] + rng.normal(0, 7, (len(crest) // 4, 2))
        radii = rng.uniform(6, 9 + 1.6 * index, len(claws))
        for colour, smaller in ((ink, 0), (foam, 3)):  # foam on the crests, outlined as one
            for centre, radius in zip(claws, radii, strict=True):
                cv2.circle(canvas, (int(centre[0]), int(centre[1])), int(radius - smaller), colour, -1)
        for centre in crest[::40] + rng.uniform((-50, -60), (50, -12), crest[::40].shape):  # spray
            cv2.circle(canvas, (int(centre[0]), int(centre[1])), int(rng.uniform(2, 6)), foam, -1)
    grain = noise(rng, (height * 12, width), 26, 2)[::12] * 5  # the block's wood
    return canvas + grain[..., None] + paper(rng, shape, 3)


def washes(rng, shape):
    """Watercolour: transparent blots with darker rims and grains of pigment, on white paper."""
    height, width = shape
    pigments = colours("d83a56", "f08a3c", "f4c430", "3aa17e", "2a8fbd", "3b4fa3", "8b4fa0", "e46aa0")
    canvas = np.full((*shape, 3), (250, 246, 236), np.float32)
    grain, rough = noise(rng, shape, 4, 2), noise(rng, shape, 60, 5)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    for index in range(64):
        size = rng.uniform(30, 165) * (1.35 - index / 90)
        row, column = rng.uniform(0, height), rng.uniform(0, width)
        stretch = rng.uniform(0.6, 1.6)
        distance = np.sqrt(((x - column) / stretch) ** 2 + ((y - row) * stretch) ** 2) / size
        edge = distance + 0.2 * np.roll(rough, tuple(rng.integers(0, 400, 2)), (0, 1))
        inside = 1 / (1 + np.exp(np.clip((edge - 1) * 45, -30, 30)))
        rim = np.exp(-(((edge - 0.96) * 16) ** 2))
        flow = 0.5 + 0.25 * np.roll(rough, tuple(rng.integers(0, 400, 2)), (0, 1))
        density = np.clip(inside * (0.30 * flow + 0.10 + 0.05 * grain) + 0.42 * rim * inside, 0, 0.95)
        hue = position_hue(rng, pigments, column / width, row / height)
        canvas *= 1 - density[..., None] * (1 - hue / 255)
    for _ in range(260):  # spatter
        place = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        hue = pigments[rng.integers(len(pigments))]
        cv2.circle(canvas, place, int(rng.exponential(2.5)) + 1, (hue * 0.85).tolist(), -1)
    return canvas + paper(rng, shape, 3.5)


def position_hue(rng, pigments, x, y):
    """A pigment that depends loosely on the place, so that the washes form regions."""
    place = (x * 0.9 + y * 0.5 + rng.normal(0, 0.12)) % 1
    return pigments[int(place * len(pigments)) % len(pigments)]


def stained_glass(rng, shape):
    """Saturated panes of uneven glass between dark lead, around a rose."""
    height, width = shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    points = [rng.uniform((0, 0), (width, height), (230, 2))]
    centre = np.array([width * 0.5, height * 0.42])
    for ring, count in ((0, 1), (58, 8), (112, 14), (168, 20), (226, 26)):
        turn = np.linspace(0, 2 * np.pi, count, endpoint=False) + ring
        points.append(centre + ring * np.stack([np.cos(turn), np.sin(turn)], 1))
    loose = points[0][np.hypot(*(points[0] - centre).T) > 262]
    points = np.concatenate([loose, *points[1:]]).astype(np.float32)
    nearest = np.full(shape, np.inf, np.float32)
    second, owner = nearest.copy(), np.zeros(shape, int)
    for index, (px, py) in enumerate(points):
        distance = np.hypot(x - px, y - py)
        closer = distance < nearest
        second = np.where(closer, nearest, np.minimum(second, distance))
        owner[closer] = index
        nearest = np.minimum(nearest, distance)
    palette = colours("b3122b", "e03a1e", "f2a51c", "f7dc4a", "0f4fa8", "1a86c9", "0c7a54", "62b13c", "6b2a8c")
    radius = np.hypot(*(points - centre).T)
    choice = np.where(
        radius < 260,
        (radius // 56).astype(int) * 3 + np.arange(len(points)) % 2,
        rng.integers(4, len(palette), len(points)),
    )
    pane = palette[choice % len(palette)] * rng.uniform(0.75, 1.2, (len(points), 1))
    glass = pane[owner] * (1 + 0.16 * noise(rng, shape, 26, 3) + 0.10 * noise(rng, shape, 160, 1))[..., None]
    streak = noise(rng, (height, width * 5), 40, 2)[:, ::5]
    glass = glass * (1 + 0.07 * streak[..., None]) + np.clip(streak - 1.1, 0, 1)[..., None] * 70
    gap = second - nearest
    glass *= np.clip(0.45 + gap[..., None] / 26, 0, 1.08)
    lead = np.clip((gap - 5) / 3, 0, 1)[..., None]
    shine = np.exp(-(((gap - 2) / 1.5) ** 2))[..., None] * 40 * (1 - lead)
    return glass * lead + (1 - lead) * (26, 24, 28) + shine


def hatching(rng, shape):
    """Charcoal on warm paper: tone by layers of crossed lines, on folded hills and spheres."""
    height, width = shape
    y, x = axes(shape)
    relief = noise(rng, shape, 190, 3) * 0.55
    slope = np.gradient(cv2.GaussianBlur(relief, (0, 0), 6), axis=1)
    tone = 0.66 - 0.16 * slope / slope.std() - 0.2 * y
    for row, column, radius in ((0.45, 0.35, 0.22), (0.68, 0.7, 0.18), (0.22, 0.76, 0.12), (0.82, 0.18, 0.13)):
        dy, dx = (y - row) / radius, (x - column) * width / height / radius
        depth = 1 - dx**2 - dy**2
        ball = depth > 0
        light = 0.15 + 0.85 * np.clip(-0.55 * dx - 0.6 * dy + 0.58 * np.sqrt(np.clip(depth, 0, 1)), 0, 1)
        tone = np.where(ball, light, tone)
        shadow = np.exp(-(((dx - 0.7) / 1.1) ** 2 + ((dy - 0.75) / 0.8) ** 2) * 2) * ~ball
        tone = tone * (1 - 0.75 * shadow)
    canvas = np.full((*shape, 3), (236, 226, 206), np.float32)
    smear = cv2.GaussianBlur(tone.astype(np.float32), (0, 0), 9)
    canvas *= (0.72 + 0.28 * np.clip(smear, 0, 1))[..., None]
    curve = 0.25 * noise(rng, shape, 170, 1)
    for turn, limit in ((0.7, 0.8), (-0.75, 0.55), (0.05, 0.36), (1.5, 0.2)):
        layer = np.zeros((*shape, 3), np.float32)  # darkness, before the tone lets it through
        for row, column in rng.uniform((0, 0), shape, (3400, 2)):
            direction = turn + curve[int(row), int(column)] + rng.normal(0, 0.05)
            reach = rng.uniform(16, 46) * np.array([np.cos(direction), np.sin(direction)])
            line = np.array([(column, row) - reach, (column, row) + reach])
            draw_line(layer, line, np.full(3, rng.uniform(150, 235)), rng.uniform(1, 3.4))
        pressed = np.clip((limit - tone + 0.06 * noise(rng, shape, 14, 2)) * 9, 0, 1)[..., None]
        canvas *= 1 - layer / 255 * pressed * np.array([0.93, 0.95, 0.97])
    grain = noise(rng, shape, 4, 2)[..., None]
    lit = np.clip((canvas.mean(2, keepdims=True) - 40) / 160, 0, 1)
    return canvas + grain * (14 * (1 - lit) + 4)


def woodcut(rng, shape):
    """Black block with carved lines of varying width that follow a landscape, one block of red and one of ochre."""
    height, width = shape
    y, x = axes(shape)
    sun = np.hypot((x - 0.68) * width / height, y - 0.3)
    rays = np.arctan2(y - 0.3, (x - 0.68) * width / height)
    ridge = [
        0.52 + 0.10 * np.sin(x * 5 + 0.5) + 0.02 * np.sin(x * 23),
        0.66 + 0.07 * np.sin(x * 7 + 2.5),
        0.80 + 0.05 * np.sin(x * 9 + 4.5),
    ]
    wobble = 0.35 * noise(rng, shape, 40, 2)
    lines = np.where(sun > 0.2, np.sin(rays * 46 + wobble), np.sin(y * height / 5 + wobble) - 0.75)
    light = np.clip(1.15 - sun, 0.1, 1)
    block = gradient(colours("efe0bd", "e8cf95", "d8a24a"), sun * 1.1)
    block[sun < 0.2] = (200, 46, 30)
    for index, top in enumerate(ridge):
        inside = y > top
        depth = (y - top) * height
        slope = np.sin(depth * (0.20 - 0.03 * index) + x * (30 + 22 * index) * (-1) ** index + 2 * wobble)
        lines = np.where(inside, slope, lines)
        fold = 0.5 + 0.42 * np.sin(x * (6 + 3 * index) + depth / 70 + index)
        light = np.where(inside, fold * np.exp(-depth / 260) + 0.06, light)
        block = np.where(inside[..., None], colours("e8d6ad", "c6472c", "e2bd6b")[index], block)
        light = np.where(np.abs(depth) < 5, 0.0, light)
    light = np.where(np.abs(sun - 0.2) < 0.008, 0.0, light)
    carved = (lines * 0.5 + 0.5 + 0.06 * noise(rng, shape, 9, 2)) < light * 0.92
    chips = rng.uniform((0, 0), (width, height), (260, 2))
    ink = np.where(carved[..., None], block, np.array([26, 22, 24], np.float32))
    for place in chips:  # marks that the gouge left
        reach = rng.uniform(-9, 9, 2)
        draw_line(ink, np.array([place - reach, place + reach]), (206, 184, 140), rng.uniform(1, 3))
    return ink + paper(rng, shape, 6)


STYLES = {  # name: (drawing, height, width)
    "burning_sky": (burning_sky, 448, 448),
    "coloured_dots": (coloured_dots, 384, 512),
    "facets": (facets, 512, 416),
    "hatching": (hatching, 448, 448),
    "stained_glass": (stained_glass, 512, 416),
    "swirling_night": (swirling_night, 416, 512),
    "washes": (washes, 448, 448),
    "wave_print": (wave_print, 384, 512),
    "woodcut": (woodcut, 448, 448),
}


def draw(name, seed=1) -> np.ndarray:
    """One style image, (H, W, 3) uint8 RGB."""
    function, height, width = STYLES[name]
    rng = np.random.default_rng([seed, sorted(STYLES).index(name)])
    large = np.clip(function(rng, (height * SCALE, width * SCALE)), 0, 255).astype(np.float32)
    return cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA).round().astype(np.uint8)


def main():
    """Writes every style image as JPEG into the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", choices=sorted(STYLES), default=sorted(STYLES))
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.only:
        path = arguments.folder / f"{name}.jpg"
        cv2.imwrite(str(path), draw(name)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
        print(path)


if __name__ == "__main__":
    main()
