"""One writer at a time: the lease of a journal's file.

A lease is a row that its owner renews. Whether an owner that stopped renewing has exited, or is
only stopped and may wake up, makes a difference: the latter may still complete its requests. An
owner has provably exited if its process is gone; that can be checked only from the same kernel and
the same PID namespace, so both are part of the row.

Leases are compared by wall-clock time, which may jump or differ between hosts. A renewal that lies
in the future says nothing about its age; then the row is watched for a change instead.
"""

from __future__ import annotations

import os
import secrets
import socket
import sqlite3
import time
from pathlib import Path

from ...errors import ConfigurationError

LEASE = 30.0
"""Seconds after which a lease that is not renewed may be taken over."""

_SAFE = 0.7
"""The share of a lease within which its owner may still begin a request."""

_WATCH = LEASE / 3 + 2
"""Seconds for which a lease from the future is watched: an owner that lives renews it meanwhile."""

_JITTER = 5.0
"""Seconds by which clocks of one moment may differ."""


def now() -> float:
    """Return seconds on a clock that goes on while the machine is suspended."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


_OWNERS: set[str] = set()
"""The owners of this process: one that could not release its lease is not among them any more."""


class Lease:
    """The right to write to one file. Its transactions are the caller's."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        self._path = path
        self._owner = secrets.token_hex(8)
        self._confirmed = float("-inf")
        """When it was last seen to be ours, on the clock of `now`."""

    def take(self) -> bool:
        """Take the lease; return whether an earlier owner may still be alive.

        Raises:
            ConfigurationError: somebody alive holds it.

        """
        held = self._held()
        silent = False
        if held is not None:
            owner, pid, host, space, born, beat = held
            # This process itself, by a sender that has ended without releasing it: it has no
            # request left.
            given_up = pid == os.getpid() and owner not in _OWNERS
            exited = space == _space() and (given_up or birth_of(pid) != born)
            if not exited:
                # From another host or namespace the process cannot be seen: only time decides.
                if not self._is_stale(beat):
                    raise ConfigurationError(
                        f"{self._path} is in use by process {pid} on {host}: one runner at a time"
                    )
                # It may wake up, so what it left in doubt is never sent again automatically.
                silent = True
        pid = os.getpid()
        self._confirmed = now()
        _OWNERS.add(self._owner)
        self._db.execute(
            "insert or replace into lease values (1, ?, ?, ?, ?, ?, ?)",
            (self._owner, pid, socket.gethostname(), _space(), birth_of(pid), time.time()),
        )
        return silent

    def release(self) -> None:
        """Let the next one have it."""
        _OWNERS.discard(self._owner)
        self._db.execute("delete from lease where owner = ?", (self._owner,))

    def renew(self) -> None:
        """Renew the lease.

        Raises:
            ConfigurationError: somebody took it over.

        """
        self.check()
        self._db.execute("update lease set beat = ? where owner = ?", (time.time(), self._owner))

    def check(self) -> None:
        """Make sure that it is still ours.

        Raises:
            ConfigurationError: somebody took it over; what was not committed is rolled back.

        """
        # Before the query: the time that takes must not lengthen the lease.
        asked = now()
        owner = self._db.execute("select owner from lease").fetchone()
        if owner is None or owner[0] != self._owner:
            self._db.rollback()
            raise ConfigurationError(f"{self._path} was taken over by another process")
        self._confirmed = asked

    def fence(self) -> None:
        """Make sure without I/O that nobody can have taken it over.

        Raises:
            ConfigurationError: it was not confirmed for too long: this process was stopped.

        """
        age = now() - self._confirmed
        if age > LEASE * _SAFE:
            raise ConfigurationError(
                f"this process did not run for {age:.0f} s, so another one may own {self._path}"
            )

    def _held(self) -> tuple[str, int, str, str, str, float] | None:
        query = "select owner, pid, host, space, born, beat from lease"
        row = self._db.execute(query).fetchone()
        return None if row is None else tuple(row)

    def _is_stale(self, beat: float) -> bool:
        age = time.time() - beat
        if age >= -_JITTER:
            return age >= LEASE
        # A clock was set, or another host's differs: only a change shows that the owner lives.
        until = time.monotonic() + _WATCH
        # The write lock is given back for the wait: its owner could not renew the lease otherwise.
        self._db.rollback()
        try:
            while time.monotonic() < until:
                time.sleep(0.5)
                held = self._held()
                if held is None or held[5] != beat:
                    return held is None
            return True
        finally:
            self._db.rollback()
            self._db.execute("begin immediate")


def is_gone(pid: int, space: str, born: str) -> bool:
    """Whether the owner of a lease is known to have exited."""
    return space == _space() and birth_of(pid) != born


def birth_of(pid: int) -> str:
    """Return what tells a process from a later one with its number; "" if there is none now.

    Where the system does not say, the number itself has to do.
    """
    if os.name != "posix":  # there, os.kill would not ask but kill
        return str(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return str(pid)
    # A zombie has exited. The other field is the start time, which a reused number does not share.
    return "" if fields[0] in "ZX" else fields[19]


def _space() -> str:
    """Name the kernel and PID namespace in which process numbers have their meaning."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()
