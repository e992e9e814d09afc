"""`aioclicksend sandbox` and the commands that act on one that runs."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aioclicksend.sandbox import Sandbox

from .conftest import Cli, start

ROOT = Path(__file__).parent.parent.parent


def test_messages_replies_and_receipts(cli: Cli, sandbox: Sandbox) -> None:
    assert cli("sandbox", "messages").code == 1
    cli.made("sms", "send", "+61412345678", "Your code is 123456", "--yes")
    (message,) = cli("sandbox", "messages", "--to", "0412345678", "--json").lines
    assert (message["body"], message["code"]) == ("Your code is 123456", "123456")
    assert cli("sandbox", "messages", "--code", "--wait", "5").out == "123456\n"
    table = cli("sandbox", "messages")
    assert "Your code is 123456" in table.out
    reply = cli.made("sandbox", "send-reply", "+61412345678", "STOP")
    assert reply["original_message_id"] == message["message_id"]
    assert sandbox.inbound[0].body == "STOP"
    receipt = cli.made(
        "sandbox", "deliver", message["message_id"], "--status-code", "301", "--error-code", "12"
    )
    assert (receipt["status_code"], receipt["error_code"]) == (301, 12)
    assert sandbox.messages[0].status == "Failed"
    # What came after the code does not hide it.
    cli.made("sms", "send", "+61412345678", "Welcome back", "--yes")
    assert cli("sandbox", "messages", "--code").out == "123456\n"


def test_no_code_is_exit_code_1(cli: Cli) -> None:
    result = cli("sandbox", "messages", "--code")
    assert (result.code, result.out, result.err) == (1, "", "no message with a code\n")


def test_faults_are_armed_listed_and_cleared(cli: Cli, sandbox: Sandbox) -> None:
    options = ("--times", "2", "--path", "/v3/account", "--option", "retry_after=7")
    (fault,) = cli("sandbox", "faults", "refuse-429", *options, "--json").lines
    assert (fault["fault"], fault["times"], fault["retry_after"]) == ("refuse-429", 2, 7)
    assert "refuse-429" in cli("sandbox", "faults").out
    assert cli("sandbox", "faults", "--clear").out == "1 disarmed\n"
    assert sandbox.faults == []


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("faults", "no-such"), "no-such"),
        (("deliver", "no-such"), "no message has this id"),
        (("messages", "--url", "http://127.0.0.1:9"), "127.0.0.1"),
    ],
)
def test_what_the_sandbox_refuses_is_one_line(cli: Cli, argv: tuple[str, ...], said: str) -> None:
    result = cli("sandbox", *argv)
    assert result.code != 0
    assert said in result.err
    assert result.err.count("\n") == 1


def test_another_server_is_no_sandbox(cli: Cli, sandbox: Sandbox) -> None:
    result = cli("sandbox", "messages", "--url", sandbox.url + "/files")
    assert result.code != 0


@pytest.mark.slow
def test_the_banner_points_an_application_at_it() -> None:
    process = start("sandbox", "--port", "0", "--reject", "+61400000009", "--trial", "5")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(10)]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")
    text = "".join(lines)
    url = lines[0].split()[3]
    for line in (
        "export CLICKSEND_USERNAME=sandbox",
        "export CLICKSEND_API_KEY=sandbox",
        f"export CLICKSEND_BASE_URL={url}",
        "export MATON_API_KEY=sandbox",
        f"export MATON_CONTROL_URL={url}",
    ):
        assert line + "\n" in text


@pytest.mark.slow
def test_the_container_starts_a_sandbox_that_is_healthy() -> None:
    text = (ROOT / "examples" / "testing" / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE)
    assert all((ROOT / name).exists() for line in copied for name in line.split())
    (entry,) = re.findall(r"^ENTRYPOINT (.+)$", text, re.MULTILINE)
    (check,) = re.findall(r"^HEALTHCHECK CMD (.+)$", text, re.MULTILINE)
    program, *arguments = json.loads(entry)
    assert program == "aioclicksend"
    process = start(*arguments, "--port", "0")
    assert process.stdout is not None
    url = process.stdout.readline().split()[3]
    _, flag, code = json.loads(check)
    healthy = subprocess.run(  # noqa: S603
        [sys.executable, flag, code.replace("http://127.0.0.1:8080", url)], check=False
    )
    # As `docker stop` ends it.
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert (healthy.returncode, process.returncode) == (0, 0)


@pytest.mark.parametrize(
    "options",
    [
        ("--host", "0.0.0.0"),  # noqa: S104
        ("--barred", "US=alpha"),
        ("--trial", "-1"),
        ("--auto-deliver", "-1"),
        ("--keep", "0"),
        ("--state", "pyproject.toml"),
    ],
)
def test_bad_options_are_refused_before_the_server_listens(
    cli: Cli, options: tuple[str, ...]
) -> None:
    result = cli("sandbox", "--port", "0", *options)
    assert result.code == 2
    assert result.err.count("\n") == 1


def test_json_names_the_variables() -> None:
    process = start("sandbox", "--port", "0", "--json")
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert ready["environ"]["CLICKSEND_BASE_URL"] == ready["url"]
