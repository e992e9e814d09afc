"""Pushes of automation rules: the requests ClickSend makes to an application's webhook.

    rule with action URL ─┐
    receipt or reply ─────┴─ Push ── lane of its address ── attempt ── 200: delivered
                                          ▲                    └ else: again after `backoff`
                                          └────────────────────────┘   up to `attempts`

Every address has its own lane, so an application that hangs delays no other. Within a
lane pushes go out one after the other in the order in which they became due. Only loopback
addresses are called unless the sandbox was started to call any.

No real push has ever been published: the fields are those of ClickSend's documentation and help.
"""

from __future__ import annotations

import asyncio
import heapq
import ipaddress
import itertools
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import aiohttp

from .records import Record
from .state import USER_ID

Format = Literal["form", "query", "json"]
_FORMATS: dict[str, Format] = {"post": "form", "get": "query", "json": "json"}
_KEPT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PushBehaviour:
    """How pushes travel. Times are seconds."""

    attempts: int = 10
    """How often a push is tried until the application answers 200."""
    backoff: float = 60.0
    """Seconds between attempts."""
    timeout: float = 15.0
    """Seconds an application may take to answer."""
    delay: float = 0.0
    """Seconds before the first attempt."""
    repeat: int = 1
    """How often each push is sent although it was answered with 200."""
    disorder: bool = False
    """Of the pushes that wait for one address, the latest goes first."""
    receipt_format: Format = "form"
    """How receipts are encoded. ClickSend documents forms only; an inbound rule names its own."""

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.repeat < 1:
            raise ValueError("attempts and repeat must be 1 or more")
        if min(self.backoff, self.delay) < 0 or self.timeout <= 0:
            raise ValueError("backoff and delay must be 0 or more, timeout more than 0")
        if self.receipt_format not in {"form", "query", "json"}:
            raise ValueError("receipt_format must be form, query or json")


#: What a sandbox does unless it is asked otherwise.
DEFAULT = PushBehaviour()


@dataclass(slots=True)
class Push:
    """One push and what became of it; `attempts` holds the status of each, or the error."""

    id: int
    kind: Literal["inbound", "receipt"]
    url: str
    format: Format
    fields: Mapping[str, Any]
    state: Literal["waiting", "delivered", "failed", "refused"] = "waiting"
    attempts: list[int | str] = field(default_factory=list[int | str])
    created_at: float = field(default_factory=time.time)
    _left: int = 1

    def view(self) -> dict[str, Any]:
        """Return the push as JSON."""
        return {
            "id": self.id,
            "kind": self.kind,
            "url": self.url,
            "format": self.format,
            "fields": dict(self.fields),
            "state": self.state,
            "attempts": list(self.attempts),
            "created_at": self.created_at,
        }


