"""`aioclicksend demo`: a campaign through a network that breaks, on this machine alone.

The sandbox breaks about every fifth send request, in all the ways a network and a server have. In
the end its own record is held against the file of recipients and against what was reported: the
sender is not asked how well it did.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Annotated

from cyclopts import App, Parameter, validators
from msgspec import Struct
from rich import box
from rich.table import Table
from rich.text import Text

from ..bulk.intake import Batching
from ..bulk.outcome import Accepted, NotSent, Outcome, Quote, Rejected, Unknown
from ..bulk.reconcile import Reconcile
from ..client import ClickSend
from ..config import BasicAuth, RateLimit, Timeout
from ..sandbox import Arrival, Fault, Sandbox
from . import loop
from .errors import Exit
from .output import PLAIN, Output, show
from .progress import watch
from .recipients import COUNTRIES, MOST, Recipients, write

app: App = App(
    "demo", help="See 5,000 messages go through a network that breaks. No account needed."
)

_BATCH = 125
"""Messages per request: few, so that there are many requests to break."""
_EVERY = 5
_SETTLE = 1.0
_FAULTS = (
    Fault.RESET_BEFORE,
    Fault.RESET_AFTER,
    Fault.ERROR_BEFORE,
    Fault.ERROR_AFTER,
    Fault.REFUSE_429,
    Fault.HALF_BODY,
    Fault.GARBAGE,
)
_MEANING = {
    Fault.RESET_BEFORE: "connection reset, not accepted",
    Fault.RESET_AFTER: "accepted, connection reset",
    Fault.ERROR_BEFORE: "HTTP 500, not accepted",
    Fault.ERROR_AFTER: "accepted, HTTP 502",
    Fault.REFUSE_429: "HTTP 429, refused",
    Fault.HALF_BODY: "accepted, half a reply",
    Fault.GARBAGE: "accepted, garbage for a reply",
    Fault.HANG_AFTER: "accepted, no reply at all",
}


class Findings(Struct, kw_only=True):
    """How the campaign ended; the last ones are counted from the sandbox's record."""

    rows: int
    accepted: int
    rejected: dict[str, int]
    not_sent: int
    unknown: int
    posts: int
    broken: dict[str, int]
    doubted: int
    found: int
    resent: int
    cost: Decimal
    currency: str | None
    seconds: float
    duplicates: int
    """Messages the sandbox accepted more than once."""
    lost: int
    """Rows of the file neither accepted nor rejected nor reported as not sent or unknown."""
    misreported: int
    """Rows without an outcome, or with one that the sandbox's record or the number contradicts."""

    @property
    def exit_code(self) -> int:
        """How the command ends."""
        if self.duplicates or self.lost or self.misreported or self.not_sent:
            return Exit.REFUSED
        return Exit.UNKNOWN if self.unknown else Exit.OK


@app.default
def demo(
    *,
    rows: Annotated[
        int,
        Parameter(
            help="Recipients; 5,000 take about a quarter of a minute.",
            validator=validators.Number(gte=1, lte=MOST),
            show_default=True,
        ),
    ] = 5000,
    seed: Annotated[
        int,
        Parameter(
            help="Another seed breaks other requests; some take twice as long to look up.",
            show_default=True,
        ),
    ] = 24,
    no_faults: Annotated[bool, Parameter(help="Break nothing.")] = False,
    csv: Annotated[
        Path | None, Parameter(help="Keep the recipients in this file, which must not exist.")
    ] = None,
    out: Output = PLAIN,
) -> int:
    """Send a campaign through a network that breaks, and count what came of it.

    Everything happens on this machine: a sandbox stands in for ClickSend, the recipients have
    numbers that are not in use, and about every fifth request is broken on purpose.
    """
    with TemporaryDirectory(prefix="aioclicksend-") as directory:
        path = csv or Path(directory, "recipients.csv")
        recipients = write(path, rows, Random(seed))
        vandal = None if no_faults else Vandal(Random(seed))
        findings = loop.run(_campaign(recipients, vandal, out))
    if out.json:
        out.document(findings)
    else:
        _show_findings(findings)
    return findings.exit_code


class Vandal:
    """Breaks about every fifth send request, each in the next way of a shuffled deck."""

    def __init__(self, random: Random) -> None:
        self.broken: Counter[str] = Counter()
        self._plan = self._deal(random)

    def __call__(self, arrival: Arrival) -> Fault | None:
        """Return what is to happen to a request."""
        if not _is_send(arrival):
            return None
        fault = next(self._plan)
        if fault is not None:
            self.broken[fault] += 1
        return fault

    @staticmethod
    def _deal(random: Random) -> Iterator[Fault | None]:
        once = [Fault.HANG_AFTER]  # each one costs the client its patience
        while True:
            deck = [*_FAULTS, *once]
            once.clear()
            random.shuffle(deck)
            for fault in deck:
                place = random.randrange(_EVERY)
                yield from (fault if it == place else None for it in range(_EVERY))


