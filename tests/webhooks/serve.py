"""Serve one of `apps` on a socket handed down: ``python -m tests.webhooks.serve NAME FD``."""

from __future__ import annotations

import socket
import sys

from . import apps

AIOHTTP = {"plain_aiohttp", "recording"}


def main(name: str, fd: int) -> None:
    app = getattr(apps, name)()
    if name in AIOHTTP:
        from aiohttp import web  # noqa: PLC0415

        web.run_app(app, sock=socket.socket(fileno=fd), print=None, access_log=None)
        return
    import uvicorn  # noqa: PLC0415

    uvicorn.run(app, fd=fd, log_level="error", access_log=False)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
