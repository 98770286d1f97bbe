"""Checkpoints of this project: a MindSpore .ckpt of parameters by name, with options and a checksum in it as JSON."""

import hashlib
import json
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import mindspore as ms
import numpy as np

from src.errors import UserError
from src.files import atomic_write
from src.weights.ckpt_lengths import check_lengths

METADATA = "metadata"
CHECKSUM = "checksum"
FORMAT = "style-transfer/1"


def to_arrays(cell) -> dict:
    """Parameters of a cell by name, as float32 or integer arrays."""
    return {name: parameter.asnumpy() for name, parameter in cell.parameters_and_names()}


def check_finite(array, name, where):
    """Raises a UserError that names file and parameter when an array holds NaN or Inf."""
    array = np.asarray(array)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        lost = array.size - np.count_nonzero(np.isfinite(array))
        raise UserError(
            f"checkpoint {where}: parameter {name} holds NaN or Inf ({lost} of {array.size} numbers), expected finite "
            "weights; take an earlier checkpoint, or copy or download the file again"
        )


def compute_checksum(arrays, metadata) -> str:
    """SHA-256 of a checkpoint's contents, which does not depend on the layout of the file.

    Args:
        arrays: {name: array}, in the types in which the file has them.
        metadata: as read from the file's JSON, without the checksum.
    """
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape or (1,)}".encode())
        digest.update(array.data)
    return digest.hexdigest()


def save_checkpoint(path, params, metadata, half=False):
    """Writes parameters and metadata to a file that is whole or absent.

    Args:
        path: file to write.
        params: {name: array}, or a cell.
        metadata: what JSON can hold; `network` (the options of the model) is expected by `src.weights.load`. None for
            a file in another project's format.
        half: store float32 as float16, half the size.

    Raises:
        UserError: a parameter holds NaN or Inf, with `half` also one too large for float16; nothing is written.
        OSError: the disk is full, or the folder can't be written.
    """
    arrays = params if isinstance(params, dict) else to_arrays(params)
    entries = []
    for name, array in arrays.items():
        array = np.asarray(array)
        if half and array.dtype == np.float32:
            with np.errstate(over="ignore"):
                array = array.astype(np.float16)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise UserError(f"{path}: not written, since parameter {name} holds NaN or Inf")
        entries.append({"name": name, "data": ms.Tensor(array)})
    extra = None
    if metadata is not None:
        known = json.loads(json.dumps({"format": FORMAT, **metadata}))
        written = {entry["name"]: entry["data"].asnumpy() for entry in entries}
        extra = {METADATA: json.dumps({**known, CHECKSUM: compute_checksum(written, known)})}
    with atomic_write(path) as temporary:
        written = temporary.with_suffix(".ckpt")  # MindSpore adds this ending to any other, also to .CKPT
        try:
            ms.save_checkpoint(entries, str(written), append_dict=extra)
            written.replace(temporary)
        except RuntimeError as error:  # MindSpore wraps the operating system's error in its own words
            cause = error.__cause__ or error.__context__
            raise cause if isinstance(cause, OSError) else OSError(f"{path}: {error}") from error
        finally:
            # a temporary file of MindSpore, which stays when saving fails
            written.with_suffix(".tmp").unlink(missing_ok=True)
            if written != temporary:
                written.unlink(missing_ok=True)
        # MindSpore makes the file readable for its owner only, so that a server under another account can't load it
        temporary.chmod(0o644)


def read_checkpoint(path):
    """Reads any MindSpore checkpoint.

    Returns:
        ({name: array}, metadata), the metadata None when the file is not of this project. Half precision comes back as
        float32.

    Raises:
        UserError: no such file, not a MindSpore checkpoint, or contents that don't match the checksum.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"checkpoint {path}: no such file")
    if not path.stat().st_size:
        raise UserError(f"checkpoint {path}: the file is empty; copy or download it again")
    try:
        check_lengths(path)
        with _named_ckpt(path) as named:
            loaded = ms.load_checkpoint(str(named))
    except (ValueError, RuntimeError, TypeError) as error:
        raise UserError(
            f"checkpoint {path}: not a MindSpore checkpoint, or damaged; expected a .ckpt file "
            f"({str(error).splitlines()[0][:120]})"
        ) from None
    text = loaded.pop(METADATA, None)
    arrays = {n: v.asnumpy() if hasattr(v, "asnumpy") else np.asarray(v) for n, v in loaded.items()}
    metadata = _read_metadata(text, arrays, path) if isinstance(text, str) else None
    return {n: a.astype(np.float32) if a.dtype == np.float16 else a for n, a in arrays.items()}, metadata


def _is_nearly_a_checksum(value) -> bool:
    """Whether a value is the text of a SHA-256, perhaps a damaged one: no sentence has so many hexadecimal digits."""
    return isinstance(value, str) and len(value) >= 32 and sum(map("0123456789abcdef".count, value)) > 0.75 * len(value)


def _read_metadata(text, arrays, path):
    """The metadata without the checksum, which files of former versions lack."""
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError):
        raise UserError(f"checkpoint {path}: its metadata are damaged; copy or download it again") from None
    if not isinstance(metadata, dict):
        return None
    checksum = metadata.pop(CHECKSUM, None)
    if checksum is None:
        # a file of a former version; or of this one, and the damage hit the very name of the checksum
        checksum = next(filter(_is_nearly_a_checksum, metadata.values()), None)
    if checksum is not None and checksum != compute_checksum(arrays, metadata):
        raise UserError(
            f"checkpoint {path}: damaged, its contents don't fit its checksum; take an earlier checkpoint, or copy or "
            "download the file again"
        )
    return metadata


@contextmanager
def _named_ckpt(path):
    """Yields a path of the file that ends in .ckpt in small letters, if need be of a link. MindSpore reads no other."""
    if path.suffix == ".ckpt":
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "model.ckpt"
        try:
            link.symlink_to(path.absolute())
        except OSError:  # Windows lets few users make links
            shutil.copyfile(path, link)
        yield link


def load_into(cell, params, where, prefix="", ignore=()):
    """Sets every parameter of a cell from arrays, strictly.

    Args:
        cell: the network.
        params: {name: array}.
        where: the file they came from, for errors.
        prefix: what the names in `params` begin with.
        ignore: names (without the prefix), or beginnings of names ending in ".", that `params` may hold and the cell
            doesn't.

    Raises:
        UserError: a parameter is missing, has another shape, holds NaN or Inf, or is not the cell's.
    """
    parameters = dict(cell.parameters_and_names())
    for name, parameter in parameters.items():
        if prefix + name not in params:
            expected = f"expected shape {parameter.shape}"
            raise UserError(f"checkpoint {where}: parameter {prefix + name} is missing, {expected}")
        found = params[prefix + name].shape
        if tuple(found) != tuple(parameter.shape):
            raise UserError(
                f"checkpoint {where}: parameter {prefix + name} has shape {tuple(found)}, expected {parameter.shape}"
            )
        check_finite(params[prefix + name], prefix + name, where)
    for name in params:
        if name.startswith(prefix) and name[len(prefix) :] not in parameters:
            short = name[len(prefix) :]
            if not any(short == i or (i.endswith(".") and short.startswith(i)) for i in ignore):
                hint = "is none of this network's; is it another network?"
                raise UserError(f"checkpoint {where}: parameter {name} {hint}")
    for name, parameter in parameters.items():
        parameter.set_data(ms.Tensor(np.ascontiguousarray(params[prefix + name]), parameter.dtype))
