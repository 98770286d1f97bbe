"""Ctrl-C, a lost terminal and `kill`: one line, nothing half written, and a status that says so.

MindSpore puts a handler of its own in the place of Python's for SIGINT, which sends the process a SIGTERM. So both of
them mean Ctrl-C here: status 130. SIGHUP gives 129. A signal that was ignored at the start (`nohup`) stays ignored.
"""

import contextlib
import os
import signal
import socket
import sys
import threading

from src.files import remove_unfinished

STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
# seconds that Python has to notice a signal; a computation in C++ can keep it waiting for minutes
PATIENCE = 3.0

_received = []
_said = threading.Lock()


def heeded() -> list:
    """The signals that end a program, without those that it was started to ignore."""
    return [number for number in STOPPING if signal.getsignal(number) not in (signal.SIG_IGN, None)]


def status(number) -> int:
    """The exit status for a signal: 129 for SIGHUP, 130 otherwise."""
    return 129 if number == getattr(signal, "SIGHUP", None) else 130


def received() -> int | None:
    """The first signal since `watch`, or None."""
    return _received[0] if _received else None


def _stop(number, frame):
    _received.append(number)
    if len(_received) > 1:  # a second one must not stop the cleaning up
        return
    while frame is not None:
        if str(frame.f_globals.get("__name__")).startswith("mindspore"):
            # MindSpore's compiler reports an exception on the screen and in files
            leave(number)
        frame = frame.f_back
    raise KeyboardInterrupt


class Interrupt:
    """While the block lasts, a signal is noted, and the program stops when its work allows.

    Attributes:
        number: of the first signal, or None.
    """

    def __enter__(self):
        self.number = None
        self._before = {number: signal.signal(number, self._note) for number in heeded()}
        return self

    def _note(self, number, _):
        self.number = self.number or number

    @property
    def wanted(self) -> bool:
        """Whether a signal came."""
        return self.number is not None

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)


def watch():
    """Lets a signal raise KeyboardInterrupt in the main thread, and ends a process that does not react in time.

    A program that sets handlers of its own afterwards, as training does to save first, has all the time that it needs.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    for number in heeded():
        signal.signal(number, _stop)
    threading.Thread(target=_end_when_late, args=(reader, writer), daemon=True).start()


def _leave_now(number, _):
    leave(number)


def watch_the_end():
    """Lets a signal end the process at once: its work is done, and nobody is left to catch a KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in STOPPING:
        if signal.getsignal(number) is _stop:
            signal.signal(number, _leave_now)


def _end_when_late(reader, _writer):
    """Ends the process when a signal has been waiting for too long.

    Python writes the number of each signal to the other end of `reader` at once, whatever the main thread is doing.
    """
    while True:
        number = reader.recv(1)[0]
        if signal.getsignal(number) in (_stop, _leave_now):
            break
    reader.settimeout(PATIENCE)
    with contextlib.suppress(TimeoutError):
        reader.recv(1)  # a second signal ends the process now
    leave(number)


def leave(number):
    """Ends the process now, after a line: unwinding MindSpore in the middle of its work may hang or crash."""
    if _said.acquire(blocking=False):
        with contextlib.suppress(OSError, ValueError):  # the terminal may be gone
            sys.stdout.flush()
        with contextlib.suppress(OSError, ValueError):
            print("\ninterrupted" if sys.stderr.isatty() else "interrupted", file=sys.stderr, flush=True)
    remove_unfinished()
    os._exit(status(number))