async def _campaign(recipients: Recipients, vandal: Vandal | None, out: Output) -> Findings:
    total = sum(recipients.by_country.values())
    # The sandbox allows a little more than the client takes: at the very limit every reply says
    # that none is left, and the client, who believes it, pauses.
    async with (
        Sandbox(rate_limit=(10, 1.0), balance="100000.00") as sandbox,
        ClickSend(
            auth=BasicAuth(sandbox.username, sandbox.api_key),
            base_url=sandbox.url,
            rate_limit=RateLimit(10, 1.0),
            timeout=Timeout(read=1.0),
        ) as client,
    ):
        async with client.sms.bulk() as bulk:
            quote = await bulk.price(recipients.messages())
        if not out.json:
            _show_plan(recipients, quote, sandbox.url)
        sandbox.fail_every(vandal)
        began = time.monotonic()
        async with client.sms.bulk(
            batching=Batching(size=_BATCH),
            lanes=2,
            reconcile=Reconcile(settle=_SETTLE, resend=True),
        ) as bulk:
            async with watch(bulk.statistics, total):
                outcomes = [it async for it in bulk.stream(recipients.messages())]
            statistics = bulk.statistics()
        seconds = time.monotonic() - began
        duplicates, lost, misreported = _judge(recipients, outcomes, sandbox)
        return Findings(
            rows=total,
            accepted=statistics.accepted,
            rejected=dict(Counter(it.status for it in outcomes if isinstance(it, Rejected))),
            not_sent=statistics.not_sent,
            unknown=statistics.unknown,
            posts=sum(map(_is_send, sandbox.requests)),
            broken=dict(sorted(vandal.broken.items())) if vandal else {},
            doubted=statistics.doubted,
            found=statistics.found,
            resent=statistics.resent,
            cost=statistics.cost,
            currency=quote.currency,
            seconds=round(seconds, 1),
            duplicates=duplicates,
            lost=lost,
            misreported=misreported,
        )


def _judge(
    recipients: Recipients, outcomes: Sequence[Outcome], sandbox: Sandbox
) -> tuple[int, int, int]:
    """Hold the file, the reports and the sandbox's record against each other.

    Returns how many messages were accepted twice, were lost, and were misreported.
    """
    accepted = Counter(record.custom_string for record in sandbox.messages)
    refused = {record.custom_string for record in sandbox.rejected}
    reported = {outcome.ref: outcome for outcome in outcomes}
    admitted = {it.ref for it in outcomes if isinstance(it, NotSent | Unknown)}
    misreported = 0
    for ref in recipients.refs:
        wrong = ref in recipients.wrong
        match reported.get(ref):
            case Accepted():
                misreported += wrong or ref not in accepted
            case Rejected():
                misreported += not wrong or ref in accepted or ref not in refused
            case NotSent():
                misreported += ref in accepted
            case None:
                misreported += 1
    return (
        accepted.total() - len(accepted),
        len(set(recipients.refs) - accepted.keys() - refused - admitted),
        misreported,
    )


def _is_send(arrival: Arrival) -> bool:
    return arrival.method == "POST" and arrival.path.endswith("/sms/send")


def _show_plan(recipients: Recipients, quote: Quote, url: str) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("country")
    table.add_column("recipients", justify="right")
    table.add_column("price", justify="right")
    for country, count in recipients.by_country.items():
        price = quote.by_country.get(country, Decimal(0))
        table.add_row(COUNTRIES[country], f"{count:,}", f"{price:.2f}")
    table.add_section()
    table.add_row(
        f"{quote.parts:,} parts",
        f"{sum(recipients.by_country.values()):,}",
        f"{quote.total:.2f} {quote.currency or ''}",
    )
    refused = ", ".join(f"{count} {status}" for status, count in quote.rejected.items())
    show(
        Text("A campaign through a network that breaks", style="bold"),
        Text(f"on this machine alone: {url} stands in for ClickSend\n"),
        table,
        Text(f"\nof these will be refused: {refused or 'none'}\n"),
    )


def _show_findings(found: Findings) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim", overflow="fold")

    def row(name: str, value: object = "", note: str = "", style: str = "") -> None:
        shown = f"{value:,}" if isinstance(value, int) else str(value)
        table.add_row(name, Text(shown, style=style), note)

    def proof(name: str, count: int, note: str) -> None:
        row(name, count, note, style="bold red" if count else "bold green")

    row("messages", found.rows)
    row("  accepted", found.accepted)
    row("  rejected", sum(found.rejected.values()), ", ".join(found.rejected))
    row("  not sent", found.not_sent)
    row("  unknown", found.unknown)
    table.add_section()
    row("send requests", found.posts)
    row("  broken on purpose", sum(found.broken.values()))
    for fault, count in found.broken.items():
        row(f"    {_MEANING[Fault(fault)]}", count)
    table.add_section()
    row("messages ever in doubt", found.doubted)
    row("  found in the history", found.found)
    row("  sent again", found.resent, "once a search was settled")
    row("cost", f"{found.cost:.2f}", found.currency or "")
    table.add_section()
    row("by the sandbox's own record")
    proof("  duplicates", found.duplicates, "accepted more than once")
    proof("  lost", found.lost, "neither taken nor reported")
    proof("  misreported", found.misreported, "report and record differ")
    show(table, Text(f"\n{_moral(found)}"))


def _moral(found: Findings) -> str:
    if found.exit_code == Exit.REFUSED:
        return "This must not happen: please report it, with the seed and the numbers above."
    broken = sum(found.broken.values())
    return (
        f"{broken} of {found.posts} requests broke. "
        "Nothing in doubt was sent again before it was looked up.\n"
        "Next: set CLICKSEND_USERNAME and CLICKSEND_API_KEY, then: aioclicksend account"
    )
