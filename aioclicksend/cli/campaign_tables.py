"""What `aioclicksend campaign` prints: plans, the question, and where a campaign stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from rich import box
from rich.table import Table
from rich.text import Text

from ..bulk.outcome import Reason
from ..campaign import Delivery, Plan, PlanWarning, Record
from ..campaign.plan import WANTED
from ..campaign.writing import table_file
from ..config import RateLimit
from .output import Column, cell, grid, one_line, show

_SMALL = 10
_COUNTRIES = 8
_PROBLEMS = 5
_CHARACTERS = 8

COUNTED = (
    Column("accepted", "accepted"),
    Column("rejected", "rejected", wide=True),
    Column("unknown", "unknown"),
    Column("open", "open"),
)
"""The last columns of `campaign list`, of journals and of a database."""


class Standing(Struct, kw_only=True):
    """Where a campaign stands."""

    journal: str
    messages: int | None
    """How many there are in all its runs; None if that is not known."""
    refused: dict[str, int]
    """Rows its last plan left out, by reason."""
    invalid: int = 0
    """Those of them that are wrong, not just opted out or repeated."""
    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    in_doubt: int = 0
    not_sent: int = 0
    """What the next run sends: not sent, held, and entered without being sent."""
    opted_out: int = 0
    """Not sent, as their recipients had opted out by a reply; no run sends them."""
    unread: int = 0
    """Messages that no run has reached yet."""
    delivery: Delivery | None = None
    """Receipts of the accepted ones; None if receipts were not followed."""
    parts: int = 0
    spent: Decimal = Decimal(0)
    running: str | None = None
    """The process that is sending now."""
    cancelled: str | None = None
    """When the campaign was cancelled (UTC)."""
    reasons: dict[str, int] = {}

    @property
    def open(self) -> int:
        """Messages without a final outcome."""
        return self.unknown + self.in_doubt + self.not_sent + self.unread


def standing(journal: Path) -> Standing:
    """Return where the campaign of a journal stands."""
    record = Record(journal)
    counts, facts = record.counts(), record.facts
    messages = int(facts["messages"]) if "messages" in facts else None
    found = record.reasons()
    reasons = {f"{state}: {reason}": count for state, reason, count in found}
    opted_out = sum(count for state, reason, count in found if reason == Reason.OPTED_OUT)
    not_sent = sum(counts.get(state, 0) for state in ("planned", "not_sent", "held"))
    refused = msgspec.json.decode(facts.get("left_out", "{}"), type=dict[str, int])
    cancelled = record.cancelled()
    reasons |= {f"failed: {reason}": count for reason, count in record.failures()}
    return Standing(
        journal=str(record.path),
        messages=messages,
        refused=refused,
        invalid=sum(count for reason, count in refused.items() if reason not in WANTED),
        accepted=counts.get("accepted", 0),
        rejected=counts.get("rejected", 0),
        unknown=counts.get("unknown", 0),
        in_doubt=counts.get("in_doubt", 0),
        not_sent=max(not_sent - opted_out, 0),
        opted_out=opted_out,
        unread=max((messages or 0) - sum(counts.values()), 0),
        delivery=record.delivery(),
        parts=record.parts(),
        spent=record.spent(),
        running=record.runner(),
        cancelled=None if cancelled is None else f"{cancelled:%Y-%m-%d %H:%M}",
        reasons=reasons,
    )


def show_plan(plan: Plan, rate: RateLimit | None) -> None:
    """Print a plan."""
    facts = grid()
    for name, value in _facts(plan, rate):
        facts.add_row(name, Text(cell(value)))
    show(Text(one_line(f"{plan.source}"), style="bold"), facts)
    if plan.samples:
        samples = _table("row", "parts", "text")
        for sample in plan.samples:
            parts = f"{sample.parts} {sample.encoding}"
            samples.add_row(str(sample.row), parts, Text(cell(sample.body)))
        show("", samples)
    if plan.first_problems:
        shown = plan.first_problems[:_PROBLEMS]
        more = sum(plan.problems.values()) - len(shown)
        lines = [Text(cell(problem), style="yellow") for problem in shown]
        if more:
            lines.append(Text(f"and {more:,} more: --problems FILE lists them all"))
        show("", *lines)
    if plan.warnings:
        show("", *_warnings(plan.warnings))


def question(plan: Plan) -> str:
    """Return the question before a campaign is sent: how many, to whom, price and account."""
    what = {"sms": "message", "mms": "MMS", "voice": "call"}[plan.channel]
    price = ""
    if plan.price is not None:
        price = f" for {_money(plan.price.total)} {plan.price.currency or ''}".rstrip()
    when = ""
    if plan.first_due is not None:
        count = f"{plan.scheduled:,} of them" if plan.scheduled < plan.messages else "all"
        when = f", {count} from {plan.first_due:%Y-%m-%d %H:%M} UTC on"
    # Who runs a campaign again fears exactly this.
    again = ""
    if plan.rows_sent_before:
        again = f" ({plan.rows_sent_before:,} got it before and do not get it again)"
    return (
        f"Send {_counted(plan.messages, what)} to {_counted(plan.messages, 'recipient')}{price}, "
        f"from account {cell(plan.account)}{when}{again}?"
    )


def _warnings(warnings: Iterable[PlanWarning]) -> Iterator[Text]:
    for it in warnings:
        line = Text()
        line.append(f"warning {it.code}", style="bold yellow")
        named = "row" if it.rows == 1 else "rows"
        numbers = ", ".join(map(str, it.first_rows[:_PROBLEMS]))
        rows = f" {named} {numbers}" if it.first_rows else ""
        more = " …" if len(it.first_rows) > _PROBLEMS else ""
        line.append(f" ({_counted(it.rows, 'message')}{':' if rows else ''}{rows}{more})")
        line.append(cell(f": {it.text}; {it.action}"))
        yield line


def show_standing(stands: Standing, *, reasons: bool) -> None:
    """Print where a campaign stands."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim", overflow="fold")

    def row(name: str, count: int, note: str = "") -> None:
        if count or name == "accepted":
            table.add_row(name, f"{count:,}", note)

    if stands.messages is not None:
        row("messages", stands.messages)
    row("accepted", stands.accepted, f"{stands.parts:,} parts, {_money(stands.spent)} spent")
    if (delivery := stands.delivery) is not None:
        row("  delivered", delivery.delivered)
        row("  failed", delivery.failed)
        row("  pending", delivery.pending, "no final receipt yet")
    row("rejected", stands.rejected)
    row("unknown", stands.unknown, "they may or may not have gone out: campaign resolve")
    row("in doubt", stands.in_doubt, "the next run looks them up")
    row("not sent", stands.not_sent, "the next run sends them")
    row("opted out", stands.opted_out, "by a reply, before they were sent to")
    row("not reached yet", stands.unread)
    for reason, count in stands.refused.items():
        row(f"left out: {reason}", count)
    if reasons and stands.reasons:
        table.add_section()
        for reason, count in stands.reasons.items():
            outcome, _, why = reason.partition(": ")
            row(outcome.replace("_", " "), count, cell(why))
    show(Text(one_line(stands.journal), style="bold"), table)


