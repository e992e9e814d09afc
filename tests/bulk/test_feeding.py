"""From a stream to its requests: ramps, journals, pictures, and what is told of each message."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import aioclicksend as ac
from aioclicksend.sandbox import Sandbox

from .helpers import client

TEN = ac.Batching(size=10)
AT_ONCE = ac.Reconcile(settle=0.05)


def mms(number: int, picture: int = 0) -> ac.MmsMessage:
    """Return one of many MMS, with one of a few pictures."""
    return ac.MmsMessage(
        to=f"+614{number:08d}",
        body="Look",
        subject="S",
        media_file=f"https://example.org/{picture}.jpg",
    )


def sizes(sandbox: Sandbox) -> list[int]:
    """Return how many messages each send request held."""
    sent = [it for it in sandbox.requests if it.path.endswith("/send")]
    return [len(json.loads(it.body)["messages"]) for it in sent]


# Pictures.


async def test_each_mms_keeps_its_own_picture() -> None:
    messages = [mms(number, number % 2) for number in range(6)]
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.mms.bulk(ramp=None) as bulk:
            assert (await bulk.run(messages)).accepted == 6
        shown = {it["to"]: it["_media_file_url"] for it in sandbox.messages}
        assert shown == {it.to: it.media_file for it in messages}
        assert sizes(sandbox) == [3, 3]


@pytest.mark.parametrize("journalled", [False, True])
async def test_a_picture_stands_beside_the_messages_of_its_request(
    tmp_path: Path,
    journalled: bool,  # noqa: FBT001
) -> None:
    journal = tmp_path / "x.db" if journalled else None
    async with Sandbox(strict=True) as sandbox, client(sandbox) as api:
        async with api.mms.bulk(ramp=None, journal=journal) as bulk:
            assert (await bulk.run([mms(1), mms(2)])).accepted == 2
        (request,) = sandbox.requests
        told = json.loads(request.body)
        assert told["media_file"] == "https://example.org/0.jpg"
        assert not [it for it in told["messages"] if "media_file" in it]


async def test_an_mms_is_the_same_whatever_company_it_comes_in(tmp_path: Path) -> None:
    """A message beside it that is wrong, or out of the ordinary, must not have it sent again."""
    local = ac.MmsMessage(
        to="0491 570 156", country="AU", body="Look", subject="S", media_file=mms(1).media_file
    )
    async with Sandbox() as sandbox, client(sandbox) as api:
        for messages in ([mms(1)], [mms(1), local]):
            async with api.mms.bulk(journal=tmp_path / "x.db", ramp=None) as bulk:
                assert (await bulk.run(messages)).accepted == len(messages)
        assert sizes(sandbox) == [1, 1]
