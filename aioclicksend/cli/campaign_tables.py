"""What `aioclicksend campaign` shows: plans, and where a campaign stands."""

from __future__ import annotations

import csv
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

from ..campaign import Delivery, Line, Plan, Problem, Record
from ..config import RateLimit
from .output import cell, grid, show

_SMALL = 10
_COUNTRIES = 8
_PROBLEMS = 5
_CHARACTERS = 8


class Standing(Struct, kw_only=True):
    """Where a campaign stands."""

    journal: str
    messages: int | None
    """How many its plan counted; None if that is not known."""
    refused: dict[str, int]
    """Rows the plan left out, by reason."""
    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    in_doubt: int = 0
    not_sent: int = 0
    """What the next run sends again: not sent, held, and entered without being sent."""
    unread: int = 0
    """Messages that no run came to yet."""
    delivery: Delivery | None = None
    """What became of the accepted ones; None if nobody followed the receipts."""
    parts: int = 0
    spent: Decimal = Decimal(0)
    running: str | None = None
    """Who is sending now."""
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
    reasons = {f"{state}: {reason}": count for state, reason, count in record.reasons()}
    reasons |= {f"failed: {reason}": count for reason, count in record.failures()}
    return Standing(
        journal=str(record.path),
        messages=messages,
        refused=msgspec.json.decode(facts.get("left_out", "{}"), type=dict[str, int]),
        accepted=counts.get("accepted", 0),
        rejected=counts.get("rejected", 0),
        unknown=counts.get("unknown", 0),
        in_doubt=counts.get("in_doubt", 0),
        not_sent=sum(counts.get(state, 0) for state in ("planned", "not_sent", "held")),
        unread=max((messages or 0) - sum(counts.values()), 0),
        delivery=record.delivery(),
        parts=record.parts(),
        spent=record.spent(),
        running=record.runner(),
        reasons=reasons,
    )


def show_plan(plan: Plan, rate: RateLimit | None) -> None:
    """Print a plan."""
    facts = grid()
    for name, value in _facts(plan, rate):
        facts.add_row(name, Text(cell(value)))
    show(Text(f"{plan.source}", style="bold"), facts)
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
    row("not reached yet", stands.unread)
    for reason, count in stands.refused.items():
        row(f"left out: {reason}", count)
    if reasons and stands.reasons:
        table.add_section()
        for reason, count in stands.reasons.items():
            outcome, _, why = reason.partition(": ")
            row(outcome.replace("_", " "), count, cell(why))
    show(Text(stands.journal, style="bold"), table)


@contextmanager
def problems_file(path: Path | None) -> Iterator[Any]:
    """Open a CSV file for problems and yield what writes one; None writes nothing."""
    if path is None:
        yield lambda _: None
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("row", "column", "value", "reason", "detail"))

        def write(it: Problem) -> None:
            table.writerow((it.row, it.column, _harmless(it.value), it.reason, it.detail))

        yield write


def write_lines(file: Any, lines: Iterable[Line]) -> None:
    """Write one row a recipient as CSV."""
    table = csv.writer(file)
    table.writerow(Line._fields)
    table.writerows(lines)


def _facts(plan: Plan, rate: RateLimit | None) -> Iterator[tuple[str, str]]:
    yield "read as", plan.format
    yield "columns", ", ".join(f"{field}: {column}" for field, column in plan.columns.items())
    yield "rows", f"{plan.rows:,}"
    yield "to be sent", f"{plan.messages:,} messages, {plan.total_parts:,} parts"
    if plan.problems:
        yield "left out", _counts(plan.problems)
    if len(plan.parts) > 1:
        parts = {f"of {parts}": count for parts, count in sorted(plan.parts.items())}
        yield "by parts", _counts(parts)
    yield "countries", _counts(_most(plan.countries, _COUNTRIES))
    if plan.unicode:
        characters = _counts(_most(plan.forced_by, _CHARACTERS))
        yield "Unicode", f"{plan.unicode:,} messages, for {characters}"
        yield "", f"it costs {plan.cost_of_unicode:,} parts more than GSM-7 would"
    if plan.replaced:
        yield "smart encoding", f"{plan.replaced:,} messages"
    if plan.scheduled:
        yield "scheduled", f"{plan.scheduled:,} for the end of quiet hours"
    if plan.unknown_zones:
        yield "unknown zone", f"{plan.unknown_zones:,}, taken for --zone"
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
    pace = f" at {rate.requests / rate.per:g} a second" if rate is not None else ""
    seconds = plan.seconds(rate)
    yield "time", f"{plan.requests:,} requests{pace}: at least {seconds:.0f} s"


def _price(plan: Plan) -> Iterator[tuple[str, str]]:
    price = plan.price
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


def _money(amount: Decimal) -> str:
    """Return an amount with cents, or with their fractions where it is small."""
    return f"{amount:,.2f}" if amount >= _SMALL else f"{amount:,.4f}"


def _most(counts: Mapping[str, int], shown: int) -> dict[str, int]:
    """Return the largest counts, and the rest as one."""
    ordered = sorted(counts.items(), key=lambda it: -it[1])
    rest = sum(count for _, count in ordered[shown:])
    return dict(ordered[:shown]) | ({"others": rest} if rest else {})


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def _harmless(value: str) -> str:
    """Return a cell that a spreadsheet does not take for a formula."""
    return f"'{value}" if value.startswith(("=", "@", "-", "\t", "\r")) else value
