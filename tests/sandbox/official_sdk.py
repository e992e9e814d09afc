"""Every operation of the official SDK, called with arguments made up from its own types."""

from __future__ import annotations

import ast
import inspect
import re
import typing
from dataclasses import dataclass
from typing import Any

from .test_coverage import Account

_KNOWN: dict[str, Any] = {
    "country_code": "AU",
    "disposition": "attachment",
    "filename": "a.csv",
    "filter_product_type": "SMS",
    "from": "",
    "limit": 15,
    "page": 1,
    "webhook_type": "post",
}


@dataclass(frozen=True)
class Operation:
    """One method of an API class of `clicksend-client` 6, read from its source."""

    group: Any
    name: str
    method: str
    path: str

    @property
    def bare(self) -> tuple[str, str]:
        """What identifies it, whatever the parts of its path are called."""
        return self.method, bare(self.path)

    async def arguments(self, account: Account, path: str) -> dict[str, Any]:
        """Make what the operation needs in an account, and what to call it with.

        `path` is the same path with the account's names of its parts.
        """
        body = await account.prepare(self.method, path)
        known = _KNOWN | _leaves(list(account.bodies.values())) | account.values | _leaves(body)
        parts = dict(zip(_parts(self.path), _parts(path), strict=True))
        known |= {theirs: known[ours] for theirs, ours in parts.items() if ours in known}
        hints = inspect.signature(getattr(self.group, self.name)).parameters
        taken = re.findall(r"_body_params = (\w+)$", self._source, re.MULTILINE)
        return {
            # A few bodies are untyped objects: the account's own goes out.
            name: _example(hint.annotation, name, known | dict.fromkeys(taken, body))
            for name, hint in hints.items()
            if name in {*parts, *taken} or (name in known and name != "self")
        }

    @property
    def _source(self) -> str:
        return inspect.getsource(getattr(self.group, f"_{self.name}_serialize"))


def operations(api: Any) -> list[Operation]:
    """Return all operations of the SDK."""
    return [
        Operation(group, *found)
        for group in filter(inspect.isclass, vars(api).values())
        for found in re.findall(
            r"def _(\w+)_serialize\(.*?method='(\w+)',\s*resource_path='([^']+)'",
            inspect.getsource(group),
            re.DOTALL,
        )
    ]


def bare(path: str) -> str:
    """Return a path without the names of its parts."""
    return re.sub(r"\{\w+\}", "{}", path)


def _parts(path: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", path)


def _leaves(value: Any, name: str = "") -> dict[str, Any]:
    """Return each name in a body, however deep, with its value."""
    if isinstance(value, dict):
        return {k: v for key, inner in value.items() for k, v in _leaves(inner, key).items()}
    if isinstance(value, list):
        return {k: v for inner in value for k, v in _leaves(inner, name).items()}
    return {name: value}


def _example(hint: Any, name: str, known: dict[str, Any], source: str = "") -> Any:
    """Build what a type of the SDK asks for from the values known by name."""
    inner = [one for one in typing.get_args(hint) if one is not type(None)]
    if typing.get_origin(hint) is list:
        return [_example(inner[0], name, known, source)]
    if typing.get_origin(hint) is dict:
        return known[name] or {}
    if inner:  # Annotated or Optional
        return _example(inner[0], name, known, source)
    if hasattr(hint, "model_fields"):
        return hint.from_dict(
            {
                field.alias or key: _example(field.annotation, key, known, inspect.getsource(hint))
                for key, field in hint.model_fields.items()
            }
        )
    name = name.removeprefix("var_")
    choices = re.search(rf"def {name}_validate_enum.*?set\(\[(.*?)\]\)", source, re.DOTALL)
    # Long enough for every text, and it matches the patterns, which all ask for digits.
    value = ast.literal_eval(f"[{choices[1]}]")[0] if choices else known.get(name, 12345)
    return hint(value) if isinstance(hint, type) else value
