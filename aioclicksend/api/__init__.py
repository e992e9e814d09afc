"""The API's operations, one module a domain. See `aioclicksend.rest` for how they are declared."""
