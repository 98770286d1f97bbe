"""How far long work is: a bar with the time left on a terminal, a line for each report elsewhere."""

import importlib.util
import sys

_BAR = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining} {postfix}"


class Progress:
    """The progress of several parts of one size, such as pictures. A context manager: the bar disappears at the end.

    tqdm draws the bar where it is installed, on a terminal. Without it the work is the same, so it is no requirement.

    Args:
        total: how many parts there are.
    """

    def __init__(self, total):
        self._done, self._bar = 0, None
        if sys.stderr.isatty() and importlib.util.find_spec("tqdm"):
            from tqdm import tqdm

            self._bar = tqdm(total=total, bar_format=_BAR, file=sys.stderr, leave=False)

    def within(self, done, total, text=""):
        """Reports that `done` of `total` steps of the present part are done, with a text."""
        if self._bar is None:
            if text:
                print(f"{done}/{total}  {text}", file=sys.stderr, flush=True)
            return
        self._bar.n = self._done + done / total
        self._bar.set_postfix_str(text)

    def finish_part(self, text=""):
        """Counts the present part as done, and prints a text to stdout."""
        self._done += 1
        if self._bar is not None:
            self._bar.clear()
        if text:
            print(text, flush=self._bar is not None)
        if self._bar is not None:
            self._bar.n = self._done
            self._bar.refresh()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._bar is not None:
            self._bar.close()