@contextmanager
def problems_file(path: Path | None, inputs: Iterable[str | None]) -> Iterator[Any]:
    """Open a file for problems and yield what writes one; None writes nothing."""
    if path is None:
        yield lambda _: None
        return
    with table_file(path, ("row", "column", "value", "reason", "detail"), inputs) as write:
        yield lambda it: write((it.row, it.column, it.value, it.reason, it.detail))


def _facts(plan: Plan, rate: RateLimit | None) -> Iterator[tuple[str, str]]:
    yield "read as", plan.format
    yield "columns", ", ".join(f"{field}: {column}" for field, column in plan.columns.items())
    yield "rows", f"{plan.rows:,}"
    messages = _counted(plan.messages, "message")
    yield "to be sent", f"{messages}, {_counted(plan.total_parts, 'part')}"
    yield from _comparison(plan)
    if plan.problems:
        yield "left out", _counts(plan.problems)
    if len(plan.parts) > 1:
        parts = {f"of {parts}": count for parts, count in sorted(plan.parts.items())}
        yield "by parts", _counts(parts)
    yield "countries", _counts(_most(plan.countries, _COUNTRIES))
    yield from _characters(plan)
    if plan.first_due is not None and plan.last_due is not None:
        span = f"{plan.first_due:%Y-%m-%d %H:%M} UTC"
        if plan.last_due != plan.first_due:
            span += f" to {plan.last_due:%Y-%m-%d %H:%M} UTC"
        yield "due later", f"{plan.scheduled:,}, {span}"
    if plan.unassigned:
        yield "unassigned", f"{plan.unassigned:,} numbers that should not exist"
    if plan.guesses:
        yield "guessed", ", ".join(f"{count:,} {what}" for what, count in plan.guesses.items())
        yield "", f"rows {', '.join(map(str, plan.guessed_rows))}"
    sources = ", ".join(plan.opt_out_lists) or "no list"
    if plan.offline:
        sources += "; the account's own was not asked"
    yield "opt-outs", f"{plan.opt_outs:,} known, from {sources}"
    if plan.unread_opt_outs:
        more = len(plan.unread_opt_outs) - 1
        yield "", f"no number: {plan.unread_opt_outs[0]}" + (f" and {more:,} more" if more else "")
    yield from _price(plan)
    if plan.account:
        yield "account", plan.account
    pace = f" at {rate.requests / rate.per:g} a second" if rate is not None else ""
    seconds = plan.seconds(rate)
    yield "time", f"{_counted(plan.requests, 'request')}{pace}: at least {seconds:.0f} s"


