"""`aioclicksend lists` and `aioclicksend contacts`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

from cyclopts import App, Parameter

from .asking import Yes, confirm
from .output import PLAIN, Column, Limit, Moment, Output

lists: App = App("lists", help="Contact lists: list, create, rename, delete, remove-duplicates.")
contacts: App = App("contacts", help="Contacts of a list: list, add, update, delete, copy, move.")

_LISTS = (
    Column("id", "list_id"),
    Column("name", "list_name"),
    Column("contacts", "contacts_count"),
)
_CONTACTS = (
    Column("id", "contact_id"),
    Column("number", "phone_number"),
    Column("first name", "first_name"),
    Column("last name", "last_name"),
    Column("email", "email"),
    Column("company", "organization_name", wide=True),
    Column("updated (UTC)", "date_updated", wide=True),
)


@Parameter(name="*")
@dataclass(frozen=True)
class Fields:
    """What a contact consists of."""

    phone_number: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    organization_name: str | None = None
    fax_number: str | None = None
    custom_1: str | None = None
    custom_2: str | None = None
    custom_3: str | None = None
    custom_4: str | None = None
    address_line_1: str | None = None
    address_line_2: str | None = None
    address_city: str | None = None
    address_state: str | None = None
    address_postal_code: str | None = None
    address_country: str | None = None


_NOTHING = Fields()


@lists.command(name="list")
def walk_lists(*, limit: Limit = None, out: Output = PLAIN) -> None:
    """List the lists."""
    out.walk(lambda client: client.lists.walk(), _LISTS, limit)


@lists.command(name="create")
def create_list(name: str, /, *, out: Output = PLAIN) -> None:
    """Create an empty list."""
    out.one(out.ask(lambda client: client.lists.create(list_name=name)), _LISTS)


@lists.command(name="rename")
def rename_list(list_id: int, name: str, /, *, out: Output = PLAIN) -> None:
    """Rename a list."""
    out.one(out.ask(lambda client: client.lists.update(list_id, list_name=name)), _LISTS)


@lists.command(name="delete")
def delete_list(list_id: int, /, *, yes: Yes = False, out: Output = PLAIN) -> None:
    """Delete a list and its contacts."""
    confirm(f"Delete list {list_id} and all its contacts?", yes=yes)
    out.ask(lambda client: client.lists.delete(list_id))
    out.done(f"list {list_id} deleted", deleted=True, list_id=list_id)


@lists.command
def remove_duplicates(
    list_id: int,
    /,
    *,
    field: Annotated[
        list[str] | None,
        Parameter(help="What makes two contacts the same, e.g. phone_number; can be repeated."),
    ] = None,
    yes: Yes = False,
    out: Output = PLAIN,
) -> None:
    """Delete contacts that are on a list twice."""
    confirm(f"Delete the duplicates of list {list_id}?", yes=yes)
    removed = out.ask(lambda client: client.lists.remove_duplicates(list_id, fields=field))
    out.done(f"{removed.deleted} contacts deleted", deleted=removed.deleted, list_id=list_id)


@contacts.command(name="list")
def walk_contacts(
    list_id: int,
    /,
    *,
    updated_after: Moment = None,
    limit: Limit = None,
    out: Output = PLAIN,
) -> None:
    """List the contacts of a list, all or those changed since a time."""
    out.walk(lambda client: client.contacts.walk(list_id, updated_after), _CONTACTS, limit)


@contacts.command
def add(list_id: int, /, *, fields: Fields = _NOTHING, out: Output = PLAIN) -> None:
    """Add a contact; it needs a phone number, a fax number or an email."""
    if not (fields.phone_number or fields.fax_number or fields.email):
        raise ValueError("a contact needs --phone-number, --fax-number or --email")
    out.one(
        out.ask(lambda client: client.contacts.create(list_id, **asdict(fields))),
        _CONTACTS,
    )


@contacts.command
def update(
    list_id: int, contact_id: int, /, *, fields: Fields = _NOTHING, out: Output = PLAIN
) -> None:
    """Change the given fields of a contact; an empty text clears one."""
    if fields == _NOTHING:
        raise ValueError("nothing to change: give at least one field, such as --first-name")
    out.one(
        out.ask(lambda client: client.contacts.update(list_id, contact_id, **asdict(fields))),
        _CONTACTS,
    )


@contacts.command
def delete(list_id: int, contact_id: int, /, *, yes: Yes = False, out: Output = PLAIN) -> None:
    """Delete a contact."""
    confirm(f"Delete contact {contact_id} of list {list_id}?", yes=yes)
    out.ask(lambda client: client.contacts.delete(list_id, contact_id))
    out.done(f"contact {contact_id} deleted", deleted=True, contact_id=contact_id)


@contacts.command
def copy(from_list: int, contact_id: int, to_list: int, /, *, out: Output = PLAIN) -> None:
    """Copy a contact to another list."""
    out.one(out.ask(lambda client: client.contacts.copy(from_list, contact_id, to_list)), _CONTACTS)


@contacts.command
def move(from_list: int, contact_id: int, to_list: int, /, *, out: Output = PLAIN) -> None:
    """Move a contact to another list."""
    out.one(
        out.ask(lambda client: client.contacts.transfer(from_list, contact_id, to_list)), _CONTACTS
    )
