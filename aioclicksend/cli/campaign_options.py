"""What a campaign is made of and how it is sent, as told on the command line."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from cyclopts import Parameter, Token, validators

from ..bulk.reconcile import Reconcile
from ..campaign import Campaign, ContactList, QuietHours, open_table
from ..config import RateLimit
from .output import text_of


def _no_option(_kind: object, value: str | None) -> None:
    if value is not None and value.startswith("-") and value != "-":
        raise ValueError("a text that begins with a hyphen is read from standard input: -")


def _amount(_kind: object, tokens: Sequence[Token]) -> Decimal:
    try:
        return Decimal(tokens[0].value)
    except InvalidOperation:
        raise ValueError("must be an amount such as 0.08") from None


Money = Annotated[Decimal | None, Parameter(converter=_amount, validator=validators.Number(gte=0))]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """What a campaign is made of; remembered in its journal."""

    input: Annotated[str | None, Parameter(parse=False)] = None
    text: Annotated[
        str | None,
        Parameter(
            help="The text, as in: Hi {name|friend}; - reads it from standard input.",
            allow_leading_hyphen=True,
            validator=_no_option,
        ),
    ] = None
    list_id: Annotated[int | None, Parameter(help="A contact list in place of a file.")] = None
    column: Annotated[
        list[str], Parameter(help="The column of a field, as in to=Mobile; can be repeated.")
    ] = field(default_factory=list[str])
    country: Annotated[
        str | None, Parameter(help="Two-letter code by which local numbers are read.")
    ] = None
    from_: Annotated[str | None, Parameter(name="--from", help="The sender.")] = None
    smart_encoding: Annotated[
        bool, Parameter(help="Replace typographic characters where that saves Unicode.")
    ] = False
    opt_out: Annotated[
        list[str], Parameter(help="A file of numbers not to write to; can be repeated.")
    ] = field(default_factory=list[str])
    opt_out_list: Annotated[
        list[int], Parameter(help="A contact list not to write to; can be repeated.")
    ] = field(default_factory=list[int])
    ignore_account_opt_outs: Annotated[
        bool, Parameter(help="Write to people on the account's own opt-out list, too.")
    ] = False
    not_before: Annotated[
        str | None, Parameter(help="Time of day, where the recipient is, such as 09:00.")
    ] = None
    not_after: Annotated[str | None, Parameter(help="The same, such as 20:00.")] = None
    zone: Annotated[
        str | None, Parameter(help="Time zone of whoever's is not known, as Australia/Sydney.")
    ] = None
    landlines: Annotated[bool, Parameter(help="Write to landlines, too.")] = False
    service_numbers: Annotated[
        bool,
        Parameter(help="Write to toll-free, premium-rate and pager numbers and the like, too."),
    ] = False
    unique: Annotated[
        Literal["number", "message"],
        Parameter(help="Send one message a number, or different ones but none twice."),
    ] = "number"
    delimiter: Annotated[str | None, Parameter(help="Between the cells of a CSV file.")] = None
    encoding: Annotated[str | None, Parameter(help="Of a text file.")] = None
    sheet: Annotated[str | None, Parameter(help="Of a spreadsheet; the first if absent.")] = None

    def campaign(self, start: datetime) -> Campaign:
        """Return the campaign.

        Raises:
            ValueError: an option is wrong, or does not fit the list.

        """
        return Campaign(
            self._source(),
            self.text,
            columns=dict(map(_field_and_column, self.column)),
            country=self.country,
            from_=self.from_,
            opt_out=[*map(open_table, self.opt_out), *map(ContactList, self.opt_out_list)],
            account_opt_outs=not self.ignore_account_opt_outs,
            quiet=self._quiet(start),
            smart_encoding=self.smart_encoding,
            landlines=self.landlines,
            service_numbers=self.service_numbers,
            unique=self.unique,
        )

    def taken(self, source: str | None) -> Options:
        """Return them with the list, and the text as it stands in its file.

        Raises:
            ValueError: there is no list, or two, or standard input is to be two things.

        """
        if (source is None) == (self.list_id is None):
            raise ValueError("give either a file (- for standard input) or --list-id")
        if self.text == source == "-":
            raise ValueError("standard input can be the list or the text, not both")
        text = None if self.text is None else text_of(self.text)
        return dataclasses.replace(self, input=source, text=text)

    def journal(self) -> Path:
        """Return where the campaign is recorded if nothing is said.

        Raises:
            ValueError: there is no name to go by.

        """
        if self.list_id is not None:
            return Path(f"list-{self.list_id}.campaign")
        if self.input == "-":
            raise ValueError("a list that comes by standard input needs a --journal")
        return Path(str(self.input)).with_suffix(".campaign")

    def remembered(self) -> str:
        """Return everything as it is kept in the journal: with paths that do not depend on here."""
        whole = msgspec.to_builtins(self)
        whole["opt_out"] = [str(Path(it).absolute()) for it in self.opt_out]
        if self.input not in (None, "-"):
            whole["input"] = str(Path(self.input).absolute())
        return msgspec.json.encode(whole).decode()

    def _source(self) -> Any:
        if self.list_id is not None:
            return ContactList(self.list_id)
        source = sys.stdin.buffer if self.input == "-" else Path(str(self.input))
        return open_table(
            source, encoding=self.encoding, delimiter=self.delimiter, sheet=self.sheet
        )

    def _quiet(self, start: datetime) -> QuietHours | None:
        told = (self.not_before, self.not_after, self.zone)
        if told == (None, None, None):
            return None
        if None in told:
            raise ValueError("quiet hours need all of --not-before, --not-after and --zone")
        return QuietHours(
            _clock(self.not_before), _clock(self.not_after), zone=str(self.zone), start=start
        )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Sending:
    """How a campaign is sent."""

    budget: Annotated[
        Money, Parameter(help="Amount that is never spent beyond, by all its runs together.")
    ] = None
    rate: Annotated[
        float, Parameter(help="Requests a second; 0 for no limit.", show_default=True)
    ] = 10.0
    settle: Annotated[
        float,
        Parameter(help="Seconds for which messages in doubt are looked for.", show_default=True),
    ] = 60.0
    resend_unknown: Annotated[
        bool,
        Parameter(help="Send again what was not found by then, at the risk of sending it twice."),
    ] = False
    no_ramp: Annotated[bool, Parameter(help="Begin with full requests at once.")] = False

    @property
    def rate_limit(self) -> RateLimit | None:
        """The pace of all requests."""
        return pace(self.rate)

    @property
    def reconcile(self) -> Reconcile:
        """How messages in doubt are settled."""
        return Reconcile(settle=self.settle, resend=self.resend_unknown)


def _field_and_column(told: str) -> tuple[str, str]:
    name, equals, column = told.partition("=")
    if not equals:
        raise ValueError("--column: must be FIELD=COLUMN, such as to=Mobile")
    return name.strip(), column.strip()


def _clock(told: str | None) -> time:
    try:
        return time.fromisoformat(str(told))
    except ValueError:
        raise ValueError("quiet hours: a time of day is written as 09:00") from None


def pace(rate: float) -> RateLimit | None:
    """Return a number of requests a second as a limit; 0 is none."""
    if rate < 0:
        raise ValueError("--rate: must not be negative")
    if rate == 0:
        return None
    return RateLimit(round(rate), 1.0) if rate >= 1 else RateLimit(1, 1 / rate)
