"""Which column of a table holds what."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from .errors import CampaignError

_NUMBER = (
    "to recipient msisdn mobile mobilenumber mobilephone mobilephonenumber mobileno cell cellphone "
    "cellnumber cellphonenumber handy handynummer mobil mobilnummer movil celular gsm phone "
    "phonenumber phoneno telephone telephonenumber tel telno telefon telefonnummer telefono "
    "contactnumber smsnumber number"
)
_TEXT = "body message text sms smstext messagetext"
_KNOWN_AS = {"to": _NUMBER.split(), "body": _TEXT.split()}
"""Headings by which fields are recognised, the surest first."""
_SHOWN = 12


class Columns:
    """The columns of a table, found by the name of a field.

    Args:
        names: the columns.
        mapping: the column of a field, where it is not called as the field is.

    Raises:
        CampaignError: the mapping names a column that is not there.

    """

    def __init__(self, names: Sequence[str], mapping: Mapping[str, str]) -> None:
        self.names = names
        self._folded: dict[str, list[str]] = {}
        for name in names:
            self._folded.setdefault(_fold(name), []).append(name)
        self._mapping = {}
        for field, column in mapping.items():
            found = self._called(column)
            if found is None:
                raise CampaignError(
                    f"there is no column {column!r} for {field}; {self.listed(column)}"
                )
            self._mapping[field] = found

    def find(self, field: str) -> str | None:
        """Return the column of a field: as mapped, or called so in upper or lower case."""
        found = self._mapping.get(field) or self._called(field)
        if found is None:
            found = next(filter(None, map(self._called, _KNOWN_AS.get(field, ()))), None)
        return found

    def listed(self, wanted: str = "") -> str:
        """Return a clause that lists the columns and points at one that `wanted` may mean."""
        close = difflib.get_close_matches(_fold(wanted), self._folded, 1)
        hint = f"did you mean {self._folded[close[0]][0]}? " if close else ""
        names = ", ".join(name[:30] for name in self.names[:_SHOWN])
        more = f" and {len(self.names) - _SHOWN} more" if len(self.names) > _SHOWN else ""
        return f"{hint}the columns are: {names}{more}"

    def _called(self, name: str) -> str | None:
        if name in self.names:
            return name
        folded = self._folded.get(_fold(name), ())
        return folded[0] if len(folded) == 1 else None


def _fold(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))
