"""Walks: in order, never more ahead than asked for, and finite with any server."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend import Page, Pages, Retry
from aioclicksend.models.contacts import ContactList

from ..hostile import Arrival, Hostile, Line, envelope, nothing_left_behind
from .helpers import client_of, failure_of

PER_PAGE = 10

Serve = Callable[[Line, Arrival], Awaitable[None]]


def rows(page: int, count: int = PER_PAGE) -> list[dict[str, Any]]:
    first = (page - 1) * PER_PAGE
    return [{"list_id": first + index, "list_name": f"L{first + index}"} for index in range(count)]


def pager(page: int, last: int, **more: Any) -> dict[str, Any]:
    return {
        "total": last * PER_PAGE,
        "per_page": PER_PAGE,
        "current_page": page,
        "last_page": last,
        "next_page_url": f"http://127.0.0.1:9/v3/lists?page={page + 1}",
        "data": rows(page) if page <= last else [],
        **more,
    }


def listing(last: int) -> Hostile:
    """Return a server with this many full pages."""
    return Hostile(lambda line, it: line.ok(pager(it.page, last)))


def ids(items: list[ContactList]) -> list[int | None]:
    return [item.list_id for item in items]


# In order and whole


@pytest.mark.parametrize("prefetch", [1, 2, 4, 100])
@pytest.mark.parametrize("last", [1, 2, 3, 7])
async def test_a_walk_brings_every_item_once_and_in_order(last: int, prefetch: int) -> None:
    async with listing(last) as server, client_of(server.url) as client:
        items = [item async for item in client.lists.walk(prefetch=prefetch)]
    assert ids(items) == list(range(last * PER_PAGE))
    assert sorted(it.page for it in server.arrivals) == list(range(1, last + 1))


async def test_pages_that_come_out_of_order_are_put_in_order() -> None:
    async def serve(line: Line, arrival: Arrival) -> None:
        if 1 < arrival.page < 5:  # each page waits for the one after it
            await server.until(lambda it: any(a.page == arrival.page + 1 for a in it.arrivals))
            await asyncio.sleep(0.02 * (5 - arrival.page))
        await line.ok(pager(arrival.page, 5))

    async with Hostile(serve) as server, client_of(server.url) as client:
        assert ids(await client.lists.walk().collect()) == list(range(50))


async def test_pages_ask_for_the_largest_page_by_default() -> None:
    async with listing(1) as server, client_of(server.url) as client:
        await client.lists.walk().collect()
        await client.lists.walk(limit=15).collect()
    assert [it.query for it in server.arrivals] == ["page=1&limit=100", "page=1&limit=15"]


async def test_the_address_of_the_next_page_is_not_followed() -> None:
    """It names another host, which must not see the credentials."""
    async with listing(1) as elsewhere:
        link = f"{elsewhere.url}/v3/lists?page=2"
        script: Serve = lambda line, it: line.ok(pager(it.page, 2, next_page_url=link))  # noqa: E731
        async with Hostile(script) as server, client_of(server.url) as client:
            await client.lists.walk().collect()
        assert (len(server.arrivals), elsewhere.arrivals) == (2, [])


async def test_each_walk_starts_at_the_first_page() -> None:
    async with listing(2) as server, client_of(server.url) as client:
        lists = client.lists.walk()
        assert ids([it async for it in lists]) == ids([it async for it in lists])
    assert len(server.arrivals) == 4


async def test_two_walks_at_a_time_do_not_mix() -> None:
    async with listing(3) as server, client_of(server.url) as client:
        lists = client.lists.walk()
        one, other = aiter(lists), aiter(lists)
        mixed = [await anext(it) for it in [one, other] * 30]
    assert ids(mixed) == [number for number in range(30) for _ in "ab"]


# Other ways to read


async def test_a_walk_can_be_collected_whole_or_up_to_a_limit() -> None:
    async with listing(3) as server, client_of(server.url) as client:
        lists = client.lists.walk(prefetch=1)
        assert ids(await lists.collect()) == list(range(30))
        async with nothing_left_behind():
            assert ids(await lists.collect(limit=PER_PAGE)) == list(range(PER_PAGE))
            assert ids(await lists.collect(13)) == list(range(13))
        assert len(await lists.collect(1000)) == 30
        arrivals = len(server.arrivals)
        assert await lists.collect(0) == await lists.collect(-1) == []
        assert len(server.arrivals) == arrivals


async def test_a_limit_that_the_first_page_fills_asks_for_no_other() -> None:
    async with listing(3) as server, client_of(server.url) as client:
        await client.lists.walk().collect(PER_PAGE)
    assert len(server.arrivals) == 1


async def test_one_page_can_be_asked_for_by_its_number() -> None:
    async with listing(3) as server, client_of(server.url) as client:
        page = await client.lists.walk().page(2)
        beyond = await client.lists.walk().page(4)
        with pytest.raises(ValueError, match="from 1"):
            await client.lists.walk().page(0)
    assert (page.number, page.last, page.total, len(page.items)) == (2, 3, 30, PER_PAGE)
    assert page.raw == rows(2)
    assert beyond.items == []
    assert len(server.arrivals) == 2


async def test_a_walk_can_go_page_by_page() -> None:
    async with listing(3) as server, client_of(server.url) as client:
        pages = [page async for page in client.lists.walk().by_page()]
    assert [page.number for page in pages] == [1, 2, 3]
    assert all(isinstance(page, Page) for page in pages)


@pytest.mark.parametrize(("limit", "prefetch"), [(0, 1), (-1, 1), (15, 0), (15, -1)])
async def test_a_walk_without_room_is_refused_at_once(limit: int, prefetch: int) -> None:
    client = client_of("http://127.0.0.1:9")
    with pytest.raises(ValueError, match="at least 1"):
        client.lists.walk(limit=limit, prefetch=prefetch)


# Ahead


@pytest.mark.parametrize("prefetch", [1, 2, 4, 8])
async def test_no_more_pages_are_under_way_than_asked_for(prefetch: int) -> None:
    under_way, most = set[int](), 0

    async def serve(line: Line, arrival: Arrival) -> None:
        nonlocal most
        under_way.add(arrival.page)
        most = max(most, len(under_way))
        await asyncio.sleep(0.005)
        under_way.discard(arrival.page)
        await line.ok(pager(arrival.page, 20))

    async with Hostile(serve) as server, client_of(server.url) as client:
        assert len(await client.lists.walk(prefetch=prefetch).collect()) == 200
    assert most == prefetch


async def test_pages_are_fetched_while_the_first_is_read_but_not_before_they_are_wanted() -> None:
    async with listing(20) as server, client_of(server.url) as client:
        pages = client.lists.walk(prefetch=3).by_page()
        assert server.arrivals == []
        await anext(pages)
        await asyncio.sleep(0.02)
        assert [it.page for it in server.arrivals] == [1]
        await anext(pages)
        await server.until_arrivals(4)
        await asyncio.sleep(0.02)
        assert sorted(it.page for it in server.arrivals) == [1, 2, 3, 4]
        await pages.aclose()


async def test_no_page_beyond_the_last_is_asked_for() -> None:
    async with listing(3) as server, client_of(server.url) as client:
        await client.lists.walk(prefetch=50).collect()
    assert sorted(it.page for it in server.arrivals) == [1, 2, 3]


# Left early


async def first_item(lists: Pages[ContactList]) -> None:
    async for _ in lists:
        break


async def mid_page(lists: Pages[ContactList]) -> None:
    async for item in lists:
        if item.list_id == 13:
            break


async def second_page(lists: Pages[ContactList]) -> None:
    async for page in lists.by_page():
        if page.number == 2:
            break


async def raised_at(lists: Pages[ContactList]) -> None:
    with pytest.raises(LookupError):
        async for item in lists:
            if item.list_id == 13:
                raise LookupError


async def closed_by_hand(lists: Pages[ContactList]) -> None:
    pages = lists.by_page()
    await anext(pages)
    await anext(pages)
    await pages.aclose()
    await pages.aclose()
    assert await anext(pages, None) is None


async def items_closed_by_hand(lists: Pages[ContactList]) -> None:
    items: Any = aiter(lists)
    for _ in range(13):
        await anext(items)
    await items.aclose()
    assert await anext(items, None) is None


async def never_started(lists: Pages[ContactList]) -> None:
    aiter(lists)


async def some_of_them(lists: Pages[ContactList]) -> None:
    await lists.collect(13)


LEAVERS = [
    first_item,
    mid_page,
    second_page,
    raised_at,
    closed_by_hand,
    items_closed_by_hand,
    never_started,
    some_of_them,
]


@pytest.mark.parametrize("leave", LEAVERS, ids=lambda it: it.__name__)
@pytest.mark.parametrize("slow", [False, True], ids=["pages-there", "pages-under-way"])
async def test_a_walk_left_early_leaves_nothing(
    leave: Callable[[Pages[ContactList]], Awaitable[None]],
    slow: bool,  # noqa: FBT001
) -> None:
    async def serve(line: Line, arrival: Arrival) -> None:
        if slow and arrival.page > 2:
            await line.hang()
        await line.ok(pager(arrival.page, 20))

    async with Hostile(serve) as server, client_of(server.url) as client:
        async with nothing_left_behind():
            await leave(client.lists.walk(prefetch=4))
            if not slow:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0)
        assert client._session._walks == set()
        gc.collect()


async def test_a_cancelled_walk_leaves_nothing() -> None:
    async def serve(line: Line, arrival: Arrival) -> None:
        if arrival.page == 1:
            await line.ok(pager(1, 20))
        else:
            await line.hang()

    async with Hostile(serve) as server, client_of(server.url) as client:
        async with nothing_left_behind():
            walk = asyncio.create_task(client.lists.walk(prefetch=4).collect())
            await server.until_arrivals(5)
            walk.cancel()
            await asyncio.wait([walk])
        assert walk.cancelled()
        await server.until(lambda it: it.open <= 1)  # that of page 1 is kept


async def test_closing_the_client_ends_its_walks_with_an_error_and_not_as_if_cancelled() -> None:
    async def serve(line: Line, arrival: Arrival) -> None:
        if arrival.page == 1:
            await line.ok(pager(1, 20))
        else:
            await line.hang()

    async with Hostile(serve) as server:
        client = client_of(server.url)
        async with nothing_left_behind():
            walk = asyncio.create_task(client.lists.walk().collect())
            await server.until_arrivals(5)
            await client.aclose()
            await asyncio.wait([walk])
        assert not walk.cancelled()
        with pytest.raises(RuntimeError, match="closed"):
            walk.result()
        await server.until_all_closed()


# Errors


@pytest.mark.parametrize("bad", [1, 2, 3, 5])
async def test_a_failing_page_raises_once_and_ends_the_walk(bad: int) -> None:
    async def serve(line: Line, arrival: Arrival) -> None:
        if arrival.page == bad:
            await line.reply(403, {"response_code": "FORBIDDEN", "response_msg": "No."})
        elif arrival.page > bad:
            await line.hang()
        else:
            await line.ok(pager(arrival.page, 20))

    read: list[int | None] = []
    async with Hostile(serve) as server, client_of(server.url) as client:
        async with nothing_left_behind():
            walk = aiter(client.lists.walk(prefetch=4))
            with pytest.raises(ac.Forbidden):
                while True:
                    read.append((await anext(walk)).list_id)
            assert await anext(walk, None) is None
    assert read == list(range((bad - 1) * PER_PAGE))


async def test_pages_that_fail_unread_raise_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def serve(line: Line, arrival: Arrival) -> None:
        await (line.ok(pager(arrival.page, 20)) if arrival.page < 3 else line.reply(403))

    async with Hostile(serve) as server, client_of(server.url) as client:
        async with nothing_left_behind():
            pages = client.lists.walk(prefetch=4).by_page()
            await anext(pages)
            await anext(pages)
            await server.until_arrivals(5)
            await asyncio.sleep(0.02)
            del pages
        gc.collect()
    assert caplog.messages == []  # "Task exception was never retrieved"


async def test_a_page_is_tried_again_like_any_read() -> None:
    async def serve(line: Line, arrival: Arrival) -> None:
        if sum(it.page == arrival.page for it in server.arrivals) < 3:
            line.reset()
        else:
            await line.ok(pager(arrival.page, 3))

    async with Hostile(serve) as server:
        async with client_of(server.url, retry=Retry(attempts=3, base=0)) as client:
            assert ids(await client.lists.walk().collect()) == list(range(30))
    assert len(server.arrivals) == 9


# Servers that lie

ENDLESS: dict[str, Callable[[int], Any]] = {
    "the-same-page-for-ever": lambda _: pager(1, 10**9),
    "the-same-page-without-a-pager": lambda _: {"data": rows(1)},
    "two-pages-in-turns": lambda page: pager(1 + page % 2, 10**9),
    "empty-pages-for-ever": lambda page: pager(page, 10**9, data=[]),
    "a-last-page-that-goes-away": lambda page: pager(page, page + 1) if page < 40 else pager(1, 99),
    "the-same-odd-page": lambda _: pager(1, 10**9, data=[{"list_name": "\ud800", "n": 10**40}]),
    "a-total-without-end": lambda _: {"total": 10**9, "data": rows(1)},
    "a-negative-total": lambda page: {"total": -5, "data": rows(page)},
    "rows-that-are-none": lambda _: {"data": [None], "last_page": 10**9},
}


@pytest.mark.parametrize("how", ENDLESS)
@pytest.mark.parametrize("prefetch", [1, 4])
async def test_a_server_without_end_ends_the_walk(how: str, prefetch: int) -> None:
    data = ENDLESS[how]
    async with Hostile(lambda line, it: line.ok(data(it.page))) as server:
        async with client_of(server.url) as client, asyncio.timeout(5):
            await client.lists.walk(prefetch=prefetch).collect()
    assert len(server.arrivals) < 60


SHAPES: dict[str, tuple[Any, int]] = {
    "a-pager": (pager(1, 1), PER_PAGE),
    "a-pager-in-a-list": ([pager(1, 1)], PER_PAGE),
    "totlal": ({"totlal": PER_PAGE, "data": rows(1)}, PER_PAGE),
    "only-a-total": ({"total": PER_PAGE, "data": rows(1)}, PER_PAGE),
    "text": (pager(1, 1, total="10", last_page="1"), PER_PAGE),
    "floats": (pager(1, 1, total=10.0, last_page=1.0), PER_PAGE),
    "a-bare-list": (rows(1), PER_PAGE),
    "an-empty-list": ([], 0),
    "nothing": (None, 0),
    "an-empty-object": ({}, 0),
    "true": (True, 0),
    "last-page-0": (pager(1, 0, total=0, data=[]), 0),
    "last-page-0-with-rows": (pager(1, 1, last_page=0), PER_PAGE),
    "rows-in-an-object": (pager(1, 1, data={"0": rows(1)[0], "5": rows(1)[1]}), 2),
    "rows-null": (pager(1, 1, data=None), 0),
    "rows-absent": ({"total": 0, "last_page": 0}, 0),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_list_of_any_documented_shape_is_read(shape: str) -> None:
    data, count = SHAPES[shape]
    async with Hostile(lambda line, _: line.ok(data)) as server, client_of(server.url) as client:
        items = await client.lists.walk().collect()
    assert len(items) == count
    assert ids(items) == list(range(count))
    assert len(server.arrivals) == 1


async def test_a_missing_pager_is_walked_until_a_page_is_empty() -> None:
    async with Hostile(
        lambda line, it: line.ok({"data": rows(it.page) if it.page < 4 else []})
    ) as server:
        async with client_of(server.url) as client:
            assert ids(await client.lists.walk().collect()) == list(range(30))
    assert [it.page for it in server.arrivals] == [1, 2, 3, 4]


async def test_a_total_alone_says_where_the_end_is() -> None:
    async with Hostile(
        lambda line, it: line.ok({"total": "25", "data": rows(it.page, 10 if it.page < 3 else 5)})
    ) as server:
        async with client_of(server.url) as client:
            assert ids(await client.lists.walk(prefetch=8).collect()) == list(range(25))
    assert sorted(it.page for it in server.arrivals) == [1, 2, 3]


async def test_a_page_shown_twice_as_rows_shift_does_not_end_the_walk() -> None:
    """A message sent meanwhile moves every row down; only a server that stays there is endless."""
    shown = [1, 1, 2, 3]
    async with Hostile(lambda line, it: line.ok(pager(shown[it.page - 1], 4))) as server:
        async with client_of(server.url) as client:
            assert ids(await client.lists.walk().collect()) == list(range(30))
    assert len(server.arrivals) == 4


async def test_a_list_that_grows_while_it_is_walked_is_walked_to_its_new_end() -> None:
    async with Hostile(lambda line, it: line.ok(pager(it.page, 2 + it.page // 2))) as server:
        async with client_of(server.url) as client:
            assert ids(await client.lists.walk(prefetch=1).collect()) == list(range(30))
    assert len(server.arrivals) == 3


async def test_errors_of_a_walk_name_its_operation() -> None:
    async with Hostile(lambda line, _: line.reply(200, envelope(http_code=500))) as server:
        async with client_of(server.url, retry=Retry(attempts=1)) as client:
            error = await failure_of(client.contacts.walk(7).collect())
    assert str(error).startswith("GET /v3/lists/{list_id}/contacts 200 OK: ")
    assert server.arrivals[0].path == "/v3/lists/7/contacts"
