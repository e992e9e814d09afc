"""How `aioclicksend mcp` begins, and with which files."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from aioclicksend.cli.mcp import default_journal
from aioclicksend.errors import ConfigurationError
from aioclicksend.mcp import Limits


@pytest.mark.parametrize(
    "limits",
    [
        {"allow_to": ("0411*",)},
        {"allow_to": ("+61", "")},
        {"allow_to": ("+61*\n",)},
        {"max_recipients": 0},
        {"max_recipients": 1001},
        {"budget": Decimal("nan")},
        {"budget": Decimal("inf")},
        {"budget": Decimal(-1)},
    ],
)
def test_a_limit_that_would_not_limit_is_refused(limits: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="--"):
        Limits(**limits)  # type: ignore[arg-type]


def test_each_account_has_a_journal_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    ours = {"CLICKSEND_USERNAME": "us", "CLICKSEND_API_KEY": "key"}
    journals = {
        default_journal(environ)
        for environ in (
            ours,
            ours | {"CLICKSEND_BASE_URL": "http://127.0.0.1:8080"},
            ours | {"CLICKSEND_USERNAME": "them"},
            {"MATON_API_KEY": "key"},
        )
    }
    assert len(journals) == 4
    assert default_journal(ours | {"CLICKSEND_API_KEY": "a new key"}) in journals
    assert {it.parent.name for it in journals} == {"aioclicksend"}
    with pytest.raises(ConfigurationError):
        default_journal({})
