"""A real Chromium and a sandbox whose page it opens."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from aioclicksend.sandbox import Sandbox

_FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest_asyncio.fixture
async def context() -> AsyncIterator[Any]:
    """Start Chromium with an empty profile; skipped, with the reason, where there is none."""
    api = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if path is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with tempfile.TemporaryDirectory() as profile:
        async with api.async_playwright() as playwright:
            browser = await playwright.chromium.launch_persistent_context(
                profile, executable_path=path, headless=True, args=_FLAGS.split()
            )
            yield browser
            await browser.close()


@pytest_asyncio.fixture
async def page(context: Any, sandbox: Sandbox) -> AsyncIterator[Any]:
    """Open the inbox; afterwards nothing may have left the host or failed in its script."""
    page = await context.new_page()
    home = sandbox.url  # a test may stop the sandbox; the page still asks for it then
    elsewhere: list[str] = []
    errors: list[str] = []
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith((home, "data:")) else elsewhere.append(request.url)
        ),
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    await page.goto(home + "/")
    await page.wait_for_selector("#live.live")
    yield page
    # Closed before the sandbox: an open page would keep asking for it.
    await page.close()
    # A sandbox that was stopped cannot be reached.
    assert (elsewhere, [line for line in errors if "net::ERR_" not in line]) == ([], [])


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
