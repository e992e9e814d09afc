"""What comes back of messages: rows of sends and histories, receipts, replies, templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Generic, TypeVar

from msgspec import Struct, field

from .base import Currency, Model, decimal, number, read, rows_of

ACCEPTED = "SUCCESS"


class Row(Model):
    """One message of a send, price or history reply.

    Refused rows have few of the fields; those of a history show the delivery so far.
    """

    message_id: str | None = None
    to: str | None = None
    body: str | None = None
    from_: str | None = field(name="from", default=None)
    # Empty where a row has none: such a row must not count as accepted.
    status: str = ""
    """``SUCCESS``, or why it was refused; in a history a state such as ``Sent``. An open set."""
    direction: str | None = None
    date: datetime | None = None
    schedule: datetime | None = None
    message_parts: int | None = None
    message_price: Decimal | None = None
    custom_string: str | None = None
    country: str | None = None
    carrier: str | None = None
    list_id: int | None = None
    contact_id: int | None = None
    user_id: int | None = None
    subaccount_id: int | None = None
    from_email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    status_code: str | None = None
    """200 and 300 are pending, 201 delivered, 301 failed for good."""
    status_text: str | None = None
    error_code: str | None = None
    error_text: str | None = None
    api_username: str | None = field(name="_api_username", default=None)

    @property
    def accepted(self) -> bool:
        """Whether the server accepted this message of a send."""
        return self.status == ACCEPTED


class SmsRow(Row):
    """One SMS of a reply."""

    is_shared_system_number: bool | None = None


class MmsRow(Row):
    """One MMS of a reply."""

    subject: str | None = None
    priority: int | None = None
    date_added: datetime | None = None
    media_file_url: str | None = field(name="_media_file_url", default=None)


class VoiceRow(Row):
    """One call of a reply."""

    to_type: str | None = None
    lang: str | None = None
    voice: str | None = None
    date_added: datetime | None = None
    require_input: bool | None = None
    machine_detection: bool | None = None
    machine_detected: bool | None = None
    digits: str | None = None


R = TypeVar("R", bound=Row)


class SendResult(Struct, Generic[R], kw_only=True):
    """The server's verdict on the messages of one request, or their price."""

    messages: list[R]
    """One row a message, in the server's order; a `list_id` stands for many."""
    total_price: Decimal
    total_count: int | None
    queued_count: int | None
    blocked_count: int | None
    currency: Currency | None
    unknown: tuple[str, ...]
    """Refs of messages that have no row in the reply: they may or may not have been accepted."""
    raw: Any
    """The reply's ``data`` as it came."""

    @property
    def accepted(self) -> list[R]:
        """The rows the server accepted."""
        return [row for row in self.messages if row.accepted]

    @property
    def rejected(self) -> list[R]:
        """The rows the server refused; `status` says why."""
        return [row for row in self.messages if not row.accepted]

    def __repr__(self) -> str:
        shown = (f"{name}={value}" for name, value in self.__rich_repr__())
        return f"SendResult({', '.join(shown)})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return what may be shown; rich would show a Struct whole."""
        return [
            ("accepted", len(self.accepted)),
            ("rejected", len(self.rejected)),
            ("unknown", len(self.unknown)),
            ("total_price", self.total_price),
        ]


def send_result(kind: type[R], data: Any, refs: Sequence[str] = ()) -> SendResult[R]:
    """Return the result of a send or price reply of any shape, and which refs it leaves out."""
    known = data if isinstance(data, dict) else {}
    # A row that is no object says nothing: its message stays among the unknown.
    rows = [read(kind, row) for row in rows_of(known.get("messages")) if isinstance(row, dict)]
    # By ref: the server may order the rows as it likes.
    seen = {row.custom_string for row in rows}
    # Older documents write it without the underscore.
    money = known.get("_currency", known.get("currency"))
    return SendResult(
        messages=rows,
        total_price=decimal(known.get("total_price")) or Decimal(0),
        total_count=number(known.get("total_count")),
        queued_count=number(known.get("queued_count")),
        blocked_count=number(known.get("blocked_count")),
        currency=read(Currency, money) if isinstance(money, dict) else None,
        unknown=tuple(ref for ref in refs if ref not in seen),
        raw=data,
    )


class Receipt(Model):
    """What became of one message, as far as it is known now."""

    # An older name.
    also_known_as: ClassVar[Mapping[str, str]] = {"_message_type": "message_type"}

    message_id: str | None = None
    status_code: str | None = None
    """200 and 300 are pending, 201 delivered, 301 failed for good; a word in old samples."""
    status_text: str | None = None
    error_code: str | None = None
    error_text: str | None = None
    timestamp: datetime | None = None
    timestamp_send: datetime | None = None
    custom_string: str | None = None
    subaccount_id: int | None = None
    message_type: str | None = None
    digits: str | None = None
    """Keys pressed during a call."""


class InboundSms(Model):
    """One SMS received."""

    # The schema says timestamp, the example of the same operation timestamp_send.
    also_known_as: ClassVar[Mapping[str, str]] = {"timestamp_send": "timestamp"}

    message_id: str | None = None
    from_: str | None = field(name="from", default=None)
    to: str | None = None
    body: str | None = None
    original_body: str | None = None
    """What we had sent to this number before."""
    original_message_id: str | None = None
    custom_string: str | None = None
    timestamp: datetime | None = None
    keyword: str | None = field(name="_keyword", default=None)


class Template(Model):
    """A saved SMS body."""

    template_id: int | None = None
    template_name: str | None = None
    body: str | None = None


class Count(Model):
    """How many things an operation touched."""

    count: int | None = None


class VoiceLanguage(Model):
    """A language of the text-to-speech."""

    code: str | None = None
    country: str | None = None
    gender: list[str] = []  # noqa: RUF012 - msgspec copies it
    """The voices it has; the API sends a single one without a list."""
