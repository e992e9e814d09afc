"""Lists that are no ordinary pages: cursors, links to other hosts, pagers without an envelope."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from aioclicksend.api.campaigns import MmsCampaigns
from aioclicksend.api.numbers import AlphaTags, DefaultSenders, Numbers, OwnNumbers
from aioclicksend.api.reports import ShortUrls
from aioclicksend.pages import Pages

from .calls import FakeSession


class Scripted(FakeSession):
    """Answers with one document after another, the last again and again."""

    def __init__(self, *documents: object) -> None:
        super().__init__()
        self.documents = list(documents)

    async def exchange(self, request: Any, decode: Callable[[Any], Any]) -> Any:
        await asyncio.sleep(0)
        self.body = json.dumps(self.documents[0]).encode()
        if len(self.documents) > 1:
            del self.documents[0]
        return await super().exchange(request, decode)

    @property
    def queries(self) -> list[dict[str, str]]:
        parts = [urlsplit(it.url) for it in self.requests]
        assert {it.netloc for it in parts} == {"api.test"}
        return [{name: it[0] for name, it in parse_qs(part.query).items()} for part in parts]


def own_numbers(*labels: str, link: str | None) -> dict[str, Any]:
    rows = [{"id": it, "label": it} for it in labels]
    pagination = {"self": "x", "next": link, "page_size": 2}
    return {"own_numbers": rows, "_metadata": {"pagination": pagination}}


THREE = (
    own_numbers(
        "a", "b", link="https://api.clicksend.com/v4/own-numbers?page_size=2&offset=u#1%2B"
    ),
    own_numbers("c", "d", link="/?offset=2"),
    own_numbers("e", link=None),
)


async def test_a_cursor_is_taken_from_the_link_and_the_host_is_not() -> None:
    session = Scripted(*THREE)
    numbers = OwnNumbers(session).walk(filter_status=["PENDING", "APPROVED"], sort_direction="asc")
    assert [it.label async for it in numbers] == ["a", "b", "c", "d", "e"]
    first, second, third = session.queries
    assert first == {
        "filter[status][0]": "PENDING",
        "filter[status][1]": "APPROVED",
        "sort_direction": "asc",
        "page_size": "500",
    }
    assert second == {**first, "offset": "u#1+"}
    assert third == {**first, "offset": "2"}


async def test_a_page_is_reached_through_those_before_it() -> None:
    session = Scripted(*THREE)
    page = await OwnNumbers(session).walk(limit=2).page(3)
    assert [it.label for it in page.items] == ["e"]
    assert (page.number, page.last) == (3, 3)
    assert len(session.requests) == 3
    beyond = await OwnNumbers(Scripted(*THREE)).walk().page(5)
    assert (beyond.items, beyond.last) == ([], 4)


async def test_every_walk_starts_at_the_first_page() -> None:
    session = Scripted(*THREE, *THREE)
    numbers = OwnNumbers(session).walk()
    assert len(await numbers.collect()) == len(await numbers.collect()) == 5
    assert "offset" not in session.queries[3]


async def test_a_server_that_always_names_a_next_page_ends_the_walk() -> None:
    session = Scripted(own_numbers("a", link="?offset=1"))
    assert len(await OwnNumbers(session).walk().collect()) == 1
    assert len(session.requests) < 6


async def test_leaving_a_walk_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    async for _ in OwnNumbers(Scripted(*THREE)).walk(prefetch=4):
        break
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    ("pages", "documents", "cursors"),
    [
        (
            lambda it: AlphaTags(it).walk(),
            [
                {"alpha_tags": [{"id": "1"}], "_metadata": {"pagination": {"next": "bare-cursor"}}},
                {"alpha_tags": [{"id": "2"}], "_metadata": {"pagination": {"next": ""}}},
            ],
            [None, "bare-cursor"],
        ),
        (
            lambda it: DefaultSenders(it).walk(),
            [
                {
                    "http_code": 200,
                    "data": {
                        "data": [{"id": "1"}],
                        "next_page_url": "https://api.clicksend.com/v4/sender_assignment_settings"
                        "?per_page=500&offset=7",
                    },
                },
                {"http_code": 200, "data": {"data": [{"id": "2"}], "next_page_url": None}},
            ],
            [None, "7"],
        ),
        (
            lambda it: ShortUrls(it).tracking("L1"),
            [
                {"total": 2, "data": [{"open_count": 1}], "next_page_url": "/x?offset=a%3D%3D"},
                {"total": 2, "data": [{"open_count": 2}], "next_page_url": ""},
            ],
            [None, "a=="],
        ),
    ],
)
async def test_each_kind_of_link_is_followed(
    pages: Callable[[FakeSession], Pages[Any]], documents: list[Any], cursors: list[str | None]
) -> None:
    session = Scripted(*documents)
    assert len(await pages(session).collect()) == 2
    assert [it.get("offset") for it in session.queries] == cursors


async def test_a_pager_without_an_envelope_is_walked_by_number() -> None:
    rows = [{"mms_campaign_id": number} for number in (1, 2)]
    link = "https://elsewhere.test/?page=9"
    session = Scripted(
        {"total": 2, "last_page": 2, "next_page_url": link, "data": rows[:1]},
        {"total": 2, "last_page": 2, "next_page_url": None, "data": rows[1:]},
    )
    campaigns = MmsCampaigns(session).walk(limit=1)
    assert [it.mms_campaign_id async for it in campaigns] == [1, 2]
    assert [it["page"] for it in session.queries] == ["1", "2"]


async def test_an_account_without_numbers_has_no_rows_at_all() -> None:
    session = Scripted({"http_code": 200, "data": {"total": 0, "last_page": 0}})
    assert await Numbers(session).walk().collect() == []
