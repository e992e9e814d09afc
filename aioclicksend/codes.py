"""What may be shown of the words that a server puts where a code, an id or a currency belongs.

Servers have put whole sentences in the place of a code, and with them a number, a text or a key, in
any spelling. No filter finds those, so it is done the other way round: a code is shown if it
consists of words that the API is known to use, and an id or a currency if it has the form of one.
Everything else stays in the fields that are documented to hold the server's own words.
"""

from __future__ import annotations

import re
from http import HTTPStatus

_DOCUMENTED = (
    "ACCOUNT ACTION ACTIVATED ACTIVE ADDRESS ALLOWED ALPHA ALREADY API APPROVAL APPROVED "
    "ARCHIVED AUTHENTICATION AUTHORIZED AUTO BALANCE BLOCKED BODY CALL CAMPAIGN CANCELED "
    "CANCELLED CARD COMPLETED CONNECTION CONTACT CONTACTS COUNTRY CREATED CREDENTIALS CREDIT "
    "CURRENCY DATA DELETED DELIVERED DENIED DISABLED DLC DOES DRAFT DUPLICATE EMAIL EMPTY "
    "ENABLED ENOUGH EXCEEDED EXIST EXISTS EXPIRED FAILED FAX FIELD FIELDS FILE FORMAT FROM "
    "FUNDS HTTP ID IN INACTIVE INCOMPLETE INSUFFICIENT INVALID IP IS KEY LANG LENGTH LETTER "
    "LIMIT LIST LISTS MAX MEDIA MESSAGE MESSAGES MISSING MMS NAME NEEDED NOT NUMBER OPT OUT "
    "PARAMETER PASSWORD PAUSED PAYMENT PENDING PERMISSION PHONE POST POSTCARD PRICE PROCESSED "
    "PROCESSING QUEUED QUOTA RATE READ RECEIVED RECIPIENT RECIPIENTS REGISTERED REGISTRATION "
    "REJECTED REQUIRED RESTRICTED RETURN RULE SCHEDULE SCHEDULED SEND SENDER SENT SIZE SMS "
    "SOMETHING STAMPED STATUS STOPPED SUBACCOUNT SUBJECT SUBMITTED SUCCESS SUPPORTED "
    "SUSPENDED TEMPLATE THROTTLED TO TRIAL TYPE UNDELIVERED UNKNOWN UNSUPPORTED UNVERIFIED "
    "UPDATED URL USER USERNAME VALID VALIDATION VERIFIED VOICE WAIT WRONG "
)
_KNOWN = frozenset(_DOCUMENTED.split()) | {
    word for status in HTTPStatus for word in status.name.split("_") if len(word) > 1
}
"""Words of the codes and statuses that the API documents or was seen to use, and those of HTTP."""

_LONGEST = 64
"""Characters of a code."""

_PIECE = 6
_NO_LETTERS = bytes(it for it in range(256) if not chr(it).isascii() or not chr(it).isalpha())

_is_word = re.compile(r"\w+", re.ASCII).fullmatch
_number_or_key = re.compile(r"(?:[^0-9]*[0-9]){4}|[A-Za-z][0-9]+[A-Za-z]").search
_words = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+").findall
_is_id = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|ID-[0-9]{1,6}").fullmatch
_is_currency = re.compile(r"[A-Z]{3}").fullmatch
_is_country = re.compile(r"[A-Z]{2}").fullmatch


def code_in(value: object) -> str:
    """Return a code such as ``INVALID_RECIPIENT``, at most 64 characters of it.

    Empty for what does not look like one: a sentence, a number, a key. A single word may still be
    anything: `shown_code` is for texts that go to a log.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if 0 <= value < 1000 else ""
    head = value[:_LONGEST] if isinstance(value, str) else ""
    return head if _is_word(head) and not _number_or_key(head) else ""


def shown_code(value: object) -> str:
    """Return a code if the API is known to use all its words, else an empty text."""
    code = code_in(value)
    return code if all(it.upper() in _KNOWN for it in _words(code)) else ""


def repeats(code: str, said: bytes) -> bool:
    """Whether a code holds six characters in a row of what was sent, in any spelling.

    Its known words do not count.
    """
    unknown = "".join(it for it in _words(code) if it.upper() not in _KNOWN).lower().encode()
    squeezed = said.lower().translate(None, _NO_LETTERS)
    pieces = (unknown[at : at + _PIECE] for at in range(len(unknown) - _PIECE + 1))
    return any(it in squeezed for it in pieces)


def shown_id(value: object) -> str:
    """Return the id of a message if it has the form of one, else a mark."""
    return value if isinstance(value, str) and _is_id(value) else "…"


def shown_currency(value: object) -> str:
    """Return the name of a currency if it is an ISO code, else a mark."""
    return value if isinstance(value, str) and _is_currency(value) else "…"


def may_be_shown(value: str) -> bool:
    """Whether a text is a known code, an id or a country."""
    return bool(_is_id(value) or _is_country(value)) or shown_code(value) == value
