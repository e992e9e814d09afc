"""The MCP server: an agent sends SMS within limits that a person has set.

::

    preview_messages ────▶ messages + price + token ─────────────────────▶ previews file
    send_messages(token) ─▶ limits, price again ─▶ bulk sender ─▶ result ─▶ previews file
                                                   └─ journal                     │
    send_messages(token) again, also after a restart ◀─── the first result ───────┘

What holds, whatever an agent is talked into by a text it reads:

- nothing is sent without the token of a preview, and a token stands for exact messages at an exact
  price: it sends them once;
- `Limits` are read from the command line only; no tool changes them;
- a result that is not known is reported as unknown, never as sent or as failed.

Needs the extra ``[mcp]``. Started by ``aioclicksend mcp``.
"""

from __future__ import annotations

from .limits import Limits
from .server import serve

__all__ = ["Limits", "serve"]
