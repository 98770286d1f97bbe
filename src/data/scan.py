"""Finds the usable images of a folder before training starts, from headers alone."""

import csv
import io
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from src.errors import UserError
from src.images.decoding import (
    describe_damage,
    find_damage,
    has_other_colours,
    has_transparency,
    orientation,
)
from src.images.files import list_images
from src.images.formats import open_image

logger = logging.getLogger("style_transfer")
_SCAN_THREADS = 8  # headers are parsed one at a time (GIL); threads hide the disk's latency
_TAIL_BYTES = 32


class SourceFile(NamedTuple):
    """A usable image file: its sides in pixels as stored, and how it is to be decoded.

    `plain` files (8-bit JPEG and PNG, RGB or grey, upright, in sRGB) come out of MindData's decoder exactly as
    `src.images.files.read_image` gives them; the others are read by the latter. `stamp` is that of `read_stamp`.
    """

    path: Path
    width: int
    height: int
    plain: bool
    jpeg: bool
    stamp: tuple = ()


class Source(NamedTuple):
    """Where files come from: the option that names the folder, the folder, and the smallest side allowed, pixels."""

    option: str
    folder: str
    min_side: int

    def is_gone(self) -> bool:
        """Whether the folder no longer exists, or is empty, as the folder of a disk that was taken away is."""
        folder = Path(self.folder).expanduser()
        try:
            with os.scandir(folder) as entries:
                return next(entries, None) is None
        except NotADirectoryError:  # a single file
            return False
        except OSError:
            return True


def read_stamp(path) -> tuple[int, int]:
    """Time of the last change (ns) and size (bytes) of a file: both the same means that nobody has replaced it.

    Raises:
        OSError: no such file.
    """
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size


def scan_folder(folder, option, min_side) -> tuple[list[SourceFile], int]:
    """Usable images of a folder, sorted, and how many files were skipped. The log names each skipped file once.

    Only the header and the last bytes are read (about 0.1 ms a file). A file is skipped when it is empty, truncated or
    no image, or when its shorter side is less than `min_side` pixels.

    Args:
        folder: walked recursively.
        option: name of the option that gave it, for the error.
        min_side: pixels.

    Raises:
        UserError: the folder is missing, or holds no usable image.
    """
    paths = list_images(folder, option)
    with ThreadPoolExecutor(_SCAN_THREADS) as pool:
        results = list(pool.map(lambda path: check_file(path, min_side), paths))
    files = [result for result in results if isinstance(result, SourceFile)]
    skipped = [(path, result) for path, result in zip(paths, results, strict=True) if isinstance(result, str)]
    for path, reason in skipped:
        logger.warning("skipped %s: %s", path, reason)
    if not files:
        path, reason = skipped[0]
        raise UserError(
            f"option {option}: none of the {len(paths)} images in {folder} can be used ({path.name}: {reason}); "
            f"give other images{', or lower --min_side' if 'min_side' in reason else ''}"
        )
    return files, len(skipped)


def check_file(path, min_side) -> SourceFile | str:
    """A file as `SourceFile`, or in words why it cannot be used."""
    try:
        stamp = read_stamp(path)
        size = stamp[1]
        if not size:
            return "is empty"
        with open(path, "rb") as stream:
            head = stream.read(64)
            stream.seek(max(0, size - _TAIL_BYTES))
            tail = stream.read()
            stream.seek(0)
            with open_image(stream) as image:
                width, height = image.size
                plain, kind = _is_plain(image, head), image.format
            if min(width, height) < min_side:
                return f"{width} x {height} pixels, a side is shorter than min_side ({min_side})"
            if not _looks_whole(kind, size, head, tail):
                stream.seek(0)
                # the end marker may be missing at the very end, because some cameras append data of their own
                if damage := find_damage(stream):
                    return damage
    except Exception as error:  # noqa: BLE001
        return describe_damage(error)
    return SourceFile(path, width, height, plain, kind in ("JPEG", "MPO"), stamp)


def _is_plain(image, head) -> bool:
    if image.mode not in ("RGB", "L") or has_transparency(image) or has_other_colours(image) or orientation(image) != 1:
        return False
    if image.format == "PNG":
        return head[24] == 8  # bit depth, IHDR
    return image.format in ("JPEG", "MPO")


def _looks_whole(kind, size, head, tail) -> bool:
    """Whether a file ends as its format says. False does not prove that the file is damaged."""
    if kind in ("JPEG", "MPO"):
        return b"\xff\xd9" in tail
    if kind == "PNG":
        return b"IEND" in tail
    if kind == "WEBP":
        return int.from_bytes(head[4:8], "little") + 8 <= size
    return False


def style_weights(files, folder, kinds) -> list[float] | None:
    """Sampling weight of each style file from `data.style_kinds`, {kind or first-level folder: weight}.

    A file's kind is read from a SOURCES.csv (columns file, kind; file relative to the CSV) in `folder` or up to two
    folders above it; a file's first-level folder counts as well. What `kinds` does not name weighs 1.

    Returns:
        a weight a file, or None when `kinds` is empty.

    Raises:
        UserError: a name that no file has, a negative weight, or nothing left to draw.
    """
    if not kinds:
        return None
    folder = Path(folder).expanduser()
    listed = _read_kinds(folder)
    names = []
    for file in files:
        inside = file.path.relative_to(folder).parts if file.path != folder else ()
        names.append((listed.get(_absolute(file.path)), inside[0] if len(inside) > 1 else None))
    known = sorted({name for pair in names for name in pair if name})
    for name, weight in kinds.items():
        if name not in known:
            raise UserError(
                f"option style_kinds: no style file is a {name!r}; kinds here: {', '.join(known) or 'none'}; "
                "--style_kinds '' weighs all alike"
            )
        if not 0 <= weight < float("inf"):
            raise UserError(f"option style_kinds: found {name}={weight}, expected a weight of 0 or more")
    weights = [next((kinds[name] for name in pair if name in kinds), 1.0) for pair in names]
    if not any(weights):
        raise UserError("option style_kinds: every style file has weight 0; give one kind a weight above 0")
    return weights


def _absolute(path):
    return os.path.abspath(path)


def _read_kinds(folder) -> dict[str, str]:
    for place in list(dict.fromkeys([Path(_absolute(folder)), *Path(_absolute(folder)).parents]))[:3]:
        table = place / "SOURCES.csv"
        if table.is_file():
            rows = csv.DictReader(io.StringIO(table.read_text(encoding="utf-8-sig", errors="surrogateescape")))
            if {"file", "kind"} <= set(rows.fieldnames or ()):
                return {_absolute(place / row["file"]): row["kind"] for row in rows if row["file"] and row["kind"]}
    return {}
