"""Who asked not to be written to any more: opt-out words, and how numbers are compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# The words of the CTIA and of US carriers; a reply consists of one of them and nothing else.
_WORDS = ("stop", "stopall", "stop all", "quit", "end", "revoke", "opt out", "optout", "opt-out",
          "cancel", "unsubscribe")  # fmt: skip

_NO_WORD = re.compile(r"[\W_]+")
_NO_DIGIT = re.compile(r"\D+", re.ASCII)

LOCAL_DIGITS = 7
"""Digits from which a local number is compared with the ends of suppressed ones."""


class OptOutWords:
    """Recognizes replies that ask not to be written to any more.

    The whole message is compared, in any case and form of Unicode, without blanks and punctuation
    around or between: ``STOP!`` opts out, ``stop by at noon`` does not.

    Args:
        words: further words or phrases, such as ``arrêt``.
        defaults: whether the usual English ones count, too.

    """

    def __init__(self, words: Iterable[str] = (), *, defaults: bool = True) -> None:
        if isinstance(words, str):
            raise TypeError("words: must be a list of words, not one text")
        wanted = (*_WORDS, *words) if defaults else tuple(words)
        self._words = {key for word in wanted if (key := _normalized(word))}

    def matches(self, body: str) -> bool:
        """Whether a message received is an opt-out."""
        return len(body) <= 256 and _normalized(body) in self._words

    def __repr__(self) -> str:
        return f"OptOutWords({len(self._words)} words)"


def number_key(number: str) -> str:
    """Return the digits of a number, by which two ways of writing it are the same."""
    decimals = "".join(
        str(unicodedata.digit(char, char)) if char.isdecimal() else char for char in number
    )
    digits = _NO_DIGIT.sub("", decimals)
    return digits.removeprefix("00")


def local_key(number: str) -> str | None:
    """Return the digits in which the international form of a local number ends.

    None if it is in the international form already, or too short to compare.
    """
    if number.strip().startswith(("+", "00", "\uff0b")):
        return None
    key = number_key(number).lstrip("0")
    return key if len(key) >= LOCAL_DIGITS else None


def _normalized(text: str) -> str:
    return _NO_WORD.sub("", unicodedata.normalize("NFKC", text).casefold())
