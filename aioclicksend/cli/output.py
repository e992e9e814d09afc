"""What commands print: tables for people, JSON for programs, everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple, TextIO, TypeVar

import msgspec
from cyclopts import Parameter, Token, validators
from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from ..client import ClickSend
from ..hooks import HoldEvent, Hooks, RetryEvent
from ..models.base import Currency
from ..pages import Pages
from ..printable import printable
from . import loop

T = TypeVar("T")

_UNLIMITED = 1000
"""Columns where there is no terminal to be narrow: lines in files and pipes are not folded."""
_WIDE = 132
"""Columns from which tables show everything."""


class Column(NamedTuple):
    """One column of a table: its title, and the attribute it shows."""

    title: str
    attribute: str
    whole: bool = False
    """Never broken into lines."""
    wide: bool = False
    """Left out where there is little room."""


@Parameter(name="*")
@dataclass(frozen=True)
class Output:
    """How a command prints its result. A parameter of every command, as ``--json``."""

    json: Annotated[
        bool,
        Parameter(help="Print JSON: a document, or a line for each row; errors, too."),
    ] = False

    def ask(self, call: Callable[[ClickSend], Awaitable[T]]) -> T:
        """Run one call with a client configured by the environment."""

        async def asking() -> T:
            hooks = Hooks(on_retry=self._note_retry, on_hold=self._note_hold)
            async with ClickSend(hooks=hooks) as client:
                return await call(client)

        return loop.run(asking())

    def walk(
        self,
        pages: Callable[[ClickSend], Pages[T]],
        columns: Sequence[Column],
        limit: int | None,
        keep: Callable[[T], bool] = lambda _row: True,
    ) -> None:
        """Print the rows of a walk that `keep` accepts, up to `limit`."""

        async def each(client: ClickSend, take: Callable[[T], object]) -> int:
            count = 0
            async for row in pages(client):
                if keep(row):
                    take(row)
                    count += 1
                if count == limit:
                    break
            return count

        if self.json:
            if not self.ask(lambda client: each(client, self.document)):
                write("[]")
            return
        # For people the table comes at once, as the widths of its columns depend on all rows.
        kept: list[T] = []
        with console(sys.stderr).status("reading …"):
            self.ask(lambda client: each(client, kept.append))
        self._table(kept, columns)

    def rows(self, rows: Sequence[Any], columns: Sequence[Column]) -> None:
        """Print a complete list; as JSON a line for each row, and ``[]`` if there is none."""
        if not self.json:
            self._table(rows, columns)
            return
        for row in rows:
            self.document(row)
        if not rows:
            write("[]")

    def one(self, thing: object, columns: Sequence[Column]) -> None:
        """Print one thing: all of it as JSON, or some of its attributes."""
        if self.json:
            self.document(thing)
            return
        table = grid()
        for column in columns:
            if (value := cell(getattr(thing, column.attribute))) != "":
                table.add_row(column.title, Text(value))
        show(table)

    def done(self, *lines: str, **facts: object) -> None:
        """Print that something was done; `facts` are its JSON."""
        if self.json:
            self.document(facts)
        else:
            write("\n".join(map(one_line, lines)))

    def note(self, text: str) -> None:
        """Print a remark on stderr."""
        print(one_line(text), file=sys.stderr)  # noqa: T201

    def document(self, thing: object) -> None:
        """Print JSON in one line."""
        # ASCII stays valid JSON in any encoding of stdout.
        write(json.dumps(msgspec.to_builtins(thing)))

    def table(self, heading: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print rows of cells as a table."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
        for title in heading:
            table.add_column(title, overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell(it)) for it in row))
        show(table)

    def _table(self, rows: Sequence[Any], columns: Sequence[Column]) -> None:
        if not rows:
            self.note("nothing there")
            return
        # Fewer columns are read more easily than numbers broken over three lines.
        room = console(sys.stdout).width
        shown = [column for column in columns if room >= _WIDE or not column.wide]
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
        for column in shown:
            table.add_column(column.title, overflow="fold", no_wrap=column.whole)
        for row in rows:
            table.add_row(*(Text(cell(getattr(row, column.attribute))) for column in shown))
        show(table)

    def _note_retry(self, event: RetryEvent) -> None:
        self.note(f"{event.reason}: trying again in {event.delay:.1f} s")

    def _note_hold(self, event: HoldEvent) -> None:
        if not event.everything:  # else it is a retry, which is noted separately
            self.note(f"the server asks for a pause of {event.seconds:.0f} s")


PLAIN = Output()


def grid() -> Table:
    """Return a table of names and values."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    return table


class _Guarded(Console):
    """A console whose tables and lines may quote files, their names, and servers."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a cell or a line without line breaks."""
        return super().render_str(one_line(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield what is printed; everything passes here, also texts that have a style."""
        for it in super().render(renderable, options):
            if it.control or it.text.isprintable():
                yield it
            else:
                lines = map(one_line, it.text.split("\n"))
                yield Segment("\n".join(lines), it.style)


def console(file: TextIO) -> Console:
    """Return a console that prints text literally, without markup and what controls a terminal."""
    made = _Guarded(file=file, markup=False, highlight=False, emoji=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _UNLIMITED
    return made


def show(*renderables: object) -> None:
    """Print tables and texts to stdout."""
    out = console(sys.stdout)
    # rich ends the program itself when a pipe breaks; captured, the error reaches our exit code.
    with out.capture() as captured:
        for renderable in renderables:
            out.print(renderable)
    # Without the padding of last cells.
    sys.stdout.write("\n".join(map(str.rstrip, captured.get().split("\n"))))


def one_line(text: str) -> str:
    """Return a text of any length that may name files or quote a server, as one printable line."""
    return printable(text, limit=len(text))


def write(line: str) -> None:
    """Print one line to stdout and flush."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def cell(value: object) -> str:
    """Return a value as text, without characters that could control a terminal."""
    match value:
        case None:
            return ""
        case Currency():
            return value.name_short
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
        case _:
            return printable(value)


def _moment(_kind: object, tokens: Sequence[Token]) -> datetime:
    try:
        moment = datetime.fromisoformat(tokens[0].value)
    except ValueError:
        raise ValueError("must be a time such as 2030-12-31T18:00+01:00") from None
    if moment.tzinfo is None:
        raise ValueError("needs a time zone, such as 2030-12-31T18:00+01:00 or …T17:00Z")
    return moment


Moment = Annotated[datetime | None, Parameter(converter=_moment)]
Limit = Annotated[
    int | None,
    Parameter(name="--limit-items", help="Stop after N items.", validator=validators.Number(gte=1)),
]
