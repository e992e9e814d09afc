"""`aioclicksend campaign`: preview, test, cancel, list, report, and what errors look like."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aioclicksend.sandbox import Fault, Sandbox

from .test_cli import RUN, Said, campaign, sandbox, sent  # noqa: F401 - fixtures

pytest.importorskip("cyclopts", reason="the extra cli is absent")

Command = Callable[..., Said]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_preview_shows_the_texts_and_sends_nothing(
    campaign: Command,  # noqa: F811
    sandbox: Sandbox,  # noqa: F811
) -> None:
    args = ("guests.csv", "--text", "Hi {name|friend}", "--country", "AU")
    said = campaign("preview", *args, "--csv", "-")
    assert [(it["row"], it["to"], it["text"]) for it in rows(said.out)] == [
        ("2", "+61412345678", "Hi Anna"),
        ("3", "+61412345679", "Hi Bob"),
        ("4", "+61412345680", "Hi friend"),
    ]
    assert "Hi friend" in campaign("preview", *args).out
    written = campaign("preview", *args, "--csv", "p.csv", "--json")
    assert json.loads(written.out) == {"messages": 3, "file": "p.csv"}
    assert rows(Path("p.csv").read_text()) == rows(said.out)
    assert "one of the files" in campaign("preview", *args, "--csv", "guests.csv").err
    assert not sandbox.requests


def test_test_messages_go_to_the_given_number_only(campaign: Command, sandbox: Sandbox) -> None:  # noqa: F811
    args = ("test", "guests.csv", "--text", "Hi {name|friend}", "--country", "AU", "--yes")
    assert campaign(*args, "--to", "+61411111111", "--count", "2").code == 0
    assert [(it.to, it.body) for it in sandbox.messages] == [
        ("+61411111111", "Hi Anna"), ("+61411111111", "Hi Bob"),
    ]  # fmt: skip
    assert not Path("guests.campaign").exists()
    assert campaign(*RUN).code == 0
    assert len(sandbox.messages) == 5


def test_campaigns_are_listed_and_cancelled(campaign: Command, sandbox: Sandbox) -> None:  # noqa: F811
    assert campaign("list", "--json").out == "[]\n"
    assert campaign("list", "nowhere").code == 4
    assert campaign(*RUN).code == 0
    (listed,) = [json.loads(line) for line in campaign("list", "--json").out.splitlines()]
    assert (listed["journal"], listed["state"], listed["accepted"]) == (
        "guests.campaign", "complete", 3,
    )  # fmt: skip
    assert campaign("cancel", "guests.campaign").code == 2
    assert campaign("cancel", "guests.campaign", "--yes").code == 0
    assert "cancelled" in campaign("list").out
    assert "was cancelled on" in campaign("resume", "guests.campaign", "--yes").err
    assert campaign("cancel", "guests.campaign", "--undo").code == 0
    assert campaign("resume", "guests.campaign", "--yes").code == 0
    assert len(sandbox.messages) == 3


def test_what_the_server_keeps_is_cancelled_there(campaign: Command, sandbox: Sandbox) -> None:  # noqa: F811
    later = ("--at", "2100-01-01 09:00", "--zone", "UTC", "--at-server")
    said = campaign(*RUN, *later)
    assert said.code == 0
    assert {it.status for it in sandbox.messages} == {"Scheduled"}
    said = campaign("cancel", "guests.campaign", "--yes", "--json")
    assert said.json["at_server"] == {"cancelled": 3, "too_late": 0}
    assert {it.status for it in sandbox.messages} == {"Cancelled"}


def test_a_complete_campaign_says_so_and_sends_nothing(
    campaign: Command,  # noqa: F811
    sandbox: Sandbox,  # noqa: F811
) -> None:
    assert campaign(*RUN).code == 0
    again = campaign(*RUN)
    assert again.code == 0
    assert "complete since 20" in again.err
    assert "nothing was sent. To send it again" in again.err
    assert sent(sandbox) == [1, 1, 1]


def test_a_corrected_name_or_encoding_sends_nothing_twice(
    campaign: Command,  # noqa: F811
    sandbox: Sandbox,  # noqa: F811
) -> None:
    assert campaign(*RUN).code == 0
    Path("guests.csv").write_text(
        "Name;Mobile;City\r\nAnnette;0412345678;Perth\r\nBob;0412 345 679;\r\n"
        "Zo\u00eb;0412345681;\r\n",
        encoding="cp1252",
    )
    plan = campaign("plan", "guests.csv", "--text", "Hi {name|friend}", "--country", "AU",
                    "--encoding", "cp1252")  # fmt: skip
    for part in ("new 1", "sent before, unchanged 1", "changed since (not sent again) 1",
                 "gone from the list 1", "to be sent 1 message, 1 part"):  # fmt: skip
        assert part in " ".join(plan.out.split())
    assert campaign(*RUN, "--encoding", "cp1252").code == 0
    assert sent(sandbox) == [1, 1, 1, 1]
    assert sandbox.messages[-1].body == "Hi Zo\u00eb"


def test_the_report_is_a_row_for_each_row_of_the_list(
    campaign: Command,  # noqa: F811
    sandbox: Sandbox,  # noqa: F811
) -> None:
    run = tuple("people.csv" if it == "guests.csv" else it for it in RUN)
    assert campaign(*run).code == 1  # a row is left out
    sandbox.deliver(sandbox.messages[0].message_id)
    sandbox.deliver(sandbox.messages[1].message_id, 301, 12)
    assert campaign("receipts", "people.campaign", "--once").code == 0
    table = rows(campaign("report", "people.campaign", "--csv", "-").out)
    assert [
        (it["row"], it["name"], it["number"], it["outcome"], it["delivery"]) for it in table
    ] == [
        ("2", "Anna", "0412345678", "accepted", "delivered"),
        ("3", "Bob", "0412 345 679", "accepted", "failed"),
        ("4", "", "0412345680", "accepted", ""),
        ("5", "Cleo", "not yet", "left_out", ""),
    ]
    assert table[3]["reason"].startswith("bad number: ")
    for name in ("r.json", "r.xlsx"):
        assert campaign("report", "people.campaign", "--csv", name).code == 1
    assert [it["to"] for it in json.loads(Path("r.json").read_text())] == [
        it["to"] or None for it in table
    ]
    if sys.platform != "win32":
        assert stat.S_IMODE(Path("r.xlsx").stat().st_mode) == 0o600
    for target in ("people.campaign", "people.csv"):
        assert "one of the files" in campaign("report", "people.campaign", "--csv", target).err
    again = campaign("report", "people.campaign", "--failed", "--csv", "again.csv")
    assert "rows to send again" in again.err
    assert Path("again.csv").read_text().splitlines() == ["Name,Mobile,City", "Bob,0412 345 679,"]
    said = campaign("run", "again.csv", "--text", "Hi {name}", "--country", "AU", "--yes")
    assert said.code == 0
    assert [it.to for it in sandbox.messages][3:] == ["+61412345679"]


def test_resolve_without_doubt_is_one_line(campaign: Command, sandbox: Sandbox) -> None:  # noqa: F811
    assert campaign(*RUN).code == 0
    for decision in ("--sent", "--resend"):
        said = campaign("resolve", "guests.campaign", decision)
        assert (said.code, said.err) == (0, "no message is in doubt: nothing was changed\n")
    sandbox.fail_every(lambda it: Fault.ERROR_BEFORE if it.path.endswith("/sms/send") else None)
    run = ("run", "people.csv", "--text", "Ho", "--country", "AU", "--rate", "0", "--yes")
    ended = campaign(*run, "--settle", "0", "--no-ramp")
    assert ended.code == 3
    assert (
        "to decide on what is unknown: aioclicksend campaign resolve people.campaign" in ended.err
    )
    assert campaign("resolve", "people.campaign", "--sent").code == 2
    typo = campaign("resolve", "people.campaign", "--sent", "--ref", "typo", "--yes")
    assert (typo.code, typo.err.count("\n")) == (2, 1)
    assert "no message in doubt has this ref" in typo.err


def test_errors_are_json_where_json_is_wanted(campaign: Command) -> None:  # noqa: F811
    for argv, code, name in (
        (("run", "guests.csv", "--text", "Hi"), 1, "refused"),
        (("run", "absent.csv", "--text", "Hi"), 4, "configuration"),
        (("status", "absent"), 4, "configuration"),
        (("run", "guests.csv", "--nonsense"), 2, "usage"),
        (RUN[:-1], 2, "usage"),
    ):
        strict = ("--strict",) if name == "refused" else ()
        said = campaign(*argv, *(("--country", "AU") if strict else ()), *strict, "--json")
        assert (said.code, said.out) == (code, "")
        error = json.loads(said.err.splitlines()[-1])["error"]
        assert error["code"] == name
        assert error["message"]


def test_strict_refuses_what_has_a_warning(campaign: Command, sandbox: Sandbox) -> None:  # noqa: F811
    said = campaign(*RUN, "--strict")
    assert said.code == 1
    assert "--strict: nothing was sent, because of opt_out_missing" in said.err
    assert not sandbox.messages
    plan = ("plan", "guests.csv", "--country", "AU", "--text")
    assert campaign(*plan, "Hi", "--strict", "--offline").code == 1
    assert campaign(*plan, "Hi. Reply STOP to opt out", "--strict").code == 0
    codes = [it["code"] for it in campaign(*plan, "Hi", "--json").json["warnings"]]
    assert codes == ["opt_out_missing"]


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--at", "2100-01-01 09:00"), 4, "needs --zone"),
        (("--at", "2001-01-01 09:00", "--zone", "UTC"), 4, "lies in the past"),
        (("--at", "soon", "--zone", "UTC"), 4, "must be a time such as"),
        (("--quiet", "us", "--not-before", "09:00"), 2, "give either --quiet"),
        (("--column", "shcedule=Name"), 4, "did you mean schedule?"),
        (("--channel", "mms"), 2, "needs --media and --subject"),
        (("--voice", "male"), 2, "are for --channel voice"),
        (("--text-file", "absent.txt"), 2, "give one of --text and --text-file"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    campaign: Command,  # noqa: F811
    sandbox: Sandbox,  # noqa: F811
    options: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    said = campaign(*RUN, *options)
    assert (said.code, said.out) == (code, "")
    assert says in said.err
    assert not sandbox.messages


def test_fields_of_column_are_in_the_help(campaign: Command) -> None:  # noqa: F811
    output = " ".join(campaign("run", "--help").out.replace("│", " ").split())
    for field in ("to", "body", "country", "schedule", "name"):
        assert f"{field}, " in output


@pytest.mark.parametrize(
    ("options", "path"),
    [
        (("--channel", "voice", "--lang", "en-au"), "/voice/send"),
        (
            ("--channel", "mms", "--media", "https://a.example/a.gif", "--subject", "Hello"),
            "/mms/send",
        ),
    ],
)
def test_other_channels(
    campaign: Command,  # noqa: F811
    sandbox: Sandbox,  # noqa: F811
    options: tuple[str, ...],
    path: str,
) -> None:
    assert campaign(*RUN, *options).code == 0
    assert any(it.path.endswith(path) for it in sandbox.requests)
    assert campaign(*RUN, *options).code == 0
    assert sent(sandbox) == [1, 1, 1]
    assert "another channel" in campaign(*RUN).err


ESCAPE = "\x1b[2J\nFORGED"


def test_no_name_of_a_file_reaches_the_terminal_raw(campaign: Command) -> None:  # noqa: F811
    journal = f"a{ESCAPE}.campaign"
    assert campaign(*RUN, "--journal", journal, "--problems", f"p{ESCAPE}.csv").code in (0, 1)
    commands = [
        (*RUN, "--journal", journal, "--problems", f"q{ESCAPE}.csv"),
        ("status", journal),
        ("report", journal, "--csv", f"r{ESCAPE}.csv"),
        ("report", journal, "--failed", "--csv", f"f{ESCAPE}.csv"),
        ("status", f"none{ESCAPE}"),
        ("plan", f"none{ESCAPE}.csv", "--text", "Hi", "--country", "AU"),
        ("plan", "guests.csv", "--text-file", f"none{ESCAPE}", "--country", "AU"),
    ]
    for command in commands:
        said = campaign(*command)
        assert "\x1b" not in said.out + said.err
        assert "\nFORGED" not in said.out + said.err


def test_a_report_replaces_none_of_the_files_of_its_campaign(campaign: Command) -> None:  # noqa: F811
    Path("stop.csv").write_text("0499999999\n")
    Path("text.txt").write_text("Hi {name|friend}")
    options = ("--text-file", "text.txt", "--country", "AU", "--opt-out", "stop.csv", "--yes")
    assert campaign("run", "guests.csv", *options).code == 0
    names = ("guests.csv", "stop.csv", "text.txt", "guests.campaign", "guests.campaign-wal")
    for name in names:
        for how in ([], ["--failed"]):
            said = campaign("report", "guests.campaign", *how, "--csv", name)
            assert (said.code, "one of the files" in said.err) == (4, True), name
    assert Path("stop.csv").read_text() == "0499999999\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
@pytest.mark.parametrize("target", ["pipe", "/dev/zero"])
def test_a_pipe_or_a_device_is_not_read_as_a_file(campaign: Command, target: str) -> None:  # noqa: F811
    """Each would block forever, or have no end."""
    if target == "pipe":
        os.mkfifo("pipe")
    commands = [
        ("plan", target, "--text", "Hi", "--country", "AU"),
        ("plan", "guests.csv", "--text-file", target, "--country", "AU"),
        ("plan", "guests.csv", "--text", "Hi", "--country", "AU", "--opt-out", target),
    ]
    for command in commands:
        said = campaign(*command)
        assert (said.code, "no regular file" in said.err) == (4, True), said.err


def test_a_run_names_its_list(campaign: Command) -> None:  # noqa: F811
    assert campaign(*RUN).out.splitlines()[0] == "guests.csv"
