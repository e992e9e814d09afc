"""The promises of an `Inbox`, for every implementation: call them with two handles on one store."""

from __future__ import annotations

from typing import Any

from aioclicksend.webhooks import Arrival, DeliveryReceipt, Inbox, Push
from aioclicksend.webhooks.parse import event_of
from aioclicksend.webhooks.store import UNREADABLE

from .pushes import Format, inbound, receipt, wire

READABLE: Any = object()


def arrival(fields: dict[str, Any], fmt: Format = "form", opt_out: str | None = None) -> Arrival:
    it = wire(fields, fmt)
    push = Push(body=it.body, content_type=it.content_type, query=it.query or None)
    return Arrival(push=push, event=event_of(fields), opt_out=opt_out)


def polled(message_id: str, code: int, at: int = 1_900_000_010, ref: str = "r") -> DeliveryReceipt:
    event = event_of(
        {"message_id": message_id, "status_code": code, "timestamp": at, "custom_string": ref}
    )
    assert isinstance(event, DeliveryReceipt)
    return event


async def drain(inbox: Inbox) -> list[Push]:
    """Claim and finish everything that is due."""
    pushes = list[Push]()
    while claimed := await inbox.claim(100, 60.0):
        pushes += [it.push for it in claimed]
        await inbox.finish([it.id for it in claimed])
    return pushes


async def states(inbox: Inbox) -> list[tuple[str, str, str | None]]:
    return [
        (it.delivery.message_id, it.delivery.state.value, it.previous)
        for it in await inbox.changes(0, 1000)
    ]


async def repetitions_are_one_event(one: Inbox, other: Inbox) -> None:
    assert await one.add([arrival(receipt()), arrival(inbound())]) == [True, True]
    assert await one.add([arrival(receipt(), "json"), arrival(inbound(), "query")]) == [False] * 2
    assert await other.add([arrival(receipt()), arrival(receipt(code=200))]) == [False, True]
    assert await other.record([polled("B7A7-1", 201), polled("new", 201)], 1.0) == 1
    assert len(await drain(other)) == 4
    assert await drain(one) == []


async def repetitions_in_one_batch_are_one_event(one: Inbox) -> None:
    assert await one.add([arrival(inbound())] * 3) == [True, False, False]


async def events_without_an_id_are_all_kept(one: Inbox) -> None:
    for _ in range(2):
        assert await one.add([arrival(receipt(""))]) == [True]
        assert await one.add([arrival(inbound(""))]) == [True]
    assert len(await drain(one)) == 4
    assert await one.changes(0, 10) == []


async def an_event_is_claimed_once(one: Inbox, other: Inbox) -> None:
    await one.add([arrival(receipt(f"m{it}")) for it in range(10)])
    first, second = await one.claim(6, 60.0), await other.claim(6, 60.0)
    assert (len(first), len(second)) == (6, 4)
    assert not {it.id for it in first} & {it.id for it in second}
    assert [it.id for it in first] == sorted(it.id for it in first)
    assert {it.attempt for it in first} == {1}
    assert await one.claim(6, 60.0) == []


async def failed_events_are_due_again(one: Inbox) -> None:
    await one.add([arrival(receipt())])
    for attempt in (1, 2):
        (claimed,) = await one.claim(5, 60.0)
        assert claimed.attempt == attempt
        await one.fail(claimed.id, "ValueError", 0.0)
    (claimed,) = await one.claim(5, 60.0)
    await one.fail(claimed.id, "ValueError", 3600.0)
    assert await one.claim(5, 60.0) == []


