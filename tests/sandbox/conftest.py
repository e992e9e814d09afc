"""A sandbox and a bare aiohttp session that talks to it."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest_asyncio

from aioclicksend.sandbox import Sandbox

NOW = 1_800_000_000


def basic(username: str, key: str) -> dict[str, str]:
    token = base64.b64encode(f"{username}:{key}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


class Caller:
    """Raw HTTP against one sandbox, logged in by default."""

    def __init__(self, sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.http = http
        self.headers: Mapping[str, str] = {}

    async def __call__(
        self, method: str, path: str, body: Any = None, **query: str | int
    ) -> tuple[int, Any]:
        """Return the status and the whole JSON body."""
        async with self.http.request(
            method,
            self.sandbox.url + path,
            data=None if body is None else json.dumps(body),
            params=query,
            headers=basic("sandbox", "sandbox"),
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=10),
        ) as response:
            self.headers = response.headers
            return response.status, await response.json()

    async def data(self, method: str, path: str, body: Any = None, **query: str | int) -> Any:
        """Return the payload of a call that must succeed."""
        status, envelope = await self(method, path, body, **query)
        assert (status, envelope["response_code"]) == (200, "SUCCESS"), envelope
        return envelope["data"]

    async def send(self, *messages: dict[str, Any]) -> Any:
        """Send SMS and return the payload."""
        return await self.data("POST", "/v3/sms/send", {"messages": list(messages)})

    async def fetch(self, url: str) -> tuple[int, str, bytes]:
        """Return status, type and content of a file, asked for without a login."""
        async with self.http.get(url) as response:
            return response.status, response.headers["Content-Type"], await response.read()

    async def a_list(self, *contacts: dict[str, Any]) -> int:
        """Make a list with contacts and return its id."""
        made: int = (await self.data("POST", "/v3/lists", {"list_name": "friends"}))["list_id"]
        for contact in contacts:
            await self.data("POST", f"/v3/lists/{made}/contacts", contact)
        return made

    async def an_address(self, email: str = "shop@example.com") -> int:
        """Return the id of a verified email address."""
        made = await self.data("POST", "/v3/email/addresses", {"email_address": email})
        path = f"/v3/email/address-verify/{made['email_address_id']}"
        await self.data("PUT", f"{path}/send")
        verified = await self.data("PUT", f"{path}/verify/token")
        assert verified["verified"] == 1
        address_id: int = verified["email_address_id"]
        return address_id


class Clock:
    """The time of a sandbox, moved by hand."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest_asyncio.fixture
async def call(sandbox: Sandbox, http: aiohttp.ClientSession) -> Caller:
    return Caller(sandbox, http)


def sms(number: int = 1, **fields: Any) -> dict[str, Any]:
    """Return a message that will be accepted."""
    return {
        "to": f"+6140000{number:04d}",
        "body": "hello",
        "custom_string": f"ref-{number}",
        **fields,
    }
