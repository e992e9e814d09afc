"""Endpoints of SMS and MMS campaigns: one body for a whole list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import prices
from .calls import Call, need, text, whole
from .channels import MMS, SMS, Kind
from .crud import Table
from .history import filtered
from .pages import paginate
from .records import Record
from .replies import ApiError, Reply, bad_request, not_found
from .sending import accept, draft, when
from .state import SUBACCOUNT_ID, USER_ID, State

MOST_RECIPIENTS = 20_000
_NEEDED = ("list_id", "name", "body")
_FIELDS = frozenset({*_NEEDED, "from", "schedule", "url_to_shorten"})
# [docs] ClickSend API v3.
_SEARCHABLE = frozenset(
    {
        "sms_campaign_id",
        "name",
        "list_id",
        "from",
        "body",
        "schedule",
        "status",
        "date_added",
        "custom_string",
        "source",
    }
)


def check_list(call: Call, fields: Mapping[str, Any]) -> int:
    """Return the list a campaign goes to. [live] rudderlabs/rudder-transformer fixtures."""
    list_id = whole(fields.get("list_id"), -1)
    if list_id not in call.state.lists:
        raise not_found("Your list is not found.")
    return list_id


def check_credit(call: Call, cost: int, refund: int = 0) -> None:
    """Refuse what the account cannot pay for."""
    if cost and (call.login == "nocredit" or cost > call.state.balance + refund):
        raise ApiError(400, "INSUFFICIENT_CREDIT", "There is not enough credit.")


def check_schedule(fields: Mapping[str, Any]) -> int:
    """Return when a campaign is to go, 0 for now."""
    schedule = when(fields.get("schedule"))
    if schedule is None:
        raise ApiError(400, "INVALID_SCHEDULE", "The schedule field is no time.")
    return schedule


def status_of(state: State, row: Mapping[str, Any]) -> str:
    """Return the status of a campaign, which time may have changed."""
    status: str = row["status"]
    return "Sent" if status == "Scheduled" and int(row["schedule"]) <= state.clock() else status


def withdraw(call: Call, row: Record, campaign_id: int) -> None:
    """Cancel a campaign that waits, and its messages."""
    if status_of(call.state, row) != "Scheduled":
        # As for a message that was sent. What the live API says is not documented.
        raise not_found("Campaign record not found.")
    row["status"] = "Cancelled"
    for record in call.state.campaigns.get(campaign_id, []):
        if record["status"] == "Scheduled":
            call.state.cancel(record)


def list_name(state: State, row: Mapping[str, Any]) -> str:
    """Return the name of the list a campaign went to, empty if it was deleted."""
    return str(state.lists.get(row["list_id"], {}).get("list_name", ""))


@dataclass(frozen=True, slots=True)
class Campaigns:
    """The campaigns of one channel."""

    kind: Kind

    @property
    def _table(self) -> Table:
        return Table(
            path=f"{self.kind.name}-campaigns",
            key=f"{self.kind.name}_campaign_id",
            missing="Campaign",
            read=lambda _call, _before: {},
        )

    def _fields(
        self, call: Call, *more: str, kept: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        mms = self.kind is MMS
        fields = {
            **(kept or {}),
            **call.fields(_FIELDS | {"subject", "media_file"} if mms else _FIELDS | {*more}),
        }
        need(fields, *_NEEDED, *(("subject", "media_file") if mms else ()))
        if mms and not text(fields, "media_file").startswith(("http://", "https://")):
            raise ApiError(400, "INVALID_MEDIA_FILE", "The media_file field must be an address.")
        return fields

    def _drafts(self, call: Call, fields: Mapping[str, Any]) -> list[Record]:
        check_list(call, fields)
        check_schedule(fields)
        names = ("list_id", "body", "from", "schedule", "subject", "source")
        message = {name: fields[name] for name in names if name in fields}
        records = draft(call, self.kind, message, fields)
        if len(records) > MOST_RECIPIENTS:
            raise ApiError(400, "TOO_MANY_RECIPIENTS", "The list is too long for a campaign.")
        return records

    def _kept(self, call: Call, row: Record) -> dict[str, Any]:
        """Return what an update leaves as it was unless it names it."""
        if self.kind is SMS:
            return {"source": row["source"]}
        # [docs] ClickSend API v3 requires both, but clicksend-client 6 updates an MMS campaign with
        # the fields of an SMS campaign and cannot name them.
        if call.state.settings.strict:
            return {}
        return {"subject": row["subject"], "media_file": row["_media_file_url"]}

    def _row(self, call: Call, fields: Mapping[str, Any]) -> dict[str, Any]:
        schedule, now = check_schedule(fields), call.state.now()
        row: dict[str, Any] = {
            "name": text(fields, "name"),
            "user_id": USER_ID,
            "subaccount_id": SUBACCOUNT_ID,
            "list_id": check_list(call, fields),
            "from": text(fields, "from"),
            "body": text(fields, "body"),
            "schedule": max(schedule, now),
            "status": "Scheduled" if schedule > now else "Sent",
        }
        if self.kind is SMS:
            return row | {
                "custom_string": "",
                "url_to_shorten": text(fields, "url_to_shorten"),
                "unsubscribe_link": int("StopMsg.me" in row["body"]),
                "source": text(fields, "source"),
                "senders": fields.get("senders") or [],
            }
        media = text(fields, "media_file")
        return row | {
            "subject": text(fields, "subject"),
            "file_name": media.rsplit("/", 1)[-1],
            "_media_file_url": media,
        }

    def _shape(self, call: Call, row: Record) -> dict[str, Any]:
        state = call.state
        return row | {
            "status": status_of(state, row),
            "_total_count": len(state.campaigns.get(row[self._table.key], [])),
            "_list_name": list_name(state, row),
        }

    def _accept(self, call: Call, campaign_id: int, records: list[Record]) -> None:
        taken: list[Record] = []
        for record in records:
            if record["status"] == "SUCCESS":
                record["campaign_id"] = campaign_id
                # [live notes] github.com/prayantr/clicksend: history does not show these.
                accept(call.state, record, logged=False)
                taken.append(record)
            else:
                call.state.reject(record)
        call.state.campaigns[campaign_id] = taken

    # Handlers

    def send(self, call: Call) -> dict[str, Any]:
        """Send to every contact of a list, now or later."""
        fields = self._fields(call, "source", "senders")
        records = self._drafts(call, fields)
        check_credit(call, _cost(records))
        row = self._table.add(call, **self._row(call, fields), date_added=call.state.now())
        self._accept(call, row[self._table.key], records)
        return self._shape(call, row)

    def price(self, call: Call) -> dict[str, Any]:
        """Price a campaign."""
        fields = self._fields(call)
        records = [row for row in self._drafts(call, fields) if row["status"] == "SUCCESS"]
        schedule = max(check_schedule(fields), call.state.now())
        return {
            "total_count": len(records),
            "total_price": prices.four_decimals(_cost(records)),
            "data": {
                "from": text(fields, "from"),
                "body": text(fields, "body"),
                # [docs] ClickSend API v3: a number for sms, text for mms.
                "schedule": schedule if self.kind is SMS else str(schedule),
            },
            "_currency": prices.full_currency(call.state.settings.currency),
        }

    def walk(self, call: Call) -> Any:
        """List the campaigns; those of MMS without an envelope. [docs] ClickSend API v3."""
        rows = list(self._table.rows(call).values())
        if self.kind is SMS:
            rows = [Record(row | {"status": status_of(call.state, row)}) for row in rows]
            rows = filtered(call, rows, _SEARCHABLE, "date_added")
        pager = paginate(call, rows, self._table.path, lambda row: self._shape(call, row))
        return pager if self.kind is SMS else Reply(200, pager)

    def get(self, call: Call) -> dict[str, Any]:
        """Return one campaign."""
        return self._shape(call, self._table.find(call))

    def update(self, call: Call) -> dict[str, Any]:
        """Replace a campaign that waits, its messages included; no schedule means now."""
        row = self._table.find(call)
        fields = self._fields(call, kept=self._kept(call, row))
        if status_of(call.state, row) != "Scheduled":
            raise bad_request("Only a scheduled campaign can be changed.")
        campaign_id = row[self._table.key]
        before = call.state.campaigns[campaign_id]
        records = self._drafts(call, fields)
        check_credit(call, _cost(records), refund=sum(record["cost"] for record in before))
        changed = self._row(call, fields)
        if self.kind is SMS:
            changed |= {name: row[name] for name in ("source", "senders")}
        call.state.retract(before)
        row.update(changed)
        self._accept(call, campaign_id, records)
        return self._shape(call, row)

    def cancel(self, call: Call) -> dict[str, Any]:
        """Withdraw a campaign that waits."""
        row = self._table.find(call)
        withdraw(call, row, row[self._table.key])
        return self._shape(call, row)


def _cost(records: list[Record]) -> int:
    return sum(row["cost"] for row in records if row["status"] == "SUCCESS")


SMS_CAMPAIGNS = Campaigns(SMS)
MMS_CAMPAIGNS = Campaigns(MMS)
