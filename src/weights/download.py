"""Downloads torchvision's pretrained networks. A file is whole or absent; a broken download goes on where it broke."""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from src.errors import UserError

SERVER = "https://download.pytorch.org/models"
_BLOCK = 1 << 20
_PATIENCE = 30  # seconds without a byte
# how often a broken connection is opened again, as long as each one transferred some bytes
_TRIES = 5


@dataclass(frozen=True)
class Weights:
    """A file of torchvision's.

    Attributes:
        file: its name, which has the first eight digits of its SHA-256.
        size: bytes.
        sha256: hexadecimal.
        checkpoint: what `src.weights.convert.convert` makes of it.
    """

    file: str
    size: int
    sha256: str
    checkpoint: str


WEIGHTS = {
    "vgg16": Weights(
        "vgg16-397923af.pth",
        553_433_881,
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        "vgg16.ckpt",
    ),
    "vgg19": Weights(
        "vgg19-dcbb9e9d.pth",
        574_673_361,
        "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
        "vgg19.ckpt",
    ),
    "inception_v3": Weights(
        "inception_v3_google-0cc3c7bd.pth",
        108_949_747,
        "0cc3c7bd75056d25e46cba549dc184522069b81e9787eff6df84f397bd52a5ef",
        "inceptionv3.ckpt",
    ),
}


def download(weights, folder, server=SERVER, progress=None) -> Path:
    """The file, downloaded unless it exists already. NAME.part keeps the bytes of a broken download for the next try.

    Args:
        weights: `Weights`.
        folder: where the file goes.
        server: the address up to the file's name.
        progress: function of the bytes that have arrived and of all bytes; or None.

    Raises:
        UserError: no connection, no such file there, or other bytes than those of the checksum.
    """
    path = Path(folder) / weights.file
    part, address = path.with_name(f"{weights.file}.part"), f"{server.rstrip('/')}/{weights.file}"
    if path.is_file():
        _check(path, weights, address)
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    for number in range(_TRIES):
        before = _size(part)
        try:
            _fetch(address, part, weights.size, progress)
        except urllib.error.HTTPError as error:
            raise UserError(f"{address}: the server answers {error.code} {error.reason}; {_by_hand(address)}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            # no bytes arrived, so another try would be in vain
            if _size(part) == before or number == _TRIES - 1:
                reason = getattr(error, "reason", None) or error or type(error).__name__
                there = f" ({_size(part)} of {weights.size} bytes are there, and kept)" if _size(part) else ""
                raise UserError(f"{address}: no connection: {reason}{there}; {_by_hand(address)}") from None
        if _size(part) >= weights.size:
            break
    else:
        raise UserError(
            f"{address}: the connection ended {_TRIES} times, {_size(part)} of {weights.size} bytes are there; run the "
            "same command again to go on"
        )
    _check(part, weights, address)
    os.replace(part, path)
    return path


def _fetch(address, part, size, progress):
    """Appends to `part` the bytes that follow those in it, until the connection ends."""
    start = _size(part)
    if start >= size:
        return
    headers = {"User-Agent": "style_transfer"} | ({"Range": f"bytes={start}-"} if start else {})
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=_PATIENCE) as answer:
        whole = answer.status != 206  # a server that can't go on in the middle sends the file from its first byte
        with part.open("wb" if whole else "ab") as stream:
            done = 0 if whole else start
            # one byte beyond the size shows that the file is another one
            while block := answer.read(min(_BLOCK, size + 1 - done)):
                stream.write(block)
                done += len(block)
                if progress:
                    progress(done, size)


def _check(path, weights, address):
    """Removes a file whose checksum is wrong.

    Raises:
        UserError: the checksum is wrong.
    """
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            found.update(block)
    if found.hexdigest() == weights.sha256:
        return
    size = _size(path)
    path.unlink()
    raise UserError(
        f"{path}: found {size} bytes with the SHA-256 {found.hexdigest()[:8]}..., expected {weights.size} with "
        f"{weights.sha256[:8]}...; the file is removed. Run the same command again; where it happens again, something "
        f"between here and {address} changes files"
    )


def _size(path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _by_hand(address) -> str:
    return (
        "behind a proxy set HTTPS_PROXY=http://host:port; without internet fetch this address on another machine and "
        f"run 'python scripts/convert_weights.py {address.rpartition('/')[2]} pretrained_model' with the file"
    )
