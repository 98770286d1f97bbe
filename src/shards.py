"""Parts of a list of files, one for each of several processes or machines."""

import os
from pathlib import Path

from src.errors import UserError

RANK = "rank"


def read_shard(text) -> tuple[int, int]:
    """(index, count) of "INDEX/COUNT"; of "rank", the environment variables RANK_ID and RANK_SIZE; (0, 1) of "".

    Raises:
        UserError: anything else, or variables that are not there.
    """
    if not text:
        return 0, 1
    said = f"option shard: found {text}"
    if text == RANK:
        text = "/".join(os.environ.get(name, "") for name in ("RANK_ID", "RANK_SIZE"))
        said += f" with RANK_ID/RANK_SIZE {text} in the environment"
    index, _, count = text.partition("/")
    numbers = index.isdecimal() and count.isdecimal()
    if not numbers or int(index) >= int(count):
        raise UserError(f"{said}, expected INDEX/COUNT with INDEX from 0 to COUNT - 1, such as 0/2 and 1/2")
    return int(index), int(count)


def take_shard(items, text) -> list:
    """Every COUNT-th of a sorted list from INDEX on, so that all shards together are the list, each item once.

    Raises:
        UserError: see `read_shard`; or fewer items than shards leave nothing for this one.
    """
    index, count = read_shard(text)
    taken = items[index::count]
    if items and not taken:
        raise UserError(f"option shard: {text} is empty, there are only {len(items)} contents; use fewer shards")
    return taken


def shard_folder(folder, text) -> Path:
    """Where a shard writes what other shards would write under the same name; the folder itself without shards."""
    index, count = read_shard(text)
    return Path(folder) / f"shard_{index}_of_{count}" if text else Path(folder)
