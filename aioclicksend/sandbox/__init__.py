"""A ClickSend account on loopback, for tests, demonstrations and the curious."""

from __future__ import annotations

from .faults import Arrival, Fault
from .history import HistoryBehaviour
from .records import Record
from .routes import Coverage
from .server import Sandbox

__all__ = ["Arrival", "Coverage", "Fault", "HistoryBehaviour", "Record", "Sandbox"]
