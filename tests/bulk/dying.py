"""Runs a journalled bulk until the n-th call of one of its writes, and dies there by SIGKILL.

``python -m tests.bulk.dying URL JOURNAL WRITE N before|after``
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from typing import Any

import aioclicksend as ac

MESSAGES = 13
BATCHING = ac.Batching(size=4)
WRITES = {"_start": 1, "_insert": 4, "_begin": 4, "_record": 4, "_commit": 6, "_close": 1}
"""What a journal's thread does, and how often a run has it done at most."""


def message(number: int) -> ac.SmsMessage:
    """Return one of the messages of the run."""
    return ac.SmsMessage(to=f"+614{number:08d}", body="Your table is booked.")


def die_at(name: str, count: int, when: str) -> None:
    """Have the process killed before or after the n-th call of a write."""
    write = getattr(ac.Journal, name)
    done = 0

    @functools.wraps(write)
    def dying(*args: Any, **kwargs: Any) -> Any:
        nonlocal done
        done += 1
        if done == count and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = write(*args, **kwargs)
        if done == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(ac.Journal, name, dying)


async def run(url: str, journal: str, count: int = MESSAGES, **options: Any) -> ac.Report:
    """Send the messages."""
    auth = ac.BasicAuth("sandbox", "sandbox")
    async with ac.ClickSend(auth=auth, base_url=url, rate_limit=None) as api:
        async with api.sms.bulk(journal=journal, batching=BATCHING, lanes=2, **options) as bulk:
            return await bulk.run(map(message, range(count)))


if __name__ == "__main__":
    die_at(sys.argv[3], int(sys.argv[4]), sys.argv[5])
    asyncio.run(run(sys.argv[1], sys.argv[2], ramp=None))
