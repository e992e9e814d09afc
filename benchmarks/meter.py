"""Wall and processor time of a stretch of this process."""

from __future__ import annotations

import resource
import time
from types import TracebackType
from typing import Self


def cpu_seconds() -> float:
    """Return the processor seconds this process has used, in all its threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Meter:
    """Measures its block."""

    wall = 0.0
    cpu = 0.0

    def __enter__(self) -> Self:
        self.wall = -time.perf_counter()
        self.cpu = -cpu_seconds()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.wall += time.perf_counter()
        self.cpu += cpu_seconds()

    def result(self, count: int) -> dict[str, float]:
        """Return what a run over this many messages measured."""
        return {
            "count": count,
            "wall": self.wall,
            "cpu": self.cpu,
            "per_second": count / self.wall,
            "per_cpu_second": count / self.cpu,
        }
