"""Fetching a file to disk, whole or not at all."""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path
from typing import BinaryIO

from yarl import URL

from .config import is_loopback, loopback_origin
from .session import Session
from .wire import Request


async def download(session: Session, url: str, path: Path) -> Path:
    """Fetch a file and write it to a path.

    Raises:
        ValueError: the address does not begin with ``https://``, or holds credentials.
        OSError: the file cannot be written, or the path is a directory or a device.

    """
    address = _checked(url, loopback=loopback_origin(session.base_url) is not None)
    # Beside its target, so that the last step is a rename within one file system. The name is
    # random: two downloads to one path must not write into each other.
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    file = _created(part, path)
    try:
        request = Request("GET file", "GET", str(address), repeatable=True, sink=_Writer(file))
        await session.exchange(request, lambda _reply: None)
        # The disk may be slow, and a whole export is written at once.
        await asyncio.to_thread(_stored, file)
        part.replace(path)
    finally:
        file.close()
        part.unlink(missing_ok=True)
    return path


def _checked(url: str, *, loopback: bool) -> URL:
    """Return the address of a file.

    Args:
        url: the address, which a server may have given.
        loopback: whether the API itself is on this machine. Only then may a file be: otherwise the
            address would make this program ask services that trust this machine alone.

    Raises:
        ValueError: it must not be used.

    """
    try:
        address = URL(url)
    except ValueError:
        address = URL()
    here = loopback and address.scheme == "http" and is_loopback(address.host or "")
    if not address.host or not (address.scheme == "https" or here):
        raise ValueError("the address of a file must begin with https://")
    # They would be sent to any host that the server names.
    if address.user is not None or address.password is not None:
        raise ValueError("the address of a file must not hold credentials")
    return address


def _created(path: Path, final: Path) -> BinaryIO:
    """Create a file that only its owner can read, as an export lists people.

    Raises:
        OSError: it cannot be created, or its final path is a directory or a device.

    """
    if final.exists() and not final.is_file():
        raise OSError(f"{final.name} is no regular file, and would be replaced")
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")


def _stored(file: BinaryIO) -> None:
    """Wait until a file is on the disk: renamed before that, it could be empty after a crash."""
    file.flush()
    os.fsync(file.fileno())


class _Writer:
    """Takes the body of a reply into a file; each attempt starts it again."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    async def begin(self) -> None:
        # A second attempt begins at the first byte: the reply of the first one may have been cut.
        self._file.seek(0)
        self._file.truncate()

    async def write(self, chunk: bytes) -> None:
        await asyncio.to_thread(self._file.write, chunk)
