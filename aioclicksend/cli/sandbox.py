"""`aioclicksend sandbox`: a ClickSend account on this machine, and commands that act on it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import aiohttp
from cyclopts import App, Parameter, validators

from ..sandbox import PushBehaviour, Sandbox
from ..sandbox.banner import banner
from . import loop
from .output import PLAIN, Column, Output
from .texts import Body, Text, TextFile, one_text

app: App = App("sandbox", help="Run a stand-in for ClickSend on this machine, and act on it.")

_PORT = 8080
_BALANCE = Decimal("1000.00")
_KEEP = 100_000

_Seconds = Annotated[float, Parameter(validator=validators.Number(gte=0))]
_Names = Annotated[tuple[str, ...], Parameter(negative=())]
Url = Annotated[
    str | None,
    Parameter(
        help="The sandbox; by default CLICKSEND_BASE_URL, else http://127.0.0.1:8080.",
    ),
]


@app.default
def sandbox(
    *,
    port: Annotated[
        int,
        Parameter(
            help="Where to listen; 0 picks a free port.",
            validator=validators.Number(gte=0, lte=65535),
            show_default=True,
        ),
    ] = _PORT,
    host: Annotated[str, Parameter(help="The address to listen on.")] = "127.0.0.1",
    allow_remote: Annotated[
        bool, Parameter(help="Listen on an address other machines reach, for containers.")
    ] = False,
    allow_host: Annotated[
        _Names, Parameter(help="A further name this sandbox is asked for by; repeatable.")
    ] = (),
    strict: Annotated[bool, Parameter(help="Refuse unknown request fields.")] = False,
    latency: Annotated[_Seconds, Parameter(help="Seconds before every reply.")] = 0.0,
    history_lag: Annotated[
        _Seconds, Parameter(help="Seconds until the history shows a message.")
    ] = 0.0,
    rate: Annotated[
        str | None, Parameter(help="N or N/SECONDS: answer 429 above N requests.")
    ] = None,
    balance: Annotated[
        Decimal, Parameter(help="What the account has to spend.", show_default=True)
    ] = _BALANCE,
    auto_deliver: Annotated[
        _Seconds | None, Parameter(help="Make the receipt of each message after SECONDS.")
    ] = None,
    reject: Annotated[
        _Names, Parameter(help="NUMBER or NUMBER=STATUS: refuse messages to it; repeatable.")
    ] = (),
    barred: Annotated[
        _Names, Parameter(help="COUNTRY=SENDER_TYPE: refuse such senders there; repeatable.")
    ] = (),
    trial: Annotated[
        int | None,
        Parameter(
            help="Be a trial account: at most this many messages a day to a country.",
            validator=validators.Number(gte=0),
        ),
    ] = None,
    push_anywhere: Annotated[
        bool, Parameter(help="Call webhooks on other machines too, not only on this one.")
    ] = False,
    push_backoff: Annotated[
        _Seconds, Parameter(help="Seconds between attempts to call a webhook.", show_default=True)
    ] = 60.0,
    state: Annotated[
        Path | None, Parameter(help="Keep the account in this file from one run to the next.")
    ] = None,
    keep: Annotated[
        int,
        Parameter(
            help="How many messages are remembered; the oldest are forgotten.",
            validator=validators.Number(gte=1),
            show_default=True,
        ),
    ] = _KEEP,
    out: Output = PLAIN,
) -> None:
    """Run a stand-in for ClickSend, for Maton's gateway and its control plane, until Ctrl-C.

    It serves this machine only and sends nothing to anyone. Its inbox page shows every message,
    its control API under /_sandbox lets a test in any language read, reply, deliver and break
    things.
    """
    stand_in = Sandbox(
        port,
        host,
        strict=strict,
        latency=latency,
        history_lag=history_lag,
        balance=str(balance),
        rate_limit=None if rate is None else _rate(rate),
        auto_deliver=auto_deliver,
        reject=dict(_pair(item, "INVALID_RECIPIENT") for item in reject),
        barred_senders=_barred(barred),
        trial=trial,
        push=PushBehaviour(backoff=push_backoff),
        push_anywhere=push_anywhere,
        state=state,
        keep=keep,
        allow_remote=allow_remote,
        allow_hosts=allow_host,
    )
    loop.run(_serve(stand_in, out))


def _rate(text: str) -> tuple[int, float]:
    requests, _, per = text.partition("/")
    try:
        rate = int(requests), float(per or 1)
    except ValueError:
        rate = 0, 0.0
    if not min(rate) > 0:
        raise ValueError("--rate: must look like 10 or 20/60: requests, or requests/seconds")
    return rate


def _pair(text: str, default: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value or default


def _barred(items: tuple[str, ...]) -> dict[str, list[str]]:
    barred: dict[str, list[str]] = {}
    for item in items:
        country, kind = _pair(item, "")
        barred.setdefault(country.upper(), []).append(kind)
    return barred


async def _serve(sandbox: Sandbox, out: Output) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: there Ctrl-C ends asyncio.run
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with sandbox:
        out.done(
            *banner(sandbox).split("\n"),
            f"# inbox: {sandbox.url}/ - Ctrl-C ends it",
            url=sandbox.url,
            username=sandbox.username,
            api_key=sandbox.api_key,
            maton_key=sandbox.maton_key,
            environ=sandbox.environ,
            maton_environ=sandbox.maton_environ,
        )
        await stopping.wait()


# Acting on a sandbox that runs


_MESSAGES = (
    Column("id", "message_id", whole=True),
    Column("to", "to", whole=True),
    Column("from", "from_"),
    Column("body", "body"),
    Column("status", "status"),
    Column("parts", "parts", wide=True),
    Column("price", "price", wide=True),
)


@app.command
def messages(
    *,
    to: Annotated[str | None, Parameter(help="Only those to this number.")] = None,
    body: Annotated[str | None, Parameter(help="Only those with this in the text.")] = None,
    channel: Annotated[str | None, Parameter(help="Only sms, mms, voice or email.")] = None,
    since: Annotated[
        str | None, Parameter(help="Unix seconds or a message id: only what came after it.")
    ] = None,
    wait: Annotated[_Seconds, Parameter(help="Seconds to wait for one.")] = 0.0,
    code: Annotated[
        bool, Parameter(help="Print only the one-time code of the last one that has one.")
    ] = False,
    url: Url = None,
    out: Output = PLAIN,
) -> int:
    """List the messages a sandbox received; exit code 1 if there is none."""
    query = {"to": to, "body": body, "channel": channel, "since": since}
    asked = {name: value for name, value in query.items() if value is not None}
    asked |= {"wait": f"{wait:g}", "code": "true" if code else "false"}
    rows = _call("GET", "/messages", url, query=asked, wait=wait)["messages"]
    if not code:
        shown = [SimpleNamespace(**row, from_=row["from"]) for row in rows]
        out.rows(rows if out.json else shown, _MESSAGES)
        return 0 if rows else 1
    if not rows:
        out.note("no message with a code")
        return 1
    out.done(rows[-1]["code"], code=rows[-1]["code"])
    return 0


@app.command
def send_reply(
    from_: Annotated[str, Parameter(help="The number that answers.")],
    body: Body = None,
    /,
    *,
    text: Text = None,
    text_file: TextFile = None,
    to: Annotated[
        str | None, Parameter(help="Whom it answers; by default who wrote to it last.")
    ] = None,
    url: Url = None,
    out: Output = PLAIN,
) -> None:
    """Let a recipient answer; rules with the action URL push it to the application."""
    sent = {"from": from_, "body": one_text(body, text, text_file)}
    if to is not None:
        sent["to"] = to
    row = _call("POST", "/inbound", url, sent)
    out.done(f"{row['message_id']} from {from_} to {row['to']}", **row)


@app.command
def deliver(
    message_id: Annotated[str, Parameter(help="Whose receipt it is.")],
    /,
    *,
    status_code: Annotated[
        int, Parameter(help="200 queued, 201 delivered, 300 retried, 301 failed.")
    ] = 201,
    error_code: Annotated[int | None, Parameter(help="Why it failed.")] = None,
    digits: Annotated[str, Parameter(help="Keys pressed during a voice call.")] = "",
    url: Url = None,
    out: Output = PLAIN,
) -> None:
    """Make the delivery receipt of a message."""
    body = {"status_code": status_code, "error_code": error_code, "digits": digits}
    row = _call("POST", f"/messages/{message_id}/deliver", url, body)
    out.done(f"{message_id}: {row['status_text']}", **row)


_FAULTS = (
    Column("fault", "fault", whole=True),
    Column("times", "times"),
    Column("method", "method"),
    Column("path", "path"),
)


@app.command
def faults(
    fault: Annotated[str | None, Parameter(help="What goes wrong; without it, list.")] = None,
    /,
    *,
    times: Annotated[
        int, Parameter(help="For this many requests.", validator=validators.Number(gte=1))
    ] = 1,
    method: Annotated[str | None, Parameter(help="Only this method.")] = None,
    path: Annotated[str | None, Parameter(help="Part of the path from /v3 on, or a glob.")] = None,
    option: Annotated[
        _Names, Parameter(help="NAME=VALUE, such as retry_after=20; repeatable.")
    ] = (),
    clear: Annotated[bool, Parameter(help="Disarm all faults instead.")] = False,
    url: Url = None,
    out: Output = PLAIN,
) -> None:
    """List the faults that wait, or let the next matching requests go wrong."""
    if clear:
        gone = _call("DELETE", "/faults", url, {})["deleted"]
        out.done(f"{gone} disarmed", deleted=gone)
        return
    if fault is None:
        rows = _call("GET", "/faults", url)["faults"]
    else:
        options = {name: _value(value) for name, value in (_pair(one, "") for one in option)}
        where = {"fault": fault, "times": times, "method": method, "path": path}
        rows = _call("POST", "/faults", url, options | where)["faults"]
    out.rows(rows if out.json else [SimpleNamespace(**row) for row in rows], _FAULTS)


def _value(text: str) -> Any:
    """Read an option as JSON, as text if it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _call(
    method: str,
    path: str,
    url: str | None,
    body: Mapping[str, Any] | None = None,
    *,
    query: Mapping[str, str] | None = None,
    wait: float = 0.0,
) -> Any:
    """Ask the control API; ValueError says why it refused, OSError that nothing is there."""
    base = (url or os.environ.get("CLICKSEND_BASE_URL") or f"http://127.0.0.1:{_PORT}").rstrip("/")
    base = base.removesuffix("/clicksend")

    async def calling() -> Any:
        timeout = aiohttp.ClientTimeout(total=wait + 10)
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.request(method, f"{base}/_sandbox{path}", json=body, params=query) as reply,
        ):
            try:
                answer = await reply.json()
            except (aiohttp.ContentTypeError, ValueError):
                raise ValueError("--url: there is no sandbox at this address") from None
            if reply.status != 200:
                raise ValueError(f"the sandbox refused: {answer.get('error', reply.status)}")
            return answer

    return loop.run(calling())
