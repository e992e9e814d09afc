"""Messages as a journal holds them. Pure."""

from __future__ import annotations

import msgspec
from msgspec import Struct


class Known(Struct):
    """A message of the journal."""

    row: int
    ref: str
    body: bytes
    state: str
    """``planned``, ``in_doubt`` or one of the states of a result."""
    message_id: str | None = None
    parts: int | None = None
    price: str | None = None
    reason: str | None = None
    kind: str | None = None
    batch: int | None = None
    intent: float = 0.0


class _Refs(Struct):
    messages: list[_Ref]


class _Ref(Struct):
    custom_string: str


class _Bodies(Struct):
    messages: list[msgspec.Raw]


_refs = msgspec.json.Decoder(_Refs).decode
_bodies = msgspec.json.Decoder(_Bodies).decode


def refs_of(chunk: str) -> list[str]:
    """Return the refs of the messages of a chunk."""
    return [it.custom_string for it in _refs(chunk).messages]


def bodies_of(chunk: str | bytes) -> list[bytes]:
    """Return the messages of a chunk, or of a request, word for word."""
    return [bytes(it) for it in _bodies(chunk).messages]
