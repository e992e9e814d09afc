"""`aioclicksend campaign`: from a spreadsheet to a report."""

from __future__ import annotations

import shlex
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter, validators

from ..bulk.sender import RAMP
from ..campaign import Campaign, CampaignError, Draft, Ending, Plan, Recipients, Record, running
from ..campaign.number_set import NumberSet, message_hash
from ..campaign.record import enter
from ..campaign.writing import table_file, table_text
from ..client import ClickSend
from ..config import RateLimit
from ..errors import ConfigurationError
from ..hooks import HoldEvent, Hooks
from . import campaign_journal, clustered, loop
from .asking import Yes, confirm, require_answer
from .campaign_options import Money, Options, Sending, note_new_store, pace
from .campaign_receipts import receipts
from .campaign_tables import (
    problems_file,
    question,
    show_plan,
    show_standing,
    standing,
)
from .database import NONE, Database
from .errors import Exit, Refused
from .output import PLAIN, Output, cell, console
from .progress import watch
from .stopping import stop_on_ctrl_c

app: App = App(
    "campaign", help="Send a text to a list of people: plan, test, run, resume, status, report."
)

_Input = Annotated[
    str | None,
    Parameter(
        help="The list: CSV, NDJSON or XLSX; - reads standard input.", allow_leading_hyphen=True
    ),
]
_Journal = Annotated[Path, Parameter(help="The journal of the campaign.")]
_Problems = Annotated[
    Path | None, Parameter(help="Write each row left out to a file: CSV, XLSX or JSON.")
]
_Strict = Annotated[bool, Parameter(help="Send nothing if the plan has a warning.")]

