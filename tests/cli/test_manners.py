"""Manners of the command line: one way to give a text, questions, dry runs, a quick start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aioclicksend.sandbox import Fault, Sandbox

from .conftest import Cli, Keyboard

TO = "+61411111112"


def test_version_and_help_import_neither_the_client_nor_aiohttp() -> None:
    script = (
        "import sys\n"
        "from aioclicksend.cli.__main__ import run\n"
        "run(sys.argv[1:])\n"
        "print([it for it in ('aiohttp', 'msgspec', 'anyio') if it in sys.modules])"
    )
    for argv in (["--version"], ["--help"]):
        ended = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", script, *argv],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        assert ended.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_commands_and_their_options(shell: str) -> None:
    from aioclicksend.cli.__main__ import app  # noqa: PLC0415

    script = app.generate_completion(shell=shell)  # type: ignore[arg-type]
    for word in ("campaign", "resume", "--quiet", "--text-file", "templates"):
        assert word.lstrip("-") in script


def test_a_text_is_given_in_one_way_everywhere(cli: Cli, sandbox: Sandbox, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_bytes("\ufeffGr\u00fc\u00dfe\r\n".encode())
    for options, stdin in (
        (("--text", "Gr\u00fc\u00dfe"), ""),
        (("--text", "-"), "\ufeffGr\u00fc\u00dfe\n"),
        (("--text-file", text), ""),
    ):
        assert cli("sms", "send", TO, *options, "--yes", stdin=stdin).code == 0
        assert sandbox.messages[-1].body == "Gr\u00fc\u00dfe"
        assert cli("sms", "price", TO, *options, stdin=stdin).code == 0
        made = cli("templates", "create", "greeting", *options, "--json", stdin=stdin)
        assert made.document["body"] == "Gr\u00fc\u00dfe"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "give the text once"),
        (("Hi", "--text", "Hi"), "give the text once"),
        (("--text-file", "absent.txt"), "absent.txt cannot be read"),
        (("--text-file", "latin.txt"), "latin.txt is not in UTF-8, see byte 2"),
    ],
)
def test_a_text_that_is_missing_or_doubled_is_refused(
    cli: Cli,
    sandbox: Sandbox,
    options: tuple[str, ...],
    says: str,
    tmp_path: Path,
) -> None:
    cli.monkeypatch.chdir(tmp_path)
    Path("latin.txt").write_bytes(b"H\xfc")
    result = cli("sms", "send", TO, *options, "--yes")
    assert result.code in (2, 4)
    assert says in result.err
    assert not sandbox.messages


def test_sending_one_message_asks_with_its_price(cli: Cli, sandbox: Sandbox) -> None:
    assert cli("sms", "send", TO, "Hello", stdin="y\n").code == 2
    assert cli("sms", "send", TO, "Hello", stdin=Keyboard("n\n")).code == 1
    assert not sandbox.messages
    result = cli("sms", "send", TO, "Hello", stdin=Keyboard("y\n"))
    assert result.code == 0
    assert result.err.startswith(
        "Send 1 message to 1 recipient for 0.077 AUD, from account sandbox?"
    )
    assert [it.to for it in sandbox.messages] == [TO]


def test_a_dry_run_looks_like_one(cli: Cli, sandbox: Sandbox) -> None:
    result = cli("sms", "send", TO, "Hello", "--dry-run")
    assert (result.code, "dry run: nothing was sent" in result.err) == (0, True)
    document = cli("sms", "send", TO, "Hello", "--dry-run", "--json").document
    assert document["dry_run"] is True
    assert not any("message_id" in row for row in document["messages"])
    assert "dry_run" not in cli("sms", "send", TO, "Hello", "--yes", "--json").document
    assert len(sandbox.messages) == 1


def test_errors_are_json_where_json_is_wanted(cli: Cli) -> None:
    for argv, name in (
        (("sms", "send", TO, "Hello"), "usage"),
        (("lists", "rename", "99", "x"), "refused_by_server"),
        (("sms", "nonsense"), "usage"),
    ):
        result = cli(*argv, "--json")
        assert result.out == ""
        assert json.loads(result.err)["error"]["code"] == name


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_second_ctrl_c_leaves_and_says_how_to_go_on(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "many.csv").write_text(
        "to\n" + "".join(f"+614{it:08}\n" for it in range(20_000_000, 20_000_050))
    )
    sandbox.fail_every(lambda it: Fault.HANG_AFTER if it.path.endswith("/sms/send") else None)
    process = subprocess.Popen(
        [sys.executable, "-m", "aioclicksend", "campaign", "run", "many.csv", "--text", "Hi",
         "--rate", "0", "--yes"],
        cwd=tmp_path, env=os.environ | sandbox.environ, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not any(it.path.endswith("/sms/send") for it in sandbox.requests):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "once more leaves at once" in err
    assert "the next run looks it up: aioclicksend campaign resume many.campaign" in err
