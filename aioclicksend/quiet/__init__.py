"""When people may be written to, by the clocks where they are."""

from .gate import Gate
from .hours import QuietHours

__all__ = ["Gate", "QuietHours"]
