"""Errors of the disk, the memory or FFmpeg in the middle of a video, as one line for the user."""

import contextlib
import errno

from src.errors import UserError, os_error_line
from src.memory import describe_shortage, lacks_memory
from src.video.packages import import_av

# the disk or its permissions, not the video or its encoder (encoders of graphics cards say EPERM without a driver)
OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES)


class DiskRefuses(UserError):
    """A file can't be written, whatever is in it. Names a file of the run, so a service does not show the message."""


def is_of_the_disk(error) -> bool:
    """Whether an error says that a file can't be written, whatever is in it."""
    return isinstance(error, OSError) and error.errno in OF_THE_DISK


@contextlib.contextmanager
def told(content, output, shape, kept=""):
    """Turns errors of the block into a `UserError` that names the file and the way out.

    Args:
        content, output: the video and the file to write.
        shape: (height, width) of the frames.
        kept: part of a sentence that says what remains of the run; empty for nothing.
    """
    av, kept = import_av(), f"; {kept}" * bool(kept)
    try:
        yield
    except Exception as error:
        if lacks_memory(error):
            raise UserError(
                f"{content}: frames of {shape[1]} x {shape[0]} pixels need {describe_shortage()}; use a smaller --size"
                + kept
            ) from None
        if is_of_the_disk(error):
            line = os_error_line(OSError(error.errno, error.strerror, error.filename or str(output)))
            raise DiskRefuses(line + kept) from None
        if not isinstance(error, av.FFmpegError):
            raise
        raise UserError(f"{output}: FFmpeg can't write it ({error}); try another --codec or ending") from None
