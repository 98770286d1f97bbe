"""One run a folder: a second run would remove unfinished files of the first, and mix its own files with them."""

import contextlib
import os
import socket
import time
from pathlib import Path

from src.errors import UserError

LOCK = ".running"


@contextlib.contextmanager
def only_run_in(folder, option):
    """Keeps other processes out of a folder while the block lasts.

    The folder is made, and removed again when it is still empty at the end. The operating system ends the lock together
    with the process that holds it, also when that process is killed. So no lock is ever left behind. On a file system
    without locks the folder is not guarded.

    Args:
        folder: where a run writes.
        option: name of the option that gave it, for the error.

    Raises:
        UserError: another run is in the folder; names its process and host.
        OSError: the folder can't be written.
    """
    folder = Path(folder)
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    descriptor = _locked(path, option)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}, since {time.strftime('%F %T')}".encode())
    try:
        yield
    finally:
        # while the lock is still held, so that this never removes the file of another process
        path.unlink(missing_ok=True)
        os.close(descriptor)
        if made:
            with contextlib.suppress(OSError):  # the folder is not empty
                folder.rmdir()


def _locked(path, option):
    """A descriptor of the lock file, which no other process has locked and which still lies under its name."""
    try:
        import fcntl
    except ImportError:  # Windows
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 500).decode(errors="replace") or "another process"
            os.close(descriptor)
            raise UserError(
                f"option {option}: {path.parent} is used by another run ({holder}); wait for its end or stop it, or "
                "choose another folder"
            ) from None
        except OSError:  # a file system without locks
            return descriptor
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)  # the process that held the lock removed the file meanwhile
