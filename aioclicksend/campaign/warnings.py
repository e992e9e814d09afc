"""What a plan warns of: things the account, the countries, the law or the text will get wrong.

A warning has a stable code, the number of rows it concerns, and what to do. What is known from the
API's documentation is stated; what other people report "may" be so. Texts are checked row by row
while the plan is made, the account with at most five requests, and only those that can matter::

    text    opt_out_missing opt_out_unreachable dashboard_placeholder many_links long_link
            public_shortener cut_by_account unassigned garbled_text
    sender  sender_blocked alpha_tag_unapproved alpha_tag_impossible sender_not_yours
    place   country_off country_restricted country_trial trial_account quiet_hours carrier_cap
    money   credit_short
            not_checked: the account refused to answer
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from msgspec import Struct

from ..client import ClickSend
from ..errors import ClickSendError, ConfigurationError
from ..models.account import Account
from ..quiet import QuietHours
from ..quiet.zones import area_of
from .numbers import Phone

T = TypeVar("T")

_ROWS = 20
"""Rows that are named for a warning; the rest is counted."""
_LONGEST_LINK = 250
"""Characters of a link that `shorten_urls` still replaces."""
_COUNTRIES = 98
"""Countries one request about sender types may ask for."""

_links = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE).findall
_shortener = re.compile(
    r"(?:https?://|www\.|\b)(?:bit\.ly|tinyurl\.com|goo\.gl|t\.co|ow\.ly|is\.gd|buff\.ly|cutt\.ly|"
    r"rebrand\.ly|rb\.gy|shorturl\.at|tiny\.cc|t\.ly|bl\.ink|lnkd\.in)/",
    re.IGNORECASE,
).search
_placeholder = re.compile(
    r"StopMsg\.me/x+|smsu\.io/x+|smsg\.(?:io|us)\b|"
    r"\((?:First Name|Last Name|Mobile|Email|Cust\. ?\d)\)",
    re.IGNORECASE,
).search
"""Placeholders of ClickSend's dashboard, which go out literally through the API."""
_garbled = re.compile(
    "[\ufffd\x80-\x9f]|[ÂÃÄÅÐÑâ][\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"  # noqa: RUF001
).search
"""What is left of letters that were decoded wrongly: UTF-8 read as Windows-1252, lost letters."""
_opt_out = re.compile(
    r"\b(?:stop|opt[ -]?out|unsubscribe|unsub|désabonn\w*|abmelden|abbestellen|baja|stopp)\b",
    re.IGNORECASE,
).search
_by_reply = re.compile(
    r"\b(?:reply|text|send|txt|antworte\w*|répond\w*|envoy\w*|responde\w*)\b[^.!?]{0,20}\b(?:stop\w*|"
    r"opt[ -]?out|unsub\w*|baja)\b|\bstop\b[^.!?/]{0,12}\bto (?:opt[ -]?out|unsub\w*|end|stop)\b",
    re.IGNORECASE,
).search
_SHORT = 6
"""Digits of the longest short code."""

_BY_LAW = ("us", "fr")
"""Countries whose law names hours for texts; elsewhere they are custom."""
_NO_ALPHA = frozenset({"US", "CA"})
_STAMPED = {"AU": "Unverified", "SG": "Likely-SCAM"}
"""What unapproved names are replaced by, by country."""
_CAPS = {
    "US": (2000, "T-Mobile takes 2,000 a day from a brand of the lowest class"),
    "FR": (1000, "a French long code sends 100 an hour and 1,000 a day"),
}


class PlanWarning(Struct, kw_only=True):
    """One thing to know before sending."""

    code: str
    rows: int
    """Rows it concerns."""
    text: str
    """What is the matter."""
    action: str
    """What to do."""
    first_rows: list[int] = []


class _Finding(Struct):
    """Rows that have something in common."""

    count: int = 0
    first: list[int] = []

    def add(self, row: int) -> None:
        self.count += 1
        if len(self.first) < _ROWS:
            self.first.append(row)


