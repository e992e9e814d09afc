"""`aioclicksend sms`: single messages, and what happened to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter
from msgspec import Struct

from ..client import ClickSend
from ..errors import UnknownOutcomeError
from ..models.messages import SmsMessage, check, new_ref
from ..models.results import SendResult, SmsRow
from .asking import Yes, confirm, require_answer
from .errors import Exit, how_to_look_up
from .output import PLAIN, Column, Limit, Moment, Output, cell
from .texts import Body, Text, TextFile, one_text

app: App = App("sms", help="SMS: send, price, history, inbound, receipts, cancel.")

_SENT = (
    Column("to", "to"),
    Column("status", "status"),
    Column("parts", "message_parts"),
    Column("price", "message_price"),
    Column("country", "country"),
    Column("message id", "message_id"),
    Column("ref", "custom_string"),
)
_PRICED = (
    Column("to", "to"),
    Column("would be", "status"),
    *_SENT[2:5],
)
_HISTORY = (
    Column("date (UTC)", "date", whole=True),
    Column("to", "to"),
    Column("status", "status"),
    Column("message id", "message_id", whole=True),
    Column("from", "from_", wide=True),
    Column("price", "message_price", wide=True),
    Column("ref", "custom_string", wide=True),
)
_INBOUND = (
    Column("date (UTC)", "timestamp", whole=True),
    Column("from", "from_"),
    Column("text", "body"),
    Column("to", "to", wide=True),
    Column("answers", "original_message_id", whole=True, wide=True),
)
_RECEIPTS = (
    Column("date (UTC)", "timestamp", whole=True),
    Column("message id", "message_id", whole=True),
    Column("code", "status_code"),
    Column("meaning", "status_text"),
    Column("ref", "custom_string", wide=True),
)

_Country = Annotated[str | None, Parameter(help="Two-letter code by which a local number is read.")]
_From = Annotated[str | None, Parameter(name="--from", help="The sender.")]
_Since = Annotated[Moment, Parameter(help="Only what is not older, such as 2030-12-31T00:00Z.")]


@app.command
def send(
    to: Annotated[str, Parameter(help="The recipient, such as +61411111111.")],
    body: Body = None,
    /,
    *,
    text: Text = None,
    text_file: TextFile = None,
    from_: _From = None,
    schedule: Annotated[
        Moment, Parameter(help="When to send, such as 2030-12-31T18:00+01:00; now if absent.")
    ] = None,
    custom_string: Annotated[
        str | None, Parameter(help="A ref of yours by which it is found again.")
    ] = None,
    country: _Country = None,
    dry_run: Annotated[bool, Parameter(help="Ask what it would cost; send nothing.")] = False,
    yes: Yes = False,
    out: Output = PLAIN,
) -> int:
    """Send one SMS. Asks first, with its price."""
    # Made here, not by the client: it has to be known if the reply never comes.
    ref = custom_string or new_ref()
    message = SmsMessage(
        to=to,
        body=one_text(body, text, text_file),
        from_=from_,
        schedule=schedule,
        custom_string=ref,
        country=country,
    )
    check(message)
    if not dry_run:
        require_answer(yes=yes, stdin_used="-" in (body, text))

    async def sending(client: ClickSend) -> SendResult[SmsRow]:
        if not yes:
            confirm(await _question(client, message, out), yes=False)
        try:
            return await client.sms.send(message)
        except asyncio.CancelledError:
            out.note(f"whether it was sent is unknown{how_to_look_up([ref])}")
            raise

    if dry_run:
        return _print(out, out.ask(lambda client: client.sms.price(_asking(message))), dry_run=True)
    return _print(out, out.ask(sending))


@app.command
def price(
    to: Annotated[list[str], Parameter(help="The recipients.")],
    /,
    *,
    text: Text = None,
    text_file: TextFile = None,
    from_: _From = None,
    country: _Country = None,
    out: Output = PLAIN,
) -> int:
    """Show what a text would cost, and what stands in its way; nothing is sent."""
    body = one_text(None, text, text_file)
    messages = [
        _asking(SmsMessage(to=number, body=body, from_=from_, country=country)) for number in to
    ]
    return _print(out, out.ask(lambda client: client.sms.price(messages)), dry_run=True)


@app.command
def history(
    *,
    ref: Annotated[
        list[str] | None, Parameter(help="Only messages of this ref; can be repeated.")
    ] = None,
    since: _Since = None,
    limit: Limit = None,
    out: Output = PLAIN,
) -> int:
    """List what was sent and received, in about the last four months.

    With --ref it looks back one day, or to --since, and ends with 3 if a ref is not there: the
    history may lag, so that proves nothing.
    """
    if not ref:
        out.walk(lambda client: client.sms.history(date_from=since), _HISTORY, limit)
        return Exit.OK
    found = out.ask(lambda client: client.sms.find(*ref, since=since))
    out.rows(found[:limit], _HISTORY)
    missing = set(ref) - {row.custom_string for row in found}
    if missing:
        out.note(f"not in the history (yet): {', '.join(sorted(missing))}")
    return Exit.UNKNOWN if missing else Exit.OK


@app.command
def inbound(*, since: _Since = None, limit: Limit = None, out: Output = PLAIN) -> None:
    """List unread replies; listing does not mark them read."""
    out.walk(lambda client: client.sms.inbound(), _INBOUND, limit, _not_before(since))


@app.command
def receipts(*, since: _Since = None, limit: Limit = None, out: Output = PLAIN) -> None:
    """List unread delivery receipts; listing does not mark them read."""
    out.walk(lambda client: client.sms.receipts(), _RECEIPTS, limit, _not_before(since))


@app.command
def cancel(message_id: str, /, *, yes: Yes = False, out: Output = PLAIN) -> None:
    """Cancel a scheduled SMS."""
    confirm(f"Cancel message {message_id}?", yes=yes)
    out.ask(lambda client: client.sms.cancel(message_id))
    out.done(f"message {message_id} cancelled", cancelled=True, message_id=message_id)


def _not_before(since: Moment) -> Callable[[Any], bool]:
    return lambda row: since is None or row.timestamp is None or row.timestamp >= since


async def _question(client: ClickSend, message: SmsMessage, out: Output) -> str:
    """Return the question before a message is sent, with its price and the account."""
    quoted, account = await client.sms.price(_asking(message)), await client.account.get()
    currency = quoted.currency.name_short if quoted.currency else ""
    price = f"{quoted.total_price} {currency}".strip()
    _warn(out, quoted)
    return f"Send 1 message to 1 recipient for {price}, from account {account.username}?"


def _warn(out: Output, quoted: SendResult[SmsRow]) -> None:
    for country in countries_of(quoted):
        if not country.is_open:
            out.note(_told(country))


def _asking(message: SmsMessage) -> SmsMessage:
    """Return a message whose price shows whether its country takes the sender."""
    return msgspec.structs.replace(message, show_summary=True)


class _PricedCountry(Struct):
    """What a price says of the recipients of one country."""

    country: str
    recipients: int | None
    usable_sender: bool | None
    enabled: bool | None
    restricted: bool | None

    @property
    def is_open(self) -> bool:
        return self.usable_sender is not False and self.enabled is not False and not self.restricted


def countries_of(quoted: SendResult[SmsRow]) -> list[_PricedCountry]:
    """Return what a price says of each country; nothing where the API leaves it out."""
    summary = quoted.raw.get("_summary") if isinstance(quoted.raw, dict) else None
    listed = summary.get("countries") if isinstance(summary, dict) else None
    # A list of {"country": {...}} in the API's schema, an object by ISO code in its example.
    if isinstance(listed, dict):
        entries = list(listed.values())
    else:
        entries = [it.get("country") for it in listed or () if isinstance(it, dict)]
    return [_country(it) for it in entries if isinstance(it, dict)]


def _country(entry: dict[str, Any]) -> _PricedCountry:
    regulation = entry.get("regulation")
    count = entry.get("recipient_count", entry.get("receipient_count"))  # the schema's spelling
    return _PricedCountry(
        cell(entry.get("name")),
        count if isinstance(count, int) else None,
        _flag(entry.get("usable_sender_id")),
        _flag(entry.get("selected")),
        _flag(regulation.get("restricted_sending")) if isinstance(regulation, dict) else None,
    )


def _flag(value: object) -> bool | None:
    return bool(value) if isinstance(value, int) else None


def _told(country: _PricedCountry) -> str:
    """Return what stands in the way of messages to a country."""
    if country.enabled is False:
        return f"warning: {country.country} is not enabled for this account"
    if country.usable_sender is False:
        return f"warning: {country.country} does not take this sender"
    return f"warning: {country.country} restricts who may send there"


def _print(out: Output, result: SendResult[SmsRow], *, dry_run: bool = False) -> int:
    """Print what the server replied about messages and return the exit code.

    Raises:
        UnknownOutcomeError: the reply leaves out some of them.

    """
    currency = result.currency.name_short if result.currency else ""
    if out.json:
        out.document(
            {
                **({"dry_run": True} if dry_run else {}),
                "accepted": len(result.accepted),
                "rejected": len(result.rejected),
                "unknown": result.unknown,
                "total_price": result.total_price,
                "currency": currency,
                **({"countries": countries_of(result)} if dry_run else {}),
                "messages": [_priced(row) for row in result.messages]
                if dry_run
                else result.messages,
            }
        )
    elif len(result.messages) == 1:
        out.one(result.messages[0], _PRICED if dry_run else _SENT)
    else:
        out.rows(result.messages, _PRICED if dry_run else _SENT)
        out.done(f"total {result.total_price} {currency}")
    if dry_run and not out.json:
        _warn(out, result)
        out.note("dry run: nothing was sent")
    if result.unknown:
        raise UnknownOutcomeError("the reply leaves out messages", refs=result.unknown)
    return Exit.REFUSED if result.rejected else Exit.OK


def _priced(row: SmsRow) -> dict[str, Any]:
    """Return what a price reply says of a message: its id and date are of no message."""
    return {
        "to": row.to,
        "from": row.from_,
        "status": row.status,
        "message_parts": row.message_parts,
        "message_price": row.message_price,
        "country": row.country,
    }
