"""`aioclicksend templates`: saved texts."""

from __future__ import annotations

from cyclopts import App

from .asking import Yes, confirm
from .output import PLAIN, Column, Limit, Output
from .texts import Body, Text, TextFile, one_text

app: App = App("templates", help="Saved texts: list, create, update, delete.")

_COLUMNS = (
    Column("id", "template_id"),
    Column("name", "template_name"),
    Column("text", "body"),
)


@app.command(name="list")
def walk(*, limit: Limit = None, out: Output = PLAIN) -> None:
    """List the templates."""
    out.walk(lambda client: client.sms.templates.walk(), _COLUMNS, limit)


@app.command
def create(
    name: str,
    body: Body = None,
    /,
    *,
    text: Text = None,
    text_file: TextFile = None,
    out: Output = PLAIN,
) -> None:
    """Save a template."""
    whole = one_text(body, text, text_file)
    made = out.ask(lambda client: client.sms.templates.create(template_name=name, body=whole))
    out.one(made, _COLUMNS)


@app.command
def update(
    template_id: int,
    name: str,
    body: Body = None,
    /,
    *,
    text: Text = None,
    text_file: TextFile = None,
    out: Output = PLAIN,
) -> None:
    """Replace name and text of a template."""
    whole = one_text(body, text, text_file)
    made = out.ask(
        lambda client: client.sms.templates.update(template_id, template_name=name, body=whole)
    )
    out.one(made, _COLUMNS)


@app.command
def delete(template_id: int, /, *, yes: Yes = False, out: Output = PLAIN) -> None:
    """Delete a template."""
    confirm(f"Delete template {template_id}?", yes=yes)
    out.ask(lambda client: client.sms.templates.delete(template_id))
    out.done(f"template {template_id} deleted", deleted=True, template_id=template_id)
