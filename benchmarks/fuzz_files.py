"""Cases of benchmarks/fuzz.py: pictures and checkpoints with other bytes, and pickles of any opcodes."""

import functools
import io
import json
import struct
import zipfile

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from src.config import parse
from src.images.decoding import find_damage
from src.images.files import read_at, read_image
from src.images.metadata import settings_for
from src.stylize.recipe import SAID, Again, hash_file
from src.weights.torch_file import read_torch_file

WEIGHTS = {"a": np.arange(12, dtype=np.float32).reshape(3, 4), "b": np.arange(3), "c": np.float32(0.5).reshape(1)}
# format of a picture, perhaps with a word more: how it is saved
KINDS = {
    "PNG": {}, "BMP": {}, "GIF": {}, "TIFF": {}, "PPM": {}, "WEBP": {"lossless": True},
    "TIFF lzw": {"compression": "tiff_lzw"}, "JPEG": {}, "JPEG progressive": {"progressive": True},
}  # fmt: skip
GLOBALS = [
    "os\nsystem", "builtins\neval", "builtins\ngetattr", "collections\nOrderedDict", "torch._utils\n_rebuild_tensor_v2",
    "torch._utils\n_rebuild_parameter", "torch.nn.parameter\nParameter", "torch\nFloatStorage", "torch\nload", "a\nb.c",
]  # fmt: skip
# opcodes with their arguments, of pickle's protocols 0 to 5, many of them with lengths that do not fit
OPCODES = [bytes([code]) for code in b"N()]}RbsuaetldQo012\x81\x85\x86\x87\x88\x8f\x90\x91\x92\x93\x94\x97\x98"]
OPCODES += [b"h\0", b"q\0", b"r\xff\xff\xff\x7f", b"K\x01", b"J\xff\xff\xff\xff", b"\x8a\x01\x05", b"\x8a\xff"]
OPCODES += [b"\x8c\x02os", b"\x8c\x06system", b"X\x07\0\0\0storage", b"X\x01\0\0\x000", b"X\x03\0\0\0cpu", b"\x82\x01"]
OPCODES += [b"B\xff\xff\xff\x7f", b"\x96" + b"\xff" * 8, b"G" + bytes(8), b"\x95" + bytes(8), b"\x80\x02", b"\x80\x63"]
OPCODES += [b"I1\n", b"L9L\n", b"Pa\n", b"p0\n", b"g9\n", b"ios\nsystem\n", b"S'a'\n", b"S'\n"]
OPCODES += [f"c{name}\n".encode() for name in GLOBALS]


@st.composite
def changed(draw, data, cut=True):
    """Bytes with some flipped, replaced, put in, taken out, doubled, or with the end cut off."""
    data = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        place, many = draw(st.integers(0, max(0, len(data) - 1))), draw(st.integers(1, 24))
        how = draw(st.sampled_from(["flip", "replace", "put in", "take out", "double", "largest"] + ["cut"] * cut))
        if how == "flip" and data:
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif how == "replace":
            data[place : place + many] = draw(st.binary(min_size=many, max_size=many))
        elif how == "put in":
            data[place:place] = draw(st.binary(min_size=1, max_size=many))
        elif how == "take out":
            del data[place : place + many]
        elif how == "double":
            data[place:place] = data[place : place + many]
        elif how == "largest":
            data[place : place + 4] = b"\xff\xff\xff\x7f"
        elif how == "cut":
            del data[place:]
    return bytes(data)


@functools.cache
def pixels():
    """Noise with a gradient: no two rows are the same."""
    noise = np.random.default_rng(0).integers(0, 60, (12, 17, 3))
    return (noise + np.arange(12)[:, None, None] * 8).astype(np.uint8)


@functools.cache
def whole_picture(kind):
    """The bytes of a picture of one of `KINDS`, and its pixels as they are read."""
    stream = io.BytesIO()
    Image.fromarray(pixels()).save(stream, kind.split()[0], **KINDS[kind])
    return stream.getvalue(), np.asarray(Image.open(stream).convert("RGB"))


