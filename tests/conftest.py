"""What holds for all tests."""

from __future__ import annotations

import os
import signal
import sys

from hypothesis import settings

# Without byte code, each worker would rewrite the assertions of all test modules, and each command
# that a test starts would compile the package: half of the time of a run.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A slow machine is no failure. CI tries the same examples each time, others try new ones.
settings.register_profile("any machine", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("any machine")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores it, and so would the programs that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
