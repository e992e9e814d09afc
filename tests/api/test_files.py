"""Files: uploads, downloads of exports, imports of contacts."""

from __future__ import annotations

import asyncio
import base64
import errno
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from aiohttp import web

from aioclicksend import ClickSend, NotFound, Retry, Timeout, UnknownOutcomeError
from aioclicksend.api.contacts import Lists
from aioclicksend.api.uploads import Convert, Uploads
from tests.core.helpers import AUTH

from .calls import FakeSession, run

PDF, PNG, JPG, OLE = (
    b"%PDF-1.7 ...",
    b"\x89PNG\r\n\x1a\n...",
    b"\xff\xd8\xff...",
    b"\xd0\xcf\x11\xe0",
)
CSV = "phone,first_name\n+61411111111,Zoë\n".encode()


@pytest.mark.parametrize(
    ("convert", "content"),
    [
        ("mms", PNG),
        ("mms", JPG),
        ("fax", PDF),
        ("fax", b"\n\n%PDF-1.4"),
        ("post", OLE),
        ("postcard", JPG),
        ("csv", CSV),
        ("csv", CSV.decode().encode("utf-16")),
        ("csv", OLE),
    ],
)
def test_a_file_travels_as_base64(convert: Convert, content: bytes) -> None:
    session = FakeSession({"http_code": 200, "data": {"_url": "https://a.test/1", "upload_id": 1}})
    upload = run(Uploads(session).create(content, convert=convert))
    assert upload.url == "https://a.test/1"
    (request,) = session.requests
    assert request.url == f"https://api.test/v3/uploads?convert={convert}"
    body = json.loads(request.body or b"")
    assert base64.b64decode(body["content"]) == content
    assert body["convert"] == convert


@pytest.mark.parametrize(
    ("convert", "content", "said"),
    [
        ("mms", PDF, "convert='mms' takes jpg, gif, png, bmp files, and this is a pdf file"),
        ("fax", PNG, "this is a png file"),
        ("csv", b"\0\1\2\3", "of no known kind"),
        ("csv", b"", "the file is empty"),
        ("mms", JPG + bytes(300_000), "an MMS takes 256000"),
        ("mms", PNG + bytes(2**20), "more than 1048576 bytes"),
        ("jpg", JPG, "convert must be one of fax, mms, csv, post, postcard"),
    ],
)
def test_what_cannot_be_converted_is_refused_before_it_is_sent(
    convert: Any, content: bytes, said: str
) -> None:
    session = FakeSession()
    with pytest.raises(ValueError, match=said):
        run(Uploads(session).create(content, convert=convert, max_size=2**20))
    assert not session.requests


@pytest.mark.timeout(10)
async def test_a_pipe_or_device_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    session = FakeSession()
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(ValueError, match="no regular file: give its bytes"):
            await Uploads(session).create(path, convert="csv")
    with pytest.raises(OSError, match="directory"):
        await Uploads(session).create(tmp_path, convert="csv")
    assert not session.requests


