"""The client of the examples: of your account, or with ``--sandbox`` of one on this machine."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aioclicksend import BasicAuth, ClickSend
from aioclicksend.sandbox import Sandbox


@asynccontextmanager
async def connect() -> AsyncGenerator[ClickSend]:
    """Yield ``ClickSend()``, which takes credentials from the environment, or one of a sandbox."""
    if "--sandbox" not in sys.argv:
        async with ClickSend() as client:
            yield client
        return
    async with Sandbox() as sandbox:
        auth = BasicAuth(sandbox.username, sandbox.api_key)
        async with ClickSend(auth=auth, base_url=sandbox.url) as client:
            yield client
