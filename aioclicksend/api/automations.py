"""Automation rules: what ClickSend does with messages received, and with receipts.

Only rules make receipts and inbound messages known: pushed to an address by the action URL, or
listed for who asks by POLL. Two POLL rules list everything twice.
"""

from typing import Literal

from .. import rest
from ..models.automations import FaxInboundRule, ReceiptRule, SmsInboundRule
from ..pages import Pages


class SmsInboundRules(rest.Group):
    """What is done with SMS received. The first ten rules that match fire, the oldest first."""

    @rest.pages("/v3/automations/sms/inbound")
    def walk(
        self, *, q: str | None = None, limit: int = 100, prefetch: int = 4
    ) -> Pages[SmsInboundRule]:
        """Walk the rules; an example calls their id ``sms_inbound_rule_id``."""
        ...

    @rest.get("/v3/automations/sms/inbound/{inbound_rule_id}")
    async def get(self, inbound_rule_id: int) -> SmsInboundRule:
        """Return one rule."""
        ...

    # The API has no PATCH for rules: `update` replaces all of it, so both take every field.
    @rest.post("/v3/automations/sms/inbound")
    async def create(
        self,
        *,
        dedicated_number: str,
        rule_name: str,
        message_search_type: int,
        message_search_term: str,
        action: str,
        action_address: str,
        enabled: int,
        body: str | None = None,
        webhook_type: Literal["post", "get", "json"] | None = None,
    ) -> SmsInboundRule:
        """Add a rule for a number, ``*`` for any.

        `message_search_type` is 0 for any text, 1 for one that starts with the term, 2 for one that
        contains it, 3 for one that does not. `webhook_type` goes with the action URL; the schema of
        v6 lacks it, ClickSend's own n8n node sends it.
        """
        ...

    @rest.put("/v3/automations/sms/inbound/{inbound_rule_id}")
    async def update(
        self,
        inbound_rule_id: int,
        *,
        dedicated_number: str,
        rule_name: str,
        message_search_type: int,
        message_search_term: str,
        action: str,
        action_address: str,
        enabled: int,
        body: str | None = None,
        webhook_type: Literal["post", "get", "json"] | None = None,
    ) -> SmsInboundRule:
        """Replace a rule; the fields are those of `create`."""
        ...

    @rest.delete("/v3/automations/sms/inbound/{inbound_rule_id}")
    async def delete(self, inbound_rule_id: int) -> None:
        """Delete a rule. This cannot be undone."""
        ...


class SmsReceiptRules(rest.Group):
    """What is done with receipts of SMS; they are pushed as forms, never as JSON."""

    # `match_type` 1 and 2 are of older documents; v6 names 0 only.
    @rest.pages("/v3/automations/sms/receipts")
    def walk(
        self, *, q: str | None = None, limit: int = 100, prefetch: int = 4
    ) -> Pages[ReceiptRule]:
        """Walk the rules."""
        ...

    @rest.get("/v3/automations/sms/receipts/{receipt_rule_id}")
    async def get(self, receipt_rule_id: int) -> ReceiptRule:
        """Return one rule."""
        ...

    @rest.post("/v3/automations/sms/receipts")
    async def create(
        self, *, rule_name: str, match_type: int, action: str, action_address: str, enabled: int
    ) -> ReceiptRule:
        """Add a rule: `match_type` is 0 for all, 1 for failed, 2 for successful messages."""
        ...

    @rest.put("/v3/automations/sms/receipts/{receipt_rule_id}")
    async def update(
        self,
        receipt_rule_id: int,
        *,
        rule_name: str,
        match_type: int,
        action: str,
        action_address: str,
        enabled: int,
    ) -> ReceiptRule:
        """Replace a rule."""
        ...

    @rest.delete("/v3/automations/sms/receipts/{receipt_rule_id}")
    async def delete(self, receipt_rule_id: int) -> None:
        """Delete a rule. This cannot be undone."""
        ...


class VoiceReceiptRules(rest.Group):
    """What is done with receipts of calls."""

    @rest.pages("/v3/automations/voice/receipts")
    def walk(
        self, *, q: str | None = None, limit: int = 100, prefetch: int = 4
    ) -> Pages[ReceiptRule]:
        """Walk the rules."""
        ...

    @rest.get("/v3/automations/voice/receipts/{receipt_rule_id}")
    async def get(self, receipt_rule_id: int) -> ReceiptRule:
        """Return one rule."""
        ...

    @rest.post("/v3/automations/voice/receipts")
    async def create(
        self, *, rule_name: str, match_type: int, action: str, action_address: str, enabled: int
    ) -> ReceiptRule:
        """Add a rule: `match_type` is 0 for all, 1 for failed, 2 for successful messages."""
        ...

    @rest.put("/v3/automations/voice/receipts/{receipt_rule_id}")
    async def update(
        self,
        receipt_rule_id: int,
        *,
        rule_name: str,
        match_type: int,
        action: str,
        action_address: str,
        enabled: int,
    ) -> ReceiptRule:
        """Replace a rule."""
        ...

    @rest.delete("/v3/automations/voice/receipts/{receipt_rule_id}")
    async def delete(self, receipt_rule_id: int) -> None:
        """Delete a rule. This cannot be undone."""
        ...


