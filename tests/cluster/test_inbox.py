"""The inbox in PostgreSQL keeps every promise that the one in SQLite keeps."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aioclicksend.cluster import Cluster
from aioclicksend.webhooks import Inbox

from ..webhooks import stores
from .conftest import NewCluster

PROMISES = [
    it
    for it in vars(stores).values()
    if inspect.iscoroutinefunction(it)
    and it.__module__ == stores.__name__
    and {"one", "other"} >= set(inspect.signature(it).parameters) >= {"one"}
]


def test_the_promises_were_found() -> None:
    assert len(PROMISES) >= 10


@pytest.mark.parametrize("promise", PROMISES, ids=lambda it: it.__name__)
async def test_promise(
    cluster: Cluster, new_cluster: NewCluster, promise: Callable[..., Awaitable[Any]]
) -> None:
    elsewhere = new_cluster()
    one, other = cluster.inbox(), elsewhere.inbox()
    await one.open()
    await other.open()
    await promise(*[one, other][: len(inspect.signature(promise).parameters)])
    await other.close()
    await elsewhere.close()


async def test_it_can_be_handed_to_a_webhook(cluster: Cluster) -> None:
    inbox: Inbox = cluster.inbox()
    assert await inbox.blocked(["+61411000000"]) == set()
