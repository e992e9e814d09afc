"""What keeps a run from burning money: budget, holds, splits, patience with an outage."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend.sandbox import Sandbox

from ..core.helpers import client_of
from ..hostile import Arrival, Hostile, Line, sent
from .helpers import accepts, client, kinds, many, outcomes, posts, sms

PRICE = Decimal("0.0770")


async def test_a_budget_is_never_passed_and_the_rest_is_not_sent() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(batching=ac.Batching(size=10), budget=PRICE * 25) as bulk:
            settled = await outcomes(bulk.stream(many(100)))
        spent = sum(Decimal(it["message_price"]) for it in sandbox.messages)
        assert spent == PRICE * 25
        assert kinds(settled) == {"Accepted": 25, "NotSent": 75}
        assert {it.reason for it in settled if isinstance(it, ac.NotSent)} == {ac.Reason.BUDGET}


async def test_a_budget_holds_while_requests_run_side_by_side_and_fail() -> None:
    async with Sandbox(latency=0.02) as sandbox, client(sandbox) as api:
        for fault in ("reset-after", "reset-before", "error-after"):
            sandbox.fail_next(fault, path="/sms/send")
        reconcile = ac.Reconcile(settle=0.3, resend=True)
        async with api.sms.bulk(
            batching=ac.Batching(size=7), budget=PRICE * 60, reconcile=reconcile, pause=False
        ) as bulk:
            report = await bulk.run(many(200))
        # A further attempt reserves again, as the first one may have been charged.
        assert 40 <= report.accepted <= len(sandbox.messages) <= 60
        assert report.cost == PRICE * report.accepted
        assert report.total == 200


async def test_a_budget_below_the_first_message_sends_nothing() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(budget=Decimal("0.01")) as bulk:
            report = await bulk.run(many(10))
        assert (report.not_sent, posts(sandbox)) == (10, 0)


async def test_what_the_quote_refuses_is_not_sent_on_a_budget() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(budget=PRICE, ramp=None) as bulk:
            settled = await outcomes(bulk.stream([sms(1, to="+61000000000"), sms(2)]))
        assert kinds(settled) == {"Accepted": 1, "NotSent": 1}
        assert len(sandbox.messages) == 1


async def test_what_cannot_be_priced_is_not_sent_on_a_budget() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("status", path="/sms/price", status=403)
        async with api.sms.bulk(budget=Decimal(10), ramp=None) as bulk:
            (outcome,) = await outcomes(bulk.stream(many(1)))
        assert isinstance(outcome, ac.NotSent)
        assert outcome.reason is ac.Reason.NOT_PRICED
        assert "403" in outcome.detail
        assert not sandbox.messages


@pytest.mark.parametrize("budget", [Decimal(-1), Decimal("NaN"), Decimal("Infinity"), 5, 0.5])
async def test_a_budget_is_a_decimal(budget: Decimal) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        with pytest.raises(ValueError, match="budget"):
            api.sms.bulk(budget=budget)


async def test_an_account_without_credit_holds_the_run_and_says_so() -> None:
    async with Sandbox(balance="1.00") as sandbox, client(sandbox) as api:
        async with api.sms.bulk(batching=ac.Batching(size=10), lanes=1, ramp=None) as bulk:
            report = await bulk.run(many(1000))
            assert bulk.statistics().held == "INSUFFICIENT_CREDIT"
        assert report.accepted == 12  # 1.00 pays for twelve
        assert report.rejected == 8
        assert report.reasons == {"INSUFFICIENT_CREDIT": 8, "held": 980}
        assert report.not_sent == 980
        assert posts(sandbox) == 2


async def test_what_a_hold_refused_is_sent_by_the_next_run_of_a_journal(tmp_path: Path) -> None:
    journal = tmp_path / "x.db"
    async with Sandbox(balance="1.00") as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=journal, batching=ac.Batching(size=10)) as bulk:
            await bulk.run(many(50))
        taken = len(sandbox.messages)
        assert taken == 12
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=journal) as bulk:
            report = await bulk.run(many(50))
        assert report.accepted == 50
        assert len(sandbox.messages) == 50 - taken


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_hold_the_run(status: int) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("status", path="/sms/send", status=status)
        async with api.sms.bulk(batching=ac.Batching(size=10), lanes=1) as bulk:
            report = await bulk.run(many(1000))
        assert (report.not_sent, posts(sandbox)) == (1000, 1)
        assert not sandbox.messages


async def test_a_request_that_is_too_large_is_halved() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("status", times=3, path="/sms/send", status=413)
        async with api.sms.bulk(ramp=None) as bulk:
            report = await bulk.run(many(100))
        assert report.accepted == 100
        assert set(accepts(sandbox).values()) == {1}


async def test_the_halves_of_a_request_fit_the_budget_of_the_whole() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("status", times=3, path="/sms/send", status=413)
        async with api.sms.bulk(ramp=None, budget=PRICE * 10) as bulk:
            report = await bulk.run(many(10))
        assert report.accepted == 10


async def test_a_single_message_that_is_too_large_is_not_sent() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("status", times=3, path="/sms/send", status=413)
        async with api.sms.bulk() as bulk:
            outcome = await (await bulk.send(sms(1)))
        assert isinstance(outcome, ac.NotSent)
        assert outcome.reason is ac.Reason.REFUSED
        assert "413" in outcome.detail


async def test_a_bad_request_is_not_sent_and_does_not_hold() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("status", path="/sms/send", status=400)
        async with api.sms.bulk(batching=ac.Batching(size=10), lanes=1, ramp=None) as bulk:
            report = await bulk.run(many(30))
        assert (report.not_sent, report.accepted) == (10, 20)


async def test_a_server_that_is_gone_gets_no_storm() -> None:
    async with Sandbox() as sandbox:
        url = sandbox.url
    auth = ac.BasicAuth("sandbox", "sandbox")
    retries = 0

    def count(_event: object) -> None:
        nonlocal retries
        retries += 1

    retry = ac.Retry(base=0, budget=100)
    hooks = ac.Hooks(on_retry=count)
    async with ac.ClickSend(
        auth=auth, base_url=url, retry=retry, hooks=hooks, rate_limit=None
    ) as api:
        async with api.sms.bulk(batching=ac.Batching(size=1), ramp=None) as bulk:
            report = await bulk.run(many(200))
    assert report.not_sent == 200
    assert retries == 20  # the budget of 100 at 5 each, and no more


async def test_the_ramp_sends_one_message_into_an_unknown_account_first() -> None:
    async with Sandbox(balance="0") as sandbox, client(sandbox) as api, api.sms.bulk() as bulk:
        report = await bulk.run(many(5000))
        assert (report.rejected, report.not_sent) == (1, 4999)
        assert posts(sandbox) == 1


@pytest.mark.parametrize(
    ("options", "what"),
    [({"lanes": 0}, "lanes"), ({"ramp": [0]}, "ramp")],
)
async def test_wrong_options_are_refused(options: dict[str, object], what: str) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        with pytest.raises(ValueError, match=what):
            api.sms.bulk(**options)  # type: ignore[arg-type]


def test_wrong_batching_and_reconcile_are_refused() -> None:
    for wrong in ({"size": 0}, {"size": 1001}, {"linger": -1}, {"queue": 0}):
        with pytest.raises(ValueError, match="Batching"):
            ac.Batching(**wrong)
    with pytest.raises(ValueError, match="Reconcile"):
        ac.Reconcile(settle=-1)


def test_the_least_and_the_most_that_batching_takes() -> None:
    assert ac.Batching(size=1, linger=0, max_bytes=1, queue=1).size == 1
    assert ac.Batching(size=1000).size == 1000
    with pytest.raises(ValueError, match="Batching"):
        ac.Batching(max_bytes=0)


async def test_two_thousand_single_sends_at_once_take_few_requests() -> None:
    async with Sandbox(rate_limit=(10, 1.0)) as sandbox:
        async with client(sandbox, rate_limit=ac.RateLimit(10, 1)) as api, api.sms.bulk() as bulk:
            handles = await asyncio.gather(*map(bulk.send, many(2000)))
            settled = await asyncio.gather(*handles)
        assert kinds(settled) == {"Accepted": 2000}
        assert posts(sandbox) <= 10


async def test_a_message_that_may_have_been_taken_keeps_its_part_of_the_budget() -> None:
    """Unknown is not free: the server may have charged for it."""
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-after", path="/sms/send")
        async with api.sms.bulk(
            batching=ac.Batching(size=10),
            lanes=1,
            ramp=None,
            budget=PRICE * 20,
            reconcile=ac.Reconcile(settle=0),
        ) as bulk:
            report = await bulk.run(many(100))
        assert (report.unknown, report.accepted, report.not_sent) == (10, 10, 80)
        assert len(sandbox.messages) == 20


async def test_an_acceptance_without_a_price_costs_what_was_reserved() -> None:
    async def script(line: Line, arrival: Arrival) -> None:
        if arrival.path.endswith("/account"):
            await line.ok({})
            return
        data = sent(arrival)
        if arrival.path.endswith("/send"):
            for row in data["messages"]:
                del row["message_price"]
        await line.ok(data)

    async with Hostile(script) as server, client_of(server.url) as api:
        async with api.sms.bulk(
            batching=ac.Batching(size=10), lanes=1, ramp=None, budget=PRICE * 25
        ) as bulk:
            report = await bulk.run(many(100))
        assert (report.accepted, report.not_sent) == (25, 75)


async def test_a_message_without_a_quoted_price_is_not_sent_on_a_budget() -> None:
    async def script(line: Line, arrival: Arrival) -> None:
        if arrival.path.endswith("/account"):
            await line.ok({})
            return
        data = sent(arrival)
        if arrival.path.endswith("/price"):
            del data["messages"][0]["message_price"]
            del data["messages"][1]
        await line.ok(data)

    async with Hostile(script) as server, client_of(server.url) as api:
        async with api.sms.bulk(ramp=None, budget=Decimal(10)) as bulk:
            settled = await outcomes(bulk.stream(many(4)))
        taken = [
            it
            for arrival in server.arrivals
            if arrival.path.endswith("/send")
            for it in arrival.json["messages"]
        ]
    assert kinds(settled) == {"Accepted": 2, "NotSent": 2}
    assert {it.reason for it in settled if isinstance(it, ac.NotSent)} == {ac.Reason.NOT_PRICED}
    assert [it["custom_string"] for it in taken] == ["ref-2", "ref-3"]


async def test_what_the_server_did_not_take_is_given_back_to_the_budget() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("status", path="/sms/send", status=400)
        async with api.sms.bulk(
            batching=ac.Batching(size=10), lanes=1, ramp=None, budget=PRICE * 10
        ) as bulk:
            report = await bulk.run(many(20))
        assert (report.accepted, report.not_sent) == (10, 10)
        assert "budget" not in report.reasons


async def test_once_the_budget_is_spent_nothing_more_is_priced() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(
            batching=ac.Batching(size=10), lanes=1, ramp=None, budget=PRICE * 25
        ) as bulk:
            report = await bulk.run(many(100))
        assert report.reasons == {"budget": 75}
        assert sum(it.path.endswith("/price") for it in sandbox.requests) == 3


async def test_what_the_history_shows_to_be_refused_is_given_back_to_the_budget() -> None:
    lost: list[dict[str, Any]] = []

    async def script(line: Line, arrival: Arrival) -> None:
        if arrival.path.endswith("/history"):
            await line.ok({"total": len(lost), "last_page": 1, "data": lost})
        elif arrival.path.endswith("/account"):
            await line.ok({})
        elif arrival.path.endswith("/price") or lost:
            await line.ok(sent(arrival))
        else:
            rows = sent(arrival)["messages"]
            stamped = {"status": "INVALID_RECIPIENT", "date": int(time.time())}
            lost.extend(row | stamped for row in rows)
            line.reset()

    async with Hostile(script) as server, client_of(server.url) as api:
        async with api.sms.bulk(
            batching=ac.Batching(size=10), lanes=1, ramp=None, budget=PRICE * 10
        ) as bulk:
            report = await bulk.run(many(20))
    assert (report.rejected, report.accepted) == (10, 10)


async def test_abort_withdraws_what_is_being_priced() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("hang-before", path="/sms/price")
        async with api.sms.bulk(budget=Decimal(10)) as bulk:
            handle = await bulk.send(sms(1))
            while not sandbox.requests:
                await asyncio.sleep(0.01)
            bulk.abort("enough")
            outcome = await handle
    assert outcome == ac.NotSent(handle.message, "ref-1", ac.Reason.STOPPED, "enough")


@pytest.mark.parametrize("end", ["stop", "abort"])
async def test_a_price_that_does_not_come_holds_up_no_end(end: str) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("hang-before", path="/sms/price")
        async with api.sms.bulk(budget=Decimal(10)) as bulk:
            handles = [await bulk.send(message) for message in many(3)]
            while not sandbox.requests:
                await asyncio.sleep(0.01)
            getattr(bulk, end)("enough")
            assert kinds([await it for it in handles]) == {"NotSent": 3}
        assert not posts(sandbox)


QUOTES: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"message_price": "0.0", "message_parts": 0}, True),
    ({"message_price": "0.0", "message_parts": 1}, False),
    ({"message_price": "0.0", "message_parts": None}, False),
    ({"message_price": None}, False),
    ({"message_price": "-0.0770"}, False),
    ({"message_price": "NaN"}, False),
    ({"message_price": "Infinity"}, False),
    ({"message_price": "1e999"}, False),
    ({"message_price": "free"}, False),
    ({"status": "INVALID_RECIPIENT"}, False),
    ({"custom_string": "somebody-elses", "to": "+61499999999"}, False),
]


@pytest.mark.parametrize(("fields", "is_sent"), QUOTES)
async def test_only_a_quote_that_can_be_relied_on_is_a_price(
    fields: dict[str, Any],
    is_sent: bool,  # noqa: FBT001
) -> None:
    async def script(line: Line, arrival: Arrival) -> None:
        if arrival.path.endswith("/account"):
            await line.ok({})
            return
        data = sent(arrival)
        if arrival.path.endswith("/price"):
            data["messages"][0] |= fields
        await line.ok(data)

    async with Hostile(script) as server, client_of(server.url) as api:
        async with api.sms.bulk(ramp=None, budget=Decimal(10)) as bulk:
            outcome = await (await bulk.send(sms(1)))
    if is_sent:
        assert isinstance(outcome, ac.Accepted)
    else:
        assert isinstance(outcome, ac.NotSent)
        assert outcome.reason is ac.Reason.NOT_PRICED
        assert not [it for it in server.arrivals if it.path.endswith("/send")]


async def test_a_quote_in_another_currency_than_the_accounts_sends_nothing() -> None:
    async def script(line: Line, arrival: Arrival) -> None:
        if arrival.path.endswith("/account"):
            await line.ok({"_currency": {"currency_name_short": "USD"}})
        else:
            await line.ok(sent(arrival) | {"_currency": {"currency_name_short": "AUD"}})

    async with Hostile(script) as server, client_of(server.url) as api:
        async with api.sms.bulk(budget=Decimal(10)) as bulk:
            outcome = await (await bulk.send(sms(1)))
    assert isinstance(outcome, ac.NotSent)
    assert outcome.reason is ac.Reason.NOT_PRICED
    assert "AUD" in outcome.detail
    assert "USD" in outcome.detail


async def test_a_budget_holds_across_the_runs_of_a_journal(tmp_path: Path) -> None:
    """Also for what is in doubt, whose price may have been charged."""
    journal = tmp_path / "x.db"
    options: dict[str, Any] = {
        "journal": journal,
        "batching": ac.Batching(size=10),
        "lanes": 1,
        "ramp": None,
        "budget": PRICE * 45,
        "reconcile": ac.Reconcile(settle=0),
    }
    async with Sandbox(history_lag=3600) as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-after", path="/sms/send")
        async with api.sms.bulk(**options) as bulk:
            first = await bulk.run(many(20))
        async with api.sms.bulk(**options) as bulk:
            second = await bulk.run(many(100))
    assert (first.accepted, first.unknown) == (10, 10)
    assert (second.accepted, second.unknown) == (35, 10)
    assert second.reasons == {"not_looked_up": 10, "budget": 55}
    assert len(sandbox.messages) == 45


@pytest.mark.parametrize("is_found", [True, False])
async def test_what_was_sent_without_a_budget_and_is_in_doubt_is_priced_anew(
    tmp_path: Path,
    is_found: bool,  # noqa: FBT001
) -> None:
    journal = tmp_path / "x.db"
    async with Sandbox(history_lag=3600) as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-after", path="/sms/send")
        async with api.sms.bulk(
            journal=journal, ramp=None, reconcile=ac.Reconcile(settle=0)
        ) as bulk:
            assert (await bulk.run(many(10))).unknown == 10
        if is_found:
            sandbox.history_lag = 0
        async with api.sms.bulk(
            journal=journal,
            budget=PRICE * 15,
            ramp=None,
            batching=ac.Batching(size=10),
            reconcile=ac.Reconcile(settle=0.1),
        ) as bulk:
            report = await bulk.run(many(30))
        assert len(sandbox.messages) == 15
        assert report.reasons["budget"] == 15


async def test_once_a_message_did_not_fit_cheaper_ones_do_not_slip_past() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        long = sms(1, body="x" * 1000)
        async with api.sms.bulk(budget=PRICE * 2, lanes=1) as bulk:
            handles = [await bulk.send(it) for it in (sms(0), long, sms(2))]
            assert [type(await it) for it in handles] == [ac.Accepted, ac.NotSent, ac.NotSent]
        assert len(sandbox.messages) == 1


# Suppression.


class Stops:
    """A suppression list in memory."""

    def __init__(self, *numbers: str | None) -> None:
        self.numbers = {it for it in numbers if it}
        self.asked: list[str] = []
        self.failure: Exception | None = None

    async def blocked(self, numbers: Sequence[str]) -> set[str]:
        """Return those on the list."""
        self.asked += numbers
        if self.failure is not None:
            raise self.failure
        return self.numbers.intersection(numbers)


async def test_what_is_on_the_suppression_list_is_not_sent() -> None:
    stops = Stops(sms(1).to, sms(3).to)
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(suppress=stops, ramp=None) as bulk:
            settled = await outcomes(bulk.stream(many(5)))
        blocked = [it for it in settled if isinstance(it, ac.NotSent)]
        assert sorted(it.ref for it in blocked) == ["ref-1", "ref-3"]
        assert {it.reason for it in blocked} == {ac.Reason.OPTED_OUT}
        assert set(accepts(sandbox)) == {"ref-0", "ref-2", "ref-4"}


async def test_an_opt_out_that_comes_during_a_run_counts_from_the_next_request_on() -> None:
    stops = Stops()
    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk(suppress=stops) as bulk:
        assert isinstance(await (await bulk.send(sms(1))), ac.Accepted)
        stops.numbers.add(str(sms(1).to))
        outcome = await (await bulk.send(sms(1)))
        assert isinstance(outcome, ac.NotSent)
        assert len(sandbox.messages) == 1


async def test_a_suppression_list_that_cannot_be_read_holds_the_run() -> None:
    stops = Stops()
    stops.failure = OSError("the disk is gone")
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(suppress=stops) as bulk:
            report = await bulk.run(many(20))
            assert bulk.statistics().held == "the suppression list cannot be read (OSError)"
        assert report.reasons == {"held": 20}
        assert not sandbox.requests
