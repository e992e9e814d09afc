"""Calling operations without a network: arguments made from signatures, replies made up."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import types
import typing
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import msgspec
from msgspec.structs import replace

from aioclicksend import MmsMessage, SmsMessage, VoiceMessage
from aioclicksend.hooks import Event
from aioclicksend.pages import Page, Pages
from aioclicksend.rest import Group, Operation
from aioclicksend.wire import Reply, Request

T = TypeVar("T")

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TEXT = "a/b +&=ü#%"
"""Needs quoting wherever it goes."""


class FakeSession:
    """Answers every call with one reply, and keeps the requests."""

    def __init__(self, document: object = None) -> None:
        self.requests: list[Request] = []
        self.body = json.dumps(document).encode()

    async def turn(self, operation: str) -> None:
        """Let a request start at once."""

    def emit(self, event: Event) -> None:
        """Observe nothing."""

    def url(self, path: str) -> str:
        return f"https://api.test{path}"

    async def exchange(self, request: Request, decode: Callable[[Reply], T]) -> T:
        self.requests.append(request)
        return decode(Reply(200, {}, self.body))

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        return asyncio.create_task(work)


def run(work: Awaitable[T]) -> T:
    """Run what never waits, without an event loop."""
    try:
        next(work.__await__())
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("it waits for something")


def call(operation: Operation, session: FakeSession, arguments: Mapping[str, Any]) -> Any:
    """Call an operation as a user would; of a walk, return its second page."""
    group, name = operation.name.split(".")
    kind: type[Group] = getattr(sys.modules[operation.stub.__module__], group)
    result = getattr(kind(session), name)(**arguments)
    return run(result.page(2) if isinstance(result, Pages) else result)


def result_of(operation: Operation, document: object) -> Any:
    """Return what an operation makes of a reply, for a walk the items of a page."""
    result = call(operation, FakeSession(document), everything(operation))
    return result.items if isinstance(result, Page) else result


def everything(operation: Operation) -> dict[str, Any]:
    """Return a value for each parameter of an operation."""
    hints = typing.get_type_hints(operation.stub)
    names = list(inspect.signature(operation.stub).parameters)[1:]
    return {name: example(hints[name]) for name in names}


def example(hint: Any) -> Any:
    """Return a value of a type, a struct with all its fields."""
    if hint in _EXAMPLES:
        return _EXAMPLES[hint]
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return inner[0]
    if origin in (typing.Union, types.UnionType):
        special = next(
            (_EXAMPLES[it] for it in inner if it in _EXAMPLES and it not in _PLAIN), None
        )
        return special or example(inner[0])
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        hints = typing.get_type_hints(hint)
        return hint(**{name: example(hints[name]) for name in hint.__struct_fields__})
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"first_name": TEXT}
    return [example(inner[0])]


_PLAIN = {str, int, bool}
_MESSAGE: dict[str, Any] = {
    "to": "+61411111111",
    "body": TEXT,
    "source": TEXT,
    "schedule": AT,
    "custom_string": TEXT,
    "country": "AU",
}
_SMS = SmsMessage(
    **_MESSAGE,
    from_=TEXT,
    from_email=TEXT,
    contact_id=7,
    exclude_no_sender_id_recipients=True,
    show_summary=True,
)
_MMS = MmsMessage(
    **_MESSAGE, subject=TEXT, media_file="https://a.test/b.jpg", from_=TEXT, from_email=TEXT
)
_VOICE = VoiceMessage(
    **_MESSAGE, voice="male", lang="en-au", require_input=1, machine_detection=1, from_=TEXT
)
_EXAMPLES: dict[Any, Any] = {
    str: TEXT,
    int: 7,
    bool: True,
    datetime: AT,
    bytes: b"%PDF-1",
    SmsMessage: [_SMS, replace(_SMS, to=None, list_id=7)],
    MmsMessage: [_MMS, replace(_MMS, to=None, list_id=7)],
    VoiceMessage: [_VOICE, replace(_VOICE, to=None, list_id=7)],
}
