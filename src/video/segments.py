"""A video in the making: segments that are whole or absent, so that a run that was stopped goes on."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np

from src.files import atomic_write

# frames in a segment: what is lost at most when a run is stopped
LENGTH = 48


def fingerprint(source, wishes) -> str:
    """What a run's frames depend on, as 64 hexadecimal digits: the source file and everything in `wishes`.

    Args:
        source: the video's file, known by its size and the time of its last change.
        wishes: what JSON can hold, arrays as their bytes in hexadecimal.
    """
    stat = Path(source).stat()
    text = json.dumps([str(Path(source).resolve()), stat.st_size, stat.st_mtime_ns, wishes], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Segments:
    """The segments of one output, in a folder beside it.

    A segment is a video file `000000.mkv` and, written after it, `000000.npz`: the times of its frames and the state
    that the next segment begins with. Only a segment with both counts.

    Args:
        output: the file that the segments become.
        key: from `fingerprint`; segments of another key are thrown away.
    """

    def __init__(self, output, key):
        output = Path(output)
        self.folder = output.with_name(f".{output.name}.segments")
        note = self.folder / "key.txt"
        if not note.is_file() or note.read_text(encoding="ascii") != key:
            self.discard()
            self.folder.mkdir(parents=True)
            with atomic_write(note) as temporary:
                temporary.write_text(key, encoding="ascii")
        self.done = 0
        while self._note(self.done).is_file():
            self.done += 1

    def _note(self, number):
        return self.folder / f"{number:06d}.npz"

    def video(self, number) -> Path:
        """The file of a segment's frames."""
        return self.folder / f"{number:06d}.mkv"

    def finish(self, times, state):
        """Counts the next segment as done, whose video file is written.

        Args:
            times: (pts, duration) of each of its frames.
            state: {name: array} for the segment after it.
        """
        with atomic_write(self._note(self.done)) as temporary, open(temporary, "wb") as file:
            np.savez(file, times=np.array(times, np.int64), **{f"state_{name}": array for name, array in state.items()})
        self.done += 1

    def times(self, number) -> list:
        """(pts, duration) of each frame of a segment."""
        with np.load(self._note(number)) as note:
            return [(int(pts), int(duration)) for pts, duration in note["times"]]

    def last_state(self) -> dict:
        """The state after the last segment that is done; empty before the first."""
        if not self.done:
            return {}
        with np.load(self._note(self.done - 1)) as note:
            return {name[len("state_") :]: note[name] for name in note.files if name.startswith("state_")}

    def frames(self) -> int:
        """How many frames are done."""
        return sum(len(self.times(number)) for number in range(self.done))

    def discard(self):
        """Removes the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
