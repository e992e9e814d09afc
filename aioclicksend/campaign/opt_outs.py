"""Who is not written to. What an opt-out means is never decided in favour of sending.

A list needs one number from a row, an opt-out list all of them: every cell counts, with every
number it can mean, and also where the row is broken. A row that yields no number where one is
expected is reported as unread, since it stands for a person who asked to be left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..client import ClickSend
from ..errors import CampaignError
from ..webhooks.suppression import is_opt_out_list
from .columns import Columns
from .number_set import NumberSet, as_integer
from .numbers import Numbers, is_date
from .source import ContactList, Row, Table
from .table import sample

_FEWEST_DIGITS = 5
"""Digits of a first line's cell that may be a broken number rather than a heading."""


class OptOuts:
    """The numbers of people who do not want to be written to."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._known = NumberSet()
        self.sources: list[str] = []
        """Where numbers were taken from."""
        self.unread: list[str] = []
        """Where something yields no number: the person behind it may be written to."""

    def __contains__(self, number: str) -> bool:
        known = self._known
        return known.count > 0 and as_integer(number) in known

    def __len__(self) -> int:
        return len(self._known)

    def add(self, number: str) -> None:
        """Take one number in."""
        self._known.add(as_integer(number))

    def check(self) -> None:
        """Make sure that all opt-outs could be read.

        Raises:
            CampaignError: some could not.

        """
        if self.unread:
            more = f" and {len(self.unread) - 1:,} more" if len(self.unread) > 1 else ""
            raise CampaignError(
                f"opt-outs: no number could be read in {self.unread[0]}{more}: correct it, or "
                "continue with --ignore-unread-opt-outs"
            )

    async def read(self, source: Table | ContactList, client: ClickSend | None) -> None:
        """Take the numbers of a file or a contact list in.

        Raises:
            CampaignError: no column of it holds numbers, or it is a list and there is no client.

        """
        self.sources.append(source.name)
        if isinstance(source, ContactList):
            if client is None:
                raise CampaignError(f"{source.name}: the account is needed to read it")
            async for row in source.rows(client):
                text, country = row.cells["phone_number"], row.cells["address_country"]
                if text and not self._take(text, self._numbers.known(country)):
                    self._report(source, row)
            return
        # A second sheet with numbers may well be the newer list.
        self.unread += [f"{source.name}, {part}" for part in source.unread]
        expected = _Expected(source, self._numbers)
        self._read_heading(source)
        before = len(self)
        unread: list[int] = []
        any_read = False
        for row in source:
            # Even a broken row may name the number of a person who opted out.
            if row.problem and not row.is_hidden:
                self._take_all(row.texts)
                unread.append(row.number)
            elif self._read_row(row.cells, expected):
                any_read = True
            else:
                unread.append(row.number)
        # Not one number in it: this is another file than was meant, such as the price list.
        if unread and not any_read and len(self) == before and not expected.is_known:
            listed = Columns(source.columns, {}).listed()
            raise CampaignError(f"opt-outs: no column of {source.name} holds numbers; {listed}")
        self.unread += [f"{source.name}, row {number}" for number in unread]

    def _read_row(self, cells: Mapping[str, str], expected: _Expected) -> bool:
        """Take the numbers of a row in, and return whether each cell that should hold one does."""
        understood = missed = False
        for column, text in cells.items():
            if not text:
                continue
            is_read = self._take(text)
            # A date can look like a number: outside the columns of numbers it proves nothing.
            if is_read and (expected.has(column) or not is_date(text)):
                understood = True
            elif expected.is_known and expected.has(column):
                missed = True
        return understood and not missed

    def _read_heading(self, source: Table) -> None:
        """Take the numbers of a heading in: it may be none."""
        heading = getattr(source, "heading", ())
        if not heading:
            return
        self._take_all(heading)
        if Columns(source.columns, {}).numbers():
            return
        # "0411 11I 111" is no number and no heading: somebody may stand behind it.
        if any(sum(map(str.isdigit, it)) >= _FEWEST_DIGITS for it in heading):
            self.unread.append(f"{source.name}, row 1")

    def _take_all(self, texts: Iterable[str]) -> None:
        for text in texts:
            self._take(text)

    def _take(self, text: str, country: str = "") -> bool:
        """Take every number that a cell can mean in, and return whether it was understood."""
        numbers, is_read = self._numbers.every(text, country)
        # All readings: leaving out one person too many is better than writing to one who opted out.
        for number in numbers:
            self.add(number)
        return is_read

    def _report(self, source: ContactList, row: Row) -> None:
        self.unread.append(f"{source.name}, row {row.number}")


class _Expected:
    """The columns of an opt-out file in which a number is expected."""

    def __init__(self, source: Table, numbers: Numbers) -> None:
        columns = Columns(source.columns, {}, sample(source))
        names = columns.numbers()
        if not names and len(source.columns) == 1:
            names = list(source.columns)
        # Several, if several hold numbers: a member's number must not hide that the phone's is not
        # readable.
        names = names or columns.mostly(lambda it: numbers.every(it)[1] and not is_date(it))
        self._names = frozenset(names)
        self.is_known = bool(names)

    def has(self, column: str) -> bool:
        """Whether a number is expected in a column; if none is known, in any."""
        return not self._names or column in self._names


async def account_opt_outs(client: ClickSend) -> list[ContactList]:
    """Return the lists to which ClickSend moves people who opt out.

    Each account is given an "Opt-Out List". ClickSend obeys it in campaigns of its dashboard, but
    not in what is sent through the API, so it has to be obeyed here.
    """
    return [
        ContactList(it.list_id, it.list_name or "")
        async for it in client.lists.walk()
        if it.list_id is not None and is_opt_out_list(it.list_name or "")
    ]
