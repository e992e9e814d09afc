"""An account kept in a file from one run to the next."""

from __future__ import annotations

import asyncio
import stat
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from aioclicksend.sandbox import Sandbox

from .conftest import Caller, sms

LATER = 9_000_000_000


async def furnish(call: Caller) -> None:
    sandbox = call.sandbox
    list_id = await call.a_list({"phone_number": "+61400000001"})
    await call.an_address()
    await call.send(sms(1), sms(2, schedule=LATER), sms(3, to="+0"))
    await call.data("POST", "/v3/sms/templates", {"template_name": "t", "body": "b"})
    await call.data("POST", "/v3/uploads", {"content": "eA=="}, convert="csv")
    await call.data("POST", "/v3/numbers/buy/+61480000139")
    campaign = {"list_id": list_id, "name": "n", "body": "b", "schedule": LATER}
    await call.data("POST", "/v3/sms-campaigns/send", campaign)
    sandbox.receive("+61400000001", "Hi")
    sandbox.receive("+61400000001", "Again")
    sandbox.deliver(sandbox.messages[0].message_id)
    unread = (await call.data("GET", "/v3/sms/inbound"))["data"][0]
    await call.data("PUT", f"/v3/sms/inbound-read/{unread['message_id']}")


async def everything(call: Caller) -> list[Any]:
    paths = (
        "/v3/account",
        "/v3/lists",
        "/v3/email/addresses",
        "/v3/sms/templates",
        "/v3/numbers",
        "/v3/sms-campaigns",
        "/v3/sms/inbound",
        "/v3/sms/receipts",
        "/v3/sms/history",
    )
    return [await call.data("GET", path) for path in paths]


async def test_the_next_run_continues_where_the_last_one_ended(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    path = tmp_path / "account.json"
    async with Sandbox(state=path) as sandbox:
        call = Caller(sandbox, http)
        await furnish(call)
        before = await everything(call)
        messages, rejected = list(sandbox.messages), list(sandbox.rejected)
        file = next(iter(sandbox._state.files.values()))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    async with Sandbox(state=path) as sandbox:
        call = Caller(sandbox, http)
        assert await everything(call) == before
        assert (sandbox.messages, sandbox.rejected) == (messages, rejected)
        assert next(iter(sandbox._state.files.values())) == file
        assert sandbox.accepts("ref-1") == 1
        assert [row.body for row in sandbox.inbound] == ["Hi", "Again"]
        # Cancelling finds what was scheduled, and new ids do not meet old ones.
        assert await call.data("PUT", "/v3/sms/cancel-all") == {"count": 1}
        fresh = await call.data("POST", "/v3/lists", {"list_name": "new"})
        lists = (await call.data("GET", "/v3/lists"))["data"]
        assert [row["list_id"] for row in lists].count(fresh["list_id"]) == 1
        assert sandbox.messages[1] is sandbox._state.by_id[sandbox.messages[1].message_id]
    assert [one.name for one in tmp_path.iterdir()] == ["account.json"]


async def test_every_change_is_written_while_it_runs(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    path = tmp_path / "account.json"

    async def written(text: str, *, gone: bool = False) -> None:
        while not path.exists() or (text in path.read_text()) is gone:
            await asyncio.sleep(0.01)

    async with Sandbox(state=path) as sandbox:
        call = Caller(sandbox, http)
        await call.send(sms())
        await written("ref-1")
        # What is no message is an account's, too.
        template = {"template_name": "t", "body": "of spring"}
        made = await call.data("POST", "/v3/sms/templates", template)
        await written("of spring")
        await call.data("DELETE", f"/v3/sms/templates/{made['template_id']}")
        await written("of spring", gone=True)
        sandbox.balance = Decimal("7.5")
        await written('"balance": 75000')
        sandbox.reset()
        await written("ref-1", gone=True)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"sandbox": 2}', b'{"sandbox": 1, "balance": 0}', b"[" * 100_000],
)
def test_a_file_of_another_kind_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"other\.json is not the state of a sandbox"):
        Sandbox(state=path)
    assert path.read_bytes() == content
