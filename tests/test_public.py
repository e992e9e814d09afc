"""What the package offers."""

from __future__ import annotations

import inspect
import sys
from importlib.resources import files
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend import api

PUBLIC = [
    "Accepted",
    "BadRequest",
    "BasicAuth",
    "BatchEvent",
    "Batching",
    "BulkSender",
    "ClickSend",
    "ClickSendError",
    "ConfigurationError",
    "EndEvent",
    "Forbidden",
    "Handle",
    "HoldEvent",
    "Hooks",
    "Journal",
    "JournalProtocol",
    "Limits",
    "MatonAuth",
    "MmsMessage",
    "NotFound",
    "NotSent",
    "NotSentError",
    "Outcome",
    "Pace",
    "Page",
    "Pages",
    "Quote",
    "RateLimit",
    "Reason",
    "Reconcile",
    "Rejected",
    "ReplyError",
    "ReplyEvent",
    "Report",
    "RequestEvent",
    "Retry",
    "RetryEvent",
    "SendResult",
    "ServerError",
    "SmsMessage",
    "Statistics",
    "Suppression",
    "Timeout",
    "TooManyRequests",
    "Unauthorized",
    "Unknown",
    "UnknownOutcomeError",
    "VoiceMessage",
    "__version__",
    "stop_on_signals",
]


def test_the_public_names_are_these() -> None:
    assert ac.__all__ == PUBLIC == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_there_and_documented(name: str) -> None:
    thing = getattr(ac, name)
    assert name in dir(ac)
    if inspect.isclass(thing) or inspect.isfunction(thing):
        assert thing.__module__.startswith("aioclicksend")
        assert inspect.getdoc(thing)
        assert undocumented(thing) == []


def undocumented(thing: Any) -> list[str]:
    """Return the public methods and properties of a class that have no docstring."""
    if not inspect.isclass(thing):
        return []
    return [
        name
        for name, member in vars(thing).items()
        if not name.startswith("_")
        and (inspect.isfunction(member) or isinstance(member, property))
        and not inspect.getdoc(getattr(thing, name))
    ]


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Carrier'"):
        getattr(ac, "Carrier")  # noqa: B009 - a type checker knows it too


def test_all_groups_and_operations_are_documented() -> None:
    for operation in api.operations().values():
        assert operation.summary.endswith("."), operation.name
        group = sys.modules[operation.stub.__module__]
        kind = getattr(group, operation.name.partition(".")[0])
        assert inspect.getdoc(kind), operation.name
        assert undocumented(kind) == [], operation.name


def test_the_package_says_that_it_is_typed() -> None:
    assert files("aioclicksend").joinpath("py.typed").is_file()


def test_every_error_of_the_package_is_a_clicksend_error() -> None:
    errors = [getattr(ac, name) for name in PUBLIC if name.endswith("Error")]
    errors += [ac.BadRequest, ac.Unauthorized, ac.Forbidden, ac.NotFound, ac.TooManyRequests]
    assert all(issubclass(it, ac.ClickSendError) for it in errors)
    assert issubclass(ac.TooManyRequests, ac.NotSentError)
    assert issubclass(ac.TooManyRequests, ac.ReplyError)
