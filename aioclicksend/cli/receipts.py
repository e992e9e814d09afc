"""`aioclicksend receipts`: have receipts pushed or listed, and follow what becomes of messages."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter, validators

from .. import delivery
from ..api.webhooks import ReceiptChannel, RuleReport
from ..client import ClickSend
from ..delivery import Change, Mark
from . import loop
from .errors import Exit
from .output import PLAIN, Output, cell
from .webhook_secret import secrets_of

app: App = App("receipts", help="Delivery receipts: install rules, follow, report.")

_Store = Annotated[
    Path, Parameter(help="The store of `webhook serve`, or a new one.", show_default=True)
]
STORE = Path("inbox.db")


@app.command
def install(
    url: Annotated[
        str | None,
        Parameter(help="https:// address of the webhook, without its secret; to poll if absent."),
    ] = None,
    /,
    *,
    store: Annotated[
        Path | None, Parameter(help="The store whose secret ends the address.")
    ] = STORE,
    channel: Annotated[
        tuple[ReceiptChannel, ...], Parameter(help="Channels whose receipts are wanted: sms, …")
    ] = ("sms",),
    no_inbound: Annotated[bool, Parameter(help="Leave out messages received.")] = False,
    out: Output = PLAIN,
) -> int:
    """Have ClickSend push receipts and replies to an address, or list receipts for polling.

    Makes automation rules, those that are missing only: it can be run again. With an address the
    secret is added from AIOCLICKSEND_WEBHOOK_SECRET or the file STORE.secret. Without one it makes
    the rule with the action POLL, which `receipts follow` and `campaign receipts` need.

    Ends with 1 if rules push everything twice; rules of other addresses are never changed.
    """
    address = None if url is None else f"{url.rstrip('/')}/{secrets_of(store)[0]}"

    async def installing(client: ClickSend) -> RuleReport:
        if address is None:
            return await client.webhooks.install_polling(receipts=channel)
        return await client.webhooks.install(address, receipts=channel, inbound=not no_inbound)

    report = out.ask(installing)
    _show(report, out)
    return Exit.OK if report.is_complete else Exit.REFUSED


@app.command
def follow(
    *,
    store: _Store = STORE,
    no_poll: Annotated[bool, Parameter(help="Wait for pushes only; asks no account.")] = False,
    every: Annotated[
        float,
        Parameter(
            help="Seconds between two polls.", validator=validators.Number(gte=1), show_default=True
        ),
    ] = 30.0,
    mark: Annotated[
        Mark,
        Parameter(
            help="Which polled receipts are marked read, for all that poll: own, all, none.",
            show_default=True,
        ),
    ] = "own",
    after: Annotated[int, Parameter(help="Begin behind this change; its number is in --json.")] = 0,
    out: Output = PLAIN,
) -> None:
    """Print each step in the delivery of each message, from pushes and polls, until Ctrl-C.

    Begins with what the store knows already. Polling needs `receipts install` without an address.
    """

    async def following(client: ClickSend | None) -> None:
        changes = delivery.follow(client, store, after=after, every=every, mark=mark)
        async with aclosing(changes):
            async for change in changes:
                if out.json:
                    out.document(change)
                else:
                    out.done(_line(change))

    if no_poll:
        loop.run(following(None))
    else:
        out.ask(following)


@app.command
def report(*, store: _Store = STORE, out: Output = PLAIN) -> None:
    """Count the messages that were delivered, failed, or are pending, by the store's receipts."""
    known = loop.run(delivery.report(store))
    if out.json:
        out.document(known)
        return
    out.done(f"delivered {known.delivered:,} · failed {known.failed:,} · pending {known.pending:,}")
    for reason, count in sorted(known.reasons.items(), key=lambda it: -it[1]):
        out.done(f"  {count:,}  {cell(reason)}")


def _show(report: RuleReport, out: Output) -> None:
    if out.json:
        out.document(report)
        return
    for name in ("created", "repaired", "stale", "doubled"):
        for ref in getattr(report, name):
            out.done(f"{name}: the rule {ref.rule_id} for {ref.kind}")
    if not (report.created or report.repaired):
        out.done("nothing to do: the rules are there")
    if report.stale or report.doubled:
        out.note("stale and doubled rules push as well: delete them in the dashboard")


def _line(change: Change) -> str:
    known = change.delivery
    at = known.timestamp or datetime.now(UTC)
    parts = (f"{at.astimezone():%H:%M:%S}", known.state.value, known.message_id,
             known.custom_string, known.reason)  # fmt: skip
    return "  ".join(cell(part) for part in parts if part)
