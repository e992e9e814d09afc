"""What can go wrong on the wire, and which request it happens to."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from .calls import as_object
from .replies import JSON_TYPE, Reply, envelope, html, too_many_requests


class Fault(StrEnum):
    """Every way a request can go wrong.

    Before and after say whether the request had its effect: after `error-before` nothing was
    accepted, after `error-after` everything was and only the verdict is lost. `row-status` puts
    another word on one row of the reply or on all, `odd-price` another price or, for None, none.
    """

    REFUSE_429 = "refuse-429"
    ERROR_BEFORE = "error-before"
    ERROR_AFTER = "error-after"
    RESET_BEFORE = "reset-before"
    RESET_AFTER = "reset-after"
    HALF_BODY = "half-body"
    HANG_BEFORE = "hang-before"
    HANG_AFTER = "hang-after"
    GARBAGE = "garbage"
    GARBAGE_BEFORE = "garbage-before"
    EMPTY = "empty"
    REDIRECT = "redirect"
    ENVELOPE_ERROR = "envelope-error"
    SLOW = "slow"
    SHUFFLE_ROWS = "shuffle-rows"
    MISSING_ROW = "missing-row"
    DUPLICATE_ROW = "duplicate-row"
    ODD_ROW = "odd-row"
    ROW_STATUS = "row-status"
    ODD_PRICE = "odd-price"
    STATUS = "status"


_OPTIONS: dict[Fault, dict[str, Any]] = {
    Fault.REFUSE_429: {"retry_after": 1},
    Fault.ERROR_BEFORE: {"status": 500, "html": False},
    Fault.ERROR_AFTER: {"status": 502, "html": True},
    Fault.REDIRECT: {"location": None},
    Fault.SLOW: {"delay": 0.05},
    Fault.MISSING_ROW: {"row": 0},
    Fault.DUPLICATE_ROW: {"row": 0},
    Fault.ODD_ROW: {"row": 0},
    Fault.ROW_STATUS: {"row": None, "status": "QUEUED"},
    Fault.ODD_PRICE: {"price": "-0.0770"},
    Fault.STATUS: {"status": 500, "body": None, "headers": None},
}


def is_seconds(value: Any) -> bool:
    """Tell whether a value is a time that can be waited."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9


def _is_header(value: Any) -> bool:
    # What aiohttp puts into a header line: it refuses line breaks, and closes the connection.
    return isinstance(value, str) and value.isprintable()


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


#: What the options take, by name.
_TAKES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "retry_after": (is_seconds, "seconds, 0 or more, or null"),
    "delay": (is_seconds, "seconds, 0 or more"),
    "status": (lambda value: _is_whole(value) and 200 <= value <= 599, "from 200 to 599"),
    "word": (lambda value: isinstance(value, str), "a text"),
    "html": (lambda value: isinstance(value, bool), "true or false"),
    "location": (_is_header, "an address or null"),
    "row": (_is_whole, "the place of a row, from 0"),
    "price": (lambda _value: True, "anything"),
    "body": (lambda value: isinstance(value, str | bytes | dict | list), "text or JSON"),
    "headers": (
        lambda value: isinstance(value, dict) and all(map(_is_header, (*value, *value.values()))),
        "an object of texts",
    ),
}

#: Faults that answer in place of the API: the request has no effect.
UNPROCESSED = frozenset(
    {
        Fault.REFUSE_429,
        Fault.ERROR_BEFORE,
        Fault.RESET_BEFORE,
        Fault.HANG_BEFORE,
        Fault.GARBAGE_BEFORE,
        Fault.REDIRECT,
        Fault.ENVELOPE_ERROR,
        Fault.STATUS,
    }
)
#: Faults that never answer.
HANGS = frozenset({Fault.HANG_BEFORE, Fault.HANG_AFTER})
#: Faults that end in a TCP reset.
RESETS = frozenset({Fault.RESET_BEFORE, Fault.RESET_AFTER})


