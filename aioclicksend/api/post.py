"""Post: letters, postcards and return addresses."""

from collections.abc import Sequence

from .. import rest
from ..models.files import Export
from ..models.post import Address, PostRecipient, PostResult, PostRow, ReturnAddress
from ..pages import Pages


class Letters(rest.Group):
    """Letters; ClickSend no longer sells them to new customers, and its documents lack them."""

    @rest.post("/v3/post/letters/send")
    async def send(
        self,
        recipients: Sequence[PostRecipient],
        *,
        file_url: str,
        colour: int | None = None,
        duplex: int | None = None,
        priority_post: int | None = None,
        template_used: int | None = None,
        source: str | None = None,
    ) -> PostResult:
        """Print and post a PDF to several recipients. This spends money and cannot be undone."""
        ...

    @rest.post("/v3/post/letters/price", repeatable=True)
    async def price(
        self,
        recipients: Sequence[PostRecipient],
        *,
        file_url: str,
        colour: int | None = None,
        duplex: int | None = None,
        priority_post: int | None = None,
        template_used: int | None = None,
        source: str | None = None,
    ) -> PostResult:
        """Return what letters would cost; nothing is sent. Its example calls the count a cost."""
        ...

    @rest.put("/v3/post/letters/{message_id}/cancel")
    async def cancel(self, message_id: str) -> None:
        """Cancel a letter that was not printed yet. Only SDKs of July 2026 have this."""
        ...

    @rest.pages("/v3/post/letters/history")
    def history(self, *, limit: int = 100, prefetch: int = 4) -> Pages[PostRow]:
        """Walk the letters."""
        ...

    @rest.get("/v3/post/letters/history/export")
    async def export_history(self, *, filename: str) -> Export:
        """Have the history written to a CSV; `client.download` fetches it."""
        ...

    @rest.post("/v3/post/letters/detect-address")
    async def detect_address(self, *, content: str) -> Address:
        """Return the address that a document, given in base64, is written to."""
        ...


class Postcards(rest.Group):
    """Postcards; ClickSend no longer sells them to new customers, and its documents lack them."""

    @rest.post("/v3/post/postcards/send")
    async def send(
        self, recipients: Sequence[PostRecipient], *, file_urls: Sequence[str]
    ) -> PostResult:
        """Print and post one or two pages to several recipients.

        This spends money and cannot be undone.
        """
        ...

    @rest.post("/v3/post/postcards/price", repeatable=True)
    async def price(
        self, recipients: Sequence[PostRecipient], *, file_urls: Sequence[str]
    ) -> PostResult:
        """Return what postcards would cost; nothing is sent."""
        ...

    @rest.put("/v3/post/postcards/{message_id}/cancel")
    async def cancel(self, message_id: str) -> None:
        """Cancel a postcard that was not printed yet. Only SDKs of July 2026 have this."""
        ...

    @rest.pages("/v3/post/postcards/history")
    def history(self, *, limit: int = 100, prefetch: int = 4) -> Pages[PostRow]:
        """Walk the postcards."""
        ...

    @rest.get("/v3/post/postcards/history/export")
    async def export_history(self, *, filename: str) -> Export:
        """Have the history written to a CSV; `client.download` fetches it."""
        ...


class ReturnAddresses(rest.Group):
    """Where undeliverable post goes."""

    @rest.pages("/v3/post/return-addresses")
    def walk(self, *, limit: int = 100, prefetch: int = 4) -> Pages[ReturnAddress]:
        """Walk the addresses."""
        ...

    @rest.get("/v3/post/return-addresses/{return_address_id}")
    async def get(self, return_address_id: int) -> ReturnAddress:
        """Return one address."""
        ...

    @rest.post("/v3/post/return-addresses")
    async def create(
        self,
        *,
        address_name: str,
        address_line_1: str,
        address_city: str,
        address_postal_code: str,
        address_country: str,
        address_line_2: str | None = None,
        address_state: str | None = None,
    ) -> ReturnAddress:
        """Add an address."""
        ...

    @rest.put("/v3/post/return-addresses/{return_address_id}")
    async def update(
        self,
        return_address_id: int,
        *,
        address_name: str | None = None,
        address_line_1: str | None = None,
        address_line_2: str | None = None,
        address_city: str | None = None,
        address_state: str | None = None,
        address_postal_code: str | None = None,
        address_country: str | None = None,
    ) -> ReturnAddress:
        """Change the given fields of an address, as the example does; the table asks for all."""
        ...

    @rest.delete("/v3/post/return-addresses/{return_address_id}")
    async def delete(self, return_address_id: int) -> None:
        """Delete an address. This cannot be undone."""
        ...


class Post(rest.Group):
    """Post."""

    def __init__(self, session: rest.Caller) -> None:
        super().__init__(session)
        self.letters: Letters = Letters(session)
        self.postcards: Postcards = Postcards(session)
        self.return_addresses: ReturnAddresses = ReturnAddresses(session)
