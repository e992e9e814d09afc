"""What the sandbox remembers, row by row."""

from __future__ import annotations

import random
from typing import Any

_random = random.Random()


class Record(dict[str, Any]):
    """One row the sandbox remembers; `record["to"]` and `record.to` are the same.

    `from` is a keyword, so as an attribute it is `record.from_`.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self["from" if name == "from_" else name]
        except KeyError:
            raise AttributeError(name) from None


def new_id() -> str:
    """Return a message id: an upper-case UUID."""
    # Not uuid.uuid4: a thousand of those are a third of the cost of a full send.
    digits = f"{_random.getrandbits(128):032X}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-A{digits[17:20]}-{digits[20:]}"
