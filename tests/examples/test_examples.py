"""The examples, each run as a reader runs it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from aioclicksend.sandbox import Sandbox

EXAMPLES = Path(__file__).parents[2] / "examples"
WEB = [
    pytest.param(
        "fastapi_app",
        marks=pytest.mark.skipif(
            not (find_spec("fastapi") and find_spec("uvicorn")),
            reason="fastapi or uvicorn is absent",
        ),
    ),
    "aiohttp_app",
]


@asynccontextmanager
async def started(
    name: str, folder: Path, *argv: str, sandbox: Sandbox | None = None, port: int = 0
) -> AsyncIterator[Process]:
    """Run an example on a sandbox of the test, or on its own with an option."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CLICKSEND_", "MATON_"))
    } | {"PORT": str(port), "PYTHONUNBUFFERED": "1"}
    if sandbox is not None:
        environ |= sandbox.environ
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLES / f"{name}.py"), *argv),
        cwd=folder,
        env=environ,
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def output_of(name: str, folder: Path, *argv: str, sandbox: Sandbox | None = None) -> str:
    async with started(name, folder, *argv, sandbox=sandbox) as process:
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
    return output.decode()


def test_every_example_is_run_here() -> None:
    names = {path.stem for path in EXAMPLES.glob("[!_]*.py")}
    assert names == {
        *("campaign", "contact_sync", "bot", "fastapi_app", "aiohttp_app"),
        *("webhook_bot", "webhook_fastapi"),
    }


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("phonenumbers"), reason="phonenumbers is absent")
async def test_the_campaign_is_sent_once(tmp_path: Path, clicksend_sandbox: Sandbox) -> None:
    assert "3 messages for" in await output_of("campaign", tmp_path, "--sandbox")
    (tmp_path / "people.campaign").unlink()
    for _ in range(2):
        output = await output_of("campaign", tmp_path, sandbox=clicksend_sandbox)
        assert "row 5, column Mobile: is no phone number" in output
        assert "accepted 3, rejected 0" in output
    assert len(clicksend_sandbox.messages) == 3


@pytest.mark.slow
async def test_contacts_are_synchronised_and_again_not_touched(
    tmp_path: Path, clicksend_sandbox: Sandbox
) -> None:
    assert "'created': 3" in await output_of("contact_sync", tmp_path, "--sandbox")
    sandbox = clicksend_sandbox
    assert "'created': 3" in await output_of("contact_sync", tmp_path, sandbox=sandbox)
    (contacts,) = sandbox._state.contacts.values()
    anna, bob, _ = contacts.values()
    anna["first_name"] = "Ann"
    bob["phone_number"] = "+61499999999"
    expected = "{'created': 1, 'updated': 1, 'deleted': 1}"
    assert expected in await output_of("contact_sync", tmp_path, sandbox=sandbox)
    assert "{'created': 0, 'updated': 0, 'deleted': 0}" in await output_of(
        "contact_sync", tmp_path, sandbox=sandbox
    )


async def test_the_bot_answers_what_it_makes_up(tmp_path: Path) -> None:
    async with started("bot", tmp_path, "--sandbox") as bot:
        assert bot.stdout
        assert b"answered with" in await bot.stdout.readline()


