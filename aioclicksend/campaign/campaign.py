"""A campaign: rows of a table become messages, or are refused with a reason."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from ..bulk.intake import Batching
from ..client import ClickSend
from ..models.messages import SmsMessage
from ..text import MAX_PARTS, Segments, segments, smart_encode
from .columns import Columns
from .errors import CampaignError
from .file import Input
from .number_set import NumberSet, as_integer, message_hash
from .numbers import BadNumber, Numbers, Phone
from .opt_outs import OptOuts, account_opt_outs
from .plan import Draft, Plan, Price, Problem
from .rules import QuietHours
from .source import ContactList, Row, Table, open_table
from .table import sample
from .template import MissingField, Template

_YIELD_EVERY = 500
"""Rows after which others get a turn on the event loop."""


class Campaign:
    """The messages of a campaign, made of a table and a text.

    The same input makes the same messages in the same order, each time it is read. So a bulk sender
    with a journal goes on where it stopped, and sends nothing twice.

    ::

        campaign = Campaign("people.csv", "Hi {name|there}, we open at 9.", country="AU")
        plan = await campaign.plan(client)
        async with client.sms.bulk(journal="promo.db") as bulk:
            report = await bulk.run(campaign.messages(client))

    ClickSend's own opt-out system does not apply to what is sent through the API. Therefore the
    account's opt-out lists are read and obeyed here, unless told not to.

    Args:
        source: a file with a table (CSV, NDJSON, XLSX), or a contact list of the account.
        body: the text, with fields such as ``{name}`` or ``{name|friend}``; if absent, each row has
            its own in the column ``body``, taken as it is.
        columns: the column of a field, where it is not called so: ``{"to": "Mobile"}``. Besides
            those in the text the fields are ``to``, ``body`` and ``country``.
        country: ISO code by which local numbers are read.
        from_: the sender.
        opt_out: files and contact lists with numbers not to write to.
        account_opt_outs: whether the account's own opt-out lists are obeyed.
        ignore_unread_opt_outs: whether messages are made although some opt-outs cannot be read.
        quiet: when people may be written to.
        smart_encoding: whether typographic characters are replaced where that saves Unicode.
        landlines: whether numbers of landlines are written to.
        service_numbers: whether toll-free, premium-rate, shared-cost and pager numbers and the like
            are, which take no SMS, or cost extra.
        unique: what is not sent twice: anything to the same ``number``, or only the same
            ``message`` to it.

    Raises:
        CampaignError: the table cannot be read, or the text does not fit it.

    """

    def __init__(
        self,
        source: Input | Table | ContactList,
        body: str | None = None,
        *,
        columns: Mapping[str, str] | None = None,
        country: str | None = None,
        from_: str | None = None,
        opt_out: Sequence[Input | Table | ContactList] = (),
        account_opt_outs: bool = True,
        ignore_unread_opt_outs: bool = False,
        quiet: QuietHours | None = None,
        smart_encoding: bool = False,
        landlines: bool = False,
        service_numbers: bool = False,
        unique: Literal["number", "message"] = "number",
    ) -> None:
        self.source = _table(source)
        self._opt_out = [_table(it) for it in opt_out]
        self._account_opt_outs = account_opt_outs
        self._ignore_unread_opt_outs = ignore_unread_opt_outs
        self._from = from_
        self._quiet = quiet
        self._smart_encoding = smart_encoding
        self._landlines = landlines
        self._service_numbers = service_numbers
        self._unique = unique
        self._numbers = Numbers(country, zones=quiet is not None)
        mapping = dict(columns or {})
        if isinstance(self.source, ContactList):
            mapping = {"to": "phone_number", "country": "address_country"} | mapping
        rows = [] if isinstance(self.source, ContactList) else sample(self.source)
        found = Columns(self.source.columns, mapping, rows)
        self._to = _needed(found, "to", self.source.name, "phone numbers")
        self._country = found.find("country") if "country" in mapping else None
        if self._country and not isinstance(self.source, ContactList):
            self._numbers.require_library()
        self._template = Template(body, found) if body is not None else None
        self._body = "" if self._template else _needed(found, "body", self.source.name, "texts")
        self.settings = {
            "input": self.source.fingerprint,
            "text": _digest(body),
            "options": _digest(
                sorted(mapping.items()),
                country,
                from_,
                quiet,
                smart_encoding,
                landlines,
                unique,
                *(["service numbers"] if service_numbers else []),
            ),
        }
        """What makes this campaign this one; a journal of it is to be of the same."""

    @property
    def columns(self) -> dict[str, str]:
        """The column each field is taken from."""
        fields = {"to": self._to, "body": self._body, "country": self._country or ""}
        told = self._template.columns if self._template else {}
        return {field: column for field, column in (fields | told).items() if column}

    async def plan(
        self,
        client: ClickSend | None = None,
        *,
        part_price: Decimal | None = None,
        on_problem: Callable[[Problem], object] = lambda _: None,
    ) -> Plan:
        """Return what the campaign would do; nothing is sent.

        Args:
            client: asked for prices, opt-outs and contacts; None to stay offline.
            part_price: what a part is reckoned to cost, for an estimate offline.
            on_problem: called with each row that is not sent.

        Raises:
            CampaignError: the input is broken, or holds no row at all.
            ClickSendError: the account could not be asked.

        """
        plan = Plan(
            source=self.source.name,
            format=self.source.format,
            columns=self.columns,
            fingerprint=self.source.fingerprint,
            offline=client is None,
        )
        opt_outs = await self._read_opt_outs(client)
        plan.opt_outs = len(opt_outs)
        plan.opt_out_lists = opt_outs.sources
        plan.unread_opt_outs = opt_outs.unread

        async def counted() -> AsyncGenerator[SmsMessage, None]:
            async with aclosing(self._rows(opt_outs, client)) as rows:
                async for it in rows:
                    plan.add(it)
                    if isinstance(it, Problem):
                        on_problem(it)
                    else:
                        plan.unknown_zones += self._quiet is not None and not it.phone.zones
                        yield it.message
                    if client is None and plan.rows % _YIELD_EVERY == 0:
                        await asyncio.sleep(0)

        async with aclosing(counted()) as messages:
            if client is None:
                async for _ in messages:
                    pass
                if part_price is not None:
                    plan.price = Price(part_price * plan.total_parts, is_estimate=True)
            else:
                plan.price = await _asked_price(client, messages)
                account = await client.account.get()
                plan.balance = None if account.auto_recharge else account.balance
        if not plan.rows:
            raise CampaignError(f"{self.source.name} has no rows below its heading")
        return plan

    async def rows(self, client: ClickSend | None) -> AsyncGenerator[Draft | Problem, None]:
        """Yield what becomes of each row, in their order.

        Args:
            client: asked for opt-outs and contacts; None to do without.

        """
        opt_outs = await self._read_opt_outs(client)
        async with aclosing(self._rows(opt_outs, client)) as rows:
            async for it in rows:
                yield it

    async def messages(self, client: ClickSend) -> AsyncGenerator[SmsMessage, None]:
        """Yield the messages, for a bulk sender.

        Raises:
            CampaignError: some opt-outs cannot be read.

        """
        opt_outs = await self._read_opt_outs(client)
        if not self._ignore_unread_opt_outs:
            opt_outs.check()
        async with aclosing(self._rows(opt_outs, client)) as rows:
            async for it in rows:
                if isinstance(it, Draft):
                    yield it.message

    async def _read_opt_outs(self, client: ClickSend | None) -> OptOuts:
        opt_outs = OptOuts(self._numbers)
        sources = list(self._opt_out)
        if client is not None and self._account_opt_outs:
            sources += await account_opt_outs(client)
        for source in sources:
            await opt_outs.read(source, client)
        return opt_outs

    async def _rows(
        self, opt_outs: OptOuts, client: ClickSend | None
    ) -> AsyncGenerator[Draft | Problem, None]:
        seen = NumberSet()
        if not isinstance(self.source, ContactList):
            for row in self.source:
                yield self._read(row, opt_outs, seen)
        elif client is None:
            raise CampaignError(f"{self.source.name}: the account is needed to read it")
        else:
            async for row in self.source.rows(client):
                yield self._read(row, opt_outs, seen)

    def _read(self, row: Row, opt_outs: OptOuts, seen: NumberSet) -> Draft | Problem:
        if row.problem:
            return Problem(row.number, "hidden" if row.is_hidden else "unreadable", row.problem)
        phone = self._phone(row)
        if isinstance(phone, Problem):
            return phone
        if phone.number in opt_outs:
            return self._problem(row, "opted out", "has opted out")
        text = self._text(row)
        if isinstance(text, Problem):
            return text
        body, counted, replaced = text
        number = as_integer(phone.number)
        if not seen.add(number if self._unique == "number" else message_hash(phone.number, body)):
            return self._problem(row, "duplicate", "repeats an earlier row")
        schedule = None
        if self._quiet is not None:
            slot = self._quiet.slot(phone.zones, datetime.now(UTC))
            if slot is None:
                return self._problem(row, "no hour", "it is never time in all its time zones")
            if slot.wait_until is not None:
                opening = slot.wait_until.isoformat(timespec="minutes")
                return self._problem(row, "quiet hours", f"it is too late; resume from {opening}")
            schedule = slot.schedule
        message = SmsMessage(to=phone.number, body=body, from_=self._from, schedule=schedule)
        # The constructor of a NamedTuple takes as long as counting the row in.
        return tuple.__new__(Draft, (row.number, message, phone, counted, replaced))

    def _phone(self, row: Row) -> Phone | Problem:
        country = ""
        if self._country and (told := row.cells.get(self._country, "")):
            country = self._numbers.known(told)
            if not country and not isinstance(self.source, ContactList):
                meant = self._numbers.meant(told)
                detail = (
                    f"{meant}is no ISO code of a country"
                    if meant
                    else "is no ISO code of a country"
                )
                return Problem(row.number, "bad country", detail, self._country, told)
        text = row.cells.get(self._to, "")
        try:
            phone = self._numbers.read(text, country)
        except BadNumber as error:
            return self._problem(row, "bad number" if text else "no number", str(error))
        if phone.is_landline and not self._landlines:
            return self._problem(row, "landline", "is a landline")
        if phone.service and not self._service_numbers:
            return self._problem(row, "service number", f"is a {phone.service} number")
        return phone

    def _text(self, row: Row) -> tuple[str, Segments, int] | Problem:
        try:
            body = self._template.render(row.cells) if self._template else row.cells[self._body]
        except MissingField as error:
            return Problem(row.number, "missing field", str(error), error.column)
        except KeyError:
            body = ""
        if not body or body.isspace():
            return Problem(row.number, "empty text", "has no text", self._body)
        replaced = 0
        if self._smart_encoding:
            encoded = smart_encode(body)
            body, replaced = encoded.body, len(encoded.replaced)
        counted = segments(body)
        if counted.is_cut:
            detail = f"its text needs {counted.parts} parts, of which {MAX_PARTS} would be sent"
            return Problem(row.number, "too long", detail)
        return body, counted, replaced

    def _problem(self, row: Row, reason: str, detail: str) -> Problem:
        return Problem(row.number, reason, detail, self._to, row.cells.get(self._to, ""))


async def _asked_price(client: ClickSend, messages: AsyncGenerator[SmsMessage, None]) -> Price:
    async with client.sms.bulk(batching=Batching(linger=10.0)) as bulk:
        quote = await bulk.price(messages)
    return Price(quote.total, quote.currency, dict(quote.by_country), dict(quote.rejected))


def _table(source: Input | Table | ContactList) -> Table | ContactList:
    return source if isinstance(source, Table | ContactList) else open_table(source)


def _needed(columns: Columns, field: str, source: str, what: str) -> str:
    column = columns.find(field)
    if column is None:
        raise CampaignError(
            f"{source}: no column is known to hold {what}; give it with {field}=COLUMN, or the "
            "delimiter if this is not how the rows are divided; "
            + (columns.listed_for_numbers() if field == "to" else columns.listed())
        )
    return column


def _digest(*parts: Any) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()
