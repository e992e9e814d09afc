"""One pace for all processes of an account."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclicksend.cluster import Cluster, ClusterPace
from aioclicksend.cluster import pace as module
from aioclicksend.cluster.pace import DatabaseClock, Grant
from aioclicksend.cluster.process import clock
from aioclicksend.config import RateLimit
from aioclicksend.errors import NotSentError

from .conftest import NewCluster


async def start_many(pace: ClusterPace, count: int, starts: list[float]) -> None:
    async def one() -> None:
        await pace.turn("POST /v3/sms/send")
        await pace.at_wire()
        starts.append(time.monotonic())

    await asyncio.gather(*(one() for _ in range(count)))


@pytest.mark.slow
async def test_no_window_holds_more_than_the_limit(
    cluster: Cluster, new_cluster: NewCluster
) -> None:
    limit = RateLimit(20, 1)
    clusters = [cluster, new_cluster(), new_cluster()]
    starts: list[float] = []
    begun = time.monotonic()
    await asyncio.gather(*(start_many(it.pace(limit), 20, starts) for it in clusters))
    seconds = time.monotonic() - begun
    starts.sort()
    gaps = [later - earlier for earlier, later in zip(starts, starts[20:], strict=False)]
    assert min(gaps) >= 0.999
    assert seconds < 60 / 20 * 1.5
    for it in clusters[1:]:
        await it.close()


async def test_the_slowest_process_sets_the_pace(cluster: Cluster, new_cluster: NewCluster) -> None:
    other = new_cluster()
    slow, fast = cluster.pace(RateLimit(2, 1)), other.pace(RateLimit(1000, 1))
    await start_many(slow, 1, [])
    starts: list[float] = []
    await start_many(fast, 2, starts)
    assert starts[1] - starts[0] >= 0.5 - 0.2  # a grant may be used that late
    await other.close()


async def test_a_pause_holds_every_process(cluster: Cluster, new_cluster: NewCluster) -> None:
    other = new_cluster()
    one, two = cluster.pace(RateLimit(1000, 1)), other.pace(RateLimit(1000, 1))
    await two.share()
    two._heard_at -= 1.0  # which was a second ago
    one.hold(60.0)
    assert one.held_for("any") > 59
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await one.turn("any")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await two.turn("any")
    assert two.held_for("any") > 55
    await other.close()


async def test_a_pause_of_one_operation_leaves_the_others(
    cluster: Cluster, new_cluster: NewCluster
) -> None:
    other = new_cluster()
    one, two = cluster.pace(RateLimit(1000, 1)), other.pace(RateLimit(1000, 1))
    one.hold(60.0, "GET /v3/account")
    await start_many(one, 1, [])
    await start_many(two, 1, [])
    assert two.held_for("GET /v3/account") > 55
    assert two.held_for("POST /v3/sms/send") == 0
    await other.close()


async def test_a_grant_that_was_not_used_in_time_is_void(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace = cluster.pace(RateLimit(10, 1))
    take, taken = pace._take, 0

    async def take_and_stand_still() -> Grant:
        nonlocal taken
        taken += 1
        grant = await take()
        if taken == 1:
            time.sleep(0.25)
        return grant

    monkeypatch.setattr(pace, "_take", take_and_stand_still)
    await pace.turn("any")
    await pace.at_wire()
    assert taken == 2


@pytest.mark.parametrize("was_near", [False, True], ids=["always", "of late"])
async def test_a_distant_database_grants_moments_too(
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    was_near: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    run = cluster.database.run

    async def run_far_away(*args: Any, **options: Any) -> Any:
        result = await run(*args, **options)
        await asyncio.sleep(0.15)
        return result

    pace = cluster.pace(RateLimit(10, 1))
    if was_near:
        # Now it knows exactly when moments are, and that each is over when its answer is there.
        await pace.share()
    monkeypatch.setattr(cluster.database, "run", run_far_away)
    async with asyncio.timeout(20):
        for _ in range(3):
            await pace.at_wire()
    assert pace._asking.total_tokens == 2


def test_the_quickest_answer_says_best_what_the_clock_of_the_server_is() -> None:
    server = DatabaseClock()
    server.learn(10.0, 1000.001, 10.002)
    assert server.ours(1000.1) == pytest.approx(10.101)
    # This answer was stuck for a minute: the moment is known all the same.
    server.learn(20.0, 1010.001, 80.0)
    assert server.ours(1070.0) == pytest.approx(80.001 + 70 * 2e-4, abs=1e-3)


def test_a_moment_is_never_too_early_on_our_clock() -> None:
    server = DatabaseClock()
    for asked, now, answered in ((0.0, 500.4, 0.5), (1.0, 501.0, 1.5), (2.0, 502.3, 2.31)):
        server.learn(asked, now, answered)
        assert server.ours(now + 1) >= asked + 1


@pytest.mark.parametrize("now", [1400.0, 9000.0])
def test_a_clock_that_was_set_is_learned_anew(now: float) -> None:
    server = DatabaseClock()
    server.learn(10.0, 5000.0, 10.001)
    server.learn(20.0, now, 20.001)
    assert server.ours(now + 1) == pytest.approx(21.001)
    assert server.uncertainty == pytest.approx(0.001)


exchanges = st.lists(
    st.tuples(st.floats(0.0, 5.0), st.floats(0.0, 0.2), st.floats(0.0, 0.2)), min_size=1
)


@given(exchanges, st.floats(-1e4, 1e4))
def test_the_true_difference_of_the_clocks_lies_within_the_uncertainty(
    found: list[tuple[float, float, float]], ahead: float
) -> None:
    server, now = DatabaseClock(), 1e5
    for pause, there, back in found:
        asked_at = now + pause
        now = asked_at + there + back
        server.learn(asked_at, asked_at + there + ahead, now)
    # A moment of the server's that is now on our clock.
    late = server.ours(now + ahead) - now
    assert -1e-6 <= late <= server.uncertainty + 1e-6
    assert (
        server.uncertainty
        <= min(there + back for _, there, back in found) + 5.0 * 2e-4 * 2 * (len(found) + 1) + 1e-6
    )


async def test_a_process_that_saw_slow_answers_only_asks_again(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace = cluster.pace(RateLimit(10, 1))
    await pace.share()
    pace._clock = DatabaseClock()
    pace._clock.learn(clock() - 60.0, time.time(), clock())
    asked: list[float] = []
    share = pace.share

    async def note() -> None:
        asked.append(pace._clock.uncertainty)
        await share()

    monkeypatch.setattr(pace, "share", note)
    grant = await pace._take()
    assert 1 <= len(asked) <= 3
    assert asked[0] > 59.0
    assert grant.closes - grant.opens > pace._void_after * 0.3


async def test_a_distant_database_is_not_asked_for_its_clock_for_ever(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace = cluster.pace(RateLimit(10, 1))
    monkeypatch.setattr(DatabaseClock, "uncertainty", 0.1)
    asked: list[bool] = []
    ask = pace._ask

    async def note(*, take: bool) -> Grant | None:
        asked.append(take)
        return await ask(take=take)

    monkeypatch.setattr(pace, "_ask", note)
    await pace._take()
    grant = await pace._take()
    assert asked == [False, False, False, False, True, True]
    # A third of the lateness is left, and the rest is that of its answers.
    assert grant.closes - grant.opens == pytest.approx(pace._void_after / 3)


async def test_few_requests_are_on_their_way_to_the_wire(cluster: Cluster) -> None:
    pace = cluster.pace(RateLimit(10, 1))
    turns = [asyncio.create_task(pace.turn("any")) for _ in range(20)]

    async def until_done(count: int) -> None:
        while sum(it.done() for it in turns) < count:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)  # for one too many
        assert sum(it.done() for it in turns) == count

    try:
        await until_done(4)
        await pace.at_wire()
        await until_done(5)
    finally:
        for it in turns:
            it.cancel()
        await asyncio.wait(turns)


async def test_a_turn_that_leads_to_no_request_holds_up_nobody_for_long(cluster: Cluster) -> None:
    pace = cluster.pace(RateLimit(10, 1))
    async with asyncio.timeout(3):
        for _ in range(8):
            await pace.turn("any")


async def test_without_its_database_nothing_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    cluster = Cluster("postgresql://someone:secret@127.0.0.1:1/none")
    pace = cluster.pace()
    with pytest.raises(
        NotSentError, match=r"nothing may be sent: the database .* cannot be reached"
    ) as caught:
        await pace.at_wire()
    assert "secret" not in str(caught.value)
