"""Run a sandbox without the `cli` extra: `python -m aioclicksend.sandbox`.

`aioclicksend sandbox` has all the options; these are the ones a test set-up cannot do without.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from .banner import banner
from .server import Sandbox


async def serve(
    *,
    port: int = 8080,
    strict: bool = False,
    latency: float = 0.0,
    history_lag: float = 0.0,
    rate: tuple[int, float] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; says where it is when ready."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stopping.set)
        except NotImplementedError:
            # Windows has no signal handlers on its loop; there Ctrl-C ends asyncio.run instead.
            break
    sandbox = Sandbox(
        port, strict=strict, latency=latency, history_lag=history_lag, rate_limit=rate
    )
    async with sandbox:
        print(banner(sandbox), flush=True)  # noqa: T201
        await stopping.wait()


def _rate(value: str) -> tuple[int, float]:
    requests, _, per = value.partition("/")
    try:
        rate = int(requests), float(per or 1)
    except ValueError:
        rate = 0, 0.0
    if min(rate) <= 0:
        raise argparse.ArgumentTypeError(f"not REQUESTS or REQUESTS/SECONDS: {value!r}")
    return rate


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aioclicksend sandbox", description="Stand in for ClickSend on loopback."
    )
    parser.add_argument("--port", type=int, default=8080, help="0 picks a free one")
    parser.add_argument("--strict", action="store_true", help="refuse unknown request fields")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before every reply")
    parser.add_argument(
        "--history-lag", type=float, default=0.0, help="seconds until history shows a message"
    )
    parser.add_argument(
        "--rate", type=_rate, metavar="N[/SECONDS]", help="answer 429 above this many requests"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(argv)
    try:
        asyncio.run(
            serve(
                port=options.port,
                strict=options.strict,
                latency=options.latency,
                history_lag=options.history_lag,
                rate=options.rate,
            )
        )
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        print(f"aioclicksend sandbox: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