class RowChecks:
    """Finds what is doubtful in the rows of a plan.

    Args:
        sender: the sender of the campaign, if it names one.
        text: the campaign's text with its fields; None if each row has its own.
        quiet: whether the campaign keeps its own quiet hours.
        is_sms: whether it sends SMS; calls and MMS have other rules.

    """

    def __init__(
        self, sender: str | None, text: str | None, *, quiet: bool, is_sms: bool = True
    ) -> None:
        self._sender = sender_type(sender)
        self._is_sms = is_sms
        # What all rows share is looked for once: rows are many.
        self._shared = None if text is None else tuple(self._codes(text))
        self._found: dict[str, _Finding] = {}
        self._quiet = {} if quiet else {it.upper(): QuietHours.preset(it) for it in _BY_LAW}
        self._late: dict[str, bool] = {}
        self._late_at: datetime | None = None

    def add(self, row: int, phone: Phone, body: str, due: datetime) -> None:
        """Take one message in.

        Args:
            row: its row.
            phone: the recipient.
            body: the text.
            due: when it would be sent.

        """
        if not phone.is_assigned:
            self._find("unassigned", row)
        if self._shared is None:
            for code in self._codes(body):
                self._find(code, row)
        else:
            for code in self._shared:
                self._find(code, row)
            if "://" in body:
                for code in self._of_links(body):
                    if code not in self._shared:
                        self._find(code, row)
        if not body.isascii() and _garbled(body):
            self._find("garbled_text", row)
        if phone.country in self._quiet and self._is_late(phone, due):
            self._find("quiet_hours", row)

    def warnings(self, countries: Mapping[str, int]) -> Iterator[PlanWarning]:
        """Yield what was found, given how many messages go to each country."""
        for code, found in self._found.items():
            text, action = _FOUND[code]
            yield PlanWarning(
                code=code, rows=found.count, text=text, action=action, first_rows=found.first
            )
        for country, (cap, what) in _CAPS.items():
            if self._is_sms and (count := countries.get(country, 0)) > cap:
                yield PlanWarning(
                    code="carrier_cap",
                    rows=count,
                    text=f"{country}: {what}; this may take {-(-count // cap)} days",
                    action="ask ClickSend for your throughput, or spread the list",
                )

    def _find(self, code: str, row: int) -> None:
        self._found.setdefault(code, _Finding()).add(row)

    def _is_late(self, phone: Phone, due: datetime) -> bool:
        if due is not self._late_at:
            self._late_at = due
            self._late.clear()
        area = area_of(phone.number)
        try:
            return self._late[area]
        except KeyError:
            hours = self._quiet[phone.country]
            opening = hours.opening(phone.number, due)
            # Of a number without a zone nothing can be said.
            late = hours.knows(phone.number) and (opening is None or opening > due)
            self._late[area] = late
            return late

    def _codes(self, body: str) -> Iterator[str]:
        if self._is_sms:
            if not _opt_out(body):
                yield "opt_out_missing"
            elif self._sender in ("alpha_tag", "own_number") and _by_reply(body):
                yield "opt_out_unreachable"
        if _placeholder(body):
            yield "dashboard_placeholder"
        if "." in body:
            yield from self._of_links(body)

    def _of_links(self, body: str) -> Iterator[str]:
        if _shortener(body):
            yield "public_shortener"
        if len(links := _links(body)) > 1:
            yield "many_links"
        if any(len(link) > _LONGEST_LINK for link in links):
            yield "long_link"


