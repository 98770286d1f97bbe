"""Arrays by name in .npz files. Imports no MindSpore."""

import numpy as np

from src.errors import UserError


def read_arrays(path, advice="copy or download it again") -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name. Objects, which a pickle would make, are refused.

    Args:
        path: the file.
        advice: the way out of a damaged file, for the error.

    Raises:
        UserError: not a file of arrays, or damaged.
        OSError: the file can't be read.
    """
    with open(path, "rb") as stream:
        try:
            loaded = np.load(stream, allow_pickle=False)
            # a single array has no `files`; a member that is no array comes as bytes
            arrays = {name: loaded[name] for name in loaded.files}
            if all(isinstance(array, np.ndarray) for array in arrays.values()):
                return arrays
        except Exception:  # noqa: BLE001  of zip, zlib and NumPy: a damaged file can lead them to any error
            pass
    raise UserError(f"{path}: not a .npz file of arrays, or damaged; {advice}")
