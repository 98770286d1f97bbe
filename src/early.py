"""Ctrl-C while a program still imports: one line, as later. `src/__init__.py` imports this module before all else.

`src.signals` takes over when the program has begun. A program of someone else who imports this project keeps its own
ways: only this project's own programs are meant.
"""

import os
import signal
import sys

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_FOLDERS = ("", "scripts", "benchmarks", "deploy", os.path.join("deploy", "triton"))
_PROGRAMS = tuple(os.path.normpath(os.path.join(_ROOT, folder)) for folder in _FOLDERS)


def _leave(*_):
    os.write(2, b"interrupted\n")
    os._exit(130)


def _is_ours() -> bool:
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    return bool(path) and os.path.dirname(os.path.abspath(path)) in _PROGRAMS


if _is_ours() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _leave)
