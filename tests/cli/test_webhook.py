"""`aioclicksend webhook` and `receipts`: for people without a web app."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

import pytest

from aioclicksend.sandbox import Sandbox
from aioclicksend.webhooks import Webhook

from .conftest import Cli

SECRET = "s3cret"
URL = "https://example.org/clicksend"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AIOCLICKSEND_WEBHOOK_SECRET", raising=False)


@contextmanager
def started(*argv: str, env: dict[str, str] | None = None) -> Iterator[IO[str]]:
    """Run a command until the block ends, by Ctrl-C, and yield its stdout."""
    command = [sys.executable, "-m", "aioclicksend", *argv]
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def push(url: str, **fields: Any) -> int:
    body = json.dumps(fields).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def stored(*bodies: bytes) -> None:
    async def storing() -> None:
        async with Webhook(secrets=[SECRET], store="inbox.db") as hook:
            for body in bodies:
                assert await hook.receive(SECRET, body) == 200

    asyncio.run(storing())


def test_serve_prints_what_is_pushed_and_keeps_a_secret() -> None:
    with started("webhook", "serve", "--port", "0", "--json") as lines:
        url = json.loads(lines.readline())["url"]
        secret = Path("inbox.db.secret").read_text().strip()
        assert len(secret) >= 32
        assert push(f"{url}/wrong", body="Hi") == 404
        assert push(f"{url}/{secret}", message_id="m", status_code=201) == 200
        first = json.loads(lines.readline())
        assert push(f"{url}/{secret}", body="\ud800\x1b[31m", message_id="n") == 200
        second = json.loads(lines.readline())
    assert (first["event"], first["state"], first["raw"]["message_id"]) == (
        "receipt",
        "delivered",
        "m",
    )
    assert (second["event"], second["raw"]["body"]) == ("inbound", "\ud800\x1b[31m")
    assert stat.S_IMODE(Path("inbox.db.secret").stat().st_mode) == 0o600


def test_serve_takes_its_secrets_from_the_environment() -> None:
    env = {"AIOCLICKSEND_WEBHOOK_SECRET": "new,old"}
    with started("webhook", "serve", "--port", "0", "--json", env=env) as lines:
        url = json.loads(lines.readline())["url"]
        for secret in ("new", "old"):
            assert push(f"{url}/{secret}", body="Hi", message_id=secret) == 200
            assert json.loads(lines.readline())["raw"]["message_id"] == secret
    assert not Path("inbox.db.secret").exists()


def test_dead_letters_are_listed_and_replayed(cli: Cli) -> None:
    stored(b"?", b"body=Hi&message_id=1")
    (letter,) = cli("webhook", "dead-letters", "--json").lines
    assert letter["reason"] == "unreadable"
    assert "unreadable" in cli("webhook", "dead-letters").out
    result = cli("webhook", "replay", "--json")
    assert (result.code, result.document) == (1, {"replayed": 0, "dead": 1})
    assert cli("webhook", "replay", "99", "--json").code == 0


def test_install_adds_the_secret_and_changes_nothing_the_second_time(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    monkeypatch.setenv("AIOCLICKSEND_WEBHOOK_SECRET", SECRET)
    first = cli("receipts", "install", URL, "--json")
    assert (first.code, [it["kind"] for it in first.document["created"]]) == (0, ["inbound", "sms"])
    assert cli("receipts", "install", URL, "--json").document["created"] == []
    assert SECRET not in first.out
    assert "nothing to do" in cli("receipts", "install", URL + "/").out
    rules = [it for it in sandbox.requests if it.method == "POST"]
    assert {json.loads(it.body)["action_address"] for it in rules} == {f"{URL}/{SECRET}"}


def test_install_without_an_address_makes_the_rule_for_polling(cli: Cli) -> None:
    assert [it["kind"] for it in cli.made("receipts", "install")["created"]] == ["sms"]
    assert cli.made("receipts", "install")["created"] == []


def test_install_needs_https_and_a_secret(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    result = cli("receipts", "install", URL)
    assert (result.code, "AIOCLICKSEND_WEBHOOK_SECRET" in result.err) == (4, True)
    monkeypatch.setenv("AIOCLICKSEND_WEBHOOK_SECRET", SECRET)
    result = cli("receipts", "install", "http://example.org/x")
    assert (result.code, SECRET in result.err) == (4, False)


@pytest.mark.slow
def test_follow_prints_changes_and_report_counts_them(cli: Cli) -> None:
    stored(
        b"message_id=a&status_code=200&custom_string=r",
        b"message_id=a&status_code=201",
        b"message_id=b&status_code=301&error_text=Absent%1b[31m",
    )
    with started("receipts", "follow", "--no-poll", "--json") as lines:
        changes = [json.loads(lines.readline()) for _ in range(3)]
    assert [(it["delivery"]["message_id"], it["delivery"]["state"]) for it in changes] == [
        ("a", "pending"),
        ("a", "delivered"),
        ("b", "failed"),
    ]
    with started("receipts", "follow", "--no-poll", "--after", str(changes[1]["seq"])) as lines:
        line = lines.readline()
    assert "failed  b" in line
    assert "\x1b" not in line
    assert cli.made("receipts", "report")["delivered"] == 1
    shown = cli("receipts", "report").out
    assert "delivered 1 · failed 1 · pending 0" in shown
    assert "\x1b" not in shown


@pytest.mark.slow
def test_pushes_count_for_a_campaign(cli: Cli, sandbox: Sandbox) -> None:
    Path("people.csv").write_text("to\n+61412345678\n+61412345679\n")
    cli("campaign", "run", "people.csv", "--text", "Hi", "--journal", "p.campaign", "--yes")
    first, second = sandbox.messages
    for message, code in ((first, 201), (second, 301)):
        form = {"message_id": message.message_id, "status_code": code}
        stored(urlencode(form).encode())
    result = cli("campaign", "receipts", "p.campaign", "--once", "--store", "inbox.db", "--json")
    output = result.document
    assert (output["delivered"], output["failed"], output["pending"], output["new"]) == (1, 1, 0, 2)
    assert "receipts install" in cli("campaign", "receipts", "--help").out
