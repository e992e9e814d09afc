"""Email to SMS: who may send SMS by mail, and what is cut out of the mails."""

from .. import rest
from ..models.automations import EmailToSmsAddress, StrippedString
from ..pages import Pages


class StrippedStrings(rest.Group):
    """Texts that are cut out of mails before they are sent as SMS."""

    @rest.pages("/v3/sms/email-sms-stripped-strings")
    def walk(self, *, limit: int = 100, prefetch: int = 4) -> Pages[StrippedString]:
        """Walk the rules."""
        ...

    @rest.get("/v3/sms/email-sms-stripped-strings/{rule_id}")
    async def get(self, rule_id: int) -> StrippedString:
        """Return one rule; the API calls its text ``stripped_string`` here."""
        ...

    @rest.post("/v3/sms/email-sms-stripped-strings")
    async def create(self, *, strip_string: str) -> StrippedString:
        """Add a rule."""
        ...

    @rest.put("/v3/sms/email-sms-stripped-strings/{rule_id}")
    async def update(self, rule_id: int, *, strip_string: str) -> StrippedString:
        """Replace the text of a rule; the API calls it ``stripped_string`` in its answer."""
        ...

    @rest.delete("/v3/sms/email-sms-stripped-strings/{rule_id}")
    async def delete(self, rule_id: int) -> None:
        """Delete a rule. This cannot be undone."""
        ...


class EmailToSms(rest.Group):
    """Mail addresses that may send SMS by mail."""

    def __init__(self, session: rest.Caller) -> None:
        super().__init__(session)
        self.stripped_strings: StrippedStrings = StrippedStrings(session)

    @rest.pages("/v3/sms/email-sms")
    def walk(self, *, limit: int = 100, prefetch: int = 4) -> Pages[EmailToSmsAddress]:
        """Walk the addresses."""
        ...

    @rest.post("/v3/sms/email-sms")
    async def create(
        self,
        *,
        email_address: str,
        from_: str | None = None,
        from_fax: str | None = None,
        subaccount_id: str | None = None,
    ) -> EmailToSmsAddress:
        """Allow an address; `from_` is the sender its SMS will show."""
        ...
