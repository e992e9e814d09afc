"""Everything one sandbox account holds. No HTTP; the clock is passed in."""

from __future__ import annotations

import heapq
import uuid
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Literal

from . import prices
from .countries import ENABLED
from .events import Events
from .firing import firing
from .history import DOCUMENTED, HistoryBehaviour, Log
from .phones import e164
from .records import Record, new_id
from .views import inbound_view, message_view

Channel = Literal["sms", "mms", "voice"]
PushKind = Literal["inbound", "receipt"]
#: Push a row to an address, encoded as a rule wants it.
PushTo = Callable[[PushKind, str, str | None, Record], None]

#: What receipts may be about.
RECEIPTS = ("sms", "mms", "voice", "email", "fax")

_MOST_FILES = 1000
_MOST_FILE_BYTES = 64 * 1024 * 1024

SHARED_NUMBER = "+61488800000"
USER_ID = 104_729
SUBACCOUNT_ID = 119_083


@dataclass(slots=True, kw_only=True)
class Settings:
    """The settings of a sandbox; a reset keeps them."""

    username: str = "sandbox"
    api_key: str = "sandbox"
    maton_key: str = "sandbox"
    strict: bool = False
    balance: str = "1000.00"
    history_lag: float = 0.0
    history: HistoryBehaviour = DOCUMENTED
    currency: str = "AUD"
    reject: dict[str, str] = field(default_factory=dict[str, str])
    """Numbers no message is accepted for, and the status their rows get."""
    tariff: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """Prices of a part that were set by hand, by channel and country."""
    throttle_window: float = 0.0
    countries: Collection[str] = ENABLED
    odd_templates: bool = False
    min_limit: int = 15
    rules_required: bool = False
    auto_deliver: float | None = None
    barred_senders: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """Sender types no message to a country may come from."""
    alpha_tags: dict[str, str] | None = None
    """The alpha tags the account begins with and their status; None: no tag needs approval."""
    trial: int | None = None
    """Messages a trial account may send to a country in a day."""
    keep: int | None = None
    """How many messages are remembered."""
    import_time: float = 0.1


@dataclass(frozen=True, slots=True)
class File:
    """Something to fetch without a login."""

    name: str
    content: bytes
    content_type: str


@dataclass(slots=True)
class Inbox:
    """Unread rows first come, first listed; reading a row does not forget it."""

    unread: dict[str, Record] = field(default_factory=dict[str, Record])
    all: list[Record] = field(default_factory=list[Record])
    version: int = 0
    _places: int = 0

    def add(self, row: Record, copies: int = 1) -> None:
        """Put one row in, unread, as often as rules ask for it."""
        if copies:
            self.all.append(row)
        for _ in range(copies):
            self.requeue(row)

    def requeue(self, row: Record) -> None:
        """List a row once more as unread."""
        # Several receipts may name one message, so the key is the row's own place.
        self._places += 1
        self.unread[str(self._places)] = row
        self.version += 1

    def forget(self, message_ids: Collection[str]) -> None:
        """Drop the rows of some messages."""
        self.mark(lambda row: row["message_id"] in message_ids)
        self.all = [row for row in self.all if row["message_id"] not in message_ids]

    def mark(self, unwanted: Callable[[Record], bool]) -> int:
        """Mark the rows chosen as read and return how many there were."""
        read = [key for key, row in self.unread.items() if unwanted(row)]
        for key in read:
            del self.unread[key]
        self.version += 1
        return len(read)


