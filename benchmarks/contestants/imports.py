"""Importing one module in a process that has little else loaded.

The process itself has `msgspec` from nowhere: `benchmarks.client` and this module import only the
standard library.
"""

from __future__ import annotations

import importlib

from ..meter import Meter


def load(_url: str, name: str) -> dict[str, float]:
    """Import a module."""
    with Meter() as meter:
        importlib.import_module(name)
    return {"wall": meter.wall, "cpu": meter.cpu}
