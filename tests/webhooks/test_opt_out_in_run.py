"""A STOP that comes during a run suppresses its sender in every batch that begins later."""

from __future__ import annotations

import asyncio
from pathlib import Path

import anyio
import pytest

from aioclicksend import BasicAuth, Batching, ClickSend, RateLimit, SmsMessage
from aioclicksend.sandbox import Sandbox
from aioclicksend.webhooks import Webhook

from .pushes import SECRET, inbound, wire

LANES = 2
SENDER = "+61411111119"


@pytest.mark.slow
async def test_a_stop_during_a_run_is_obeyed_from_the_next_batch_on(tmp_path: Path) -> None:
    # Every batch has one message to the sender of the STOP.
    texts = [
        SmsMessage(to=SENDER if number % 5 == 0 else f"+614222{number:05}", body=f"Hi {number}")
        for number in range(200)
    ]
    async with (
        Sandbox() as sandbox,
        Webhook(secrets=[SECRET], store=tmp_path / "inbox.db") as hook,
        ClickSend(
            auth=BasicAuth(sandbox.username, sandbox.api_key),
            base_url=sandbox.url,
            rate_limit=RateLimit(20, 1),
        ) as client,
    ):

        def arrived() -> int:
            return len([it for it in sandbox.messages if it.to == SENDER])

        async with client.sms.bulk(
            batching=Batching(size=5), lanes=LANES, suppress=hook.store
        ) as bulk:
            running = asyncio.create_task(bulk.run(texts))
            with anyio.fail_after(30):
                while arrived() < 2:
                    await anyio.sleep(0.005)
            stop = wire(inbound(body="STOP", **{"from": SENDER}), "form")
            assert await hook.receive(SECRET, stop.body, content_type=stop.content_type) == 200
            before = arrived()
            report = await running
        assert before >= 2
        assert arrived() <= before + LANES
        assert report.not_sent == 40 - arrived() >= 20
        assert report.reasons["opted_out"] == report.not_sent
        assert report.accepted == 200 - report.not_sent
