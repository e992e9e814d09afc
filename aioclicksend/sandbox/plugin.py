"""The pytest fixture `clicksend_sandbox`.

pytest loads this module in every run of an environment that has this package, so it imports
nothing of the sandbox before a test asks for the fixture.
"""

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
        # The fixture is left to another runner of async tests.
        import pytest

        fixture = pytest.fixture


@fixture
async def clicksend_sandbox() -> AsyncIterator[Sandbox]:
    """Run a fresh ClickSend sandbox for one test.

    `clicksend_sandbox.environ` holds the variables that point an application at it.
    """
    from .server import Sandbox  # noqa: PLC0415

    async with Sandbox() as sandbox:
        yield sandbox
