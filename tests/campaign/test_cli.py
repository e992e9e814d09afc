"""`aioclicksend campaign`, as typed."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from aioclicksend.sandbox import Fault, Sandbox

pytest.importorskip("cyclopts", reason="the extra cli is absent")

TEXT = "Hi {name|friend}, see you in {city}"
PEOPLE = """Name;Mobile;City
Anna;0412345678;Sydney
Bob;0412 345 679;
;0412345680;Perth
Cleo;not yet;Perth
"""


GUESTS = PEOPLE.rpartition("Cleo")[0]


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class ServedSandbox:
    """A sandbox on a separate thread, as each command has its own event loop."""

    def __enter__(self) -> Sandbox:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._sandbox = Sandbox()
        asyncio.run_coroutine_threadsafe(self._sandbox.__aenter__(), self._loop).result()
        return self._sandbox

    def __exit__(self, *_: object) -> None:
        closing = self._sandbox.__aexit__(None, None, None)
        asyncio.run_coroutine_threadsafe(closing, self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    with ServedSandbox() as served:
        monkeypatch.setenv("CLICKSEND_USERNAME", served.username)
        monkeypatch.setenv("CLICKSEND_API_KEY", served.api_key)
        monkeypatch.setenv("CLICKSEND_BASE_URL", served.url)
        monkeypatch.delenv("MATON_API_KEY", raising=False)
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.chdir(tmp_path)
        Path("people.csv").write_text(PEOPLE)
        Path("guests.csv").write_text(GUESTS)
        yield served


@pytest.fixture
def campaign(
    sandbox: Sandbox,  # noqa: ARG001 - sets the scene
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Said]:
    from aioclicksend.cli.__main__ import run  # noqa: PLC0415 - needs the extra

    def call(*argv: str, stdin: str = "") -> Said:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = run(["campaign", *argv])
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return call


def sent(sandbox: Sandbox) -> list[int]:
    return list(Counter(it.to for it in sandbox.messages).values())


RUN = (
    "run", "guests.csv", "--text", "Hi {name|friend}", "--country", "AU", "--rate", "0", "--yes",
)  # fmt: skip


def test_a_plan_shows_everything_and_sends_nothing(
    campaign: Callable[..., Said], sandbox: Sandbox
) -> None:
    said = campaign("plan", "people.csv", "--text", TEXT, "--country", "AU", "--problems", "p.csv")
    assert said.code == 1
    for expected in (
        "read as     CSV with ;, utf-8",
        "columns     to: Mobile, name: Name, city: City",
        "to be sent  2 messages, 2 parts",
        "left out    missing field 1, bad number 1",
        "price       0.1540 AUD",
        "Hi friend, see you in Perth",
        "row 3, column City: City is empty",
    ):
        assert expected in said.out
    assert not sandbox.messages
    with Path("p.csv").open(newline="") as file:
        problems = list(csv.DictReader(file))
    assert [(it["row"], it["column"], it["value"], it["reason"]) for it in problems] == [
        ("3", "City", "", "missing field"),
        ("5", "Mobile", "not yet", "bad number"),
    ]


def test_a_plan_can_be_made_offline_and_read_by_machines(
    campaign: Callable[..., Said], sandbox: Sandbox
) -> None:
    said = campaign(
        "plan", "people.csv", "--text", "Hi", "--country", "AU", "--offline",
        "--part-price", "0.05", "--json",
    )  # fmt: skip
    assert said.code == 1
    assert said.json["messages"] == 3
    assert said.json["price"]["total"] == "0.15"
    assert said.json["price"]["is_estimate"] is True
    assert said.json["requests"] == 2
    assert not sandbox.requests


def test_a_clean_plan_ends_with_0(campaign: Callable[..., Said]) -> None:
    said = campaign("plan", "-", "--text", "Hi", "--offline", stdin="to\n+61412345678\n")
    assert said.code == 0


def test_a_run_is_recorded_and_begun_again_sends_nothing(
    campaign: Callable[..., Said], sandbox: Sandbox
) -> None:
    first = campaign(*RUN)
    assert first.code == 0
    assert "3 parts, 0.2310 spent" in first.out
    assert campaign(*RUN, "--json").json["accepted"] == 3
    assert sent(sandbox) == [1, 1, 1]
    status = campaign("status", "guests.campaign", "--json")
    assert status.code == 0
    assert (status.json["messages"], status.json["unread"]) == (3, 0)
    assert status.json["refused"] == {}
    report = campaign("report", "guests.campaign", "--csv", "-")
    rows = list(csv.DictReader(io.StringIO(report.out)))
    assert [it["outcome"] for it in rows] == ["accepted"] * 3
    assert campaign("report", "guests.campaign", "--csv", "r.csv").code == 0
    assert Path("r.csv").read_text() == report.out.replace("\r\n", "\n")


def test_a_store_that_is_not_there_yet_is_named(campaign: Callable[..., Said]) -> None:
    """A misspelt one holds nobody back."""
    note = "--store: inbox.db is not there yet, so it knows of no opt-outs"
    assert note in campaign(*RUN, "--store", "inbox.db").err
    again = campaign(*RUN, "--store", "inbox.db", "--journal", "other.campaign")
    assert (again.code, note in again.err) == (0, False)


@pytest.mark.slow
def test_resume_needs_nothing_but_the_journal(
    campaign: Callable[..., Said], sandbox: Sandbox
) -> None:
    sandbox.fail_every(lambda it: Fault.ERROR_BEFORE if it.path.endswith("/sms/send") else None)
    first = campaign(*RUN, "--settle", "0", "--no-ramp")
    assert first.code == 3
    assert "campaign resume guests.campaign" in first.err
    sandbox.fail_every(None)
    assert campaign("resume", "guests.campaign", "--settle", "0", "--yes").code == 3
    assert campaign("resolve", "guests.campaign", "--reconcile", "--settle", "0.1").code == 3
    decided = campaign("resolve", "guests.campaign", "--resend", "--yes")
    assert "3 messages decided on" in decided.err
    assert campaign("resume", "guests.campaign", "--yes").code == 0
    assert sent(sandbox) == [1, 1, 1]


@pytest.mark.slow
def test_a_list_from_standard_input_is_resumed_with_the_same_input(
    campaign: Callable[..., Said], sandbox: Sandbox
) -> None:
    args = ("run", "-", "--text", "Hi", "--country", "AU", "--yes")
    assert "needs a --journal" in campaign(*args, stdin=GUESTS).err
    assert campaign(*args, "--journal", "j", stdin=GUESTS).code == 0
    assert "give it again with --input -" in campaign("resume", "j", "--yes").err
    assert campaign("resume", "j", "--input", "-", "--yes", stdin=GUESTS).code == 0
    assert campaign("resume", "j", "--input", "guests.csv", "--yes").code == 0
    assert sent(sandbox) == [1, 1, 1]


@pytest.mark.slow
def test_quiet_hours_are_counted_from_the_first_run(
    campaign: Callable[..., Said], sandbox: Sandbox
) -> None:
    hours = ("--not-before", "00:00", "--not-after", "23:59:59.999999", "--zone", "UTC")
    assert campaign(*RUN, *hours).code == 0
    assert campaign("resume", "guests.campaign", "--yes").code == 0
    assert campaign(*RUN, *hours).code == 0
    assert sent(sandbox) == [1, 1, 1]


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        ((), 2, "give either a file"),
        (("people.csv", "--list-id", "5"), 2, "give either a file"),
        (("absent.csv", "--text", "Hi"), 4, "absent.csv cannot be read: No such file"),
        (("image.png", "--text", "Hi"), 4, "image.png is a"),
        (("empty.csv", "--text", "Hi"), 4, "empty.csv is empty"),
        (("heading.csv", "--text", "Hi"), 4, "has no rows below its heading"),
        (("people.csv", "--text", "Hi", "--delimiter", "^"), 4, "no column is known to hold"),
        (("people.csv", "--text", "Hi {nam}"), 4, "did you mean Name?"),
        (("people.csv", "--text", "Hi {name"), 4, "without its partner"),
        (("people.csv",), 4, "no column is known to hold texts"),
        (("people.csv", "--text", "Hi", "--column", "to"), 2, "must be FIELD=COLUMN"),
        (("people.csv", "--text", "Hi", "--column", "to=Mob"), 4, "no column 'Mob' for to"),
        (("people.csv", "--text", "Hi", "--country", "Oz"), 4, "two letters"),
        (("people.csv", "--text", "Hi", "--not-before", "09:00"), 2, "quiet hours need both"),
        (
            (
                "people.csv",
                "--text",
                "Hi",
                "--not-before",
                "9",
                "--not-after",
                "x",
                "--zone",
                "UTC",
            ),
            2,
            "written as 09:00",
        ),
        (("-", "--text", "-"), 2, "the list or the text, not both"),
        (("people.csv", "--text", "Hi", "--rate", "-1"), 2, "must not be negative"),
    ],
)
def test_an_error_is_one_line_and_nothing_is_sent(
    campaign: Callable[..., Said],
    sandbox: Sandbox,
    argv: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    Path("image.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    Path("empty.csv").touch()
    Path("heading.csv").write_text("to\n")
    for command in ("plan", "run"):
        said = campaign(command, *argv)
        assert (said.code, said.out) == (code, "")
        assert says in said.err
        assert said.err.count("\n") == 1
    assert not sandbox.messages


def test_journals_that_do_not_fit_are_refused(
    campaign: Callable[..., Said], sandbox: Sandbox
) -> None:
    assert campaign(*RUN).code == 0
    other = campaign("run", "guests.csv", "--text", "Other", "--country", "AU", "--yes")
    assert other.code == 4
    assert "a campaign with another text or sender, which 3 people got" in other.err
    assert campaign("resume", "absent", "--yes").code == 4
    assert "cannot be read as a journal" in campaign("report", "people.csv").err
    assert "give one of" in campaign("resolve", "guests.campaign").err
    assert len(sandbox.messages) == 3


@pytest.mark.slow
def test_a_budget_below_the_first_message_is_refused(
    campaign: Callable[..., Said], sandbox: Sandbox
) -> None:
    said = campaign(*RUN, "--budget", "0.01")
    assert said.code == 2
    assert "--budget is below the price of the first message" in said.err
    assert not sandbox.messages
    assert campaign("resume", "guests.campaign", "--yes").code == 2  # it is remembered
    assert campaign("resume", "guests.campaign", "--budget", "1", "--yes").code == 0
    assert sent(sandbox) == [1, 1, 1]


def test_receipts_are_followed_and_reported(
    campaign: Callable[..., Said], sandbox: Sandbox
) -> None:
    assert campaign(*RUN).code == 0
    assert campaign("status", "guests.campaign", "--json").json["delivery"] is None
    first, second, third = [it.message_id for it in sandbox.messages]
    sandbox.deliver(first)
    sandbox.deliver(second, 301, 12)
    once = campaign("receipts", "guests.campaign", "--once")
    assert once.code == 0
    assert "delivered 1 · failed 1 · pending 1 · 2 new receipts" in once.err
    for shown in (once, campaign("report", "guests.campaign")):
        assert (
            len(re.findall(r"^  (?:delivered|failed|pending) +1\b", shown.out, re.MULTILINE)) == 3
        )
        assert "Error 12" in shown.out
    csv_report = campaign("report", "guests.campaign", "--csv", "-").out
    rows = list(csv.DictReader(io.StringIO(csv_report)))
    assert [(it["delivery"], it["failure"]) for it in rows] == [
        ("delivered", ""),
        ("failed", "Error 12"),
        ("", ""),
    ]
    sandbox.deliver(third)
    final = campaign("receipts", "guests.campaign", "--until-final", "--json")
    assert final.json == {"delivered": 2, "failed": 1, "pending": 0, "new": 1}


def _let_a_minute_pass() -> None:
    with closing(sqlite3.connect("guests.campaign")) as db, db:
        db.execute("update polled_receipt set first_seen = first_seen - 61")


@pytest.mark.parametrize(("option", "unread"), [("", 2), ("--mark-others", 0), ("--no-mark", 4)])
def test_receipts_are_marked_by_the_mark_option(
    campaign: Callable[..., Said], sandbox: Sandbox, option: str, unread: int
) -> None:
    assert campaign(*RUN).code == 0
    for before, it in zip((90, 80, 60), list(sandbox.messages), strict=True):
        sandbox.deliver(it.message_id)["timestamp"] -= before
    foreign = sandbox.deliver(sandbox.messages[0].message_id)
    foreign |= {"message_id": "?", "custom_string": "", "timestamp": foreign.timestamp - 70}
    for _ in range(2):
        assert campaign("receipts", "guests.campaign", "--once", *filter(None, [option])).code == 0
        _let_a_minute_pass()
    assert len(sandbox._state.receipts["sms"].unread) == unread


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
@pytest.mark.parametrize("fault", [Fault.HANG_BEFORE, Fault.HANG_AFTER])
@pytest.mark.parametrize("step", ["/sms/receipts?", "/sms/receipts-read"])
def test_a_killed_follower_restarts_and_counts_each_receipt_once(
    campaign: Callable[..., Said], sandbox: Sandbox, fault: Fault, step: str
) -> None:
    assert campaign(*RUN).code == 0
    first, second, third = [it.message_id for it in sandbox.messages]
    sandbox.deliver(first)["timestamp"] -= 100
    assert campaign("receipts", "guests.campaign", "--once").code == 0
    _let_a_minute_pass()
    sandbox.deliver(second, 301, 12)
    sandbox.requests.clear()
    sandbox.fail_next(fault, path=step.rstrip("?"), method="GET" if "?" in step else "PUT")
    following = _start("receipts", "guests.campaign")
    _wait_for(lambda: any(it.path.endswith(step.rstrip("?")) for it in sandbox.requests))
    following.kill()
    following.communicate(timeout=30)
    sandbox.deliver(third)
    final = campaign("receipts", "guests.campaign", "--until-final", "--json")
    assert (final.json["delivered"], final.json["failed"], final.json["pending"]) == (2, 1, 0)
    unread = [it.message_id for it in sandbox._state.receipts["sms"].unread.values()]
    assert unread == [second, third]


@pytest.mark.slow
def test_a_follower_says_once_what_receipts_need(
    campaign: Callable[..., Said], sandbox: Sandbox
) -> None:
    assert campaign(*RUN).code == 0
    sandbox.requests.clear()
    following = _start("receipts", "guests.campaign", "--every", "1", "--until-final")
    _wait_for(lambda: sum(it.path.endswith("/sms/receipts") for it in sandbox.requests) >= 2)
    for it in list(sandbox.messages):
        sandbox.deliver(it.message_id)
    _, output = following.communicate(timeout=30)
    assert following.returncode == 0
    assert output.count("there are none yet") == 1
    assert "delivered 3 · failed 0 · pending 0" in output


def _start(*argv: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "aioclicksend", "campaign", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )


def _wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


MANY = "to\n" + "".join(f"+614{it:08}\n" for it in range(20_000_000, 20_006_000))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_resumes_and_sends_to_each_recipient_once(
    campaign: Callable[..., Said], sandbox: Sandbox, number: signal.Signals
) -> None:
    Path("many.csv").write_text(MANY)
    running = _start("run", "many.csv", "--text", "Hi", "--rate", "0", "--settle", "1", "--yes")
    _wait_for(lambda: sandbox.messages)
    running.send_signal(number)
    out, err = running.communicate(timeout=30)
    assert running.returncode == (-number if number == signal.SIGKILL else 130), err
    assert len(sandbox.messages) < 6000
    if number == signal.SIGINT:
        assert "campaign resume many.campaign" in err
        assert "not reached yet" in out
    said = campaign("resume", "many.campaign", "--rate", "0", "--settle", "1", "--json", "--yes")
    if said.code == 3:  # requests that were killed before the server read them
        assert campaign("resolve", "many.campaign", "--resend", "--yes").code == 1
        said = campaign(
            "resume", "many.campaign", "--rate", "0", "--settle", "1", "--json", "--yes"
        )
    assert (said.code, said.json["accepted"]) == (0, 6000)
    assert sent(sandbox) == [1] * 6000
