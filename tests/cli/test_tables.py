"""What people see: tables that fit, colours where they belong, nothing that steers a screen."""

from __future__ import annotations

import os
import pty
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from aioclicksend.cli.output import cell
from aioclicksend.models.base import Currency
from aioclicksend.sandbox import Sandbox

from .conftest import Cli, start

LONGEST = "+353209112345"
GREEN = "\x1b[1;32m"


def filled(cli: Cli, sandbox: Sandbox) -> None:
    cli("sms", "send", LONGEST, "Hello", "--custom-string", "ac1-3dbc2c19e4aee8370093d3e9", "--yes")
    sandbox.receive(LONGEST, "An answer that goes on and on. " * 9)
    sandbox.deliver(sandbox.messages[0].message_id)
    list_id = cli.made("lists", "create", "A list with a name " * 9)["list_id"]
    reach = ("--phone-number", LONGEST, "--email", "a.rather.long.name@mail.example.com")
    cli.made("contacts", "add", list_id, *reach, "--first-name", "Wolfeschlegelsteinhausen")
    cli.made("templates", "create", "A template", "A text that goes on. " * 20)


@pytest.mark.parametrize("width", [80, 120, 140])
def test_tables_fit_and_show_ids_whole(
    cli: Cli, sandbox: Sandbox, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(cli, sandbox)
    monkeypatch.setenv("COLUMNS", str(width))
    (lists_row,) = cli("lists", "list", "--json").lines
    tables = {
        name: cli(*name.split()).out
        for name in (
            "sms history",
            "sms inbound",
            "sms receipts",
            "lists list",
            f"contacts list {lists_row['list_id']}",
            "templates list",
            "account",
        )
    }
    for name, table in tables.items():
        assert table, name
        assert max(map(len, table.splitlines())) <= width, name
    message_id = sandbox.messages[0].message_id
    for name in ("sms history", "sms receipts"):
        assert message_id in tables[name]
    assert ("ac1-3dbc2c19e4aee8370093d3e9" in tables["sms history"]) == (width == 140)


def test_in_a_pipe_every_row_is_a_line(cli: Cli, sandbox: Sandbox) -> None:
    filled(cli, sandbox)
    table = cli("sms", "inbound").out
    assert len(table.splitlines()) == 3
    assert not any(line.endswith(" ") for line in table.splitlines())
    assert "\x1b" not in table


def test_times_amounts_and_flags_are_printed_readably() -> None:
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    values = [noon, Decimal("0.0770"), True, False, None, 7, Currency(name_short="AUD")]
    assert [cell(it) for it in values] == [
        "2030-01-01 12:00",
        "0.0770",
        "yes",
        "no",
        "",
        "7",
        "AUD",
    ]


def test_control_characters_in_inbound_texts_are_not_printed(cli: Cli, sandbox: Sandbox) -> None:
    sandbox.receive("+61411111111", "\x1b]0;owned\x07\x1b[2J[red]\u202eoh\nno")
    shown = cli("sms", "inbound").out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\u202e" not in shown
    assert "[red]" in shown


def seen_on_a_screen(sandbox: Sandbox, *argv: str, **env: str) -> str:
    ours, theirs = pty.openpty()
    settings = {"TERM": "xterm-256color", "COLUMNS": "80"} | sandbox.environ | env
    process = start(*argv, env=settings, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    while chunk := _read(ours):
        seen += chunk
    os.close(ours)
    assert process.wait(10) == 0
    return seen.decode()


def _read(screen: int) -> bytes:
    try:
        return os.read(screen, 65536)
    except OSError:  # how Linux says that the other side has closed
        return b""


@pytest.mark.slow
def test_colours_on_a_screen(sandbox: Sandbox) -> None:
    assert GREEN in seen_on_a_screen(sandbox, "demo", "--rows", "3", "--no-faults")


@pytest.mark.slow
def test_no_colours_on_a_screen_with_no_color(sandbox: Sandbox) -> None:
    plain = seen_on_a_screen(sandbox, "demo", "--rows", "3", "--no-faults", NO_COLOR="1")
    assert "duplicates" in plain
    assert GREEN not in plain


def test_json_stays_clean_on_a_screen(sandbox: Sandbox) -> None:
    assert seen_on_a_screen(sandbox, "sms", "history", "--json") == "[]\r\n"
