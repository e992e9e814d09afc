"""`aioclicksend webhook`: take pushes without a web app of one's own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from pathlib import Path
from typing import Annotated

from aiohttp import web
from cyclopts import App, Parameter, validators

from ..webhooks import DeadLetter, DeliveryReceipt, Event, InboundMessage, Webhook
from . import loop
from .errors import Exit
from .output import PLAIN, Column, Output, cell
from .webhook_secret import file_of, make_secret, secrets_of

app: App = App("webhook", help="Take pushes of receipts and replies: serve, dead-letters, replay.")

STORE = Path("inbox.db")
_Store = Annotated[
    Path, Parameter(help="The file that keeps receipts, replies and opt-outs.", show_default=True)
]


@app.command
def serve(
    *,
    port: Annotated[
        int,
        Parameter(
            help="Where to listen; 0 picks a free port.",
            validator=validators.Number(gte=0, lte=65535),
            show_default=True,
        ),
    ] = 8090,
    host: Annotated[str, Parameter(help="The address to listen on.", show_default=True)] = (
        "127.0.0.1"
    ),
    prefix: Annotated[
        str, Parameter(help="The path before the secret.", show_default=True)
    ] = "/clicksend",
    store: _Store = STORE,
    out: Output = PLAIN,
) -> None:
    """Take pushes until Ctrl-C, and print each event once it is stored.

    ClickSend pushes to https only: put a proxy or a tunnel with a certificate in front. The address
    ends in a secret, from AIOCLICKSEND_WEBHOOK_SECRET (several: separated by commas) or from the
    file STORE.secret, which is made if it is missing. Then: aioclicksend receipts install URL.

    A reply such as STOP puts its sender on the store's suppression list.
    """
    make_secret(store)

    async def show(event: Event) -> None:
        if out.json:
            out.document(_document(event))
        else:
            out.done(_line(event))

    hook = Webhook(secrets=secrets_of(store), store=store, on_inbound=show, on_receipt=show)
    loop.run(_serve(hook, host, port, prefix, store, out))


@app.command(name="dead-letters")
def dead_letters(*, store: _Store = STORE, out: Output = PLAIN) -> None:
    """List pushes that could not be read, or whose handlers kept failing."""
    columns = ("id", "received", "reason", "attempts")
    letters = loop.run(_dead(store))
    if not out.json:
        out.rows(letters, [Column(it, it, whole=it != "reason") for it in columns])
        return
    for letter in letters:  # without what was pushed, which is no text
        out.document({name: getattr(letter, name) for name in columns})


@app.command
def replay(
    ids: Annotated[list[int] | None, Parameter(help="Dead letters; all if absent.")] = None,
    /,
    *,
    store: _Store = STORE,
    out: Output = PLAIN,
) -> int:
    """Handle dead letters again, as soon as a handler runs; ends with 1 if one cannot be read."""
    wanted, count = loop.run(_replay(store, ids))
    out.done(f"{count} of {wanted} will be handled again", replayed=count, dead=wanted - count)
    return Exit.OK if count == wanted else Exit.REFUSED


async def _serve(  # noqa: PLR0917
    hook: Webhook, host: str, port: int, prefix: str, store: Path, out: Output
) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: there Ctrl-C ends asyncio.run
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    server = web.Application()
    server.add_routes(hook.routes(prefix))
    # No access log: it would show the secret.
    runner = web.AppRunner(server, access_log=None)
    async with hook:
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            address = runner.addresses[0]
            url = f"http://{address[0]}:{address[1]}/{prefix.strip('/')}"
            out.note(f"taking pushes on {url}/SECRET (see {file_of(store)}); Ctrl-C ends it")
            if out.json:
                out.document({"url": url, "store": str(store)})
            await stopping.wait()
        finally:
            await runner.cleanup()


async def _dead(store: Path) -> list[DeadLetter]:
    hook = Webhook(secrets=["unused"], store=store)
    await hook.store.open()
    try:
        return await hook.dead_letters(10_000)
    finally:
        await hook.store.close()


async def _replay(store: Path, ids: list[int] | None) -> tuple[int, int]:
    hook = Webhook(secrets=["unused"], store=store)
    await hook.store.open()
    try:
        letters = await hook.dead_letters(10_000)
        chosen = [it for it in letters if ids is None or it.id in ids]
        return len(chosen), await hook.replay(chosen)
    finally:
        await hook.store.close()


def _document(event: Event) -> dict[str, object]:
    kind = "receipt" if isinstance(event, DeliveryReceipt) else "inbound"
    state = {"state": event.state.value} if isinstance(event, DeliveryReceipt) else {}
    # What came may hold lone surrogates, which JSON can carry only escaped.
    return {"event": kind, **state, "raw": json.loads(json.dumps(event.raw))}


def _line(event: Event) -> str:
    if isinstance(event, InboundMessage):
        parts = ("inbound", event.from_, event.body)
    else:
        parts = ("receipt", event.message_id, f"{event.state.value} {event.error_text or ''}")
    return "  ".join(cell(part) for part in parts).rstrip()
