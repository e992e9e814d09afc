from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from aioclicksend.sandbox import Sandbox
from aioclicksend.sandbox.access import TEST_KEY

from .conftest import Caller, basic, sms

REFUSAL = {
    "http_code": 401,
    "response_code": "UNAUTHORIZED",
    "response_msg": "Authorization failed.",
    "data": None,
}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "headers", [{}, basic("sandbox", "wrong"), {"Authorization": "Basic ?"}, {"Authorization": "x"}]
)
async def test_a_bad_login_is_refused_in_the_same_words(
    sandbox: Sandbox, http: aiohttp.ClientSession, method: str, headers: dict[str, str]
) -> None:
    async with http.request(method, sandbox.url + "/v3/lists", headers=headers) as reply:
        assert reply.status == 401
        assert await reply.json() == REFUSAL
        assert "WWW-Authenticate" not in reply.headers


async def test_countries_need_no_login(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    async with http.get(sandbox.url + "/v3/countries") as reply:
        assert {"code": "AU", "value": "Australia"} in (await reply.json())["data"]
    async with http.post(sandbox.url + "/v3/countries") as reply:
        assert reply.status == 401


@pytest.mark.parametrize(
    ("login", "status", "code"),
    [("notactive", 403, "ACCOUNT_NOT_ACTIVATED"), ("banned", 403, "FORBIDDEN")],
)
async def test_test_logins_fail_their_own_way(
    sandbox: Sandbox, http: aiohttp.ClientSession, login: str, status: int, code: str
) -> None:
    async with http.get(sandbox.url + "/v3/account", headers=basic(login, TEST_KEY)) as reply:
        assert (reply.status, (await reply.json())["response_code"]) == (status, code)


async def test_the_login_without_credit_sends_nothing(
    sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    url, headers = sandbox.url + "/v3/sms/send", basic("nocredit", TEST_KEY)
    async with http.post(url, json={"messages": [sms()]}, headers=headers) as reply:
        rows = (await reply.json())["data"]["messages"]
    assert [row["status"] for row in rows] == ["INSUFFICIENT_CREDIT"]
    assert sandbox.messages == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v3/nowhere"),
        ("GET", "/v3/sms/send"),
        ("PATCH", "/v3/account"),
        ("GET", "/v3/account/"),
    ],
)
async def test_unknown_paths_and_wrong_methods_are_one_404(
    call: Caller, method: str, path: str
) -> None:
    status, envelope = await call(method, path)
    assert (status, envelope["response_code"]) == (404, "NOT_FOUND")
    assert envelope["response_msg"].startswith("Invalid endpoint")


async def test_the_account_shows_a_balance_a_key_and_its_limits(call: Caller) -> None:
    account = await call.data("GET", "/v3/account")
    assert account["balance"] == "1000.000000"
    assert account["_subaccount"]["api_key"]
    for name in ("x-ratelimit-limit", "x-ratelimit-remaining", "ratelimit-reset"):
        assert int(call.headers[name]) > 0


async def test_languages_give_a_single_gender_bare(call: Caller) -> None:
    genders = {row["code"]: row["gender"] for row in await call.data("GET", "/v3/voice/lang")}
    assert genders["en-us"] == ["female", "male"]
    assert genders["pt-pt"] == "male"


async def test_email_addresses_come_and_go(call: Caller) -> None:
    made = await call.data("POST", "/v3/email/addresses", {"email_address": "a@example.com"})
    assert made["verified"] == 0
    status, envelope = await call("POST", "/v3/email/addresses", {"email_address": "a@example.com"})
    assert (status, envelope["response_code"]) == (400, "ALREADY_EXISTS")
    assert (await call("POST", "/v3/email/addresses", {"email_address": "nonsense"}))[0] == 400
    assert (await call.data("GET", "/v3/email/addresses"))["data"] == [made]
    path = f"/v3/email/addresses/{made['email_address_id']}"
    assert await call.data("DELETE", path) is None
    assert (await call("DELETE", path))[0] == 404


async def a_list(call: Caller, name: str = "friends") -> int:
    found: int = (await call.data("POST", "/v3/lists", {"list_name": name}))["list_id"]
    return found


async def test_lists_come_and_go(call: Caller) -> None:
    list_id = await a_list(call)
    renamed = await call.data("PUT", f"/v3/lists/{list_id}", {"list_name": "foes"})
    assert (renamed["list_name"], renamed["_contacts_count"]) == ("foes", 0)
    pager = await call.data("GET", "/v3/lists")
    assert pager["data"] == [renamed]
    assert pager["links"][0]["active"]
    assert await call.data("GET", f"/v3/lists/{list_id}") == renamed
    assert await call.data("DELETE", f"/v3/lists/{list_id}") is None
    assert (await call("GET", f"/v3/lists/{list_id}"))[0] == 404


async def test_contacts_come_change_and_go(call: Caller) -> None:
    list_id = await a_list(call)
    path = f"/v3/lists/{list_id}/contacts"
    made = await call.data("POST", path, {"phone_number": "+61400000001", "first_name": "Ann"})
    assert (made["last_name"], made["email"], made["_list_name"]) == ("", None, "friends")
    one = f"{path}/{made['contact_id']}"
    changed = await call.data("PUT", one, {"last_name": "Bee"})
    assert (changed["first_name"], changed["last_name"]) == ("Ann", "Bee")
    assert await call.data("GET", one) == changed
    assert (await call.data("GET", path))["data"] == [changed]
    assert (await call("PUT", one, {"phone_number": ""}))[0] == 400
    assert await call.data("DELETE", one) is None
    assert (await call("GET", one))[0] == 404


