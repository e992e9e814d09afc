"""Senders: dedicated numbers, own numbers, alpha tags, and defaults by country."""

from collections.abc import Sequence
from typing import Any, Literal

from .. import rest, wire
from ..models.base import read
from ..models.numbers import (
    AlphaTag,
    AlphaTagBusiness,
    AvailableNumber,
    CompliantSenderTypes,
    DedicatedNumber,
    DefaultSender,
    NumberHolder,
    NumberPurchase,
    OwnNumber,
    OwnNumberVerification,
    SenderStrategy,
)
from ..pages import Pages

Direction = Literal["asc", "desc"]


class Numbers(rest.Group):
    """Dedicated numbers, rented from ClickSend."""

    # exclude_10dlc_campaign is a true boolean, unlike the 0 and 1 of most flags (v6).
    @rest.pages("/v3/numbers")
    def walk(
        self,
        *,
        q: str | None = None,
        q2: str | None = None,
        excluding_number_type: str | None = None,
        exclude_10dlc_campaign: bool | None = None,
        limit: int = 100,
        prefetch: int = 4,
    ) -> Pages[DedicatedNumber]:
        """Walk the numbers of the account; `q` searches type, number_type and country."""
        ...

    @rest.pages("/v3/numbers/search/{country}")
    def search(
        self,
        country: str,
        *,
        search: str | None = None,
        search_type: Literal[0, 1, 2] | None = None,
        limit: int = 100,
        prefetch: int = 4,
    ) -> Pages[AvailableNumber]:
        """Walk the numbers for sale in a country.

        `search_type` is 0 for those that start with the digits of `search`, 1 for those that hold
        them, 2 for those that end in them. The ``next_page_url`` of live replies is a bare path;
        like all of them it is not followed.
        """
        ...

    async def purchase(
        self,
        dedicated_number: str,
        *,
        type: Literal["sms", "mms"],  # noqa: A002 - the API's name
        registration_data: NumberHolder | None = None,
    ) -> NumberPurchase:
        """Buy a number. This spends money, every month, and cannot be undone.

        The API wants `type` in the query and in the body, and `registration_data` for Australia.
        """
        body = {
            "dedicated_number": dedicated_number,
            "type": type,
            "registration_data": registration_data,
        }
        return await self._call(
            self._purchase,
            path=wire.path_for(self._purchase.path, {"dedicated_number": dedicated_number}),
            query=wire.query_for({"type": type}),
            body=wire.body_for({name: it for name, it in body.items() if it is not None}),
            decode=lambda data: read(NumberPurchase, data),
        )

    _purchase = rest.register("POST", "/v3/numbers/buy/{dedicated_number}", purchase)

    @rest.post("/v3/numbers/registrations/number-types/{number_type}/country/{country_code}")
    async def register(
        self,
        number_type: str,
        country_code: str,
        *,
        full_name: str,
        company_name: str,
        company_number: str,
        email: str,
        website_url: str,
        area_code: str,
        primary_use_case: str,
        sample_message: str,
    ) -> Any:
        """Register a business for numbers of a type and return what the API says to it.

        The shape of its answer is not documented. A refusal has a message for each wrong field in
        ``error.raw["data"]``.
        """
        ...


