"""Declaring operations: the signature is the declaration.

::

    @rest.get("/v3/lists/{list_id}")
    async def get(self, list_id: int) -> ContactList:
        '''Return one list.'''
        ...

A parameter named in the path fills its hole; a lone Struct is the JSON body; the rest is query for
GET and DELETE, JSON body otherwise. What is None is left out. A trailing underscore of a name is
not sent, and ``filter_x`` travels as ``filter[x]``: keywords and brackets bend. True and False
travel as 1 and 0 where the parameter is an int, else as JSON has them. What breaks this rule is a
plain method beside it, which calls `Group._call`.

`OPERATIONS` lists those whose module was imported; `aioclicksend.api.operations()` has all.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
import typing
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar

from msgspec import Struct

from . import wire
from .hooks import Event
from .models.base import Model, read, read_list, rows_of, text
from .pages import Ask, LinkedPages, Page, Pages, link_to_next
from .wire import Fence, Reply, Request, Wire

P = ParamSpec("P")
R = TypeVar("R")

_LOCAL = frozenset({"prefetch"})
"""Parameters of ours that the API does not know."""


class Operation(Struct, kw_only=True):
    """One method and path of the API, and the Python method that stands for it."""

    method: str
    path: str
    name: str
    """Class and method, e.g. ``SmsTemplates.get``."""
    stub: Callable[..., Any]
    repeatable: bool
    paged: bool

    @property
    def label(self) -> str:
        """Method and path template: how it is named in errors, logs and limits."""
        return f"{self.method} {self.path}"

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (self.stub.__doc__ or "").strip().partition("\n")[0]


OPERATIONS: dict[tuple[str, str], Operation] = {}
"""The operations declared so far, by method and path."""


class Caller(Protocol):
    """What groups need of a session."""

    def emit(self, event: Event) -> None:
        """Pass an event to the client's hooks."""
        ...

    def url(self, path: str) -> str:
        """Return the address of a path."""
        ...

    async def turn(self, operation: str) -> None:
        """Wait until the pace lets a request of this operation start."""
        ...

    async def exchange(self, request: Request, decode: Callable[[Reply], R]) -> R:
        """Send a request and decode its reply."""
        ...

    def start(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """Run a walk's page in the background."""
        ...


class Group:
    """Operations that belong together; it hangs on a client."""

    def __init__(self, session: Caller) -> None:
        self._session = session

    def _request(
        self,
        operation: Operation,
        *,
        path: str | None = None,
        query: str = "",
        body: bytes | None = None,
        refs: Sequence[str] = (),
        bare: bool = False,
        fence: Fence | None = None,
        wire: Wire | None = None,
    ) -> Request:
        """Return the request of an operation."""
        return Request(
            operation.label,
            operation.method,
            self._session.url(path or operation.path) + query,
            body,
            operation.repeatable,
            bare,
            refs,
            fence=fence,
            wire=wire,
        )

    async def _call(self, operation: Operation, *, decode: Callable[[Any], R], **parts: Any) -> R:
        """Send an operation and return what `decode` makes of its ``data``."""
        request = self._request(operation, **parts)

        def decoded(reply: Reply) -> R:
            return decode(wire.data_of(request, reply))

        return await self._session.exchange(request, decoded)


def operation(
    method: str, path: str, *, repeatable: bool | None = None
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Declare a call; `repeatable` where a verb other than GET has no effect."""

    def declare(stub: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        entry = register(method, path, stub, repeatable=repeatable)
        bind = _binder(entry)

        # The stub's own signature stays visible, so that type checkers and editors know every
        # argument though the stub itself is never run.
        @functools.wraps(stub)
        async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            url_path, query, body = bind(self, args, kwargs)
            decode = _reader(stub)
            return await self._call(
                entry, path=url_path, query=query, body=body, decode=decode, bare=decode is _nothing
            )

        return typing.cast("Callable[P, Coroutine[Any, Any, R]]", call)

    return declare


class Verb(Protocol):
    """`operation` with its method given."""

    def __call__(
        self, path: str, *, repeatable: bool | None = None
    ) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Callable[P, Coroutine[Any, Any, R]]]:
        """Declare a call by this method."""
        ...


get: Verb = functools.partial(operation, "GET")
post: Verb = functools.partial(operation, "POST")
put: Verb = functools.partial(operation, "PUT")
patch: Verb = functools.partial(operation, "PATCH")
delete: Verb = functools.partial(operation, "DELETE")


def pages(path: str) -> Callable[[Callable[P, Pages[R]]], Callable[P, Pages[R]]]:
    """Declare a walk over a paged list; its stub takes `limit` and `prefetch` among the rest."""

    def numbered(ask: Ask[Any], start: Any, *, prefetch: int) -> Pages[Any]:
        async def fetch(number: int) -> Page[Any]:
            page, _ = await ask(number, {"page": str(number)})
            return page

        return Pages(fetch, start, prefetch=prefetch)

    return _walk(path, numbered)


def linked_pages(
    path: str, *, rows_in: str = "data", limit: str = "limit"
) -> Callable[[Callable[P, Pages[R]]], Callable[P, Pages[R]]]:
    """Declare a walk over a list whose pages link to the next.

    Args:
        path: as for every operation.
        rows_in: the name under which a page has its rows.
        limit: the API's name for `limit`.

    """
    return _walk(path, LinkedPages, rows_in=rows_in, limit=limit)


def _walk(
    path: str, make: Callable[..., Pages[Any]], *, rows_in: str = "data", limit: str = "limit"
) -> Callable[[Callable[P, Pages[R]]], Callable[P, Pages[R]]]:
    def declare(stub: Callable[P, Pages[R]]) -> Callable[P, Pages[R]]:
        entry = register("GET", path, stub, paged=True)
        bind = _binder(entry, limit=limit)

        @functools.wraps(stub)
        def walk(self: Any, *args: Any, **kwargs: Any) -> Any:
            # Before the first page: a walk is often made in one place and read in another.
            values = _arguments(entry.stub, (self, *args), kwargs)
            check_walk(values.get("limit", 1), values["prefetch"])
            kind = _item_of(stub)

            def ask(number: int, link: Mapping[str, str]) -> Awaitable[Any]:
                url_path, query, _ = bind(self, args, kwargs, link)

                def decode(data: Any) -> tuple[Page[Any], Mapping[str, str]]:
                    page = Page.of(data, number, lambda row: read(kind, row), rows_in)
                    return page, link_to_next(data)

                return self._call(  # type: ignore[no-any-return]
                    entry, path=url_path, query=query, decode=decode
                )

            return make(ask, self._session.start, prefetch=values["prefetch"])

        return typing.cast("Callable[P, Pages[R]]", walk)

    return declare


def register(
    method: str,
    path: str,
    stub: Callable[..., Any],
    *,
    repeatable: bool | None = None,
    paged: bool = False,
) -> Operation:
    """Enter an operation into `OPERATIONS`.

    Raises:
        TypeError: a hole of the path has no parameter, or the operation is declared twice.

    """
    # At import: a hole that nothing fills would be sent as it stands, `{list_id}` and all.
    missing = set(_holes(path)) - set(_parameters(stub))
    if missing:
        raise TypeError(f"{stub.__qualname__}: no parameter for {', '.join(missing)} of {path}")
    if (method, path) in OPERATIONS:
        raise TypeError(f"{method} {path} is declared twice")
    entry = Operation(
        method=method,
        path=path,
        name=stub.__qualname__,
        stub=stub,
        repeatable=method == "GET" if repeatable is None else repeatable,
        paged=paged,
    )
    OPERATIONS[method, path] = entry
    return entry


def check_walk(limit: int, prefetch: int) -> None:
    """Check the two numbers every walk takes.

    Raises:
        ValueError: one of them is below 1.

    """
    if limit < 1 or prefetch < 1:
        raise ValueError("limit and prefetch must be at least 1")


def _binder(
    entry: Operation, *, limit: str = "limit"
) -> Callable[..., tuple[str, str, bytes | None]]:
    """Return what turns the arguments of a call into path, query and body."""
    holes = _holes(entry.path)
    in_query = entry.method in ("GET", "DELETE")

    def bind(
        self: object,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        more: Mapping[str, object] | None = None,
    ) -> tuple[str, str, bytes | None]:
        values = _arguments(entry.stub, (self, *args), kwargs)
        path = wire.path_for(entry.path, {name: values.pop(name) for name in holes})
        given = {
            limit if name == "limit" else _wire_name(name): value
            for name, value in values.items()
            if value is not None and name not in _LOCAL
        }
        for name, value in given.items():
            if isinstance(value, bool) and name in _counted(entry.stub):
                given[name] = int(value)
            elif isinstance(value, bool) and in_query:
                given[name] = "true" if value else "false"
        if in_query:
            return path, wire.query_for({**(more or {}), **given}), None
        if len(given) == 1 and isinstance(lone := next(iter(given.values())), Struct):
            return path, "", wire.body_for(lone)
        return path, "", wire.body_for(given) if given else None

    return bind


def _arguments(
    stub: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    bound = _signature(stub).bind(*args, **kwargs)
    bound.apply_defaults()
    values = dict(bound.arguments)
    del values["self"]
    return values


_signature = functools.cache(inspect.signature)


@functools.cache
def _counted(stub: Callable[..., Any]) -> frozenset[str]:
    """Return the names of the parameters that are ints, in which the API has 1 and 0 for a bool."""
    hints = _hints(stub).items()
    return frozenset(_wire_name(name) for name, hint in hints if _allows(hint, int))


def _allows(hint: Any, kind: type) -> bool:
    return hint is kind or kind in typing.get_args(hint)


def _wire_name(name: str) -> str:
    # As v6 spells the filters of own numbers and of sender types; no keyword can hold a bracket.
    if name.startswith("filter_"):
        return f"filter[{name.removeprefix('filter_')}]"
    return name.rstrip("_")


def _holes(path: str) -> list[str]:
    return re.findall(r"{(\w+)}", path)


def _parameters(stub: Callable[..., Any]) -> tuple[str, ...]:
    code = stub.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


@functools.cache
def _reader(stub: Callable[..., Any]) -> Callable[[Any], Any]:
    """Return what turns ``data`` into the type a stub is declared to return."""
    kind = _hints(stub)["return"]
    if kind is type(None):
        return _nothing
    # Time zones and the like: bare texts, which no model describes.
    if kind == list[str]:
        return lambda data: [text(item) or "" for item in rows_of(data)]
    if typing.get_origin(kind) is list:
        (item,) = typing.get_args(kind)
        return lambda data: read_list(item, data)
    if isinstance(kind, type) and issubclass(kind, Model):
        return lambda data: read(kind, data)
    return lambda data: data


def _nothing(_data: object) -> None:
    """Decode the reply of an operation that returns nothing: null, [], {} and true mean success."""


def _item_of(stub: Callable[..., Any]) -> type[Model]:
    (kind,) = typing.get_args(_hints(stub)["return"])
    return kind  # type: ignore[no-any-return]


_hints = functools.cache(typing.get_type_hints)
