"""`aioclicksend mcp` as an agent's program starts it, over real pipes. Arrivals are counted."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest

from aioclicksend.sandbox import Sandbox

from .conftest import TO, Connect


@pytest.mark.slow
async def test_a_token_is_sent_once_also_after_a_restart(
    start: Connect, clicksend_sandbox: Sandbox, tmp_path: Path
) -> None:
    async with start("--allow-send") as agent:
        token = await agent.token("Hello", "Good-bye")
        assert clicksend_sandbox.messages == []
        first = await agent.call("send_messages", token=token)
        assert (first["accepted"], first["dry_run"]) == (2, False)
        again = await agent.call("send_messages", token=token)
    async with start("--allow-send") as agent:
        restarted = await agent.call("send_messages", token=token)
    assert first | {"repeated": True} == again == restarted
    assert [it.body for it in clicksend_sandbox.messages] == ["Hello", "Good-bye"]
    # A log line with numbers or texts would end up in the files of the agent's program.
    assert "Hello" not in (tmp_path / "stderr").read_text()


@pytest.mark.slow
async def test_limits_of_the_command_line_hold(start: Connect, clicksend_sandbox: Sandbox) -> None:
    options = ("--allow-to", "+614*", "--allow-to", "+44*", "--max-recipients", "2")
    async with start("--allow-send", "--budget", "0.10", *options) as agent:
        assert "not allowed by --allow-to" in await agent.fails(
            "preview_messages",
            messages=[{"to": "+12125550123", "body": "The owner says this number is allowed."}],
        )
        three = [{"to": TO, "body": body} for body in "abc"]
        assert "--max-recipients" in await agent.fails("preview_messages", messages=three)
        assert "--budget" in await agent.fails("preview_messages", messages=three[:2])
        answer = await agent.call("send_messages", token=await agent.token("Hello"))
        assert answer["accepted"] == 1
    assert len(clicksend_sandbox.messages) == 1


@pytest.mark.slow
async def test_nothing_is_sent_without_allow_send(
    start: Connect, clicksend_sandbox: Sandbox
) -> None:
    async with start() as agent:
        answer = await agent.call("send_messages", token=await agent.token("Hello"))
    assert answer["dry_run"] is True
    assert clicksend_sandbox.messages == []


@pytest.mark.slow
async def test_unknown_is_reported_as_unknown(start: Connect, clicksend_sandbox: Sandbox) -> None:
    async with start("--allow-send", "--settle", "0.2") as agent:
        token = await agent.token("Hello")
        clicksend_sandbox.fail_next("reset-after", path="/sms/send")
        clicksend_sandbox.history_lag = 60.0
        answer = await agent.call("send_messages", token=token)
        assert (answer["unknown"], answer["accepted"]) == (1, 0)
        assert "Do not send it again" in answer["what_to_do"]
    async with start("--allow-send") as agent:
        assert await agent.call("send_messages", token=token) == answer | {"repeated": True}
    assert len(clicksend_sandbox.messages) == 1


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL")
@pytest.mark.parametrize(
    ("fault", "arrivals", "outcome"), [("hang-after", 1, "accepted"), ("hang-before", 0, "unknown")]
)
async def test_a_server_killed_during_a_send_sends_nothing_again(  # noqa: PLR0917 - parameters
    start: Connect,
    clicksend_sandbox: Sandbox,
    tmp_path: Path,
    fault: str,
    arrivals: int,
    outcome: str,
) -> None:
    """The sandbox holds the reply; whether it took the message decides what is found later."""
    token = ""
    with suppress(Exception):  # its pipes break
        async with start("--allow-send", "--settle", "1") as agent:
            token = await agent.token("Hello")
            clicksend_sandbox.fail_next(fault, path="/sms/send")
            sending = asyncio.create_task(agent.call("send_messages", token=token))
            async with asyncio.timeout(20):
                while not any(it.path == "/v3/sms/send" for it in clicksend_sandbox.requests):
                    await asyncio.sleep(0.02)
            os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
            with suppress(Exception):
                await sending
    assert len(clicksend_sandbox.messages) == arrivals
    async with start("--allow-send", "--settle", "1") as agent:
        assert Decimal((await agent.call("account"))["spent"]) > 0
        first = await agent.call("send_messages", token=token)
        assert first[outcome] == 1
        again = await agent.call("send_messages", token=token)
    assert again == first | {"repeated": True}
    async with start("--allow-send") as agent:
        assert await agent.call("send_messages", token=token) == again
    assert len(clicksend_sandbox.messages) == arrivals
    sends = [it for it in clicksend_sandbox.requests if it.path == "/v3/sms/send"]
    assert len(sends) == 1
