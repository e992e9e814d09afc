"""The client has what the API has: every operation, every query name, every field of a body."""

from __future__ import annotations

import inspect
import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec
import pytest

from aioclicksend import api
from aioclicksend.wire import Request, plain

from .calls import FakeSession, call, everything
from .facts import Fact, load, names_in

FACTS = load()
OPERATIONS = api.operations()

each = pytest.mark.parametrize("fact", FACTS, ids=repr)

Deviations = dict[tuple[str, str], set[str]]

NOT_SENT: Deviations = {
    # Read only, whatever the documents say.
    ("POST", "/v3/lists/{list_id}/contacts"): {"date_added"},
    ("PUT", "/v3/lists/{list_id}/contacts/{contact_id}"): {"date_added"},
    # A mapping: its names are the caller's.
    ("PUT", "/v3/lists/{list_id}/remove-duplicates/"): {
        *("fields.last_name", "fields.organization_name"),
        *("fields.phone_number", "fields.fax_number", "fields.email"),
        *("fields.custom_1", "fields.custom_2", "fields.custom_3", "fields.custom_4"),
        *("fields.address_line_1", "fields.address_line_2", "fields.address_city"),
        *("fields.address_state", "fields.address_postal_code", "fields.address_country"),
    },
}
SENT_BESIDES: Deviations = {
    # Documented for "most" lists; look-ups of several numbers need it, and check that it works.
    ("GET", "/v3/sms/history"): {"operator"},
    # One struct serves sending and pricing, which differ in a field each.
    ("POST", "/v3/sms/send"): {"messages[].show_summary"},
    ("POST", "/v3/sms/price"): {"messages[].exclude_no_sender_id_recipients"},
    ("POST", "/v3/voice/send"): {"messages[].from"},
    # Not documented as parameters: sent on as the server's own links have them.
    ("GET", "/v3/short-url/tracking/{long_url_id}"): {"offset"},
    ("GET", "/v3/alpha-tags"): {"offset"},
}
NOT_REQUIRED: Deviations = {
    # Belongs to the messages, which share it.
    ("POST", "/v3/mms/send"): {"media_file"},
    ("POST", "/v3/mms/price"): {"media_file"},
    # Fields of the one struct that is the body.
    ("POST", "/v3/email/send"): {"to", "from", "subject", "body"},
    ("POST", "/v3/email/price"): {"to", "from", "subject", "body"},
    # Has the only value there is, or the one of all examples.
    ("POST", "/v3/senders/default-senders"): {"product_type"},
    ("GET", "/v3/senders/compliant-sender-types"): {"filter[product_type]"},
    ("PUT", "/v3/account-verify/send"): {"type"},
    # Made of the source.
    ("POST", "/v3/uploads"): {"content"},
}
REQUIRED_BESIDES: Deviations = {
    # Without it the API marks everything read, seen or not.
    ("PUT", "/v3/sms/receipts-read"): {"date_before"},
    ("PUT", "/v3/sms/inbound-read"): {"date_before"},
    ("PUT", "/v3/mms/receipts-read"): {"date_before"},
    ("PUT", "/v3/voice/receipts-read"): {"date_before"},
    ("PUT", "/v3/fax/receipts-read"): {"date_before"},
    # Behind `cancel_all`, which asks for it or for `everything`.
    ("PUT", "/v3/sms/cancel-all"): {"custom_string"},
    # There is nothing else to update.
    ("PATCH", "/v3/own-numbers/{own_number_id}"): {"label"},
    # The one struct that is the body.
    ("POST", "/v3/email/send"): {"message"},
    ("POST", "/v3/email/price"): {"message"},
    # What the content is made of.
    ("POST", "/v3/uploads"): {"source"},
}


def test_the_client_has_every_operation_and_no_other() -> None:
    ours = {key for key in OPERATIONS if not key[1].startswith("/connections")}
    assert ours == {fact.key for fact in FACTS}
    assert len(FACTS) == 211


@each
def test_a_request_has_every_query_name_and_field(fact: Fact) -> None:
    request = request_for(fact)
    missing = NOT_SENT.get(fact.key, set())
    besides = SENT_BESIDES.get(fact.key, set())
    query = {re.sub(r"\[\d+\]$", "", name) for name in query_of(request)}
    body = names_in(json.loads(request.body or b"null"))
    assert query | body == (fact.query | fact.body) - missing | besides
    assert query - besides == fact.query


@each
def test_what_the_api_requires_has_no_default(fact: Fact) -> None:
    operation = OPERATIONS[fact.key]
    parameters = list(inspect.signature(operation.stub).parameters.values())[1:]
    asked_for = {wire_name(it.name) for it in parameters if it.default is it.empty}
    asked_for -= set(re.findall(r"{(\w+)}", fact.path)) - fact.body
    required = {name for name in fact.required if "." not in name and "[]" not in name}
    required -= NOT_REQUIRED.get(fact.key, set())
    assert asked_for == required | REQUIRED_BESIDES.get(fact.key, set())


@each
def test_a_request_is_what_the_arguments_say(fact: Fact) -> None:
    operation = OPERATIONS[fact.key]
    arguments = everything(operation)
    request = request_for(fact)
    assert request.method == fact.method
    path = re.sub(r"{(\w+)}", lambda hole: quote(str(arguments[hole[1]]), safe=""), fact.path)
    assert urlsplit(request.url).path == path
    given = {
        wire_name(name): value
        for name, value in arguments.items()
        if f"{{{name}}}" not in fact.path or name in fact.body
    }
    # Set by the walk, whose second page this is.
    given = {"page": 2, "offset": "a#b", **given}
    given |= {"page_size": given.get("limit"), "per_page": given.get("limit")}
    for name, value in query_of(request).items():
        stem, bracket, _ = name.partition("[0]")
        assert value == as_text(given[stem][0] if bracket else given[stem])
    whole = as_json(given["message"]) if "message" in given else None
    for name, value in json.loads(request.body or b"{}").items():
        if name not in ("messages", "content", "media_file"):  # of which the sending tests tell
            assert value == (whole[name] if whole else as_json(given[name]))


def test_every_deviation_is_one() -> None:
    tables = (NOT_SENT, SENT_BESIDES, NOT_REQUIRED, REQUIRED_BESIDES)
    assert {key for table in tables for key in table} <= set(OPERATIONS)


def request_for(fact: Fact) -> Request:
    """Return the request of a call with every argument; of a walk, that for its second page."""
    link = {"next_page_url": "https://elsewhere.test/v4?offset=a%23b"}
    session = FakeSession({"messages": [], **link})
    operation = OPERATIONS[fact.key]
    call(operation, session, everything(operation))
    assert len(session.requests) == (2 if fact.paged == "cursor" else 1)
    assert session.requests[-1].url.startswith("https://api.test/v3/")
    return session.requests[-1]


def query_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))


def wire_name(name: str) -> str:
    """Return the API's name of a parameter: keywords and brackets bend."""
    bent = re.fullmatch(r"filter_(\w+)", name)
    return f"filter[{bent[1]}]" if bent else name.rstrip("_")


def as_text(value: object) -> str:
    if isinstance(value, datetime):
        return str(int(value.timestamp()))
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_json(value: object) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, msgspec.Struct):
        return json.loads(msgspec.json.encode(plain(value)))
    return [as_json(it) for it in value] if isinstance(value, list) else value