def check_changed_picture(draw, folder):
    """A picture with other bytes: an image, or a line. The checksums of a PNG find every change of its pixels."""
    kind = draw(st.sampled_from(list(KINDS)))
    data, expected = whole_picture(kind)
    path = folder / "picture.png"
    path.write_bytes(draw(changed(data)))
    find_damage(io.BytesIO(path.read_bytes()))
    image = read_image(path, at_least=draw(st.sampled_from([0, 8])))
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size
    if min(image.shape) and max(image.shape) < 1000:
        assert read_at(path, 16).shape == (16, 16, 3)
    if kind == "PNG" and image.shape == expected.shape:
        flipped = sum(a != b for a, b in zip(path.read_bytes(), data, strict=False))
        if flipped == 1 and path.stat().st_size == len(data):
            np.testing.assert_array_equal(image, expected)


def check_cut_picture(draw, folder):
    """A picture without its end is refused, or all of its pixels are there."""
    kind = draw(st.sampled_from(list(KINDS)))
    data, expected = whole_picture(kind)
    path = folder / "picture"
    path.write_bytes(data[: draw(st.integers(0, len(data) - 1))])
    np.testing.assert_array_equal(read_image(path), expected)


def check_said_recipe(draw, folder):
    """A picture whose text says anything of how it was made."""
    from benchmarks.fuzz_options import JSON

    content = folder / "content.png"
    content.write_bytes(whole_picture("PNG")[0])
    said = {"format": 1, "options": {"stylize": {"strength": 0.5}}, "style": None, "styles": {}, "model": {}}
    said["content"] = {"path": str(content), "sha256": hash_file(content)}
    for name in draw(st.lists(st.sampled_from(list(said)), max_size=3)):
        said[name] = draw(JSON)
    kind = draw(st.sampled_from(["PNG", "JPEG"]))
    stream = io.BytesIO()
    said = draw(st.one_of(st.just(said), st.just(said), JSON))
    Image.fromarray(pixels()).save(stream, kind, **settings_for(kind, b"", said))
    data = stream.getvalue()
    path = folder / "said.png"
    path.write_bytes(draw(st.one_of(st.just(data), changed(data))))
    again = Again(path)
    # as stylize.py does
    parse([], tuple(SAID), "a program", base=again.values)
    assert again.content() == str(content)