_FOUND = {
    "unassigned": (
        "numbers that the numbering plan, as it is known, gives to no subscriber",
        "correct them, or leave these rows out",
    ),
    "garbled_text": (
        "letters that look damaged by a wrong encoding, such as Ã©",
        "correct them in the list, and save it as UTF-8",
    ),
    "opt_out_missing": (
        "the text names no way to opt out, which marketing needs in most countries",
        "add one, such as: Reply STOP to opt out",
    ),
    "opt_out_unreachable": (
        "the text asks for a reply, which this sender cannot receive",
        "send from a shared or dedicated number, or name a link or a number to opt out",
    ),
    "dashboard_placeholder": (
        "a placeholder of ClickSend's dashboard, which would go out as it is",
        "use a field such as {name}, and a link of your own to opt out",
    ),
    "public_shortener": (
        "a link of a public shortener, which carriers may block",
        "use a link of your own domain",
    ),
    "many_links": (
        "more than one link in a message, of which only one can be shortened",
        "keep one",
    ),
    "long_link": (
        f"a link of more than {_LONGEST_LINK} characters, which cannot be shortened",
        "use a shorter one",
    ),
    "quiet_hours": (
        "would be sent outside the hours that the law of its country or state allows",
        "wait with --at and --local, or keep the hours with --quiet",
    ),
}


def sender_type(sender: str | None) -> str:
    """Return the API's word for what kind of sender a campaign names."""
    if not sender:
        return "shared_longcode"
    # Whether a number is the account's own or another's only the account knows: `AccountChecks`.
    digits = sender.removeprefix("+")
    if not digits.isdecimal():
        return "alpha_tag"
    return "shortcode" if len(digits) <= _SHORT else "own_number"


