"""Find what stands under a method and a path with values in it."""

from __future__ import annotations

from typing import Generic, TypeVar
from urllib.parse import unquote

T = TypeVar("T")


class PathTable(Generic[T]):
    """Paths with places for values, the first added found first."""

    def __init__(self) -> None:
        # By length, so that a request is compared with a few routes and not with all.
        self._entries: dict[tuple[str, int], list[tuple[list[str], T]]] = {}

    def add(self, method: str, path: str, entry: T) -> None:
        """Put something under a path such as `/v3/lists/{list_id}`."""
        pieces = path.split("/")
        self._entries.setdefault((method, len(pieces)), []).append((pieces, entry))

    def find(self, method: str, raw_path: str) -> tuple[T, dict[str, str]] | None:
        """Return what stands under a path, and the values in the path."""
        pieces = raw_path.split("/")
        for template, entry in self._entries.get((method, len(pieces)), ()):
            values: dict[str, str] = {}
            for expected, piece in zip(template, pieces, strict=True):
                if expected.startswith("{"):
                    # `/v3/lists/` is no list without an id: the live API answers that the endpoint
                    # is invalid.
                    if not piece:
                        break
                    # Decoded after the split: %2F in an id is no separator.
                    values[expected[1:-1]] = unquote(piece)
                elif expected != piece:
                    break
            else:
                return entry, values
        return None
