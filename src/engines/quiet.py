"""Silence for native code that complains while it tries."""

import os
import sys
import tempfile
from contextlib import contextmanager


@contextmanager
def quiet_unless_it_works():
    """Holds back the stderr of native code. The text is shown when the block ends well, and lost when it raises."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        stderr = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.truncate(0)
            raise
        finally:
            os.dup2(stderr, 2)
            kept.seek(0)
            os.write(stderr, kept.read())
            os.close(stderr)
