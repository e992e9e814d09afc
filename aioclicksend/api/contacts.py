"""Contact lists and the contacts on them."""

from datetime import datetime

from .. import rest
from ..models.contacts import Contact, ContactList, Deleted
from ..pages import Pages


class Lists(rest.Group):
    """Lists of contacts."""

    @rest.pages("/v3/lists")
    def walk(self, *, limit: int = 100, prefetch: int = 4) -> Pages[ContactList]:
        """Walk the lists."""
        ...

    @rest.get("/v3/lists/{list_id}")
    async def get(self, list_id: int) -> ContactList:
        """Return one list."""
        ...

    @rest.post("/v3/lists")
    async def create(self, *, list_name: str) -> ContactList:
        """Create an empty list."""
        ...

    @rest.put("/v3/lists/{list_id}")
    async def update(self, list_id: int, *, list_name: str) -> ContactList:
        """Rename a list."""
        ...

    @rest.delete("/v3/lists/{list_id}")
    async def delete(self, list_id: int) -> None:
        """Delete a list and its contacts. This cannot be undone."""
        ...

    @rest.put("/v3/lists/{list_id}/remove-duplicates/")
    async def remove_duplicates(
        self, list_id: int, *, fields: dict[str, str] | list[str] | None = None
    ) -> Deleted:
        """Delete contacts that agree in all of `fields`. This cannot be undone.

        Current documents show `fields` as an object ``{field: value}``, older ones as a list.
        """
        ...


class Contacts(rest.Group):
    """Contacts, always seen through a list they are on."""

    @rest.pages("/v3/lists/{list_id}/contacts")
    def walk(
        self,
        list_id: int,
        updated_after: datetime | int | None = None,
        *,
        limit: int = 100,
        prefetch: int = 4,
    ) -> Pages[Contact]:
        """Walk the contacts of a list, all or those changed since a time."""
        ...

    @rest.get("/v3/lists/{list_id}/contacts/{contact_id}")
    async def get(self, list_id: int, contact_id: int) -> Contact:
        """Return one contact."""
        ...

    @rest.post("/v3/lists/{list_id}/contacts")
    async def create(
        self,
        list_id: int,
        *,
        phone_number: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        custom_1: str | None = None,
        custom_2: str | None = None,
        custom_3: str | None = None,
        custom_4: str | None = None,
        fax_number: str | None = None,
        organization_name: str | None = None,
        email: str | None = None,
        address_line_1: str | None = None,
        address_line_2: str | None = None,
        address_city: str | None = None,
        address_state: str | None = None,
        address_postal_code: str | None = None,
        address_country: str | None = None,
    ) -> Contact:
        """Create a contact; it needs a `phone_number`, a `fax_number` or an `email`.

        A list that does not exist or is not yours is answered with 403, not 404.
        """
        ...

    @rest.put("/v3/lists/{list_id}/contacts/{contact_id}")
    async def update(
        self,
        list_id: int,
        contact_id: int,
        *,
        phone_number: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        custom_1: str | None = None,
        custom_2: str | None = None,
        custom_3: str | None = None,
        custom_4: str | None = None,
        fax_number: str | None = None,
        organization_name: str | None = None,
        email: str | None = None,
        address_line_1: str | None = None,
        address_line_2: str | None = None,
        address_city: str | None = None,
        address_state: str | None = None,
        address_postal_code: str | None = None,
        address_country: str | None = None,
    ) -> Contact:
        """Change the given fields of a contact; an empty text clears one."""
        ...

    @rest.delete("/v3/lists/{list_id}/contacts/{contact_id}")
    async def delete(self, list_id: int, contact_id: int) -> None:
        """Delete a contact. This cannot be undone."""
        ...

    @rest.put("/v3/lists/{from_list_id}/contacts/{contact_id}/copy/{to_list_id}")
    async def copy(self, from_list_id: int, contact_id: int, to_list_id: int) -> Contact:
        """Copy a contact to another list and return the copy."""
        ...

    @rest.put("/v3/lists/{from_list_id}/contacts/{contact_id}/transfer/{to_list_id}")
    async def transfer(self, from_list_id: int, contact_id: int, to_list_id: int) -> Contact:
        """Move a contact to another list."""
        ...
