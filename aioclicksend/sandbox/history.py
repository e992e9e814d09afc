"""The history of one channel: what was sent and received, searched, and shown as configured.

    Log           rows in order of acceptance, with an index by recipient
     └ search     one query -> a sorted sequence of rows, our own merged with those of others
        └ present one row as `HistoryBehaviour` writes it: reference, numbers and dates

The live API's history is where a client looks for messages whose reply was lost, so what it might
do differently from what is documented matters: `HistoryBehaviour` holds every such difference,
and the default is the documented behaviour. A page of a search costs O(page), not O(history):
dates and recipients are found by bisection and by index, and the rows of others are computed from
their place and never stored.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args, overload

from .phones import national
from .records import Record
from .replies import bad_request

if TYPE_CHECKING:
    from .calls import Call

_Filter = Literal["exact", "parts", "ignore", "first", "last"]
_Numbers = Literal["e164", "digits", "zeros", "national"]
_Dates = Literal["unix", "text", "us", "iso"]
_REFS = ("as_sent", "trim", "lower")
_DATE_FIELDS = ("date", "schedule", "date_added")
_NUMBER_FIELDS = ("to", "from")


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryBehaviour:
    """How the sandbox searches the history and writes its rows; the default is as documented."""

    filter: _Filter = "exact"
    """What `q` does: `exact` compares whole values, `parts` finds parts of values, `ignore` shows
    every row, `first` and `last` use only the first or the last term of a repeated field."""
    refs: str = "as_sent"
    """What becomes of a `custom_string`, in replies, history, receipts and inbound messages:
    `as_sent`, `trim` (spaces around it are dropped), `lower`, or `cut:N` (N characters are kept).
    `Sandbox.messages` and `accepts` always know the one that was sent."""
    numbers: _Numbers = "e164"
    """How history writes `to` and `from`: `+61411…`, `digits` 61411…, `zeros` 0061411…, or
    `national` 0411…."""
    dates: _Dates = "unix"
    """How history writes times: whole seconds, the same as `text`, `us` 11/28/2026 10:07:50 PM,
    or `iso` 2026-11-28T22:07:50Z."""
    replies: bool = False
    """`numbers` and `dates` hold for the replies of sends as well."""
    foreign_rows: int = 0
    """So many messages that others sent through the same account, spread evenly from 300 seconds
    before the start or the last reset of the sandbox to 300 seconds after it. Computed, not
    stored: a million costs nothing. They are no messages of the sandbox and cost no credit."""
    endless: bool = False
    """Every page says that more follow: behind the last row the first one comes again."""

    def __post_init__(self) -> None:
        for name, choices in (("filter", _Filter), ("numbers", _Numbers), ("dates", _Dates)):
            if getattr(self, name) not in get_args(choices):
                wanted = ", ".join(get_args(choices))
                raise ValueError(f"{name} must be one of {wanted}, not {getattr(self, name)!r}")
        _alter_ref(self.refs)
        if self.foreign_rows < 0:
            raise ValueError("foreign_rows must be 0 or more")

    def ref(self, custom_string: str) -> str:
        """Return the reference as this server gives it back."""
        return _alter_ref(self.refs)(custom_string)

    def present(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return one history row as this server writes it."""
        return self._formatted(self._with_ref(row))

    def present_reply(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return one row of a send's reply as this server writes it."""
        row = self._with_ref(row)
        return self._formatted(row) if self.replies else row

    def _with_ref(self, row: dict[str, Any]) -> dict[str, Any]:
        if self.refs != "as_sent" and row.get("custom_string"):
            row["custom_string"] = self.ref(row["custom_string"])
        return row

    def _formatted(self, row: dict[str, Any]) -> dict[str, Any]:
        if self.numbers != "e164":
            for name in _NUMBER_FIELDS:
                row[name] = _write_number(row[name], self.numbers)
        if self.dates != "unix":
            for name in _DATE_FIELDS:
                # A schedule is empty in some rows, and stays so.
                if row.get(name):
                    row[name] = _write_date(int(row[name]), self.dates)
        return row


def _alter_ref(refs: str) -> Callable[[str], str]:
    match refs.split(":"):
        case ["as_sent"]:
            return str
        case ["trim"]:
            return str.strip
        case ["lower"]:
            return str.lower
        case ["cut", size] if size.isascii() and size.isdigit():
            return lambda custom_string: custom_string[: int(size)]
        case _:
            raise ValueError(f"refs must be one of {', '.join(_REFS)}, cut:N, not {refs!r}")


#: The history as it is documented.
DOCUMENTED = HistoryBehaviour()


def _write_number(number: str, style: _Numbers) -> str:
    if not number.startswith("+"):
        return number
    match style:
        case "digits":
            return number[1:]
        case "zeros":
            return "00" + number[1:]
        case _:
            return national(number)


def _write_date(seconds: int, style: _Dates) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    match style:
        case "us":
            return f"{moment:%m/%d/%Y %I:%M:%S %p}"
        case "iso":
            return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
        case _:
            return str(seconds)


@dataclass(slots=True)
class Log:
    """What history may show of one channel, in order of acceptance. Rows are only ever added."""

    rows: list[Record] = field(default_factory=list[Record])
    _by_recipient: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    _in_order: bool = True

    def add(self, row: Record) -> None:
        """Append one row."""
        # A clock that was put back ends the search for dates by bisection.
        if self.rows and row["date"] < self.rows[-1]["date"]:
            self._in_order = False
        self._by_recipient.setdefault(row["to"].lower(), []).append(len(self.rows))
        self.rows.append(row)

    def visible(self, until: float) -> int:
        """Return how many rows were accepted up to a moment."""
        return bisect_right(self.rows, until, key=lambda row: row["accepted_at"])

    def select(self, query: Query, visible: int) -> list[Record]:
        """Return the visible rows a query asks for, in order of acceptance."""
        # By number where the query names one: a client in doubt asks for a few among a hundred
        # thousand.
        places = query.recipients()
        rows: Sequence[Record]
        if places is not None:
            found = {place for number in places for place in self._by_recipient.get(number, ())}
            rows = [self.rows[place] for place in sorted(found) if place < visible]
        elif self._in_order:
            start = bisect_left(self.rows, query.since, 0, visible, key=lambda row: row["date"])
            end = bisect_right(self.rows, query.until, start, visible, key=lambda row: row["date"])
            rows = self.rows[start:end]
        else:
            rows = self.rows[:visible]
        return [row for row in rows if query.wants(row)]


@dataclass(frozen=True, slots=True)
class Query:
    """What one request asks for: a stretch of time, both ends included, and terms of `q`."""

    since: float
    until: float
    terms: tuple[tuple[str, str], ...] = ()
    either: bool = False
    whole: bool = True
    date: str = "date"

    def wants(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row belongs to the answer."""
        if not self.since <= int(row[self.date]) <= self.until:
            return False
        if not self.terms:
            return True
        # [docs] ClickSend API v3: operator joins the terms, AND by default.
        met = any if self.either else all
        return met(self._meets(row, name, wanted) for name, wanted in self.terms)

    def _meets(self, row: Mapping[str, Any], name: str, wanted: str) -> bool:
        value = str(row.get(name, "")).lower()
        return wanted == value if self.whole else wanted in value

    def recipients(self) -> set[str] | None:
        """Return the only numbers the answer can be about, None if it can be about any."""
        if not self.whole:
            return None
        numbers = {wanted for name, wanted in self.terms if name == "to"}
        # With OR and another field, rows of any number can meet the query.
        if self.either and len(numbers) < len(set(self.terms)):
            return None
        return numbers or None


def read_query(call: Call, searchable: frozenset[str], date: str = "date") -> Query:
    """Read the time and the terms a request names; both ends of the time are included."""
    query, behaviour = call.query, call.state.settings.history
    # Whether the live API joins a repeated field by OR is unknown, so each possibility can be set.
    terms = () if behaviour.filter == "ignore" else tuple(_terms(call, searchable))
    if behaviour.filter in {"first", "last"}:
        # A dict keeps the last of equal keys.
        kept = terms if behaviour.filter == "last" else terms[::-1]
        terms = tuple(dict(kept).items())
    return Query(
        since=_seconds(query.get("date_from")) or float("-inf"),
        until=_seconds(query.get("date_to")) or float("inf"),
        terms=terms,
        either=query.get("operator", "AND").upper() == "OR",
        whole=behaviour.filter != "parts",
        date=date,
    )


def _whole(digits: str, base: int) -> int:
    try:
        return int(digits, base)
    except ValueError:
        return -1


def _seconds(value: str | None) -> int:
    return int(value) if value and value.isascii() and value.isdigit() else 0


def _terms(call: Call, searchable: frozenset[str]) -> Iterator[tuple[str, str]]:
    for term in filter(None, call.query.get("q", "").split(",")):
        name, _, wanted = term.partition(":")
        name = name.strip().lower()
        if name in searchable:
            yield name, wanted.strip().lower()
        # Whether the live API refuses a field that it does not know is undocumented.
        elif call.state.settings.strict:
            raise bad_request(f"Unknown search field: {name}")


def filtered(
    call: Call, rows: Iterable[Record], searchable: frozenset[str], date: str = "date"
) -> list[Record]:
    """Return those of some rows that a request asks for."""
    query = read_query(call, searchable, date)
    return [row for row in rows if query.wants(row)]


def search(
    call: Call, channel: str, searchable: frozenset[str], sortable: Mapping[str, str]
) -> Sequence[Record]:
    """Return all of the history a request asks for, in its order."""
    state, behaviour = call.state, call.state.settings.history
    log, now = state.log[channel], state.clock()
    visible = log.visible(now - state.settings.history_lag)
    names = ("q", "operator", "order_by", "date_from", "date_to")
    key = (channel, behaviour, *(call.query.get(name) for name in names))
    stamp = (state.version, visible, int(now) if behaviour.foreign_rows else 0)
    # A walk asks the same question for every page: the answer is kept until a message moves.
    known = state.searches.get(key)
    if known is not None and known[0] == stamp:
        found: Sequence[Record] = known[1]
        return found
    query = read_query(call, searchable)
    rows = _in_order(
        log.select(query, visible),
        Foreign(state.started, behaviour.foreign_rows).select(query, now),
        call.query.get("order_by"),
        sortable,
    )
    if behaviour.endless:
        rows = Endless(rows)
    # Only the walks of the moment matter; old answers would keep whole histories alive.
    if len(state.searches) > 16:
        state.searches.clear()
    state.searches[key] = (stamp, rows)
    return rows


def _in_order(
    own: list[Record],
    foreign: ForeignRows,
    order_by: str | None,
    sortable: Mapping[str, str],
) -> Sequence[Record]:
    name, _, direction = (order_by or "date:asc").partition(":")
    field = sortable.get(name.strip().lower(), "date")
    descending = direction.strip().lower() == "desc"
    if field != "date":
        # The rows of others are only ever asked for by date; here they follow.
        own.sort(key=lambda row: str(row.get(field, "")), reverse=descending)
        return Merged(own, foreign, [*range(len(own))], backwards=False)
    # Stable: messages of one second stay in the order of their acceptance.
    own.sort(key=lambda row: row["date"])
    places = [n + foreign.count_until(row["date"]) for n, row in enumerate(own)] if foreign else []
    if not foreign:
        return own[::-1] if descending else own
    return Merged(own, foreign, places, backwards=descending)


# The rows of others


@dataclass(frozen=True, slots=True)
class Foreign:
    """The messages others sent: row n of `count` has its number, id and time by its place."""

    start: float
    count: int
    _AROUND = 300.0

    def moment(self, place: int) -> int:
        """Return the time of one row."""
        return int(self.start - self._AROUND + place * 2 * self._AROUND / self.count)

    def select(self, query: Query, now: float) -> ForeignRows:
        """Return the rows a query asks for that were sent by now."""
        everything = range(self.count)
        start = bisect_left(everything, query.since, key=self.moment)
        end = bisect_right(everything, min(query.until, now), key=self.moment)
        chosen = range(start, end)
        if not query.terms or not chosen:
            return ForeignRows(self, chosen)
        found = [self._meeting(chosen, name, wanted, query) for name, wanted in query.terms]
        if query.either:
            whole = any(places is chosen for places in found)
            return ForeignRows(self, chosen if whole else sorted({n for ns in found for n in ns}))
        fewest = min(found, key=len)
        return ForeignRows(self, [n for n in fewest if all(n in places for places in found)])

    def _meeting(self, chosen: range, name: str, wanted: str, query: Query) -> Sequence[int]:
        """Return the places of the rows that meet one term, `chosen` itself if all do."""
        if not query.whole:
            return [n for n in chosen if wanted in str(self.row(n)[name]).lower()]
        # Computed from the term, so that a lookup among a million rows makes one.
        match name:
            case "to":
                place = _whole(wanted.removeprefix(_FOREIGN), 10)
            case "message_id":
                place = _whole(wanted.rpartition("-")[2], 16)
            case _:
                return chosen if str(self.row(0).get(name)).lower() == wanted else ()
        met = place in chosen and str(self.row(place)[name]).lower() == wanted
        return (place,) if met else ()

    def row(self, place: int) -> Record:
        """Return one row."""
        return _foreign_row(place, self.moment(place))


@dataclass(frozen=True, slots=True)
class ForeignRows:
    """Some of the messages of others, by their places."""

    source: Foreign
    places: Sequence[int]

    def __len__(self) -> int:
        return len(self.places)

    def count_until(self, date: int) -> int:
        """Return how many of them are not later than a time."""
        return bisect_right(self.places, date, key=self.source.moment)

    def row(self, n: int) -> Record:
        """Return the nth of them."""
        return self.source.row(self.places[n])


_FOREIGN = "+61498"
_FOREIGN_SUBACCOUNT = 1


def _foreign_row(place: int, moment: int) -> Record:
    return Record(
        direction="out",
        date=moment,
        to=f"{_FOREIGN}{place:06d}",
        body="A message of another application",
        status="Sent",
        schedule=moment,
        status_code=None,
        status_text=None,
        error_code=None,
        error_text=None,
        message_id=f"F0F0F0F0-0000-4000-A000-{place:012X}",
        message_parts=1,
        message_price="0.0770",
        from_email=None,
        list_id=None,
        custom_string=f"other-{place}",
        contact_id=None,
        country="AU",
        carrier="",
        username="other",
        subaccount_id=_FOREIGN_SUBACCOUNT,
        subject="",
        _media_file_url="",
        lang="en-au",
        voice="female",
        require_input=0,
        machine_detection=0,
        **{"from": "+61488800001"},
    )


class _Rows(Sequence[Record]):
    """A sequence whose slices are lists made one row at a time."""

    def _one(self, at: int) -> Record:
        raise NotImplementedError

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self._one(at) for at in range(*index.indices(len(self)))]
        return self._one(range(len(self))[index])


class Merged(_Rows):
    """The sandbox's rows merged with those of others; `places` holds the position of each."""

    def __init__(
        self, own: list[Record], foreign: ForeignRows, places: list[int], *, backwards: bool
    ) -> None:
        self._own, self._foreign, self._places = own, foreign, places
        self._backwards = backwards

    def __len__(self) -> int:
        return len(self._own) + len(self._foreign)

    def _one(self, at: int) -> Record:
        if self._backwards:
            at = len(self) - 1 - at
        before = bisect_left(self._places, at)
        if before < len(self._places) and self._places[before] == at:
            return self._own[before]
        return self._foreign.row(at - before)


class Endless(_Rows):
    """Rows that begin again after the last one."""

    _ROWS = 1_000_000_000

    def __init__(self, rows: Sequence[Record]) -> None:
        self._again = rows

    def __len__(self) -> int:
        return self._ROWS if self._again else 0

    def _one(self, at: int) -> Record:
        return self._again[at % len(self._again)]
