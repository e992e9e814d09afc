"""Which handler answers which method and path."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

from . import account, contacts, messages
from .messages import Handler

Route = tuple[str, str, Handler, str]

_MESSAGES: list[Route] = [
    ("POST", "/v3/sms/send", messages.send("sms"), "Messages queued for delivery."),
    ("POST", "/v3/sms/price", messages.price("sms"), "Price calculated."),
    ("GET", "/v3/sms/history", messages.history("sms"), "Here is your history."),
    ("GET", "/v3/sms/receipts", messages.receipts("sms"), "Here are your receipts."),
    ("POST", "/v3/sms/receipts", messages.make_receipt("sms"), "Receipt made."),
    ("GET", "/v3/sms/receipts/{message_id}", messages.receipt("sms"), "Here is your receipt."),
    ("PUT", "/v3/sms/receipts-read", messages.receipts_read("sms"), "Marked as read."),
    ("GET", "/v3/sms/inbound", messages.inbound, "Here are your inbound messages."),
    ("POST", "/v3/sms/inbound", messages.make_inbound, "Message made."),
    ("GET", "/v3/sms/inbound/{original_message_id}", messages.inbound_reply, "Here it is."),
    ("PUT", "/v3/sms/inbound-read", messages.inbound_read, "Marked as read."),
    ("PUT", "/v3/sms/inbound-read/{message_id}", messages.inbound_read_one, "Marked as read."),
    ("PUT", "/v3/sms/cancel-all", messages.cancel_all("sms"), "Messages cancelled."),
    ("PUT", "/v3/sms/{message_id}/cancel", messages.cancel("sms"), "Message cancelled."),
    ("POST", "/v3/mms/send", messages.send("mms"), "Messages queued for delivery."),
    ("POST", "/v3/mms/price", messages.price("mms"), "Price calculated."),
    ("GET", "/v3/mms/history", messages.history("mms"), "Here is your history."),
    ("GET", "/v3/mms/receipts", messages.receipts("mms"), "Here are your receipts."),
    ("PUT", "/v3/mms/receipts-read", messages.receipts_read("mms"), "Marked as read."),
    ("POST", "/v3/voice/send", messages.send("voice"), "Messages queued for delivery."),
    ("POST", "/v3/voice/price", messages.price("voice"), "Price calculated."),
    ("GET", "/v3/voice/history", messages.history("voice"), "Here is your history."),
    ("GET", "/v3/voice/lang", messages.languages, "Here are the languages."),
    ("GET", "/v3/voice/receipts", messages.receipts("voice"), "Here are your receipts."),
    ("POST", "/v3/voice/receipts", messages.make_receipt("voice"), "Receipt made."),
    ("PUT", "/v3/voice/receipts-read", messages.receipts_read("voice"), "Marked as read."),
    ("PUT", "/v3/voice/cancel-all", messages.cancel_all("voice"), "Messages cancelled."),
    ("PUT", "/v3/voice/{message_id}/cancel", messages.cancel("voice"), "Message cancelled."),
]

_ACCOUNT: list[Route] = [
    ("GET", "/v3/account", account.account, "Here's your account."),
    ("GET", "/v3/countries", account.all_countries, "Here are the countries."),
    ("GET", "/v3/sms/templates", account.templates, "Here are your templates."),
    ("POST", "/v3/sms/templates", account.create_template, "Template created."),
    ("GET", "/v3/sms/templates/{template_id}", account.get_template, "Here is your template."),
    ("PUT", "/v3/sms/templates/{template_id}", account.update_template, "Template updated."),
    ("DELETE", "/v3/sms/templates/{template_id}", account.delete_template, "Template deleted."),
    ("GET", "/v3/email/addresses", account.addresses, "Here are your addresses."),
    ("POST", "/v3/email/addresses", account.create_address, "Address created."),
    ("GET", "/v3/email/addresses/{email_address_id}", account.get_address, "Here it is."),
    ("DELETE", "/v3/email/addresses/{email_address_id}", account.delete_address, "Deleted."),
]

_CONTACT = "/v3/lists/{list_id}/contacts/{contact_id}"
_FROM = "/v3/lists/{from_list_id}/contacts/{contact_id}"
# Current documentation ends this path with a slash, older documentation does not.
_DEDUPLICATE = "/v3/lists/{list_id}/remove-duplicates"

_LISTS: list[Route] = [
    ("GET", "/v3/lists", contacts.lists, "Here are your lists."),
    ("POST", "/v3/lists", contacts.create_list, "List created."),
    ("GET", "/v3/lists/{list_id}", contacts.get_list, "Here is your list."),
    ("PUT", "/v3/lists/{list_id}", contacts.update_list, "List updated."),
    ("DELETE", "/v3/lists/{list_id}", contacts.delete_list, "List deleted."),
    ("PUT", _DEDUPLICATE, contacts.remove_duplicates, "Duplicates removed."),
    ("PUT", _DEDUPLICATE + "/", contacts.remove_duplicates, "Duplicates removed."),
    ("GET", "/v3/lists/{list_id}/contacts", contacts.contacts, "Here are your contacts."),
    ("POST", "/v3/lists/{list_id}/contacts", contacts.create_contact, "Contact created."),
    ("GET", _CONTACT, contacts.get_contact, "Here is your contact."),
    ("PUT", _CONTACT, contacts.update_contact, "Contact updated."),
    ("DELETE", _CONTACT, contacts.delete_contact, "Contact deleted."),
    ("PUT", _FROM + "/copy/{to_list_id}", contacts.copy_contact, "Contact copied."),
    ("PUT", _FROM + "/transfer/{to_list_id}", contacts.transfer_contact, "Contact moved."),
]

ROUTES: Sequence[Route] = (*_MESSAGES, *_ACCOUNT, *_LISTS)

#: Every operation the sandbox models, as (method, path).
OPERATIONS: frozenset[tuple[str, str]] = frozenset((method, path) for method, path, *_ in ROUTES)

_Entry = tuple[list[str], Handler, str]
_table: dict[tuple[str, int], list[_Entry]] = {}
for _method, _path, _handler, _message in ROUTES:
    _pieces = _path.split("/")
    _table.setdefault((_method, len(_pieces)), []).append((_pieces, _handler, _message))


def find(method: str, raw_path: str) -> tuple[Handler, str, dict[str, str]] | None:
    """Return the handler of a request, its message and the values in the path."""
    pieces = raw_path.split("/")
    for template, handler, message in _table.get((method, len(pieces)), ()):
        values: dict[str, str] = {}
        for expected, piece in zip(template, pieces, strict=True):
            if expected.startswith("{"):
                if not piece:
                    break
                values[expected[1:-1]] = unquote(piece)
            elif expected != piece:
                break
        else:
            return handler, message, values
    return None


def allow_anonymous(method: str, path: str) -> bool:
    """Tell whether a request needs no login. [docs] ClickSend API v3."""
    return method == "GET" and path == "/v3/countries"
