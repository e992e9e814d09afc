"""What spends money or cannot be undone says so, is never repeated, and asks before it hits all."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest

from aioclicksend import api
from aioclicksend.api.account import Subaccounts
from aioclicksend.api.sms import Sms
from aioclicksend.api.voice import Voice
from aioclicksend.rest import Operation

from .calls import FakeSession, call, everything, run

OPERATIONS = api.operations()

PRICES = {
    f"/v3/{what}/price"
    for what in (
        *("sms", "mms", "voice", "email", "fax", "post/letters", "post/postcards"),
        *("sms-campaigns", "mms-campaigns", "email-campaigns"),
    )
}

SPENDS = {
    ("PUT", "/v3/recharge/purchase/{package_id}"),
    ("PUT", "/v3/reseller/transfer-credit"),
    ("POST", "/v3/numbers/buy/{dedicated_number}"),
    ("POST", "/v3/sms-campaigns/send"),
    ("POST", "/v3/mms-campaigns/send"),
    ("POST", "/v3/email-campaigns/send"),
    ("POST", "/v3/email/send"),
    ("POST", "/v3/fax/send"),
    ("POST", "/v3/post/letters/send"),
    ("POST", "/v3/post/postcards/send"),
}

FOR_GOOD = {
    ("PUT", "/v3/recharge/purchase/{package_id}"),
    ("PUT", "/v3/recharge/credit-card"),
    ("PUT", "/v3/reseller/transfer-credit"),
    ("POST", "/v3/numbers/buy/{dedicated_number}"),
    ("PUT", "/v3/subaccounts/{subaccount_id}/regen-api-key"),
    ("PUT", "/v3/sms/cancel-all"),
    ("PUT", "/v3/voice/cancel-all"),
    ("PUT", "/v3/sms-campaigns/{sms_campaign_id}/cancel"),
    ("PUT", "/v3/mms-campaigns/{mms_campaign_id}/cancel"),
    ("PUT", "/v3/email-campaigns/{email_campaign_id}/cancel"),
    ("PUT", "/v3/sms/receipts-read"),
    ("PUT", "/v3/sms/inbound-read"),
    ("PUT", "/v3/mms/receipts-read"),
    ("PUT", "/v3/voice/receipts-read"),
    ("PUT", "/v3/fax/receipts-read"),
    ("PUT", "/v3/lists/{list_id}/remove-duplicates/"),
    ("PUT", "/v3/lists/{list_id}/remove-opted-out-contacts/{opt_out_list_id}"),
    ("PUT", "/v3/forgot-password/verify"),
    ("POST", "/v3/user-countries/agree"),
    ("POST", "/v3/post/letters/send"),
    ("POST", "/v3/post/postcards/send"),
    *(key for key in OPERATIONS if key[0] == "DELETE"),
}


def test_only_reads_and_prices_are_repeated() -> None:
    repeatable = {key for key, it in OPERATIONS.items() if it.repeatable}
    reads = {key for key in OPERATIONS if key[0] == "GET"}
    assert repeatable == reads | {("POST", path) for path in PRICES}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda it: it.label)
def test_a_request_is_repeatable_as_its_operation_is(operation: Operation) -> None:
    session = FakeSession({"messages": [], "next_page_url": "?offset=1"})
    call(operation, session, everything(operation))
    assert {it.repeatable for it in session.requests} == {operation.repeatable}


@pytest.mark.parametrize("key", sorted(SPENDS), ids=" ".join)
def test_what_spends_money_says_so(key: tuple[str, str]) -> None:
    assert "spends money" in (OPERATIONS[key].stub.__doc__ or "")


@pytest.mark.parametrize("key", sorted(FOR_GOOD), ids=" ".join)
def test_what_cannot_be_undone_says_so(key: tuple[str, str]) -> None:
    assert "cannot be undone" in (OPERATIONS[key].stub.__doc__ or "")


@pytest.mark.parametrize(
    "cancel",
    [
        lambda it: Sms(it).cancel_all(),
        lambda it: Sms(it).cancel_all(""),
        lambda it: Sms(it).cancel_all(" "),
        lambda it: Sms(it).cancel_all("\t\u00a0\u200b\0"),
        lambda it: Sms(it).cancel_all(" ", everything=True),
        lambda it: Sms(it).cancel_all("promo", everything=True),
        lambda it: Voice(it).cancel_all(),
        lambda it: Voice(it).cancel_all(everything=False),
    ],
)
def test_nothing_cancels_everything_by_mistake(
    cancel: Callable[[FakeSession], Awaitable[object]],
) -> None:
    session = FakeSession()
    with pytest.raises(ValueError, match="everything=True"):
        run(cancel(session))
    assert not session.requests


@pytest.mark.parametrize(
    ("cancel", "body"),
    [
        (lambda it: Sms(it).cancel_all("promo"), {"custom_string": "promo"}),
        (lambda it: Sms(it).cancel_all(everything=True), None),
        (lambda it: Voice(it).cancel_all(everything=True), None),
    ],
)
def test_everything_is_cancelled_when_asked_for(
    cancel: Callable[[FakeSession], Awaitable[object]], body: object
) -> None:
    session = FakeSession({"http_code": 200, "data": {"count": 3}})
    assert repr(run(cancel(session))) == "Count(count=3)"
    (request,) = session.requests
    assert json.loads(request.body or b"null") == body


def test_a_truth_travels_as_the_number_the_api_wants() -> None:
    session = FakeSession({"http_code": 200, "data": {}})
    run(Subaccounts(session).update(7, access_sms=True, access_users=False, first_name="Zoë"))
    (request,) = session.requests
    assert request.body == '{"first_name":"Zoë","access_sms":1,"access_users":0}'.encode()


def test_no_repr_tells_a_credential() -> None:
    secret = "a-key-that-nobody-may-see"
    session = FakeSession({"http_code": 200, "data": {"api_key": secret, "subaccount_id": 7}})
    subaccounts = Subaccounts(session)
    for result in (run(subaccounts.get(7)), run(subaccounts.regen_api_key(7))):
        assert result.api_key == secret
        assert secret not in f"{result!r} {result}"
    run(subaccounts.update(7, password=secret))
    assert secret not in repr(session.requests)
