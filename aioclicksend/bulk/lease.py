"""One writer at a time: the lease of a journal's file."""

from __future__ import annotations

import os
import secrets
import socket
import sqlite3
import time
from pathlib import Path

from ..errors import ConfigurationError

LEASE = 30.0
"""Seconds after which a lease that is not renewed may be taken over."""


class Lease:
    """A row that says who writes. Its transactions are the caller's."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        self._path = path
        self._owner = secrets.token_hex(8)

    def take(self) -> None:
        """Take the lease.

        Raises:
            ConfigurationError: somebody alive has it.

        """
        held = self._db.execute("select owner, pid, host, born, beat from lease").fetchone()
        if held is not None:
            _, pid, host, born, beat = held
            here = host == socket.gethostname()
            gone = here and _birth(pid) != born
            if not gone and time.time() - beat < LEASE:
                raise ConfigurationError(
                    f"{self._path} is in use by process {pid} on {host}: one runner at a time"
                )
        pid = os.getpid()
        self._db.execute(
            "insert or replace into lease values (1, ?, ?, ?, ?, ?)",
            (self._owner, pid, socket.gethostname(), _birth(pid), time.time()),
        )

    def give_back(self) -> None:
        """Let the next one have it."""
        self._db.execute("delete from lease where owner = ?", (self._owner,))

    def renew(self) -> None:
        """Say that we are still here.

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
        owner = self._db.execute("select owner from lease").fetchone()
        if owner is None or owner[0] != self._owner:
            self._db.rollback()
            raise ConfigurationError(f"{self._path} was taken over by another process")


def _birth(pid: int) -> str:
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
    return "" if fields[0] in "ZX" else fields[19]
