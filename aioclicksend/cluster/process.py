"""Naming a process so that another one on the same machine can check whether it runs."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from msgspec import Struct


class Process(Struct, frozen=True):
    """Identifies a process among all others."""

    host: str
    pid: int
    place: str
    """The boot and the pid namespace in which `pid` means something; empty if unknown."""
    birth: str

    @classmethod
    def current(cls) -> Process:
        """Return the process we are in."""
        pid = os.getpid()
        return cls(socket.gethostname()[:100], pid, _place(), birth_of(pid))

    def can_see(self, place: str) -> bool:
        """Whether pids of another place are those of ours."""
        return bool(place) and place == self.place


def birth_of(pid: int) -> str:
    """Return when a process of our place began, in the system's units; empty if it has exited."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def clock() -> float:
    """Return seconds that also pass while the machine sleeps, unlike those of `time.monotonic`."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def _place() -> str:
    # Two containers have the same boot but not the same pids, and a host name proves nothing.
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116 - a magic link
    except OSError:
        return ""