@functools.cache
def whole_pth():
    """A state dict as PyTorch writes it: a zip archive with a pickle of opcodes."""
    text = [b"\x80\x02}("]
    for key, (name, array) in enumerate(WEIGHTS.items()):
        kind = {"f": "FloatStorage", "i": "LongStorage"}[array.dtype.kind]
        text += [b"X" + struct.pack("<I", len(name)) + name.encode(), b"ctorch._utils\n_rebuild_tensor_v2\n("]
        text += [
            b"(X\x07\0\0\0storagectorch\n" + kind.encode() + b"\nX\x01\0\0\0" + str(key).encode() + b"X\x03\0\0\0cpu"
        ]
        text += [b"K" + bytes([array.size]) + b"tQK\0"]
        for numbers in (array.shape, [stride // array.itemsize for stride in array.strides]):
            text += [b"(" + b"".join(b"K" + bytes([number]) for number in numbers) + b"t"]
        text += [b"\x89}tR"]
    return b"".join([*text, b"u."])


def write_pth(path, text):
    """Writes a state dict's archive with another pickle in it."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", text)
        for key, array in enumerate(WEIGHTS.values()):
            archive.writestr(f"archive/data/{key}", array.tobytes())


def same_weights(found, partly=False):
    """Fails unless the arrays are `WEIGHTS`."""
    assert all(isinstance(array, np.ndarray) for array in found.values())
    if not partly:
        assert list(found) == list(WEIGHTS)
        for name, array in found.items():
            np.testing.assert_array_equal(array, WEIGHTS[name])


def check_pickle(draw, folder):
    """A .pth whose pickle is any row of opcodes, alone or within a state dict."""
    path, opcodes = folder / "a.pth", b"".join(draw(st.lists(st.sampled_from(OPCODES), max_size=14)))
    whole = whole_pth()
    place = draw(st.integers(0, len(whole)))
    write_pth(
        path,
        draw(st.sampled_from([opcodes + b".", whole[:-1] + opcodes + b".", whole[:place] + opcodes + whole[place:]])),
    )
    if draw(st.booleans()):
        path.write_bytes(opcodes + b".")
    same_weights(read_torch_file(path), partly=True)


def check_torch_file(draw, folder):
    """A .pth with other bytes, some of them packed; zip's checksum guards what is read whole."""
    path = folder / "a.pth"
    write_pth(path, draw(st.one_of(st.just(whole_pth()), changed(whole_pth()))))
    if draw(st.booleans()):
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w", draw(st.sampled_from([8, 12, 14]))) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
    path.write_bytes(draw(st.one_of(st.just(path.read_bytes()), changed(path.read_bytes()))))
    same_weights(read_torch_file(path), partly=True)


class _Stranger:
    def __reduce__(self):
        return eval, ("1",)


def check_arrays(draw, folder):
    """An .npz of arrays, of objects that a pickle makes, of other members, or damaged."""
    from src.weights.load import read_weights

    stream, objects = io.BytesIO(), draw(st.sampled_from(["none", "none", "one", "text", "alone"]))
    if objects == "alone":
        np.save(stream, WEIGHTS["a"])
    else:
        strange = {"strange": np.array([_Stranger()], object)} if objects == "one" else {}
        draw(st.sampled_from([np.savez, np.savez_compressed]))(stream, **WEIGHTS, **strange)
    if objects == "text":
        with zipfile.ZipFile(stream, "a") as archive:
            archive.writestr(draw(st.sampled_from(["notes.txt", "d.npy", "a.npy"])), draw(st.binary(max_size=80)))
    data = stream.getvalue()
    damaged = draw(st.booleans())
    path = folder / "a.npz"
    path.write_bytes(draw(changed(data)) if damaged else data)
    same_weights(read_weights(path)[0], partly=damaged)


def check_safetensors(draw, folder):
    """A .safetensors file with other bytes, whose header may say anything."""
    from safetensors.numpy import save

    from benchmarks.fuzz_options import JSON
    from src.weights.convert import read_tensors

    data = save({"a": WEIGHTS["a"], "b": WEIGHTS["b"]})
    if draw(st.booleans()):
        entry = {
            "dtype": draw(st.sampled_from(["F32", "BF16", "F8_E4M3", "BOOL", "I64", "x"])),
            "shape": [2],
            "data_offsets": [0, 8],
        }
        for name in draw(st.lists(st.sampled_from(list(entry)), max_size=1)):
            entry[name] = draw(JSON)
        head = json.dumps({"a": entry}).encode()
        data = struct.pack("<Q", len(head)) + head + bytes(8)
    path = folder / "a.safetensors"
    path.write_bytes(draw(st.one_of(st.just(data), changed(data))))
    same_weights(read_tensors(path), partly=True)


@functools.cache
def whole_mat():
    """The bytes of a .mat file with two layers, as MatConvNet names them."""
    from scipy.io import savemat

    stream = io.BytesIO()
    layers = np.empty(2, object)
    for place, name in enumerate(("conv1_1", "conv1_2")):
        layers[place] = {"name": name, "weights": np.array([WEIGHTS["a"], WEIGHTS["c"]], object)}
    savemat(stream, {"layers": layers, "meta": {"normalization": {"averageImage": [1.0, 2.0, 3.0]}}})
    return stream.getvalue()


def check_mat(draw, folder):
    """A .mat file with other bytes."""
    from src.weights.convert import vgg_from_matconvnet

    path = folder / "a.mat"
    path.write_bytes(draw(changed(whole_mat())))
    vgg_from_matconvnet(path)
    raise AssertionError("no VGG is in it, yet it was read")


@functools.cache
def _whole_ckpt(folder):
    from src.weights.native import save_checkpoint

    save_checkpoint(folder / "whole.ckpt", WEIGHTS, {"step": 3})
    return (folder / "whole.ckpt").read_bytes()


def check_checkpoint(draw, folder):
    """A .ckpt with other bytes: its checksum lets nothing but the weights through."""
    from src.weights.native import read_checkpoint

    path = folder / "a.ckpt"
    path.write_bytes(draw(changed(_whole_ckpt(folder))))
    arrays, metadata = read_checkpoint(path)
    if metadata is not None:
        assert metadata == {"format": "style-transfer/1", "step": 3}
        for name, array in WEIGHTS.items():
            np.testing.assert_array_equal(arrays[name], array)


CHECKS = {
    "pictures with other bytes": check_changed_picture,
    "pictures without their end": check_cut_picture,
    "recipes in pictures": check_said_recipe,
    "pickles": check_pickle,
    "PyTorch's files": check_torch_file,
    "npz files": check_arrays,
    "safetensors files": check_safetensors,
    "MATLAB files": check_mat,
    "checkpoints": check_checkpoint,
}
