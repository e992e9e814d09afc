"""Walking the paged lists of the API.

::

    page 1 ─▶ reveals how many there are ─▶ 2, 3, 4, … in flight, at most `prefetch` ahead
                                              │ in order
                                              ▼
                              async for item ─ break: what is in flight is cancelled

Pages in flight are tasks of the client's session, cancelled as soon as their walk is dropped, so
that ``break`` leaves nothing behind. Pages are requested by number: ``next_page_url`` names another
host.

Invariants: items come in the server's order; a walk ends even if the server has no end, since pages
that only repeat earlier ones stop it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, Generic, Protocol, TypeAlias, TypeVar
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from .errors import ClientClosedError
from .models.base import number, rows_of

T = TypeVar("T")

_REPEATS = 3
"""Pages in a row that repeat an earlier one before a walk ends. One can be caused by rows that
shifted meanwhile; a server that repeats more would never stop."""


class _Start(Protocol):
    """Runs a coroutine in the background and keeps hold of it."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> asyncio.Task[T]: ...


class Page(Struct, Generic[T], kw_only=True):
    """One page of a list."""

    items: list[T]
    number: int
    """Its own number, from 1."""
    total: int | None
    """Items in all, if the server says."""
    last: int | None
    """Number of the last page, if the server says; 0 for an empty list."""
    raw: Any
    """The rows as they came."""

    def __repr__(self) -> str:
        return (
            f"Page(number={self.number}, items=<{len(self.items)}>, total={self.total}, "
            f"last={self.last})"
        )

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return what may be shown; rich would show a Struct whole."""
        return [("number", self.number), ("total", self.total), ("last", self.last)]

    @classmethod
    def of(cls, data: Any, page: int, read: Callable[[Any], T], rows_in: str = "data") -> Page[T]:
        """Return the page in a reply's ``data``, in any of the shapes the API has for it."""
        if isinstance(data, list) and len(data) == 1 and "data" in _mapping(data[0]):
            data = data[0]  # v6 shows the pager of templates wrapped in a list
        pager = _mapping(data)
        rows = data if isinstance(data, list) else rows_of(pager.get(rows_in))
        # One example spells the field "totlal".
        total = number(pager.get("total", pager.get("totlal")))
        return cls(
            items=[read(row) for row in rows],
            number=page,
            total=total,
            # A bare list is all there is.
            last=page if isinstance(data, list) else number(pager.get("last_page")),
            raw=rows,
        )

    def ends(self, seen: int) -> bool:
        """Whether nothing follows, `seen` being the items up to and with this page."""
        if not self.items:
            return True
        if self.last is not None:
            return self.number >= self.last
        return self.total is not None and seen >= self.total


class Pages(Generic[T]):
    """A list that is fetched as it is read: ``async for item in pages``.

    Every ``async for`` starts again from the first page.
    """

    def __init__(
        self, fetch: Callable[[int], Awaitable[Page[T]]], start: _Start, *, prefetch: int
    ) -> None:
        self._fetch = fetch
        self._start = start
        self._prefetch = prefetch

    def __aiter__(self) -> AsyncIterator[T]:
        return _Items(self._walk())

    def by_page(self) -> Walk[T]:
        """Walk page by page."""
        return self._walk()

    async def page(self, number: int) -> Page[T]:
        """Return one page, from 1."""
        if number < 1:
            raise ValueError("pages are numbered from 1")
        return await self._fetch(number)

    async def collect(self, limit: int | None = None) -> list[T]:
        """Return all items, or the first `limit`, as a list."""
        items: list[T] = []
        if limit is not None and limit <= 0:
            return items
        async for page in self.by_page():
            items += page.items
            if limit is not None and len(items) >= limit:
                return items[:limit]
        return items

    def _walk(self) -> Walk[T]:
        return Walk(self._fetch, self._start, self._prefetch)


Ask: TypeAlias = Callable[[int, Mapping[str, str]], Awaitable[tuple[Page[T], Mapping[str, str]]]]
"""Fetches a page by its number and the query that leads to it; also returns that of the next."""


class LinkedPages(Pages[T]):
    """A list whose pages are not numbered, but link to the next.

    `page` reads all pages before the one it is asked for.
    """

    def __init__(self, ask: Ask[T], start: _Start, *, prefetch: int) -> None:
        super().__init__(self._page, start, prefetch=prefetch)
        self._ask = ask

    def _walk(self) -> Walk[T]:
        return Walk(_Chain(self._ask), self._start, self._prefetch)

    async def _page(self, number: int) -> Page[T]:
        chain = _Chain(self._ask)
        for before in range(1, number):
            await chain(before)
        return await chain(number)


