"""A stand-in for the API that costs as little as can be, in a separate process.

It parses what must be echoed, answers in the shapes of the live API and checks nothing, so that a
benchmark measures its client. For behaviour there is `aioclicksend.sandbox`.

``python -m benchmarks.sink --rows 10000 --delay 0.05`` prints its address and serves until its
standard input ends. `GET /stats` returns what has arrived.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct, field


class Sent(Struct, gc=False):
    """What of a message is echoed."""

    to: str = ""
    body: str = ""
    custom_string: str = ""


class _Post(Struct):
    messages: list[Sent]


_FROM_ON = msgspec.Raw(
    b'"+61411111111","message_parts":1,"message_price":"0.0770","from_email":null,'
    b'"list_id":null,"contact_id":null,"user_id":123456,"subaccount_id":234567,'
    b'"is_shared_system_number":false,"country":"AU","carrier":"Telstra","status":"SUCCESS"'
)


class Row(Struct, gc=False):
    """A row of a reply as the live API writes it for a message it took."""

    direction: str
    date: int
    to: str
    body: str
    schedule: int
    message_id: str
    custom_string: str
    from_: msgspec.Raw = field(name="from", default=_FROM_ON)
    """The sender, and behind it all the fields that are the same in every row, as they stand."""


class Settings(Struct, frozen=True):
    """How a sink behaves."""

    delay: float = 0.0
    """Seconds before each reply."""
    rows: int = 0
    """Length of the lists it pages through."""
    faults: float = 0.0
    """Per cent of the sends that go wrong."""
    arrivals: bool = False
    """Whether the moment of each request is kept."""


class Fault(Struct, frozen=True):
    """One way for a send to go wrong."""

    taken: bool
    """Whether the messages were accepted nevertheless."""
    status: int | None
    """What is answered; None for a connection that breaks instead."""
    half: bool = False
    """Whether half a reply comes: half its bytes, or half its rows where it has a status."""


FAULTS = (
    Fault(taken=False, status=429),
    Fault(taken=False, status=400),
    Fault(taken=False, status=500),
    Fault(taken=True, status=502),
    Fault(taken=True, status=None),
    Fault(taken=True, status=None, half=True),
    Fault(taken=True, status=200, half=True),
)

_KEPT = 20_000
_OK = b'{"http_code":200,"response_code":"SUCCESS","response_msg":"OK","data":%b}'
_SUFFIXES = [f"{number:012X}" for number in range(1000)]
_CURRENCY = (
    b'{"currency_name_short":"AUD","currency_prefix_d":"$","currency_prefix_c":"c",'
    b'"currency_name_long":"Australian Dollars"}'
)
_SENT = _OK.replace(
    b"%b",
    b'{"total_price":%.4f,"total_count":%d,"queued_count":%d,"messages":%b,"_currency":%b,'
    b'"blocked_count":0}',
)
_ACCOUNT = (
    b'{"user_id":123456,"username":"sink","balance":"1000.000000","_currency":%b}' % _CURRENCY
)
_REFUSAL = b'{"http_code":%d,"response_code":"FAULT","response_msg":"Injected.","data":null}'
_HEAD = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%b\r\n"

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(_Post).decode


class Sink:
    """What all connections share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.requests = 0
        self.posts = 0
        self.messages = 0
        self.faulty = 0
        self.open = 0
        self.arrivals: list[float] = []
        self._lost: deque[Row] = deque(maxlen=_KEPT)

    def answer(self, method: bytes, target: str, body: bytes) -> tuple[int, bytes, bool]:
        """Return status and body of a reply, and whether it comes whole."""
        self.requests += 1
        if self.settings.arrivals:
            self.arrivals.append(time.monotonic())
        path, _, query = target.partition("?")
        if method == b"POST":
            self.posts += 1
            price = path.endswith("/price")
            if not price and random.random() * 100 < self.settings.faults:
                return self._faulty(body)
            return 200, self._sent(self._take(body)), True
        if path.endswith(("/history", "/inbound", "/receipts")):
            return 200, _OK % self._page(path, query), True
        return 200, _OK % _ACCOUNT, True

    def stats(self) -> bytes:
        """Return what has arrived."""
        names = ("requests", "posts", "messages", "faulty", "open", "arrivals")
        return _encode({name: getattr(self, name) for name in names})

    def _take(self, body: bytes) -> list[Row]:
        sent = _decode(body).messages
        now = int(time.time())
        self.messages += len(sent)
        prefix = f"{self.posts:08X}-0000-1EF0-8000-"
        return [
            Row("out", now, it.to, it.body, now, prefix + suffix, it.custom_string)
            for it, suffix in zip(sent, _SUFFIXES, strict=False)
        ]

    def _sent(self, rows: list[Row]) -> bytes:
        count = len(rows)
        return _SENT % (0.077 * count, count, count, _encode(rows), _CURRENCY)

    def _faulty(self, body: bytes) -> tuple[int, bytes, bool]:
        self.faulty += 1
        fault = random.choice(FAULTS)
        rows = self._take(body) if fault.taken else []
        self._lost.extend(rows)
        if fault.status is None:
            return 0, self._sent(rows) if fault.half else b"", False
        if fault.status == 200:
            return 200, self._sent(rows[: len(rows) // 2]), True
        return fault.status, _REFUSAL % fault.status, True

    def _page(self, path: str, query: str) -> bytes:
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        page, limit = int(asked.get("page", 1)), int(asked.get("limit", 15))
        start = (page - 1) * limit
        rows: Sequence[object]
        if self.settings.rows:
            total = self.settings.rows
            rows = [_stored(path, it) for it in range(start, min(start + limit, total))]
        else:
            since = float(asked.get("date_from", 0))
            until = float(asked.get("date_to", "inf"))
            lost = [it for it in reversed(self._lost) if since <= it.date <= until]
            total, rows = len(lost), lost[start : start + limit]
        return b'{"total":%d,"per_page":%d,"current_page":%d,"last_page":%d,"data":%b}' % (
            total,
            limit,
            page,
            -(-total // limit),
            _encode(rows),
        )


class Connection(asyncio.Protocol):
    """HTTP/1.1 as far as clients of this API speak it: no chunks, no pipelines."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = bytearray()
        self._needed = 0
        self._body_at = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(2**23)
        self._sink.open += 1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Count it out."""
        self._sink.open -= 1

    def data_received(self, data: bytes) -> None:
        """Answer as soon as a request is whole."""
        self._buffer += data
        if not self._needed:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._body_at = end + 4
            self._needed = self._body_at + _content_length(self._buffer[:end])
        if len(self._buffer) < self._needed:
            return
        request = bytes(self._buffer[: self._needed])
        del self._buffer[: self._needed]
        method, target, _ = request[: request.index(b"\r\n")].split(b" ", 2)
        body = request[self._body_at :]
        self._needed = 0
        if target == b"/stats":
            self._reply(200, self._sink.stats(), whole=True)
            return
        status, reply, whole = self._sink.answer(method, target.decode(), body)
        if delay := self._sink.settings.delay:
            answer = partial(self._reply, status, reply, whole=whole)
            asyncio.get_running_loop().call_later(delay, answer)
        else:
            self._reply(status, reply, whole=whole)

    def _reply(self, status: int, body: bytes, *, whole: bool) -> None:
        more = b"Retry-After: 0.1\r\n" if status == 429 else b""
        if whole:
            self._transport.write(_HEAD % (status, len(body), more) + body)
        elif body:
            self._transport.write(_HEAD % (200, len(body), more) + body[: len(body) // 2])
            self._transport.close()
        else:
            self._transport.abort()


def _content_length(head: bytearray) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _stored(path: str, number: int) -> Row | dict[str, object]:
    """Return one row of a list that has any length asked for."""
    message_id = f"5AE0B2F4-0000-1EF0-8000-{number:012X}"
    if path.endswith("/history"):
        body = f"Hello {number}, your order is on its way"
        return Row("out", 1_700_000_000 + number, "+61411111111", body, 0, message_id, f"r{number}")
    return {
        "timestamp": 1_700_000_000 + number,
        "from": "+61411111111",
        "to": "+61422222222",
        "body": f"Yes {number}",
        "original_body": "Are you coming?",
        "original_message_id": message_id,
        "custom_string": f"r{number}",
        "message_id": message_id,
        "_keyword": "Yes",
    }


async def serve(settings: Settings) -> None:
    """Serve until standard input ends, which it does with the process that started this one."""
    loop = asyncio.get_running_loop()
    sink = Sink(settings)
    server = await loop.create_server(lambda: Connection(sink), "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    over = asyncio.Event()

    def watch() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(over.set)

    threading.Thread(target=watch, daemon=True).start()
    await over.wait()


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(prog="benchmarks.sink", description="A cheap stand-in.")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each reply")
    parser.add_argument("--rows", type=int, default=0, help="length of the paged lists")
    parser.add_argument("--faults", type=float, default=0.0, help="per cent of sends that fail")
    parser.add_argument("--arrivals", action="store_true", help="keep when requests came")
    settings = Settings(**vars(parser.parse_args()))
    gc.set_threshold(100_000)  # rows make no cycles
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
