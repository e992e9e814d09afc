"""A campaign: rows of a table become messages, or are left out with a reason."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Literal, cast

from ..bulk.intake import Batching
from ..client import ClickSend
from ..codes import shown_currency
from ..errors import CampaignError
from ..models.messages import Message
from ..quiet import QuietHours
from ..text import Segments, smart_encode
from .channel import Channel, Sms
from .columns import Columns
from .file import Input
from .identity import Recipients
from .number_set import NumberSet, as_integer, message_hash
from .numbers import BadNumber, Numbers, Phone
from .opt_outs import OptOuts, account_opt_outs
from .plan import Draft, Plan, Price, Problem
from .schedule import BadTime, Schedule
from .source import ContactList, Row, Table, open_table
from .table import sample
from .template import MissingField, Template, field_in
from .warnings import AccountChecks, RowChecks, credit_short, cut_by_account, now_utc

_NOT_OPTED_OUT = frozenset(
    {"", "no", "n", "false", "f", "0", "-", "none", "null", "nan", "n/a", "nein", "non", "nee"}
)
"""Cells of a column of opt-outs that say that somebody has not opted out; any other may say so."""
_YIELD_EVERY = 500
"""Rows after which other tasks get a turn on the event loop."""

FIELDS = {
    "to": "the phone number",
    "body": "the text, where each row has its own",
    "country": "the two-letter country by which a local number is read",
    "schedule": "when the message is due, such as 2026-12-01 09:00",
    "name": "the recipient's name, for the report",
    "opt_out": "whether the recipient has opted out: anything but an empty cell, no, false or 0",
}
"""Fields that a column can be mapped to, besides those of the text."""


class Campaign:
    """The messages of a campaign, made of a table and a text.

    Each pass over the rows makes the same messages in the same order, so a run with a journal goes
    on where an earlier one stopped.

        campaign = Campaign("people.csv", "Hi {name|there}, we open at 9.", country="AU")
        plan = await campaign.plan(client)
        async with running(campaign, client, "promo.campaign") as run:
            ending = await run.send()

    ClickSend's own opt-out system does not apply to what is sent through the API. The account's
    opt-out lists are therefore read and obeyed here, unless `account_opt_outs` is false.

    Args:
        source: a file with a table (CSV, NDJSON, XLSX), or a contact list of the account.
        body: the text, with fields such as ``{name}`` or ``{name|friend}``; if absent, each row has
            its own in the column ``body``, taken as it is.
        columns: the column of a field, where its name differs: ``{"to": "Mobile"}``. Fields are
            those of the text and of `FIELDS`.
        country: ISO code by which local numbers are read.
        from_: the sender.
        opt_out: files and contact lists with numbers not to write to.
        account_opt_outs: whether the account's own opt-out lists are obeyed.
        ignore_unread_opt_outs: whether messages are made although some opt-outs cannot be read.
        quiet: when people may be written to; others wait.
        schedule: when messages are due; at once if absent.
        at_server: whether the API keeps what is due later, instead of the run waiting for it.
        channel: what is sent: `Sms`, `Mms` or `Voice`.
        smart_encoding: whether typographic characters are replaced where that saves Unicode.
        landlines: whether numbers of landlines are written to.
        service_numbers: whether toll-free, premium-rate, VoIP, pager and similar numbers are, which
            take no SMS, or cost extra.
        unique: what is not sent twice: anything to the same ``number``, or only the same
            ``message`` to it.
        clock: returns the present time.

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
        schedule: Schedule | None = None,
        at_server: bool = False,
        channel: Channel | None = None,
        smart_encoding: bool = False,
        landlines: bool = False,
        service_numbers: bool = False,
        unique: Literal["number", "message"] = "number",
        clock: Callable[[], datetime] = now_utc,
    ) -> None:
        self.source: Table | ContactList = _table(source)
        self.channel: Channel = channel or Sms()
        self.clock = clock
        self.by_message: bool = unique == "message"
        self.sender = from_
        self.at_server = at_server
        self.quiet = quiet
        self._text_given = body
        self._opt_out = [_table(it) for it in opt_out]
        self._account_opt_outs = account_opt_outs
        self._ignore_unread_opt_outs = ignore_unread_opt_outs
        self._schedule = schedule
        self._smart_encoding = smart_encoding
        self._landlines = landlines
        self._service_numbers = service_numbers
        self._numbers = Numbers(country)
        mapping = dict(columns or {})
        # An empty column means that the field is not to be taken from any.
        ignored = {field for field, column in mapping.items() if not column}
        mapping = {field: column for field, column in mapping.items() if column}
        if isinstance(self.source, ContactList):
            mapping = {"to": "phone_number", "country": "address_country"} | mapping
        rows = [] if isinstance(self.source, ContactList) else sample(self.source)
        found = Columns(self.source.columns, mapping, rows)
        self._to = _needed(found, "to", self.source.name, "phone numbers")
        self._country = found.find("country") if "country" in mapping else None
        # A country per row needs the numbering plans of all countries.
        if self._country and not isinstance(self.source, ContactList):
            self._numbers.require_library()
        self._template = Template(body, found) if body is not None else None
        self._body = "" if self._template else _needed(found, "body", self.source.name, "texts")
        self._columns = found
        self._check_fields({*mapping, *ignored})
        self._when = "" if "schedule" in ignored else self._column_of_times(found)
        used = self._template.columns.values() if self._template else ()
        # A column that the text shows, such as a link to opt out, says nothing of the recipient.
        self._opted_out = [
            it for it in found.opt_outs() if "opt_out" not in ignored and it not in used
        ]
        self._name = found.find("name") or found.find("first_name") or ""
        self.settings: dict[str, str] = {
            "channel": self.channel.name,
            "text": _digest(body, from_, self.channel),
            "unique": unique,
        }
        """What makes this campaign this one: a journal holds messages of the same only."""

    @property
    def fingerprint(self) -> str:
        """A hash of the list's bytes."""
        return self.source.fingerprint

    @property
    def columns(self) -> dict[str, str]:
        """The column each field is taken from."""
        fields = {
            "to": self._to,
            "body": self._body,
            "country": self._country or "",
            "schedule": self._when,
            "opt_out": ", ".join(self._opted_out),
        }
        named = self._template.columns if self._template else {}
        return {field: column for field, column in (fields | named).items() if column}

    async def plan(
        self,
        client: ClickSend | None = None,
        *,
        part_price: Decimal | None = None,
        recipients: Recipients | None = None,
        on_problem: Callable[[Problem], object] = lambda _: None,
        on_message: Callable[[Draft], object] | None = None,
    ) -> Plan:
        """Return what the campaign would do; nothing is sent.

        Args:
            client: asked for prices, opt-outs, contacts and the rules of countries and senders;
                None to stay offline.
            part_price: price of a part, for an estimate offline.
            recipients: who is in the campaign's journal; they are not counted as messages again.
            on_problem: called with each row that is left out.
            on_message: called with each row that would be sent.

        Raises:
            CampaignError: the input is broken, or holds no row at all.
            ClickSendError: the account could not be asked.

        """
        plan = Plan(
            source=self.source.name,
            format=self.source.format,
            columns=self.columns,
            fingerprint=self.fingerprint,
            channel=self.channel.name,
            offline=client is None,
        )
        opt_outs = await self._read_opt_outs(client)
        plan.opt_outs = len(opt_outs)
        plan.opt_out_lists = opt_outs.sources
        plan.unread_opt_outs = opt_outs.unread
        checks = RowChecks(
            self.sender,
            self._text_given,
            quiet=self.quiet is not None,
            is_sms=isinstance(self.channel, Sms),
        )
        counting = _Counting(
            plan,
            checks,
            recipients=recipients,
            now=self.clock(),
            on_problem=on_problem,
            on_message=on_message,
        )
        if client is None:
            await self._count(counting, opt_outs)
        else:
            async with aclosing(self._counted(counting, opt_outs, client)) as messages:
                plan.price = await self._asked_price(client, messages)
        if not plan.rows:
            raise CampaignError(f"{self.source.name} has no rows below its heading")
        counting.finish()
        if client is not None:
            await self._ask_account(plan, client)
        elif part_price is not None:
            plan.price = Price(part_price * plan.total_parts, is_estimate=True)
        return plan

    async def _count(self, counting: _Counting, opt_outs: OptOuts) -> None:
        """Count the rows of a file.

        Not by way of `_counted`: asynchronous generators take as long as reading the numbers.
        """
        if isinstance(self.source, ContactList):
            raise self._needs_account()
        seen = NumberSet()
        for row in self.source:
            counting.add(self._read(row, opt_outs, seen))
            # Nothing else awaits here, and a long list would block the event loop.
            if counting.plan.rows % _YIELD_EVERY == 0:
                await asyncio.sleep(0)

    async def _counted(
        self, counting: _Counting, opt_outs: OptOuts, client: ClickSend
    ) -> AsyncGenerator[Message, None]:
        """Count the rows, and yield the messages that would be sent."""
        async with aclosing(self._rows(opt_outs, client)) as rows:
            async for it in rows:
                message = counting.add(it)
                if message is not None:
                    yield message

    async def rows(
        self, client: ClickSend | None, *, to_send: bool = False
    ) -> AsyncGenerator[Draft | Problem, None]:
        """Yield what becomes of each row, in their order.

        Args:
            client: asked for opt-outs and contacts; None to do without.
            to_send: whether they are sent: then an opt-out that cannot be read is an error.

        Raises:
            CampaignError: some opt-outs cannot be read.

        """
        opt_outs = await self._read_opt_outs(client)
        # Fail closed: a number on a list that cannot be read may be one of these.
        if to_send and not self._ignore_unread_opt_outs:
            opt_outs.check()
        async with aclosing(self._rows(opt_outs, client)) as rows:
            async for it in rows:
                yield it

    async def messages(self, client: ClickSend) -> AsyncGenerator[Any, None]:
        """Yield the messages, for a bulk sender.

        Raises:
            CampaignError: some opt-outs cannot be read.

        """
        async with aclosing(self.rows(client, to_send=True)) as rows:
            async for it in rows:
                if isinstance(it, Draft):
                    yield it.message

    async def _ask_account(self, plan: Plan, client: ClickSend) -> None:
        account = await client.account.get()
        plan.account = account.username or ""
        # An account that recharges itself does not run out, so its balance says nothing.
        plan.balance = None if account.auto_recharge else account.balance
        if isinstance(self.channel, Sms):
            asking = AccountChecks(client, self.sender, plan.countries)
            plan.warnings += await asking.warnings(account)
            plan.warnings += cut_by_account(account, plan.parts)
        if plan.shortfall:
            currency = (plan.price and plan.price.currency) or ""
            lacking = f"{plan.shortfall:,.4f} {currency and shown_currency(currency)}".strip()
            plan.warnings.append(credit_short(lacking, plan.messages))

    async def _asked_price(
        self, client: ClickSend, messages: AsyncGenerator[Message, None]
    ) -> Price:
        group = self.channel.group(client)
        # A list that is walked through the API comes in slowly: fill the requests all the same.
        async with group.bulk(batching=Batching(linger=10.0)) as bulk:
            quote = await bulk.price(messages)
        return Price(quote.total, quote.currency, dict(quote.by_country), dict(quote.rejected))

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
            raise self._needs_account()
        else:
            async for row in self.source.rows(client):
                yield self._read(row, opt_outs, seen)

    def _needs_account(self) -> CampaignError:
        return CampaignError(f"{self.source.name}: the account is needed to read it")

    def _read(self, row: Row, opt_outs: OptOuts, seen: NumberSet) -> Draft | Problem:
        if row.problem:
            return Problem(row.number, "hidden" if row.is_hidden else "unreadable", row.problem)
        read = self._message(row, opt_outs, seen)
        if read.__class__ is Draft:
            return read
        return read._replace(name=self._name_in(row), written=row.cells.get(self._to, ""))

    def _message(self, row: Row, opt_outs: OptOuts, seen: NumberSet) -> Draft | Problem:
        # The order decides what a row is reported as, and so whether it counts as a mistake.
        phone = self._phone(row)
        if isinstance(phone, Problem):
            return phone
        # Before the text: an opted-out row must be reported as that, even if it is broken as well.
        if phone.number in opt_outs:
            return self._problem(row, "opted out", "has opted out")
        if self._opted_out and (column := self._marked_in(row)):
            # For rows of the same number further down, too.
            opt_outs.add(phone.number)
            return Problem(row.number, "opted out", "has opted out, by the list itself", column)
        text = self._text(row)
        if isinstance(text, Problem):
            return text
        body, counted, replaced = text
        # The first row of a number wins, in every pass and every run.
        key = message_hash(phone.number, body) if self.by_message else as_integer(phone.number)
        if not seen.add(key):
            return self._problem(row, "duplicate", "repeats an earlier row")
        due = self._due(row, phone)
        if isinstance(due, Problem):
            return due
        # Without `at_server` the run itself waits, so that an opt-out until then is still obeyed.
        schedule = due if self.at_server else None
        message = self.channel.message(phone.number, body, self.sender, schedule)
        name, written = self._name_in(row), row.cells.get(self._to, "")
        # The constructor of a NamedTuple takes as long as counting the row in.
        fields = (row.number, message, phone, counted, replaced, due, name, written)
        return tuple.__new__(Draft, fields)

    def _marked_in(self, row: Row) -> str:
        """Return the column by which a recipient has opted out; empty if none says so."""
        for column in self._opted_out:
            if row.cells.get(column, "").casefold() not in _NOT_OPTED_OUT:
                return column
        return ""

    def _name_in(self, row: Row) -> str:
        return row.cells.get(self._name, "") if self._name else ""

    def _phone(self, row: Row) -> Phone | Problem:
        country = ""
        if self._country and (given := row.cells.get(self._country, "")):
            country = self._numbers.known(given)
            # Contacts hold free text there; in a file a wrong country is a mistake in the list.
            if not country and not isinstance(self.source, ContactList):
                meant = self._numbers.meant(given)
                detail = f"{meant}is no ISO code of a country"
                return Problem(row.number, "bad country", detail, self._country, given)
        text = row.cells.get(self._to, "")
        try:
            phone = self._numbers.read(text, country)
        except BadNumber as error:
            return self._problem(row, "bad number" if text else "no number", str(error))
        # Operators drop what is sent to landlines, or read it out; it costs all the same.
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
        if self._body and (field := field_in(body, self._columns)):
            detail = f"{field} names a column, and would be sent as it stands"
            return Problem(row.number, "placeholder", detail, self._body)
        replaced = 0
        if self._smart_encoding:
            encoded = smart_encode(body)
            body, replaced = encoded.body, len(encoded.replaced)
        counted = self.channel.measure(body)
        if excess := self.channel.excess(counted):
            return Problem(row.number, "too long", excess)
        return body, counted, replaced

    def _due(self, row: Row, phone: Phone) -> datetime | Problem | None:
        """Return when a row may be sent: its own time, but not in quiet hours; None for at once."""
        due = None
        if self._schedule is not None:
            cell = row.cells.get(self._when, "") if self._when else ""
            try:
                due = self._schedule.due(cell, phone.number)
            except BadTime as error:
                return Problem(row.number, "bad time", str(error), self._when, cell)
        if self.quiet is None:
            return due
        now = self.clock()
        wanted = max(due, now) if due is not None else now
        # In the recipient's zones, not the sender's.
        opening = self.quiet.opening(phone.number, wanted)
        if opening is None:
            known = self.quiet.knows(phone.number)
            detail = "is never open in all its time zones" if known else "has no known zone: --zone"
            return self._problem(row, "no hour", detail)
        return due if opening == wanted else opening

    def _column_of_times(self, columns: Columns) -> str:
        column = columns.find("schedule") or ""
        if column and self._schedule is None:
            raise CampaignError(
                f"{self.source.name} has a column {column!r}: give the zone of its times with "
                "--zone or --local, or --column schedule= to ignore it"
            )
        return column

    def _check_fields(self, mapping: set[str]) -> None:
        known = {*FIELDS, *(self._template.columns if self._template else ())}
        for field in mapping:
            if field not in known:
                raise CampaignError(
                    f"--column: there is no field {field!r}; {_similar(field, known)}"
                )

    def _problem(self, row: Row, reason: str, detail: str) -> Problem:
        return Problem(row.number, reason, detail, self._to, row.cells.get(self._to, ""))


