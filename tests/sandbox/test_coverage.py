"""What the sandbox says it covers, it covers, and in the documented shape."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from aioclicksend.sandbox import Sandbox
from aioclicksend.sandbox.shapes import MARK

from .conftest import Caller, basic, sms

FACTS = json.loads((Path(__file__).parent.parent / "facts" / "operations.json").read_text())
DOCUMENTED = {(fact["method"], fact["path"]): fact for fact in FACTS["operations"]}
PAGER: dict[str, Any] = {
    **dict.fromkeys(["total", "per_page", "current_page", "last_page"], "int"),
    **dict.fromkeys(["next_page_url", "prev_page_url"], "str?"),
    **dict.fromkeys(["from", "to"], "int?"),
}

# What can be called without knowing anything is asked for; the others need a body that makes sense.
RULE = {
    "rule_name": "poll",
    "action": "POLL",
    "action_address": "",
    "enabled": 1,
}
MMS = {"media_file": "http://x/a.jpg", "subject": "hi"}
PERSON = {"email": "ann@example.com", "name": "Ann"}
CANCELS = {("PUT", f"/v3/post/{kind}/{{message_id}}/cancel") for kind in ("letters", "postcards")}
LINKS = {"next", "next_page_url", "prev_page_url"}
LATER = 9_000_000_000


_RULES = {"receipt_rule_id", "inbound_rule_id"}


class Account:
    """A sandbox in which there is one of everything, and calls that find it."""

    def __init__(self, call: Caller) -> None:
        self.call = call
        self.values: dict[str, Any] = {"country": "AU", "dedicated_number": "+61480000100"}
        self.bodies: dict[tuple[str, str], Any] = {}

    async def furnish(self) -> None:
        call, values = self.call, self.values
        there = await call.a_list()
        contact = {"phone_number": "+61400000001", "email": "ann@example.com"}
        list_id = await call.a_list(contact)
        values |= {
            "list_id": list_id,
            "from_list_id": list_id,
            "to_list_id": there,
            "opt_out_list_id": there,
            "email_address_id": await call.an_address(),
            "category_id": 1,
            "activation_token": "token",
        }
        self.bodies = self._bodies()
        await self._send()
        await self._make("/v3/subaccounts", "subaccount_id")

    async def _send(self) -> None:
        call = self.call
        for number, channel in enumerate(("sms", "mms", "voice")):
            body = self.bodies["POST", f"/v3/{channel}/send"]
            await call.data("POST", f"/v3/{channel}/send", body)
            call.sandbox.deliver(call.sandbox.messages[number].message_id, 301, 12)
        await call.data("POST", "/v3/email/send", self.bodies["POST", "/v3/email/send"])
        await call.data("POST", "/v3/fax/receipts", {"url": "poll"})
        call.sandbox.receive("+61400000001", "hello")
        self.values["original_message_id"] = call.sandbox.messages[2].message_id
        await call.data("POST", "/v3/numbers/buy/+61480000139")

    def _bodies(self) -> dict[tuple[str, str], Any]:
        list_id, address = self.values["list_id"], self.values["email_address_id"]
        campaign = {"list_id": list_id, "name": "n", "from": "", "body": "b", "schedule": LATER}
        letter = {
            "name": "n",
            "subject": "s",
            "body": "b",
            "from_email_address_id": address,
            "from_name": "f",
            "list_id": list_id,
            "schedule": LATER,
        }
        email = {
            "to": [PERSON],
            "cc": [PERSON],
            "from": {"email_address_id": address, "name": "f"},
            "subject": "s",
            "body": "b",
        }
        messages = {
            "sms": {"messages": [sms()]},
            "mms": {"media_file": MMS["media_file"], "messages": [sms(subject="s")]},
            "voice": {"messages": [sms(lang="en-au", voice="female")]},
        }
        sub = {"first_name": "f", "last_name": "l", "password": "p", "phone_number": "+61400000001"}
        upload = {"content": "eA==", "convert": "csv"}
        inbound = RULE | {"dedicated_number": "*"}
        search = {"message_search_type": 0, "message_search_term": ""}
        bodies: dict[str, Any] = {
            **{f"/v3/{name}/send": body for name, body in messages.items()},
            **{f"/v3/{name}/price": body for name, body in messages.items()},
            "/v3/sms-campaigns": campaign,
            "/v3/mms-campaigns": campaign | MMS,
            "/v3/email-campaigns": letter,
            "/v3/email/send": email,
            "/v3/email/price": email,
            "/v3/email/addresses": {"email_address": "new@example.com"},
            "/v3/email/templates": {"template_name": "n", "template_id_master": 11},
            "/v3/email/templates/{template_id}": {"body": "b"},
            "/v3/sms/templates": {"template_name": "n", "body": "b"},
            "/v3/subaccounts": {"api_username": "u", "email": "u@example.com", **sub},
            "/v3/uploads": upload,
            "/v3/alpha-tags": {"alpha_tag": "Shop"},
            "/v3/lists": {"list_name": "n"},
            "/v3/lists/{list_id}/contacts": {"phone_number": "+61400000009"},
            "/v3/automations/sms/inbound": inbound | search,
            "/v3/automations/fax/inbound": inbound,
            **{f"/v3/{name}/receipts": {"url": "poll"} for name in (*messages, "fax")},
            "/v3/sms/inbound": {"url": "poll"},
        }
        for channel in ("sms", "mms", "voice", "email", "fax"):
            bodies[f"/v3/automations/{channel}/receipts"] = RULE | {"match_type": 0}
        found: dict[tuple[str, str], Any] = {}
        for method, path in Sandbox.coverage():
            if method not in {"POST", "PUT"} or path.endswith("/cancel"):
                continue
            bare = re.sub(r"/(send|price|\{\w+\})$", "", path)
            body = bodies.get(path, bodies.get(bare))
            if body is not None:
                found[method, path] = body
        return found

    async def __call__(self, method: str, path: str) -> tuple[int, Any, Any]:
        """Call an operation on what there is; make what there is not yet."""
        body = await self.prepare(method, path)
        concrete = self._filled(path)
        async with self.call.http.request(
            method,
            self.call.sandbox.url + concrete,
            json=body,
            headers=basic("sandbox", "sandbox"),
        ) as reply:
            content = await reply.read()
            return reply.status, reply.headers, json.loads(content) if content else None

    async def prepare(self, method: str, path: str) -> Any:
        """Make what an operation needs and return its body."""
        await self._provide(path)
        if (method, path) == ("POST", "/v3/subaccounts"):
            return {**self.bodies[method, path], "api_username": "another"}
        if path.endswith("/verify/{activation_token}"):
            address = f"/v3/email/address-verify/{self.values['email_address_id']}"
            await self.call.data("PUT", f"{address}/send")
        if path.endswith("/import"):
            return await self._an_import()
        return self.bodies.get((method, path))

    def _filled(self, path: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda name: str(self.values.get(name[1], 1)), path)

    async def _provide(self, path: str) -> None:
        """Make what a path names."""
        values = self.values
        if "master" in path:
            values["template_id"] = 11
        for name in re.findall(r"\{(\w+)\}", path):
            if name in _RULES or (name == "template_id" and "master" not in path):
                await self._make(path.rpartition("/")[0], name)
            elif name.endswith("_campaign_id"):
                await self._make(path.partition("/{")[0] + "/send", name)
            elif name == "alpha_tag_id":
                await self._a_tag()
            elif name == "contact_id":
                await self._make("/v3/lists/{list_id}/contacts", name)
            elif name == "message_id":
                values[name] = await self._message(path)

    async def _an_import(self) -> dict[str, Any]:
        upload = self.bodies["POST", "/v3/uploads"]
        made = await self.call.data("POST", "/v3/uploads", upload)
        return {"file_url": made["_url"], "field_order": ["phone"]}

    async def _a_tag(self) -> None:
        _, made = await self.call("POST", "/v3/alpha-tags", {"alpha_tag": "Shop"})
        self.values["alpha_tag_id"] = made["id"]

    async def _make(self, path: str, key: str) -> None:
        made = await self.call.data("POST", self._filled(path), self.bodies["POST", path])
        self.values[key] = made.get("data", made)[key]

    async def _message(self, path: str) -> str:
        if path.startswith("/v3/post/"):
            return "00000000-0000-4000-8000-000000000001"
        if path.endswith("/cancel"):
            channel = path.split("/")[2]
            message = sms(schedule=LATER)
            if channel == "voice":
                message |= {"lang": "en-au", "voice": "female"}
            body = {"messages": [message]}
            await self.call.data("POST", f"/v3/{channel}/send", body)
            return str(self.call.sandbox.messages[-1].message_id)
        if "inbound" in path:
            return str(self.call.sandbox.receive("+61400000001", "hello").message_id)
        return str(self.call.sandbox.messages[0].message_id)


def test_every_documented_operation_is_spoken_of() -> None:
    coverage = Sandbox.coverage()
    assert DOCUMENTED.keys() <= coverage.keys()
    # Older documentation has these, no current one; the two cancels were removed in July 2026.
    assert coverage.keys() - DOCUMENTED.keys() - CANCELS == {
        ("GET", "/v3/referral/accounts"),
        ("PUT", "/v3/lists/{list_id}/remove-duplicates"),
        ("GET", "/v3/automations/mms/receipts"),
        ("POST", "/v3/automations/mms/receipts"),
        ("GET", "/v3/automations/mms/receipts/{receipt_rule_id}"),
        ("PUT", "/v3/automations/mms/receipts/{receipt_rule_id}"),
        ("DELETE", "/v3/automations/mms/receipts/{receipt_rule_id}"),
    }


@pytest.mark.parametrize("strict", [False, True])
async def test_every_operation_answers_as_it_is_covered(
    http: aiohttp.ClientSession, *, strict: bool
) -> None:
    async with Sandbox(strict=strict) as sandbox:
        account = Account(Caller(sandbox, http))
        await account.furnish()
        order = {"GET": 0, "POST": 1, "PUT": 2, "PATCH": 3, "DELETE": 4}
        wrong: list[str] = []
        for (method, path), how in sorted(
            Sandbox.coverage().items(), key=lambda item: (order[item[0][0]], -len(item[0][1]))
        ):
            status, headers, content = await account(method, path)
            marked = all(headers.get(name) == value for name, value in MARK.items())
            if status not in {200, 204} or marked != (how == "example"):
                wrong.append(f"{method} {path}: {how} {status} {content}")
            elif (method, path) in DOCUMENTED:
                wrong += check(DOCUMENTED[method, path], content)
        assert not wrong, "\n".join(wrong)


async def test_an_example_needs_a_login_and_its_method(call: Caller) -> None:
    url = call.sandbox.url + "/v3/country-list"
    async with call.http.get(url) as reply:
        assert reply.status == 401
    assert (await call("POST", "/v3/country-list"))[0] == 404


async def test_some_examples_need_no_login(call: Caller) -> None:
    for method, path in [("PUT", "/v3/forgot-username"), ("POST", "/v3/account")]:
        async with call.http.request(method, call.sandbox.url + path) as reply:
            assert reply.status == 200


async def test_an_example_leads_nowhere_else(call: Caller) -> None:
    url = (await call.data("GET", "/v3/post/letters/history/export", filename="a"))["url"]
    assert url.startswith(call.sandbox.url)
    assert (await call.fetch(url))[0] == 200


async def test_an_example_without_content_has_no_body(call: Caller) -> None:
    url = call.sandbox.url + "/v3/senders/default-senders/1"
    async with call.http.delete(url, headers=basic("sandbox", "sandbox")) as reply:
        assert (reply.status, await reply.read()) == (204, b"")


@pytest.mark.parametrize(
    ("path", "rows", "size"),
    [
        ("/v3/own-numbers", "own_numbers", "page_size"),
        ("/v3/alpha-tags", "alpha_tags", "page_size"),
        ("/v3/short-url/tracking/1", "data", "per_page"),
        ("/v3/senders/default-senders", "data", "per_page"),
    ],
)
async def test_odd_pagers_are_followed_to_their_end(
    call: Caller, path: str, rows: str, size: str
) -> None:
    for tag in ("Shop", "Cafe", "Club"):
        await call("POST", "/v3/alpha-tags", {"alpha_tag": tag})
    seen: list[Any] = []
    query: dict[str, str] = {size: "2"}
    sizes: list[int] = []
    while True:
        _, content = await call("GET", path, **query)
        if "senders" in path:
            content = content["data"]
        seen += content[rows]
        sizes.append(len(content[rows]))
        pagination = content["_metadata"]["pagination"] if "_metadata" in content else content
        link = pagination.get("next") or pagination.get("next_page_url")
        if not link:
            break
        query["offset"] = re.findall(r"offset=([^&]*)", link)[0].replace("%23", "#")
    assert sizes == [2, 1]
    assert len({json.dumps(row) for row in seen}) == 3


def test_the_shapes_are_read_only_when_they_are_needed() -> None:
    program = (
        "import sys, aioclicksend.sandbox; print('aioclicksend.sandbox.shapes' in sys.modules)"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


async def test_strict_refuses_unknown_fields_everywhere_it_acts(
    http: aiohttp.ClientSession,
) -> None:
    async with Sandbox(strict=True) as sandbox:
        account = Account(Caller(sandbox, http))
        await account.furnish()
        modelled = {key for key, how in Sandbox.coverage().items() if how == "modelled"}
        taking = modelled & {key for key, body in account.bodies.items() if body}
        assert len(taking) > 45
        lenient: list[str] = []
        for method, path in sorted(taking):
            known = account.bodies[method, path]
            account.bodies[method, path] = known | {"unheard_of": 1}
            status, _, content = await account(method, path)
            if status != 400 or "unheard_of" not in content["response_msg"]:
                lenient.append(f"{method} {path}: {status}")
            account.bodies[method, path] = known
        assert lenient == []


# Shapes


def check(fact: dict[str, Any], content: Any) -> list[str]:
    """Return where a reply differs from what is documented."""
    if "rows" in fact:
        tree: Any = {**PAGER, "data": [fact["rows"]], **fact.get("beside", {})}
    else:
        tree = fact["reply"]
    if not fact.get("bare"):
        content = content["data"]
    return [f"{fact['method']} {fact['path']}: {found}" for found in differ(tree, content, "")]


def differ(tree: Any, value: Any, at: str) -> list[str]:
    if isinstance(tree, str) and tree.startswith("@"):
        return differ(FACTS["shapes"][tree[1:]], value, at)
    if isinstance(tree, dict):
        if not isinstance(value, dict):
            return [] if value is None and "$nullable" in tree else [f"{at}: {value!r}"]
        if "<ISO2>" in tree:
            return []
        return [it for name, inner in tree.items() for it in field(inner, name, value, at)]
    if isinstance(tree, list):
        if not isinstance(value, list):
            return [] if value is None and "$nullable" in tree else [f"{at}: {value!r}"]
        return [it for one in value for it in differ(tree[0], one, f"{at}[]")]
    return [] if fits(tree, value) else [f"{at}: {value!r} is no {tree}"]


def field(tree: Any, name: str, value: dict[str, Any], at: str) -> list[str]:
    if name not in value:
        return [] if name == "$nullable" or absent(tree) else [f"{at}.{name} is missing"]
    # Null at the ends, as in every other pager.
    if name in LINKS and value[name] is None:
        return []
    return differ(tree, value[name], f"{at}.{name}")


def absent(tree: Any) -> bool:
    if isinstance(tree, list):
        return "*" in tree
    # A summary is made only when a price is asked for with one.
    return "countries" in tree if isinstance(tree, dict) else str(tree).endswith("*")


def fits(tree: str | None, value: Any) -> bool:
    kinds = (tree or "null").rstrip("*").rstrip("?").split("|")
    if value is None:
        return (
            tree is None or "?" in tree or any(kind in {"null", "empty", "any"} for kind in kinds)
        )
    known: dict[str, Any] = {"str": str, "int": int, "number": (int, float), "bool": bool}
    return any(
        kind == "any"
        or (kind == "empty" and value in ([], {}, 1, True))
        or (kind == "list[str]" and isinstance(value, list))
        or (kind in known and isinstance(value, known[kind]))
        for kind in kinds
    )