async def test_a_contact_must_be_reachable_and_its_list_known(call: Caller) -> None:
    list_id = await a_list(call)
    assert (await call("POST", f"/v3/lists/{list_id}/contacts", {"first_name": "Ann"}))[0] == 400
    for field in ("phone_number", "email", "fax_number"):
        await call.data("POST", f"/v3/lists/{list_id}/contacts", {field: "1"})
    status, envelope = await call("POST", "/v3/lists/9/contacts", {"email": "a@b.c"})
    assert (status, envelope["response_code"]) == (403, "FORBIDDEN")
    assert (await call("PUT", "/v3/lists/9/contacts/9", {"email": "a@b.c"}))[0] == 404


async def test_updated_after_leaves_out_the_untouched(http: aiohttp.ClientSession) -> None:
    now = [1000.0]
    async with Sandbox(clock=lambda: now[0]) as sandbox:
        call = Caller(sandbox, http)
        path = f"/v3/lists/{await a_list(call)}/contacts"
        for number in ("+61400000001", "+61400000002"):
            made = await call.data("POST", path, {"phone_number": number})
        now[0] = 2000.0
        await call.data("PUT", f"{path}/{made['contact_id']}", {"first_name": "Ann"})
        rows = (await call.data("GET", path, updated_after=1500))["data"]
        assert [row["first_name"] for row in rows] == ["Ann"]


async def test_copy_leaves_and_transfer_moves(call: Caller) -> None:
    here, there = await a_list(call, "here"), await a_list(call, "there")
    made = await call.data("POST", f"/v3/lists/{here}/contacts", {"email": "a@b.c"})
    base = f"/v3/lists/{here}/contacts/{made['contact_id']}"
    copied = await call.data("PUT", f"{base}/copy/{there}")
    assert copied["contact_id"] != made["contact_id"]
    moved = await call.data("PUT", f"{base}/transfer/{there}")
    assert (moved["contact_id"], moved["list_id"]) == (made["contact_id"], there)
    counts = [row["_contacts_count"] for row in (await call.data("GET", "/v3/lists"))["data"]]
    assert counts == [0, 2]
    assert (await call("PUT", f"{base}/copy/{there}"))[0] == 404


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    ("body", "deleted"),
    [
        (None, 1),
        ({"fields": ["first_name"]}, 2),
        ({"fields": {"first_name": "1", "phone_number": "1"}}, 1),
        ({"fields": ["email"]}, 3),
    ],
)
async def test_duplicates_agree_in_the_fields_named(
    call: Caller, slash: str, body: Any, deleted: int
) -> None:
    list_id = await a_list(call)
    for number, name in (("1", "Ann"), ("1", "Ann"), ("2", "Ann"), ("3", "Bee")):
        contact = {"phone_number": number, "first_name": name}
        await call.data("POST", f"/v3/lists/{list_id}/contacts", contact)
    path = f"/v3/lists/{list_id}/remove-duplicates{slash}"
    assert await call.data("PUT", path, body) == {"deleted": deleted}


# The gateway


async def test_the_gateway_serves_the_same_account(
    sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    bearer = {"Authorization": f"Bearer {sandbox.maton_key}"}
    url = f"{sandbox.url}/clicksend/v3/sms/send"
    async with http.post(url, json={"messages": [sms()]}, headers=bearer) as reply:
        assert (await reply.json())["data"]["queued_count"] == 1
    assert sandbox.accepts("ref-1") == 1


async def test_the_gateway_refuses_without_an_envelope(
    sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    url = f"{sandbox.url}/clicksend/v3/account"
    for headers in ({}, {"Authorization": "Bearer no"}, basic("sandbox", "sandbox")):
        async with http.get(url, headers=headers) as reply:
            assert reply.status == 401
            assert "http_code" not in await reply.json()


async def test_connections_decide_what_the_gateway_carries(
    sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    bearer = {"Authorization": "Bearer sandbox"}
    control = sandbox.control_url + "/connections"

    async def account(connection: str | None = None) -> int:
        extra = {"Maton-Connection": connection} if connection else {}
        url = f"{sandbox.url}/clicksend/v3/account"
        async with http.get(url, headers=bearer | extra) as reply:
            return reply.status

    async with http.get(control, headers=bearer, params={"status": "ACTIVE"}) as reply:
        (first,) = (await reply.json())["connections"]
    assert await account(first["connection_id"]) == 200
    assert await account("unheard-of") == 400
    async with http.delete(f"{control}/{first['connection_id']}", headers=bearer) as reply:
        assert reply.status == 200
    assert await account() == 400
    async with http.post(control, headers=bearer, json={"app": "clicksend"}) as reply:
        made = (await reply.json())["connection_id"]
    async with http.get(f"{control}/{made}", headers=bearer) as reply:
        assert (await reply.json())["connection"]["status"] == "PENDING"
    assert await account() == 400
    sandbox.authorize(made)
    assert await account() == 200
    async with http.get(control) as reply:
        assert reply.status == 401