class _Counting:
    """Counts the rows of a plan, and finds those that are sent."""

    def __init__(
        self,
        plan: Plan,
        checks: RowChecks,
        *,
        recipients: Recipients | None,
        now: datetime,
        on_problem: Callable[[Problem], object],
        on_message: Callable[[Draft], object] | None,
    ) -> None:
        self.plan = plan
        self._checks = checks
        self._recipients = recipients
        self._now = now
        self._on_problem = on_problem
        self._on_message = on_message

    def add(self, it: Draft | Problem) -> Message | None:
        """Count a row and return its message if it would be sent."""
        if isinstance(it, Problem):
            self.plan.leave_out(it)
            self._on_problem(it)
            return None
        message = it.message
        if self._recipients is not None:
            match = self._recipients.match(message.to, message.body)
            self.plan.compare(match)
            if match.is_settled:
                return None
        self.plan.add(it)
        if self._on_message is not None:
            self._on_message(it)
        due = it.due or self._now
        self._checks.add(it.row, it.phone, message.body, due)
        return cast("Message", message)

    def finish(self) -> None:
        """Add what is known once all rows were counted."""
        plan = self.plan
        # Never below 0: two rows of the list may match one number.
        if self._recipients is not None:
            it = plan.comparison
            matched = it.unchanged + it.changed + it.unsent + it.corrected + it.opted_out
            it.gone = max(len(self._recipients) - matched, 0)
        else:
            plan.comparison.new = plan.messages
        plan.warnings = list(self._checks.warnings(plan.countries))


def _similar(field: str, known: set[str]) -> str:
    close = get_close_matches(field, known, 1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{hint}the fields are: {', '.join(sorted(known))}"


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
