"""The Python blocks of README.md and docs/: found, and made into modules.

A block is a whole program. Two things may differ:

- it may await at its top, as in a notebook;
- ``<!-- needs: celery -->`` on the line before it says that something is absent here: it is
  type-checked and not run.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(
    r"(?:^[ ]*<!-- needs: (?P<needs>[^>]+) -->\n+)?"
    r"^(?P<indent>[ ]*)```python[^\n]*\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """One Python block of a page."""

    page: str
    line: int
    code: str
    needs: str | None

    @property
    def name(self) -> str:
        """Where it stands, e.g. ``docs/sending.md:31``."""
        return f"{self.page}:{self.line}"

    def module(self) -> str:
        """Return the code as a module that a type checker takes."""
        try:
            compile(self.code, self.name, "exec")
        except SyntaxError:
            # Awaits at its top: a module may not, so it becomes the body of a function.
            return f"async def cell() -> None:\n{textwrap.indent(self.code, '    ')}"
        return self.code

    def compiled(self) -> object:
        """Return the code to be evaluated; what that gives is to be awaited, or None."""
        return compile(self.code, self.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def blocks() -> Iterator[Block]:
    """Yield the Python blocks of all pages."""
    for page in PAGES:
        text = page.read_text()
        for found in _BLOCK.finditer(text):
            yield Block(
                str(page.relative_to(ROOT)),
                text.count("\n", 0, found.start("code")) + 1,
                textwrap.dedent(found["code"]),
                found["needs"],
            )


BLOCKS = list(blocks())
