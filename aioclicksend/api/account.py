"""Accounts: one's own, subaccounts, those of a reseller's clients, and referrals."""

from .. import rest
from ..models.account import (
    Account,
    ApiKey,
    PhoneVerification,
    Referral,
    Subaccount,
    Usage,
)
from ..pages import Pages


class AccountGroup(rest.Group):
    """The account behind the credentials."""

    # Seen live: the 20 calls are counted by source address, not by account, and a 429 asks for 20
    # to 39 seconds.
    @rest.get("/v3/account")
    async def get(self) -> Account:
        """Return the account: balance, settings, currency.

        The API allows 20 calls a minute, and sends the subaccount's API key in clear text.
        """
        ...

    # The samples have total_count as "29.00", "10" and 10; the models read all of them.
    @rest.get("/v3/account/usage/{year}/{month}/subaccount")
    async def usage(self, year: int, month: int) -> Usage:
        """Return what each subaccount sent in a month, by channel."""
        ...

    @rest.post("/v3/account")
    async def create(
        self,
        *,
        username: str,
        password: str,
        user_email: str,
        user_phone: str,
        user_first_name: str,
        user_last_name: str,
        account_name: str,
        country: str,
    ) -> Account:
        """Open a new account; no longer in the current documents, and still served."""
        ...

    @rest.put("/v3/account-verify/send")
    async def send_verification(
        self,
        *,
        country: str,
        user_phone: str,
        type: str = "sms",  # noqa: A002 - the API's name
    ) -> PhoneVerification:
        """Send a code to the phone of a new account, which `verify` then takes."""
        ...

    @rest.put("/v3/account-verify/verify/{activation_token}")
    async def verify(self, activation_token: int | str) -> Account:
        """Verify a new account by the code that was sent to its phone."""
        ...


class Verification(rest.Group):
    """For who forgot the name or the password of an account. None of it needs credentials."""

    @rest.put("/v3/forgot-username")
    async def forgot_username(
        self, *, email: str | None = None, phone_number: str | None = None
    ) -> None:
        """Send the user name to the one of `email` and `phone_number` that is given."""
        ...

    @rest.put("/v3/forgot-password")
    async def forgot_password(self, *, username: str) -> None:
        """Send a token by which `reset_password` sets a new password."""
        ...

    @rest.put("/v3/forgot-password/verify")
    async def reset_password(
        self, *, subaccount_id: int, activation_token: str, password: str
    ) -> None:
        """Set a new password. This cannot be undone."""
        ...


class Subaccounts(rest.Group):
    """Logins below the account. Their API keys come in clear text."""

    @rest.pages("/v3/subaccounts")
    def walk(self, *, limit: int = 100, prefetch: int = 4) -> Pages[Subaccount]:
        """Walk the subaccounts."""
        ...

    @rest.get("/v3/subaccounts/{subaccount_id}")
    async def get(self, subaccount_id: int) -> Subaccount:
        """Return one subaccount."""
        ...

    @rest.post("/v3/subaccounts")
    async def create(
        self,
        *,
        api_username: str,
        password: str,
        email: str,
        phone_number: str,
        first_name: str,
        last_name: str,
        user_id: int | None = None,
        sms_deidentify_message: int | None = None,
        access_smpp: int | None = None,
        access_users: int | None = None,
        access_billing: int | None = None,
        access_reporting: int | None = None,
        access_contacts: int | None = None,
        access_settings: int | None = None,
        notes: str | None = None,
    ) -> Subaccount:
        """Create a subaccount."""
        ...

    @rest.put("/v3/subaccounts/{subaccount_id}")
    async def update(
        self,
        subaccount_id: int,
        *,
        api_username: str | None = None,
        password: str | None = None,
        email: str | None = None,
        phone_number: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        access_sms: int | None = None,
        access_users: int | None = None,
        access_billing: int | None = None,
        access_reporting: int | None = None,
        access_contacts: int | None = None,
        access_settings: int | None = None,
    ) -> Subaccount:
        """Change the given fields of a subaccount, as the example does; the table asks for all."""
        ...

    @rest.put("/v3/subaccounts/{subaccount_id}/regen-api-key")
    async def regen_api_key(self, subaccount_id: int) -> ApiKey:
        """Make a new API key; the old one stops working at once. This cannot be undone.

        The body that v6 shows for it was copied from another operation; none is sent.
        """
        ...

    @rest.delete("/v3/subaccounts/{subaccount_id}")
    async def delete(self, subaccount_id: int) -> None:
        """Delete a subaccount. This cannot be undone."""
        ...


class Reseller(rest.Group):
    """Accounts of a reseller's clients."""

    @rest.pages("/v3/reseller/accounts")
    def walk(self, *, limit: int = 100, prefetch: int = 4) -> Pages[Account]:
        """Walk the clients' accounts."""
        ...

    @rest.get("/v3/reseller/accounts/{client_user_id}")
    async def get(self, client_user_id: int) -> Account:
        """Return one client's account."""
        ...

    @rest.post("/v3/reseller/accounts")
    async def create(
        self,
        *,
        username: str,
        password: str,
        user_email: str,
        user_phone: str,
        user_first_name: str,
        user_last_name: str,
        account_name: str,
        country: str,
    ) -> Account:
        """Open an account for a client."""
        ...

    @rest.put("/v3/reseller/accounts/{client_user_id}")
    async def update(
        self,
        client_user_id: int,
        *,
        username: str,
        password: str,
        user_email: str,
        user_phone: str,
        user_first_name: str,
        user_last_name: str,
        account_name: str,
        country: str,
    ) -> Account:
        """Replace the data of a client's account.

        The schema v6 has for its body is that of a credit card; the fields here are of its table.
        """
        ...

    @rest.put("/v3/reseller/transfer-credit")
    async def transfer_credit(self, *, client_user_id: int, balance: int, currency: str) -> Account:
        """Give a client credit of one's own. This spends money and cannot be undone.

        The schema v6 has for its body is that of a credit card; the fields here are of its table.
        """
        ...


class Referrals(rest.Group):
    """Accounts that came by our referral."""

    # With the slash as in v6; the SDKs of generation 5 leave it out.
    @rest.pages("/v3/referral/accounts/")
    def walk(self, *, limit: int = 100, prefetch: int = 4) -> Pages[Referral]:
        """Walk the accounts."""
        ...
