"""`Webhook`: what it acknowledges, what it hands to handlers, and how it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
import pytest_asyncio

from aioclicksend import BasicAuth, ClickSend, ConfigurationError, Retry, SmsMessage
from aioclicksend.models.results import SmsRow
from aioclicksend.sandbox import Fault, Sandbox
from aioclicksend.webhooks import (
    DeliveryReceipt,
    Event,
    InboundMessage,
    OptOutWords,
    SqliteInbox,
    Webhook,
)

from .pushes import FORMATS, SECRET, inbound, receipt, wire

AT_ONCE = Retry(attempts=3, base=0.001, cap=0.001)


class Seen(list[Event]):
    """Collects events and waits for them."""

    async def take(self, event: Event) -> None:
        self.append(event)

    async def number(self, count: int) -> None:
        with anyio.fail_after(20):
            while len(self) < count:
                await anyio.sleep(0.005)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inbox.db"


async def push(hook: Webhook, fields: dict[str, Any], secret: str = SECRET) -> int:
    it = wire(fields, "form")
    return await hook.receive(secret, it.body, content_type=it.content_type)


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not condition():
            await anyio.sleep(0.005)


async def test_events_reach_their_handlers_once(path: Path) -> None:
    messages, receipts = Seen(), Seen()
    hook = Webhook(secrets=[SECRET], store=path, on_inbound=messages.take, on_receipt=receipts.take)
    async with hook:
        for fmt in FORMATS * 2:
            for fields in (inbound(), receipt(), receipt(code=200)):
                it = wire(fields, fmt)
                status = await hook.receive(
                    SECRET, it.body, content_type=it.content_type, query=it.query
                )
                assert status == 200
        await receipts.number(2)
        await messages.number(1)
    assert [type(it) for it in messages] == [InboundMessage]
    assert {it.status_code for it in receipts if isinstance(it, DeliveryReceipt)} == {200, 201}


@pytest.mark.parametrize(
    "secret", ["", "wrong", SECRET + "x", SECRET[:-1], "é\ud800", SECRET.upper()]
)
async def test_a_wrong_secret_is_not_found_and_stores_nothing(path: Path, secret: str) -> None:
    hook = Webhook(secrets=[SECRET], store=path)
    assert await push(hook, inbound(), secret) == 404
    assert not path.exists()


async def test_secrets_rotate(path: Path) -> None:
    async with Webhook(secrets=["new", "old"], store=path) as hook:
        assert [await push(hook, inbound(), it) for it in ("new", "old", "older")] == [
            200,
            200,
            404,
        ]


@pytest.mark.parametrize("secrets", [[], "secret", [""], ["a/b"], ["é"], ["a b"], [None]])
def test_unusable_secrets_are_refused_without_showing_them(path: Path, secrets: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Webhook(secrets=secrets, store=path)
    assert "a/b" not in str(caught.value)


async def test_a_huge_push_is_refused(path: Path) -> None:
    async with Webhook(secrets=[SECRET], store=path) as hook:
        assert await push(hook, receipt(custom_string="x" * 1_000_000)) == 413
        assert await hook.receive(SECRET, b"", query="body=" + "x" * 300_000) == 413
        assert await push(hook, receipt(custom_string="x" * 200_000)) == 200


async def test_what_cannot_be_read_is_acknowledged_and_kept(path: Path) -> None:
    async with Webhook(secrets=[SECRET], store=path) as hook:
        assert await hook.receive(SECRET, b"\xff?", content_type="x") == 200
        (letter,) = await hook.dead_letters()
        assert (letter.push.body, letter.reason) == (b"\xff?", "unreadable")
        assert await hook.replay([letter]) == 0
        assert await hook.dead_letters() == [letter]


async def test_hostile_values_are_stored_as_they_are(path: Path) -> None:
    seen = Seen()
    hostile = "=cmd|' /C calc'!A0\x1b]0;x\x07\u202e'; drop table push; --"
    async with Webhook(secrets=[SECRET], store=path, on_inbound=seen.take) as hook:
        fields = inbound(hostile, hostile, custom_string=hostile, **{"from": hostile})
        assert await push(hook, fields) == 200
        await seen.number(1)
        assert len(await hook.store.replies(hostile, 10)) == 1
    event = seen[0]
    assert isinstance(event, InboundMessage)
    assert (event.body, event.from_, event.message_id) == (hostile,) * 3


async def test_a_store_that_fails_is_503_and_says_nothing_of_the_push(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hook = Webhook(secrets=[SECRET], store=tmp_path / "none" / "inbox.db")
    assert await push(hook, inbound()) == 503
    (tmp_path / "none").mkdir()
    assert await push(hook, inbound()) == 200
    await hook.aclose()
    assert await push(hook, inbound()) == 503
    assert "61411" not in caplog.text
    assert SECRET not in caplog.text


async def test_a_handler_that_fails_runs_again(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    seen = Seen()

    async def fail_first(event: InboundMessage) -> None:
        seen.append(event)
        if len(seen) == 1:
            raise ValueError(event.body)

    hook = Webhook(secrets=[SECRET], store=path, on_inbound=fail_first, retry=AT_ONCE)
    async with hook:
        await push(hook, inbound(body="private"))
        await seen.number(2)
    assert await _dead(hook) == 0
    assert "attempt 1, ValueError" in caplog.text
    assert "private" not in caplog.text


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError, TimeoutError])
async def test_a_handler_that_keeps_failing_leaves_a_dead_letter(
    path: Path, error: type[BaseException]
) -> None:
    attempts = 0
    is_broken = True

    async def fail(_event: InboundMessage) -> None:
        nonlocal attempts
        attempts += 1
        if is_broken:
            raise error

    hook = Webhook(secrets=[SECRET], store=path, on_inbound=fail, retry=AT_ONCE)
    async with hook:
        await push(hook, inbound())
        with anyio.fail_after(20):
            while not (dead := await hook.dead_letters()):
                await anyio.sleep(0.01)
        assert [(it.reason, it.attempts) for it in dead] == [(error.__name__, 3)]
        assert attempts == 3
        is_broken = False
        assert await hook.replay(dead) == 1
        await until(lambda: attempts == 4)
    assert await _dead(hook) == 0


async def test_a_slow_handler_delays_no_acknowledgement_and_no_other_event(path: Path) -> None:
    seen, release = Seen(), anyio.Event()

    async def slow(event: InboundMessage) -> None:
        if event.message_id == "slow":
            await release.wait()
        seen.append(event)

    async with Webhook(secrets=[SECRET], store=path, on_inbound=slow) as hook:
        await push(hook, inbound("slow"))
        await push(hook, inbound("quick"))
        await seen.number(1)
        release.set()
    assert [it.message_id for it in seen] == ["quick", "slow"]


async def test_no_more_handlers_run_than_allowed(path: Path) -> None:
    running, most = 0, 0

    async def count(_event: InboundMessage) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await anyio.sleep(0.01)
        running -= 1
        seen.append(_event)

    seen = Seen()
    async with Webhook(secrets=[SECRET], store=path, on_inbound=count, concurrency=3) as hook:
        for number in range(20):
            await push(hook, inbound(f"m{number}"))
        await seen.number(20)
    assert most == 3


async def test_leaving_the_block_lets_handlers_finish(path: Path) -> None:
    started, seen = anyio.Event(), Seen()

    async def slow(event: InboundMessage) -> None:
        started.set()
        await anyio.sleep(0.05)
        seen.append(event)

    async with Webhook(secrets=[SECRET], store=path, on_inbound=slow) as hook:
        await push(hook, inbound())
        await started.wait()
    assert len(seen) == 1


class SlowInbox(SqliteInbox):
    """A store that can be cancelled before it has noted a failure, as one over a network."""

    async def fail(self, event_id: int, reason: str, retry_in: float | None) -> None:
        await anyio.sleep(0.01)
        await super().fail(event_id, reason, retry_in)


@pytest.mark.parametrize("how", ["grace", "cancelled"])
async def test_a_handler_that_does_not_finish_runs_again_at_the_next_start(
    path: Path, how: str
) -> None:
    started, ended = anyio.Event(), list[str]()

    async def hang(_event: InboundMessage) -> None:
        started.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("cancelled")

    async def serve() -> None:
        hook = Webhook(secrets=[SECRET], store=SlowInbox(path), on_inbound=hang, grace=0.01)
        async with hook:
            await push(hook, inbound())
            await started.wait()
            if how == "cancelled":
                await anyio.sleep_forever()

    serving = asyncio.create_task(serve())
    await started.wait()
    if how == "cancelled":
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
    else:
        await serving
    assert ended == ["cancelled"]
    seen = Seen()
    async with Webhook(secrets=[SECRET], store=path, on_inbound=seen.take):
        await seen.number(1)


async def test_a_lease_is_renewed_while_a_handler_runs(path: Path) -> None:
    runs, release = 0, anyio.Event()

    async def slow(_event: InboundMessage) -> None:
        nonlocal runs
        runs += 1
        await release.wait()

    first = Webhook(secrets=[SECRET], store=path, on_inbound=slow, lease=0.3)
    second = Webhook(secrets=[SECRET], store=path, on_inbound=slow, lease=0.3)
    async with first, second:
        await push(first, inbound())
        await anyio.sleep(1.0)
        assert runs == 1
        release.set()


async def test_without_the_block_handlers_start_with_the_first_push(path: Path) -> None:
    seen = Seen()
    hook = Webhook(secrets=[SECRET], store=path, on_inbound=seen.take)
    statuses = await asyncio.gather(*(push(hook, inbound(f"m{it}")) for it in range(20)))
    assert statuses == [200] * 20
    await seen.number(20)
    await hook.aclose()
    await hook.aclose()


def test_a_hook_may_be_used_in_one_event_loop_after_another(path: Path) -> None:
    seen = Seen()
    hook = Webhook(secrets=[SECRET], store=path, on_inbound=seen.take)

    async def once(number: int) -> None:
        assert await push(hook, inbound(f"m{number}")) == 200
        await seen.number(number + 1)

    for number in range(3):
        asyncio.run(once(number))


async def test_plain_functions_are_handlers_too(path: Path) -> None:
    seen = Seen()
    async with Webhook(secrets=[SECRET], store=path, on_inbound=seen.append) as hook:
        await push(hook, inbound())
        await seen.number(1)
        assert [it.body for it in await hook.replies(to="+61411111111")] == ["Yes"]


async def test_decorated_handlers_run_beside_the_given_ones(path: Path) -> None:
    seen, more = Seen(), Seen()
    hook = Webhook(secrets=[SECRET], store=path, on_inbound=seen.take, on_receipt=seen.take)
    hook.on_inbound(more.take)
    hook.on_receipt(more.take)
    async with hook:
        await push(hook, inbound())
        await push(hook, receipt())
        await more.number(2)
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("body", "is_opt_out"),
    [
        ("STOP", True),
        (" stop. ", True),
        ("Stop\u00a0all!", True),
        ("STOPALL", True),
        ("Opt-Out", True),
        ("\uff33\uff34\uff2f\uff30", True),
        ("stop 🛑", True),
        ("unsubscribe", True),
        ("quit", True),
        ("end", True),
        ("revoke", True),
        ("cancel", True),
        ("arrêt", True),
        ("ARRE\u0302T", True),
        ("Stop by at noon", False),
        ("don't stop", False),
        ("", False),
        ("endless", False),
        ("stop " * 100, False),
    ],
)
async def test_the_whole_message_must_be_an_opt_out(
    path: Path, body: str, *, is_opt_out: bool
) -> None:
    hook = Webhook(secrets=[SECRET], store=path, opt_out=OptOutWords(["arrêt"]))
    async with hook:
        await push(hook, inbound(body=body))
        blocked = await hook.store.blocked(["+61411111111", "+61422222222"])
    assert blocked == ({"+61411111111"} if is_opt_out else set())


def test_the_usual_words_can_be_left_out() -> None:
    words = OptOutWords(["arrêt"], defaults=False)
    assert (words.matches("arrêt"), words.matches("stop")) == (True, False)
    with pytest.raises(TypeError):
        OptOutWords("stop")


async def test_opt_outs_can_be_turned_off(path: Path) -> None:
    async with Webhook(secrets=[SECRET], store=path, opt_out=None) as hook:
        await push(hook, inbound(body="STOP"))
        assert await hook.store.blocked(["+61411111111"]) == set()


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
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


async def test_opt_outs_go_to_the_accounts_list(
    path: Path, sandbox: Sandbox, client: ClickSend
) -> None:
    created = await client.lists.create(list_name="Opt-outs")
    assert created.list_id
    seen = Seen()
    hook = Webhook(
        secrets=[SECRET], store=path, client=client, opt_out_list=created.list_id,
        on_inbound=seen.take, retry=AT_ONCE,
    )  # fmt: skip
    async with hook:
        sandbox.fail_next(Fault.RESET_BEFORE, path=f"/v3/lists/{created.list_id}/contacts")
        await push(hook, inbound(body="stop"))
        await push(hook, inbound("m2", body="no"))
        await seen.number(2)
    numbers = [it.phone_number async for it in client.contacts.walk(created.list_id)]
    assert numbers == ["+61411111111"]


async def test_a_wrong_opt_out_list_does_not_keep_handlers_from_running(
    path: Path, client: ClickSend, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()
    hook = Webhook(
        secrets=[SECRET], store=path, client=client, opt_out_list=999, on_inbound=seen.take
    )
    async with hook:
        await push(hook, inbound(body="stop"))
        await seen.number(1)
    assert "not added to the account's list" in caplog.text


def test_an_opt_out_list_needs_a_client(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="client"):
        Webhook(secrets=[SECRET], store=path, opt_out_list=1)


async def test_a_reply_comes_with_the_message_it_answers(path: Path, client: ClickSend) -> None:
    sent = await client.sms.send(
        [SmsMessage(to="+61411111111", body="Coming?", custom_string="ask-1")]
    )
    message_id = sent.messages[0].message_id
    answers = list[tuple[str, SmsRow | None]]()
    # One after the other, so that the opt-out, which comes first, would be answered first.
    hook = Webhook(secrets=[SECRET], store=path, client=client, concurrency=1)

    @hook.on_reply
    async def answer(reply: InboundMessage, original: SmsRow | None) -> None:
        answers.append((reply.body, original))

    twins = ("original_message_id", "originalmessageid", "custom_string", "customstring")
    nothing = dict.fromkeys((*twins, "original_body", "originalmessage"))
    async with hook:
        await push(hook, inbound("0", "STOP", **nothing | {"custom_string": "ask-1"}))
        await push(hook, inbound("1", "by id", **nothing | {"original_message_id": message_id}))
        await push(hook, inbound("2", "by ref", **nothing | {"custom_string": "ask-1"}))
        await push(hook, inbound("3", "unknown", **nothing | {"original_message_id": "gone",
                                                              "original_body": "Old"}))  # fmt: skip
        await push(hook, inbound("4", "none", **nothing))
        await until(lambda: len(answers) == 4)
    told = {body: row and (row.message_id, row.body, row.to) for body, row in answers}
    known = (message_id, "Coming?", "+61411111111")
    assert told == {
        "by id": known,
        "by ref": known,
        "unknown": ("gone", "Old", "+61411111111"),
        "none": None,
    }


async def test_without_a_client_the_push_says_what_is_answered(path: Path) -> None:
    answers = list[SmsRow | None]()
    hook = Webhook(secrets=[SECRET], store=path)

    @hook.on_reply
    async def answer(_reply: InboundMessage, original: SmsRow | None) -> None:
        answers.append(original)

    async with hook:
        await push(hook, inbound())
        await until(lambda: len(answers) == 1)
    row = answers[0]
    assert row is not None
    assert (row.message_id, row.custom_string, row.body) == ("B7A7-1", "ref-1", "Coming?")


def test_a_hook_shows_no_secret(path: Path) -> None:
    assert SECRET not in repr(Webhook(secrets=[SECRET], store=path))


async def _dead(hook: Webhook) -> int:
    inbox = hook.store
    assert isinstance(inbox, SqliteInbox)
    await inbox.open()
    try:
        return len(await inbox.dead_letters(10))
    finally:
        await inbox.close()
