"""How commands end: exit codes, one clear line, and nothing private in it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cyclopts import App

import aioclicksend as ac
from aioclicksend.cli import loop
from aioclicksend.cli.__main__ import FAMILIES, app, run
from aioclicksend.cli.asking import confirm
from aioclicksend.cli.errors import Declined, explain
from aioclicksend.cli.output import Output
from aioclicksend.sandbox import Sandbox

from ..hostile import PATIENCE
from .conftest import Cli, Keyboard, start

NUMBER, TEXT = "+61411111199", "Meet me at noon"


def commands(of: App, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name in of:
        if name.startswith("-"):
            continue
        sub = of[name]
        if sub.default_command is not None:
            yield (*path, name), sub.default_command
        yield from commands(sub, (*path, name))


COMMANDS = dict(commands(app))


def test_every_family_is_there() -> None:
    assert {path[0] for path in COMMANDS} == set(FAMILIES)
    assert ("sms", "send") in COMMANDS


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_json_and_a_help(bare: Cli, path: tuple[str, ...]) -> None:
    assert COMMANDS[path].__annotations__["out"] in (Output, "Output")
    result = bare(*path, "--help")
    assert result.code == 0
    assert "--json" in result.out
    assert result.err == ""


def test_no_command_takes_a_secret() -> None:
    options = {name for command in COMMANDS.values() for name in command.__annotations__}
    assert not {it for it in options if "key" in it or "password" in it or "username" in it}


@pytest.mark.parametrize(
    "argv",
    [
        ("sms", "send", NUMBER, "Meet", "me", "at", "noon"),
        ("sms", "send", NUMBER, TEXT, f"--bdoy={TEXT}"),
        ("sms", "send", NUMBER, TEXT, "--frm", "ACME"),
        ("sms", "send", NUMBER, TEXT, "--schedule", NUMBER),
        ("sms", "send", NUMBER, TEXT, "--schedule", "2030-01-01T00:00"),
        ("sms", "send", NUMBER, ""),
        ("sms", "send", NUMBER, " \n"),
        ("sms", "send", NUMBER),
        ("sms", "send", NUMBER.replace("+61", "0"), TEXT),
        ("sms", "send", NUMBER + "0" * 9, TEXT),
        ("sms", "price", NUMBER),
        ("sms", "price", "--text", TEXT),
        ("sms", NUMBER, TEXT),
        (NUMBER, TEXT),
        ("sms", "history", "--limit-items", NUMBER + "x"),
        ("sms", "history", "--limit-items", "0"),
        ("sms", "history", "--since", "yesterday"),
        ("lists", "delete", NUMBER + " x"),
        ("contacts", "list", TEXT),
        ("connections", "list", "--status", NUMBER),
        ("sandbox", "--port", "70000"),
        ("sandbox", "--rate", "0"),
        ("sandbox", "--rate", "often"),
        ("demo", "--rows", "0"),
        ("demo", "--rows", "many"),
        ("nonsense",),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_that_repeats_nothing_private(
    cli: Cli, sandbox: Sandbox, argv: tuple[str, ...]
) -> None:
    result = cli(*argv)
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("aioclicksend: ")
    assert result.err.count("\n") == 1
    for private in (NUMBER, NUMBER[1:], TEXT, "noon"):
        assert private not in result.err
    assert not sandbox.requests


def test_a_choice_is_shown(cli: Cli) -> None:
    assert "one of ACTIVE, PENDING, FAILED" in cli("connections", "list", "--status", "X").err


def test_missing_credentials_end_with_4(bare: Cli) -> None:
    result = bare("account")
    assert (result.code, result.out) == (4, "")
    assert "CLICKSEND_USERNAME" in result.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (Declined(), 1),
        (ac.ConfigurationError("x"), 4),
        (ac.Unauthorized("x", operation="", status=401, response_code=""), 4),
        (ac.Forbidden("x", operation="", status=403, response_code=""), 1),
        (ac.ServerError("x", operation="", status=500, response_code=""), 1),
        (ac.TooManyRequests("x", operation="", status=429, response_code=""), 1),
        (ac.NotSentError("x"), 1),
        (ac.UnknownOutcomeError("x"), 3),
        (ValueError("x"), 2),
        (FileNotFoundError("x"), 2),
    ],
    ids=lambda it: type(it).__name__ if isinstance(it, BaseException) else str(it),
)
def test_exit_codes(error: BaseException, code: int) -> None:
    verdict = explain(error, [])
    assert verdict is not None
    assert verdict.code == code
    assert "\n" not in verdict.text


def test_refs_are_quoted_and_a_long_list_is_cut() -> None:
    error = ac.UnknownOutcomeError("x", refs=["my ref", *map(str, range(9))])
    verdict = explain(error, [])
    assert verdict is not None
    assert "--ref 'my ref' --ref 0 --ref 1 --ref 2 --ref 3 and 5 more" in verdict.text


def test_an_error_of_our_own_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr("aioclicksend.cli.account.Output.ask", broken)
    with pytest.raises(KeyError):
        run(["account"])


def test_a_reader_who_leaves_is_no_error(sandbox: Sandbox) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = start("account", "--json", env=sandbox.environ, stdout=writing)
    os.close(writing)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (141, "")


def test_a_closed_output_pipe_is_no_error(sandbox: Sandbox) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = start("account", env=sandbox.environ, stdout=writing)
    os.close(writing)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (141, "")


@pytest.mark.slow
def test_ctrl_c_is_one_line(sandbox: Sandbox) -> None:
    sandbox.latency = 60
    process = start("account", env=sandbox.environ)
    while not sandbox.requests:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (130, "", "aioclicksend: interrupted\n")


def test_a_signal_is_handled_during_a_network_wait() -> None:
    """As one that comes just before that wait; here it is another thread that takes it."""
    began = threading.Event()

    def take_a_signal() -> None:
        began.wait()
        time.sleep(0.1)  # until the loop has gone to sleep
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    async def waiting() -> None:
        began.set()
        await asyncio.sleep(PATIENCE)

    thread = threading.Thread(target=take_a_signal)
    thread.start()
    since = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        loop.run(waiting())
    assert time.monotonic() - since < PATIENCE
    thread.join()


def test_ctrl_c_at_a_question_is_heard_inside_an_event_loop_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keyboard = Keyboard()

    def interrupted() -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return "y\n"

    done = []

    async def asking() -> None:
        confirm("Really?", yes=False)
        done.append("what was asked about")

    monkeypatch.setattr(keyboard, "readline", interrupted)
    monkeypatch.setattr("sys.stdin", keyboard)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(asking())
    assert not done


def test_a_question_leaves_the_handling_of_ctrl_c_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", Keyboard("y\n"))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        confirm("Really?", yes=False)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("missing", ["cyclopts", "rich"])
def test_without_the_extra_it_says_what_to_install(missing: str) -> None:
    script = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from aioclicksend.cli.__main__ import main\n"
        "main(['--version'])"
    )
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "pip install 'aioclicksend[cli]'" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_version_and_help(bare: Cli) -> None:
    assert bare("--version").out == f"{ac.__version__}\n"
    assert bare().out == bare("--help").out
    assert "Exit codes" in bare("--help").out