@dataclass(slots=True)
class State:
    """Messages, queues, lists and connections of one account."""

    settings: Settings
    clock: Callable[[], float]
    push: PushTo
    events: Events = field(default_factory=Events)
    balance: int = 0
    started: float = 0.0
    forgotten: int = 0
    """How many messages were forgotten because of `keep`."""
    version: int = 0
    """Grows with every change: searches of the history and the file of the account go by it."""
    accepted: list[Record] = field(default_factory=list[Record])
    rejected: list[Record] = field(default_factory=list[Record])
    heard: list[Record] = field(default_factory=list[Record])
    """Everything handsets sent, in order of arrival."""
    by_id: dict[str, Record] = field(default_factory=dict[str, Record])
    log: dict[str, Log] = field(default_factory=dict[str, Log])
    inbound: Inbox = field(default_factory=Inbox)
    receipts: dict[str, Inbox] = field(default_factory=dict[str, Inbox])
    templates: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    lists: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    contacts: dict[int, dict[int, dict[str, Any]]] = field(
        default_factory=dict[int, dict[int, dict[str, Any]]]
    )
    addresses: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    connections: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    tables: dict[str, dict[int, Record]] = field(default_factory=dict[str, dict[int, Record]])
    campaigns: dict[int, list[Record]] = field(default_factory=dict[int, list[Record]])
    files: dict[str, File] = field(default_factory=dict[str, File])
    imports: list[tuple[float, int, list[dict[str, str]]]] = field(
        default_factory=list[tuple[float, int, list[dict[str, str]]]]
    )
    recent: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    searches: dict[Any, Any] = field(default_factory=dict[Any, Any])
    _refs: Counter[str] = field(default_factory=Counter[str])
    _pairs: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    _last_to: dict[str, Record] = field(default_factory=dict[str, Record])
    _scheduled: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    trial_sent: Counter[tuple[int, str]] = field(default_factory=Counter[tuple[int, str]])
    """Messages of a trial account by day and country."""
    alpha_tags_matter: bool = False
    """Whether an unapproved alpha tag is replaced in Australia."""
    _undelivered: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    last_serial: int = 1000

    def __post_init__(self) -> None:
        self.balance = prices.from_decimal(self.settings.balance)
        self.log = {channel: Log() for channel in ("sms", "mms", "voice", "email")}
        self.started = self.clock()
        self.receipts = {channel: Inbox() for channel in RECEIPTS}
        self.add_connection("ACTIVE")
        self.alpha_tags_matter = self.settings.alpha_tags is not None

    def price(self, channel: str, country: str) -> int:
        """Return what one part costs now."""
        known = self.settings.tariff.get((channel, country))
        return prices.price(channel, country) if known is None else known

    def serial(self) -> int:
        """Return the next id for lists, contacts, templates and addresses."""
        self.last_serial += 1
        return self.last_serial

    def now(self) -> int:
        """Return the account's time in whole seconds."""
        return int(self.clock())

    # Messages

    def table(self, name: str) -> dict[int, Record]:
        """Return the rows of one kind by their ids."""
        return self.tables.setdefault(name, {})

    def accept(self, record: Record, *, logged: bool = True) -> None:
        """Take one message in and pay for it; not logged, history will not show it."""
        self.accepted.append(record)
        self.by_id[record["message_id"]] = record
        if logged:
            self.log[record["channel"]].add(record)
        self._last_to[record["to"]] = record
        reference = record["custom_string"]
        # Counted on acceptance, so that `duplicates` costs nothing however many messages there are.
        if reference:
            self._refs[reference] += 1
            self._pairs[reference, record["to"]] += 1
        self.balance -= record["cost"]
        if record["status"] == "Scheduled":
            heapq.heappush(self._scheduled, (record["schedule"], record["message_id"]))
        elif record["status"] == "Sent":
            self._expect_receipt(record)
        self.version += 1
        self.events.publish("message", lambda: message_view(record))
        if self._are_too_many(self.accepted):
            self.forgotten += self.forget(self.accepted[: -self._kept])

    def reject(self, record: Record) -> None:
        """Remember a message that was refused."""
        self.rejected.append(record)
        if self._are_too_many(self.rejected):
            del self.rejected[: -self._kept]

    def keep_file(self, key: str, file: File) -> None:
        """Remember a file; the oldest make room for it where memory is bounded."""
        self.files[key] = file
        while self.settings.keep is not None and len(self.files) > 1 and self._files_are_too_many():
            del self.files[next(iter(self.files))]

    def _files_are_too_many(self) -> bool:
        size = sum(len(file.content) for file in self.files.values())
        return len(self.files) > _MOST_FILES or size > _MOST_FILE_BYTES

    @property
    def _kept(self) -> int:
        assert self.settings.keep is not None
        return self.settings.keep

    def _are_too_many(self, rows: list[Record]) -> bool:
        keep = self.settings.keep
        # An eighth at once: to forget one message costs as much as to forget many.
        return keep is not None and len(rows) > keep + keep // 8

    def forget(self, sent: Collection[Record], heard: Collection[Record] = ()) -> int:
        """Forget messages, as if they had never been; what they cost stays paid."""
        gone = {row["message_id"] for row in (*sent, *heard)}
        self.accepted = [row for row in self.accepted if row["message_id"] not in gone]
        self.heard = [row for row in self.heard if row["message_id"] not in gone]
        for message_id in gone:
            self.by_id.pop(message_id, None)
        for channel, log in self.log.items():
            # A new log: its index holds positions, which all change.
            self.log[channel] = kept = Log()
            for row in log.rows:
                if row["message_id"] not in gone:
                    kept.add(row)
        for inbox in (self.inbound, *self.receipts.values()):
            inbox.forget(gone)
        for number, rows in self.campaigns.items():
            self.campaigns[number] = [row for row in rows if row["message_id"] not in gone]
        self.index()
        self.version += 1
        self.events.reload()
        return len(gone)

    def index(self) -> None:
        """Rebuild what is derived from the accepted messages."""
        self._scheduled = [
            (row["schedule"], row["message_id"])
            for row in self.accepted
            if row["status"] == "Scheduled"
        ]
        heapq.heapify(self._scheduled)
        sent = [row for row in self.accepted if row["custom_string"]]
        self._refs = Counter(row["custom_string"] for row in sent)
        self._pairs = Counter((row["custom_string"], row["to"]) for row in sent)
        self._last_to = {row["to"]: row for row in self.accepted}

    def accepts(self, reference: str) -> int:
        """Return how many accepted messages carry a reference."""
        return self._refs[reference]

    def duplicates(self) -> dict[str, int]:
        """Return the references accepted more than once for one recipient."""
        found: dict[str, int] = {}
        for (reference, _), count in self._pairs.items():
            if count > 1:
                found[reference] = max(count, found.get(reference, 0))
        return found

    def settle(self) -> None:
        """Send what was scheduled for a time that has come, and make the receipts that are due."""
        now = self.clock()
        # Called at every look at the account; `Sandbox` has a timer only where receipts need one.
        while self._scheduled and self._scheduled[0][0] <= now:
            record = self.by_id.get(heapq.heappop(self._scheduled)[1])
            # It may have been cancelled or forgotten; the heap keeps its entry.
            if record is not None and record["status"] == "Scheduled":
                record["status"] = "Sent"
                self._expect_receipt(record)
                self.version += 1
        while self._undelivered and self._undelivered[0][0] <= now:
            message_id = heapq.heappop(self._undelivered)[1]
            record = self.by_id.get(message_id)
            if record is not None and record["status"] == "Sent":
                self.deliver(message_id, 201, None)

    def _expect_receipt(self, record: Record) -> None:
        if self.settings.auto_deliver is not None:
            due = self.clock() + self.settings.auto_deliver
            heapq.heappush(self._undelivered, (due, record["message_id"]))

    def cancel(self, record: Record) -> None:
        """Withdraw a scheduled message and give the money back."""
        record["status"] = "Cancelled"
        self.balance += record["cost"]
        self.version += 1
        self.events.publish("message", lambda: message_view(record))

    def retract(self, records: Collection[Record]) -> None:
        """Undo the acceptance of unsent messages, which no history showed."""
        gone = {record["message_id"] for record in records}
        self.accepted = [row for row in self.accepted if row["message_id"] not in gone]
        for record in records:
            del self.by_id[record["message_id"]]
            reference = record["custom_string"]
            if reference:
                self._refs[reference] -= 1
                self._pairs[reference, record["to"]] -= 1
            if record["status"] != "Cancelled":
                self.balance += record["cost"]
        self.version += 1

    def cancellable(self, channel: Channel, reference: str | None) -> list[Record]:
        """Return what a cancel-all would withdraw."""
        return [
            record
            for record in map(self.by_id.get, (key for _, key in self._scheduled))
            if record is not None
            and record["status"] == "Scheduled"
            and record["channel"] == channel
            # What a campaign has scheduled is cancelled with the campaign.
            and "campaign_id" not in record
            and (reference is None or record["custom_string"] == reference)
        ]

    # Inbound and receipts

    def receive(
        self,
        from_: str,
        body: str,
        to: str | None,
        custom_string: str | None,
        original_message_id: str | None,
    ) -> Record:
        """Take in a message from a handset; it answers the last one sent there."""
        from_ = e164(from_)
        original = (
            self.by_id.get(original_message_id) if original_message_id else self._last_to.get(from_)
        )
        now, ref = self.clock(), self.settings.history.ref
        row = Record(
            {
                "timestamp": int(now),
                "from": from_,
                "body": body,
                "original_body": original["body"] if original else "",
                "original_message_id": original["message_id"] if original else original_message_id,
                "to": to or (original["from"] if original else SHARED_NUMBER),
                "custom_string": custom_string
                if custom_string is not None
                else (ref(original["custom_string"]) if original else ""),
                "message_id": new_id(),
                "subaccount_id": SUBACCOUNT_ID,
                "_keyword": body.split(" ", 1)[0],
            }
        )
        self._fire("sms/inbound", self.inbound, row)
        heard = _heard(row, now)
        self.heard.append(heard)
        self.log["sms"].add(heard)
        if self._are_too_many(self.heard):
            self.forgotten += self.forget((), self.heard[: -self._kept])
        self.version += 1
        self.events.publish("message", lambda: inbound_view(heard))
        return row

    def deliver(
        self, message_id: str, status_code: int, error_code: int | None, digits: str = ""
    ) -> Record:
        """Make the receipt of one message."""
        message = self.by_id[message_id]
        now = self.now()
        message["status_code"] = str(status_code)
        message["status_text"] = _STATUS_TEXT.get(status_code, "")
        message["error_code"] = None if error_code is None else str(error_code)
        # The last one wins: tests make receipts late, twice and in any order.
        message["status"] = _FINAL.get(status_code, message["status"])
        self.version += 1
        row = receipt_row(
            message["channel"],
            message_id,
            self.settings.history.ref(message["custom_string"]),
            status_code,
            error_code,
            sent=message["date"],
            at=now,
        )
        channel = message["channel"]
        if channel == "voice":
            row["digits"] = digits
        self._fire(f"{channel}/receipts", self.receipts[channel], row)
        self.events.publish("message", lambda: message_view(message))
        return row

    def _fire(self, queue: str, inbox: Inbox, row: Record) -> None:
        """Let the automation rules act on a receipt or an inbound message."""
        rules = firing(self.table(f"automations/{queue}").values(), row)
        # [live notes] github.com/prayantr/clicksend: two POLL rules list every item twice.
        polled = sum(rule["action"] == "POLL" for rule in rules)
        # Without rules the live API keeps nothing to poll; tests that do not care get it all the
        # same.
        inbox.add(row, polled if self.settings.rules_required else 1)
        for rule in rules:
            if rule["action"] == "URL":
                self.push(_kind(row), rule["action_address"], rule.get("webhook_type"), row)

    # Connections

    def add_connection(self, status: str) -> dict[str, Any]:
        """Add a gateway connection; a new one waits for a person to sign in."""
        key = str(uuid.uuid4())
        stamp = f"{self.clock():.6f}"
        self.connections[key] = {
            "connection_id": key,
            "status": status,
            "creation_time": stamp,
            "last_updated_time": stamp,
            "url": f"https://connect.maton.ai/?session_token={key}",
            "app": "clicksend",
            "method": "API_KEY",
            "metadata": {},
        }
        return self.connections[key]


