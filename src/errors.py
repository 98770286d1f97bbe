"""The one way a mistake of the user reaches the user: a line that names it, and an exit code."""

import errno
import os
import sys
from pathlib import Path

# environment variable: file into which a process of scripts/launch.py writes the status of its work
STATUS_FILE = "RANK_STATUS_FILE"


class UserError(Exception):
    """What was found, what was expected, and the way out, in one line. Never shown with a traceback."""


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
        0 when all went well, 2 for a mistake of the user, 130 after Ctrl-C (then the process ends here).
    """
    escape_unprintable()
    note = os.environ.pop(STATUS_FILE, "") if argv is None else ""
    status = _run(main, argv)
    if note:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        Path(note).write_text(str(status), encoding="utf-8")
    return status


def _run(main, argv):
    from src import signals  # imported late, because src.signals imports this module

    if argv is None:
        signals.watch()
    try:
        return main(sys.argv[1:] if argv is None else argv) or 0
    except (Exception, KeyboardInterrupt) as error:
        number = signals.received()
        # MindSpore, or a reader of files, may have turned the KeyboardInterrupt into another error
        if number is not None:
            signals.leave(number)
        if isinstance(error, UserError):
            print(f"error: {error}", file=sys.stderr)
        elif isinstance(error, OSError):
            print(f"error: {os_error_line(error)}", file=sys.stderr)
        elif isinstance(error, KeyboardInterrupt):
            print("interrupted", file=sys.stderr)
            return 130
        else:
            raise
    return 2
