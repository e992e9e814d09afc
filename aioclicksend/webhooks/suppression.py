"""Who asked not to be written to any more: opt-out words, and how numbers are compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# What US carriers require to be obeyed, if a reply consists of it and nothing else.
_WORDS = ("stop", "stopall", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe")

_NO_WORD = re.compile(r"[\W_]+")
_NO_DIGIT = re.compile(r"\D+", re.ASCII)

_LOCAL_DIGITS = 7
"""Digits from which a number in a local form is compared with the ends of others."""


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
        # Bounded: normalizing a long text costs time, and no opt-out is one.
        return len(body) <= 256 and _normalized(body) in self._words

    def __repr__(self) -> str:
        return f"OptOutWords({len(self._words)} words)"


def is_opt_out_list(name: str) -> bool:
    """Whether a contact list of this name holds people who have opted out."""
    # By name, as the API does not mark such a list in any other way. Accents are no letters.
    letters = "".join(filter(str.isalnum, unicodedata.normalize("NFKD", name[:256]).casefold()))
    return letters.startswith(_BEGIN_SO) or letters in _ARE_CALLED


_BEGIN_SO = (
    "optout", "optedout", "unsubscrib", "donotcontact", "donottext", "donotcall", "donotsend",
    "donotmessage", "desinscri", "desabonn", "abgemeldet", "abmeldung", "abbestell", "desuscri",
    "descadastr", "disiscri", "afgemeld", "uitschrijv", "avregistrer", "wypisan", "отписа",
)  # fmt: skip
_ARE_CALLED = frozenset(
    {"stop", "stoplist", "stopliste", "stops", "dnc", "dnclist", "blacklist", "blocklist",
     "suppressionlist", "suppressed", "bajas", "listanegra", "robinsonliste", "退订", "配信停止"}
)  # fmt: skip
"""What such lists are called."""


def stored_keys(number: str) -> set[str]:
    """Return the keys under which a suppressed number is stored; none if it has no digits.

    A number is blocked if one of its `asked_keys` is stored: if both are the same digits, or if
    one of the two is in a local form (``0411…``) and the digits of the other end in it. The
    country of a local number is unknown here, and a message to a person who opted out is worse
    than one too few.
    """
    digits = number_key(number)
    if not digits:
        return set()
    # All ends are stored, so that asking is a lookup by equality in any database.
    keys = {f"={digits}"} | {f"*{end}" for end in _ends(digits)}
    if end := _local_end(number):
        keys.add(f"<{end}")
    return keys


def asked_keys(number: str) -> set[str]:
    """Return the keys by which a number is looked up among the `stored_keys`."""
    digits = number_key(number)
    keys = {f"={digits}"} | {f"<{end}" for end in _ends(digits)}
    if end := _local_end(number):
        keys.add(f"*{end}")
    return keys


def number_key(number: str) -> str:
    """Return the digits of a number in ASCII, without an international prefix ``00``."""
    # Asked for each message of a campaign, whose numbers are all but always in ASCII; phones of
    # some regions write digits of other scripts.
    if not number.isascii():
        number = "".join(str(int(char)) for char in number if char.isdecimal())
    return _NO_DIGIT.sub("", number).removeprefix("00")


def _ends(digits: str) -> list[str]:
    return [digits[start:] for start in range(len(digits) - _LOCAL_DIGITS + 1)]


def _local_end(number: str) -> str | None:
    """Return the digits in which the international form of a number ends, if it is not in that."""
    if unicodedata.normalize("NFKC", number).strip().startswith(("+", "00")):
        return None
    end = number_key(number).lstrip("0")
    return end if len(end) >= _LOCAL_DIGITS else None


def _normalized(text: str) -> str:
    return _NO_WORD.sub("", unicodedata.normalize("NFKC", text).casefold())
