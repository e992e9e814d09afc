"""A stream without end, watched from inside its process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import aioclicksend as ac

from ..meter import Meter
from .ours import client

SAMPLES = 120
SETTLE = 3.0
"""Seconds for which messages in doubt are looked up."""


def soak(url: str, seconds: float) -> dict[str, Any]:
    """Stream for this many seconds."""
    logging.disable()  # the faults are meant
    return asyncio.run(_soak(url, seconds))


async def _soak(url: str, seconds: float) -> dict[str, Any]:
    over = time.monotonic() + seconds
    handed = count()
    outcomes: Counter[str] = Counter()
    samples: dict[str, list[float]] = {
        name: [] for name in ("memory", "tasks", "descriptors", "connections")
    }

    def source() -> Iterator[ac.SmsMessage]:
        while time.monotonic() < over:
            number = next(handed)
            yield ac.SmsMessage(to=f"+6141{number % 10_000_000:07}", body=f"Hello {number}")

    async def watch() -> None:
        while True:
            await asyncio.sleep(seconds / SAMPLES)
            descriptors = _descriptors()
            samples["memory"].append(_memory())
            samples["tasks"].append(len(asyncio.all_tasks()))
            samples["descriptors"].append(len(descriptors))
            samples["connections"].append(sum(it.startswith("socket:") for it in descriptors))

    with Meter() as meter:
        async with (
            client(url) as it,
            it.sms.bulk(reconcile=ac.Reconcile(settle=SETTLE)) as bulk,
        ):
            watching = asyncio.create_task(watch())
            async for outcome in bulk.stream(source()):
                outcomes[type(outcome).__name__] += 1
            watching.cancel()
    return meter.result(next(handed)) | {
        "samples": samples,
        "outcomes": sorted(outcomes.items()),
        "settled": outcomes.total(),
    }


def _memory() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _descriptors() -> list[str]:
    names = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            names.append(str(link.readlink()))
    return names
