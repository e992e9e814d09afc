"""Ten operations of different kinds, each with a wrong, a missing and an extra argument.

Never run. mypy sees that every ``ignore`` is needed; `test_operations` has mypy and pyright find
the lines marked ``E``, and no others, once the ignores are taken away.
"""

from datetime import UTC, datetime

from aioclicksend import ClickSend, SmsMessage
from aioclicksend.models.account import ApiKey
from aioclicksend.models.email import EmailMessage, EmailRecipient, EmailSender
from aioclicksend.models.files import Export, Upload
from aioclicksend.models.numbers import NumberPurchase, OwnNumber
from aioclicksend.pages import Pages


async def right(client: ClickSend) -> None:
    now = datetime.now(UTC)
    mail = EmailMessage(
        to=[EmailRecipient(email="a@a.test")],
        from_=EmailSender(email_address_id=7),
        subject="Hello",
        body="Hello",
    )
    await client.sms.send(SmsMessage(to="+61411111111", body="Hello"))
    history: Export = await client.sms.export_history(date_from=now)
    key: ApiKey = await client.subaccounts.regen_api_key(7)
    numbers: Pages[OwnNumber] = client.own_numbers.walk(filter_status=["PENDING"])
    bought: NumberPurchase = await client.numbers.purchase("+61411111111", type="sms")
    upload: Upload = await client.uploads.create(b"...", convert="mms")
    labels: list[str | None] = [it.label async for it in numbers]
    price = (await client.email.price(mail)).price
    print(history.url, key, labels, bought.price_total, upload.url, price)  # noqa: T201


async def send(client: ClickSend, message: SmsMessage) -> None:
    await client.sms.send("Hello")  # type: ignore[arg-type] # E
    await client.sms.send()  # type: ignore[call-arg] # E
    await client.sms.send(message, senders_=[])  # type: ignore[call-arg] # E


async def walk_numbered_pages(client: ClickSend) -> None:
    client.contacts.walk([7])  # type: ignore[arg-type] # E
    client.contacts.walk()  # type: ignore[call-arg] # E
    client.contacts.walk(7, page=2)  # type: ignore[call-arg] # E


async def walk_linked_pages(client: ClickSend) -> None:
    client.own_numbers.walk(filter_status=["DONE"])  # type: ignore[list-item] # E
    client.short_urls.tracking()  # type: ignore[call-arg] # E
    client.own_numbers.walk(offset="1")  # type: ignore[call-arg] # E


async def get(client: ClickSend) -> None:
    await client.account.usage("2026", 1)  # type: ignore[arg-type] # E
    await client.account.usage(2026)  # type: ignore[call-arg] # E
    await client.account.usage(2026, 1, 7)  # type: ignore[call-arg] # E


async def create(client: ClickSend) -> None:
    await client.alpha_tags.create(alpha_tag=7)  # type: ignore[arg-type] # E
    await client.alpha_tags.create()  # type: ignore[call-arg] # E
    await client.alpha_tags.create(alpha_tag="Shop", country="AU")  # type: ignore[call-arg] # E


async def update(client: ClickSend) -> None:
    await client.own_numbers.update("id", label=None)  # type: ignore[arg-type] # E
    await client.own_numbers.update("id")  # type: ignore[call-arg] # E
    await client.own_numbers.update("id", label="Shop", typo=1)  # type: ignore[call-arg] # E


async def delete(client: ClickSend) -> None:
    await client.automations.sms.inbound.delete(None)  # type: ignore[arg-type] # E
    await client.automations.sms.inbound.delete()  # type: ignore[call-arg] # E
    await client.automations.sms.inbound.delete(7, force=True)  # type: ignore[call-arg] # E


async def a_struct_as_the_body(client: ClickSend, mail: EmailMessage) -> None:
    await client.email.send({"subject": "Hello"})  # type: ignore[arg-type] # E
    await client.email.send()  # type: ignore[call-arg] # E
    await client.email.send(mail, schedule=7)  # type: ignore[call-arg] # E


async def upload(client: ClickSend) -> None:
    await client.uploads.create(b"...", convert="pdf")  # type: ignore[arg-type] # E
    await client.uploads.create(b"...")  # type: ignore[call-arg] # E
    await client.uploads.create(b"...", convert="mms", name="a")  # type: ignore[call-arg] # E


async def spend_money(client: ClickSend) -> None:
    await client.numbers.purchase("+61411111111", type="fax")  # type: ignore[arg-type] # E
    await client.numbers.purchase("+61411111111")  # type: ignore[call-arg] # E
    await client.numbers.purchase("+61411111111", type="sms", sms=1)  # type: ignore[call-arg] # E


async def results_and_groups(client: ClickSend) -> None:
    (await client.account.get()).ballance  # type: ignore[attr-defined] # noqa: B018 # E
    client.smss  # type: ignore[attr-defined] # noqa: B018 # E
