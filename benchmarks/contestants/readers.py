"""Readers of a reply; each returns how many rows were accepted."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any

import msgspec

from ..meter import Meter
from ..sink import Settings, Sink
from ..workload import messages


def reply() -> bytes:
    """Return the body of a reply to 1000 messages."""
    sent = [
        {"to": to, "body": body, "custom_string": f"reader-{number}"}
        for number, (to, body) in enumerate(messages(1000))
    ]
    body = msgspec.json.encode({"messages": sent})
    return Sink(Settings()).answer(b"POST", "/v3/sms/send", body)[1]


def bulk(_url: str, repeat: int) -> dict[str, float]:
    """Read as `bulk` does for a stream, which matches rows by their refs and shows their ids."""
    replies = importlib.import_module("aioclicksend.bulk.replies")
    refs = [f"reader-{number}" for number in range(1000)]

    def read(body: bytes) -> int:
        rows = replies.decode_reply(body, refs, counted=False).rows
        return sum(it.status == "SUCCESS" for it in rows)

    return _read(read, repeat)


def send(_url: str, repeat: int) -> dict[str, float]:
    """Read as `sms.send` does: every field, in its type."""
    results = importlib.import_module("aioclicksend.models.results")
    wire = importlib.import_module("aioclicksend.wire")
    request = wire.Request("POST /v3/sms/send", "POST", "")

    def read(body: bytes) -> int:
        data = wire.data_of(request, wire.Reply(200, {}, body))
        return len(results.send_result(results.SmsRow, data).accepted)

    return _read(read, repeat)


def floor(_url: str, repeat: int) -> dict[str, float]:
    """Read the few fields of the floor."""
    decode = importlib.import_module("benchmarks.contestants.floor").decode
    return _read(
        lambda body: sum(it.status == "SUCCESS" for it in decode(body).data.messages), repeat
    )


def plain(_url: str, repeat: int) -> dict[str, float]:
    """Read with the standard library."""
    return _read(
        lambda body: sum(it["status"] == "SUCCESS" for it in json.loads(body)["data"]["messages"]),
        repeat,
    )


def with_pydantic(_url: str, repeat: int) -> dict[str, float]:
    """Read the fields that the httpx contestant reads."""
    envelope: Any = importlib.import_module("benchmarks.contestants.usual").Envelope

    def read(body: bytes) -> int:
        rows = envelope.model_validate_json(body).data.messages
        return sum(it.status == "SUCCESS" for it in rows)

    return _read(read, repeat)


def _read(read: Callable[[bytes], int], repeat: int) -> dict[str, float]:
    body = reply()
    for _ in range(5):
        assert read(body) == 1000
    with Meter() as meter:
        for _ in range(repeat):
            read(body)
    return {"cpu_each": meter.cpu / repeat}
