"""`aioclicksend campaign receipts`: which messages of a campaign were delivered."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from ..campaign import Delivery, Record, follow, look
from ..client import ClickSend
from ..delivery import Mark
from .campaign_tables import show_standing, standing
from .output import PLAIN, Output

_Seconds = Annotated[float, Parameter(validator=validators.Number(gte=1), show_default=True)]


def receipts(
    journal: Annotated[Path, Parameter(help="The journal of the campaign.")],
    /,
    *,
    every: Annotated[_Seconds, Parameter(help="Seconds between two looks.")] = 30.0,
    until_final: Annotated[
        bool, Parameter(help="End when every accepted message is delivered or has failed.")
    ] = False,
    once: Annotated[bool, Parameter(help="Look once and end.")] = False,
    no_mark: Annotated[bool, Parameter(help="Leave all receipts unread.")] = False,
    mark_others: Annotated[
        bool, Parameter(help="Mark receipts of other messages read, too; they are stored here.")
    ] = False,
    store: Annotated[
        Path | None, Parameter(help="The store of `webhook serve`, whose pushes count as well.")
    ] = None,
    out: Output = PLAIN,
) -> None:
    """Follow the delivery receipts of a campaign, also while it is running, until Ctrl-C.

    They are stored in the journal, where status and report find them. Can be stopped and begun
    again at any time. Needs an automation rule with the action POLL:
    `aioclicksend receipts install` makes one.

    Receipts are marked read a minute after they were stored, and by time, as the API knows no other
    way: whoever else polls this account does not see them any more. Marking stops at the first
    receipt of a message that is not of this journal.
    """
    mark: Mark = "none" if no_mark else "all" if mark_others else "own"
    record = Record(journal)

    async def following(client: ClickSend) -> None:
        hint = True
        async with aclosing(follow(client, journal, store=store, every=every, mark=mark)) as looks:
            async for stands in looks:
                _tell(stands, out, hint=hint)
                hint = False
                if until_final and stands.is_final and record.runner() is None:
                    return

    async def looking(client: ClickSend) -> None:
        _tell(await look(client, journal, store=store, mark=mark), out, hint=True)

    out.ask(looking if once else following)
    if not out.json:
        show_standing(standing(journal), reasons=True)


def _tell(stands: Delivery, out: Output, *, hint: bool) -> None:
    if out.json:
        out.document(stands)
        return
    now = datetime.now(UTC).astimezone()
    out.note(
        f"{now:%H:%M:%S}  delivered {stands.delivered:,} · failed {stands.failed:,} · "
        f"pending {stands.pending:,} · {stands.new:,} new receipts"
    )
    if hint and not (stands.new or stands.delivered or stands.failed):
        out.note("there are none yet; they need a rule: aioclicksend receipts install")
