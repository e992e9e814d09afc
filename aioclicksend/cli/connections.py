"""`aioclicksend connections`: ClickSend accounts connected to Maton."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from .asking import Yes, confirm
from .output import PLAIN, Column, Output

app: App = App("connections", help="ClickSend accounts connected to Maton; needs MATON_API_KEY.")

_COLUMNS = (
    Column("id", "connection_id", whole=True),
    Column("status", "status"),
    Column("created (UTC)", "creation_time"),
    Column("updated (UTC)", "last_updated_time", wide=True),
)
_DETAILS = (*_COLUMNS, Column("sign in at", "url"))


@app.command(name="list")
def walk(
    *,
    status: Annotated[
        Literal["ACTIVE", "PENDING", "FAILED"] | None, Parameter(help="Only those in this state.")
    ] = None,
    out: Output = PLAIN,
) -> None:
    """List the connections."""
    out.rows(out.ask(lambda client: client.connections.all(status)), _COLUMNS)


@app.command
def create(*, out: Output = PLAIN) -> None:
    """Start a connection; a person finishes signing in at its address."""
    made = out.ask(lambda client: client.connections.create())
    out.one(made, _DETAILS)
    if made.url is None:
        out.note(f"where to sign in: aioclicksend connections get {made.connection_id}")


@app.command
def get(connection_id: str, /, *, out: Output = PLAIN) -> None:
    """Show one connection."""
    out.one(out.ask(lambda client: client.connections.get(connection_id)), _DETAILS)


@app.command
def delete(connection_id: str, /, *, yes: Yes = False, out: Output = PLAIN) -> None:
    """Delete a connection."""
    confirm(f"Delete connection {connection_id}?", yes=yes)
    out.ask(lambda client: client.connections.delete(connection_id))
    out.done(f"connection {connection_id} deleted", deleted=True, connection_id=connection_id)
