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
from pathlib import Path
from typing import BinaryIO, TextIO

from .errors import CampaignError

_CHUNK = 1 << 20
_HEAD = 1 << 16

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_has_controls = re.compile(rb"[\x00-\x08\x0e-\x19\x1c-\x1f]").search
_UNDEFINED_IN_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")

Input = str | os.PathLike[str] | BinaryIO | bytes
"""The path of a file, an open one, or its bytes."""


class File:
    """An input that was read through once, so that it can be described."""

    def __init__(self, source: Input) -> None:
        self._kept: BinaryIO | None = None
        if isinstance(source, str | os.PathLike):
            self._path = Path(source)
            self.name = self._path.name
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
            return self._path.open("rb")
        self._kept.seek(0)
        return os.fdopen(os.dup(self._kept.fileno()), "rb")

    def text(self, encoding: str) -> TextIO:
        """Return it as text, with its line ends.

        Raises:
            CampaignError: there is no such encoding.

        """
        file = self.open()
        try:
            return io.TextIOWrapper(file, encoding, newline="")
        except LookupError:
            file.close()
            raise CampaignError(f"encoding: there is none called {encoding!r}") from None

    def encoding(self) -> str:
        """Return the encoding it is most probably in.

        Raises:
            CampaignError: it is no text.

        """
        for bom, encoding in _BOMS:
            if self.head.startswith(bom):
                return encoding
        if wide := _utf16_without_bom(self.head):
            return wide
        if _has_controls(self.head):
            raise CampaignError(
                f"{self.name} is a binary file: save the list as CSV, XLSX or NDJSON"
            )
        if self.is_utf8:
            return "utf-8"
        return "latin-1" if self.is_latin1 else "cp1252"

    def _survey(self) -> None:
        digest = hashlib.blake2b(digest_size=16)
        decoder = codecs.getincrementaldecoder("utf-8")()
        self.size, self.head, self.is_utf8, self.is_latin1 = 0, b"", True, False
        with self.open() as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                self.size += len(chunk)
                self.head = self.head or chunk[:_HEAD]
                if self.is_utf8:
                    self.is_utf8 = _decodes(decoder, chunk)
                # Latin-1 holds control characters where Windows has quotes and dashes.
                self.is_latin1 = self.is_latin1 or bool(_UNDEFINED_IN_CP1252.search(chunk))
        self.is_utf8 = self.is_utf8 and _decodes(decoder, b"", final=True)
        self.fingerprint = digest.hexdigest()


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


def _utf16_without_bom(head: bytes) -> str | None:
    """Return the UTF-16 in which every other byte of Western text is zero."""
    half = len(head) // 2
    if head[1::2].count(0) > half * 0.6 and not head[::2].count(0):
        return "utf-16-le"
    if head[::2].count(0) > half * 0.6 and not head[1::2].count(0):
        return "utf-16-be"
    return None
