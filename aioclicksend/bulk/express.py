"""The usual case, a whole batch at a time.

A campaign's messages are mostly alike: a number in E.164, a text, nothing else out of the
ordinary. Then what has to be done for each of a thousand messages (check it, give it a ref, write
it as JSON) can be done for all of them in a few passes that run in C, at a fifth of the cost; what
reads the replies does likewise. Whatever is not as usual is left to the code that looks at one
message after the other, and both must say the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from ..models.messages import Message

_NUMBERS = re.compile(r"(?:\+[1-9][0-9]{6,14}\n)+").fullmatch
_SUFFIXES = [f"{number:x}" for number in range(1000)]
_encode = msgspec.json.Encoder().encode


def body_of(
    messages: Sequence[Any], kind: type[Message], prefix: str
) -> tuple[list[str], bytes] | None:
    """Return refs and request body of messages that are all as usual, None if one is not.

    Messages without a ref are given one that begins with `prefix`; either all have one or none.
    """
    if set(map(type, messages)) != {kind} or len(messages) > len(_SUFFIXES):
        return None
    if any(
        [it.list_id is not None or it.schedule is not None for it in messages]  # noqa: C419 - faster
    ):
        return None
    given = [message.custom_string for message in messages]
    try:
        numbers = "\n".join([message.to for message in messages]) + "\n"
        if not _NUMBERS(numbers) or numbers.count("\n") != len(messages):
            return None
        if not all(map(str.strip, [message.body for message in messages])):
            return None
        if not any(given):
            given = list(map(prefix.__add__, _SUFFIXES[: len(messages)]))
            messages = list(map(kind.__copy__, messages))  # type: ignore[attr-defined]
            for message, ref in zip(messages, given, strict=True):
                message.custom_string = ref
        elif not all(map(str.strip, given)):
            return None
        body = _encode({"messages": messages})
    except (TypeError, UnicodeEncodeError):  # no text, or half a character
        return None
    return given, body
