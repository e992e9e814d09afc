"""Cut lists into pages and search histories."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .calls import Call, whole
from .replies import bad_request
from .state import Channel, Record

_MAX_LIMIT = 100
_DEFAULT_LIMIT = 15
# The live API names a host of its own here, which no client should follow. [docs] ClickSend API v3
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
    low = call.state.settings.min_limit
    limit = min(max(whole(call.query.get("limit"), _DEFAULT_LIMIT), low), _MAX_LIMIT)
    page = max(whole(call.query.get("page"), 1), 1)
    total = len(rows)
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


def history(
    call: Call,
    channel: Channel,
    shape: Callable[[Record], Any],
    searchable: frozenset[str],
    sortable: Mapping[str, str],
) -> dict[str, Any]:
    """Return one page of what was sent and received, filtered and sorted."""
    rows = search(call, channel, searchable, sortable)
    return paginate(call, rows, f"{channel}/history", shape)


def search(
    call: Call, channel: Channel, searchable: frozenset[str], sortable: Mapping[str, str]
) -> list[Record]:
    """Return all history a query asks for, in its order."""
    state, query = call.state, call.query
    log = state.log[channel]
    lag = state.settings.history_lag
    visible = (
        bisect_right(log, state.clock() - lag, key=lambda row: row["accepted_at"])
        if lag
        else len(log)
    )
    key = (
        channel,
        *(query.get(name) for name in ("q", "operator", "order_by", "date_from", "date_to")),
    )
    stamp = (state.version, visible)
    known = state.searches.get(key)
    # A walk asks the same question for every page: the answer is kept until a message moves.
    if known is not None and known[0] == stamp:
        found: list[Record] = known[1]
        return found
    rows = _sorted(filtered(call, log[:visible], searchable), query.get("order_by"), sortable)
    if len(state.searches) > 16:
        state.searches.clear()
    state.searches[key] = (stamp, rows)
    return rows


def filtered(
    call: Call, rows: list[Record], searchable: frozenset[str], date: str = "date"
) -> list[Record]:
    """Return the rows between the dates of a query that meet its terms."""
    query = call.query
    # Both ends are included; the documentation does not say.
    since = whole(query.get("date_from"), 0)
    until = whole(query.get("date_to"), 0)
    if since:
        rows = [row for row in rows if row[date] >= since]
    if until:
        rows = [row for row in rows if row[date] <= until]
    terms = _terms(call, query.get("q", ""), searchable)
    if not terms:
        return rows
    met = any if query.get("operator", "AND").upper() == "OR" else all
    return [
        row
        for row in rows
        if met(wanted in str(row.get(name, "")).lower() for name, wanted in terms)
    ]


def _terms(call: Call, q: str, searchable: frozenset[str]) -> list[tuple[str, str]]:
    # Whether the live API matches whole values or parts of them is not documented. Parts give the
    # larger answer, so a client that does not check its rows is found out.
    terms: list[tuple[str, str]] = []
    for term in filter(None, q.split(",")):
        name, _, wanted = term.partition(":")
        name = name.strip().lower()
        if name in searchable:
            terms.append((name, wanted.strip().lower()))
        elif call.state.settings.strict:
            raise bad_request(f"Unknown search field: {name}")
    return terms


def _sorted(rows: list[Record], order_by: str | None, sortable: Mapping[str, str]) -> list[Record]:
    name, _, direction = (order_by or "date:asc").partition(":")
    field = sortable.get(name.strip().lower())
    if field is None:
        return rows
    descending = direction.strip().lower() == "desc"
    if field == "date":
        return sorted(rows, key=lambda row: row["date"], reverse=descending)
    return sorted(rows, key=lambda row: str(row.get(field, "")), reverse=descending)
