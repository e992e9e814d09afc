"""Credit: packages, purchases, the card they are paid with."""

from .. import rest
from ..models.recharge import CardToken, CreditCard, Packages, Purchase, Transaction
from ..pages import Pages


class Recharge(rest.Group):
    """Credit of the account."""

    @rest.get("/v3/recharge/credit-card")
    async def credit_card(self) -> CreditCard:
        """Return the card credit is paid with; its number is masked."""
        ...

    @rest.put("/v3/recharge/credit-card")
    async def update_credit_card(
        self,
        *,
        number: str,
        expiry_month: int,
        expiry_year: int,
        cvc: int | str,
        name: str,
        bank_name: str,
    ) -> CardToken:
        """Replace the card credit is paid with. This cannot be undone.

        The API calls `cvc` an int, which would lose the zero of ``012``: a text is sent as it is.
        """
        ...

    # The currency comes as `currency` here, as `_currency` elsewhere; the model knows both (v6).
    @rest.get("/v3/recharge/packages")
    async def packages(self, *, country: str | None = None) -> Packages:
        """Return what credit can be bought, and what it would buy of each channel."""
        ...

    # A PUT that buys: the reason why no method but GET is repeated after bytes left.
    @rest.put("/v3/recharge/purchase/{package_id}")
    async def purchase(self, package_id: int) -> Purchase:
        """Buy credit with the stored card. This spends money and cannot be undone."""
        ...

    @rest.pages("/v3/recharge/transactions")
    def transactions(self, *, limit: int = 100, prefetch: int = 4) -> Pages[Transaction]:
        """Walk the payments."""
        ...

    @rest.get("/v3/recharge/transactions/{transaction_id}")
    async def get_transaction(self, transaction_id: str) -> Transaction:
        """Return one payment."""
        ...
