from __future__ import annotations

import base64
from typing import Any

import pytest

from aioclicksend.sandbox import Sandbox

from .conftest import Caller


async def an_email(call: Caller, **more: Any) -> dict[str, Any]:
    return {
        "to": [{"email": "ann@example.com", "name": "Ann"}],
        "from": {"email_address_id": await call.an_address(), "name": "Shop"},
        "subject": "Hello",
        "body": "<p>Hi <b>Ann</b></p>",
        **more,
    }


async def test_an_email_is_one_message_however_many_it_names(
    call: Caller, sandbox: Sandbox
) -> None:
    body = await an_email(call, cc=[{"email": "bee@example.com"}])
    priced = await call.data("POST", "/v3/email/price", body)
    assert (priced["price"], priced["bcc_array"], sandbox.messages) == (0.01, None, [])
    made = await call.data("POST", "/v3/email/send", body)
    assert (made["price"], made["status"], made["bcc"]) == ("0.0100", "WaitApproval", None)
    assert made["body_plain_text"] == "Hi Ann"
    (record,) = sandbox.messages
    assert (record.channel, record.to, record.cost) == ("email", "ann@example.com", 100)
    (row,) = (await call.data("GET", "/v3/email/history"))["data"]
    assert (row["message_id"], row["to"]) == (made["message_id"], body["to"])
    url = (await call.data("GET", "/v3/email/history/export"))["url"]
    assert made["message_id"].encode() in (await call.fetch(url))[2]


async def test_attachments_are_kept_and_served(call: Caller) -> None:
    attachment = {
        "content": base64.b64encode(b"picture").decode(),
        "type": "image/png",
        "filename": "a b.png",
        "disposition": "inline",
        "content_id": "logo",
    }
    made = await call.data("POST", "/v3/email/send", await an_email(call, attachments=[attachment]))
    (kept,) = made["_attachments"]
    assert (kept["file_name"], kept["content_id"]) == ("a b.png", "logo")
    assert await call.fetch(kept["_attachment_file_url"]) == (200, "image/png", b"picture")


@pytest.mark.parametrize(
    "change",
    [
        {"to": []},
        {"to": [{"email": "nobody"}]},
        {"subject": ""},
        {"from": {"email_address_id": 9}},
        {"attachments": [{"content": "?", "type": "a/b", "filename": "a"}]},
    ],
)
async def test_an_email_is_refused_as_a_whole(
    call: Caller, sandbox: Sandbox, change: dict[str, Any]
) -> None:
    assert (await call("POST", "/v3/email/send", await an_email(call) | change))[0] == 400
    assert sandbox.messages == []


async def test_an_address_is_verified_by_the_token_asked_for(call: Caller) -> None:
    made = await call.data("POST", "/v3/email/addresses", {"email_address": "a@example.com"})
    path = f"/v3/email/address-verify/{made['email_address_id']}"
    assert (await call("PUT", path + "/verify/token"))[0] == 404
    sender = {"email_address_id": made["email_address_id"], "name": "Shop"}
    body = await an_email(call) | {"from": sender}
    assert (await call("POST", "/v3/email/send", body))[0] == 400
    assert await call.data("PUT", path + "/send") is None
    assert (await call.data("PUT", path + "/verify/token"))["verified"] == 1
    assert (await call("POST", "/v3/email/send", body))[0] == 200


async def test_templates_begin_with_a_master(call: Caller) -> None:
    masters = await call.data("GET", "/v3/email/master-templates", page=7)
    first = masters[0]
    number = first["template_id_master"]
    assert await call.data("GET", f"/v3/email/master-templates/{number}") == first
    path = "/v3/email/templates"
    fields = {"template_name": "mine", "template_id_master": number}
    made = await call.data("POST", path, fields)
    assert made["body"] == first["body"]
    assert (await call("POST", path, fields | {"template_id_master": 999}))[0] == 400
    one = f"{path}/{made['template_id']}"
    assert (await call.data("PUT", one, {"body": "new"}))["body"] == "new"
    names = {"template_id": made["template_id"], "template_name": "mine"}
    assert (await call.data("GET", path))["data"] == [names]
    await call.data("DELETE", one)
    assert (await call("GET", one))[0] == 404


async def test_a_category_has_other_field_names_in_the_list(call: Caller) -> None:
    path = "/v3/email/master-templates-categories"
    (first, *_) = await call.data("GET", path)
    alone = await call.data("GET", f"{path}/{first['category_id']}")
    assert alone["name"] == first["category_name"]
    rows = await call.data("GET", f"{path}/{first['category_id']}/master-templates")
    assert {row["category_id"] for row in rows} == {first["category_id"]}