@pytest.mark.slow
async def test_the_bot_answers_each_text_once(tmp_path: Path, clicksend_sandbox: Sandbox) -> None:
    clicksend_sandbox.receive("+61412345678", "When do you open?")
    async with started("bot", tmp_path, sandbox=clicksend_sandbox) as bot:
        assert bot.stdout
        await bot.stdout.readline()
        clicksend_sandbox.receive("+61412345679", "Hello?")
        await bot.stdout.readline()
    assert [(it.to, it.body) for it in clicksend_sandbox.messages] == [
        ("+61412345678", "We open at 9."),
        ("+61412345679", "Ask me when we open."),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", WEB)
async def test_requests_to_a_web_app_share_calls(
    tmp_path: Path, clicksend_sandbox: Sandbox, name: str
) -> None:
    port = free_port()
    async with (
        started(name, tmp_path, sandbox=clicksend_sandbox, port=port) as app,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
    ):
        assert await post(http, "not a number") == 422
        clicksend_sandbox.requests.clear()
        numbers = [f"+614123456{it:02}" for it in range(50)]
        assert await asyncio.gather(*(post(http, to) for to in numbers)) == [201] * 50
        app.send_signal(signal.SIGTERM)
        await app.communicate()
    assert sorted(it.to for it in clicksend_sandbox.messages) == numbers
    assert len(clicksend_sandbox.requests) < 10


@pytest.mark.slow
@pytest.mark.parametrize("name", WEB)
async def test_a_web_app_starts_its_own_sandbox(tmp_path: Path, name: str) -> None:
    port = free_port()
    async with (
        started(name, tmp_path, "--sandbox", port=port),
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
    ):
        assert await post(http, "+61412345678") == 201


@pytest.mark.slow
@pytest.mark.parametrize("name", WEB)
async def test_a_page_of_a_web_site_sends_nothing(
    tmp_path: Path, clicksend_sandbox: Sandbox, name: str
) -> None:
    """By a form or plain text, which need no permission, or by a name that leads here."""
    port, text = free_port(), '{"to": "+61412345678", "body": "Hello"}'
    async with (
        started(name, tmp_path, sandbox=clicksend_sandbox, port=port),
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
    ):
        assert await post(http, "not a number") == 422
        clicksend_sandbox.requests.clear()
        for kind in (
            "text/plain",
            "application/x-www-form-urlencoded",
            "text/plain;application/json",
        ):
            async with http.post("/texts", data=text, headers={"Content-Type": kind}) as reply:
                assert reply.status == 415
        async with http.post("/texts", data=text, skip_auto_headers=["Content-Type"]) as reply:
            assert reply.status == 415
        for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}"):
            headers = {"Host": host, "Content-Type": "application/json"}
            async with http.post("/texts", data=text, headers=headers) as reply:
                assert reply.status in (400, 421)
        for broken in ("{", "[]", '{"to": 1}', '"to"'):
            headers = {"Content-Type": "application/json"}
            async with http.post("/texts", data=broken, headers=headers) as reply:
                assert reply.status in (400, 422)
    assert clicksend_sandbox.requests == []
    assert clicksend_sandbox.messages == []


@pytest.mark.parametrize("path", ["/codes", "/orders"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": ""}, 415),
        ({}, 415),
        ({"Content-Type": "application/json", "Host": "evil.example"}, 400),
    ],
)
async def test_a_page_of_a_web_site_enqueues_nothing(
    path: str, headers: dict[str, str], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg")
    httpx = pytest.importorskip("httpx")
    monkeypatch.syspath_prepend(str(EXAMPLES / "cluster"))
    app = import_module("app").app
    # Without its lifespan: what is refused needs no database.
    transport = httpx.ASGITransport(app)
    text = b'{"id": "1", "to": "+61412345678", "login": "jo", "code": "1"}'
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        reply = await http.post(path, content=text, headers=headers)
    assert reply.status_code == status


@pytest.mark.slow
async def test_the_webhook_bot_answers_what_is_pushed(
    tmp_path: Path, clicksend_sandbox: Sandbox
) -> None:
    port = free_port()
    async with (
        started("webhook_bot", tmp_path, sandbox=clicksend_sandbox, port=port) as bot,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
    ):
        for message_id, body in (("1", "Yes"), ("1", "Yes"), ("2", "STOP"), ("3", "No")):
            await push(http, {"from": "+61412345678", "body": body, "message_id": message_id})
        assert bot.stdout
        answered = {(await bot.stdout.readline()).split()[0] for _ in range(2)}
    assert answered == {b"1", b"3"}
    assert [it.body for it in clicksend_sandbox.messages] == ["Thank you for your message!"] * 2


@pytest.mark.skipif(
    not (find_spec("fastapi") and find_spec("uvicorn")), reason="fastapi or uvicorn is absent"
)
async def test_the_fastapi_webhook_knows_what_was_pushed(tmp_path: Path) -> None:
    port = free_port()
    async with (
        started("webhook_fastapi", tmp_path, port=port),
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
    ):
        await push(http, {"message_id": "1", "status_code": "301", "error_text": "Absent"})
        await push(http, {"from": "+61412345678", "body": "stop", "message_id": "2"})
        async with http.get("/messages/1") as reply:
            assert await reply.json() == {"state": "failed", "reason": "Absent"}
        async with http.get("/messages/2") as reply:
            assert reply.status == 404
        async with http.get("/opted-out/+61412345678") as reply:
            assert await reply.json() is True


async def push(http: aiohttp.ClientSession, fields: dict[str, str]) -> None:
    """Push an event, as soon as the app is there."""
    for _ in range(200):
        try:
            async with http.post("/clicksend/change-me", data=fields) as reply:
                assert reply.status == 200
                return
        except aiohttp.ClientConnectorError:
            await asyncio.sleep(0.05)
    raise TimeoutError


async def post(http: aiohttp.ClientSession, to: str) -> int:
    """Send a text, as soon as the app is there."""
    text: dict[str, Any] = {"to": to, "body": "Hello"}
    for _ in range(200):
        try:
            async with http.post("/texts", json=text) as reply:
                return reply.status
        except aiohttp.ClientConnectorError:
            await asyncio.sleep(0.05)
    raise TimeoutError


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
