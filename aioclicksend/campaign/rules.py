"""Who is not written to: repeated numbers and opt-outs."""

from __future__ import annotations

from array import array
from hashlib import blake2b

from ..client import ClickSend
from .columns import Columns
from .errors import CampaignError
from .numbers import BadNumber, Numbers
from .source import ContactList, Table

_MASK = (1 << 64) - 1
_SPREAD = 0x9E3779B97F4A7C15


class NumberSet:
    """A set of positive integers of 64 bits, at 12 to 24 bytes each: a tenth of a `set`."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 1024))
        self._shift = 64 - 10
        self._count = 0

    def add(self, number: int) -> bool:
        """Add a number and return whether it was absent."""
        place = self._place(number)
        if self._slots[place]:
            return False
        self._slots[place] = number
        self._count += 1
        if self._count * 3 > len(self._slots) * 2:
            self._grow()
        return True

    def __contains__(self, number: int) -> bool:
        return bool(self._slots[self._place(number)])

    def __len__(self) -> int:
        return self._count

    def _place(self, number: int) -> int:
        """Return the slot of a number, or the free one where it belongs."""
        slots = self._slots
        place = (number * _SPREAD & _MASK) >> self._shift
        while (held := slots[place]) and held != number:
            place = (place + 1) % len(slots)
        return place

    def _grow(self) -> None:
        old, self._slots = self._slots, array("Q", bytes(16 * len(self._slots)))
        self._shift -= 1
        for number in filter(None, old):
            self._slots[self._place(number)] = number


def as_integer(number: str) -> int:
    """Return an E.164 number as an integer."""
    return int(number[1:])


def message_hash(number: str, body: str) -> int:
    """Return an integer that stands for a message to a number; equal ones are as good as equal."""
    digest = blake2b(f"{number}\0{body}".encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") or 1


class OptOuts:
    """The numbers of people who do not want to be written to."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._known = NumberSet()
        self.sources: list[str] = []
        """Where numbers were taken from."""
        self.unread: list[tuple[str, int]] = []
        """Source and row of what is no number: whoever it stands for may be written to."""

    def __contains__(self, number: str) -> bool:
        return as_integer(number) in self._known

    def __len__(self) -> int:
        return len(self._known)

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
                cells = row.cells
                self._add(source.name, row.number, cells["phone_number"], cells["address_country"])
            return
        column = Columns(source.columns, {}).find("to")
        if column is None and len(source.columns) == 1:
            column = source.columns[0]
        if column is None:
            listed = Columns(source.columns, {}).listed()
            raise CampaignError(f"opt-outs: no column of {source.name} holds numbers; {listed}")
        for row in source:
            self._add(source.name, row.number, row.cells.get(column, ""))

    def _add(self, source: str, row: int, text: str, country: str = "") -> None:
        try:
            phone = self._numbers.read(text, self._numbers.known(country))
        except BadNumber:
            if text:
                self.unread.append((source, row))
        else:
            self._known.add(as_integer(phone.number))


async def account_opt_outs(client: ClickSend) -> list[ContactList]:
    """Return the lists to which ClickSend moves people who opt out.

    Each account is given an "Opt-Out List". ClickSend obeys it in campaigns of its dashboard, but
    not in what is sent through the API, so it has to be obeyed here.
    """
    return [
        ContactList(it.list_id)
        async for it in client.lists.walk()
        if it.list_id is not None and _is_opt_out_list(it.list_name or "")
    ]


def _is_opt_out_list(name: str) -> bool:
    letters = "".join(filter(str.isalpha, name.casefold()))
    return letters.startswith(("optout", "optedout"))
