"""`aioclicksend sandbox`: a ClickSend account on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from decimal import Decimal
from typing import Annotated

from cyclopts import App, Parameter, validators

from ..sandbox import Sandbox
from . import loop
from .output import PLAIN, Output

app = App("sandbox", help="Run a stand-in for ClickSend on this machine.")

_PORT = 8080
_BALANCE = Decimal("1000.00")


_Seconds = Annotated[float, Parameter(validator=validators.Number(gte=0))]


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
    strict: Annotated[bool, Parameter(help="Refuse unknown request fields.")] = False,
    latency: Annotated[_Seconds, Parameter(help="Seconds before every reply.")] = 0.0,
    history_lag: Annotated[
        _Seconds, Parameter(help="Seconds until the history shows a message.")
    ] = 0.0,
    rate: Annotated[
        str | None, Parameter(help="N or N/SECONDS: answer 429 above so many requests.")
    ] = None,
    balance: Annotated[
        Decimal, Parameter(help="What the account has to spend.", show_default=True)
    ] = _BALANCE,
    out: Output = PLAIN,
) -> None:
    """Run a stand-in for ClickSend, for Maton's gateway and its control plane, until Ctrl-C.

    It keeps one account in memory, serves this machine only and sends nothing to anyone.
    """
    stand_in = Sandbox(
        port,
        strict=strict,
        latency=latency,
        history_lag=history_lag,
        balance=str(balance),
        rate_limit=None if rate is None else _rate(rate),
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


async def _serve(sandbox: Sandbox, out: Output) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: there Ctrl-C ends asyncio.run
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with sandbox:
        out.done(
            f"aioclicksend sandbox on {sandbox.url} "
            f"(user {sandbox.username}, key {sandbox.api_key}); Ctrl-C ends it",
            url=sandbox.url,
            username=sandbox.username,
            api_key=sandbox.api_key,
            maton_key=sandbox.maton_key,
        )
        await stopping.wait()
