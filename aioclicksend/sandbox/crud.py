"""Things with a number that are made, listed, changed and deleted, one like the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .calls import Call
from .pages import paginate
from .records import Record
from .replies import not_found

Handler = Callable[[Call], Any]


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of thing: where it is kept, how its id is called, how its fields are read.

    `read` gets the call and the thing as it was, which is empty for a new one, and returns the
    fields to set; `shape` makes what is answered.
    """

    path: str
    key: str
    missing: str
    read: Callable[[Call, Mapping[str, Any]], dict[str, Any]]
    shape: Callable[[Call, Record], Mapping[str, Any]] = lambda _call, row: row
    deleted: Any = None
    linked: bool = False

    def rows(self, call: Call) -> dict[int, Record]:
        """Return all there are, by id."""
        return call.state.table(self.path)

    def find(self, call: Call) -> Record:
        """Return the one the path names; 404 if there is none."""
        found = self.rows(call).get(call.number(self.key))
        if found is None:
            raise not_found(f"{self.missing} record not found.")
        return found

    def add(self, call: Call, **fields: Any) -> Record:
        """Keep a new one under the next id."""
        number = call.state.serial()
        row = Record({self.key: number, **fields})
        self.rows(call)[number] = row
        return row

    # Handlers

    def walk(self, call: Call) -> dict[str, Any]:
        """List them."""
        rows = list(self.rows(call).values())
        return paginate(
            call, rows, self.path, lambda row: self.shape(call, row), linked=self.linked
        )

    def create(self, call: Call) -> Mapping[str, Any]:
        """Make one."""
        return self.shape(call, self.add(call, **self.read(call, {})))

    def get(self, call: Call) -> Mapping[str, Any]:
        """Return one."""
        return self.shape(call, self.find(call))

    def update(self, call: Call) -> Mapping[str, Any]:
        """Change one."""
        found = self.find(call)
        # Read in full before anything is set: a refused update changes nothing.
        found.update(self.read(call, found))
        return self.shape(call, found)

    def delete(self, call: Call) -> Any:
        """Forget one."""
        del self.rows(call)[self.find(call)[self.key]]
        return self.deleted
