"""Commands about campaigns that were begun: status, report, resolve, cancel, list."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from msgspec import Struct

from ..bulk.reconcile import Reconcile
from ..campaign import CampaignError, Record, ReportRow, open_table, report_rows
from ..campaign import resolve as resolve_by_hand
from ..campaign.record import enter
from ..campaign.writing import table_file, table_text
from ..client import ClickSend
from ..errors import ConfigurationError, NotFound
from . import clustered, loop
from .asking import Yes, confirm
from .campaign_tables import COUNTED, Standing, show_standing, standing
from .database import NONE, Database
from .errors import Exit
from .output import PLAIN, Column, Output
from .stopping import stop_on_ctrl_c

_Journal = Annotated[
    Path, Parameter(help="The journal of the campaign; with --database, the campaign's name.")
]


def status(journal: _Journal, /, *, database: Database = NONE, out: Output = PLAIN) -> int:
    """Show where a campaign stands, also while it is running. Asks nothing of the account."""
    if database.holds(journal):
        return clustered.status(str(journal), database, out)
    stands = standing(journal)
    if out.json:
        out.document(stands)
        return code_of(stands)
    show_standing(stands, reasons=False)
    if stands.cancelled:
        out.note(f"it was cancelled on {stands.cancelled}")
    elif stands.running:
        out.note(f"it is being sent by {stands.running}")
    elif stands.open:
        out.note(f"to go on: aioclicksend campaign resume {journal}")
    return code_of(stands)


def report(
    journal: _Journal,
    /,
    *,
    csv: Annotated[
        Path | None,
        Parameter(
            help="Write one row for each row of the list to a file: CSV, XLSX or JSON by its name; "
            "- writes CSV to standard output.",
            allow_leading_hyphen=True,
        ),
    ] = None,
    failed: Annotated[
        bool,
        Parameter(
            help="Only rows whose message certainly did not arrive, with the columns of the list "
            "(from a database: number and text): correct them, and send them as a campaign of "
            "their own."
        ),
    ] = False,
    database: Database = NONE,
    out: Output = PLAIN,
) -> int:
    """Show how a campaign went, with the reasons for what was not accepted or left out."""
    if database.holds(journal):
        return clustered.report(str(journal), database, out, csv, failed=failed)
    stands = standing(journal)
    record = Record(journal)
    if failed and csv is None:
        raise ValueError("--failed needs --csv")
    if csv is None:
        if out.json:
            out.document(stands)
        else:
            show_standing(stands, reasons=True)
        return code_of(stands)
    rows: Generator[Any, None, None]
    heading, rows = _resend_rows(record) if failed else (ReportRow._fields, report_rows(record))
    with closing(rows):
        if csv == Path("-"):
            with table_text(sys.stdout, heading) as write:
                for row in rows:
                    write(row)
            return code_of(stands)
        with table_file(csv, heading, [journal, *_inputs_of(record)]) as write:
            for row in rows:
                write(row)
    if out.json:
        out.document(stands)
    elif failed:
        out.note(f"{csv} holds the rows to send again; nothing was sent")
    else:
        show_standing(stands, reasons=True)
    return code_of(stands)


def resolve(
    journal: _Journal,
    /,
    *,
    sent: Annotated[bool, Parameter(help="They went out: count them as accepted.")] = False,
    resend: Annotated[bool, Parameter(help="They did not: the next run sends them.")] = False,
    reconcile: Annotated[bool, Parameter(help="Look them up in the history once more.")] = False,
    ref: Annotated[list[str] | None, Parameter(help="Only these; can be repeated.")] = None,
    settle: Annotated[
        float, Parameter(help="With --reconcile: seconds to keep looking.", show_default=True)
    ] = 5.0,
    yes: Yes = False,
    database: Database = NONE,
    out: Output = PLAIN,
) -> int:
    """Decide on messages whose outcome is unknown.

    Whether they went out can be seen on the dashboard, or asked of a recipient.
    """
    if [sent, resend, reconcile].count(True) != 1:
        raise ValueError("give one of --sent, --resend and --reconcile")
    if database.holds(journal):
        if not reconcile:
            confirm("Decide on messages whose outcome is unknown?", yes=yes)
        return clustered.resolve(
            str(journal),
            database,
            out,
            "sent" if sent else "resend" if resend else "reconcile",
            ref,
        )
    if reconcile:
        loop.run(_look_up(journal, settle, out))
        return status(journal, out=out)
    stands = standing(journal)
    if not stands.unknown and not stands.in_doubt:
        out.note("no message is in doubt: nothing was changed")
        return status(journal, out=out)
    what = (
        "Send them again? Recipients who have one get it twice."
        if resend
        else ("Count them as sent? They will not be sent by any run.")
    )
    confirm(what, yes=yes)
    count = loop.run(resolve_by_hand(journal, "sent" if sent else "resend", ref))
    if not count:
        raise ValueError("--ref: no message in doubt has this ref; nothing was changed")
    out.note(f"{count:,} messages decided on")
    if resend:
        out.note(f"to send them: aioclicksend campaign resume {journal}")
    return status(journal, out=out)


def cancel(
    journal: _Journal,
    /,
    *,
    undo: Annotated[bool, Parameter(help="Lift the cancellation, so that it can go on.")] = False,
    yes: Yes = False,
    database: Database = NONE,
    out: Output = PLAIN,
) -> int:
    """Cancel a campaign: nothing more of it is sent.

    A run that is waiting or sending stops within seconds. What ClickSend keeps for later
    (--at-server) is cancelled there, message by message.
    """
    if database.holds(journal):
        if not undo:
            confirm(f"Cancel {journal}?", yes=yes)
        clustered.set_stage(str(journal), database, out, "undo_cancel" if undo else "cancel")
        if undo:
            out.note(f"to go on: aioclicksend campaign resume {journal} --database ...")
        return Exit.OK
    record = Record(journal)
    # Undoing needs no question: nothing is sent by it.
    if undo:
        enter(journal, {"cancelled": ""})
        out.done("no longer cancelled", cancelled=False)
        out.note(f"to go on: aioclicksend campaign resume {journal}")
        return Exit.OK
    confirm(f"Cancel {journal}?", yes=yes)
    enter(journal, {"cancelled": datetime.now(UTC).isoformat()})
    counts = {"cancelled": 0, "too_late": 0}
    if _is_at_server(record):
        counts = out.ask(lambda client: _cancel_at_server(client, record))
        out.note(f"{counts['cancelled']:,} cancelled at ClickSend, {counts['too_late']:,} too late")
    out.done("cancelled", cancelled=True, at_server=counts)
    return Exit.OK


def pause(
    name: Annotated[str, Parameter(help="The name of the campaign.")],
    /,
    *,
    database: Database = NONE,
    out: Output = PLAIN,
) -> int:
    """Pause a campaign in a database: no worker begins another request until resume."""
    clustered.set_stage(name, database, out, "pause")
    return Exit.OK


class _Listed(Struct):
    """A line of `campaign list`."""

    journal: str
    begun: datetime | None
    state: str
    messages: int | None
    accepted: int
    rejected: int
    unknown: int
    open: int


_LISTED = (
    Column("journal", "journal", whole=True),
    Column("begun (UTC)", "begun", whole=True),
    Column("state", "state"),
    Column("messages", "messages", wide=True),
    *COUNTED,
)


def list_campaigns(
    folder: Annotated[Path, Parameter(help="Where to look; here if absent.")] = Path(),
    /,
    *,
    database: Database = NONE,
    out: Output = PLAIN,
) -> int:
    """List the campaigns whose journals are in a folder; with --database, those in a database."""
    if database.is_chosen:
        return clustered.list_campaigns(database, out)
    if not folder.is_dir():
        raise CampaignError(f"{folder} is no folder")
    out.rows(list(_listed(folder)), _LISTED)
    return Exit.OK


def code_of(stands: Standing) -> int:
    """Return the exit code of a campaign that stands so."""
    # Before what was refused: who sends again on 1 must not send twice what may have gone out.
    if stands.unknown or stands.in_doubt:
        return Exit.UNKNOWN
    return Exit.REFUSED if stands.rejected or stands.open or stands.invalid else Exit.OK


def check_not_cancelled(record: Record) -> None:
    """Refuse to go on with a campaign that was cancelled.

    Raises:
        CampaignError: it was.

    """
    if (at := record.cancelled()) is not None:
        raise CampaignError(
            f"{record.path} was cancelled on {at:%Y-%m-%d %H:%M} UTC; to lift that: "
            f"aioclicksend campaign cancel --undo {record.path}"
        )


def _resend_rows(record: Record) -> tuple[tuple[str, ...], Generator[Any, None, None]]:
    """Return the rows of the list whose message failed, as they stand there."""
    failed = {it.row: it for it in report_rows(record) if it.has_failed and it.row is not None}
    spec = msgspec.json.decode(record.facts.get("spec", "{}"))
    path = spec.get("input")
    if path in (None, "-") or not Path(path).is_file():
        return ("to", "name"), ((it.to, it.name) for it in failed.values())
    table = open_table(
        path, **{name: spec.get(name) for name in ("encoding", "delimiter", "sheet")}
    )
    rows = (
        [row.cells.get(column, "") for column in table.columns]
        for row in table
        if row.number in failed
    )
    return tuple(table.columns), rows


def _inputs_of(record: Record) -> list[str]:
    """Return the files a campaign was made from, which no report may replace."""
    if "files" in record.facts:
        return msgspec.json.decode(record.facts["files"], type=list[str])
    spec = msgspec.json.decode(record.facts.get("spec", "{}"))
    return [it for it in (spec.get("input"), *spec.get("opt_out", ())) if it not in (None, "-")]


def _is_at_server(record: Record) -> bool:
    return bool(msgspec.json.decode(record.facts.get("spec", "{}")).get("at_server"))


async def _cancel_at_server(client: ClickSend, record: Record) -> dict[str, int]:
    counts = {"cancelled": 0, "too_late": 0}
    name = record.facts.get("channel", "sms")
    if name == "mms":
        raise CampaignError(
            "ClickSend's API cannot cancel single MMS: cancel them on the dashboard"
        )
    group = client.voice if name == "voice" else client.sms
    for line in record.lines():
        if line.outcome == "accepted" and line.message_id:
            try:
                await group.cancel(line.message_id)
            except NotFound:  # it was sent, or cancelled before
                counts["too_late"] += 1
            else:
                counts["cancelled"] += 1
    return counts


def _listed(folder: Path) -> Iterator[_Listed]:
    for path in sorted(folder.glob("*.campaign")):
        try:
            stands, facts = standing(path), Record(path).facts
        except ConfigurationError:
            continue
        begun = datetime.fromisoformat(facts["start"]) if "start" in facts else None
        yield _Listed(
            path.name,
            begun,
            _state(stands),
            stands.messages,
            stands.accepted,
            stands.rejected,
            stands.unknown + stands.in_doubt,
            stands.open,
        )


def _state(stands: Standing) -> str:
    if stands.cancelled:
        return "cancelled"
    if stands.running:
        return "running"
    return "open" if stands.open else "complete"


async def _look_up(journal: Path, settle: float, out: Output) -> None:
    record = Record(journal)
    async with ClickSend() as client:
        group: Any = getattr(client, record.facts.get("channel", "sms"))
        async with (
            group.bulk(journal=journal, reconcile=Reconcile(settle=settle)) as bulk,
            stop_on_ctrl_c(bulk, out.note, f"aioclicksend campaign resolve --reconcile {journal}"),
        ):
            await bulk.flush()