class Pusher:
    """Sends pushes while the sandbox runs. Pushes may be added from any thread."""

    def __init__(
        self, behaviour: PushBehaviour, changed: Callable[[Push], None], *, anywhere: bool
    ) -> None:
        self.behaviour = behaviour
        self.pushes: deque[Push] = deque(maxlen=_KEPT)
        self._changed = changed
        self._anywhere = anywhere
        self._ids = itertools.count(1)
        self._lanes: dict[str, _Lane] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._http: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Begin to send."""
        self._loop = asyncio.get_running_loop()
        # Without trust_env: a proxy of the environment has nothing to do with loopback.
        self._http = aiohttp.ClientSession()

    async def stop(self) -> None:
        """Stop sending; what waits stays waiting."""
        self._loop = None
        tasks = [lane.task for lane in self._lanes.values()]
        self._lanes.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    def forget(self) -> None:
        """Drop every push, also those that wait."""
        self.pushes.clear()
        for lane in self._lanes.values():
            lane.waiting.clear()

    def add(
        self, kind: Literal["inbound", "receipt"], url: str, webhook_type: str | None, row: Record
    ) -> None:
        """Send a receipt or an inbound message to an address."""
        if kind == "receipt":
            form, fields = self.behaviour.receipt_format, receipt_fields(row)
        else:
            form = _FORMATS[webhook_type or "post"]
            fields = inbound_fields(row, as_json=form == "json")
        push = Push(next(self._ids), kind, url, form, fields, _left=self.behaviour.repeat)
        self.pushes.append(push)
        # Decided when it is made: pushes are shown with their reason, and a rule may be mended.
        if not may_call(url, anywhere=self._anywhere):
            push.state = "refused"
            push.attempts.append("the address is not loopback: see --push-anywhere")
        elif self._loop is not None:
            # Tests deliver from the thread of a synchronous client.
            self._loop.call_soon_threadsafe(self._enqueue, push)
        self._changed(push)

    def _enqueue(self, push: Push) -> None:
        if self._loop is None:
            return
        lane = self._lanes.get(push.url)
        if lane is None:
            lane = self._lanes[push.url] = _Lane()
            lane.task = self._loop.create_task(self._run(lane))
        lane.put(push, self._loop.time() + self.behaviour.delay)

    async def _run(self, lane: _Lane) -> None:
        while True:
            await lane.due()
            push = lane.take(latest_first=self.behaviour.disorder)
            status = await self._post(push)
            push.attempts.append(status)
            # Counted from the answer: an application that hangs is not called at once again.
            again = asyncio.get_running_loop().time()
            # [docs] help.clicksend.com: what is not answered with 200 is sent again.
            if status != 200:
                push.state = "failed"
                if len(push.attempts) < self.behaviour.attempts:
                    push.state = "waiting"
                    lane.put(push, again + self.behaviour.backoff)
            else:
                push.state = "delivered"
                push._left -= 1  # noqa: SLF001 - a push is this module's own
                if push._left:  # noqa: SLF001
                    lane.put(push, again)
            self._changed(push)

    async def _post(self, push: Push) -> int | str:
        assert self._http is not None
        url, body, headers = encode(push)
        method = "GET" if push.format == "query" else "POST"
        timeout = aiohttp.ClientTimeout(total=self.behaviour.timeout)
        try:
            async with self._http.request(
                method, url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as reply:
                return reply.status
        except TimeoutError:
            return "no answer in time"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return type(error).__name__


class _Lane:
    """What waits for one address, by the time it is due."""

    task: asyncio.Task[None]

    def __init__(self) -> None:
        self.waiting: list[tuple[float, int, Push]] = []
        self._places = itertools.count()
        self._added = asyncio.Event()

    def put(self, push: Push, due: float) -> None:
        heapq.heappush(self.waiting, (due, next(self._places), push))
        self._added.set()

    async def due(self) -> None:
        """Wait until a push is due."""
        loop = asyncio.get_running_loop()
        while True:
            self._added.clear()
            wait = self.waiting[0][0] - loop.time() if self.waiting else None
            if wait is not None and wait <= 0:
                return
            try:
                async with asyncio.timeout(wait):
                    await self._added.wait()
            except TimeoutError:
                continue

    def take(self, *, latest_first: bool) -> Push:
        """Take out the push that is due first, or the latest of all."""
        if not latest_first:
            return heapq.heappop(self.waiting)[2]
        # By due time and place: no two are equal, so a push is never compared.
        last = max(self.waiting)
        self.waiting.remove(last)
        heapq.heapify(self.waiting)
        return last[2]


def may_call(url: str, *, anywhere: bool) -> bool:
    """Tell whether an address may be called; names other than localhost are DNS's to decide."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or not host:
        return False
    # A name could be made to point into the network the sandbox stands in.
    if anywhere or host == "localhost":
        return True
    try:
        # An address only: 127.0.0.1.example.com is a name.
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def encode(push: Push) -> tuple[str, bytes | None, dict[str, str]]:
    """Return the address, the body and the headers of one push."""
    if push.format == "json":
        return push.url, json.dumps(push.fields).encode(), {"Content-Type": "application/json"}
    # A form has no null.
    text = urlencode({name: "" if v is None else v for name, v in push.fields.items()})
    if push.format == "query":
        return push.url + ("&" if "?" in push.url else "?") + text, None, {}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return push.url, text.encode(), form


def receipt_fields(row: Record) -> dict[str, Any]:
    """Return what the push of a receipt carries. [docs] help.clicksend.com, delivery receipts."""
    code = str(row["status_code"])
    fields = {
        "timestamp_send": row["timestamp_send"],
        "timestamp": row["timestamp"],
        "message_id": row["message_id"],
        "status": {"201": "Delivered", "Completed": "Delivered"}.get(
            code, "Undelivered" if code in {"301", "Failed"} else "Pending"
        ),
        "status_code": row["status_code"],
        "status_text": row["status_text"],
        "error_code": row["error_code"],
        "error_text": row["error_text"],
        "custom_string": row["custom_string"],
        "user_id": USER_ID,
        "subaccount_id": row["subaccount_id"],
        "message_type": row["message_type"],
        # Older names, sent beside the others.
        "customstring": row["custom_string"],
        "messageid": row["message_id"],
    }
    if row["message_type"] == "voice":
        fields["digits"] = row["digits"]
    return fields


def inbound_fields(row: Record, *, as_json: bool) -> dict[str, Any]:
    """Return what the push of an inbound message carries.

    [docs] help.clicksend.com, inbound webhooks. `sms` is the receiving number by the help pages
    and the sender's in ClickSend's own JSON example: no client should read it.
    """
    number: Callable[[int], int | str] = int if as_json else str
    return {
        "timestamp": number(row["timestamp"]),
        "to": row["to"],
        "from": row["from"],
        "body": row["body"],
        "original_body": row["original_body"],
        "original_message_id": row["original_message_id"],
        "custom_string": row["custom_string"],
        "user_id": number(USER_ID),
        "subaccount_id": number(row["subaccount_id"]),
        "message_id": row["message_id"],
        # Older names, sent beside the others.
        "message": row["body"],
        "sms": row["from"] if as_json else row["to"],
        "originalsenderid": row["to"],
        "originalmessage": row["original_body"],
        "originalmessageid": row["original_message_id"],
        "customstring": row["custom_string"],
    }
