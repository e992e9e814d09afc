"""Cut lists into pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .calls import Call, whole

_MAX_LIMIT = 100
_DEFAULT_LIMIT = 15
# The live API names another host here, which no client should follow. [docs] ClickSend API v3
_LINK_HOST = "https://api.clicksend.com/v3/"


def paginate(
    call: Call,
    rows: Sequence[Any],
    path: str,
    shape: Callable[[Any], Any] | None = None,
    *,
    linked: bool = False,
) -> dict[str, Any]:
    """Return one page of rows, shaped, inside the pager of the API."""
    # A smaller limit is raised, not refused: documented examples use 10. [docs] ClickSend API v3
    low = call.state.settings.min_limit
    limit = min(max(whole(call.query.get("limit"), _DEFAULT_LIMIT), low), _MAX_LIMIT)
    page = max(whole(call.query.get("page"), 1), 1)
    total = len(rows)
    # 0 for an empty list. [live notes] github.com/prayantr/clicksend
    last = -(-total // limit)
    start = (page - 1) * limit
    chosen = rows[start : start + limit]

    def url(number: int) -> str | None:
        return f"{_LINK_HOST}{path}?page={number}" if 1 <= number <= last else None

    pager: dict[str, Any] = {
        "total": total,
        "per_page": limit,
        "current_page": page,
        "last_page": last,
        "next_page_url": url(page + 1),
        "prev_page_url": url(page - 1),
        "from": start + 1 if chosen else None,
        "to": start + len(chosen) if chosen else None,
        "data": [shape(row) for row in chosen] if shape else list(chosen),
    }
    if linked:
        pager["first_page_url"] = url(1)
        pager["last_page_url"] = url(last)
        pager["path"] = _LINK_HOST + path
        pager["links"] = [
            {"url": url(number), "label": str(number), "page": number, "active": number == page}
            for number in range(1, last + 1)
        ]
    return pager