@dataclass(slots=True)
class Arrival:
    """One request that reached the sandbox, also if it was refused or failed.

    `status` is 0 while, or when, no reply went out; `at` is monotonic, `date` unix time. The body
    of a request without a login is not kept.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    at: float
    status: int = 0
    date: float = field(default_factory=time.time)


@dataclass(slots=True)
class Failure:
    """A fault with the options it was armed with."""

    fault: Fault
    options: dict[str, Any]
    method: str | None = None
    path: str | None = None
    left: int = 1

    def view(self) -> dict[str, Any]:
        """Return the fault as JSON."""
        where = {"method": self.method, "path": self.path}
        return {"fault": self.fault.value, "times": self.left, **where, **self.options}

    def wants(self, arrival: Arrival) -> bool:
        """Tell whether this fault is meant for a request."""
        if self.method is not None and self.method.upper() != arrival.method:
            return False
        if self.path is None:
            return True
        path = arrival.path.removeprefix("/clicksend")
        if any(mark in self.path for mark in "*?["):
            return fnmatchcase(path, self.path)
        return self.path in path


Choice = Fault | tuple[Fault, Mapping[str, Any]] | None
Chooser = Callable[[Arrival], Choice]


@dataclass(slots=True)
class FaultPlan:
    """Faults waiting for their request, first armed first used."""

    armed: deque[Failure] = field(default_factory=deque[Failure])
    chooser: Chooser | None = None

    def arm(
        self,
        fault: Fault | str,
        times: int,
        method: str | None,
        path: str | None,
        options: Mapping[str, Any],
    ) -> None:
        """Line up a fault; an option it does not have is a TypeError."""
        fault = Fault(fault)
        self.armed.append(Failure(fault, _options(fault, options), method, path, times))

    def choose(self, arrival: Arrival) -> Failure | None:
        """Return the fault meant for a request and use it up."""
        for failure in self.armed:
            if failure.left > 0 and failure.wants(arrival):
                failure.left -= 1
                if not failure.left:
                    self.armed.remove(failure)
                return failure
        choice = self.chooser(arrival) if self.chooser else None
        if choice is None:
            return None
        fault, options = choice if isinstance(choice, tuple) else (choice, {})
        return Failure(fault, _options(fault, options))


def _options(fault: Fault, given: Mapping[str, Any]) -> dict[str, Any]:
    known = _OPTIONS.get(fault, {})
    for name, value in given.items():
        if name not in known:
            raise TypeError(f"fault {fault.value!r} has no option {name!r}")
        # Said to the one who arms it: later it would break the answer to another request.
        _check(fault, name, value, may_be_none=known[name] is None or name == "retry_after")
    return {**known, **given}


def _check(fault: Fault, name: str, value: Any, *, may_be_none: bool) -> None:
    if value is None and may_be_none:
        return
    # A word on a row, not an HTTP status.
    takes, what = _TAKES["word" if fault is Fault.ROW_STATUS and name == "status" else name]
    if not takes(value):
        raise ValueError(f"{name} of {fault.value!r} must be {what}")


def reply_instead(failure: Failure, arrival: Arrival) -> Reply:
    """Return what an unprocessed request is answered with."""
    options = failure.options
    match failure.fault:
        case Fault.REFUSE_429:
            return refuse_429(options["retry_after"])
        case Fault.ERROR_BEFORE:
            return _error(options)
        case Fault.GARBAGE_BEFORE:
            return html(200)
        case Fault.REDIRECT:
            location = options["location"] or f"/redirected{arrival.path}"
            return Reply(307, b"", headers={"Location": location})
        case Fault.ENVELOPE_ERROR:
            reply = envelope(500, "INTERNAL_SERVER_ERROR", "Something is wrong.", None)
            reply.status = 200
            return reply
        case _:
            return _canned(options)


def refuse_429(retry_after: float | None) -> Reply:
    """Return a live 429 with its headers; no Retry-After for None."""
    reply = too_many_requests()
    reply.headers = {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "0"}
    if retry_after is not None:
        reply.headers["Retry-After"] = f"{retry_after:g}"
        # Seconds, and without the x- of its siblings. [live notes] github.com/prayantr/clicksend
        reply.headers["ratelimit-reset"] = f"{retry_after:g}"
    return reply


def _error(options: Mapping[str, Any]) -> Reply:
    if options["html"]:
        return html(options["status"])
    return envelope(options["status"], "INTERNAL_SERVER_ERROR", "Something is wrong.", None)


def _canned(options: Mapping[str, Any]) -> Reply:
    body = options["body"]
    content = b"" if body is None else body.encode() if isinstance(body, str) else body
    kind = JSON_TYPE if isinstance(body, dict | list) else "text/plain"
    return Reply(options["status"], content, kind, dict(options["headers"] or {}))


def spoil(failure: Failure, reply: Reply) -> Reply:
    """Return what becomes of the reply to a request that had its effect."""
    match failure.fault:
        case Fault.ERROR_AFTER:
            return _error(failure.options)
        case Fault.GARBAGE:
            return html(200)
        case Fault.EMPTY:
            return Reply(200, b"")
        case Fault.ROW_STATUS:
            rows = _rows(reply.content) or []
            at = failure.options["row"]
            for row in rows if at is None else rows[at : at + 1]:
                row["status"] = failure.options["status"]
        case Fault.ODD_PRICE:
            _price(reply, failure.options["price"])
        case Fault.SHUFFLE_ROWS | Fault.MISSING_ROW | Fault.DUPLICATE_ROW | Fault.ODD_ROW:
            _disturb(failure, reply)
        case _:
            pass
    return reply


def _rows(content: Any) -> list[Any] | None:
    """Return the rows of a send or of a page."""
    data = as_object((as_object(content) or {}).get("data")) or {}
    return data.get("messages") or data.get("data")


def _price(reply: Reply, price: Any) -> None:
    """Put one price on every row and on the total; without a price there is none."""
    data = as_object((as_object(reply.content) or {}).get("data")) or {}
    named = [(data, "total_price"), *((row, "message_price") for row in _rows(reply.content) or [])]
    for place, name in named:
        place.pop(name, None)
        if price is not None:
            place[name] = price


def _disturb(failure: Failure, reply: Reply) -> None:
    rows = _rows(reply.content)
    if not rows:
        return
    at = failure.options.get("row", 0) % len(rows)
    match failure.fault:
        case Fault.SHUFFLE_ROWS:
            # By one place: no row stays where a client may have counted on it.
            rows.append(rows.pop(0))
        case Fault.MISSING_ROW:
            del rows[at]
        case Fault.DUPLICATE_ROW:
            rows.insert(at, rows[at])
        case _:
            rows[at] = _odd(rows[at])


def _odd(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with types that are not documented, but were seen in some version."""
    return {
        "status": row.get("status", "SUCCESS"),
        "to": row.get("to"),
        "body": row.get("body"),
        "from": None,
        "schedule": "",
        "date": str(row.get("date", "")),
        "message_id": None,
        "message_parts": "1.00",
        "message_price": float(row.get("message_price") or 0),
        "custom_string": row.get("custom_string"),
        "list_id": 0,
        "contact_id": "",
        "user_id": "104729",
        "is_shared_system_number": 0,
        "country": None,
        "unheard_of": {"nested": [1]},
    }


@dataclass(slots=True)
class RateWindow:
    """Refuse what arrives as one too many in any window, refused requests counted."""

    requests: int
    per: float
    _arrivals: deque[float] = field(default_factory=deque[float])

    def admit(self, at: float) -> float | None:
        """Return None if the request may pass, else the seconds until one more could."""
        arrivals = self._arrivals
        while arrivals and arrivals[0] <= at - self.per:
            arrivals.popleft()
        arrivals.append(at)
        if len(arrivals) <= self.requests:
            return None
        # One more may come when only `requests - 1` of those so far are left in the window.
        return arrivals[-self.requests] + self.per - at

    @property
    def remaining(self) -> int:
        """How many more may arrive at this moment."""
        return max(self.requests - len(self._arrivals), 0)


def monotonic() -> float:
    """Return the clock arrivals are stamped with."""
    return time.monotonic()
