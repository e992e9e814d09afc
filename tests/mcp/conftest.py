"""An agent's side: a client of the server, in this process or over stdio."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aioclicksend import BasicAuth, ClickSend
from aioclicksend.sandbox import Sandbox

pytest.importorskip("mcp")

from mcp import Client, StdioServerParameters, stdio_client
from mcp_types import CallToolResult, TextContent

from aioclicksend.mcp.limits import Limits
from aioclicksend.mcp.sending import Sending
from aioclicksend.mcp.server import make_server

TO = "+61411111112"

_WITH_PID = """
import os, pathlib, sys
from aioclicksend.cli.__main__ import main
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
main(["mcp", *sys.argv[2:]])
"""


class Agent:
    """Calls tools as an agent does."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, tool: str, **arguments: object) -> dict[str, Any]:
        """Return the structured content of a call that succeeds."""
        result = await self._call(tool, arguments)
        assert not result.is_error, result.content
        assert result.structured_content is not None
        return dict(result.structured_content)

    async def fails(self, tool: str, **arguments: object) -> str:
        """Return the text of a call that is refused."""
        result = await self._call(tool, arguments)
        assert result.is_error, result.structured_content
        (content,) = result.content
        assert isinstance(content, TextContent)
        return content.text

    async def token(self, *bodies: str, to: str = TO) -> str:
        """Return the token of a preview."""
        preview = await self.call(
            "preview_messages", messages=[{"to": to, "body": body} for body in bodies]
        )
        token: str = preview["token"]
        return token

    async def _call(self, tool: str, arguments: dict[str, object]) -> CallToolResult:
        result = await self.client.call_tool(tool, arguments)
        assert isinstance(result, CallToolResult)
        return result


Connect = Callable[..., AbstractAsyncContextManager[Agent]]


@pytest.fixture
def connect(clicksend_sandbox: Sandbox, tmp_path: Path) -> Connect:
    """Start a server in this process; its journal outlives it."""

    @asynccontextmanager
    async def connected(settle: float = 5.0, **limits: Any) -> AsyncGenerator[Agent]:
        auth = BasicAuth(clicksend_sandbox.username, clicksend_sandbox.api_key)
        async with ClickSend(auth=auth, base_url=clicksend_sandbox.url) as account:
            sending = Sending(account, Limits(**limits), tmp_path / "agent.db", settle=settle)
            # "legacy" goes through JSON-RPC messages, as over pipes.
            async with Client(make_server(account, sending), mode="legacy") as client:
                yield Agent(client)

    return connected


@pytest.fixture
def start(clicksend_sandbox: Sandbox, tmp_path: Path) -> Connect:
    """Start `aioclicksend mcp` with options, as an agent's program does."""

    @asynccontextmanager
    async def started(*options: str) -> AsyncGenerator[Agent]:
        journal = str(tmp_path / "agent.db")
        server = StdioServerParameters(
            command=sys.executable,
            # Its number stands in a file, so that a test can kill it.
            args=["-c", _WITH_PID, str(tmp_path / "pid"), "--journal", journal, *options],
            env={
                "CLICKSEND_USERNAME": clicksend_sandbox.username,
                "CLICKSEND_API_KEY": clicksend_sandbox.api_key,
                "CLICKSEND_BASE_URL": clicksend_sandbox.url,
            },
        )
        with (tmp_path / "stderr").open("a") as errors:
            async with Client(stdio_client(server, errors)) as client:
                yield Agent(client)

    return started