def _characters(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield what the characters of the texts cost."""
    if plan.unicode:
        characters = _counts(_most(plan.forced_by, _CHARACTERS))
        yield "Unicode", f"{_counted(plan.unicode, 'message')}, for {characters}"
        yield "", f"it costs {_counted(plan.cost_of_unicode, 'part')} more than GSM-7 would"
    if plan.replaced:
        yield "smart encoding", _counted(plan.replaced, "message")


def _comparison(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield how the list compares with the campaign's journal, where there is one."""
    it = plan.comparison
    parts = {
        "new": it.new,
        "not sent before": it.unsent,
        "corrected before they were sent": it.corrected,
        "sent before, unchanged": it.unchanged,
        "sent before, changed since (not sent again)": it.changed,
        "opted out by a reply": it.opted_out,
        "sent before, gone from the list": it.gone,
    }
    if sum(parts.values()) > it.new:
        yield (
            "in the journal",
            ", ".join(f"{name} {count:,}" for name, count in parts.items() if count),
        )


def _price(plan: Plan) -> Iterator[tuple[str, str]]:
    price = plan.price
    # An offline plan must not look like one that costs nothing.
    if price is None:
        yield "price", "not asked (offline); --part-price makes an estimate"
        return
    if price.is_estimate:
        yield "price", f"{_money(price.total)}, an estimate from --part-price"
        return
    yield "price", f"{_money(price.total)} {price.currency or ''}"
    if price.rejected:
        yield "would refuse", _counts(price.rejected)
    if plan.shortfall:
        has, lacks = _money(plan.balance or Decimal(0)), _money(plan.shortfall)
        yield "", f"the account has {has}: {lacks} too little, the run would be held there"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 or what == "MMS" else f"{count:,} {what}s"


def _money(amount: Decimal) -> str:
    """Return an amount with cents, or with their fractions where it is small."""
    # A message costs some cents and their fractions; a campaign is paid in whole ones.
    return f"{amount:,.2f}" if amount >= _SMALL else f"{amount:,.4f}"


def _most(counts: Mapping[str, int], shown: int) -> dict[str, int]:
    """Return the largest counts, and the rest as one."""
    ordered = sorted(counts.items(), key=lambda it: (-it[1], it[0]))
    rest = sum(count for _, count in ordered[shown:])
    return dict(ordered[:shown]) | ({"others": rest} if rest else {})


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    return table
