"""What commands print: tables for people, JSON for machines, and all the rest on stderr."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple, TextIO, TypeVar

import msgspec
from cyclopts import Parameter, Token, validators
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..client import ClickSend
from ..hooks import HoldEvent, Hooks, RetryEvent
from ..models.base import Currency
from ..pages import Pages
from ..printable import printable
from . import loop
from .errors import Declined

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
    """How a command tells what it found. It is a parameter of every command, as ``--json``."""

    json: Annotated[bool, Parameter(help="Print JSON: a document, or a line for each row.")] = False

    def ask(self, call: Callable[[ClickSend], Awaitable[T]]) -> T:
        """Run one call with a client that is set up by the environment."""

        async def asking() -> T:
            hooks = Hooks(on_retry=self._tell_retry, on_hold=self._tell_hold)
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
        """Print the rows of a walk that are to be kept, up to `limit`."""

        async def each(client: ClickSend, take: Callable[[T], object]) -> None:
            count = 0
            async for row in pages(client):
                if keep(row):
                    take(row)
                    count += 1
                if count == limit:
                    break

        if self.json:
            self.ask(lambda client: each(client, self.document))
            return
        kept: list[T] = []
        with console(sys.stderr).status("reading …"):
            self.ask(lambda client: each(client, kept.append))
        self._table(kept, columns)

    def rows(self, rows: Sequence[Any], columns: Sequence[Column]) -> None:
        """Print a list that is there as a whole."""
        if not self.json:
            self._table(rows, columns)
            return
        for row in rows:
            self.document(row)

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

    def done(self, text: str, **facts: object) -> None:
        """Say that something was done; the facts are for machines."""
        if self.json:
            self.document(facts)
        else:
            write(text)

    def note(self, text: str) -> None:
        """Say something beside the result."""
        print(text, file=sys.stderr)  # noqa: T201

    def document(self, thing: object) -> None:
        """Print something for machines."""
        # In ASCII, so that it stays JSON whatever the encoding of stdout.
        write(json.dumps(msgspec.to_builtins(thing)))

    def _table(self, rows: Sequence[Any], columns: Sequence[Column]) -> None:
        if not rows:
            self.note("nothing there")
            return
        room = console(sys.stdout).width
        shown = [column for column in columns if room >= _WIDE or not column.wide]
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
        for column in shown:
            table.add_column(column.title, overflow="fold", no_wrap=column.whole)
        for row in rows:
            table.add_row(*(Text(cell(getattr(row, column.attribute))) for column in shown))
        show(table)

    def _tell_retry(self, event: RetryEvent) -> None:
        self.note(f"{event.reason}: trying again in {event.delay:.1f} s")

    def _tell_hold(self, event: HoldEvent) -> None:
        if not event.everything:  # else it is a retry, which tells of itself
            self.note(f"the server asks for a pause of {event.seconds:.0f} s")


PLAIN = Output()


def grid() -> Table:
    """Return a table of names and values."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def console(file: TextIO) -> Console:
    """Return a console that writes to a stream and takes what it is given literally."""
    made = Console(file=file, markup=False, highlight=False, emoji=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _UNLIMITED
    return made


def show(*renderables: object) -> None:
    """Print tables and texts to stdout."""
    out = console(sys.stdout)
    # rich would end the program by itself if the pipe broke.
    with out.capture() as captured:
        for renderable in renderables:
            out.print(renderable)
    # Cells are padded, which is of no use at the end of a line.
    sys.stdout.write("\n".join(map(str.rstrip, captured.get().split("\n"))))


def write(line: str) -> None:
    """Print one line to stdout at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def cell(value: object) -> str:
    """Return a value as people read it, without what could steer their terminal."""
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


def confirm(question: str, *, yes: bool) -> None:
    """Return if something irrevocable is wanted.

    Raises:
        ValueError: there is nobody to ask.
        Declined: the answer is no.

    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise ValueError("this cannot be undone: without a terminal it needs --yes")
    print(f"{question} This cannot be undone. [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
    answer = ""
    # An event loop would only note a Ctrl-C, and go on waiting for the answer.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        answer = sys.stdin.readline()
    finally:
        signal.signal(signal.SIGINT, handler)
        if not answer.endswith("\n"):
            print(file=sys.stderr)  # noqa: T201 - Ctrl-C and Ctrl-D leave the cursor behind the question
    if answer.strip().lower() not in ("y", "yes"):
        raise Declined


def text_of(argument: str) -> str:
    """Return a text as given, or standard input for ``-``."""
    return sys.stdin.read().removesuffix("\n") if argument == "-" else argument


def _moment(_kind: object, tokens: Sequence[Token]) -> datetime:
    try:
        moment = datetime.fromisoformat(tokens[0].value)
    except ValueError:
        raise ValueError("must be a time such as 2030-12-31T18:00+01:00") from None
    if moment.tzinfo is None:
        raise ValueError("needs a time zone, such as 2030-12-31T18:00+01:00 or …T17:00Z")
    return moment


def _no_option(_kind: object, value: str) -> None:
    if value.startswith("-") and value != "-":
        raise ValueError("unknown option; a text that begins with a hyphen is read from stdin: -")


Body = Annotated[
    str,
    Parameter(
        help="The text; - reads it from standard input.",
        allow_leading_hyphen=True,
        validator=_no_option,
    ),
]
Moment = Annotated[datetime | None, Parameter(converter=_moment)]
Limit = Annotated[
    int | None,
    Parameter(name="--limit-items", help="Stop after so many.", validator=validators.Number(gte=1)),
]
Yes = Annotated[bool, Parameter(name="--yes", help="Do not ask.")]