_NO_OPTIONS = Options()
_SENDING = Sending()
_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One run of a campaign, as it was asked for."""

    options: Options
    journal: Path
    sending: Sending
    problems: Path | None
    strict: bool
    yes: bool
    stdin_used: bool
    out: Output

    @property
    def resume(self) -> str:
        """The command that continues it."""
        return f"aioclicksend campaign resume {shlex.quote(str(self.journal))}"


@app.command
def plan(
    source: _Input = None,
    /,
    *,
    options: Options = _NO_OPTIONS,
    offline: Annotated[bool, Parameter(help="Do not ask the account anything.")] = False,
    part_price: Annotated[
        Money, Parameter(help="Price of a part, for an estimate while offline.")
    ] = None,
    journal: Annotated[
        Path | None, Parameter(help="Compare with this journal; INPUT.campaign if absent.")
    ] = None,
    problems: _Problems = None,
    strict: Annotated[bool, Parameter(help="End with 1 if there is a warning.")] = False,
    rate: Annotated[float, Parameter(help="Requests a second.", show_default=True)] = 10.0,
    out: Output = PLAIN,
) -> int:
    """Show who would get what, what may go wrong, and what it costs. Sends nothing.

    Ends with 1 if a row is left out because something is wrong with it. ClickSend's own opt-out
    system does not apply to what is sent through its API: the account's opt-out list is therefore
    read and obeyed here.
    """
    chosen = options.with_input(source).with_text()
    path = journal or (None if source == "-" else chosen.journal())
    # With a journal the plan shows what a run would add, not what is sent already.
    record = Record(path) if path is not None and path.exists() else None
    campaign = chosen.campaign(_start_of(record))
    recipients = _recipients(record, campaign)

    async def planning() -> Plan:
        with problems_file(problems, chosen.files) as write:
            if offline:
                return await campaign.plan(
                    part_price=part_price, recipients=recipients, on_problem=write
                )
            async with _client(out, pace(rate)) as client:
                return await campaign.plan(client, recipients=recipients, on_problem=write)

    # A list of a million rows takes a minute, in which nothing else would be on the screen.
    with _patience():
        made = loop.run(planning())
    _print_plan(out, made, pace(rate))
    return Exit.OK if made.is_clean and not (strict and made.warnings) else Exit.REFUSED


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
    problems: _Problems = None,
    strict: _Strict = False,
    yes: Yes = False,
    database: Database = NONE,
    name: Annotated[
        str | None, Parameter(help="With --database: what the campaign is called there.")
    ] = None,
    detach: Annotated[
        bool, Parameter(help="With --database: store it, and leave the sending to workers.")
    ] = False,
    out: Output = PLAIN,
) -> int:
    """Plan a campaign, ask, and send it; everything is recorded in its journal.

    Run again, it continues where it stopped, also with a list that was corrected or extended:
    people who got the message do not get it again.
    """
    if (name is not None and not database.is_named) or (
        name is None and (database.is_chosen or detach)
    ):
        raise ValueError("--database and --name belong together; --detach needs both")
    if name is not None:
        _refuse_local_options(journal, options, sending)
    chosen = options.with_input(source)
    job = _Job(
        options=chosen.with_text(),
        journal=journal or chosen.journal(),
        sending=sending,
        problems=problems,
        strict=strict,
        yes=yes,
        stdin_used=chosen.stdin_used,
        out=out,
    )
    if name is not None:
        return loop.run(_go_clustered(job, database, name, detach=detach))
    return loop.run(_go(job))


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
    problems: _Problems = None,
    strict: _Strict = False,
    yes: Yes = False,
    database: Database = NONE,
    out: Output = PLAIN,
) -> int:
    """Go on with a campaign: look up what is in doubt, and send what was not sent.

    With --database it lifts a pause; workers send.
    """
    if database.holds(journal):
        clustered.set_stage(str(journal), database, out, "resume")
        return Exit.OK
    spec = _spec_of(Record(journal))
    if source is not None:
        spec["input"] = source
    elif spec["input"] == "-":
        raise ValueError("the list came through standard input: give it again with --input -")
    job = _Job(
        options=msgspec.convert(spec, Options),
        journal=journal,
        sending=sending,
        problems=problems,
        strict=strict,
        yes=yes,
        stdin_used=source == "-",
        out=out,
    )
    return loop.run(_go(job))


@app.command(name="test")
def send_test(
    source: _Input = None,
    /,
    *,
    to: Annotated[list[str], Parameter(help="Your own number, in E.164; can be repeated.")],
    options: Options = _NO_OPTIONS,
    count: Annotated[
        int,
        Parameter(
            help="How many rows to send.", validator=validators.Number(gte=1), show_default=True
        ),
    ] = 1,
    yes: Yes = False,
    out: Output = PLAIN,
) -> int:
    """Send the first messages of a campaign to yourself, as its recipients would get them.

    Nothing is recorded: the campaign itself sends to its whole list afterwards.
    """
    chosen = options.with_input(source)
    campaign = chosen.with_text().campaign(_now())
    require_answer(yes=yes, stdin_used=chosen.stdin_used)

    async def testing() -> int:
        async with _client(out, RateLimit()) as client:
            drafts = await _first(campaign, client, count)
            if not drafts:
                raise CampaignError(f"{campaign.source.name}: no row can be sent")
            messages = [
                msgspec.structs.replace(it.message, to=number, schedule=None)
                for it in drafts
                for number in to
            ]
            group = campaign.channel.group(client)
            if not yes:
                quoted, account = await group.price(messages), await client.account.get()
                money = quoted.currency.name_short if quoted.currency else ""
                confirm(
                    f"Send {len(messages):,} messages to {len(to):,} recipients for "
                    f"{quoted.total_price} {money}, from account {account.username}?",
                    yes=False,
                )
            sent = await group.send(messages)
        if out.json:
            out.document({"accepted": len(sent.accepted), "rejected": len(sent.rejected)})
        else:
            for row in sent.messages:
                out.done(f"{cell(row.to)}: {cell(row.status)}")
        return Exit.REFUSED if sent.rejected else Exit.OK

    return loop.run(testing())


@app.command
def preview(
    source: _Input = None,
    /,
    *,
    options: Options = _NO_OPTIONS,
    csv: Annotated[
        Path | None,
        Parameter(
            help="Write all messages to a file, CSV, XLSX or JSON; - for standard output.",
            allow_leading_hyphen=True,
        ),
    ] = None,
    out: Output = PLAIN,
) -> int:
    """Show the messages as their recipients would get them. Sends nothing, asks nothing.

    The account is not asked: its own opt-outs are not left out here, but they are in a run.
    """
    chosen = options.with_input(source).with_text()
    campaign = chosen.campaign(_now())
    heading = ("row", "name", "to", "country", "parts", "due", "text")

    async def showing(write: Any, limit: int | None = None) -> None:
        count = 0
        async with aclosing(campaign.rows(None)) as rows:
            async for it in rows:
                if not isinstance(it, Draft):
                    continue
                due = "" if it.due is None else f"{it.due:%Y-%m-%d %H:%M}Z"
                country, parts = it.phone.country, it.segments.parts
                write((it.row, it.name, it.message.to, country, parts, due, it.message.body))
                count += 1
                if count == limit:
                    break

    with _preview_target(csv, heading, chosen, out) as (write, limit):
        loop.run(showing(write, limit))
    return Exit.OK


app.command(receipts)
app.command(campaign_journal.status)
app.command(campaign_journal.report)
app.command(campaign_journal.resolve)
app.command(campaign_journal.cancel)
app.command(campaign_journal.pause)
app.command(campaign_journal.list_campaigns, name="list")


async def _go(job: _Job) -> int:
    """Plan, ask, and send a campaign that is new or continued."""
    _ = job.sending.breaker  # a wrong share is an error before anything is asked
    record = Record(job.journal) if job.journal.exists() else None
    campaign = job.options.campaign(_start_of(record), frozen=True)
    if record is not None:
        record.check(campaign.settings)
        campaign_journal.check_not_cancelled(record)
    # A contact list may change between the answer and the run: only what was shown is sent.
    agreed = NumberSet() if job.options.list_id is not None else None
    async with _client(job.out, job.sending.rate_limit) as client:
        recipients = _recipients(record, campaign)
        inputs = [*job.options.files, str(job.journal)]
        with problems_file(job.problems, inputs) as write, _patience():
            made = await campaign.plan(
                client,
                recipients=recipients,
                on_problem=write,
                on_message=None if agreed is None else lambda it: agreed.add(_hash(it)),
            )
        if not job.out.json:
            show_plan(made, job.sending.rate_limit)
        # After the plan was shown, so that its reader sees which rows are meant; `--yes` answers
        # the question below, not these.
        _check_opt_outs(job, made)
        if record is not None and _is_complete(job, made):
            return _print_complete(job, record)
        _check_warnings(job, made)
        if not job.yes and made.messages:
            require_answer(yes=False, stdin_used=job.stdin_used)
            confirm(question(made), yes=False)
            # The file may have been saved while the question waited.
            job.options.check_unchanged(campaign.fingerprint)
        return await _send(job, campaign, client, made, agreed)


async def _go_clustered(job: _Job, database: Database, name: str, *, detach: bool) -> int:
    """Plan, ask, store a campaign in a database, and send it with the workers unless detached."""
    from ..cluster.steps import Stop  # noqa: PLC0415 - an extra

    cluster = database.cluster()
    campaign = job.options.campaign(_now(), frozen=True)
    sending, stop = job.sending, Stop()
    pace = cluster.pace(sending.rate_limit)
    agreed = NumberSet() if job.options.list_id is not None else None
    async with cluster, ClickSend(pace=pace) as client:
        await cluster.bind(client)
        with problems_file(job.problems, job.options.files) as write, _patience():
            made = await campaign.plan(
                client,
                recipients=await clustered.recipients(cluster, name, campaign),
                on_problem=write,
                on_message=None if agreed is None else lambda it: agreed.add(_hash(it)),
            )
        if not job.out.json:
            show_plan(made, sending.rate_limit)
        _check_opt_outs(job, made)
        _check_warnings(job, made)
        if made.last_due is not None and made.last_due > _now() and not detach:
            raise ValueError(
                "a campaign in a database with messages that are due later needs --detach: workers "
                "send them then"
            )
        if not job.yes and made.messages:
            require_answer(yes=False, stdin_used=job.stdin_used)
            confirm(question(made), yes=False)
            job.options.check_unchanged(campaign.fingerprint)

        async def drafts() -> AsyncGenerator[Draft]:
            async with aclosing(campaign.rows(client, to_send=True)) as rows:
                async for it in rows:
                    # Of a contact list only what was shown is sent, as in a journal.
                    if isinstance(it, Draft) and (agreed is None or _hash(it) in agreed):
                        yield it

        async with aclosing(drafts()) as entered:
            stage = await clustered.store(
                cluster,
                name,
                campaign,
                entered,
                options=_stored_options(job, campaign),
                starts=made.first_due if made.scheduled == made.messages else None,
            )
        if stage == "paused":
            job.out.note(f"{name} is paused; to go on: campaign resume {name} --database ...")
        if detach:
            job.out.done(f"stored as {name}: workers send it", name=name, messages=made.messages)
            return Exit.OK
        async with stop_on_ctrl_c(stop, job.out.note, f"campaign resume {name} --database ..."):
            return await clustered.send(cluster, client, name, job.out, stop=stop)


def _stored_options(job: _Job, campaign: Campaign) -> dict[str, Any]:
    """Return how workers are to send a campaign: a budget and quiet hours stay as they are stored.

    Whoever extends a list and forgets `--quiet` must not write to people at night.
    """
    options: dict[str, Any] = {
        "settle": job.sending.settle,
        "resend": job.sending.resend_unknown,
        "account_opt_outs": not job.options.ignore_account_opt_outs,
        "ignore_unread_opt_outs": job.options.ignore_unread_opt_outs,
        "opt_out_lists": job.options.opt_out_list,
    }
    if job.sending.budget is not None:
        options["budget"] = str(job.sending.budget)
    if campaign.quiet is not None:
        options["quiet"] = campaign.quiet.stored
    return options


def _refuse_local_options(journal: Path | None, options: Options, sending: Sending) -> None:
    """Refuse what a campaign in a database has no place for, rather than ignore it.

    Raises:
        ValueError: such an option is given.

    """
    given = {
        "--journal": journal,
        "--store": sending.store,
        "--stop-if-failed": sending.stop_if_failed,
    }
    for option, value in given.items():
        if value is not None:
            raise ValueError(
                f"{option} is not for campaigns in a database, which keeps journal and inbox itself"
            )
    if options.at_server:
        raise ValueError(
            "--at-server is not for campaigns in a database: workers wait there until they are due"
        )


async def _send(
    job: _Job, campaign: Campaign, client: ClickSend, made: Plan, agreed: NumberSet | None
) -> int:
    note_new_store(job.sending.store, job.out)
    # The first run's start: a local time that has passed since is late, not wrong.
    start = campaign.clock() if not job.journal.exists() else _start_of(Record(job.journal))
    before = standing(job.journal) if job.journal.exists() else None
    budget = _budget(job)
    settled = before.accepted + before.rejected if before else 0
    facts = {
        "spec": job.options.remembered(),
        "files": job.options.remembered_files(),
        "start": start.replace(microsecond=0).isoformat(),
        "messages": str(made.messages + made.rows_sent_before + made.comparison.gone),
        "budget": "" if budget is None else str(budget),
        "left_out": msgspec.json.encode(made.problems).decode(),
    }
    async with running(
        campaign,
        client,
        job.journal,
        facts=facts,
        budget=budget,
        reconcile=job.sending.reconcile,
        ramp=None if job.sending.no_ramp else RAMP,
        agreed=None if agreed is None else lambda it: _hash(it) in agreed,
        store=job.sending.store,
        breaker=job.sending.breaker,
    ) as sending:
        # The bar is about this run: what earlier ones settled would make it begin near its end.
        left = max(int(facts["messages"]) - settled, 0)
        async with (
            stop_on_ctrl_c(sending, job.out.note, job.resume),
            watch(sending.bulk.statistics, left, job.out, lambda: sending.waits_for),
        ):
            ending = await sending.send()
    # Only a whole run ends a campaign: a stopped one is to be resumed.
    if ending.is_whole:
        enter(job.journal, {"ended": _now().isoformat()})
    return _print_ending(job, ending)


def _check_opt_outs(job: _Job, made: Plan) -> None:
    """Refuse to send while an opt-out cannot be read: it may be of someone on the list."""
    if made.unread_opt_outs and not job.options.ignore_unread_opt_outs:
        more = len(made.unread_opt_outs) - 1
        raise CampaignError(
            f"opt-outs: no number in {made.unread_opt_outs[0]}"
            + (f" and {more:,} more" if more else "")
            + "; nothing was sent. Correct them, or add --ignore-unread-opt-outs"
        )


def _check_warnings(job: _Job, made: Plan) -> None:
    if job.strict and made.warnings:
        codes = ", ".join(dict.fromkeys(it.code for it in made.warnings))
        raise Refused(f"--strict: nothing was sent, because of {codes}")
    budget = _budget(job)
    needed = made.price.total if made.price else Decimal(0)
    # A budget below the price is never passed, so no more credit is needed.
    needed = needed if budget is None else min(needed, budget)
    if made.balance is not None and needed > made.balance and not job.yes:
        raise Refused(
            f"the account has {made.balance} where {needed} is needed: nothing was sent. Add "
            "credit, or send as far as it goes with --yes"
        )


def _is_complete(job: _Job, made: Plan) -> bool:
    stands = standing(job.journal)
    # What is in doubt is looked up by a run, so the campaign is not over while there is any.
    doubtful = stands.in_doubt or (stands.unknown and job.sending.resend_unknown)
    return not made.messages and not doubtful


def _print_complete(job: _Job, record: Record) -> int:
    stands = standing(job.journal)
    when = record.facts.get("ended") or record.facts.get("start", "")
    date = f"{datetime.fromisoformat(when):%Y-%m-%d %H:%M} UTC" if when else "an earlier run"
    if job.out.json:
        job.out.document(stands)
    else:
        show_standing(stands, reasons=True)
    job.out.note(
        f"complete since {date}: all people on the list were sent this, so nothing was sent. "
        "To send it again, to the same people, give another --journal"
    )
    return campaign_journal.code_of(stands)


def _budget(job: _Job) -> Decimal | None:
    """Return the budget as given now, or else when the campaign was begun."""
    if job.sending.budget is not None or not job.journal.exists():
        return job.sending.budget
    remembered = Record(job.journal).facts.get("budget")
    return Decimal(remembered) if remembered else None


def _print_ending(job: _Job, ending: Ending) -> int:
    stands = standing(job.journal)
    # Nothing went out and nothing will: an exit code of 1 would look like a run to be resumed.
    if set(ending.report.reasons) == {"budget"} and not stands.accepted and not stands.rejected:
        raise ValueError(
            "--budget is below the price of the first message; nothing was sent. The journal "
            "remembers it: give a larger one"
        )
    if job.out.json:
        job.out.document(stands)
    else:
        show_standing(stands, reasons=True)
    if ending.is_cancelled:
        job.out.note("the campaign was cancelled")
        return Exit.REFUSED
    if ending.waiting:
        job.out.note(f"{ending.waiting:,} messages are due later")
    if stands.unknown:
        job.out.note(f"to decide on what is unknown: aioclicksend campaign resolve {job.journal}")
    if stands.open or ending.waiting:
        job.out.note(f"to go on: {job.resume}")
    return campaign_journal.code_of(stands) if ending.is_whole else Exit.INTERRUPTED


async def _first(campaign: Campaign, client: ClickSend, count: int) -> list[Draft]:
    drafts: list[Draft] = []
    async with aclosing(campaign.rows(client)) as rows:
        async for it in rows:
            if isinstance(it, Draft):
                drafts.append(it)
            if len(drafts) == count:
                break
    return drafts


@contextmanager
def _preview_target(
    csv: Path | None, heading: tuple[str, ...], chosen: Options, out: Output
) -> Iterator[tuple[Any, int | None]]:
    """Yield what writes previewed messages, and how many there is room for."""
    if csv == Path("-"):
        with table_text(sys.stdout, heading) as write:
            yield write, None
    elif csv is not None:
        count = 0

        def write_and_count(row: Any) -> None:
            nonlocal count
            write(row)
            count += 1

        with table_file(csv, heading, chosen.files) as write:
            yield write_and_count, None
        out.done(f"{count:,} messages written to {csv}", messages=count, file=str(csv))
    elif out.json:
        yield lambda row: out.document(dict(zip(heading, row, strict=True))), None
    else:
        rows: list[tuple[Any, ...]] = []
        yield rows.append, _SHOWN
        out.table(heading, rows)
        if len(rows) == _SHOWN:
            out.note(f"the first {_SHOWN}; --csv FILE writes all")


def _patience() -> AbstractContextManager[object]:
    return console(sys.stderr).status("reading the list …")


def _recipients(record: Record | None, campaign: Campaign) -> Recipients | None:
    """Return who is in the journal, if it is one of this campaign."""
    if record is None or any(
        record.facts.get(name, value) != value for name, value in campaign.settings.items()
    ):
        return None
    return Recipients(record.entries(), by_message=campaign.by_message)


def _print_plan(out: Output, made: Plan, rate: RateLimit | None) -> None:
    if not out.json:
        show_plan(made, rate)
        return
    whole = msgspec.to_builtins(made, enc_hook=str, builtin_types=(Decimal,))
    out.document(whole | {"requests": made.requests, "seconds": made.seconds(rate)})


def _spec_of(record: Record) -> dict[str, Any]:
    if "spec" not in record.facts:
        raise ConfigurationError(
            f"{record.path} does not name its list and text: begin it with campaign run"
        )
    return msgspec.json.decode(record.facts["spec"], type=dict[str, Any])


def _start_of(record: Record | None) -> datetime:
    start = record.facts.get("start") if record is not None else None
    return datetime.fromisoformat(start) if start else _now()


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _hash(draft: Draft) -> int:
    return message_hash(draft.message.to or "", draft.message.body)


def _client(out: Output, rate: RateLimit | None) -> ClickSend:
    def note_hold(event: HoldEvent) -> None:
        if event.seconds >= 1:
            out.note(f"the server asks for a pause of {event.seconds:.0f} s")

    return ClickSend(rate_limit=rate, hooks=Hooks(on_hold=note_hold))
