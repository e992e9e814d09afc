"""The rules by which ClickSend pushes receipts and messages received to an address.

Every rule that matches fires, up to ten: a rule left behind by an earlier address costs a useless
push, and two with one address push everything twice. So the rules are reported, and only those of
exactly one address are ever changed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from .. import rest
from ..errors import ConfigurationError, NotFound
from ..models.automations import ReceiptRule, SmsInboundRule
from .automations import Automations

ReceiptChannel: TypeAlias = Literal["sms", "voice", "email", "fax"]
Kind: TypeAlias = Literal["inbound", "sms", "voice", "email", "fax"]
"""What a rule pushes: SMS and MMS received, or the receipts of a channel."""

_NAMES: dict[Kind, str] = {
    "inbound": "aioclicksend inbound",
    "sms": "aioclicksend SMS receipts",
    "voice": "aioclicksend voice receipts",
    "email": "aioclicksend email receipts",
    "fax": "aioclicksend fax receipts",
}
_SMS: tuple[ReceiptChannel, ...] = ("sms",)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class RuleRef(Struct, frozen=True, kw_only=True):
    """One rule: what it pushes, and its id among those."""

    kind: Kind
    rule_id: int


class RuleReport(Struct, frozen=True, kw_only=True):
    """The rules of one address. It holds no address: that contains a secret."""

    installed: tuple[RuleRef, ...] = ()
    """Rules that push to the address, one for each kind."""
    created: tuple[RuleRef, ...] = ()
    """Those of them that were made now."""
    repaired: tuple[RuleRef, ...] = ()
    """Those of them that had been disabled or pushed a part only, and push everything now."""
    missing: tuple[Kind, ...] = ()
    """Kinds for which no rule pushes everything to the address."""
    doubled: tuple[RuleRef, ...] = ()
    """Further rules with the same address: they push everything once more."""
    stale: tuple[RuleRef, ...] = ()
    """Rules that push to the same host and path with another secret: they were left behind."""

    @property
    def is_complete(self) -> bool:
        """Whether everything is pushed, and nothing twice."""
        return not (self.missing or self.doubled)


class _Target(Struct, frozen=True):
    """Where rules are to lead: an address, or a list that is polled."""

    action: Literal["URL", "POLL"]
    address: str = ""

    def is_of(self, rule: _Rule) -> bool:
        is_there = self.action == "POLL" or rule.action_address == self.address
        return rule.action == self.action and is_there

    def is_former_of(self, rule: _Rule) -> bool:
        """Whether a rule leads to the same place under another secret."""
        if self.action == "POLL" or rule.action != "URL" or self.is_of(rule):
            return False
        return (rule.action_address or "").rpartition("/")[0] == self.address.rpartition("/")[0]


_Rule: TypeAlias = ReceiptRule | SmsInboundRule


class Webhooks(rest.Group):
    """Pushes to an address, and lists for polling, by automation rules."""

    def __init__(self, session: rest.Caller) -> None:
        super().__init__(session)
        rules = Automations(session)
        # Their methods differ in the fields only, which `_write` gives by name.
        self._groups: dict[Kind, Any] = {
            "inbound": rules.sms.inbound,
            "sms": rules.sms.receipts,
            "voice": rules.voice.receipts,
            "email": rules.email.receipts,
            "fax": rules.fax.receipts,
        }

    async def install(
        self, url: str, *, receipts: Collection[ReceiptChannel] = _SMS, inbound: bool = True
    ) -> RuleReport:
        """Have receipts and messages received pushed to an address; again changes nothing.

        Rules that exist are kept, those that were disabled or push a part only are repaired. Those
        of other addresses stay: see `RuleReport.stale` and `RuleReport.doubled`.

        Args:
            url: the address, with its secret: ``https://host/clicksend/SECRET``. ClickSend needs a
                valid certificate; plain http is for a sandbox on this machine only.
            receipts: the channels whose receipts are pushed.
            inbound: whether messages received are pushed: SMS and MMS.

        Raises:
            ConfigurationError: the address is not https; nothing was done.

        """
        return await self._install(_target(url), _kinds(receipts, inbound=inbound))

    async def install_polling(
        self, *, receipts: Collection[ReceiptChannel] = _SMS, inbound: bool = False
    ) -> RuleReport:
        """Have receipts, or messages received, listed for polling; again changes nothing.

        `sms.receipts` and `sms.inbound` list nothing without such a rule, and everything twice
        with two of them.
        """
        return await self._install(_Target("POLL"), _kinds(receipts, inbound=inbound))

    async def check(
        self, url: str, *, receipts: Collection[ReceiptChannel] = _SMS, inbound: bool = True
    ) -> RuleReport:
        """Return which rules push to an address; nothing is changed."""
        target = _target(url)
        kinds = _kinds(receipts, inbound=inbound)
        return _joined([_judged(kind, target, await self._rules(kind)) for kind in kinds])

    async def uninstall(self, url: str) -> int:
        """Delete all rules that push to exactly this address and return how many there were."""
        target, count = _target(url), 0
        for kind in _NAMES:
            try:
                rules = await self._rules(kind)
            except NotFound:
                continue  # legacy kinds, which not every account has
            # By the whole address: a rule of a former secret may still be needed elsewhere.
            for rule in filter(target.is_of, rules):
                await self._groups[kind].delete(_id(rule))
                count += 1
        return count

    async def _install(self, target: _Target, kinds: Sequence[Kind]) -> RuleReport:
        return _joined([await self._install_one(kind, target) for kind in kinds])

    async def _install_one(self, kind: Kind, target: _Target) -> RuleReport:
        rules = await self._rules(kind)
        report = _judged(kind, target, rules)
        if not report.missing:
            return report
        partial = next(filter(target.is_of, rules), None)
        ref = RuleRef(kind=kind, rule_id=await self._write(kind, target, partial))
        change = {"created": (ref,)} if partial is None else {"repaired": (ref,)}
        after = _judged(kind, target, await self._rules(kind))
        return replace(after, **change)

    async def _write(self, kind: Kind, target: _Target, former: _Rule | None) -> int:
        """Make one rule push everything, a new one if there is none, and return its id."""
        common: dict[str, Any] = {
            "rule_name": (former and former.rule_name) or _NAMES[kind],
            "action": target.action,
            "action_address": target.address,
            "enabled": 1,
        }
        if kind == "inbound":
            common |= {
                "dedicated_number": "*",
                "message_search_type": 0,
                "message_search_term": "",
                "webhook_type": "post",
            }
        else:
            common["match_type"] = 0
        group = self._groups[kind]
        if former is None:
            return _id(await group.create(**common))
        await group.update(_id(former), **common)
        return _id(former)

    async def _rules(self, kind: Kind) -> list[_Rule]:
        rules: list[_Rule] = await self._groups[kind].walk().collect()
        return rules


def _target(url: str) -> _Target:
    parts = urlsplit(url)
    is_local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not (parts.scheme == "https" or is_local) or not parts.hostname:
        raise ConfigurationError("the address of a webhook must begin with https:// and a host")
    return _Target("URL", url)


def _kinds(receipts: Collection[ReceiptChannel], *, inbound: bool) -> list[Kind]:
    if isinstance(receipts, str) or not set(receipts) <= set(_NAMES) - {"inbound"}:
        raise ValueError("receipts: must be a list of sms, voice, email, fax")
    kinds: list[Kind] = ["inbound"] if inbound else []
    return kinds + [kind for kind in _NAMES if kind in receipts]


def _judged(kind: Kind, target: _Target, rules: Sequence[_Rule]) -> RuleReport:
    """Return what the rules of one kind do for a target."""
    here = [rule for rule in rules if target.is_of(rule) and rule.enabled]
    whole = next(filter(_pushes_everything, here), None)
    return RuleReport(
        installed=() if whole is None else (_ref(kind, whole),),
        missing=(kind,) if whole is None else (),
        doubled=tuple(_ref(kind, rule) for rule in here if whole is not None and rule is not whole),
        stale=tuple(_ref(kind, rule) for rule in rules if target.is_former_of(rule)),
    )


def _joined(reports: Sequence[RuleReport]) -> RuleReport:
    def joined(name: str) -> tuple[Any, ...]:
        return tuple(chain.from_iterable(getattr(it, name) for it in reports))

    return RuleReport(**{name: joined(name) for name in RuleReport.__struct_fields__})


def _pushes_everything(rule: _Rule) -> bool:
    if isinstance(rule, ReceiptRule):
        return not rule.match_type
    return rule.dedicated_number in {"*", None} and not rule.message_search_type


def _ref(kind: Kind, rule: _Rule) -> RuleRef:
    return RuleRef(kind=kind, rule_id=_id(rule))


def _id(rule: _Rule) -> int:
    known = rule.receipt_rule_id if isinstance(rule, ReceiptRule) else rule.inbound_rule_id
    return known or 0
