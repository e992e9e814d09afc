"""`delivery`: pushes and polls merged, each message final once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest
import pytest_asyncio

from aioclicksend import BasicAuth, ClickSend, ConfigurationError, Retry, SmsMessage, delivery
from aioclicksend.delivery import Breaker
from aioclicksend.sandbox import Arrival, Fault, Sandbox
from aioclicksend.webhooks import Change, SqliteInbox, Webhook

from ..webhooks.pushes import SECRET, receipt, wire

LIST, MARK = "/v3/sms/receipts", "/v3/sms/receipts-read"


class Clock:
    now = 1_900_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def sandbox(clock: Clock) -> AsyncIterator[Sandbox]:
    async with Sandbox(clock=clock) as running:
        yield running


@pytest_asyncio.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[ClickSend]:
    async with ClickSend(
        auth=BasicAuth("sandbox", "sandbox"),
        base_url=sandbox.url,
        rate_limit=None,
        retry=Retry(attempts=1),
    ) as client:
        yield client


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inbox.db"


@pytest_asyncio.fixture
async def inbox(path: Path) -> AsyncIterator[SqliteInbox]:
    store = SqliteInbox(path)
    await store.open()
    yield store
    await store.close()


async def send(client: ClickSend, count: int, ref: str | None = None) -> list[str]:
    people = [f"+614{number:08}" for number in range(11_000_000, 11_000_000 + count)]
    sent = await client.sms.send([SmsMessage(to=to, body="Hi", custom_string=ref) for to in people])
    return [row.message_id for row in sent.messages if row.message_id]


async def push(hook: Webhook, message_id: str, code: int = 201) -> None:
    it = wire(receipt(message_id, code), "form")
    assert await hook.receive(SECRET, it.body, content_type=it.content_type) == 200


async def finals(changes: AsyncIterator[Change], count: int) -> dict[str, str]:
    """Read changes until so many messages are final."""
    ended = dict[str, str]()
    with anyio.fail_after(50):
        async for change in changes:
            if change.is_final:
                assert change.delivery.message_id not in ended
                ended[change.delivery.message_id] = change.delivery.state.value
            if len(ended) == count:
                break
    return ended


def marks(sandbox: Sandbox) -> list[Arrival]:
    return [it for it in sandbox.requests if it.path == MARK]


async def unread(client: ClickSend) -> list[str | None]:
    return [it.message_id async for it in client.sms.receipts()]


async def test_pushes_and_polls_end_each_message_once(
    client: ClickSend, sandbox: Sandbox, path: Path
) -> None:
    ids = await send(client, 40)
    async with Webhook(secrets=[SECRET], store=path) as hook:
        for number, message_id in enumerate(ids):
            sandbox.deliver(message_id, 300, 16)
            code = 301 if number % 4 == 0 else 201
            if number % 2:
                sandbox.deliver(message_id, code)
            if number % 3 == 0 or not number % 2:
                await push(hook, message_id, code)
                await push(hook, message_id, 200)
        async with aclosing(delivery.follow(client, hook.store)) as changes:
            ended = await finals(changes, 40)
    assert ended == {it: "failed" if not n % 4 else "delivered" for n, it in enumerate(ids)}
    told = await delivery.report(path)
    assert (told.delivered, told.failed, told.pending) == (30, 10, 0)
    assert sum(told.reasons.values()) == 10


async def test_following_goes_on_where_it_was_left(path: Path) -> None:
    async with Webhook(secrets=[SECRET], store=path) as hook:
        await push(hook, "a")
        async with aclosing(delivery.follow(None, path)) as changes:
            first = await anext(changes)
        await push(hook, "b")
        async with aclosing(delivery.follow(None, str(path), after=first.seq)) as changes:
            second = await anext(changes)
            waiting = asyncio.ensure_future(anext(changes))
            await push(hook, "c")
            third = await waiting
    assert [it.delivery.message_id for it in (first, second, third)] == ["a", "b", "c"]
    assert first.seq < second.seq < third.seq


async def test_pushes_are_not_held_back_by_a_long_poll(
    client: ClickSend, sandbox: Sandbox, path: Path
) -> None:
    ids = await send(client, 1)
    for _ in range(250):
        sandbox.deliver(ids[0], 300)
    sandbox.fail_every(lambda it: Fault.HANG_BEFORE if it.query.get("page") == "2" else None)
    async with Webhook(secrets=[SECRET], store=path) as hook:
        await push(hook, "pushed")
        async with aclosing(delivery.follow(client, path)) as changes:
            seen = {(await anext(changes)).delivery.message_id for _ in range(2)}
    assert seen == {"pushed", ids[0]}


async def test_following_survives_trouble_and_closes_its_store(
    client: ClickSend, sandbox: Sandbox, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ids = await send(client, 3)
    for message_id in ids:
        sandbox.deliver(message_id)
    sandbox.fail_next(Fault.ERROR_BEFORE, path=LIST)
    async with aclosing(delivery.follow(client, path, every=0.01)) as changes:
        assert len(await finals(changes, 3)) == 3
    assert "were not read, the next look will" in caplog.text
    path.unlink()


async def test_a_store_that_cannot_be_opened_is_said_before_polling(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        await anext(delivery.follow(None, tmp_path / "none" / "inbox.db"))
    with pytest.raises(ConfigurationError):
        await delivery.report(tmp_path / "none" / "inbox.db")


async def test_receipts_are_marked_at_a_look_after_they_were_stored(
    client: ClickSend, sandbox: Sandbox, inbox: SqliteInbox
) -> None:
    (message_id,) = await send(client, 1)
    sandbox.deliver(message_id)
    times = iter([1000.0, 1030.0, 1061.0, 1130.0])
    for new in (1, 0, 0, 0):
        now = next(times)
        assert await delivery.look(client, inbox, clock=lambda: now) == new  # noqa: B023
    assert len(marks(sandbox)) == 1
    assert await unread(client) == []


@pytest.mark.parametrize(("mark", "left"), [("own", 2), ("all", 0), ("none", 3)])
async def test_receipts_of_other_senders_are_kept_and_left_for_them(  # noqa: PLR0917
    client: ClickSend,
    sandbox: Sandbox,
    inbox: SqliteInbox,
    clock: Clock,
    mark: delivery.Mark,
    left: int,
) -> None:
    first, last = await send(client, 2)
    (foreign,) = await send(client, 1, "theirs")
    for message_id in (first, foreign, last):
        sandbox.deliver(message_id)
        clock.now += 10
    for now in (1000.0, 1061.0, 1122.0):
        await delivery.look(client, inbox, mark=mark, clock=lambda: now)  # noqa: B023
    assert len(await unread(client)) == left
    assert set(await inbox.deliveries([first, foreign, last])) == {first, foreign, last}


async def test_rows_that_say_of_no_message_stop_marking(
    client: ClickSend, sandbox: Sandbox, inbox: SqliteInbox
) -> None:
    ids = await send(client, 2)
    sandbox.deliver(ids[0])
    await delivery.look(client, inbox, clock=lambda: 1000.0)
    sandbox.deliver(ids[1], 300)["message_id"] = None
    assert await delivery.look(client, inbox, clock=lambda: 1100.0) == 0
    assert not marks(sandbox)


@pytest.mark.parametrize(
    ("share", "delivered", "failed", "trips"),
    [
        (0.2, 0, 0, False),
        (0.2, 8, 1, False),
        (0.2, 8, 2, True),
        (0.2, 9, 2, False),
        (1.0, 0, 10, True),
        (1.0, 1, 99, False),
        (0.2, 0, 9, False),
    ],
)
def test_the_breaker_trips_at_its_share_of_enough_final_messages(
    share: float, delivered: int, failed: int, *, trips: bool
) -> None:
    assert Breaker(share, minimum=10).trips(delivered, failed) is trips


def test_shares_are_percents() -> None:
    assert Breaker.parse("20%") == Breaker(0.2)
    assert Breaker.parse(" 2.5 % ").share == 0.025
    for text in ("", "20", "0%", "101%", "-1%", "nan%", "1e2%", "20%%", "٢%"):
        with pytest.raises(ValueError, match="must be a share such as 20%"):
            Breaker.parse(text)
    for wrong in ((0.0, 1), (1.1, 1), (0.5, 0)):
        with pytest.raises(ValueError, match="must be"):
            Breaker(*wrong)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_campaign_of_5000_ends_though_half_of_the_pushes_are_lost(
    client: ClickSend, sandbox: Sandbox, clock: Clock, path: Path
) -> None:
    chance = random.Random(5000)
    people = [f"+614{number:08}" for number in range(20_000_000, 20_005_000)]
    async with client.sms.bulk() as bulk:
        told = await bulk.run(SmsMessage(to=to, body="Hi") for to in people)
    assert told.accepted == 5000
    ids = [it.message_id for it in sandbox.messages]
    async with Webhook(secrets=[SECRET], store=path) as hook:

        async def deliver() -> None:
            for message_id in chance.sample(ids, len(ids)):
                code = chance.choice([201, 201, 301])
                for each in chance.sample([200, code], 2):
                    sandbox.deliver(message_id, each)
                    if chance.random() < 0.5:
                        await push(hook, message_id, each)
                clock.now += 1

        async with asyncio.TaskGroup() as group:
            group.create_task(deliver())
            async with aclosing(delivery.follow(client, hook.store, every=0.5)) as changes:
                ended = dict[str, str]()
                with anyio.fail_after(250):
                    async for change in changes:
                        if change.is_final:
                            assert change.delivery.message_id not in ended
                            ended[change.delivery.message_id] = change.delivery.state.value
                        if len(ended) == len(ids):
                            break
    assert set(ended) == set(ids)
    known = await delivery.report(path)
    assert (known.delivered + known.failed, known.pending) == (5000, 0)
