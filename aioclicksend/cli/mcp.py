"""`aioclicksend mcp`: an agent sends SMS within limits."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter, validators

from ..client import ClickSend
from ..config import BasicAuth, auth_from_environment
from ..errors import ConfigurationError
from . import loop
from .output import PLAIN, Output

app: App = App("mcp", help="Serve an AI agent over MCP (stdio): preview, send, look up.")


@app.default
def mcp(
    *,
    allow_send: Annotated[
        bool, Parameter(help="Send for real; without it a send only answers what it would do.")
    ] = False,
    allow_to: Annotated[
        tuple[str, ...],
        Parameter(
            help="Only to numbers that match this pattern, e.g. '+614*'; can be repeated.",
        ),
    ] = (),
    max_recipients: Annotated[
        int, Parameter(help="Messages in one preview, up to 1000.", show_default=True)
    ] = 100,
    budget: Annotated[
        Decimal | None, Parameter(help="What all sends of the journal may cost together.")
    ] = None,
    journal: Annotated[
        Path | None,
        Parameter(
            help="Keeps what was sent, so that nothing is sent twice, also after a restart. "
            "By default a file for each account in your state directory."
        ),
    ] = None,
    settle: Annotated[
        float,
        Parameter(
            help="Seconds to look for a message without a verdict before it is unknown.",
            validator=validators.Number(gte=0),
            show_default=True,
        ),
    ] = 30.0,
    out: Output = PLAIN,
) -> None:
    """Serve an AI agent over the Model Context Protocol on stdin and stdout.

    Nothing is sent without a preview's token, and only with --allow-send.
    """
    if find_spec("mcp") is None:
        raise ConfigurationError("the MCP server needs: pip install 'aioclicksend[mcp]'")
    from .. import mcp as server  # noqa: PLC0415 - takes a second, and its extra

    limits = server.Limits(
        allow_send=allow_send, allow_to=allow_to, max_recipients=max_recipients, budget=budget
    )
    path = journal or default_journal(os.environ)

    async def serving() -> None:
        async with ClickSend() as client:
            await server.serve(client, limits=limits, journal=path, settle=settle)

    out.note(
        f"aioclicksend mcp: journal {path}; "
        + ("sends for real" if allow_send else "sends nothing (no --allow-send)")
    )
    loop.run(serving())


def default_journal(environ: Mapping[str, str]) -> Path:
    """Return the journal of the account that the environment names.

    Accounts have a file each: tokens and budget of one must not count for another, such as those of
    a sandbox for the real account.
    """
    import platformdirs  # noqa: PLC0415 - of the extra

    auth = auth_from_environment(environ)
    name = auth.username if isinstance(auth, BasicAuth) else environ["MATON_API_KEY"]
    where = environ.get("CLICKSEND_BASE_URL") or auth.base_url
    account = hashlib.sha256(f"{where}\n{name}".encode()).hexdigest()[:12]
    return platformdirs.user_state_path("aioclicksend") / f"mcp-{account}.db"
