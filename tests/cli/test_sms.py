"""`aioclicksend sms`."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

from aioclicksend.cli.sms import countries_of
from aioclicksend.models.results import SmsRow, send_result
from aioclicksend.sandbox import Sandbox

from .conftest import Cli, Keyboard, start

TO = "+61411111112"


def test_send_shows_the_reply(cli: Cli, sandbox: Sandbox) -> None:
    result = cli(
        "sms", "send", TO, "Hello there", "--from", "ACME", "--custom-string", "mine", "--yes"
    )
    assert result.code == 0
    assert "SUCCESS" in result.out
    assert "mine" in result.out
    (record,) = sandbox.messages
    assert (record.to, record.body, record.from_, record.custom_string) == (
        TO,
        "Hello there",
        "ACME",
        "mine",
    )


def test_send_as_json_is_one_document(cli: Cli, sandbox: Sandbox) -> None:
    output = cli.made("sms", "send", TO, "Żółw", "--yes")
    assert (output["accepted"], output["rejected"], output["unknown"]) == (1, 0, [])
    assert output["messages"][0]["message_id"] == sandbox.messages[0].message_id
    assert output["messages"][0]["body"] == "Żółw"
    assert cli("sms", "history", "--json").out.isascii()


def test_a_refused_message_ends_with_1(cli: Cli) -> None:
    result = cli("sms", "send", "+1555012", "Hello", "--yes")
    assert result.code == 1
    assert "INVALID_RECIPIENT" in result.out


def test_a_hyphen_reads_the_text_from_stdin(cli: Cli, sandbox: Sandbox) -> None:
    assert cli("sms", "send", TO, "-", "--yes", stdin="-5 % today\n").code == 0
    assert sandbox.messages[0].body == "-5 % today"


def test_a_mistyped_option_is_never_sent_as_the_text(cli: Cli, sandbox: Sandbox) -> None:
    assert cli("sms", "send", TO, "--dry-runn").code == 2
    assert not sandbox.requests


def test_schedule_needs_a_time_zone(cli: Cli, sandbox: Sandbox) -> None:
    naive = cli("sms", "send", TO, "Hello", "--schedule", "2033-05-18T03:33:20", "--yes")
    assert naive.code == 2
    assert "time zone" in naive.err
    assert not sandbox.requests
    assert (
        cli("sms", "send", TO, "Hello", "--schedule", "2033-05-18T05:33:20+02:00", "--yes").code
        == 0
    )
    assert sandbox.messages[0].schedule == 2_000_000_000


def test_a_dry_run_sends_nothing(cli: Cli, sandbox: Sandbox) -> None:
    result = cli("sms", "send", "0411111112", "Hello", "--country", "AU", "--dry-run")
    assert result.code == 0
    assert TO in result.out
    assert "0.0770" in result.out
    assert not sandbox.messages


def test_a_lost_verdict_ends_with_3_and_shows_how_to_look_it_up(cli: Cli, sandbox: Sandbox) -> None:
    sandbox.fail_next("reset-after", path="/sms/send")
    result = cli("sms", "send", TO, "Hello", "--custom-string", "mine", "--yes")
    assert result.code == 3
    assert "aioclicksend sms history --ref mine" in result.err
    assert result.out == ""
    looked_up = cli("sms", "history", "--ref", "mine", "--json")
    assert looked_up.code == 0
    assert looked_up.document["message_id"] == sandbox.messages[0].message_id


def test_a_ref_generated_for_a_lost_message_finds_it(cli: Cli, sandbox: Sandbox) -> None:
    sandbox.fail_next("error-after", path="/sms/send")
    assert cli("sms", "send", TO, "Hello", "--yes").code == 3
    assert cli("sms", "history", "--ref", sandbox.messages[0].custom_string).code == 0


def test_a_message_the_reply_leaves_out_is_unknown(cli: Cli, sandbox: Sandbox) -> None:
    sandbox.fail_next("missing-row", path="/sms/send")
    result = cli("sms", "send", TO, "Hello", "--custom-string", "mine", "--yes")
    assert result.code == 3
    assert "--ref mine" in result.err


def test_a_ref_that_is_not_in_the_history_stays_unknown(cli: Cli) -> None:
    cli("sms", "send", TO, "Hello", "--custom-string", "mine", "--yes")
    result = cli("sms", "history", "--ref", "mine", "--ref", "other")
    assert result.code == 3
    assert "mine" in result.out
    assert result.err == "not in the history (yet): other\n"


def test_a_429_is_waited_out_and_noted(cli: Cli, sandbox: Sandbox) -> None:
    sandbox.fail_next("refuse-429", retry_after=0.1)
    result = cli("sms", "send", TO, "Hello", "--yes")
    assert result.code == 0
    assert result.err == "HTTP 429: trying again in 0.1 s\n"


def test_an_interrupted_send_names_the_ref(sandbox: Sandbox) -> None:
    sandbox.fail_next("hang-after", path="/sms/send")
    process = start("sms", "send", TO, "Hello", "--yes", env=sandbox.environ)
    until = time.monotonic() + 10
    while not sandbox.messages and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert f"sms history --ref {sandbox.messages[0].custom_string} " in err
    assert err.endswith("aioclicksend: interrupted\n")
    assert out == ""
    assert "Traceback" not in err


def test_price_of_several_sends_nothing(cli: Cli, sandbox: Sandbox) -> None:
    result = cli("sms", "price", TO, "+14055550101", "--text", "Hello")
    assert result.code == 0
    assert "total 0.106 AUD" in result.out
    assert not sandbox.messages


def test_price_with_a_bad_number_ends_with_1(cli: Cli) -> None:
    result = cli("sms", "price", TO, "+1555012", "--text", "Hello", "--json")
    assert result.code == 1
    assert (result.document["accepted"], result.document["rejected"]) == (1, 1)


def test_history_as_json_is_a_line_for_each_row(cli: Cli) -> None:
    for ref in ("one", "two", "three"):
        cli("sms", "send", TO, "Hello", "--custom-string", ref, "--yes")
    refs = [row["custom_string"] for row in cli("sms", "history", "--json").lines]
    assert sorted(refs) == ["one", "three", "two"]
    assert len(cli("sms", "history", "--json", "--limit-items", 2).lines) == 2
    assert cli("sms", "history", "--json", "--since", "2100-01-01T00:00Z").out == "[]\n"


@pytest.mark.parametrize("command", ["inbound", "receipts"])
def test_queues_are_walked_and_cut_by_time(cli: Cli, sandbox: Sandbox, command: str) -> None:
    cli("sms", "send", TO, "Hello", "--yes")
    sandbox.receive(TO, "Answer")
    sandbox.deliver(sandbox.messages[0].message_id)
    (row,) = cli("sms", command, "--json", "--since", "2000-01-01T00:00Z").lines
    assert row["message_id"]
    assert cli("sms", command, "--json", "--since", "2100-01-01T00:00Z").out == "[]\n"
    assert cli("sms", command, "--since", "2000-01-01T00:00").code == 2
    assert row["message_id"] in cli("sms", command).out or "Answer" in cli("sms", command).out


def test_cancel_once_and_not_twice(cli: Cli, sandbox: Sandbox) -> None:
    cli("sms", "send", TO, "Hello", "--schedule", "2033-05-18T03:33:20Z", "--yes")
    message_id = sandbox.messages[0].message_id
    assert cli.made("sms", "cancel", message_id, "--yes") == {
        "cancelled": True,
        "message_id": message_id,
    }
    assert sandbox.messages[0].status == "Cancelled"
    again = cli("sms", "cancel", message_id, "--yes")
    assert again.code == 1
    assert again.err.startswith("aioclicksend: PUT /v3/sms/{message_id}/cancel 404")


BARRED = {"countries": ["AU", "US"], "barred_senders": {"US": ["alpha_tag"]}}


@pytest.mark.parametrize("sandbox", [BARRED], indirect=True)
def test_a_price_tells_what_stands_in_the_way_of_each_country(cli: Cli) -> None:
    numbers = [TO, "+12125550123", "+12125550124", "+447700900123"]
    command = ["sms", "price", *numbers, "--text", "Hello", "--from", "ACME"]
    result = cli(*command)
    assert "warning: United States does not take this sender" in result.err
    assert "warning: United Kingdom is not enabled for this account" in result.err
    assert "Australia" not in result.err
    by_name = {it["country"]: it for it in cli(*command, "--json").document["countries"]}
    assert by_name["Australia"]["usable_sender"] is True
    assert by_name["United States"]["recipients"] == 2
    assert by_name["United States"]["usable_sender"] is False
    assert by_name["United Kingdom"]["enabled"] is False


@pytest.mark.parametrize("sandbox", [{"barred_senders": {"AU": ["alpha_tag"]}}], indirect=True)
def test_the_question_tells_what_stands_in_the_way(cli: Cli, sandbox: Sandbox) -> None:
    result = cli("sms", "send", TO, "Hello", "--from", "ACME", stdin=Keyboard("n\n"))
    assert result.code == 1
    warning = "warning: Australia does not take this sender"
    assert 0 <= result.err.find(warning) < result.err.find("Send 1 message to 1 recipient")
    assert not sandbox.messages
    # What asks for a summary is not part of the message that is sent.
    assert cli("sms", "send", TO, "Hello", stdin=Keyboard("y\n")).code == 0
    assert [it.path for it in sandbox.requests if it.path.endswith("/sms/send")]
    assert len(sandbox.messages) == 1


@pytest.mark.parametrize(
    "summary",
    [
        None,
        {"countries": None},
        {"countries": [{"country": {"name": "Australia", "selected": 0}}, "junk", {"country": 1}]},
        {"countries": {"AU": {"name": "Australia", "selected": False, "regulation": []}}},
    ],
)
def test_a_summary_of_any_shape_is_read(summary: Any) -> None:
    quoted = send_result(SmsRow, {"messages": [], "_summary": summary})
    told = [(it.country, it.enabled, it.usable_sender) for it in countries_of(quoted)]
    assert told == ([] if not summary or not summary["countries"] else [("Australia", False, None)])