def _kind(row: Record) -> PushKind:
    return "inbound" if "from" in row else "receipt"


_STATUS_TEXT = {
    200: "Success: Message queued for delivery.",
    201: "Success: Message received on handset.",
    300: "Temporary error: Network will retry.",
    301: "Failed: Message not delivered.",
}


# 200 and 300 leave a message where it is. [docs] help.clicksend.com, SMS status codes
_FINAL = {201: "Completed", 301: "Failed"}


def receipt_row(
    channel: str,
    message_id: str,
    custom_string: str,
    status_code: int,
    error_code: int | None,
    *,
    sent: int,
    at: int,
) -> Record:
    """Shape one receipt.

    [docs] ClickSend API v3: mms and voice receipts carry only text, and for mms a word stands
    where the code should be.
    """
    text = _STATUS_TEXT.get(status_code, "")
    row = Record(
        timestamp_send=sent,
        timestamp=at,
        message_id=message_id,
        status_code=status_code,
        status_text=text,
        error_code=error_code,
        error_text=None if error_code is None else f"Error {error_code}",
        custom_string=custom_string,
        subaccount_id=SUBACCOUNT_ID,
        message_type=channel,
    )
    if channel != "sms":
        row |= {
            "timestamp_send": str(sent),
            "timestamp": str(at),
            "status_code": _FINAL.get(status_code, text) if channel == "mms" else str(status_code),
            "error_code": "" if error_code is None else str(error_code),
            "error_text": row["error_text"] or "",
        }
    if channel == "voice":
        row["digits"] = ""
    return row


def _heard(row: Record, now: float) -> Record:
    return Record(
        row,
        channel="sms",
        direction="in",
        subaccount_id=SUBACCOUNT_ID,
        date=row["timestamp"],
        accepted_at=now,
        status="Received",
        schedule="",
        message_parts=1,
        message_price="0.0000",
        from_email=None,
        list_id=None,
        contact_id=None,
        country="",
        carrier="",
        status_code=None,
        status_text=None,
        error_code=None,
        error_text=None,
    )
