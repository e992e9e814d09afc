"""The question before a campaign is sent, at a real terminal and without one."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

from aioclicksend.sandbox import Sandbox

from .test_cli import Said, ServedSandbox, campaign, sandbox, sent  # noqa: F401 - fixtures

pty = pytest.importorskip("pty", reason="there are no terminals like this")
pytest.importorskip("cyclopts", reason="the extra cli is absent")

RUN = ("run", "guests.csv", "--text", "Hi {name|friend}", "--country", "AU")


class Terminal:
    """A command at a terminal."""

    def __init__(self, *argv: str) -> None:
        self._ours, theirs = pty.openpty()
        self.said = ""
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "aioclicksend", "campaign", *argv],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=os.environ | {"COLUMNS": "200", "TERM": "dumb"},
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 40
        while text not in self.said:
            assert time.monotonic() < deadline, self.said
            self._read(0.2)

    def end(self) -> int:
        deadline = time.monotonic() + 40
        while self._process.poll() is None:
            assert time.monotonic() < deadline, self.said
            self._read(0.2)
        self._read(0.0)
        return self._process.returncode

    def _read(self, seconds: float) -> None:
        while select.select([self._ours], [], [], seconds)[0]:
            try:
                data = os.read(self._ours, 65536)
            except OSError:  # the other end is closed
                return
            self.said += data.decode()
            seconds = 0.0


QUESTION = "Send 3 messages to 3 recipients for 0.2310 AUD, from account sandbox?"


@pytest.mark.slow
def test_the_question_has_count_price_and_account(sandbox: Sandbox) -> None:  # noqa: F811
    with Terminal(*RUN) as terminal:
        terminal.wait_for("[y/N] ")
        assert QUESTION in terminal.said
        assert not sandbox.messages
        terminal.type("y\n")
        assert terminal.end() == 0
    assert sent(sandbox) == [1, 1, 1]


@pytest.mark.slow
def test_no_sends_nothing(sandbox: Sandbox) -> None:  # noqa: F811
    with Terminal(*RUN) as terminal:
        terminal.wait_for("[y/N] ")
        terminal.type("\n")
        assert terminal.end() == 1
    assert "nothing was done" in terminal.said
    assert not sandbox.messages
    assert not Path("guests.campaign").exists()


@pytest.mark.slow
def test_input_typed_before_the_question_is_ignored(sandbox: Sandbox) -> None:  # noqa: F811
    with Terminal(*RUN) as terminal:
        terminal.type("y\n")
        terminal.wait_for("[y/N] ")
        time.sleep(0.5)
        assert not sandbox.messages
        terminal.type("n\n")
        assert terminal.end() == 1
    assert not sandbox.messages


@pytest.mark.slow
def test_a_list_that_changed_after_the_plan_is_not_sent(sandbox: Sandbox) -> None:  # noqa: F811
    with Terminal(*RUN) as terminal:
        terminal.wait_for("[y/N] ")
        Path("guests.csv").write_text("Name;Mobile\nZoe;0412345699\n")
        terminal.type("y\n")
        assert terminal.end() == 4
    assert "guests.csv changed since it was read: nothing was sent" in terminal.said
    assert not sandbox.messages


@pytest.mark.slow
def test_a_text_that_changed_after_the_plan_is_not_sent(sandbox: Sandbox) -> None:  # noqa: F811
    Path("text.txt").write_text("Hi {name|friend}\n")
    with Terminal("run", "guests.csv", "--text-file", "text.txt", "--country", "AU") as terminal:
        terminal.wait_for("[y/N] ")
        Path("text.txt").write_text("Bye\n")
        terminal.type("y\n")
        assert terminal.end() == 4
    assert "text.txt changed since it was read" in terminal.said
    assert not sandbox.messages


@pytest.mark.slow
def test_who_opted_out_after_the_plan_is_left_out(sandbox: Sandbox) -> None:  # noqa: F811
    Path("stop.csv").write_text("to\n+61499999999\n")
    with Terminal(*RUN, "--opt-out", "stop.csv") as terminal:
        terminal.wait_for("[y/N] ")
        Path("stop.csv").write_text("to\n+61412345679\n")
        terminal.type("y\n")
        terminal.end()
    assert [it.to for it in sandbox.messages] == ["+61412345678", "+61412345680"]


@pytest.mark.slow
def test_a_contact_list_that_grew_after_the_plan_is_not_sent(
    sandbox: Sandbox,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    from aioclicksend.cli.__main__ import run  # noqa: PLC0415 - needs the extra

    run(["lists", "create", "Guests", "--json"])
    list_id = str(json.loads(capsys.readouterr().out)["list_id"])
    run(["contacts", "add", list_id, "--phone-number", "+61412345678"])
    with Terminal("run", "--list-id", list_id, "--text", "Hi") as terminal:
        terminal.wait_for("[y/N] ")
        run(["contacts", "add", list_id, "--phone-number", "+61412345679"])
        terminal.type("y\n")
        assert terminal.end() == 4
    assert "the list changed since it was read: nothing was sent" in terminal.said
    assert not sandbox.messages


@pytest.mark.slow
def test_with_too_little_credit_it_does_not_ask(sandbox: Sandbox) -> None:  # noqa: F811
    sandbox.balance = "0.10"
    with Terminal(*RUN) as terminal:
        assert terminal.end() == 1
    assert "[y/N]" not in terminal.said
    assert "nothing was sent. Add credit" in terminal.said
    assert not sandbox.messages


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["", "y\n"])
def test_without_a_terminal_it_needs_yes(
    campaign: Callable[..., Said],  # noqa: F811
    sandbox: Sandbox,  # noqa: F811
    answer: str,
) -> None:
    for argv in (
        RUN,
        ("test", "guests.csv", "--text", "Hi", "--country", "AU", "--to", "+61411111111"),
    ):
        said = campaign(*argv, stdin=answer)
        assert said.code == 2
        assert "without a terminal it needs --yes" in said.err
    list_by_pipe = campaign(
        "run", "-", "--text", "Hi", "--journal", "j", stdin="to\n+61412345678\n"
    )
    assert (list_by_pipe.code, "add --yes" in list_by_pipe.err) == (2, True)
    assert not sandbox.messages


@pytest.mark.slow
def test_a_text_from_standard_input_at_a_terminal_needs_yes(sandbox: Sandbox) -> None:  # noqa: F811
    with Terminal("run", "guests.csv", "--text", "-", "--country", "AU") as terminal:
        terminal.type("Hi\n\x04y\n")
        assert terminal.end() == 2
    assert "standard input is used for the list or the text: add --yes" in terminal.said
    assert not sandbox.messages
