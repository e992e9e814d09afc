"""Uploads: files for MMS, fax, post and imports of contacts."""

import asyncio
import base64
import errno
from collections.abc import AsyncIterable
from os import PathLike
from pathlib import Path
from typing import Literal

from .. import rest, wire
from ..files import open_regular
from ..models.base import read
from ..models.files import Upload

Convert = Literal["fax", "mms", "csv", "post", "postcard"]

MAX_SIZE = 10 * 2**20
"""Bytes of a file, by default: the API documents no limit, but takes a file in one piece."""

_MMS_SIZE = 250 * 1024
"""https://developers.clicksend.com/docs/messaging/mms/ (Maximum File Size)"""

_MARKS = {
    b"\xff\xd8\xff": "jpg",
    b"GIF8": "gif",
    b"\x89PNG\r\n\x1a\n": "png",
    b"BM": "bmp",
    b"%PDF-": "pdf",
    b"{\\rtf": "rtf",
    b"PK\x03\x04": "docx or xlsx",
    b"\xd0\xcf\x11\xe0": "doc or xls",
}
"""By what bytes a kind of file begins."""

_DOCUMENTS = ("pdf", "docx or xlsx", "doc or xls", "rtf")
_PICTURES = ("jpg", "gif", "png", "bmp")

_TAKES: dict[Convert, tuple[str, ...]] = {
    "fax": _DOCUMENTS,
    "mms": _PICTURES,
    "csv": ("text", "docx or xlsx", "doc or xls"),
    "post": _DOCUMENTS,
    "postcard": (*_DOCUMENTS, *_PICTURES),
}
"""https://developers.clicksend.com/docs/messaging/fax, …/mms, …/post/postcards (Supported File
Types); nothing is said of csv."""


class Uploads(rest.Group):
    """Files that other operations refer to by their address."""

    async def create(
        self,
        source: str | PathLike[str] | bytes | AsyncIterable[bytes],
        *,
        convert: Convert,
        max_size: int = MAX_SIZE,
    ) -> Upload:
        """Upload a file and have it converted. Use it at once: it lives ten minutes.

        Args:
            source: the path of a file, its bytes, or a stream of them.
            convert: what it is for.
            max_size: bytes above which nothing is sent.

        Raises:
            ValueError: the file is empty, too large, no regular file, or of a kind that cannot be
                converted.
            OSError: the file cannot be read.

        """
        content = await _content(source, max_size)
        _check(content, convert)
        return await self._call(
            self._create,
            query=wire.query_for({"convert": convert}),
            body=wire.body_for({"content": base64.b64encode(content).decode(), "convert": convert}),
            decode=lambda data: read(Upload, data),
        )

    _create = rest.register("POST", "/v3/uploads", create)


async def _content(source: str | PathLike[str] | bytes | AsyncIterable[bytes], limit: int) -> bytes:
    """Return the bytes of a source, without reading much more than the limit.

    Raises:
        ValueError: there are more.

    """
    if isinstance(source, str | PathLike):
        content = await asyncio.to_thread(_beginning, Path(source), limit + 1)
    elif isinstance(source, AsyncIterable):
        collected = bytearray()
        # Read until the limit is passed, not to the end: a stream need not have one.
        async for chunk in source:
            collected += chunk
            if len(collected) > limit:
                break
        content = bytes(collected)
    else:
        content = source
    if len(content) > limit:
        raise ValueError(f"the file has more than {limit} bytes: see max_size")
    return content


def _beginning(path: Path, size: int) -> bytes:
    """Return the first bytes of a regular file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no regular file; a pipe or a device could block forever.

    """
    try:
        with open_regular(path) as file:
            return file.read(size)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise ValueError(f"{path.name} is no regular file: give its bytes instead") from None


def _check(content: bytes, convert: Convert) -> None:
    """Check what can be known to be refused before a file is sent.

    Raises:
        ValueError: the file is empty, or neither kind nor size is right.

    """
    if convert not in _TAKES:
        raise ValueError(f"convert must be one of {', '.join(_TAKES)}")
    if not content:
        raise ValueError("the file is empty")
    # The name of a file says nothing: people rename pictures. Its first bytes decide.
    kind = _kind(content)
    if kind not in _TAKES[convert]:
        raise ValueError(
            f"convert={convert!r} takes {', '.join(_TAKES[convert])} files, "
            f"and this is {'a ' + kind + ' file' if kind else 'of no known kind'}"
        )
    # Other pictures are converted, and may shrink by it.
    if convert == "mms" and kind in ("jpg", "gif") and len(content) > _MMS_SIZE:
        raise ValueError(f"the picture has {len(content)} bytes; an MMS takes {_MMS_SIZE}")


def _kind(content: bytes) -> str | None:
    for mark, kind in _MARKS.items():
        if content.startswith(mark):
            return kind
    if b"%PDF-" in content[:1024]:
        return "pdf"  # readers take what stands before it
    is_text = b"\0" not in content[:4096] or content.startswith((b"\xff\xfe", b"\xfe\xff"))
    return "text" if is_text else None
