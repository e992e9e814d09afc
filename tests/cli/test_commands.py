"""The commands of lists, contacts, templates, connections, account and sandbox."""

from __future__ import annotations

import json
import signal

import pytest

from aioclicksend.sandbox import Sandbox

from .conftest import Cli, Keyboard, start


def test_account_leaves_keys_out(cli: Cli) -> None:
    shown = cli("account")
    assert shown.code == 0
    assert "1000.000000" in shown.out
    assert "AUD" in shown.out
    output = cli.made("account")
    assert output["balance"] == "1000.000000"
    assert output["_subaccount"]["api_key"] is None


def test_a_list_from_its_creation_to_its_end(cli: Cli) -> None:
    list_id = cli.made("lists", "create", "Friends")["list_id"]
    assert cli.made("lists", "rename", list_id, "Foes")["list_name"] == "Foes"
    assert cli.made("lists", "list")["list_id"] == list_id
    assert "Foes" in cli("lists", "list").out
    assert cli.made("lists", "delete", list_id, "--yes") == {"deleted": True, "list_id": list_id}
    empty = cli("lists", "list")
    assert (empty.code, empty.out, empty.err) == (0, "", "nothing there\n")


def test_a_contact_from_its_creation_to_its_end(cli: Cli) -> None:
    here, there = (cli.made("lists", "create", name)["list_id"] for name in ("Here", "There"))
    number = ("--phone-number", "+61411111111")
    added = cli.made("contacts", "add", here, *number, "--first-name", "Ada")
    contact_id = added["contact_id"]
    assert (added["phone_number"], added["first_name"]) == ("+61411111111", "Ada")

    updated = cli.made("contacts", "update", here, contact_id, "--email", "ada@example.com")
    assert (updated["first_name"], updated["email"]) == ("Ada", "ada@example.com")

    copied = cli.made("contacts", "copy", here, contact_id, there)
    assert copied["list_id"] == there
    assert cli.made("contacts", "delete", there, copied["contact_id"], "--yes")["deleted"]
    assert cli.made("contacts", "move", here, contact_id, there)["list_id"] == there
    assert cli("contacts", "list", here, "--json").out == "[]\n"
    assert cli.made("contacts", "list", there)["first_name"] == "Ada"
    assert (
        cli("contacts", "list", there, "--json", "--updated-after", "2100-01-01T00Z").out == "[]\n"
    )


def test_a_contact_needs_something_to_be_reached_by(cli: Cli, sandbox: Sandbox) -> None:
    assert cli("contacts", "add", 1, "--first-name", "Ada").code == 2
    assert cli("contacts", "update", 1, 2).code == 2
    assert not sandbox.requests


def test_duplicates_are_removed(cli: Cli) -> None:
    list_id = cli.made("lists", "create", "Friends")["list_id"]
    for name in ("Ada", "Ida"):
        add = ("contacts", "add", list_id, "--phone-number", "+61411111111")
        cli.made(*add, "--first-name", name)
    by_both = ("--field", "phone_number", "--field", "first_name")
    removed = cli.made("lists", "remove-duplicates", list_id, "--yes", *by_both)
    assert removed == {"deleted": 0, "list_id": list_id}
    assert cli.made("lists", "remove-duplicates", list_id, "--yes")["deleted"] == 1


def test_a_template_from_its_creation_to_its_end(cli: Cli) -> None:
    made = cli("templates", "create", "hello", "-", "--json", stdin="Hi {name}\n").document
    assert made["body"] == "Hi {name}"
    template_id = made["template_id"]
    assert cli.made("templates", "update", template_id, "hello", "Bye")["body"] == "Bye"
    assert "Bye" in cli("templates", "list").out
    assert cli("templates", "delete", template_id, "--yes").code == 0
    assert cli("templates", "list", "--json").out == "[]\n"


@pytest.fixture
def maton(bare: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("MATON_API_KEY", sandbox.maton_key)
    monkeypatch.setenv("MATON_CONTROL_URL", sandbox.control_url)
    monkeypatch.setenv("CLICKSEND_BASE_URL", f"{sandbox.url}/clicksend")
    return bare


def test_a_connection_from_its_creation_to_its_end(maton: Cli) -> None:
    made = maton("connections", "create", "--json")
    connection_id = made.document["connection_id"]
    assert made.err == f"where to sign in: aioclicksend connections get {connection_id}\n"
    (pending,) = maton("connections", "list", "--status", "PENDING", "--json").lines
    assert pending["connection_id"] == connection_id
    assert len(maton("connections", "list", "--json").lines) == 2
    assert pending["url"] in maton("connections", "get", connection_id).out
    assert pending["url"] not in maton("connections", "list").out
    assert maton("connections", "delete", connection_id, "--yes").code == 0
    assert maton("connections", "get", connection_id).code == 1
    assert maton("account").code == 0


def test_connections_without_maton_are_a_matter_of_configuration(cli: Cli) -> None:
    assert cli("connections", "list").code == 4


@pytest.mark.parametrize(
    "command",
    [
        ("lists", "delete", 1),
        ("lists", "remove-duplicates", 1),
        ("contacts", "delete", 1, 2),
        ("templates", "delete", 1),
        ("connections", "delete", "it"),
    ],
)
def test_deleting_without_a_terminal_needs_yes(
    cli: Cli, sandbox: Sandbox, command: tuple[object, ...]
) -> None:
    result = cli(*command, stdin="y\n")
    assert result.code == 2
    assert "--yes" in result.err
    assert not sandbox.requests


@pytest.mark.parametrize(
    ("answer", "code", "left"), [("y\n", 0, 0), ("YES\n", 0, 0), ("\n", 1, 1), ("", 1, 1)]
)
def test_deleting_at_a_terminal_asks(cli: Cli, answer: str, code: int, left: int) -> None:
    list_id = cli.made("lists", "create", "Friends")["list_id"]
    result = cli("lists", "delete", list_id, stdin=Keyboard(answer))
    assert result.code == code
    assert result.err.startswith(f"Delete list {list_id} and all its contacts?")
    assert ("\naioclicksend: nothing was done" in result.err) == (not answer)
    assert ("nothing was done" in result.err) == bool(left)
    assert cli("lists", "list").out.count("Friends") == left


def test_the_sandbox_says_where_it_is_and_ends_well(
    bare: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start("sandbox", "--port", "0", "--rate", "20/1", "--latency", "0.01", "--json")
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    monkeypatch.setenv("CLICKSEND_BASE_URL", ready["url"])
    monkeypatch.setenv("CLICKSEND_USERNAME", ready["username"])
    monkeypatch.setenv("CLICKSEND_API_KEY", ready["api_key"])
    assert bare("account").code == 0
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_port_in_use_is_reported_in_one_line(bare: Cli, sandbox: Sandbox) -> None:
    result = bare("sandbox", "--port", sandbox.url.rpartition(":")[2])
    assert result.code == 2
    assert result.err.count("\n") == 1


def test_credentials_of_the_sandbox_stay_out_of_its_errors(cli: Cli, sandbox: Sandbox) -> None:
    cli.monkeypatch.setenv("CLICKSEND_API_KEY", "SECRET-KEY")
    result = cli("account")
    assert result.code == 4
    assert "401" in result.err
    assert "SECRET-KEY" not in result.err
    assert sandbox.environ["CLICKSEND_API_KEY"] != "SECRET-KEY"
