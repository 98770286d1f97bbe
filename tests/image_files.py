"""Image files that PIL does not write: PNGs chunk by chunk, and ICC profiles."""

import struct
import zlib

import numpy as np

GREY, COLOUR = 0, 2
# of the colour space "wide": the columns that take linear red, green, blue to XYZ under D50
WIDE = np.array([[0.60974, 0.31111, 0.01947], [0.20528, 0.62567, 0.06087], [0.14919, 0.06322, 0.74457]])


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(values, kind, bits, extra=b""):
    """The bytes of a PNG.

    Args:
        values: (H, W) of `GREY`, (H, W, 3) of `COLOUR`.
        bits: 1 to 16 a sample.
        extra: chunks between header and pixels.
    """
    values = np.asarray(values)
    rows = values.reshape(len(values), -1)
    if bits == 16:
        packed = rows.astype(">u2").view(np.uint8)
    else:
        lone = np.unpackbits(rows.astype(np.uint8)[..., None], axis=-1)[..., -bits:]
        packed = np.packbits(lone.reshape(len(rows), -1), axis=-1)
    body = np.concatenate([np.zeros((len(rows), 1), np.uint8), packed], 1).tobytes()
    head = struct.pack(">IIBBBBB", values.shape[1], len(values), bits, kind, 0, 0, 0)
    parts = chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def transparent(*samples):
    """The chunk that makes one grey level, or one colour, transparent."""
    return chunk(b"tRNS", struct.pack(f">{len(samples)}H", *samples))


def profile(gamma, columns=None):
    """An ICC profile with one gamma: of colours, whose columns to XYZ under D50 are given, or of grey levels."""
    white = 0.9642, 1.0, 0.8249
    fixed = lambda numbers: b"".join(struct.pack(">i", round(float(n) * 65536)) for n in numbers)  # noqa: E731
    place = lambda numbers: b"XYZ \0\0\0\0" + fixed(numbers)  # noqa: E731
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    name = b"test\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + b"\0" * 78
    tags = [(b"desc", text), (b"cprt", b"text\0\0\0\0none\0\0\0\0"), (b"wtpt", place(white))]
    if columns is None:
        tags.append((b"kTRC", curve))
    else:
        tags += [(letter + b"XYZ", place(column)) for letter, column in zip((b"r", b"g", b"b"), columns, strict=True)]
        tags += [(letter + b"TRC", curve) for letter in (b"r", b"g", b"b")]
    table, data, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, body in tags:
        table += name + struct.pack(">II", start + len(data), len(body))
        data += body + b"\0" * (-len(body) % 4)
    space = b"GRAY" if columns is None else b"RGB "
    head = struct.pack(">I4xI", start + len(data), 0x02100000) + b"mntr" + space + b"XYZ " + bytes(12) + b"acsp"
    head += bytes(28) + fixed(white)
    return head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + table + data


def to_srgb(values, gamma, columns=None):
    """What uint8 values in the space of `profile` are in sRGB, as floats 0 to 255 (IEC 61966-2-1, adapted to D50)."""
    linear = (np.asarray(values) / 255) ** gamma
    if columns is not None:
        srgb = np.array([[0.43607, 0.22249, 0.01392], [0.38515, 0.71687, 0.09708], [0.14307, 0.06061, 0.71410]])
        linear = linear @ np.asarray(columns) @ np.linalg.inv(srgb)
    linear = linear.clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