async def test_a_file_is_read_from_its_path_or_from_a_stream(tmp_path: Path) -> None:
    async def chunks(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            read.append(1)
            yield b"+61411111111\n"

    read: list[int] = []
    session = FakeSession({"http_code": 200, "data": {}})
    (tmp_path / "list.csv").write_bytes(CSV)
    uploads = Uploads(session)
    await uploads.create(tmp_path / "list.csv", convert="csv")
    await uploads.create(str(tmp_path / "list.csv"), convert="csv")
    await uploads.create(chunks(3), convert="csv")
    sent = [base64.b64decode(json.loads(it.body or b"")["content"]) for it in session.requests]
    assert sent == [CSV, CSV, b"+61411111111\n" * 3]
    read.clear()
    with pytest.raises(ValueError, match="more than 100 bytes"):
        await uploads.create(chunks(10**9), convert="csv", max_size=100)
    assert len(read) < 10
    with pytest.raises(ValueError, match="more than 10 bytes"):
        await uploads.create(tmp_path / "list.csv", convert="csv", max_size=10)
    with pytest.raises(FileNotFoundError):
        await uploads.create(tmp_path / "none.csv", convert="csv")


class FileServer:
    """A host that has one file, and tells who asked for it."""

    def __init__(self) -> None:
        self.url = ""
        self.content = b"row\n" * 200_000
        self.broken = 0
        self.status = 200
        self.hang = False
        self.pause = 0.0
        self.seen: list[dict[str, str]] = []
        self.started = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(dict(request.headers))
        response = web.StreamResponse(status=self.status)
        response.content_length = len(self.content)
        await response.prepare(request)
        half = len(self.content) // 2
        await response.write(self.content[:half])
        self.started.set()
        if self.hang:
            await asyncio.sleep(60)
        if self.broken:
            self.broken -= 1
            self.content = self.content[: half // 4]
            assert request.transport is not None
            request.transport.abort()
            return response
        for part in (self.content[half : half + 4], self.content[half + 4 :]):
            await asyncio.sleep(self.pause)
            await response.write(part)
        return response


@pytest.fixture
async def hosts() -> AsyncIterator[tuple[FileServer, FileServer]]:
    """Yield the API's own host and another."""
    servers, runners = (FileServer(), FileServer()), []
    for server in servers:
        app = web.Application()
        app.router.add_get("/files/export.csv", server.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        runners.append(runner)
    yield servers
    for runner in runners:
        await runner.cleanup()


def client_of(server: FileServer) -> ClickSend:
    return ClickSend(
        auth=AUTH,
        base_url=server.url,
        rate_limit=None,
        retry=Retry(attempts=3, base=0.0),
        timeout=Timeout(read=0.5),
    )


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    """Yield a path to write to, and see that nothing stays beside it."""
    yield tmp_path / "history.csv"
    assert {it.name for it in tmp_path.iterdir()} <= {"history.csv"}


@pytest.mark.parametrize("where", ["own", "foreign"])
async def test_only_the_own_host_sees_the_credentials(
    hosts: tuple[FileServer, FileServer], target: Path, where: Literal["own", "foreign"]
) -> None:
    own, foreign = hosts
    server = own if where == "own" else foreign
    async with client_of(own) as client:
        assert await client.download(f"{server.url}/files/export.csv", target) == target
    assert target.read_bytes() == server.content
    (headers,) = server.seen
    assert ("Authorization" in headers) == (where == "own")
    assert not any("a-key-that-nobody-may-see" in value for value in headers.values())


async def test_a_file_that_breaks_off_is_fetched_anew(
    hosts: tuple[FileServer, FileServer], target: Path
) -> None:
    own, _ = hosts
    own.broken = 2
    target.write_text("old")
    async with client_of(own) as client:
        await client.download(f"{own.url}/files/export.csv", target)
    assert target.read_bytes() == own.content
    assert len(own.seen) == 3


async def test_a_file_may_take_long_while_it_goes_on(
    hosts: tuple[FileServer, FileServer], target: Path
) -> None:
    own, _ = hosts
    own.pause = 0.3
    async with client_of(own) as client:
        await client.download(f"{own.url}/files/export.csv", target)
    assert target.read_bytes() == own.content
    assert len(own.seen) == 1


async def test_a_failed_download_leaves_what_was_there(
    hosts: tuple[FileServer, FileServer], target: Path
) -> None:
    own, _ = hosts
    target.write_text("old")
    async with client_of(own) as client:
        url = f"{own.url}/files/export.csv"
        own.broken = 9
        with pytest.raises(UnknownOutcomeError, match="GET file"):
            await client.download(url, target)
        own.broken, own.status = 0, 404
        with pytest.raises(NotFound):
            await client.download(url, target)
        own.status, own.hang = 200, True
        with pytest.raises(UnknownOutcomeError, match=r"no reply within 0\.5 s"):
            await client.download(url, target)
    assert target.read_text() == "old"


async def test_a_cancelled_download_leaves_nothing(
    hosts: tuple[FileServer, FileServer], target: Path
) -> None:
    own, _ = hosts
    own.hang = True
    async with client_of(own) as client:
        task = asyncio.create_task(client.download(f"{own.url}/files/export.csv", target))
        await own.started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not target.exists()


async def test_a_full_disk_is_told_as_it_is(
    hosts: tuple[FileServer, FileServer], target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    own, _ = hosts
    async with client_of(own) as client:
        monkeypatch.setattr("asyncio.to_thread", full)
        with pytest.raises(OSError, match="No space left"):
            await client.download(f"{own.url}/files/export.csv", target)
    assert len(own.seen) == 1


@pytest.mark.parametrize("url", ["http://example.com/a.csv", "ftp://a.test/b", "/files/1.csv", ""])
async def test_a_file_is_not_fetched_in_the_clear(url: str, target: Path) -> None:
    async with ClickSend(auth=AUTH) as client:
        with pytest.raises(ValueError, match="https://"):
            await client.download(url, target)


async def test_an_import_is_waited_for() -> None:
    states = iter([1, 1, 0])

    class Importing(FakeSession):
        async def exchange(self, request: Any, decode: Any) -> Any:
            row = {"list_id": 7, "_import_in_progress": next(states), "_contacts_count": 3}
            self.body = json.dumps({"http_code": 200, "data": row}).encode()
            return await super().exchange(request, decode)

    counts: list[int | None] = []
    done = await Lists(Importing()).wait_for_import(
        7, poll=0.001, progress=lambda it: counts.append(it.contacts_count)
    )
    assert done.import_in_progress is False
    assert counts == [3, 3, 3]


def test_an_import_names_its_columns() -> None:
    session = FakeSession({"http_code": 200, "data": {"msg": "", "ids": ["1"], "id": "1"}})
    started = run(Lists(session).import_contacts(7, "https://a.test/1", ["phone", "first_name"]))
    assert started.ids == ["1"]
    assert json.loads(session.requests[0].body or b"") == {
        "file_url": "https://a.test/1",
        "field_order": ["phone", "first_name"],
    }
