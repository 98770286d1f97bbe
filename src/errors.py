"""The one way a mistake of the user reaches the user: a line that names it, and an exit code."""

import contextlib
import errno
import os
import sys
from pathlib import Path

from src import signals
from src.user_error import UserError

# environment variable: file into which a process of scripts/launch.py writes the status of its work
STATUS_FILE = "RANK_STATUS_FILE"

# as the shell counts a program that SIGPIPE ended
PIPE_CLOSED = 141


def os_error_line(error: OSError) -> str:
    """Puts an operating-system error into one line that names the file and the way out."""
    where = f"{error.filename}: " if error.filename else ""
    hint = {
        errno.ENOSPC: "; free some space or choose a folder on another disk",
        errno.EACCES: "; choose a folder you may write to, or change its permissions",
        errno.EROFS: "; choose a folder on a disk that can be written",
        errno.EDQUOT: "; your disk quota is used up: free some space",
    }.get(error.errno, "")
    return f"{where}{error.strerror or error}{hint}"


def escape_unprintable():
    """Lets stdout and stderr take every name: what the terminal's encoding lacks, or is no text, is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # None without a terminal on Windows, or another object in a notebook
            stream.reconfigure(errors="backslashreplace")


def run_entry(main, argv=None) -> int:
    """Runs an entry point and turns mistakes of the user into one line on stderr.

    Under scripts/launch.py, the status is also left in a file: what comes after the work, such as MindSpore's own
    clean-up when Python ends, may crash, and the work is whole nevertheless.

    Args:
        main: function of the argument list, returning None or an exit code.
        argv: the arguments; None takes those of the process, and lets signals end it as `src.signals` says.

    Returns:
        0 when all went well, 2 for a mistake of the user and for a lack of memory, 130 after Ctrl-C (then the process
        ends here), 141 without a line when the program that reads stdout has ended, as after `| head`.
    """
    escape_unprintable()
    if argv is not None:
        return _run(main, argv)
    note = os.environ.pop(STATUS_FILE, "")
    signals.watch()
    try:
        status = _run(main, sys.argv[1:])
    finally:
        signals.watch_the_end()
    if note:
        _flush()
        Path(note).write_text(str(status), encoding="utf-8")
    return status


def _run(main, argv) -> int:
    """Runs `main` with the arguments; returns the exit code of `run_entry`."""
    from src.memory import describe_shortage, lacks_memory  # imported late: needs psutil, a missing one gets its line

    try:
        try:
            status = main(argv) or 0
        except SystemExit:  # of --help
            _flush()
            raise
        _flush()
        return status
    except (Exception, KeyboardInterrupt) as error:
        number = signals.received()
        # MindSpore, or a reader of files, may have turned the KeyboardInterrupt into another error
        if number is not None:
            signals.leave(number)
        if isinstance(error, BrokenPipeError) and error.filename is None:
            _drop_stdout()
            return PIPE_CLOSED
        if isinstance(error, UserError):
            print(f"error: {error}", file=sys.stderr)
        elif isinstance(error, ModuleNotFoundError) and _is_package(error.name):
            print(
                f"error: the package {error.name} is not installed in this Python; run 'pip install -r "
                "requirements.txt'",
                file=sys.stderr,
            )
        elif lacks_memory(error):
            # NumPy says how much; MindSpore says lines and frames of dashes
            detail = f" ({error})" if isinstance(error, MemoryError) and str(error) else ""
            print(
                f"error: memory: this run needs {describe_shortage()}{detail}; close other programs, or use smaller "
                "pictures, sizes or batches",
                file=sys.stderr,
            )
        elif isinstance(error, OSError):
            print(f"error: {os_error_line(error)}", file=sys.stderr)
        elif isinstance(error, KeyboardInterrupt):
            print("interrupted", file=sys.stderr)
            return 130
        else:
            raise
    return 2


def _is_package(name):
    """Whether a module that is missing is a package to install rather than a file that this project lacks."""
    return bool(name) and name.partition(".")[0] not in ("src", "benchmarks", "deploy", "scripts")


def _flush():
    """Writes what is buffered for stdout: Python's own flush at its end reports a closed pipe with a traceback."""
    if sys.stdout is not None:
        sys.stdout.flush()


def _drop_stdout():
    """Lets what is still buffered for a closed pipe go nowhere when Python ends."""
    with contextlib.suppress(OSError, ValueError):  # an object that is no file, as in a notebook
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