class AccountChecks:
    """Asks the account about the sender and the countries of a plan.

    Args:
        client: the client of the account.
        sender: the sender of the campaign, if it names one.
        countries: messages by country.

    """

    def __init__(self, client: ClickSend, sender: str | None, countries: Mapping[str, int]) -> None:
        self._client = client
        self._sender = sender or ""
        self._type = sender_type(sender)
        self._countries = {code: count for code, count in countries.items() if len(code) == 2}
        self._off: set[str] = set()
        self._refused: list[str] = []

    async def warnings(self, account: Account) -> list[PlanWarning]:
        """Return what the account warns of.

        Raises:
            ClickSendError: the account cannot be reached.

        """
        # Numbers whose country is not known are counted by no country, and so in no total.
        total = sum(self._countries.values())
        found: list[PlanWarning] = []
        if account.on_trial:
            found.append(
                PlanWarning(
                    code="trial_account",
                    rows=total,
                    text="a trial account reaches some countries only, with 200 messages a day",
                    action="add credit to end the trial",
                )
            )
        if self._countries:
            places = await self._of_countries(is_trial=bool(account.on_trial))
            of_sender = await self._of_sender()
            found += [*places, *await self._of_sender_types(), *of_sender]
        if self._refused:
            found.append(
                PlanWarning(
                    code="not_checked",
                    rows=total,
                    text=f"the account does not answer about its {' and '.join(self._refused)}",
                    action="check them on the dashboard",
                )
            )
        return found

    async def _of_countries(self, *, is_trial: bool) -> list[PlanWarning]:
        selected = await self._asked("countries", self._client.countries.selected())
        known = {it.code: it for it in selected or () if it.code in self._countries}
        # Of an account that names none at all, nothing is known.
        is_told = any(len(it.code or "") == 2 for it in selected or ())
        found = []
        for code, count in self._countries.items() if is_told else ():
            country = known.get(code)
            if country is None:
                found.append(
                    PlanWarning(
                        code="country_off",
                        rows=count,
                        text=f"{code} is not among the countries this account may send to",
                        action="enable it on the dashboard, under Settings",
                    )
                )
            elif country.restricted_sending:
                found.append(
                    PlanWarning(
                        code="country_restricted",
                        rows=count,
                        text=f"{code} restricts who may send there",
                        action=f"register: {country.registration_steps_url or 'ask ClickSend'}",
                    )
                )
            elif country.trial_sending and not is_trial:
                found.append(
                    PlanWarning(
                        code="country_trial",
                        rows=count,
                        text=f"{code} is open for a trial only, which may allow 200 a day",
                        action="finish the registration for this country",
                    )
                )
        self._off = {code for code in self._countries if is_told and code not in known}
        return found

    async def _of_sender_types(self) -> list[PlanWarning]:
        types = await self._asked(
            "senders",
            self._client.default_senders.compliant_sender_types(
                filter_country_code=sorted(self._countries)[:_COUNTRIES]
            ),
        )
        return [
            PlanWarning(
                code="sender_blocked",
                rows=self._countries[it.recipient_country_code],
                text=f"{it.recipient_country_code} bars senders of this type, {self._type}; "
                f"it allows {_allowed(it)}",
                action="name another sender with --from",
            )
            for it in types or ()
            if it.recipient_country_code in self._countries
            and it.recipient_country_code not in self._off
            and self._type in it.blocked_sender_types
        ]

    async def _of_sender(self) -> list[PlanWarning]:
        if self._type == "own_number":
            return await self._of_own_number()
        if self._type != "alpha_tag":
            return []
        found = []
        if barred := sum(self._countries.get(code, 0) for code in _NO_ALPHA):
            found.append(
                PlanWarning(
                    code="alpha_tag_impossible",
                    rows=barred,
                    text="names as senders do not reach the US and Canada",
                    action="name a number with --from for these rows",
                )
            )
        stamped = {code: it for code, it in _STAMPED.items() if self._countries.get(code)}
        if not stamped:
            return found
        tags = await self._asked("alpha tags", self._client.alpha_tags.walk().collect(1000))
        if tags is None:
            return found
        approved = any(
            (it.alpha_tag or "").lower() == self._sender.lower()
            and (it.status or "").upper() == "APPROVED"
            for it in tags
        )
        if not approved:
            found += [
                PlanWarning(
                    code="alpha_tag_unapproved",
                    rows=self._countries[code],
                    text=f"the sender is not approved: in {code} it may be replaced by {stamp!r}",
                    action="have it approved on the dashboard, or name a number with --from",
                )
                for code, stamp in stamped.items()
            ]
        return found

    async def _of_own_number(self) -> list[PlanWarning]:
        digits = self._sender.lstrip("+")
        # A bought number can receive replies, a verified one of one's own cannot.
        bought = await self._asked("numbers", self._client.numbers.walk(limit=100).collect(100))
        if bought is None:
            return []
        if digits in {(it.dedicated_number or "").lstrip("+") for it in bought}:
            self._type = "longcode"
            return []
        own = await self._asked("own numbers", self._client.own_numbers.walk().collect(500))
        if own is None or digits in {(it.phone_number or "").lstrip("+") for it in own}:
            return []
        return [
            PlanWarning(
                code="sender_not_yours",
                rows=sum(self._countries.values()),
                text="the sender is no number of this account, and may be replaced",
                action="verify it on the dashboard, or name another with --from",
            )
        ]

    async def _asked(self, what: str, call: Awaitable[T]) -> T | None:
        try:
            return await call
        except ConfigurationError:
            raise
        except ClickSendError:
            # A login may be barred from these; the plan is made without them.
            self._refused.append(what)
            return None


def _allowed(types: Any) -> str:
    names = [it.sender_type for it in types.allowed_sender_types if it.sender_type]
    return ", ".join(names) or "none"


def cut_by_account(account: Account, messages: Mapping[int, int]) -> list[PlanWarning]:
    """Return a warning if the account's own limit cuts messages, counted by their parts."""
    limit = account.setting_sms_message_char_limit or 0
    # In old accounts the setting counts characters.
    parts = limit if limit <= 8 else 1 if limit <= 160 else -(-limit // 153)
    count = sum(count for needed, count in messages.items() if needed > parts) if parts else 0
    if not count:
        return []
    return [
        PlanWarning(
            code="cut_by_account",
            rows=count,
            text=f"the account sends {parts} parts of a message and cuts the rest",
            action="raise the limit in its SMS settings, or shorten the text",
        )
    ]


def credit_short(lacking: str, rows: int) -> PlanWarning:
    """Return the warning that the account cannot pay for everything."""
    return PlanWarning(
        code="credit_short",
        rows=rows,
        text=f"the account lacks {lacking}",
        action="add credit; a run would be held where it ends",
    )


def now_utc() -> datetime:
    """Return the present time: the clock of campaigns unless they are given another."""
    return datetime.now(UTC)