class EmailReceiptRules(rest.Group):
    """What is done with receipts of mails."""

    @rest.pages("/v3/automations/email/receipts")
    def walk(
        self, *, q: str | None = None, limit: int = 100, prefetch: int = 4
    ) -> Pages[ReceiptRule]:
        """Walk the rules."""
        ...

    @rest.get("/v3/automations/email/receipts/{receipt_rule_id}")
    async def get(self, receipt_rule_id: int) -> ReceiptRule:
        """Return one rule."""
        ...

    @rest.post("/v3/automations/email/receipts")
    async def create(
        self, *, rule_name: str, match_type: int, action: str, action_address: str, enabled: int
    ) -> ReceiptRule:
        """Add a rule: `match_type` is 0 for all, 1 for failed, 2 for successful messages."""
        ...

    @rest.put("/v3/automations/email/receipts/{receipt_rule_id}")
    async def update(
        self,
        receipt_rule_id: int,
        *,
        rule_name: str,
        match_type: int,
        action: str,
        action_address: str,
        enabled: int,
    ) -> ReceiptRule:
        """Replace a rule."""
        ...

    @rest.delete("/v3/automations/email/receipts/{receipt_rule_id}")
    async def delete(self, receipt_rule_id: int) -> None:
        """Delete a rule. This cannot be undone."""
        ...


class FaxInboundRules(rest.Group):
    """What is done with faxes received; no longer in the current documents, and still served."""

    @rest.pages("/v3/automations/fax/inbound")
    def walk(
        self, *, q: str | None = None, limit: int = 100, prefetch: int = 4
    ) -> Pages[FaxInboundRule]:
        """Walk the rules."""
        ...

    @rest.get("/v3/automations/fax/inbound/{inbound_rule_id}")
    async def get(self, inbound_rule_id: int) -> FaxInboundRule:
        """Return one rule."""
        ...

    @rest.post("/v3/automations/fax/inbound")
    async def create(
        self,
        *,
        dedicated_number: str,
        rule_name: str,
        action: str,
        action_address: str,
        enabled: int,
    ) -> FaxInboundRule:
        """Add a rule for a number, ``*`` for any."""
        ...

    @rest.put("/v3/automations/fax/inbound/{inbound_rule_id}")
    async def update(
        self,
        inbound_rule_id: int,
        *,
        dedicated_number: str,
        rule_name: str,
        action: str,
        action_address: str,
        enabled: int,
    ) -> FaxInboundRule:
        """Replace a rule."""
        ...

    @rest.delete("/v3/automations/fax/inbound/{inbound_rule_id}")
    async def delete(self, inbound_rule_id: int) -> None:
        """Delete a rule. This cannot be undone."""
        ...


class FaxReceiptRules(rest.Group):
    """What is done with receipts of faxes; not in the current documents, and still served."""

    @rest.pages("/v3/automations/fax/receipts")
    def walk(
        self, *, q: str | None = None, limit: int = 100, prefetch: int = 4
    ) -> Pages[ReceiptRule]:
        """Walk the rules."""
        ...

    @rest.get("/v3/automations/fax/receipts/{receipt_rule_id}")
    async def get(self, receipt_rule_id: int) -> ReceiptRule:
        """Return one rule."""
        ...

    @rest.post("/v3/automations/fax/receipts")
    async def create(
        self, *, rule_name: str, match_type: int, action: str, action_address: str, enabled: int
    ) -> ReceiptRule:
        """Add a rule: `match_type` is 0 for all, 1 for failed, 2 for successful messages."""
        ...

    @rest.put("/v3/automations/fax/receipts/{receipt_rule_id}")
    async def update(
        self,
        receipt_rule_id: int,
        *,
        rule_name: str,
        match_type: int,
        action: str,
        action_address: str,
        enabled: int,
    ) -> ReceiptRule:
        """Replace a rule."""
        ...

    @rest.delete("/v3/automations/fax/receipts/{receipt_rule_id}")
    async def delete(self, receipt_rule_id: int) -> None:
        """Delete a rule. This cannot be undone."""
        ...


class SmsAutomations(rest.Group):
    """Rules for SMS."""

    def __init__(self, session: rest.Caller) -> None:
        super().__init__(session)
        self.inbound: SmsInboundRules = SmsInboundRules(session)
        self.receipts: SmsReceiptRules = SmsReceiptRules(session)


class VoiceAutomations(rest.Group):
    """Rules for calls."""

    def __init__(self, session: rest.Caller) -> None:
        super().__init__(session)
        self.receipts: VoiceReceiptRules = VoiceReceiptRules(session)


class EmailAutomations(rest.Group):
    """Rules for mails."""

    def __init__(self, session: rest.Caller) -> None:
        super().__init__(session)
        self.receipts: EmailReceiptRules = EmailReceiptRules(session)


class FaxAutomations(rest.Group):
    """Rules for faxes."""

    def __init__(self, session: rest.Caller) -> None:
        super().__init__(session)
        self.inbound: FaxInboundRules = FaxInboundRules(session)
        self.receipts: FaxReceiptRules = FaxReceiptRules(session)


class Automations(rest.Group):
    """Automation rules, by channel."""

    def __init__(self, session: rest.Caller) -> None:
        super().__init__(session)
        self.sms: SmsAutomations = SmsAutomations(session)
        self.voice: VoiceAutomations = VoiceAutomations(session)
        self.email: EmailAutomations = EmailAutomations(session)
        self.fax: FaxAutomations = FaxAutomations(session)
