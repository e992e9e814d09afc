"""Rules, pushes and handlers end to end: a sandbox pushes what happens to an app of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from aioclicksend import BasicAuth, ClickSend, Retry, SmsMessage, delivery
from aioclicksend.sandbox import Sandbox
from aioclicksend.webhooks import DeliveryReceipt, Event, InboundMessage, Webhook

from .pushes import SECRET

pytestmark = pytest.mark.skipif(
    not hasattr(Sandbox, "pushes"), reason="this sandbox does not push yet"
)


@asynccontextmanager
async def serving(hook: Webhook) -> AsyncIterator[str]:
    """Serve a hook and yield its address."""
    app = web.Application()
    app.add_routes(hook.routes("/clicksend"))
    runner = web.AppRunner(app, access_log=None)
    async with hook:
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/clicksend/{SECRET}"
        finally:
            await runner.cleanup()


@pytest.mark.parametrize("webhook_type", ["post", "get", "json"])
async def test_what_happens_to_a_message_reaches_the_handlers(
    tmp_path: Path, webhook_type: str
) -> None:
    seen = list[Event]()
    hook = Webhook(
        secrets=[SECRET], store=tmp_path / "inbox.db", on_inbound=seen.append,
        on_receipt=seen.append,
    )  # fmt: skip
    async with Sandbox() as sandbox, serving(hook) as url:
        auth = BasicAuth(sandbox.username, sandbox.api_key)
        async with ClickSend(
            auth=auth, base_url=sandbox.url, rate_limit=None, retry=Retry(attempts=1)
        ) as client:
            report = await client.webhooks.install(url)
            rule = await client.automations.sms.inbound.get(report.installed[0].rule_id)
            assert rule.webhook_type == "post"
            await client.automations.sms.inbound.update(
                report.installed[0].rule_id,
                dedicated_number="*",
                rule_name="x",
                message_search_type=0,
                message_search_term="",
                action="URL",
                action_address=url,
                enabled=1,
                webhook_type=webhook_type,  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
            )
            sent = await client.sms.send(SmsMessage(to="+61411111119", body="Coming?"))
            (row,) = sent.messages
            assert row.message_id
            sandbox.deliver(row.message_id)
            sandbox.receive("+61411111119", "Stop!")
            with anyio.fail_after(30):
                while len(seen) < 2:
                    await anyio.sleep(0.02)
        (receipt,) = [it for it in seen if isinstance(it, DeliveryReceipt)]
        (reply,) = [it for it in seen if isinstance(it, InboundMessage)]
        assert (receipt.message_id, receipt.status_code) == (row.message_id, 201)
        assert receipt.custom_string == row.custom_string
        assert (reply.from_, reply.body) == ("+61411111119", "Stop!")
        assert await hook.store.blocked(["+61411111119"]) == {"+61411111119"}
        assert (await delivery.report(hook.store)).delivered == 1
