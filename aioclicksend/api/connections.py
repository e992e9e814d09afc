"""Maton's connections, by which its gateway reaches ClickSend accounts."""

from .. import rest, wire
from ..models.base import read, read_list
from ..models.connections import Connection


class Connections(rest.Group):
    """ClickSend accounts connected to Maton; needs `MatonAuth`."""

    async def all(self, status: str | None = None) -> list[Connection]:
        """Return the connections, of one status (``ACTIVE``, ``PENDING``, ``FAILED``) or all."""
        query = wire.query_for({"app": _APP, "status": status})
        return await self._call(
            _ALL,
            query=query,
            decode=lambda data: read_list(Connection, _inside(data, "connections")),
        )

    async def create(self) -> Connection:
        """Start a connection; a person finishes signing in at its `url`."""
        body = wire.body_for({"app": _APP})
        return await self._call(_CREATE, body=body, decode=_connection)

    async def get(self, connection_id: str) -> Connection:
        """Return one connection."""
        path = wire.path_for(_GET.path, {"connection_id": connection_id})
        return await self._call(_GET, path=path, decode=_connection)

    async def delete(self, connection_id: str) -> None:
        """Delete a connection. This cannot be undone."""
        path = wire.path_for(_DELETE.path, {"connection_id": connection_id})
        await self._call(_DELETE, path=path, decode=lambda _data: None, bare=True)


_APP = "clicksend"
# Registered by hand: they live at Maton's control plane, outside of /v3 and its envelope.
_ALL = rest.register("GET", "/connections", Connections.all)
_CREATE = rest.register("POST", "/connections", Connections.create)
_GET = rest.register("GET", "/connections/{connection_id}", Connections.get)
_DELETE = rest.register("DELETE", "/connections/{connection_id}", Connections.delete)


def _inside(data: object, name: str) -> object:
    return data.get(name, []) if isinstance(data, dict) else data


def _connection(data: object) -> Connection:
    """Read a connection that stands alone or, as in the documents of GET, inside ``connection``."""
    if isinstance(data, dict) and isinstance(data.get("connection"), dict):
        data = data["connection"]
    return read(Connection, data)