class OwnNumbers(rest.Group):
    """Numbers of one's own that may be used as senders once they are verified."""

    # The offset is opaque and holds a "#" (v6): it is taken from the link, never computed. 500 and
    # 1000 are the largest pages the documents allow.
    @rest.linked_pages("/v3/own-numbers", rows_in="own_numbers", limit="page_size")
    def walk(
        self,
        *,
        filter_status: Sequence[Literal["PENDING", "APPROVED", "REJECTED"]] | None = None,
        sort_by: str | None = None,
        sort_direction: Direction | None = None,
        limit: int = 500,
        prefetch: int = 4,
    ) -> Pages[OwnNumber]:
        """Walk the numbers; each page names the next, so that none can be skipped."""
        ...

    # Ids of own numbers and alpha tags are texts (v6).
    @rest.get("/v3/own-numbers/{own_number_id}")
    async def get(self, own_number_id: str) -> OwnNumber:
        """Return one number."""
        ...

    @rest.patch("/v3/own-numbers/{own_number_id}")
    async def update(self, own_number_id: str, *, label: str) -> OwnNumber:
        """Change the label of a number."""
        ...

    @rest.delete("/v3/own-numbers/{own_number_id}")
    async def delete(self, own_number_id: str) -> OwnNumber:
        """Delete a number and return it. This cannot be undone but by verifying it again."""
        ...

    @rest.post("/v3/own-numbers/verifications")
    async def request_verification(
        self, *, phone_number: str, country: str | None = None, label: str | None = None
    ) -> OwnNumberVerification:
        """Have a code sent to a number, which `verify` then takes."""
        ...

    @rest.post("/v3/own-numbers/verifications/{verification_id}/verify")
    async def verify(
        self, verification_id: str, *, phone_number: str, code: str, country: str | None = None
    ) -> OwnNumberVerification:
        """Verify a number by the code that was sent to it; attempts are few."""
        ...


class AlphaTags(rest.Group):
    """Sender names: 3 to 11 letters and digits, of which one is no digit."""

    @rest.linked_pages("/v3/alpha-tags", rows_in="alpha_tags", limit="page_size")
    def walk(
        self, *, sort_direction: Direction | None = None, limit: int = 1000, prefetch: int = 4
    ) -> Pages[AlphaTag]:
        """Walk the tags; each page names the next, so that none can be skipped."""
        ...

    @rest.get("/v3/alpha-tags/{alpha_tag_id}")
    async def get(self, alpha_tag_id: str) -> AlphaTag:
        """Return one tag."""
        ...

    @rest.post("/v3/alpha-tags")
    async def create(
        self,
        *,
        alpha_tag: str,
        reason: str | None = None,
        countries: Sequence[str] | None = None,
        businesses: Sequence[AlphaTagBusiness] | None = None,
    ) -> AlphaTag:
        """Ask for a tag; Australia wants one of `businesses` with it."""
        ...

    @rest.delete("/v3/alpha-tags/{alpha_tag_id}")
    async def delete(self, alpha_tag_id: str) -> None:
        """Delete a tag. This cannot be undone."""
        ...


class DefaultSenders(rest.Group):
    """Which sender stands for messages to a country that name none."""

    # Its links name another host (v6), so only their query is used.
    @rest.linked_pages("/v3/senders/default-senders", limit="per_page")
    def walk(
        self,
        *,
        sort_by: str | None = None,
        sort_direction: Direction | None = None,
        limit: int = 500,
        prefetch: int = 4,
    ) -> Pages[DefaultSender]:
        """Walk the defaults; each page names the next by an address on another host."""
        ...

    @rest.get("/v3/senders/default-senders/{default_sender_id}")
    async def get(self, default_sender_id: str) -> DefaultSender:
        """Return one default."""
        ...

    @rest.post("/v3/senders/default-senders")
    async def create(
        self,
        *,
        country_code: str,
        default_sender_strategies: Sequence[SenderStrategy],
        product_type: Literal["SMS"] = "SMS",
    ) -> DefaultSender:
        """Set the senders of a country, in the order they are tried."""
        ...

    @rest.patch("/v3/senders/default-senders/{default_sender_id}")
    async def update(
        self, default_sender_id: str, *, default_sender_strategies: Sequence[SenderStrategy]
    ) -> DefaultSender:
        """Replace the senders of a country."""
        ...

    # The one delete that is documented with 204 and no body (v6).
    @rest.delete("/v3/senders/default-senders/{default_sender_id}")
    async def delete(self, default_sender_id: str) -> None:
        """Delete a default. This cannot be undone."""
        ...

    @rest.get("/v3/senders/compliant-sender-types")
    async def compliant_sender_types(
        self,
        *,
        filter_product_type: Literal["SMS"] = "SMS",
        filter_country_code: Sequence[str] | None = None,
    ) -> list[CompliantSenderTypes]:
        """Return which types of senders up to 98 countries let through."""
        ...
