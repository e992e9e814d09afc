"""The API's operations, one module a domain. See `aioclicksend.rest` for how they are declared.

Where sources disagree the docstrings name them: *v6* is ClickSend's OpenAPI document as shipped in
its SDKs of generation 6, the *SDK* that of generation 5, *older documents* those of before.
"""

import functools
import re
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


def matching(method: str, path: str) -> Operation | None:
    """Return the operation that a path, filled and quoted, belongs to; None for an unknown one."""
    segments = path.split("/")
    # By the number of segments first: of 211 operations a handful are left to compare.
    candidates = _by_length().get((method, len(segments)), ())
    return next((it for template, it in candidates if _fits(template, segments)), None)


def template_of(path: str) -> str:
    """Return an unknown path for logs and hooks: what may be a number or a name is shown as ``…``.

    Shown are the resource right after ``/v3/`` and segments that some operation has.
    """
    _, version, resource, *rest = path.split("/")
    # A caller may have put a number or a name there; resources are plain words.
    if _RESOURCE(resource) is None:
        resource = "…"
    shown = [version, resource, *(it if it in _literals() else "…" for it in rest)]
    return "/" + "/".join(shown)


_RESOURCE = re.compile("[a-z][a-z-]*").fullmatch


def _fits(template: list[str], segments: list[str]) -> bool:
    pairs = zip(template, segments, strict=True)
    return all(hole == segment or hole.startswith("{") for hole, segment in pairs)


@functools.cache
def _by_length() -> dict[tuple[str, int], list[tuple[list[str], Operation]]]:
    """Return the operations and the segments of their paths, by method and number of segments."""
    found: dict[tuple[str, int], list[tuple[list[str], Operation]]] = {}
    # Of /sms/history and /sms/{message_id} the one with fewer holes comes first.
    for operation in sorted(operations().values(), key=lambda it: it.path.count("{")):
        segments = operation.path.split("/")
        found.setdefault((operation.method, len(segments)), []).append((segments, operation))
    return found


@functools.cache
def _literals() -> frozenset[str]:
    """Return the fixed segments of all paths."""
    paths = (path for _, path in operations())
    return frozenset(it for path in paths for it in path.split("/") if not it.startswith("{"))
