"""What a sandbox says when it is ready."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .server import Sandbox


def banner(sandbox: Sandbox) -> str:
    """Return where the sandbox is and the lines that point an application at it."""
    login = f"user {sandbox.username}, key {sandbox.api_key}"
    lines = [f"aioclicksend sandbox on {sandbox.url} ({login})"]
    for heading, variables in (
        ("inbox page and control API need no key; an application needs", sandbox.environ),
        ("or, through Maton's gateway", sandbox.maton_environ),
    ):
        lines.append(f"# {heading}:")
        lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return "\n".join(lines)
