"""A ClickSend account on loopback, for tests, demonstrations and the curious."""

from __future__ import annotations

from .faults import Arrival, Fault
from .routes import Coverage
from .server import Sandbox
from .state import Record

__all__ = ["Arrival", "Coverage", "Fault", "Record", "Sandbox"]
