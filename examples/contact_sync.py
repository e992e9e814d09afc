"""Bring a contact list in line with a CSV; done again, it changes nothing.

``python examples/contact_sync.py --sandbox``
"""

from __future__ import annotations

import asyncio
import csv
from pathlib import Path

from _account import connect

from aioclicksend import ClickSend

PEOPLE = Path(__file__).with_name("customers.csv")
LIST = "Customers"


def wanted() -> dict[str, str]:
    """Return the first name of each phone number."""
    with PEOPLE.open(newline="", encoding="utf-8") as file:
        return {row["phone"]: row["first_name"] for row in csv.DictReader(file)}


async def list_called(client: ClickSend, name: str) -> int:
    """Return the id of a list, which is made if there is none."""
    async for known in client.lists.walk():
        if known.list_name == name and known.list_id is not None:
            return known.list_id
    made = await client.lists.create(list_name=name)
    assert made.list_id is not None
    return made.list_id


async def sync(client: ClickSend) -> dict[str, int]:
    """Create, update and delete contacts until the list is as the CSV has it."""
    people, list_id = wanted(), await list_called(client, LIST)
    kept, calls = set[str](), {"created": 0, "updated": 0, "deleted": 0}
    contacts = await client.contacts.walk(list_id).collect()
    async with asyncio.TaskGroup() as tasks:  # the client paces them
        for contact in contacts:
            assert contact.contact_id is not None
            phone, id_ = contact.phone_number or "", contact.contact_id
            if phone not in people or phone in kept:
                calls["deleted"] += 1
                tasks.create_task(client.contacts.delete(list_id, id_))
                continue
            kept.add(phone)
            if contact.first_name != people[phone]:
                calls["updated"] += 1
                name = people[phone]
                tasks.create_task(client.contacts.update(list_id, id_, first_name=name))
        for phone in people.keys() - kept:
            calls["created"] += 1
            name = people[phone]
            tasks.create_task(client.contacts.create(list_id, phone_number=phone, first_name=name))
    return calls


async def main() -> None:
    """Synchronise, and print what that took."""
    async with connect() as client:
        print(await sync(client))


if __name__ == "__main__":
    asyncio.run(main())
