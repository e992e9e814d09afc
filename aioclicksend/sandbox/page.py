"""The inbox page: three static files, served as they are."""

from __future__ import annotations

from functools import cache
from importlib import resources

from aiohttp import web

#: The files by the path each is served at, with its type.
FILES = {
    "/": ("index.html", "text/html"),
    "/_sandbox/inbox.css": ("inbox.css", "text/css"),
    "/_sandbox/inbox.js": ("inbox.js", "text/javascript"),
}
#: Browsers ask for it by themselves; there is none.
ICON = "/favicon.ico"
NEVER_STORED = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
# Messages hold whatever the application sent: nothing of it may run, and nothing may be fetched.
_HEADERS = {
    **NEVER_STORED,
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}


def serve(path: str) -> web.Response:
    """Return one of the files."""
    if path == ICON:
        return web.Response(status=204)
    name, content_type = FILES[path]
    return web.Response(
        body=_read(name), content_type=content_type, charset="utf-8", headers=_HEADERS
    )


@cache
def _read(name: str) -> bytes:
    return resources.files("aioclicksend.sandbox").joinpath("inbox", name).read_bytes()
