"""An unfinished video: segments that are whole or absent, from which a run that was stopped goes on."""

import contextlib
import hashlib
import json
import os
import shutil
import zipfile
import zlib
from pathlib import Path

import numpy as np

from src.files import atomic_write
from src.lock import LOCK, only_run_in
from src.video.packages import import_av

# frames in a segment; a run that is stopped loses fewer than this
LENGTH = 24
# what NumPy and PyAV make of a damaged file
DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def fingerprint(source, model, wishes) -> str:
    """What a run's frames depend on, as 64 hexadecimal digits: the source, the model and everything in `wishes`.

    Args:
        source: the video's file, recognised by its size and the time of its last change.
        model: the files of the networks, recognised in the same way.
        wishes: options, as JSON can hold them; arrays as their bytes in hexadecimal.
    """
    files = [(str(Path(file).resolve()), *_size_and_time(file)) for file in (source, *model)]
    text = json.dumps([files, wishes], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _size_and_time(file):
    stat = Path(file).stat()
    return stat.st_size, stat.st_mtime_ns


@contextlib.contextmanager
def open_segments(output, key):
    """The `Segments` of an output, which no other run has meanwhile. A folder that holds no segment in the end goes.

    Args:
        output: the file that the segments become.
        key: from `fingerprint`; segments of another key are thrown away.

    Raises:
        UserError: another run makes the same output.
    """
    output = Path(output)
    folder = output.with_name(f".{output.name}.segments")
    with only_run_in(folder, "output"):
        segments = Segments(folder, key)
        try:
            yield segments
        finally:
            if not segments.done:
                segments.discard()
    with contextlib.suppress(OSError):  # the folder holds segments
        folder.rmdir()


class Segments:
    """The segments of one output, in a folder beside it. `open_segments` makes one.

    A segment is three files: the frames `000000.mkv`, the state `000000.state` that the next segment begins with, and,
    written last, the note `000000.npz` with the times of the frames. Only a segment that is as its note says counts.
    States are large, so the last two are kept.

    Args:
        folder: where the segments are; it exists.
        key: see `open_segments`.
    """

    def __init__(self, folder, key):
        self.folder, self.done = folder, 0
        note = self.folder / "key.txt"
        if not note.is_file() or note.read_bytes() != key.encode():
            self.discard()
            with atomic_write(note) as temporary:
                temporary.write_text(key, encoding="ascii")
        while self._is_whole(self.done):
            self.done += 1
        try:
            self.last_state()
        except DAMAGED:
            self.done = 0
        number = self.done
        while self._note(number).is_file():  # these segments follow one that is made anew
            self._note(number).unlink()
            number += 1

    def side(self, now) -> int:
        """The side of the tiles that all segments have: `now` for the first one, then that one's.

        Args:
            now: what the free memory allows at the moment, see `Stylizer.side`.
        """
        note = self.folder / "side.txt"
        if self.done:
            with contextlib.suppress(OSError, ValueError):
                return int(note.read_text(encoding="ascii"))
        with atomic_write(note) as temporary:
            temporary.write_text(str(now), encoding="ascii")
        return now

    def _note(self, number):
        return self.folder / f"{number:06d}.npz"

    def _state(self, number):
        return self.folder / f"{number:06d}.state"

    def video(self, number) -> Path:
        """The file of a segment's frames."""
        return self.folder / f"{number:06d}.mkv"

    def _is_whole(self, number):
        """Whether a segment's video has a packet for each time in its note, and the size that it had then."""
        if not self._note(number).is_file() or not self.video(number).is_file():
            return False
        av = import_av()
        try:
            with np.load(self._note(number)) as note:
                times, size = len(note["times"]), int(note["size"])
            if self.video(number).stat().st_size != size:
                return False
            with av.open(str(self.video(number))) as container:
                return sum(packet.size > 0 for packet in container.demux(video=0)) == times
        except (av.FFmpegError, *DAMAGED):
            return False

    @contextlib.contextmanager
    def new(self, times, state):
        """The next segment: yields the path at which its video is to be written, and counts it as done at the end.

        Args:
            times: list that has (pts, duration) of each of its frames when the block ends; with none there is no
                segment.
            state: function that gives {name: array} for the segment after it, called when the block ends.
        """
        number = self.done
        unfinished = self.folder / "unfinished.mkv"
        try:
            yield unfinished
            if times:
                self._finish(number, unfinished, times, state())
        finally:
            unfinished.unlink(missing_ok=True)

    def _finish(self, number, unfinished, times, state):
        with atomic_write(self.video(number)) as temporary:  # brings it to the disk, too
            os.replace(unfinished, temporary)
        with atomic_write(self._state(number)) as temporary, open(temporary, "wb") as file:
            np.savez(file, **state)
        with atomic_write(self._note(number)) as temporary, open(temporary, "wb") as file:
            np.savez(file, times=np.array(times, np.int64), size=self.video(number).stat().st_size)
        self._state(number - 2).unlink(missing_ok=True)
        self.done += 1

    def times(self, number) -> list:
        """(pts, duration) of each frame of a segment."""
        with np.load(self._note(number)) as note:
            return [(int(pts), int(duration)) for pts, duration in note["times"]]

    def last_state(self) -> dict:
        """The state after the last segment that is done; empty before the first."""
        if not self.done:
            return {}
        with np.load(self._state(self.done - 1)) as state:
            return {name: state[name] for name in state.files}

    def frames(self) -> int:
        """How many frames are done."""
        return sum(len(self.times(number)) for number in range(self.done))

    def discard(self):
        """Removes all segments."""
        self.done = 0
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != LOCK:
                path.unlink(missing_ok=True)
