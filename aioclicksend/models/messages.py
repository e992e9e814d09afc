"""What is sent: one struct a channel, with the API's own field names."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from .base import unix_seconds

# Plausible is enough: the server knows the numbering plans, and says so in the row.
_E164 = re.compile(r"\+[1-9][0-9]{6,14}").fullmatch
_LOCAL = re.compile(r"\+?[0-9][0-9 ().-]{2,24}").fullmatch
_COUNTRY = re.compile(r"[A-Za-z]{2}").fullmatch
_encode = msgspec.json.Encoder().encode

REF_PREFIX = "ac1-"


class Message(Struct, kw_only=True, omit_defaults=True, gc=False):
    """What the messages of all channels have in common. Treat it as frozen once it is handed over.

    ``kw_only`` as an order of ten fields cannot be remembered; ``omit_defaults`` as the API takes
    an empty field for a value.
    """

    to: str | None = None
    """The recipient in E.164, or a local number together with `country`."""
    body: str = ""
    list_id: int | None = None
    """A contact list in place of `to`; its members count towards the 1000 of a call."""
    source: str | None = None
    """Free text that names the sending program."""
    schedule: datetime | int | None = None
    """When to send: an aware time or unix seconds; now if absent."""
    custom_string: str | None = None
    """Comes back in replies, history and receipts: the ref by which a message is found again."""
    country: str | None = None
    """ISO 3166 two-letter code by which a local `to` is read."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(custom_string={self.custom_string!r}, to=***, body=***)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return what may be shown; rich would show a Struct whole."""
        return [("custom_string", self.custom_string)]


class SmsMessage(Message, kw_only=True):
    """One SMS. Up to 8 parts are sent; the account's own limit may be lower and cuts the rest."""

    from_: str | None = field(name="from", default=None)
    """Sender: a number of yours or 3 to 11 letters and digits; a shared number if absent."""
    from_email: str | None = None
    """Where replies are mailed to."""
    contact_id: int | None = None
    # An old page has it beside the messages, the current documents inside each.
    exclude_no_sender_id_recipients: bool | None = None
    show_summary: bool | None = None
    """For prices only: ask for a summary by country."""


class MmsMessage(Message, kw_only=True):
    """One MMS. `media_file` travels once per request, so the messages of a request share it."""

    subject: str = ""
    """Up to 20 characters."""
    media_file: str | None = None
    """Address of a jpg or gif of up to 250 kB; see ``uploads`` for other kinds."""
    from_: str | None = field(name="from", default=None)
    from_email: str | None = None


class VoiceMessage(Message, kw_only=True):
    """One text-to-speech call. The API wants a voice and a language: female and en-us if absent."""

    voice: str | None = None
    """``male`` or ``female``; not every language has both."""
    lang: str | None = None
    """One of `client.voice.languages()`."""
    require_input: int | None = None
    """1 to wait for a key pressed."""
    machine_detection: int | None = None
    """1 to leave the message on an answering machine."""
    from_: str | None = field(name="from", default=None)

    def __post_init__(self) -> None:
        # Set here, not as defaults, which would be left out on the wire.
        self.voice = self.voice or "female"
        self.lang = self.lang or "en-us"


AnyMessage = TypeVar("AnyMessage", bound=Message)


def new_ref() -> str:
    """Return a fresh ref: lower-case ASCII, unique for all practical purposes."""
    return REF_PREFIX + secrets.token_hex(12)


def check(message: Message, *, single: bool = False) -> None:
    """Check what can be known to be wrong before anything is sent.

    Args:
        message: the message.
        single: whether it must have one recipient, as in bulk.

    Raises:
        ValueError: what is wrong with which field; it names neither number nor text.

    """
    to, body = message.to, message.body
    if message.list_id is not None:
        _check_list(message, single=single)
    elif not isinstance(to, str) or _E164(to) is None:
        _check_local(message)
    # Only what the API certainly refuses; what it might refuse is its own to judge.
    if not isinstance(body, str) or not body or body.isspace():
        raise ValueError("body: is empty")
    if message.schedule is not None:
        _check_schedule(message.schedule)
    if message.custom_string is not None and not isinstance(message.custom_string, str):
        raise ValueError("custom_string: must be text")
    if isinstance(message, MmsMessage):
        _check_mms(message)


