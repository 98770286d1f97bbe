"""Files that are either whole or not there."""

import json
import os
import shutil
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path

from src.user_error import UserError

TEMPORARY_PREFIX = ".tmp-"
_unfinished = set()


@contextmanager
def temporary_folder():
    """Yields the path of a new folder among the system's temporary files; the folder is removed at the end."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        _unfinished.add(folder)
        try:
            yield folder
        finally:
            _unfinished.discard(folder)


def remove_unfinished():
    """Removes the temporary files and folders of all blocks of this module that are still open.

    For a process that is about to end without leaving these blocks.
    """
    for temporary in list(_unfinished):
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
            continue
        # some writers put files of their own beside it
        for path in temporary.parent.glob(f"{temporary.stem}*"):
            path.unlink(missing_ok=True)


@contextmanager
def atomic_write(path):
    """Lets the caller write a file that appears under its name only when it is complete.

    Yields a temporary path in the same folder, with the same ending (some writers add one of their own otherwise). When
    the block ends well, the file is flushed to disk and renamed over `path`; when it raises, the temporary file is
    removed and whatever stood at `path` before is untouched. Missing parent folders are made.

    After a SIGKILL a file whose name begins with `TEMPORARY_PREFIX` can be left over; nothing reads it.

    Raises:
        OSError: folder or disk refuse; `filename` is `path`, so that the message names what the user asked for.
    """
    path = Path(path)
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex[:8]}-{path.name}")
    _unfinished.add(temporary)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    except OSError as error:
        if error.errno is None or (error.filename and Path(error.filename) not in (temporary, path)):
            raise
        raise type(error)(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
        _unfinished.discard(temporary)


def write_json(path, content):
    """Writes content as JSON that people can read; names that are no text are escaped, and read back as they were."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def check_folder(path, option) -> Path:
    """Refuses a folder that could not be written, before the work whose results go there. Makes no folder.

    Args:
        path: the folder; neither this folder nor its parents need exist.
        option: name of the option that gave it, for the error.

    Returns:
        the path.

    Raises:
        UserError: a file stands in its place, or the folder may not be written.
    """
    path = Path(path).expanduser()
    nearest = next((p for p in (path, *path.absolute().parents) if p.exists()), path)
    if not nearest.is_dir():
        raise UserError(f"option {option}: {nearest} is a file, expected a folder; remove it or choose another name")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"option {option}: no permission to write in {nearest}; choose another folder")
    return path


def refuse_inputs(outputs, inputs):
    """Refuses an output that would replace what is read, also by another name of the same file.

    Args:
        outputs: files to write, which need not be there.
        inputs: {file: what it is, for the error}.

    Raises:
        UserError: one of the outputs is one of the inputs.
    """
    known = {_identity(path): (path, what) for path, what in inputs.items()}
    for output in outputs:
        if (found := _identity(output)) and found in known:
            path, what = known[found]
            raise UserError(f"output {output}: is {what} {path} itself; choose another name or folder")


def _identity(path):
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _flush(path):
    """Waits until a file's contents, or a folder's names, are on disk."""
    if os.name == "nt" and path.is_dir():  # Windows opens no folders
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
