"""Whether the arrays of a MindSpore checkpoint have the bytes that their shapes ask for, and its texts are texts.

MindSpore's reader does not compare the two. It writes past the end of an array, so that a damaged file crashes the
process, or it fills the rest of an array with what lay in the memory.
"""

import sys
from math import prod

import numpy as np
from google.protobuf.message import DecodeError
from mindspore.train.checkpoint_pb2 import Checkpoint

# bytes of a number; texts have no shape
SIZES = {"Int8": 1, "UInt8": 1, "Bool": 1, "Int16": 2, "UInt16": 2, "Float16": 2, "BFloat16": 2}
SIZES |= {"Int32": 4, "UInt32": 4, "Float32": 4, "Int64": 8, "UInt64": 8, "Float64": 8}
# a checksum that MindSpore can be asked for stands after the arrays: a word and ten bytes
CRC_WORD, CRC_DIGITS = b"crc_num", 10


def check_lengths(path):
    """Compares the bytes of each array of a checkpoint with its shape, and looks at its texts.

    Raises:
        ValueError: they differ, or the file is no checkpoint.
        OSError: the file can't be read.
    """
    content, tail = path.read_bytes(), len(CRC_WORD) + CRC_DIGITS
    if content[-tail:-CRC_DIGITS] == CRC_WORD:
        content = content[:-tail]
    entries = Checkpoint()
    try:
        entries.ParseFromString(content)
    except DecodeError:
        raise ValueError("its contents cannot be parsed") from None
    length = 0
    for entry, following in zip(entries.value, [*entries.value[1:], None], strict=True):
        length += len(entry.tensor.tensor_content)
        if following is not None and following.tag == entry.tag:  # a large array is written in parts
            continue
        kind, shape = entry.tensor.tensor_type, list(entry.tensor.dims)
        if kind == "str":
            # read as numbers of four bytes; Python itself fails with a text of larger ones
            if length % 4 or (np.frombuffer(entry.tensor.tensor_content, "<u4") > sys.maxunicode).any():
                raise ValueError(f"{entry.tag} is no text")
        elif entry.tensor.ByteSize():
            if kind not in SIZES:
                raise ValueError(f"parameter {entry.tag} has numbers of the unknown type {kind!r:.20}")
            if shape == [0]:  # how MindSpore writes a single number
                shape = []
            if min(shape, default=1) < 0 or length != prod(shape) * SIZES[kind]:
                raise ValueError(f"parameter {entry.tag} has {length} bytes, which do not fit its shape {shape}")
        length = 0
