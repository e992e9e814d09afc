"""Send a text to all people in a CSV, once, however often this is run.

``python examples/campaign.py --sandbox``
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

from _account import connect

from aioclicksend import stop_on_signals
from aioclicksend.campaign import Campaign, running

PEOPLE = Path(__file__).with_name("people.csv")
JOURNAL = "people.campaign"


async def main() -> None:
    """Plan the campaign, and send what is left of it."""
    campaign = Campaign(PEOPLE, "Hi {name|friend}, we open in {city} at 9.", country="AU")
    async with connect() as client:
        plan = await campaign.plan(client, on_problem=print)
        assert plan.price
        print(f"{plan.messages} messages for {plan.price.total} {plan.price.currency}")

        async with (
            running(campaign, client, JOURNAL, budget=Decimal(50)) as run,
            stop_on_signals(run.bulk),  # Ctrl-C: what is on the wire is finished, the rest waits
        ):
            ending = await run.send()
        report = ending.report
        print(f"accepted {report.accepted}, rejected {report.rejected}, spent {report.cost}")
        if not ending.is_whole or report.unknown:
            print("begin it again to go on where it stopped")


if __name__ == "__main__":
    asyncio.run(main())
