"""A ClickSend account on loopback, for tests, demonstrations and the curious.

The names are imported when they are first asked for: the pytest plugin is loaded into every test
run of an environment that has this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .faults import Arrival, Fault
    from .history import HistoryBehaviour
    from .pushes import PushBehaviour
    from .records import Record
    from .routes import Coverage
    from .server import Sandbox
else:

    def __getattr__(name: str) -> object:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_LATER[name], __name__), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


_LATER = {
    "Arrival": ".faults",
    "Coverage": ".routes",
    "Fault": ".faults",
    "HistoryBehaviour": ".history",
    "PushBehaviour": ".pushes",
    "Record": ".records",
    "Sandbox": ".server",
}

__all__ = ["Arrival", "Coverage", "Fault", "HistoryBehaviour", "PushBehaviour", "Record", "Sandbox"]
