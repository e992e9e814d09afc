# This package is installed for comparison only: without it these lines cannot be checked.
# Its README hands over dicts where its annotations want models, and reads what may be None.
# mypy: disable-error-code="import-not-found, arg-type, union-attr, unused-ignore"
# pyright: reportMissingImports=false, reportArgumentType=false, reportOptionalMemberAccess=false
# pyright: reportOptionalIterable=false
"""The official SDK, clicksend-client 6, as its README says to use it: one call after another."""

from __future__ import annotations

import clicksend

from ..meter import Meter
from ..workload import chunks


def send(url: str, count: int) -> dict[str, float]:
    """Send messages."""
    accepted = number = 0
    with Meter() as meter:
        configuration = clicksend.Configuration(
            host=f"{url}/v3",
            username="sink",
            password="sink",  # noqa: S106 - the sink takes any
        )
        with clicksend.ApiClient(configuration) as api_client:
            sms_api = clicksend.SmsApi(api_client)
            for chunk in chunks(count):
                batch = []
                for to, body in chunk:
                    batch.append({"to": to, "body": body, "custom_string": f"sdk-{number:x}"})
                    number += 1
                reply = sms_api.send_sms(send_sms_request={"messages": batch})
                accepted += sum(row.status == "SUCCESS" for row in reply.data.messages)
    assert accepted == count
    return meter.result(count)
