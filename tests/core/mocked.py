"""aioresponses, for tests of what a request looks like and how a reply is deciphered.

aiohttp 3.14 hands its responses a `stream_writer` that aioresponses 0.7.9 does not know.
"""

from __future__ import annotations

from re import Pattern
from types import SimpleNamespace
from typing import Any, Self

import aiohttp
from aioresponses import aioresponses
from aioresponses.core import RequestCall
from yarl import URL

ROOT = "https://rest.clicksend.com"


class _Response(aiohttp.ClientResponse):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "stream_writer" in aiohttp.ClientResponse.__init__.__code__.co_varnames:
            kwargs.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*args, **kwargs)


class Mocked(aioresponses):
    """Answers every request to `ROOT`."""

    def add(self, url: URL | str | Pattern[str], *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("response_class", _Response)
        super().add(url, *args, **kwargs)

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    @property
    def calls(self) -> list[tuple[str, URL, dict[str, Any]]]:
        """Method, address and arguments of every request so far."""
        calls: dict[tuple[str, URL], list[RequestCall]] = self.requests
        return [(method, url, it.kwargs) for (method, url), made in calls.items() for it in made]
