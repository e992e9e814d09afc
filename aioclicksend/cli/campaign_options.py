"""What a campaign is made of and how it is sent, as given on the command line."""

from __future__ import annotations

import dataclasses
import hashlib
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
from ..campaign import (
    FIELDS,
    Campaign,
    CampaignError,
    Channel,
    ContactList,
    Mms,
    QuietHours,
    Schedule,
    Sms,
    Voice,
    open_table,
)
from ..config import RateLimit
from ..delivery import Breaker
from ..files import open_regular
from .errors import Changed
from .output import Output
from .texts import Text, TextFile, text_of

_FIELDS = "; ".join(f"{field}, {meaning}" for field, meaning in FIELDS.items())


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
        Text,
        Parameter(
            help="The text, with fields such as {name} or {name|friend}; - reads it from standard "
            "input. Without one, each row has its own in the column body."
        ),
    ] = None
    text_file: TextFile = None
    list_id: Annotated[int | None, Parameter(help="A contact list in place of a file.")] = None
    column: Annotated[
        list[str],
        Parameter(
            help="The column of a field, as in to=Mobile; can be repeated. Besides those of the "
            f"text the fields are: {_FIELDS}. With nothing after it, as in schedule=, no column is "
            "taken."
        ),
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
    ignore_unread_opt_outs: Annotated[
        bool,
        Parameter(
            help="Send although some opt-outs cannot be read; those people may get a message."
        ),
    ] = False
    at: Annotated[
        str | None,
        Parameter(help="When to send, such as '2026-12-01 09:00', with --zone or --local."),
    ] = None
    local: Annotated[
        bool, Parameter(help="Read times in each recipient's own time zone, by the number.")
    ] = False
    zone: Annotated[
        str | None,
        Parameter(
            help="Time zone of --at and schedule columns, such as Australia/Sydney; with --local "
            "or quiet hours, that of recipients whose own is unknown."
        ),
    ] = None
    at_server: Annotated[
        bool,
        Parameter(
            help="Hand everything to ClickSend at once, which sends it when it is due. Opt-outs, "
            "quiet hours and budgets are then not looked at again."
        ),
    ] = False
    quiet: Annotated[
        Literal["us", "ca", "au", "fr", "gb"] | None,
        Parameter(help="Keep the hours of a country's law or practice; what is outside waits."),
    ] = None
    not_before: Annotated[
        str | None,
        Parameter(help="Hours of your own: send from this time of day on, such as 09:00."),
    ] = None
    not_after: Annotated[
        str | None, Parameter(help="Hours of your own: send until this time of day, as 20:00.")
    ] = None
    channel: Annotated[Literal["sms", "mms", "voice"], Parameter(help="What to send.")] = "sms"
    media: Annotated[str | None, Parameter(help="Address of the picture of an MMS.")] = None
    subject: Annotated[str | None, Parameter(help="Subject of an MMS.")] = None
    voice: Annotated[
        Literal["female", "male"] | None, Parameter(help="Voice of calls; female if absent.")
    ] = None
    lang: Annotated[
        str | None, Parameter(help="Language of calls, such as en-au; en-us if absent.")
    ] = None
    landlines: Annotated[bool, Parameter(help="Write to landlines, too.")] = False
    service_numbers: Annotated[
        bool,
        Parameter(
            help="Write to toll-free, premium-rate, shared-cost, VoIP and pager numbers, too."
        ),
    ] = False
    unique: Annotated[
        Literal["number", "message"],
        Parameter(
            help="What is sent once: number, a message to each number; message, each different "
            "text to it."
        ),
    ] = "number"
    delimiter: Annotated[
        str | None,
        Parameter(help="Character between the cells of a CSV file; recognised if absent."),
    ] = None
    encoding: Annotated[
        str | None, Parameter(help="Encoding of the list, such as cp1252; recognised if absent.")
    ] = None
    sheet: Annotated[
        str | None, Parameter(help="Sheet of a spreadsheet; the first visible one if absent.")
    ] = None

    def campaign(self, start: datetime, *, frozen: bool = False) -> Campaign:
        """Return the campaign.

        Args:
            start: when it was begun.
            frozen: whether the list is read once and kept, so that later changes of its file do
                not reach what is sent.

        Raises:
            ValueError: an option is wrong, or does not fit the list.

        """
        return Campaign(
            self._source(frozen=frozen),
            self.text,
            columns=dict(map(_field_and_column, self.column)),
            country=self.country,
            from_=self.from_,
            opt_out=[*map(open_table, self.opt_out), *map(ContactList, self.opt_out_list)],
            account_opt_outs=not self.ignore_account_opt_outs,
            ignore_unread_opt_outs=self.ignore_unread_opt_outs,
            quiet=self._quiet(),
            schedule=self._schedule(start),
            at_server=self.at_server,
            channel=self._channel(),
            smart_encoding=self.smart_encoding,
            landlines=self.landlines,
            service_numbers=self.service_numbers,
            unique=self.unique,
        )

    @property
    def stdin_used(self) -> bool:
        """Whether the list or the text comes through standard input."""
        return "-" in (self.input, self.text)

    def with_input(self, source: str | None) -> Options:
        """Return them with the list.

        Raises:
            ValueError: there is no list, or two, or standard input is to be two things.

        """
        if (source is None) == (self.list_id is None):
            raise ValueError("give either a file (- for standard input) or --list-id")
        # Whichever is read first would leave the other one empty.
        if self.text == source == "-":
            raise ValueError("standard input can be the list or the text, not both")
        return dataclasses.replace(self, input=source)

    def with_text(self) -> Options:
        """Return them with the text as it stands in its file or comes through standard input.

        Raises:
            ValueError: the text was given twice.
            ConfigurationError: its file cannot be read.

        """
        return dataclasses.replace(self, text=text_of(self.text, self.text_file))

    def check_unchanged(self, fingerprint: str) -> None:
        """Make sure that list and text are still what a plan was made of.

        Raises:
            Changed: one of them is not.

        """
        if self.text_file is not None and text_of(None, self.text_file) != self.text:
            raise Changed(f"{self.text_file} changed since it was read: nothing was sent")
        path = None if self.input in (None, "-") else Path(self.input)
        if path is None or not path.is_file():
            return
        digest = hashlib.blake2b(digest_size=16)
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        if digest.hexdigest() != fingerprint:
            raise Changed(f"{path} changed since it was read: nothing was sent; run it again")

    def journal(self) -> Path:
        """Return the path of the journal if none is given.

        Raises:
            ValueError: there is no name to derive it from.

        """
        if self.list_id is not None:
            # By its number: people rename their lists, and the journal must be found again.
            return Path(f"list-{self.list_id}.campaign")
        if self.input == "-":
            raise ValueError("a list that comes by standard input needs a --journal")
        return Path(str(self.input)).with_suffix(".campaign")

    def remembered(self) -> str:
        """Return everything as it is kept in the journal: with paths that do not depend on here."""
        # The text itself, not its file: a campaign is what its recipients got.
        whole = dataclasses.asdict(self) | {"text_file": None}
        whole["opt_out"] = [str(Path(it).absolute()) for it in self.opt_out]
        if self.input not in (None, "-"):
            whole["input"] = str(Path(self.input).absolute())
        return msgspec.json.encode(whole).decode()

    def remembered_files(self) -> str:
        """Return the files it is read from as they are kept in the journal."""
        paths = [str(Path(it).absolute()) for it in self.files if it is not None]
        return msgspec.json.encode(paths).decode()

    @property
    def files(self) -> list[str | None]:
        """The files it is read from, which no output may replace."""
        text = None if self.text_file is None else str(self.text_file)
        return [None if self.input == "-" else self.input, text, *self.opt_out]

    def _source(self, *, frozen: bool) -> Any:
        if self.list_id is not None:
            return ContactList(self.list_id)
        options = {"encoding": self.encoding, "delimiter": self.delimiter, "sheet": self.sheet}
        if self.input == "-":
            return open_table(sys.stdin.buffer, **options)
        path = Path(str(self.input))
        if not frozen or not path.is_file():
            return open_table(path, **options)
        # From here on the copy is the list: an editor may write to the file while a run waits.
        try:
            with open_regular(path) as file:
                return open_table(file, **options)
        except OSError as error:
            raise CampaignError(f"{path.name} cannot be read: {error.strerror}") from None

    def _schedule(self, start: datetime) -> Schedule | None:
        if self.at is None and not self.local and (self.zone is None or self._has_quiet):
            # A schedule column whose times all have offsets needs neither option.
            return Schedule(None, start=start) if self._maps_schedule else None
        return Schedule(self.at, zone=self.zone, local=self.local, start=start)

    @property
    def _maps_schedule(self) -> bool:
        return any(it.partition("=")[0].strip() == "schedule" for it in self.column)

    @property
    def _has_quiet(self) -> bool:
        return (self.quiet, self.not_before, self.not_after) != (None, None, None)

    def _quiet(self) -> QuietHours | None:
        own = (self.not_before, self.not_after)
        if self.quiet is not None:
            if own != (None, None):
                raise ValueError("give either --quiet, or --not-before and --not-after")
            return QuietHours.preset(self.quiet, zone=self.zone)
        if own == (None, None):
            return None
        if None in own:
            raise ValueError("quiet hours need both --not-before and --not-after")
        return QuietHours.between(_clock(self.not_before), _clock(self.not_after), zone=self.zone)

    def _channel(self) -> Channel:
        mms, voice = (self.media, self.subject), (self.voice, self.lang)
        if self.channel != "mms" and mms != (None, None):
            raise ValueError("--media and --subject are for --channel mms")
        if self.channel != "voice" and voice != (None, None):
            raise ValueError("--voice and --lang are for --channel voice")
        if self.channel == "mms":
            if None in mms:
                raise ValueError("--channel mms needs --media and --subject")
            return Mms(media=str(self.media), subject=str(self.subject))
        if self.channel == "voice":
            return Voice(voice=self.voice or "female", lang=self.lang or "en-us")
        return Sms()


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
    store: Annotated[
        Path | None,
        Parameter(
            help="The inbox of 'webhook serve': people who reply STOP during the run are left out."
        ),
    ] = None
    stop_if_failed: Annotated[
        str | None,
        Parameter(help="Stop when this many messages are not delivered, such as 20%."),
    ] = None

    @property
    def breaker(self) -> Breaker | None:
        """When to stop because messages are not delivered.

        Raises:
            ValueError: `stop_if_failed` is no share.

        """
        if self.stop_if_failed is None:
            return None
        try:
            return Breaker.parse(self.stop_if_failed)
        except ValueError as error:
            raise ValueError(f"--stop-if-failed: {error}") from None

    @property
    def rate_limit(self) -> RateLimit | None:
        """The pace of all requests."""
        return pace(self.rate)

    @property
    def reconcile(self) -> Reconcile:
        """How messages in doubt are settled."""
        return Reconcile(settle=self.settle, resend=self.resend_unknown)


def _field_and_column(given: str) -> tuple[str, str]:
    name, equals, column = given.partition("=")
    if not equals:
        raise ValueError("--column: must be FIELD=COLUMN, such as to=Mobile")
    return name.strip(), column.strip()


def _clock(given: str | None) -> time:
    try:
        return time.fromisoformat(str(given))
    except ValueError:
        raise ValueError("quiet hours: a time of day is written as 09:00") from None


def note_new_store(store: Path | None, out: Output) -> None:
    """Say so if a store is not there yet: a misspelt one knows of no opt-out."""
    if store is not None and not store.exists():
        out.note(f"--store: {store} is not there yet, so it knows of no opt-outs; it is made")


def pace(rate: float) -> RateLimit | None:
    """Return a number of requests a second as a limit; 0 is none."""
    if rate < 0:
        raise ValueError("--rate: must not be negative")
    if rate == 0:
        return None
    return RateLimit(round(rate), 1.0) if rate >= 1 else RateLimit(1, 1 / rate)
