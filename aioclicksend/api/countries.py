"""Countries: their codes, and to which of them the account may send."""

from collections.abc import Sequence

from .. import rest
from ..models.countries import Country, ListedCountry, SelectedCountry


class Countries(rest.Group):
    """Countries of the world, and those the account may send to."""

    @rest.get("/v3/countries")
    async def all(self) -> list[Country]:
        """Return all countries and their ISO codes; it needs no credentials."""
        ...

    @rest.get("/v3/country-list")
    async def choices(self) -> list[ListedCountry]:
        """Return the countries that can be selected for sending, with the ids `select` takes."""
        ...

    @rest.get("/v3/user-countries")
    async def selected(self) -> list[SelectedCountry]:
        """Return the countries the account may send to, and what they ask of senders."""
        ...

    @rest.post("/v3/user-countries")
    async def select(self, *, country_list_ids: Sequence[int]) -> list[SelectedCountry]:
        """Select the countries the account may send to and return them."""
        ...

    @rest.post("/v3/user-countries/agree")
    async def agree(self) -> list[SelectedCountry]:
        """Agree to the rules of the selected countries. This cannot be undone.

        A table of v6 names `country_list_ids` here; neither its schema nor the SDK has a body.
        """
        ...

    @rest.get("/v3/timezones")
    async def timezones(self, *, page: int | None = None, limit: int | None = None) -> list[str]:
        """Return the names of the time zones; they come as a bare list; `page` has no effect."""
        ...
