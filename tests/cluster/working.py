"""A worker in a separate process: ``python -m tests.cluster.working SANDBOX SCHEMA``.

The URL of the database comes from the environment.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from aioclicksend import BasicAuth, Batching, ClickSend, RateLimit
from aioclicksend.cluster import Cluster
from aioclicksend.cluster.worker import Worker


async def work(address: str, schema: str) -> None:
    cluster = Cluster(os.environ["AIOCLICKSEND_DATABASE_URL"], schema=schema)
    pace = cluster.pace(RateLimit(100, 1))
    auth = BasicAuth("sandbox", "sandbox")
    async with cluster, ClickSend(auth=auth, base_url=address, pace=pace) as client:
        worker = Worker(cluster, client, batching=Batching(size=10), receipts=False)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop, "SIGTERM")
        print("working", flush=True)  # noqa: T201
        await worker.run()


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))
