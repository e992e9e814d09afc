"""`aioclicksend worker`: one process that sends for an account, together with any others."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter, validators

from ..client import ClickSend
from ..config import RateLimit
from ..webhooks.sqlite import opened
from . import loop
from .campaign_options import note_new_store
from .database import NONE, Database
from .errors import Exit
from .output import PLAIN, Column, Output

if TYPE_CHECKING:
    from ..cluster.worker import Worker, WorkerState

app: App = App(
    "worker", help="Send the outbox and the campaigns of a database, with other workers."
)

_COLUMNS = (
    Column("host", "host"),
    Column("process", "pid", whole=True),
    Column("alive", "is_alive"),
    Column("seen (s ago)", "seen"),
    Column("up (s)", "uptime", wide=True),
)


@app.default
def worker(
    *,
    database: Database = NONE,
    rate: Annotated[
        float,
        Parameter(
            help="Requests a second of the account; the lowest of all workers holds.",
            validator=validators.Number(gt=0),
            show_default=True,
        ),
    ] = 10.0,
    lanes: Annotated[
        int,
        Parameter(
            help="Requests under way at a time, for each campaign.",
            validator=validators.Number(gte=1),
            show_default=True,
        ),
    ] = 4,
    store: Annotated[
        Path | None,
        Parameter(
            help="The inbox of 'webhook serve', if that keeps a file: people who replied STOP are "
            "left out, besides those of the database."
        ),
    ] = None,
    once: Annotated[bool, Parameter(help="Do what is due now, and end.")] = False,
    no_receipts: Annotated[bool, Parameter(help="Do not poll for receipts.")] = False,
    out: Output = PLAIN,
) -> int:
    """Send what is due until it is stopped.

    The first SIGTERM or Ctrl-C finishes what is on the wire; a second one leaves at once. Any
    number of workers share the pace, on any number of hosts. What one leaves, the others look up.
    """
    from ..cluster.worker import Worker  # noqa: PLC0415 - an extra

    cluster = database.cluster()
    note_new_store(store, out)
    limit = RateLimit(round(rate), 1.0) if rate >= 1 else RateLimit(1, 1 / rate)

    async def work() -> None:
        async with (
            cluster,
            opened(store) as inbox,
            ClickSend(pace=cluster.pace(limit)) as client,
        ):
            await cluster.bind(client)
            it = Worker(cluster, client, lanes=lanes, suppress=inbox, receipts=not no_receipts)
            with _stopped_by_signals(it, out):
                if once:
                    await it.run_once()
                else:
                    out.note(f'working for the account "{database.account}"; Ctrl-C stops')
                    await it.run()

    loop.run(work())
    return Exit.OK


@app.command
def health(
    *,
    anywhere: Annotated[bool, Parameter(help="Also workers of other hosts will do.")] = False,
    database: Database = NONE,
    out: Output = PLAIN,
) -> int:
    """Exit with 0 if a worker of this host is alive and sees its database, else with 4."""
    from ..cluster.process import Process  # noqa: PLC0415 - an extra
    from ..cluster.worker import workers  # noqa: PLC0415

    cluster = database.cluster()

    async def work() -> list[WorkerState]:
        async with cluster:
            return await workers(cluster)

    host = Process.current().host
    found = [it for it in loop.run(work()) if anywhere or it.host == host]
    if not found and not out.json:
        out.note("no worker was seen" if anywhere else "no worker of this host was seen")
    else:
        out.rows(found, _COLUMNS)
    return Exit.OK if any(it.is_alive for it in found) else Exit.CONFIGURATION


@contextlib.contextmanager
def _stopped_by_signals(worker: Worker, out: Output) -> Iterator[None]:
    names: list[str] = []

    def stop(name: str) -> None:
        names.append(name)
        if len(names) > 1:
            worker.abort(f"stopped by {name}")
            return
        out.note(f"{name}: finishing what is on the wire; once more leaves at once")
        worker.stop(f"stopped by {name}")

    running = asyncio.get_running_loop()
    caught = []
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError):
            running.add_signal_handler(number, stop, number.name)
            caught.append(number)
    try:
        yield
    finally:
        for number in caught:
            running.remove_signal_handler(number)
