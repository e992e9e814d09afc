"""`aioclicksend demo`: the proof, and that it would notice."""

from __future__ import annotations

import asyncio
import io
import logging
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend.cli import demo, progress
from aioclicksend.cli.demo import Findings, Vandal
from aioclicksend.cli.recipients import Recipients, ref_of, write
from aioclicksend.models.messages import check
from aioclicksend.sandbox import Arrival, Fault
from aioclicksend.sandbox.phones import parse

from .conftest import Cli, Keyboard, start


@pytest.mark.slow
def test_a_run_through_faults_loses_nothing(bare: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_BATCH", 10)
    monkeypatch.setattr(demo, "_EVERY", 2)
    monkeypatch.setattr(demo, "_SETTLE", 0.5)
    result = bare("demo", "--rows", 60, "--seed", 3, "--json")
    found = result.document
    assert (found["duplicates"], found["lost"], found["misreported"]) == (0, 0, 0)
    # On a slow machine nothing proves within half a second that the history is up to date.
    assert found["accepted"] + found["unknown"] == 59
    assert (found["rows"], found["rejected"]) == (60, {"INVALID_RECIPIENT": 1})
    assert result.code == (3 if found["unknown"] else 0)
    assert found["posts"] > 7
    assert sum(found["broken"].values()) > 3
    assert found["doubted"] >= found["found"] + found["resent"] > 0


def test_the_picture_for_people(bare: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    result = bare("demo", "--rows", 200, "--no-faults")
    assert result.code == 0
    assert max(map(len, result.out.splitlines())) <= 80
    for line in ("United States", "these will be refused: 2 INVALID_RECIPIENT", "0 of 4 requests"):
        assert line in result.out
    shown = {words[0]: words[1:2] for line in result.out.splitlines() if (words := line.split())}
    assert shown["accepted"] == ["198"]
    assert shown["rejected"] == ["2"]
    assert shown["duplicates"] == shown["lost"] == shown["misreported"] == ["0"]


def test_the_recipients_can_be_kept_but_never_overwrite(bare: Cli, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    assert bare("demo", "--rows", 5, "--no-faults", "--csv", path).code == 0
    kept = path.read_text(encoding="utf-8")
    assert len(kept.splitlines()) == 6
    assert bare("demo", "--rows", 5, "--no-faults", "--csv", path).code == 2
    assert path.read_text(encoding="utf-8") == kept


def test_a_failed_proof_ends_with_1(bare: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_judge", lambda *_: (1, 0, 0))
    result = bare("demo", "--rows", 3, "--no-faults")
    assert result.code == 1
    assert "must not happen" in result.out


@pytest.mark.slow
def test_ctrl_c_in_the_middle_is_one_line() -> None:
    process = start("demo", "--rows", "3000")
    assert process.stdout is not None
    while "will be refused" not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=15)
    assert process.returncode == 130
    assert err.endswith("aioclicksend: interrupted\n")
    assert "Traceback" not in err
    assert "duplicates" not in out


MESSAGE = ac.SmsMessage(to="+61411111111", body="x")
A, B, WRONG = (ref_of(index) for index in range(3))


def judged(
    accepted: list[str], rejected: list[str], outcomes: list[ac.Accepted | Any]
) -> tuple[int, int, int]:
    recipients = Recipients(Path("none"), {"AU": 3}, frozenset({WRONG}))
    record: Any = SimpleNamespace(
        messages=[SimpleNamespace(custom_string=ref) for ref in accepted],
        rejected=[SimpleNamespace(custom_string=ref) for ref in rejected],
    )
    return demo._judge(recipients, outcomes, record)


def taken(ref: str) -> ac.Accepted:
    return ac.Accepted(MESSAGE, ref, "ID", 1, Decimal(0))


REFUSED = ac.Rejected(MESSAGE, WRONG, "INVALID_RECIPIENT")


def test_the_judge_finds_nothing_where_all_is_well() -> None:
    assert judged([A, B], [WRONG, WRONG], [taken(A), taken(B), REFUSED]) == (0, 0, 0)


def test_the_judge_counts_what_was_accepted_twice() -> None:
    assert judged([A, B, B, B], [WRONG], [taken(A), taken(B), REFUSED]) == (2, 0, 0)


def test_the_judge_counts_what_is_nowhere() -> None:
    assert judged([A], [WRONG], [taken(A), REFUSED]) == (0, 1, 1)
    assert judged([A], [WRONG], [taken(A), taken(B), REFUSED]) == (0, 1, 1)


def test_unknown_messages_do_not_count_as_lost() -> None:
    unknown, not_sent = (kind(MESSAGE, B, ac.Reason.STOPPED) for kind in (ac.Unknown, ac.NotSent))
    assert judged([A], [WRONG], [taken(A), unknown, REFUSED]) == (0, 0, 0)
    assert judged([A], [WRONG], [taken(A), not_sent, REFUSED]) == (0, 0, 0)


def test_the_judge_counts_reports_that_contradict_the_record() -> None:
    not_sent = ac.NotSent(MESSAGE, B, ac.Reason.STOPPED)
    assert judged([A, B], [WRONG], [taken(A), not_sent, REFUSED]) == (0, 0, 1)
    refused = ac.Rejected(MESSAGE, B, "INVALID_RECIPIENT")
    assert judged([A, B], [WRONG], [taken(A), refused, REFUSED]) == (0, 0, 1)
    assert judged([A], [B, WRONG], [taken(A), refused, REFUSED]) == (0, 0, 1)
    assert judged([A, B, WRONG], [], [taken(A), taken(B), taken(WRONG)]) == (0, 0, 1)
    assert judged([A, B, WRONG], [WRONG], [taken(A), taken(B), REFUSED]) == (0, 0, 1)
    assert judged([A, B], [], [taken(A), taken(B), REFUSED]) == (0, 1, 1)


@pytest.mark.parametrize(
    ("counts", "code"),
    [
        ({}, 0),
        ({"duplicates": 1}, 1),
        ({"lost": 1}, 1),
        ({"misreported": 1}, 1),
        ({"not_sent": 1}, 1),
        ({"unknown": 1}, 3),
        ({"unknown": 1, "lost": 1}, 1),
    ],
    ids=str,
)
def test_how_the_demonstration_ends(counts: dict[str, int], code: int) -> None:
    zeros = dict.fromkeys(Findings.__struct_fields__, 0)
    assert Findings(**(zeros | counts)).exit_code == code  # type: ignore[arg-type]


def arrival(path: str, method: str = "POST") -> Arrival:
    return Arrival(method, path, {}, {}, b"", 0.0)


def test_the_vandal_breaks_every_fifth_send_in_every_way() -> None:
    vandal = Vandal(Random(1))
    faults = [vandal(arrival("/v3/sms/send")) for _ in range(40)]
    assert [sum(it is not None for it in faults[at : at + 5]) for at in range(0, 40, 5)] == [1] * 8
    assert {*faults} - {None} == {*demo._MEANING}
    later = [vandal(arrival("/v3/sms/send")) for _ in range(350)]
    assert Fault.HANG_AFTER not in later
    assert vandal.broken == Counter(it for it in faults + later if it is not None)


def test_the_vandal_breaks_nothing_else() -> None:
    vandal = Vandal(Random(1))
    for _ in range(100):
        assert vandal(arrival("/v3/sms/price")) is None
        assert vandal(arrival("/v3/sms/history", "GET")) is None


def test_recipients_are_distinct_and_taken_but_for_the_wrong_ones(tmp_path: Path) -> None:
    made = write(tmp_path / "people.csv", 6000, Random(1))
    messages = list(made.messages())
    assert [it.custom_string for it in messages] == made.refs
    assert len(made.by_country) == 7
    assert len(made.wrong) == 36
    right = [it for it in messages if it.custom_string not in made.wrong]
    assert len({it.to for it in right}) == len(right)
    for message in messages:
        check(message, single=True)
        assert (parse(message.to or "") is None) == (message.custom_string in made.wrong)


def test_the_same_seed_writes_the_same_people(tmp_path: Path) -> None:
    one, two, other = (
        write(tmp_path / f"{place}.csv", 50, Random(seed)) for place, seed in enumerate((1, 1, 2))
    )
    assert one.path.read_bytes() == two.path.read_bytes() != other.path.read_bytes()


class Bulk:
    """A bulk sender in the middle of its work."""

    accepted = 1200

    def statistics(self) -> ac.Statistics:
        return ac.Statistics(
            **dict.fromkeys(ac.Statistics.__struct_fields__, 0)  # type: ignore[arg-type]
            | {
                "accepted": self.accepted,
                "rejected": 30,
                "not_sent": 5,
                "in_doubt": 100,
                "on_wire": 50,
            }
            | {"cost": Decimal("92.4"), "held": None}
        )


async def test_progress_in_a_pipe_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()  # no terminal
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr(progress, "_LINE", 0.01)
    bulk: Any = Bulk()
    async with progress.watch(bulk.statistics, 5000):
        logging.getLogger("aioclicksend").warning("something %s", "[odd]")
        await until(lambda: "spent" in screen.getvalue())
    assert logging.getLogger("aioclicksend").propagate
    said = screen.getvalue()
    logging.getLogger("aioclicksend").info("not shown")
    assert screen.getvalue() == said
    assert capsys.readouterr().out == ""
    note, first, *_ = said.splitlines()
    assert note == "  something [odd]"
    assert first.startswith(
        "1,235/5,000 · sent 1,380 · accepted 1,200 · rejected 30 · in doubt 100 · spent 92.40 · "
    )


async def test_progress_on_a_screen_leaves_stdout_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Keyboard()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(progress, "_REDRAW", 0.01)
    bulk: Any = Bulk()
    async with progress.watch(bulk.statistics, 5000):
        await until(lambda: "in doubt 100" in screen.getvalue())
        sys.stdout.write("a result\n")
    assert capsys.readouterr().out == "a result\n"
    assert "1,235/5,000" in screen.getvalue()


async def until(seen: Callable[[], bool]) -> None:
    while not seen():
        await asyncio.sleep(0.005)


def test_the_rate_and_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow beginning is not held against the rate: it is that of the last ten seconds."""
    moment = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: moment)
    bulk: Any = Bulk()
    meter = progress.Meter(bulk.statistics, 5000)

    def after(seconds: float, settled: int) -> str:
        nonlocal moment
        moment += seconds
        bulk.accepted = settled - 35
        return meter.line().rpartition(" · ")[2]

    assert after(0, 0) == "…"
    assert after(30, 50) == "…"  # nothing to compare with yet
    assert after(8, 100) == "6/s  13 min left"
    assert after(4, 4100) == "1,000/s  1 s left"


def test_long_times_are_shown_in_minutes_and_hours() -> None:
    shown = [progress._span(seconds) for seconds in (0.4, 119, 121, 3599, 8000)]
    assert shown == ["0 s", "119 s", "2 min", "1 h 0 min", "2 h 13 min"]


async def test_a_note_on_a_screen_is_broken_between_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = Keyboard()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    bulk: Any = Bulk()
    async with progress.watch(bulk.statistics, 5000):
        logging.getLogger("aioclicksend").warning("finishing what is on the wire and going")
    plain = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", screen.getvalue())
    lines = [line.rstrip() for line in plain.split("\n")]
    assert lines[:2] == ["  finishing what is on the wire and", "  going"]
