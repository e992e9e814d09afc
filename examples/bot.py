"""A bot that answers texts, without a webhook: it asks for them.

``python examples/bot.py --sandbox`` makes up a text and answers it; Ctrl-C ends it. On your account
it needs an inbound rule with the action POLL.
"""

from __future__ import annotations

import asyncio
import sys

from _account import connect

from aioclicksend import ClickSend, SmsMessage

EVERY = 2.0


async def answer(client: ClickSend) -> None:
    """Answer what came in since it was last asked."""
    async for text in client.sms.inbound():
        if not text.from_ or not text.message_id:
            continue
        body = "We open at 9." if "open" in (text.body or "").lower() else "Ask me when we open."
        # Marked first: if this ends in between, a person gets no answer, but never two.
        await client.sms.mark_inbound_message_read(text.message_id)
        result = await client.sms.send(SmsMessage(to=text.from_, body=body))
        print(f"{text.message_id} answered with {result.accepted[0].message_id}", flush=True)


async def main() -> None:
    """Ask and answer until it is interrupted."""
    async with connect() as client:
        if "--sandbox" in sys.argv:
            await client.sms.create_test_inbound(url="poll")
        while True:
            await answer(client)
            await asyncio.sleep(EVERY)


if __name__ == "__main__":
    asyncio.run(main())