class _Chain(Generic[T]):
    """Fetches the pages of one walk, each by the link of the one before."""

    def __init__(self, ask: Ask[T]) -> None:
        self._ask = ask
        self._link: Mapping[str, str] = {}
        self._turn = asyncio.Lock()

    async def __call__(self, number: int) -> Page[T]:
        async with self._turn:  # asyncio's locks are fair: pages are fetched in their order
            if number > 1 and not self._link:
                # An earlier page had no link: the tasks that were started ahead end here without a
                # request.
                return Page(items=[], number=number, total=None, last=number - 1, raw=[])
            page, self._link = await self._ask(number, self._link)
        if page.last is None and not self._link:
            page.last = number
        return page


def link_to_next(data: Any) -> dict[str, str]:
    """Return the query of the next page, empty if there is none.

    Of its address only the query counts: the API gives other hosts and other versions in it, bare
    paths, and cursors with an unquoted ``#``.
    """
    pager = _mapping(data)
    pagination = _mapping(_mapping(pager.get("_metadata")).get("pagination"))
    link = pager.get("next_page_url") or pagination.get("next")
    if not link or not isinstance(link, str):
        return {}
    _, is_address, query = link.partition("?")
    if not is_address:
        return {"offset": link}
    pairs = (pair.partition("=") for pair in query.split("&"))
    return {unquote(name): unquote(value) for name, _, value in pairs if name}


class Walk(Generic[T]):
    """The pages of one walk in order, with the next ones in flight."""

    def __init__(
        self, fetch: Callable[[int], Awaitable[Page[T]]], start: _Start, prefetch: int
    ) -> None:
        self._fetch = fetch
        self._start = start
        self._prefetch = prefetch
        self._ahead: deque[asyncio.Task[Page[T]]] = deque()
        self._next = 1
        self._seen = 0
        self._before: Page[T] | None = None
        self._digests: set[int] = set()
        self._ended = False

    def __aiter__(self) -> Walk[T]:
        return self

    async def __anext__(self) -> Page[T]:
        if self._ended:
            raise StopAsyncIteration
        try:
            page = await self._following()
        except BaseException:
            await self.aclose()
            raise
        if page is None:
            await self.aclose()
            raise StopAsyncIteration
        return page

    async def aclose(self) -> None:
        """End the walk and cancel what it has in flight; dropping the walk does the same."""
        self._ended = True
        ahead, self._ahead = self._ahead, deque()
        for task in ahead:
            task.cancel()
        if ahead:
            await asyncio.wait(ahead)

    def __del__(self) -> None:
        # Dropped without `aclose`, as by a `break`: what is under way would be read for no one.
        for task in self._ahead:
            if not task.done() and not task.get_loop().is_closed():
                task.cancel()

    async def _following(self) -> Page[T] | None:
        """Return the next page with something new, None at the end."""
        # Rows that arrive during a walk push others to the next page, so a page can come twice; a
        # server that ignores `page` sends the first one for ever. Both look alike: pages without
        # news are skipped, a few in a row end the walk.
        for _ in range(_REPEATS):
            page = await self._next_page()
            if page is None or not page.items:
                return None
            self._before = page
            self._seen += len(page.items)
            if self._is_new(page):
                return page
        return None

    async def _next_page(self) -> Page[T] | None:
        before = self._before
        if before is None:
            self._next = 2
            return await self._fetch(1)  # alone, as it reveals how many there are
        if before.ends(self._seen):
            return None
        self._look_ahead(before)
        task = self._ahead[0]
        try:
            page = await asyncio.shield(task)  # cancelled with the walk, not with one wait
        except asyncio.CancelledError:
            # Our own task was not asked to stop, so the page's was: by the end of its session.
            if task.cancelled() and not _is_cancelled():
                raise ClientClosedError("the client was closed during this walk") from None
            raise
        self._ahead.popleft()
        return page

    def _is_new(self, page: Page[T]) -> bool:
        # By content: not every row has an id, and a walk of a million rows cannot keep them all.
        digest = hash(msgspec.json.encode(page.raw))
        known = digest in self._digests
        self._digests.add(digest)
        return not known

    def _look_ahead(self, page: Page[T]) -> None:
        last = self._next
        if page.last is not None:
            last = page.last
        elif page.total is not None:
            # Rounded up; by what is left, as the size of a page is the server's to choose.
            last = page.number + -(-(page.total - self._seen) // len(page.items))
        while len(self._ahead) < self._prefetch and (self._next <= last or not self._ahead):
            self._ahead.append(self._start(_fetched(self._fetch, self._next)))
            self._next += 1


class _Items(Generic[T]):
    """The items of a walk."""

    def __init__(self, walk: Walk[T]) -> None:
        self._walk = walk
        self._items: deque[T] = deque()

    def __aiter__(self) -> _Items[T]:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            self._items.extend((await self._walk.__anext__()).items)
        return self._items.popleft()

    async def aclose(self) -> None:
        """End the walk."""
        self._items.clear()
        await self._walk.aclose()


async def _fetched(fetch: Callable[[int], Awaitable[Page[T]]], number: int) -> Page[T]:
    # Called only once its task runs: a task cancelled before that leaves no coroutine behind.
    return await fetch(number)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
