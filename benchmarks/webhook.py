"""How fast pushes are acknowledged: ``python -m benchmarks.webhook``.

An app with a `Webhook` runs in a separate process. Pushes arrive at a steady pace, each on time
whether or not the one before was answered, as from a sender that does not wait. What is measured is
from the moment a push was due until its answer: queueing counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

import aiohttp

SECRET = "benchmark"  # noqa: S105


def serve(fd: int, store: str) -> None:
    """Serve a hook whose handlers do nothing."""
    from aiohttp import web  # noqa: PLC0415

    from aioclicksend.webhooks import Event, Webhook  # noqa: PLC0415

    async def handle(_event: Event) -> None:
        pass

    hook = Webhook(secrets=[SECRET], store=store, on_inbound=handle, on_receipt=handle)
    app = web.Application()
    app.add_routes(hook.routes("/clicksend"))
    web.run_app(app, sock=socket.socket(fileno=fd), print=None, access_log=None)


async def measure(url: str, rate: int, seconds: int) -> list[float]:
    """Push at a pace and return the seconds until each answer."""
    times = list[float]()

    async def push(http: aiohttp.ClientSession, number: int, due: float) -> None:
        fields = {"message_id": f"m{number}", "status_code": "201", "message_type": "sms"}
        form = {"content-type": "application/x-www-form-urlencoded"}
        async with http.post(url, data=urlencode(fields).encode(), headers=form) as reply:
            assert reply.status == 200, reply.status
        times.append(time.perf_counter() - due)

    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
        await push(http, -1, time.perf_counter())
        times.clear()
        began = time.perf_counter()
        for number in range(rate * seconds):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(push(http, number, due))
    return times


def main() -> None:
    """Measure one run and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=200, help="pushes a second")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--store", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        serve(options.serve, options.store)
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.create_server(("127.0.0.1", 0), backlog=512) as listening,
    ):
        fd, store = listening.fileno(), str(Path(folder) / "inbox.db")
        again = [sys.executable, "-m", "benchmarks.webhook", "--serve", str(fd), "--store", store]
        server = subprocess.Popen(again, pass_fds=[fd])
        try:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/clicksend/{SECRET}"
            times = asyncio.run(measure(url, options.rate, options.seconds))
        finally:
            server.terminate()
            server.wait()
    parts = statistics.quantiles(times, n=1000)
    values = {"p50": parts[499], "p99": parts[989], "p99.9": parts[998], "max": max(times)}
    print(json.dumps({name: f"{1000 * it:.1f} ms" for name, it in values.items()}))


if __name__ == "__main__":
    main()
