"""Reads MATLAB's .mat files of version 5 (MATLAB 5 to 7.2), as far as networks need: numbers, texts, structs, cells.

SciPy's reader ends the process with a segmentation fault on some damaged files. This one raises an error instead.
Format: MathWorks, "MAT-File Format", https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf.
"""

import struct
import zlib
from math import prod
from types import SimpleNamespace

import numpy as np

HEADER, VERSION = 128, b"\0\1IM"  # bytes; the last four of them: version 5, little-endian
TYPES = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8"}
TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16-le", 16: "utf-8", 17: "utf-16-le", 18: "utf-32-le"}
MATRIX, COMPRESSED = 14, 15
CELL, STRUCT, CHAR, NUMBERS = 1, 2, 4, range(6, 16)  # classes of matrices
COMPLEX = 0x800  # a flag of matrices
DEEPEST = 20  # levels of structs and cells
LARGEST = 2**31  # bytes of an unpacked variable; a network of VGG-19 has 0.6e9


class _Elements:
    """The elements that lie in some bytes, one after the other: (type, bytes) each."""

    def __init__(self, data):
        self.data, self.place = data, 0

    def __bool__(self):
        return self.place < len(self.data)

    def next(self):
        if self.place + 8 > len(self.data):
            raise ValueError("ends early")
        kind, size = struct.unpack_from("<II", self.data, self.place)
        start, end = self.place + 8, self.place + 8 + size
        if kind >> 16:  # up to four bytes lie within the tag
            kind, size = kind & 0xFFFF, kind >> 16
            start, end = self.place + 4, self.place + 4 + size
            self.place += 8
            if size > 4:
                raise ValueError("a small element is too large")
        else:
            # padded to eight bytes, but for packed ones
            self.place = end if kind == COMPRESSED else end + -size % 8
        if end > len(self.data):
            raise ValueError("ends early")
        return kind, self.data[start:end]

    def numbers(self) -> np.ndarray:
        kind, data = self.next()
        if kind not in TYPES:
            raise ValueError(f"numbers of type {kind}")
        return np.frombuffer(data, TYPES[kind])

    def number(self) -> int:
        found = self.numbers()
        if not found.size:
            raise ValueError("ends early")
        return int(found[0])

    def matrix(self, depth):
        kind, data = self.next()
        if kind != MATRIX:
            raise ValueError(f"type {kind} in the place of a matrix")
        return _matrix(data, depth)[1]


def _matrix(data, depth=0):
    """(name, value) of a matrix: an array, a text, a list of a cell's values, a namespace of a struct or several.

    The value is None for what no network needs, such as functions and sparse or complex matrices.
    """
    if depth > DEEPEST:
        raise ValueError("structs within each other without an end")
    if not len(data):  # an empty value in a cell or struct
        return "", np.zeros(0)
    elements = _Elements(data)
    flags = elements.number()
    kind = flags & 0xFF
    if kind not in (CELL, STRUCT, CHAR, *NUMBERS) or flags & COMPLEX:
        return "", None
    shape, name = tuple(map(int, elements.numbers())), bytes(elements.next()[1]).decode("ascii")
    if min(shape, default=0) < 0:
        raise ValueError("a negative size")
    if kind == CELL:
        return name, [elements.matrix(depth + 1) for _ in range(_count(shape, elements))]
    if kind == STRUCT:
        length = elements.number()
        text = bytes(elements.next()[1])
        if length < 1:
            raise ValueError("names of fields without a length")
        fields = [text[at : at + length].split(b"\0")[0].decode("ascii") for at in range(0, len(text), length)]
        found = [
            SimpleNamespace(**{field: elements.matrix(depth + 1) for field in fields})
            for _ in range(_count(shape, elements) if fields else 0)
        ]
        return name, found[0] if len(found) == 1 else found
    if kind == CHAR:
        coding, text = elements.next()
        if coding not in TEXTS:
            raise ValueError(f"text of type {coding}")
        return name, bytes(text).decode(TEXTS[coding])
    numbers = elements.numbers()
    if numbers.size != prod(shape):
        raise ValueError("a matrix of another number of numbers than its shape")
    return name, numbers.reshape(shape, order="F").squeeze()


def _count(shape, elements):
    """How many values a cell or struct of a shape holds, each of which takes eight bytes or more."""
    if prod(shape) > len(elements.data) // 8:
        raise ValueError("ends early")
    return prod(shape)


def read_mat(path) -> dict:
    """The variables of a .mat file: arrays without sides of 1, texts, lists for cells, namespaces for structs.

    Raises:
        ValueError, OverflowError: not such a file, or damaged.
        OSError: the file can't be read.
    """
    with open(path, "rb") as file:
        data = memoryview(file.read())
    if data[HEADER - len(VERSION) : HEADER] != VERSION:
        raise ValueError("not a MATLAB file of version 5, which save(..., '-v7') writes")
    elements, found = _Elements(data[HEADER:]), {}
    while elements:
        kind, content = elements.next()
        if kind == COMPRESSED:
            try:
                unpacking = zlib.decompressobj()
                content = memoryview(unpacking.decompress(content, LARGEST))
            except zlib.error as error:
                raise ValueError(str(error)) from None
            if not unpacking.eof:
                raise ValueError("ends early, or is too large")
            kind, content = _Elements(content).next()
        if kind != MATRIX:
            raise ValueError(f"type {kind} in the place of a variable")
        name, value = _matrix(content)
        found[name] = value
    return found
