"""Count the parts one SMS body is split into, and cut what does not fit."""

from __future__ import annotations

_GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# GSM 03.38: characters of the extension table travel behind an escape and so count twice.
_GSM_EXTENSION = "^{}\\[~]|€\f"
_EXTENSION = frozenset(_GSM_EXTENSION)
_GSM = _GSM_BASIC | _EXTENSION

_MAX_PARTS = 8
# In any alphabet so many characters fit one part: emoji take two units each.
_SURELY_ONE = 35


def is_gsm(body: str) -> bool:
    """Tell whether a body fits the GSM 03.38 alphabet."""
    return _GSM.issuperset(body)


def _units(body: str, *, gsm: bool) -> int:
    if gsm and _EXTENSION.isdisjoint(body):
        return len(body)
    if gsm:
        return len(body) + sum(map(body.count, _GSM_EXTENSION))
    return len(body) + sum(character > "\uffff" for character in body)


def count_parts(body: str) -> int:
    """Return how many parts a body takes: none when empty, never more than eight."""
    if not body:
        return 0
    if len(body) <= _SURELY_ONE:
        return 1
    gsm = is_gsm(body)
    single, joined = (160, 153) if gsm else (70, 67)
    units = _units(body, gsm=gsm)
    return 1 if units <= single else min(-(-units // joined), _MAX_PARTS)


def cut(body: str) -> str:
    """Drop what lies beyond the eighth part.

    [docs] ClickSend API v3: the rest of an over-long message is cut, not refused.
    """
    if len(body) * 2 <= _MAX_PARTS * 67:
        return body
    gsm = is_gsm(body)
    room = _MAX_PARTS * (153 if gsm else 67)
    if _units(body, gsm=gsm) <= room:
        return body
    kept = body[:room]
    while _units(kept, gsm=gsm) > room:
        kept = kept[:-1]
    return kept


def count_speech_parts(body: str) -> int:
    """Return how many billing parts a spoken body takes, at most four."""
    step = 300 if is_gsm(body) else 150
    return min(-(-len(body) // step), 4)
