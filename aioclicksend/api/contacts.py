"""Contact lists and the contacts on them."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from .. import rest
from ..models.contacts import Contact, ContactImport, ContactList, Deleted, Found
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

    # The slash at the end is v6's; older documents have none.
    @rest.put("/v3/lists/{list_id}/remove-duplicates/")
    async def remove_duplicates(
        self, list_id: int, *, fields: dict[str, str] | list[str] | None = None
    ) -> Deleted:
        """Delete contacts that agree in all of `fields`. This cannot be undone.

        Current documents show `fields` as an object ``{field: value}``, older ones as a list.
        """
        ...

    @rest.put("/v3/lists/{list_id}/remove-opted-out-contacts/{opt_out_list_id}")
    async def remove_opted_out_contacts(self, list_id: int, opt_out_list_id: int) -> Deleted:
        """Delete contacts that are on an opt-out list as well. This cannot be undone."""
        ...

    # field_order is a list in the SDK and older documents, one text in v6's sample.
    @rest.post("/v3/lists/{list_id}/import")
    async def import_contacts(
        self, list_id: int, file_url: str, field_order: Sequence[str]
    ) -> ContactImport:
        """Start to import a CSV into a list; `wait_for_import` waits until it is done.

        `file_url` is that of an upload with ``convert="csv"``. `field_order` names its columns:
        ``phone``, ``first_name``, ``last_name``, ``custom1`` to ``custom4``, ``fax_number``,
        ``organization_name``, ``email``, ``address_line_1``, ``address_line_2``, ``address_city``,
        ``address_state``, ``address_postal_code``, ``address_country``. Mind ``phone`` and
        ``custom1``: contacts have them as ``phone_number`` and ``custom_1``.
        """
        ...

    async def wait_for_import(
        self,
        list_id: int,
        *,
        poll: float = 2.0,
        progress: Callable[[ContactList], object] | None = None,
    ) -> ContactList:
        """Wait until no import into a list is going on, however long, and return the list.

        Args:
            list_id: the list.
            poll: seconds before each look, also before the first.
            progress: called with the list, whose `contacts_count` grows, at every look.

        """
        while True:
            # Also before the first look: the import was only just asked for.
            await asyncio.sleep(poll)
            state = await self.get(list_id)
            if progress is not None:
                progress(state)
            if not state.import_in_progress:
                return state

    # v6 has the operation and no schema for its rows.
    @rest.pages("/v3/search/contacts-lists")
    def search(self, *, q: str | None = None, limit: int = 100, prefetch: int = 4) -> Pages[Found]:
        """Walk the contacts and lists that match; only older documents show the rows."""
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

    # Copy and transfer carry no body: the path says everything (v6).
    @rest.put("/v3/lists/{from_list_id}/contacts/{contact_id}/copy/{to_list_id}")
    async def copy(self, from_list_id: int, contact_id: int, to_list_id: int) -> Contact:
        """Copy a contact to another list and return the copy."""
        ...

    @rest.put("/v3/lists/{from_list_id}/contacts/{contact_id}/transfer/{to_list_id}")
    async def transfer(self, from_list_id: int, contact_id: int, to_list_id: int) -> Contact:
        """Move a contact to another list."""
        ...
