"""A bot that answers replies as they are pushed.

``python examples/webhook_bot.py --sandbox``, then push a reply as ClickSend does:
``curl localhost:8000/clicksend/change-me -d from=+61411111111 -d body=yes -d message_id=1``

On your account: set WEBHOOK_SECRET, put https in front, and install the rules once with
``aioclicksend receipts install``.
"""

from __future__ import annotations

import asyncio
import os

from _account import connect
from aiohttp import web

from aioclicksend import SmsMessage
from aioclicksend.models.results import SmsRow
from aioclicksend.webhooks import InboundMessage, Webhook


async def main() -> None:
    """Take pushes and answer them until the program is interrupted."""
    secret = os.environ.get("WEBHOOK_SECRET", "change-me")
    async with connect() as client:
        hook = Webhook(secrets=[secret], store="bot.db", client=client)

        @hook.on_reply
        async def answer(reply: InboundMessage, original: SmsRow | None) -> None:
            """Answer; it can run twice for a reply if the program dies in between."""
            if not reply.from_:
                return
            about = "your appointment" if original else "your message"
            text = SmsMessage(to=reply.from_, body=f"Thank you for {about}!")
            result = await client.sms.send(text)
            print(f"{reply.message_id} answered with {result.accepted[0].message_id}", flush=True)

        app = web.Application()
        app.add_routes(hook.routes("/clicksend"))
        runner = web.AppRunner(app, access_log=None)  # it would show the secret
        async with hook:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", int(os.environ.get("PORT", "8000"))).start()
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
