"""The requests that arrived, bounded in number and in size."""

from __future__ import annotations

from .faults import Arrival

_MOST = 100_000
_MOST_BYTES = 64 * 1024 * 1024


class RequestLog:
    """Remembers requests; beyond a bound the oldest quarter is forgotten at once."""

    def __init__(self, most: int = _MOST, most_bytes: int = _MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self.clear()

    def clear(self) -> None:
        """Forget all of them."""
        self.arrivals: list[Arrival] = []
        self.forgotten: int = 0
        self._bytes = 0

    def add(self, arrival: Arrival) -> None:
        """Remember one more."""
        self.arrivals.append(arrival)
        self._bytes += len(arrival.body)
        # A quarter at once: forgetting one by one would move the list at every request.
        while len(self.arrivals) > self._most or self._bytes > self._most_bytes:
            gone = max(len(self.arrivals) // 4, 1)
            self._bytes -= sum(len(one.body) for one in self.arrivals[:gone])
            del self.arrivals[:gone]
            self.forgotten += gone
