"""The API's operations, one module a domain. See `aioclicksend.rest` for how they are declared.

Where sources disagree the docstrings name them: *v6* is ClickSend's OpenAPI document as shipped in
its SDKs of generation 6, the *SDK* that of generation 5, *older documents* those of before.
"""

from importlib import import_module

from ..rest import OPERATIONS, Operation

_MODULES = (
    "account",
    "automations",
    "campaigns",
    "connections",
    "contacts",
    "countries",
    "email",
    "email_to_sms",
    "fax",
    "messages",
    "mms",
    "numbers",
    "post",
    "recharge",
    "reports",
    "sms",
    "uploads",
    "voice",
    "webhooks",
)


def operations() -> dict[tuple[str, str], Operation]:
    """Return every operation of this client, by method and path.

    Groups are imported as they are used; this imports all that are left.
    """
    for module in _MODULES:
        import_module(f".{module}", __name__)
    return OPERATIONS
