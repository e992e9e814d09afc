"""Messages, and clients of a sandbox, for the tests of a cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aioclicksend import BasicAuth, ClickSend
from aioclicksend.bulk.encode import encode
from aioclicksend.cluster import Cluster
from aioclicksend.config import RateLimit
from aioclicksend.models.messages import SmsMessage
from aioclicksend.sandbox import Sandbox


def texts(count: int, first: int = 0) -> list[SmsMessage]:
    """Messages to as many people."""
    return [
        SmsMessage(to=f"+61411{number:06}", body=f"hello {number}")
        for number in range(first, first + count)
    ]


async def plan(cluster: Cluster, name: str, messages: list[SmsMessage]) -> None:
    """Enter messages as a process does that plans and leaves the sending to workers."""
    journal = cluster.journal(name)
    await journal.start("sms")
    try:
        run = journal.new_run()
        for first in range(0, len(messages), 1000):
            chunk = messages[first : first + 1000]
            await journal.plan(run, encode(chunk, kind=SmsMessage, prefix=journal.ref_prefix()))
    finally:
        await journal.close()


@asynccontextmanager
async def client_of(
    sandbox: Sandbox, cluster: Cluster, requests: int = 500
) -> AsyncIterator[ClickSend]:
    """Open a client that takes its pace from the cluster."""
    auth = BasicAuth(sandbox.username, sandbox.api_key)
    pace = cluster.pace(RateLimit(requests, 1))
    async with ClickSend(auth=auth, base_url=sandbox.url, pace=pace) as client:
        yield client
