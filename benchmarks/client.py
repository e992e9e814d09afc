"""The process of one contestant: runs it and prints what it measured as one line of JSON."""

from __future__ import annotations

import importlib
import json
import resource
import sys
from pathlib import Path
from typing import Any


def peak_memory() -> float:
    """Return the most memory this process ever held, in MB.

    Not `getrusage`, whose value a process inherits from the one that started it.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        unit = 1e6 if sys.platform == "darwin" else 1e3
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    (line,) = (it for it in status.splitlines() if it.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def main() -> None:
    """Run the contestant that the command line names."""
    contestant, url, options = sys.argv[1:]
    module, _, function = contestant.rpartition(".")
    run: Any = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    given = json.loads(options)
    if (warm_up := given.pop("warm_up", 0)) > 0:
        run(url, **given | {"count": warm_up})
    result: dict[str, Any] = run(url, **given)
    print(json.dumps(result | {"memory": peak_memory()}))


if __name__ == "__main__":
    main()