def freeze(message: Message) -> bytes:
    """Return the JSON of a message as it is sent, without a generated ref.

    Raises:
        ValueError: a text holds a lone surrogate, which no encoding can carry.

    """
    # An empty ref would be sent as a ref, and found again by every other empty one.
    if message.schedule.__class__ is datetime or message.custom_string == "":
        message = msgspec.structs.replace(
            message, schedule=_unix(message.schedule), custom_string=message.custom_string or None
        )
    if message.__class__ is MmsMessage:
        message = msgspec.structs.replace(message, media_file=None)  # stands beside the messages
    try:
        return _encode(message)
    except UnicodeEncodeError:
        raise ValueError("a text holds a lone surrogate, which is not a character") from None


def thaw(frozen: bytes, kind: type[AnyMessage], media_file: str | None = None) -> AnyMessage:
    """Return the message that a JSON came from; its `media_file` is stored separately.

    A field of the wrong type, which only the API judges, comes back as it was.
    """
    try:
        message = msgspec.json.decode(frozen, type=kind)
    except msgspec.ValidationError:
        names = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
        fields: dict[str, Any] = msgspec.json.decode(frozen)
        message = kind(**{names[name]: value for name, value in fields.items()})
    if media_file is not None:
        message = msgspec.structs.replace(message, media_file=media_file)
    return message


def with_ref(frozen: bytes, ref: str) -> bytes:
    """Return the JSON of a message that lacks a ref, with a generated one."""
    return b'%b,"custom_string":"%b"}' % (frozen[:-1], ref.encode())


def request_body(frozen: Sequence[bytes], media_file: str | None = None, **more: Any) -> bytes:
    """Return the body of one request over frozen messages."""
    head = {name: value for name, value in more.items() if value is not None}
    if media_file is not None:
        head["media_file"] = media_file
    start = _encode(head)[:-1] + b"," if head else b"{"
    return b'%b"messages":[%b]}' % (start, b",".join(frozen))


def _unix(schedule: datetime | int | None) -> int | None:
    return unix_seconds(schedule) if isinstance(schedule, datetime) else schedule


def _check_local(message: Message) -> None:
    to = message.to
    if to is None:
        raise ValueError("to: is missing")
    if message.country is None:
        raise ValueError(
            "to: is no E.164 number (+, country code, 7 to 15 digits in all); "
            "set country='AU' or alike to send to a local number"
        )
    if not isinstance(message.country, str) or _COUNTRY(message.country) is None:
        raise ValueError("country: must be an ISO code of two letters")
    if not isinstance(to, str) or _LOCAL(to) is None:
        raise ValueError("to: is no phone number")


def _check_list(message: Message, *, single: bool) -> None:
    if single:
        raise ValueError(
            "list_id: a bulk message has one recipient; walk client.contacts, or use send()"
        )
    if message.to is not None:
        raise ValueError("set either to or list_id, not both")


def _check_mms(message: MmsMessage) -> None:
    if not message.subject:
        raise ValueError("subject: is empty; an MMS needs one")
    if not (message.media_file or "").startswith(("https://", "http://")):
        raise ValueError("media_file: must be the http(s) address of the picture")
    if not (message.media_file or "").isprintable():  # a lone surrogate is not, either
        raise ValueError("media_file: holds a character that no address has")


def _check_schedule(schedule: object) -> None:
    if isinstance(schedule, datetime):
        unix_seconds(schedule)
    elif isinstance(schedule, bool) or not isinstance(schedule, int) or schedule < 0:
        raise ValueError("schedule: must be an aware datetime or unix seconds")
