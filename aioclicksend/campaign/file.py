"""Bytes to read again and again: a file, or a stream that is kept in one."""

from __future__ import annotations

import codecs
import hashlib
import io
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from ..errors import CampaignError
from ..files import open_regular
from . import encoding
from .encoding import Encoding

_CHUNK = 1 << 20
_HEAD = 1 << 16
_MOST_CONTROLS = 0.05
"""The part of control characters beyond which a file is no text."""

_controls = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MAGIC = {
    b"%PDF": "a PDF file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"\x1f\x8b": "a compressed file",
    b"Rar!": "a compressed file",
    b"7z\xbc\xaf": "a compressed file",
    b"{\\rtf": "a text document (RTF)",
    b"SQLite format 3": "a database",
}
_is_web_page = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*"
    rb"(?:<(?:!doctype html|html|table|head|body|meta|\?xml|Workbook)|MIME-Version:)",
    re.IGNORECASE,
).match

Input = str | os.PathLike[str] | BinaryIO | bytes
"""The path of a file, an open one, or its bytes."""


class File:
    """An input that was read through once, so that it can be described."""

    def __init__(self, source: Input) -> None:
        self._kept: BinaryIO | None = None
        if isinstance(source, str | os.PathLike):
            self._path = Path(source)
            self.name: str = self._path.name
        else:
            stream = io.BytesIO(source) if isinstance(source, bytes) else source
            self.name = _name_of(stream)
            self._kept = _kept(stream)
            weakref.finalize(self, self._kept.close)
        try:
            self._survey()
        except OSError as error:
            raise CampaignError(f"{self.name} cannot be read: {error.strerror}") from None
        if not self.size:
            raise CampaignError(f"{self.name} is empty")

    def open(self) -> BinaryIO:
        """Return it, from its start. A kept stream can be read once at a time."""
        if self._kept is None:
            return open_regular(self._path)
        self._kept.seek(0)
        return os.fdopen(os.dup(self._kept.fileno()), "rb")

    def text(self, encoding: Encoding) -> TextIO:
        """Return it as text, with its line ends.

        Raises:
            CampaignError: there is no such encoding.

        """
        file = self.open()
        try:
            return io.TextIOWrapper(file, encoding.name, encoding.errors, newline="")
        except LookupError:
            file.close()
            raise CampaignError(f"encoding: there is none called {encoding.name!r}") from None

    def encoding(self) -> Encoding:
        """Return the encoding it is in.

        Raises:
            CampaignError: it is no text, or in one of several encodings.

        """
        # By its content: people rename an XLSX to .csv, hoping that this converts it.
        kind = next((kind for magic, kind in _MAGIC.items() if self.head.startswith(magic)), "")
        if kind:
            raise CampaignError(
                f"{self.name} is a binary file ({kind}): save the list as CSV, XLSX or NDJSON"
            )
        if _is_web_page(self.head):
            raise CampaignError(
                f"{self.name} is a web page (HTML), not a spreadsheet: open it and save it as XLSX"
            )
        if (known := encoding.by_first_bytes(self.head)) is not None:
            return known
        with _unclear(self.name):
            encoding.check_shifts(self.head)
        head = self.head.rstrip(b"\0\x1a") if self.size <= _HEAD else self.head
        if len(_controls.findall(head)) > max(2, len(head) * _MOST_CONTROLS):
            raise CampaignError(
                f"{self.name} is a binary file: save the list as CSV, XLSX or NDJSON"
            )
        if self.is_utf8:
            return Encoding("utf-8")
        with _unclear(self.name), self.open() as file:
            return encoding.of_eight_bits(file)

    def _survey(self) -> None:
        digest = hashlib.blake2b(digest_size=16)
        decoder = codecs.getincrementaldecoder("utf-8")()
        self.size: int = 0
        self.head: bytes = b""
        self.is_utf8: bool = True
        self.is_plain: bool = True
        before = b""
        with self.open() as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                self.size += len(chunk)
                self.head = self.head or chunk[:_HEAD]
                if self.is_plain:
                    # Nothing in it that needs more cleaning than blanks.
                    self.is_plain = (
                        chunk.isascii()
                        and b'="' not in chunk
                        and before + chunk[:1] != b'="'
                        and not _controls.search(chunk)
                    )
                    before = chunk[-1:]
                if self.is_utf8:
                    self.is_utf8 = _decodes(decoder, chunk)
        self.is_utf8 = self.is_utf8 and _decodes(decoder, b"", final=True)
        self.fingerprint: str = digest.hexdigest()


@contextmanager
def _unclear(name: str) -> Iterator[None]:
    """Ask for the encoding of a file where nothing decides between several."""
    try:
        yield
    except encoding.Unclear as error:
        raise CampaignError(
            f"{name} is not in UTF-8, and {error}; give it with --encoding NAME, or save the file "
            "as UTF-8"
        ) from None


def _name_of(stream: BinaryIO) -> str:
    name = getattr(stream, "name", None)
    return Path(name).name if isinstance(name, str) and name[:1] != "<" else "the input"


def _kept(stream: BinaryIO) -> BinaryIO:
    file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115
    shutil.copyfileobj(stream, file, _CHUNK)
    file.flush()
    return file


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True
