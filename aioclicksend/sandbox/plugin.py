"""The pytest fixture `clicksend_sandbox`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_asyncio import fixture

    from .server import Sandbox
else:
    try:
        from pytest_asyncio import fixture
    except ImportError:
        # Loaded into every pytest run of whoever has this package: without pytest-asyncio the
        # fixture is left to another runner of async tests.
        import pytest

        fixture = pytest.fixture


@fixture
async def clicksend_sandbox() -> AsyncIterator[Sandbox]:
    """Run a fresh ClickSend sandbox for one test."""
    from .server import Sandbox  # noqa: PLC0415 - not before a test asks for it

    async with Sandbox() as sandbox:
        yield sandbox
