"""Endpoints of the statistics: what was sent and received, by day."""

from __future__ import annotations

from typing import Any

from . import prices
from .calls import Call
from .crud import Handler
from .records import Record
from .state import Channel

_DAY = 86_400


def statistics(channel: Channel) -> Handler:
    """Return the handler that counts the messages of one channel, those of campaigns included."""
    kinds = ("outbound", "inbound", "bounced") if channel == "sms" else ("outbound", "bounced")

    def handler(call: Call) -> dict[str, Any]:
        total = _Counts(kinds)
        days: dict[int, _Counts] = {}
        for record in _records(call, channel):
            day = record["date"] // _DAY * _DAY
            for counts in (total, days.setdefault(day, _Counts(kinds))):
                counts.add(record)
        return {
            "total": total.shape(),
            "stats": [{"date": day, **counts.shape()} for day, counts in sorted(days.items())],
            "_currency": prices.currency(call.state.settings.currency),
        }

    return handler


def _records(call: Call, channel: Channel) -> list[Record]:
    state = call.state
    sent = [row for row in state.accepted if row["channel"] == channel]
    # History alone would leave out the messages of campaigns.
    return sent + [row for row in state.log[channel].rows if row["direction"] == "in"]


class _Counts:
    """How many messages of each kind, and what they cost."""

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self._counts = dict.fromkeys(kinds, 0)
        self._costs = dict.fromkeys(kinds, 0)

    def add(self, record: Record) -> None:
        if record["status"] in {"Cancelled", "Scheduled"}:
            return
        kind = "inbound" if record["direction"] == "in" else "outbound"
        # What bounced was sent and paid for as well.
        kinds = [kind, "bounced"] if record["status"] == "Failed" else [kind]
        for name in kinds:
            self._counts[name] += 1
            self._costs[name] += record.get("cost", 0)

    def shape(self) -> dict[str, dict[str, int | float]]:
        return {
            name: {"count": count, "price": prices.as_number(self._costs[name])}
            for name, count in self._counts.items()
        }