async def dead_letters_are_listed_and_replayed(one: Inbox, other: Inbox) -> None:
    await one.add([arrival(receipt()), Arrival(push=Push(body=b"?", query="q"), event=None)])
    (claimed,) = await one.claim(5, 60.0)
    await one.fail(claimed.id, "ValueError", None)
    assert await one.claim(5, 60.0) == []
    dead = await other.dead_letters(10)
    assert [(it.reason, it.attempts) for it in dead] == [("ValueError", 1), (UNREADABLE, 0)]
    assert dead[1].push == Push(body=b"?", query="q")
    assert dead[0].received.tzinfo is not None
    assert await other.dead_letters(1) == dead[:1]
    assert await other.replay([dead[0].id]) == 1
    assert await other.replay([dead[0].id]) == 0
    (again,) = await one.claim(5, 60.0)
    assert (again.push, again.attempt) == (claimed.push, 1)
    await one.finish([again.id, dead[1].id])
    assert await one.dead_letters(10) == []


async def a_message_has_one_delivery(one: Inbox, other: Inbox) -> None:
    await one.add([arrival(receipt("a", 201)), arrival(receipt("b", 300))])
    await other.record([polled("a", 200, 1_900_000_900), polled("b", 301), polled("c", 200)], 1.0)
    await one.add([arrival(receipt("b", 200))])
    assert await states(one) == await states(other)
    assert await states(one) == [
        ("a", "delivered", None),
        ("b", "pending", None),
        ("b", "failed", "pending"),
        ("c", "pending", None),
    ]
    assert [it.seq for it in await one.changes(0, 2)] == [1, 2]
    assert [it.delivery.message_id for it in await one.changes(2, 10)] == ["b", "c"]
    found = await one.deliveries(["a", "b", "unknown"])
    assert {name: it.state.value for name, it in found.items()} == {"a": "delivered", "b": "failed"}
    assert sum((await one.counts()).values()) == 3
    assert (await one.counts())["delivered", None] == 1


async def receipts_are_markable_when_nothing_older_can_appear(one: Inbox) -> None:
    await one.record([polled("a", 201, 100, "ac1-a")], 1000.0)
    assert await one.markable(1000.0, 60.0, others=False) is None
    await one.record([polled("a", 201, 100, "ac1-a"), polled("b", 201, 140, "ac1-b")], 1061.0)
    assert await one.markable(1061.0, 60.0, others=False) == 101
    await one.record([polled("x", 201, 90, "other"), polled("b", 201, 140, "ac1-b")], 1122.0)
    assert await one.markable(1122.0, 60.0, others=False) is None
    assert await one.markable(1122.0, 60.0, others=True) == 141


async def numbers_are_suppressed_however_they_are_written(one: Inbox, other: Inbox) -> None:
    await one.add([arrival(inbound(body="STOP"), opt_out="+61411111111")])
    asked = ["+61 411 111 111", "61411111111", "0061411111111", "0411111111", "+61411111112",
             "+1411111111", "411111111", "x", ""]  # fmt: skip
    assert await other.blocked(asked) == set(asked[:4]) | {"411111111"}
    await other.suppress(["0499 999 999"])
    assert await one.blocked(["+61499999999", "+61499999998"]) == {"+61499999999"}
    await one.suppress(["+61411111111"], on=False)
    assert await other.blocked(asked) == set()
    # A repetition of the push does not undo what somebody decided since.
    await one.add([arrival(inbound(body="STOP"), opt_out="+61411111111")])
    assert await other.blocked(asked) == set()
    assert await one.blocked([]) == set()


async def replies_are_found(one: Inbox) -> None:
    await one.add(
        [arrival(inbound("1", "first"), "json"), arrival(inbound("2", "second"), "query")]
    )
    await one.add([arrival(inbound("3", "other", **{"from": "+1555", "custom_string": "q"}))])
    await one.add([arrival(receipt("B7A7-1"))])
    for to in ("+61411111111", "61 411 111 111"):
        assert [it.body for it in await one.replies(to, 10)] == ["second", "first"]
    assert [it.body for it in await one.replies("B7A7-1", 10)] == ["other", "second", "first"]
    assert [it.body for it in await one.replies("ref-1", 1)] == ["second"]
    assert [it.body for it in await one.replies("q", 10)] == ["other"]
    assert await one.replies("nobody", 10) == []
