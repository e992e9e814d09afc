"""What a failed attempt means and whether it may be repeated: the rule behind "never twice".

It classifies by what left, not by what was raised: without an idempotency key a call whose bytes
left and whose verdict is missing may have been carried out. Such a call is repeated only where the
server may see it twice without harm. Everything here is pure; time and chance are arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from .config import Retry


class Fate(Enum):
    """What became of one attempt."""

    TAKEN = "taken"
    """2xx: the rest is in the reply."""
    NOT_SENT = "not sent"
    """No byte left."""
    THROTTLED = "throttled"
    """429: refused unread."""
    REFUSED = "refused"
    """307, 308 or another 4xx: read, and not carried out."""
    UNKNOWN = "unknown"
    """Bytes left, and no readable verdict came back."""


_SILENT = frozenset({408, 499})
"""4xx by which a proxy reports that one side stopped listening, not that the call was refused."""

_REDIRECTED_UNREAD = frozenset({307, 308})
"""The request is to be made again elsewhere, so it was not carried out here. After 301, 302 and 303
it may have been: by 303 a server refers to the result."""

_TIMEOUT_COST = 10.0
_FAILURE_COST = 5.0


def fate(*, sent: bool, status: int | None = None) -> Fate:
    """Return what an attempt means, by whether bytes left and the status that came back."""
    if status is None:
        return Fate.UNKNOWN if sent else Fate.NOT_SENT
    if 200 <= status < 300:
        return Fate.TAKEN
    # Refused before it was read: the one status after which even a send may be made again.
    if status == 429:
        return Fate.THROTTLED
    # A 5xx is not among them: a gateway answers 502 and 504 for requests that were carried out.
    if status in _REDIRECTED_UNREAD or (400 <= status < 500 and status not in _SILENT):
        return Fate.REFUSED
    return Fate.UNKNOWN


def may_repeat(what: Fate, *, repeatable: bool) -> bool:
    """Whether an attempt with this fate may be made again without risk of doing it twice."""
    return what in (Fate.NOT_SENT, Fate.THROTTLED) or (what is Fate.UNKNOWN and repeatable)


def delay(
    attempt: int, policy: Retry, random: Callable[[], float], asked: float | None = None
) -> float:
    """Return the seconds to wait after the n-th attempt (from 1): the server's word first."""
    # No jitter on the server's word: it is the time at which the window opens, for all alike.
    if asked is not None:
        return min(asked, policy.server_cap)
    # 2**63 overflows no float, and no policy waits for it.
    return random() * min(policy.cap, policy.base * 2.0 ** min(attempt, 63))


class Budget:
    """Retries a client may still make: an outage must not be answered with a storm.

    The numbers are those of the AWS SDKs: failures drain it quickly, successes fill it slowly.
    """

    __slots__ = ("_size", "left")

    def __init__(self, size: float) -> None:
        self._size = size
        self.left: float = size

    def spend(self, *, timed_out: bool = False) -> bool:
        """Take the price of one retry; False if there is not enough left."""
        # A timeout has held a connection for as long as it lasted, so it counts double.
        cost = _TIMEOUT_COST if timed_out else _FAILURE_COST
        if self.left < cost:
            return False
        self.left -= cost
        return True

    def earn(self) -> None:
        """Book one success."""
        self.left = min(self._size, self.left + 1.0)
