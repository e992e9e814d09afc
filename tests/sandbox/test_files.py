from __future__ import annotations

import base64
import csv
import io
from typing import Any

import aiohttp
import pytest

from aioclicksend.sandbox import Sandbox

from .conftest import Caller, Clock, basic, sms


async def uploaded(call: Caller, content: str | bytes, convert: str = "csv") -> Any:
    data = content.encode() if isinstance(content, str) else content
    body = {"content": base64.b64encode(data).decode(), "convert": convert}
    return await call.data("POST", "/v3/uploads", body, convert=convert)


@pytest.mark.parametrize(
    ("convert", "content_type"),
    [("csv", "text/csv"), ("mms", "image/jpeg"), ("fax", "application/pdf")],
)
async def test_an_upload_is_served_without_login(
    call: Caller, sandbox: Sandbox, convert: str, content_type: str
) -> None:
    content = bytes(range(256)) * 2000
    made = await uploaded(call, content, convert)
    assert made["_url"].startswith(sandbox.url + "/files/")
    assert await call.fetch(made["_url"]) == (200, content_type, content)
    assert made["date_delete"] > made["date_added"]
    assert (await call.fetch(made["_url"] + "x"))[0] == 404


async def test_an_uploaded_page_runs_nothing(call: Caller) -> None:
    url = (await uploaded(call, "<script>alert(1)</script>"))["_url"]
    async with call.http.get(url) as reply:
        assert reply.headers["Content-Security-Policy"] == "sandbox"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_oldest_files_are_forgotten(
    http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aioclicksend.sandbox.state._MOST_FILE_BYTES", 1000)
    async with Sandbox(keep=20) as sandbox:
        call = Caller(sandbox, http)
        urls = [(await uploaded(call, "x" * 300))["_url"] for _ in range(5)]
        assert [(await call.fetch(url))[0] for url in urls] == [404, 404, 200, 200, 200]
        # The last one stays, however large it is.
        large = (await uploaded(call, "x" * 2000))["_url"]
        assert (await call.fetch(large))[0] == 200
        assert len(sandbox._state.files) == 1


@pytest.mark.parametrize(("content", "convert"), [("?", "csv"), ("", "csv"), ("eA==", "gif")])
async def test_an_upload_must_be_base64_of_a_known_kind(
    call: Caller, content: str, convert: str
) -> None:
    assert (await call("POST", "/v3/uploads", {"content": content}, convert=convert))[0] == 400


@pytest.mark.parametrize("channel", ["sms", "mms", "voice"])
async def test_history_is_exported_as_it_is_listed(call: Caller, channel: str) -> None:
    for number in (1, 2):
        message = sms(number, subject="s", body="x" * 200, lang="en-au", voice="female")
        body = {"media_file": "http://x", "messages": [message]}
        await call.data("POST", f"/v3/{channel}/send", body)
    query = {"q": "to:+61400000002", "filename": "mine.csv"}
    url = (await call.data("GET", f"/v3/{channel}/history/export", **query))["url"]
    assert url.endswith("/mine.csv")
    status, content_type, content = await call.fetch(url)
    assert (status, content_type) == (200, "text/csv")
    (row,) = csv.DictReader(io.StringIO(content.decode()))
    assert (row["custom_string"], len(row["body"])) == ("ref-2", 160)


async def test_an_import_takes_a_moment(http: aiohttp.ClientSession) -> None:
    clock = Clock()
    async with Sandbox(clock=clock, import_time=5) as sandbox:
        call = Caller(sandbox, http)
        path = f"/v3/lists/{await call.a_list()}"
        table = 'name,phone,custom\r\nAnn,+61400000001,x\r\n\r\n"Bee, B",+61400000002,y\r\n'
        url = (await uploaded(call, table))["_url"]
        order = ["first_name", "phone", "custom1"]
        answer = await call.data("POST", path + "/import", {"file_url": url, "field_order": order})
        assert answer["ids"] == [answer["id"]]
        waiting = await call.data("GET", path)
        assert (waiting["_import_in_progress"], waiting["_contacts_count"]) == (1, 0)
        clock.now += 5
        done = await call.data("GET", path)
        assert (done["_import_in_progress"], done["_contacts_count"]) == (0, 2)
        rows = (await call.data("GET", path + "/contacts"))["data"]
        names = ("first_name", "phone_number", "custom_1")
        assert [[row[name] for name in names] for row in rows] == [
            ["Ann", "+61400000001", "x"],
            ["Bee, B", "+61400000002", "y"],
        ]


async def test_an_import_knows_its_columns_and_its_file(call: Caller) -> None:
    path = f"/v3/lists/{await call.a_list()}/import"
    url = (await uploaded(call, "+61400000001,a@example.com"))["_url"]
    # Current documentation has one text where the older one has a list.
    assert (await call("POST", path, {"file_url": url, "field_order": "phone,email"}))[0] == 200
    for order in (["phone_number"], ["phone", "colour"], []):
        assert (await call("POST", path, {"file_url": url, "field_order": order}))[0] == 400
    elsewhere = {"file_url": "https://example.com/a.csv", "field_order": ["phone"]}
    assert (await call("POST", path, elsewhere))[0] == 400


async def test_the_opted_out_are_removed(call: Caller) -> None:
    here = await call.a_list({"phone_number": "1"}, {"phone_number": "2"}, {"email": "a@b.c"})
    there = await call.a_list({"phone_number": "2"}, {"email": "a@b.c", "phone_number": "9"})
    path = f"/v3/lists/{here}/remove-opted-out-contacts/{there}"
    assert await call.data("PUT", path) == {"deleted": 2}
    assert (await call.data("GET", f"/v3/lists/{here}"))["_contacts_count"] == 1


@pytest.mark.parametrize("content", [b"a,b\r\n1,2\r\n", b"\xff\xd8\x00--\r\n\r\n--x", b""])
async def test_a_file_is_uploaded_as_a_form(call: Caller, content: bytes) -> None:
    form = aiohttp.FormData()
    form.add_field("file", content, filename="a b;c.csv", content_type="text/csv")
    form.add_field("convert", "csv")
    url = call.sandbox.url + "/v3/uploads"
    async with call.http.post(url, data=form, headers=basic("sandbox", "sandbox")) as reply:
        made = (await reply.json())["data"]
    assert made["file_name"].endswith(".csv")
    assert (await call.fetch(made["_url"]))[2] == content


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x\r\nno end"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n',
        ),
    ],
)
async def test_a_form_that_is_cut_off_is_400(call: Caller, kind: str, body: bytes) -> None:
    headers = basic("sandbox", "sandbox") | {"Content-Type": kind}
    url = call.sandbox.url + "/v3/uploads"
    async with call.http.post(url, data=body, headers=headers) as reply:
        assert reply.status == 400


async def test_an_upload_needs_its_kind_only_if_strict(http: aiohttp.ClientSession) -> None:
    for strict, status in ((False, 200), (True, 400)):
        async with Sandbox(strict=strict) as sandbox:
            answer = await Caller(sandbox, http)("POST", "/v3/uploads", {"content": "eA=="})
            assert answer[0] == status
