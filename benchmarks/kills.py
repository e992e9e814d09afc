"""A journalled run that is killed again and again: what arrives twice, what is lost.

``python -m benchmarks.kills [MESSAGES] [KILLS]``. The sandbox runs in its own process and breaks
one post in twenty. The run is killed with SIGKILL at random moments and begun again on its journal;
the last run is left to finish. Counted at the server, with `resend` off and on.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aioclicksend as ac
from aioclicksend.sandbox import Arrival, Fault, Sandbox

_BROKEN = (Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.HALF_BODY, Fault.ERROR_BEFORE)
_LAG = 0.2


def _serve(pipe: Any, seed: int) -> None:
    chance = random.Random(seed)

    def choose(arrival: Arrival) -> Fault | None:
        if arrival.path.endswith("/sms/send") and chance.random() < 0.05:
            return chance.choice(_BROKEN)
        return None

    async def run() -> None:
        async with Sandbox(balance="1000000", history_lag=_LAG) as sandbox:
            sandbox.fail_every(choose)
            pipe.send(sandbox.url)
            await asyncio.to_thread(pipe.recv)
            pipe.send(Counter(it["to"] for it in sandbox.messages))

    asyncio.run(run())


def _run(url: str, journal: str, count: int, pipe: Any, *, resend: bool) -> None:
    async def run() -> ac.Report:
        auth = ac.BasicAuth("sandbox", "sandbox")
        reconcile = ac.Reconcile(settle=1.5, resend=resend)
        batching = ac.Batching(size=250)
        async with (
            ac.ClickSend(auth=auth, base_url=url, rate_limit=None) as client,
            client.sms.bulk(
                journal=journal, reconcile=reconcile, batching=batching, ramp=None
            ) as bulk,
        ):
            pipe.send("open")
            messages = (ac.SmsMessage(to=f"+614{it:08d}", body="Hello") for it in range(count))
            return await bulk.run(messages)

    pipe.send(asyncio.run(run()))


def main(count: int, kills: int, *, resend: bool) -> None:
    """Run, kill, count and print."""
    chance = random.Random(count)
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(theirs, count))
    server.start()
    url = ours.recv()
    began = time.monotonic()
    report = ac.Report()
    with tempfile.TemporaryDirectory() as folder:
        journal = str(Path(folder) / "j.db")
        for kill in range(kills + 1):
            here, there = multiprocessing.Pipe()
            runner = multiprocessing.Process(
                target=_run, args=(url, journal, count, there), kwargs={"resend": resend}
            )
            runner.start()
            here.recv()
            if kill < kills:
                time.sleep(chance.uniform(0.0, 0.15))
                if runner.pid is not None:
                    os.kill(runner.pid, signal.SIGKILL)
                runner.join()
                continue
            report = here.recv()
            runner.join()
    ours.send(None)
    arrived: Counter[str] = ours.recv()
    server.join()
    twice = sum(it > 1 for it in arrived.values())
    lost = report.accepted - len(arrived) if report.accepted > len(arrived) else 0
    print(
        f"resend={resend}: {count} messages, {kills} kills, {time.monotonic() - began:.0f} s: "
        f"{len(arrived)} arrived, {twice} twice, {lost} reported accepted and not arrived; "
        f"accepted {report.accepted}, unknown {report.unknown}, not sent {report.not_sent}"
    )


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    for policy in (False, True):
        main(messages, int(sys.argv[2]) if len(sys.argv) > 2 else 100, resend=policy)
