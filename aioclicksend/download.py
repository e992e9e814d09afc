"""Fetching a file to disk, whole or not at all."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import BinaryIO

from yarl import URL

from .config import is_loopback
from .session import Session
from .wire import Request


async def download(session: Session, url: str, path: Path) -> Path:
    """Fetch a file and write it to a path.

    Raises:
        ValueError: the address does not begin with ``https://``.
        OSError: the file cannot be written.

    """
    address = URL(url)
    here = address.scheme == "http" and is_loopback(address.host or "")
    if not address.host or not (address.scheme == "https" or here):
        raise ValueError("the address of a file must begin with https://")
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    file = _created(part)
    try:
        request = Request("GET file", "GET", str(address), repeatable=True, sink=_Writer(file))
        await session.exchange(request, lambda _reply: None)
        file.close()
        part.replace(path)
    finally:
        file.close()
        part.unlink(missing_ok=True)
    return path


def _created(path: Path) -> BinaryIO:
    return path.open("xb")


class _Writer:
    """Takes the body of a reply into a file; each attempt begins it anew."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    async def begin(self) -> None:
        self._file.seek(0)
        self._file.truncate()

    async def write(self, chunk: bytes) -> None:
        await asyncio.to_thread(self._file.write, chunk)
