"""Observing a client: the events of a call, and the callables that receive them.

::

    before_request ─▶ after_reply ─▶ on_retry ─▶ before_request ─▶ … ─▶ on_end
         (1)              (1)                        (2)               once per call

No event holds a header, a body, a number, a query or a word of the server's free text, so that
everything in them can go to a log or a metrics system as it is.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Literal, TypeAlias

from msgspec import Struct

from .errors import ConfigurationError

log: logging.Logger = logging.getLogger("aioclicksend")

CallOutcome: TypeAlias = Literal["ok", "refused", "not_sent", "unknown", "cancelled"]
"""How a call ended: with its result, with a `ReplyError`, a `NotSentError`, an
`UnknownOutcomeError`, or because its task was cancelled."""


class RequestEvent(Struct, frozen=True):
    """A request is about to be sent."""

    id: str
    """The call it belongs to; the same in all events of a call."""
    operation: str
    """Method and path template, e.g. ``POST /v3/sms/send``."""
    attempt: int
    """From 1."""
    waited: float = 0.0
    """Seconds for which the pace, or a pause, held it back."""


class ReplyEvent(Struct, frozen=True):
    """A reply was read."""

    id: str
    operation: str
    attempt: int
    status: int
    seconds: float
    """From the first byte sent to the last byte read."""


class RetryEvent(Struct, frozen=True):
    """An attempt failed, and the call will be tried again after `delay` seconds."""

    id: str
    operation: str
    attempt: int
    reason: str
    delay: float


class HoldEvent(Struct, frozen=True):
    """The server asked for a pause: calls wait for `seconds`."""

    id: str
    operation: str
    seconds: float
    everything: bool
    """Whether all calls of the client wait, or only those of this operation."""


class EndEvent(Struct, frozen=True):
    """A call ended, in whatever way; there is exactly one for each call."""

    id: str
    operation: str
    attempts: int
    """Attempts made, 0 if it ended while it waited for its turn."""
    seconds: float
    """From the call to its end, waits included."""
    status: int | None
    """HTTP status of the last reply, None if none came."""
    response_code: str | None
    """The API's code for an error, e.g. ``BAD_REQUEST``; None for any other end."""
    outcome: CallOutcome


class BatchEvent(Struct, frozen=True):
    """One request of a bulk sender was settled."""

    size: int
    """Messages in it."""
    attempt: int
    """From 1; more for messages that were sent again."""
    accepted: int
    rejected: int
    not_sent: int
    unknown: int
    """Messages in doubt, which the history may still settle."""
    seconds: float
    """From the batch being taken by a lane to its verdict."""


Event: TypeAlias = RequestEvent | ReplyEvent | RetryEvent | HoldEvent | EndEvent | BatchEvent


class Hooks(Struct, frozen=True):
    """Plain functions that observe a client; they run in its event loop and must not block.

    What a hook raises is logged by its class and changes nothing.

    Raises:
        ConfigurationError: a hook cannot be called, or is a coroutine function.

    """

    before_request: Callable[[RequestEvent], object] | None = None
    after_reply: Callable[[ReplyEvent], object] | None = None
    on_retry: Callable[[RetryEvent], object] | None = None
    on_hold: Callable[[HoldEvent], object] | None = None
    on_end: Callable[[EndEvent], object] | None = None
    on_batch: Callable[[BatchEvent], object] | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            hook = getattr(self, name)
            # An async hook would return a coroutine that is never awaited.
            if hook is not None and (not callable(hook) or inspect.iscoroutinefunction(hook)):
                raise ConfigurationError(f"Hooks: {name} must be a plain function, not async")

    def emit(self, event: Event) -> None:
        """Pass an event to the hook for its kind, if there is one."""
        name = _HOOK_FOR[type(event)]
        hook = getattr(self, name)
        if hook is None:
            return
        try:
            hook(event)
        except Exception as error:
            # Its class only: the text, and the hook's repr, may hold what no log may.
            log.warning("hook %s failed: %s", name, type(error).__name__)


_HOOK_FOR: dict[type, str] = {
    RequestEvent: "before_request",
    ReplyEvent: "after_reply",
    RetryEvent: "on_retry",
    HoldEvent: "on_hold",
    EndEvent: "on_end",
    BatchEvent: "on_batch",
}
