"""The command line against a sandbox that runs in a separate thread."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from aioclicksend.cli.__main__ import main
from aioclicksend.sandbox import Sandbox


class Result(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """The JSON documents on stdout, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


class Keyboard(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


class Cli:
    """Runs commands in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch = monkeypatch
        self.capsys = capsys

    def __call__(self, *argv: object, stdin: str | Keyboard = "") -> Result:
        source = stdin if isinstance(stdin, Keyboard) else io.StringIO(stdin)
        self.monkeypatch.setattr("sys.stdin", source)
        with pytest.raises(SystemExit) as ended:
            main([str(part) for part in argv])
        assert isinstance(ended.value.code, int)
        said = self.capsys.readouterr()
        return Result(ended.value.code, said.out, said.err)

    def made(self, *argv: object) -> Any:
        """Run a command that must succeed and return its JSON document."""
        result = self(*argv, "--json")
        assert (result.code, result.err) == (0, "")
        return result.document


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Run a sandbox while commands, each with its own event loop, come and go.

    A test that is parametrized with it gives its settings.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    sandbox = Sandbox(**getattr(request, "param", {}))
    asyncio.run_coroutine_threadsafe(sandbox.start(), loop).result(5)
    try:
        yield sandbox
    finally:
        asyncio.run_coroutine_threadsafe(sandbox.stop(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start without credentials, at a terminal of unknown width."""
    for name in list(os.environ):
        if name.startswith(("CLICKSEND_", "MATON_")):
            monkeypatch.delenv(name)
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run commands without credentials."""
    return Cli(monkeypatch, capsys)


@pytest.fixture
def cli(bare: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run commands with the sandbox's account."""
    for name, value in sandbox.environ.items():
        monkeypatch.setenv(name, value)
    return bare


def start(
    *argv: str,
    env: dict[str, str] | None = None,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> subprocess.Popen[str]:
    """Start the program in a separate process."""
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "aioclicksend", *argv],
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env=env,
    )
