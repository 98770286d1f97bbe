"""ModelArts' convention: data come from `--data_url`, results go to `--train_url`, either may be in object storage.

What is in object storage (obs://, s3://) is copied by `moxing`, which ModelArts' images have. A folder that ModelArts
has mounted is used where it is.
"""

import contextlib
import dataclasses
import hashlib
import importlib.util
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from src.errors import UserError
from src.options.option import Options, PathText, option

CACHE = Path("/cache")  # the large local disk of ModelArts' machines
COPIED = ".copied"
# what a program writes: (section, option)
OUTPUTS = (("train", "output_dir"), ("eval", "output_path"), ("export", "file_name"))
FOLDERS = {"content_path": "content", "style_path": "style"}


@dataclass(frozen=True)
class ModelArtsOptions(Options):
    """Where a job of ModelArts finds its data and leaves its results."""

    data_url: str = option(
        "",
        "ModelArts: folder or address in object storage with content/ and style/; other files are looked up there, too",
    )
    train_url: str = option(
        "",
        "ModelArts: folder, or address in object storage, that the results are copied to; a training goes on from what "
        "is there",
    )


def is_remote(url) -> bool:
    """Whether an address is in object storage rather than a folder."""
    return "://" in url


def _moxing():
    if importlib.util.find_spec("moxing") is None:
        raise UserError(
            "options data_url, train_url: moxing is not installed in this Python, which reads object storage on "
            "ModelArts; elsewhere give folders"
        )
    import moxing

    return moxing


def cache_folder() -> Path:
    """Where copies lie: on ModelArts' local disk, elsewhere in the system's place for temporary files."""
    return CACHE if os.access(CACHE, os.W_OK) else Path(tempfile.gettempdir())


def _local(url) -> Path:
    return cache_folder() / f"style_transfer_{hashlib.sha256(url.encode()).hexdigest()[:12]}"


def fetch(url) -> Path:
    """The folder with the data of an address. The first process of a machine copies the data, the others wait.

    Raises:
        UserError: no such folder, or moxing is missing or fails.
    """
    if not is_remote(url):
        folder = Path(url).expanduser()
        if not folder.is_dir():
            raise UserError(f"option data_url: {url}: no such folder")
        return folder
    import fcntl  # ModelArts' machines have Linux

    folder = _local(url)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / COPIED).exists():
            _copy(url, folder, "data_url")
            (folder / COPIED).touch()
    return folder


def _copy(source, target, name):
    try:
        _moxing().file.copy_parallel(str(source), str(target))
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001  moxing's errors have no common class
        raise UserError(f"option {name}: copying {source} to {target} failed: {error}") from None


@contextlib.contextmanager
def on_modelarts(options):
    """Puts what `--data_url` and `--train_url` name into the options, and copies the results at the end.

    Results are copied by rank 0, and also when the program fails or is interrupted, so that checkpoints are not lost.

    Args:
        options: from `src.config.parse` with `own=ModelArtsOptions`.

    Yields:
        the options for the program.

    Raises:
        UserError: see `fetch`.
    """
    own = options.own
    if own.data_url:
        _find_inputs(options, fetch(own.data_url))
    if not own.train_url:
        yield options
        return
    remote, first = is_remote(own.train_url), os.environ.get("RANK_ID", "0") == "0"
    folder = _local(own.train_url) if remote else Path(own.train_url).expanduser()
    if remote and first:
        folder.mkdir(parents=True, exist_ok=True)
        if _moxing().file.exists(own.train_url):
            _copy(own.train_url, folder, "train_url")
    for section, name in OUTPUTS:
        if hasattr(options, section):
            value = getattr(getattr(options, section), name)
            # a file keeps its name; a folder's name is replaced, because the address says where the folder is
            _replace(options, section, **{name: str(folder / Path(value).name if name == "file_name" else folder)})
    try:
        yield options
    finally:
        if remote and first:
            _copy(folder, own.train_url, "train_url")


def _find_inputs(options, data):
    """Fills in the data's content/ and style/ where no other folder is named, and completes names of files there."""
    for section, settings in list(vars(options).items()):
        if not isinstance(settings, Options) or section == "own":
            continue
        found = {}
        for name, entry in type(settings).schema().items():
            value = getattr(settings, name)
            if entry.kind is not PathText or (section, name) in OUTPUTS:
                continue
            if name in FOLDERS and (section, name) not in options.given and (data / FOLDERS[name]).is_dir():
                found[name] = str(data / FOLDERS[name])
            elif value and not os.path.isabs(value) and not os.path.exists(value) and (data / value).exists():
                found[name] = str(data / value)
        _replace(options, section, **found)


def _replace(options, section, **values):
    setattr(options, section, dataclasses.replace(getattr(options, section), **values))
