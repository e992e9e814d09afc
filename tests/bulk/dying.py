"""Runs a journalled bulk until its n-th journal write, and dies there as by a loss of power.

``python -m tests.bulk.dying URL JOURNAL N before|after``; N = 0 runs to the end and prints how many
writes there were.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import aioclicksend as ac
from aioclicksend.bulk.journal.sqlite import Journal as Store

MESSAGES = 13
BATCHING = ac.Batching(size=4)
WRITES = ("open", "enter", "intend", "record", "end", "commit", "close")


def message(number: int) -> ac.SmsMessage:
    """Return one of the messages of the run."""
    return ac.SmsMessage(to=f"+614{number:08d}", body="Your table is booked.")


def die_at(count: int, when: str) -> list[int]:
    """Have the process killed before or after its n-th write; returns the counter."""
    done = [0]

    def dying(write: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(write)
        def call(*args: Any) -> Any:
            done[0] += 1
            last = done[0] == count
            if last and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = write(*args)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    for name in WRITES:
        setattr(Store, name, dying(getattr(Store, name)))
    return done


async def run(url: str, journal: str, **options: Any) -> ac.Report:
    """Send the messages."""
    auth = ac.BasicAuth("sandbox", "sandbox")
    async with ac.ClickSend(auth=auth, base_url=url, rate_limit=None) as api:
        async with api.sms.bulk(journal=journal, batching=BATCHING, lanes=2, **options) as bulk:
            return await bulk.run(map(message, range(MESSAGES)))


if __name__ == "__main__":
    writes = die_at(int(sys.argv[3]), sys.argv[4])
    asyncio.run(run(sys.argv[1], sys.argv[2], ramp=None))
    print(writes[0])  # noqa: T201 - read by the test
