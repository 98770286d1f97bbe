"""Checks before the first step of a data-parallel run that all ranks have the same weights."""

import zlib

import numpy as np

from src.errors import UserError
from src.runtime import sum_over_ranks

HALF = 1 << 16  # a float32, which every collective takes, holds whole numbers up to 2**24


def checksum(parameters) -> int:
    """CRC-32 of the names and values of {name: `mindspore.Parameter`}."""
    total = 0
    for name, parameter in sorted(parameters.items()):
        total = zlib.crc32(np.ascontiguousarray(parameter.asnumpy()).tobytes(), zlib.crc32(name.encode(), total))
    return total


def check_same_weights(parameters, runtime, gather=sum_over_ranks):
    """Compares the weights of all ranks, by their checksums; every rank must call this.

    Args:
        parameters: {name: `mindspore.Parameter`} of this rank.
        runtime: `src.runtime.Runtime`.
        gather: function of an array (rank_size, 2), float32, that gives the sum over the ranks.

    Raises:
        UserError: weights differ; the error names the ranks that differ from the first.
    """
    if runtime.rank_size == 1:
        return
    mine = np.zeros((runtime.rank_size, 2), np.float32)
    mine[runtime.rank] = divmod(checksum(parameters), HALF)
    sums = gather(mine)
    others = [str(rank) for rank, found in enumerate(sums) if not np.array_equal(found, sums[0])]
    if others:
        raise UserError(
            f"the ranks do not start from the same weights: rank {', '.join(others)} differs from rank 0; give all the "
            "same --seed, the same weight files and the same --output_dir, on a disk that all servers share"
        )
