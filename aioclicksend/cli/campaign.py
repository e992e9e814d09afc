"""`aioclicksend campaign`: from a spreadsheet to a report that can be trusted."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from ..bulk.reconcile import Reconcile
from ..bulk.sender import RAMP
from ..bulk.signals import stop_on_signals
from ..campaign import Campaign, Ending, Plan, Record, running
from ..campaign import resolve as settle_by_hand
from ..client import ClickSend
from ..config import RateLimit
from ..errors import ConfigurationError
from ..hooks import HoldEvent, Hooks
from . import loop
from .campaign_options import Money, Options, Sending, pace
from .campaign_receipts import receipts
from .campaign_tables import (
    Standing,
    problems_file,
    show_plan,
    show_standing,
    standing,
    write_lines,
)
from .errors import Exit
from .output import PLAIN, Output, Yes, confirm, console
from .progress import watch

app = App("campaign", help="A text to everybody on a list: plan, run, resume, status, report.")

_Input = Annotated[
    str | None,
    Parameter(
        help="The list: CSV, NDJSON or XLSX; - reads standard input.", allow_leading_hyphen=True
    ),
]
_Journal = Annotated[Path, Parameter(help="The journal of the campaign.")]


_NO_OPTIONS = Options()
_SENDING = Sending()


@app.command
def plan(
    source: _Input = None,
    /,
    *,
    options: Options = _NO_OPTIONS,
    offline: Annotated[bool, Parameter(help="Ask the account for nothing.")] = False,
    part_price: Annotated[
        Money, Parameter(help="Price of a part, for an estimate while offline.")
    ] = None,
    problems: Annotated[Path | None, Parameter(help="Write each row left out to a CSV.")] = None,
    rate: Annotated[float, Parameter(help="Requests a second.", show_default=True)] = 10.0,
    out: Output = PLAIN,
) -> int:
    """Show who would get what, what is wrong with the list, and what it costs. Sends nothing.

    Ends with 1 if a row is left out. ClickSend's own opt-out system does not apply to what is sent
    through its API: the account's opt-out list is therefore read and obeyed here.
    """
    campaign = options.taken(source).campaign(datetime.now(UTC))

    async def planning() -> Plan:
        with problems_file(problems) as write:
            if offline:
                return await campaign.plan(part_price=part_price, on_problem=write)
            async with _client(out, pace(rate)) as client:
                return await campaign.plan(client, on_problem=write)

    with _patience():
        made = loop.run(planning())
    _tell_plan(out, made, pace(rate))
    return Exit.OK if made.is_clean else Exit.REFUSED


@app.command
def run(
    source: _Input = None,
    /,
    *,
    options: Options = _NO_OPTIONS,
    journal: Annotated[
        Path | None, Parameter(help="Where the run is recorded; INPUT.campaign if absent.")
    ] = None,
    sending: Sending = _SENDING,
    problems: Annotated[Path | None, Parameter(help="Write each row left out to a CSV.")] = None,
    yes: Yes = False,
    out: Output = PLAIN,
) -> int:
    """Plan a campaign, ask, and send it; everything is recorded in its journal.

    Begun again with the same list and text it goes on where it stopped: nobody gets it twice.
    """
    told = options.taken(source)
    path = journal or told.journal()
    record = Record(path) if path.exists() else None
    start = _start_of(record)
    campaign = told.campaign(start)
    if record is not None:
        record.check(campaign.settings)

    async def going() -> int:
        async with _client(out, sending.rate_limit) as client:
            with problems_file(problems) as write, _patience():
                made = await campaign.plan(client, on_problem=write)
            if not out.json:
                show_plan(made, sending.rate_limit)
            if not yes and sys.stdin.isatty():
                confirm(f"Send {made.messages:,} messages?", yes=False)
            facts = {
                "spec": told.remembered(),
                "start": start.isoformat(),
                "messages": str(made.messages),
                "budget": "" if sending.budget is None else str(sending.budget),
                "left_out": msgspec.json.encode(made.problems).decode(),
            }
            return await _send(campaign, client, path, sending, facts=facts, out=out)

    return loop.run(going())


@app.command
def resume(
    journal: _Journal,
    /,
    *,
    source: Annotated[
        str | None,
        Parameter(
            name="--input",
            help="The list, if it was moved; - reads standard input.",
            allow_leading_hyphen=True,
        ),
    ] = None,
    sending: Sending = _SENDING,
    out: Output = PLAIN,
) -> int:
    """Go on with a campaign: what is in doubt is looked up, what was not sent is sent."""
    record = Record(journal)
    if "spec" not in record.facts:
        raise ConfigurationError(
            f"{journal} does not tell its list and text: begin it with campaign run"
        )
    told = msgspec.json.decode(record.facts["spec"], type=dict)
    if source is not None:
        told["input"] = source
    elif told["input"] == "-":
        raise ValueError("the list came by standard input: give it again with --input -")
    campaign = msgspec.convert(told, Options).campaign(_start_of(record))
    record.check(campaign.settings)

    async def going() -> int:
        async with _client(out, sending.rate_limit) as client:
            return await _send(campaign, client, journal, sending, facts={}, out=out)

    return loop.run(going())


@app.command
def status(journal: _Journal, /, *, out: Output = PLAIN) -> int:
    """Show where a campaign stands, also while it is running. Asks nothing of the account."""
    stands = standing(journal)
    if out.json:
        out.document(stands)
        return _code(stands)
    show_standing(stands, reasons=False)
    if stands.running:
        out.note(f"it is being sent by {stands.running}")
    elif stands.open:
        out.note(f"to go on: aioclicksend campaign resume {journal}")
    return _code(stands)


@app.command
def report(
    journal: _Journal,
    /,
    *,
    csv: Annotated[
        Path | None,
        Parameter(
            help="Write one row a recipient; - writes it to standard output.",
            allow_leading_hyphen=True,
        ),
    ] = None,
    out: Output = PLAIN,
) -> int:
    """Show how a campaign went, with the reasons of what was not accepted."""
    stands = standing(journal)
    lines = Record(journal).lines()
    if csv == Path("-"):
        write_lines(sys.stdout, lines)
        return _code(stands)
    if csv is not None:
        with csv.open("w", encoding="utf-8", newline="") as file:
            write_lines(file, lines)
    if out.json:
        out.document(stands)
    else:
        show_standing(stands, reasons=True)
    return _code(stands)


@app.command
def resolve(
    journal: _Journal,
    /,
    *,
    sent: Annotated[bool, Parameter(help="They went out: count them as accepted.")] = False,
    resend: Annotated[bool, Parameter(help="They did not: the next run sends them.")] = False,
    reconcile: Annotated[bool, Parameter(help="Look them up in the history once more.")] = False,
    ref: Annotated[list[str] | None, Parameter(help="Only these; can be repeated.")] = None,
    settle: Annotated[float, Parameter(help="Seconds to look for.", show_default=True)] = 5.0,
    yes: Yes = False,
    out: Output = PLAIN,
) -> int:
    """Decide on messages whose outcome is unknown.

    Whether they went out can be seen on the dashboard, or asked of a recipient.
    """
    if [sent, resend, reconcile].count(True) != 1:
        raise ValueError("give one of --sent, --resend and --reconcile")
    if reconcile:
        loop.run(_look_up(journal, settle, out))
    else:
        if resend:
            confirm("Send them again? Whoever has got one gets it twice.", yes=yes)
        count = loop.run(settle_by_hand(journal, "sent" if sent else "resend", ref))
        out.note(f"{count:,} messages decided on")
    return status(journal, out=out)


app.command(receipts)


async def _look_up(journal: Path, settle: float, out: Output) -> None:
    Record(journal)
    async with (
        _client(out, RateLimit()) as client,
        client.sms.bulk(journal=journal, reconcile=Reconcile(settle=settle)) as bulk,
        stop_on_signals(bulk),
    ):
        await bulk.flush()


async def _send(
    campaign: Campaign,
    client: ClickSend,
    journal: Path,
    sending: Sending,
    *,
    facts: dict[str, str],
    out: Output,
) -> int:
    async with running(
        campaign,
        client,
        journal,
        facts=facts,
        budget=_budget(sending, journal),
        reconcile=sending.reconcile,
        ramp=None if sending.no_ramp else RAMP,
    ) as run:
        before = standing(journal)
        settled = before.accepted + before.rejected
        async with stop_on_signals(run.bulk), watch(run.bulk, (before.messages or 0) - settled):
            ending = await run.send()
    return _tell_ending(journal, ending, out)


def _budget(sending: Sending, journal: Path) -> Decimal | None:
    """Return the budget told now, or else when the campaign was begun."""
    if sending.budget is not None or not journal.exists():
        return sending.budget
    told = Record(journal).facts.get("budget")
    return Decimal(told) if told else None


def _tell_ending(journal: Path, ending: Ending, out: Output) -> int:
    told, stands = ending.report, standing(journal)
    if set(told.reasons) == {"budget"} and not stands.accepted and not stands.rejected:
        raise ValueError(
            "--budget is below the price of the first message; nothing was sent. The journal "
            "remembers it: give a larger one"
        )
    if out.json:
        out.document(stands)
    else:
        show_standing(stands, reasons=True)
    if ending.waiting:
        out.note(f"{ending.waiting:,} rows wait for the end of quiet hours where they would go")
    if stands.open or ending.waiting:
        out.note(f"to go on: aioclicksend campaign resume {journal}")
    return _code(stands) if ending.is_whole else Exit.INTERRUPTED


def _patience() -> AbstractContextManager[object]:
    return console(sys.stderr).status("reading the list …")


def _code(stands: Standing) -> int:
    if stands.unknown or stands.in_doubt:
        return Exit.UNKNOWN
    return Exit.REFUSED if stands.rejected or stands.open else Exit.OK


def _tell_plan(out: Output, made: Plan, rate: RateLimit | None) -> None:
    if not out.json:
        show_plan(made, rate)
        return
    told = msgspec.to_builtins(made, enc_hook=str, builtin_types=(Decimal,))
    out.document(told | {"requests": made.requests, "seconds": made.seconds(rate)})


def _start_of(record: Record | None) -> datetime:
    told = record.facts.get("start") if record is not None else None
    return datetime.fromisoformat(told) if told else datetime.now(UTC).replace(microsecond=0)


def _client(out: Output, rate: RateLimit | None) -> ClickSend:
    def tell_hold(event: HoldEvent) -> None:
        if event.seconds >= 1:
            out.note(f"the server asks for a pause of {event.seconds:.0f} s")

    return ClickSend(rate_limit=rate, hooks=Hooks(on_hold=tell_hold))
