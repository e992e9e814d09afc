"""Which handler answers which method and path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from . import (
    account,
    contacts,
    dedicated,
    email_campaigns,
    email_templates,
    emails,
    files,
    imports,
    messages,
    multipart,
    senders,
)
from .calls import Call, parse
from .campaigns import MMS_CAMPAIGNS, SMS_CAMPAIGNS
from .counts import statistics
from .crud import Handler, Table
from .paths import PathTable
from .replies import Reply, envelope, invalid_endpoint
from .rules import inbound_rules, receipt_rules
from .state import RECEIPTS
from .subaccounts import SUBACCOUNTS, regenerate_key

Route = tuple[str, str, Handler, str]

_MESSAGES: list[Route] = [
    ("POST", "/v3/sms/send", messages.send("sms"), "Messages queued for delivery."),
    ("POST", "/v3/sms/price", messages.price("sms"), "Price calculated."),
    ("GET", "/v3/sms/history", messages.history("sms"), "Here is your history."),
    ("GET", "/v3/sms/history/export", messages.export("sms"), "Here is your file."),
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
    ("GET", "/v3/mms/history/export", messages.export("mms"), "Here is your file."),
    ("GET", "/v3/mms/receipts", messages.receipts("mms"), "Here are your receipts."),
    ("PUT", "/v3/mms/receipts-read", messages.receipts_read("mms"), "Marked as read."),
    ("POST", "/v3/voice/send", messages.send("voice"), "Messages queued for delivery."),
    ("POST", "/v3/voice/price", messages.price("voice"), "Price calculated."),
    ("GET", "/v3/voice/history", messages.history("voice"), "Here is your history."),
    ("GET", "/v3/voice/history/export", messages.export("voice"), "Here is your file."),
    ("GET", "/v3/voice/lang", messages.languages, "Here are the languages."),
    ("GET", "/v3/voice/receipts", messages.receipts("voice"), "Here are your receipts."),
    ("POST", "/v3/voice/receipts", messages.make_receipt("voice"), "Receipt made."),
    ("PUT", "/v3/voice/receipts-read", messages.receipts_read("voice"), "Marked as read."),
    ("PUT", "/v3/voice/cancel-all", messages.cancel_all("voice"), "Messages cancelled."),
    ("PUT", "/v3/voice/{message_id}/cancel", messages.cancel("voice"), "Message cancelled."),
    ("GET", "/v3/fax/receipts", messages.receipts("fax"), "Here are your receipts."),
    ("POST", "/v3/fax/receipts", messages.make_receipt("fax"), "Receipt made."),
    ("PUT", "/v3/fax/receipts-read", messages.receipts_read("fax"), "Marked as read."),
    ("GET", "/v3/statistics/sms", statistics("sms"), "Here are your statistics."),
    ("GET", "/v3/statistics/voice", statistics("voice"), "Here are your statistics."),
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
    (
        "PUT",
        "/v3/lists/{list_id}/remove-opted-out-contacts/{opt_out_list_id}",
        contacts.remove_opted_out,
        "Contacts removed.",
    ),
    ("POST", "/v3/lists/{list_id}/import", imports.start_import, "Import queued."),
]

_VERIFY = "/v3/email/address-verify/{email_address_id}"
_MASTERS = "/v3/email/master-templates"
_CATEGORIES = "/v3/email/master-templates-categories"
_EMAIL_CAMPAIGN = "/v3/email-campaigns/{email_campaign_id}"

_EMAIL: list[Route] = [
    ("POST", "/v3/email/send", emails.send, "Email queued for delivery."),
    ("POST", "/v3/email/price", emails.price, "Price calculated."),
    ("GET", "/v3/email/history", emails.history, "Here is your history."),
    ("GET", "/v3/email/history/export", emails.export, "Here is your file."),
    ("PUT", _VERIFY + "/send", emails.send_verification, "Token sent."),
    ("PUT", _VERIFY + "/verify/{activation_token}", emails.verify, "Address verified."),
    ("POST", "/v3/email-campaigns/send", email_campaigns.send, "Campaign queued."),
    ("POST", "/v3/email-campaigns/price", email_campaigns.price, "Price calculated."),
    ("GET", "/v3/email-campaigns", email_campaigns.walk, "Here are your campaigns."),
    ("GET", _EMAIL_CAMPAIGN, email_campaigns.get, "Here is your campaign."),
    ("PUT", _EMAIL_CAMPAIGN, email_campaigns.update, "Campaign updated."),
    ("PUT", _EMAIL_CAMPAIGN + "/cancel", email_campaigns.cancel, "Campaign cancelled."),
    ("GET", _EMAIL_CAMPAIGN + "/history", email_campaigns.history, "Here is your history."),
    ("GET", _EMAIL_CAMPAIGN + "/history/export", email_campaigns.export, "Here is your file."),
    ("GET", _MASTERS, email_templates.masters, "Here are the templates."),
    ("GET", _MASTERS + "/{template_id}", email_templates.get_master, "Here is the template."),
    ("GET", _CATEGORIES, email_templates.categories, "Here are the categories."),
    ("GET", _CATEGORIES + "/{category_id}", email_templates.get_category, "Here it is."),
    (
        "GET",
        _CATEGORIES + "/{category_id}/master-templates",
        email_templates.category_masters,
        "Here are the templates.",
    ),
    ("GET", "/v3/email/templates", email_templates.walk, "Here are your templates."),
]

_OTHERS: list[Route] = [
    ("POST", "/v3/uploads", files.upload, "File uploaded."),
    ("GET", "/v3/numbers", dedicated.owned_numbers, "Here are your numbers."),
    ("GET", "/v3/numbers/search/{country}", dedicated.search, "Here are the numbers."),
    ("POST", "/v3/numbers/buy/{dedicated_number}", dedicated.buy, "Number bought."),
    (
        "PUT",
        "/v3/subaccounts/{subaccount_id}/regen-api-key",
        regenerate_key,
        "The key has been replaced.",
    ),
]

_TAG = "/v3/alpha-tags/{alpha_tag_id}"
_SENDERS: list[Route] = [
    ("GET", "/v3/senders/compliant-sender-types", senders.compliant_types, "Here they are."),
    ("GET", "/v3/user-countries", senders.user_countries, "Here are your countries."),
    ("GET", "/v3/country-list", senders.country_list, "Here are the countries."),
    ("GET", "/v3/timezones", account.timezones, "Here are the time zones."),
    ("GET", "/v3/alpha-tags", senders.alpha_tags, ""),
    ("POST", "/v3/alpha-tags", senders.request_alpha_tag, ""),
    ("GET", _TAG, senders.alpha_tag, ""),
    ("DELETE", _TAG, senders.delete_alpha_tag, ""),
]

_CAMPAIGNS: list[Route] = [
    route
    for name, kind in (("sms", SMS_CAMPAIGNS), ("mms", MMS_CAMPAIGNS))
    for path, one in ((f"/v3/{name}-campaigns", f"/v3/{name}-campaigns/{{{name}_campaign_id}}"),)
    for route in (
        ("POST", path + "/send", kind.send, "Campaign queued."),
        ("POST", path + "/price", kind.price, "Price calculated."),
        ("GET", path, kind.walk, "Here are your campaigns."),
        ("GET", one, kind.get, "Here is your campaign."),
        ("PUT", one, kind.update, "Campaign updated."),
        ("PUT", one + "/cancel", kind.cancel, "Campaign cancelled."),
    )
]


def _crud(table: Table, *, all_of_it: bool = True) -> list[Route]:
    path, one = f"/v3/{table.path}", f"/v3/{table.path}/{{{table.key}}}"
    listing: list[Route] = [("GET", path, table.walk, "Here they are.")] if all_of_it else []
    return [
        *listing,
        ("POST", path, table.create, "Created."),
        ("GET", one, table.get, "Here it is."),
        ("PUT", one, table.update, "Updated."),
        ("DELETE", one, table.delete, "Deleted."),
    ]


_TABLES: list[Route] = [
    *_crud(email_templates.TEMPLATES, all_of_it=False),
    *_crud(SUBACCOUNTS),
    *(route for channel in RECEIPTS for route in _crud(receipt_rules(channel))),
    *(route for channel in ("sms", "fax") for route in _crud(inbound_rules(channel))),
]

ROUTES: Sequence[Route] = (
    *_MESSAGES,
    *_ACCOUNT,
    *_LISTS,
    *_EMAIL,
    *_OTHERS,
    *_SENDERS,
    *_CAMPAIGNS,
    *_TABLES,
)

#: Every operation the sandbox models, as (method, path).
OPERATIONS: frozenset[tuple[str, str]] = frozenset((method, path) for method, path, *_ in ROUTES)

_Entry = tuple[Handler, str]
_table = PathTable[_Entry]()
for _method, _path, _handler, _message in ROUTES:
    _table.add(_method, _path, (_handler, _message))


def read_body(content_type: str, body: bytes) -> Any:
    """Read a form if the header says so, else JSON."""
    if content_type.lower().startswith(multipart.TYPE):
        return multipart.parse(content_type, body)
    return parse(body)


Coverage = Literal["modelled", "example", "not served"]


def answer(method: str, raw_path: str, call: Call, body: bytes) -> Reply:
    """Let what stands under a method and a path answer a request."""
    # The raw path: an id may hold a slash or a # that was escaped.
    found = _table.find(method, raw_path)
    if found is not None:
        (handler, message), call.path = found
        call.body = read_body(call.content_type, body)
        data = handler(call)
        return data if isinstance(data, Reply) else envelope(200, "SUCCESS", message, data)
    # Not imported at the top: few sandboxes ever need the examples.
    from . import shapes  # noqa: PLC0415

    example = shapes.find(method, raw_path)
    if example is None:
        # Also for a known path and a wrong method: no live answer is a 405.
        raise invalid_endpoint()
    shape, call.path = example
    call.body = read_body(call.content_type, body)
    return shape.reply(call)


def coverage() -> dict[tuple[str, str], Coverage]:
    """Say how each operation is answered."""
    from . import shapes  # noqa: PLC0415

    answers: dict[tuple[str, str], Coverage] = {
        (shape.method, shape.path): "example" for shape in shapes.load()
    }
    for operation in OPERATIONS:
        answers[operation] = "modelled"
    return answers


# [docs] ClickSend API v3.
_ANONYMOUS = frozenset(
    {
        ("GET", "/v3/countries"),
        ("PUT", "/v3/forgot-username"),
        ("PUT", "/v3/forgot-password"),
        ("POST", "/v3/account"),
    }
)


def allow_anonymous(method: str, path: str) -> bool:
    """Tell whether a request needs no login."""
    return (method, path) in _ANONYMOUS
