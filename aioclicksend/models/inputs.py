"""What structs that are only sent have in common."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Input(Struct, kw_only=True, omit_defaults=True):
    """Part of a request.

    ``kw_only`` as an order of ten fields is not memorable; ``omit_defaults`` as the API takes an
    empty field for a value.
    """

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    def __rich_repr__(self) -> list[Any]:
        """Return nothing, as all of it may be personal; rich would show a Struct whole."""
        return []


class Sender(Input):
    """Who is seen as the sender by the recipients of one country ("smart assign")."""

    recipient_country_code: str
    sender_id: str | None = None
    sender_type: str | None = None
    """``shared_longcode`` is the documented one."""
    sender_country_code: str | None = None
