"""Which column of a table holds what."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ..errors import CampaignError
from .numbers import looks_like_number

_LONGEST_NAME = 60
_accents = re.compile("[\u0300-\u036f]")


def fold(name: str) -> str:
    """Return a name without what people write in several ways: case, spaces, signs, accents."""
    name = unicodedata.normalize("NFKD", name[: 4 * _LONGEST_NAME]).casefold()
    # Accents of Latin, Greek and Cyrillic letters only: in other scripts marks are letters.
    name = unicodedata.normalize("NFKC", _accents.sub("", name))
    return "".join(filter(str.isalnum, name))


def _folded(names: str) -> list[str]:
    return list(map(fold, names.split()))


_SURE = "to recipient msisdn"
# Without spaces and signs, as `fold` leaves them.
_MOBILE = (
    "mobile mobilenumber mobilephone mobilephonenumber mobileno cell cellphone cellnumber "
    "cellphonenumber gsm gsmnumber smsnumber "
    "handy handynummer handynr mobil mobilnummer mobilnr mobiltelefon mobilfunknummer mobiltel "
    "portable telportable telephoneportable numeroportable numerodeportable telephonemobile "
    "movil telefonomovil numeromovil telmovil celular numerocelular telefonocelular "
    "cellulare numerocellulare telefonocellulare telemovel numerodetelemovel "
    "mobiel mobielnummer mobieletelefoon gsmnummer matkapuhelin telefonkomorkowy komorka "
    "mobilnitelefon ceptelefonu cep мобильный мобильныйтелефон сотовый 手机 手机号 手机号码 携帯 "
    "携帯電話 携帯番号 휴대폰 휴대전화"
)
_PHONE = (
    "phone phonenumber phoneno telephone telephonenumber tel telno "
    "telefon telefonnummer telefonnr telnr rufnummer numerodetelephone numerotelephone numtel "
    "telefono numerodetelefono telefone numerodetelefone numeroditelefono telefoon "
    "telefoonnummer puhelin puhelinnumero numertelefonu telefonnicislo телефон номертелефона "
    "电话 电话号码 電話 電話番号 전화번호"
)
_WEAK = "contactnumber number nummer numero"
_TEXT = "message text sms smstext messagetext nachricht texte mensaje messaggio mensagem bericht"
_OPT_OUTS = _folded(
    "optout optedout optedoutat optoutdate smsoptout unsubscribed unsubscribedat unsubscribeddate "
    "donotcontact donottext donotcall donotsms dnc desabonne desinscrit abgemeldet afgemeld "
    "dadodebaja descadastrado disiscritto"
)
_KNOWN_AS = {
    "to": tuple(map(_folded, (_SURE, _MOBILE, _PHONE, _WEAK))),
    "body": (["body"], _folded(_TEXT)),
}
"""Headings by which fields are recognised, the surest first. Nothing decides within a group."""
_HEADINGS = {name for groups in _KNOWN_AS.values() for group in groups for name in group}
_TEXTS = frozenset(["body", *_TEXT.split()])
_LIKE_PHONES = ("phone", "mobil", "cell", "handy", "tel", "sms", "number", "contact", "whatsapp")
_SHOWN = 12
_COMPARED = 500
"""Columns among which a similar name is looked for: comparing takes its time."""


class HasCells(Protocol):
    """A row of the table."""

    @property
    def cells(self) -> Mapping[str, str]:
        """Texts by column."""
        ...


class Columns:
    """The columns of a table, found by the name of a field.

    Args:
        names: the columns.
        mapping: the column of a field, where it is not called as the field is.
        rows: some rows, to see what the columns hold.

    Raises:
        CampaignError: the mapping names a column that is not there.

    """

    def __init__(
        self, names: Sequence[str], mapping: Mapping[str, str], rows: Sequence[HasCells] = ()
    ) -> None:
        self.names = names
        self._known = frozenset(names)
        self._rows = rows
        self._folded: dict[str, list[str]] = {}
        for name in names:
            self._folded.setdefault(fold(name), []).append(name)
        self._mapping = {}
        for field, column in mapping.items():
            found = self.called(column)
            if found is None:
                raise CampaignError(
                    f"there is no column {column!r} for {field}; {self.listed(column)}"
                )
            self._mapping[field] = found

    def find(self, field: str) -> str | None:
        """Return the column of a field: as mapped, or called so in upper or lower case.

        Raises:
            CampaignError: several columns could hold the numbers or the texts alike.

        """
        found = self._mapping.get(field) or self.called(field)
        # Text has to name a column; a field that is only expected cannot choose between two.
        if field in _KNOWN_AS and field not in self._mapping:
            called = self._folded.get(field, ())
            if len(called) > 1:
                raise _several(field, called)
        if found is None:
            # Group by group: a list with "Mobile" and "Phone" has landlines in the second.
            groups = _KNOWN_AS.get(field, ())
            found = next(filter(None, (self._one_of(group, field) for group in groups)), None)
        if field == "to" and found is not None and "to" not in self._mapping:
            self._check_numbers(found)
        return found

    def numbers(self) -> list[str]:
        """Return the columns whose headings say that they hold phone numbers.

        A weak heading such as "Number" counts only where no other says so.
        """
        if "to" in self._mapping:
            return [self._mapping["to"]]
        *sure, weak = _KNOWN_AS["to"]
        for groups in (sure, [weak]):
            found = [
                column
                for group in groups
                for name in group
                for column in self._folded.get(name, ())
            ]
            if found:
                return found
        return []

    def mostly(self, is_one: Callable[[str], bool]) -> list[str]:
        """Return the columns in which at least half of the cells are of a kind."""
        return [
            it
            for it in self.names[:_COMPARED]
            if (values := self.values(it)) and sum(map(is_one, values)) * 2 >= len(values)
        ]

    def opt_outs(self) -> list[str]:
        """Return the columns that say who has opted out."""
        if "opt_out" in self._mapping:
            return [self._mapping["opt_out"]]
        return [column for name in _OPT_OUTS for column in self._folded.get(name, ())]

    def values(self, column: str) -> list[str]:
        """Return what the first rows hold in a column, where they hold anything."""
        return [cell for row in self._rows if (cell := row.cells.get(column))]

    def called(self, name: str) -> str | None:
        """Return the column of a name, also in upper or lower case; None if none or several are."""
        if name in self._known:
            return name
        found = self._folded.get(fold(name), ())
        return found[0] if len(found) == 1 else None

    def listed(self, wanted: str = "") -> str:
        """Return a clause that lists the columns and points at one that `wanted` may mean."""
        close = difflib.get_close_matches(
            fold(wanted)[:_LONGEST_NAME],
            [it for it in list(self._folded)[:_COMPARED] if len(it) <= _LONGEST_NAME],
            1,
        )
        meant = " or ".join(it[:30] for it in self._folded[close[0]][:_SHOWN]) if close else ""
        hint = f"did you mean {meant}? " if meant else ""
        names = ", ".join(name[:30] for name in self.names[:_SHOWN])
        more = f" and {len(self.names) - _SHOWN} more" if len(self.names) > _SHOWN else ""
        return f"{hint}the columns are: {names}{more}"

    def listed_for_numbers(self) -> str:
        """Return a clause that lists the columns and points at those that may hold numbers."""
        likely = [it for it in self.names[:_COMPARED] if self._holds_numbers(it)] or [
            it for it in self.names[:_COMPARED] if any(map(fold(it).__contains__, _LIKE_PHONES))
        ]
        hint = f"did you mean {' or '.join(it[:30] for it in likely[:3])}? " if likely else ""
        return hint + self.listed()

    def _one_of(self, group: Sequence[str], field: str) -> str | None:
        found = [column for name in group for column in self._folded.get(name, ())]
        if len(found) > 1:
            raise _several(field, found)
        return found[0] if found else None

    def _check_numbers(self, column: str) -> None:
        """Make sure that no other column has a better claim to hold the numbers.

        Raises:
            CampaignError: one has.

        """
        # "Number" may be that of a member or of a ticket, and "Contact number" anybody's.
        is_weak = fold(column) in _KNOWN_AS["to"][-1]
        if not is_weak and (not self.values(column) or self._holds_numbers(column)):
            return
        others = [it for it in self.names[:_COMPARED] if it != column and self._holds_numbers(it)]
        if others:
            raise _several("to", [column, *others])

    def _holds_numbers(self, column: str) -> bool:
        values = self.values(column)
        # Not all: some cells of a real list are empty, or say "ask Anna".
        return bool(values) and sum(map(_is_like_number, values)) * 2 > len(values)


def _several(field: str, columns: Sequence[str]) -> CampaignError:
    held = {"to": "the phone numbers", "body": "the texts"}[field]
    named = ", ".join(it[:30] for it in columns[:_SHOWN])
    return CampaignError(
        f"several columns could hold {held}: {named}; give the one with --column {field}=COLUMN"
    )


def is_heading(cells: Sequence[str]) -> bool:
    """Whether a first line names columns: it has a known name, or nothing like a number."""
    return any(map(is_known_heading, cells)) or not any(map(looks_like_number, cells))


def is_known_heading(cell: str) -> bool:
    """Whether a cell is a heading that people use for phone numbers or texts."""
    return len(cell) <= _LONGEST_NAME and fold(cell) in _HEADINGS


def is_number_heading(cell: str) -> bool:
    """Whether a cell is a heading that people use for phone numbers."""
    return is_known_heading(cell) and fold(cell) not in _TEXTS


def _is_like_number(text: str) -> bool:
    # Google's export of contacts puts all numbers of a person into one cell.
    return looks_like_number(text) or (
        ":::" in text and any(map(looks_like_number, text.split(":::")))
    )
