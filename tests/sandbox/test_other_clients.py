"""Clients written by others, for the real API, run unchanged."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from aioclicksend.sandbox import Sandbox

from .conftest import Caller
from .official_sdk import bare, operations
from .test_coverage import Account


@pytest.mark.slow
async def test_the_official_sdk_works_unchanged(sandbox: Sandbox) -> None:
    clicksend = pytest.importorskip("clicksend", reason="clicksend-client is not installed")

    def use() -> None:
        configuration = clicksend.Configuration(
            host=sandbox.url, username="sandbox", password="sandbox"
        )
        with clicksend.ApiClient(configuration) as client:
            _use_messages(clicksend, client)
            _use_lists(clicksend, client)
            _use_the_rest(clicksend, client)

    await asyncio.to_thread(use)
    assert [message.body for message in sandbox.messages] == ["now", "later"]
    assert sandbox.messages[1].status == "Cancelled"


def _use_messages(clicksend: Any, client: Any) -> None:
    api = clicksend.SmsApi(client)
    later = 4_000_000_000
    request = {
        "messages": [
            {"body": "now", "to": "+61400000001", "source": "sdk", "custom_string": "a"},
            {"body": "later", "to": "+61400000002", "schedule": later},
        ]
    }
    assert api.calculate_sms_price(calculate_sms_price_request=request).data.total_price == 0.154
    sent = api.send_sms(send_sms_request=request)
    assert [row.status for row in sent.data.messages] == ["SUCCESS", "SUCCESS"]
    assert sent.data.messages[1].schedule == later
    assert api.cancel_sms(sent.data.messages[1].message_id).response_code == "SUCCESS"
    history = api.view_sms_history(q="to:+61400000001", limit=15)
    assert [row.custom_string for row in history.data.data] == ["a"]
    made = api.create_sms_template(
        create_sms_template_request={"template_name": "t", "body": "b"}
    ).data
    api.update_sms_template(
        str(made.template_id), create_sms_template_request={"template_name": "t", "body": "c"}
    )
    assert [row.body for row in api.view_sms_templates().data.data] == ["c"]
    api.delete_sms_template(str(made.template_id))
    assert api.cancel_all_sms(cancel_all_sms_request={"custom_string": "a"}).data.count == 0
    assert api.view_sms_receipts().data.total == 0
    assert api.view_inbound_sms().data.total == 0


def _use_lists(clicksend: Any, client: Any) -> None:
    lists, contacts = clicksend.ListsApi(client), clicksend.ContactsApi(client)
    made = lists.create_list(create_list_request={"list_name": "friends"}).data
    list_id = str(made.list_id)
    assert (
        lists.update_list(list_id, create_list_request={"list_name": "foes"}).data.list_name
        == "foes"
    )
    contact = lists.create_new_contact(
        list_id, create_new_contact_request={"phone_number": "+61400000001"}
    ).data
    contact_id = str(contact.contact_id)
    contacts.update_contact(list_id, contact_id, create_new_contact_request={"first_name": "Ann"})
    assert contacts.get_specific_contact(list_id, contact_id).data.first_name == "Ann"
    lists.copy_contact_to_list(list_id, contact_id, list_id)
    assert lists.view_list_contacts(list_id).data.total == 2
    removed = lists.remove_duplicate_contacts(
        list_id, remove_duplicate_contacts_request={"fields": {"phone_number": "1"}}
    )
    assert removed.data.deleted == 1
    contacts.delete_contact(list_id, contact_id)
    assert lists.view_lists().data.data[0].contacts_count == 0
    lists.delete_list(list_id)


def _use_the_rest(clicksend: Any, client: Any) -> None:
    account = clicksend.ManagementApi(client).view_account_details().data
    assert account.balance == "999.923000"
    countries = clicksend.InternationalMessagingApi(client).view_countries().data
    assert {"AU", "US"} <= {country.code for country in countries}
    email = clicksend.EmailApi(client)
    made = email.create_allowed_email_address(
        create_allowed_email_address_request={"email_address": "a@example.com"}
    ).data
    assert email.view_allowed_email_addresses().data.total == 1
    email.delete_allowed_email_address(str(made.email_address_id))


@pytest.mark.filterwarnings("default")
async def test_apprise_notifies_through_it(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    apprise = pytest.importorskip("apprise", reason="apprise is not installed")
    plugin = pytest.importorskip("apprise.plugins.clicksend")
    monkeypatch.setattr(plugin.NotifyClickSend, "notify_url", sandbox.url + "/v3/sms/send")
    monkeypatch.setattr(plugin.NotifyClickSend, "request_rate_per_sec", 0)
    service = apprise.Apprise()
    assert service.add("clicksend://sandbox:sandbox@61400000001/61400000002?batch=yes")
    assert await asyncio.to_thread(service.notify, body="hello")
    assert [message.to for message in sandbox.messages] == ["+61400000001", "+61400000002"]
    assert len(sandbox.requests) == 1


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_every_operation_of_the_official_sdk_runs(http: aiohttp.ClientSession) -> None:
    clicksend = pytest.importorskip("clicksend", reason="clicksend-client is not installed")
    ours = {(method, bare(path)): path for method, path in Sandbox.coverage()}
    found = operations(clicksend.api)
    failed: dict[tuple[str, str], str] = {}
    for operation in found:
        async with Sandbox() as sandbox:
            account = Account(Caller(sandbox, http))
            await account.furnish()
            arguments = await operation.arguments(account, ours[operation.bare])
            configuration = clicksend.Configuration(
                host=sandbox.url, username="sandbox", password="sandbox"
            )
            with clicksend.ApiClient(configuration) as client:
                call = getattr(operation.group(client), operation.name)
                try:
                    await asyncio.to_thread(call, **arguments)
                except (ValueError, clicksend.ApiException) as error:
                    failed[operation.bare] = str(error)
    # The SDK sends no login here, and without one the live API answers 401 to every path.
    assert failed.pop(("PATCH", "/v3/own-numbers/{}")).startswith("(401)")
    assert (len(found), failed) == (175, {})
