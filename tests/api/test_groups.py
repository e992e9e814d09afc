"""All groups hang on the client, and importing the package imports none of them."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import aioclicksend as ac
from aioclicksend import api
from aioclicksend.api import _MODULES
from aioclicksend.api.messages import Messages
from aioclicksend.bulk.sender import RAMP

from .operations_table import BEGIN, END, groups, table

ROOT = Path(ac.__file__).parent


def test_every_operation_is_reached_from_the_client() -> None:
    reached = {type(group).__name__ for _, group in groups()}
    assert {it.name.partition(".")[0] for it in api.operations().values()} <= reached
    assert all(group.__class__.__doc__ for _, group in groups())


def test_a_group_is_made_once() -> None:
    client = ac.ClickSend(auth=ac.BasicAuth("nobody", "nothing"))
    assert client.sms is client.sms
    assert client.sms.campaigns is client.sms.campaigns
    assert "numbers" in dir(client)


def test_no_module_of_the_api_is_forgotten() -> None:
    modules = {it.stem for it in (ROOT / "api").glob("*.py")} - {"__init__"}
    assert set(_MODULES) == modules


def test_the_package_imports_what_every_program_needs_and_no_more() -> None:
    loaded = fresh("import sys, aioclicksend; print(*sys.modules)").split()
    ours = {it.removeprefix("aioclicksend.") for it in loaded if it.startswith("aioclicksend.")}
    assert not {it for it in ours if it.startswith(("api.", "bulk", "cli.", "campaign", "sandbox"))}
    assert not {"anyio", "sqlite3"} & set(loaded)


def test_operations_are_complete_however_little_was_imported() -> None:
    count = "from aioclicksend import api; print(len(api.operations()))"
    assert int(fresh(count)) == len(api.operations())
    # What is repeated after bytes left must not depend on it either.
    price = "from aioclicksend import api; print(api.matching('POST', '/v3/sms/price').repeatable)"
    assert fresh(price) == "True\n"


@pytest.mark.slow
def test_every_public_name_is_there_when_asked_for() -> None:
    lines = "for name in ac.__all__: getattr(ac, name); assert name in dir(ac)"
    fresh(f"import aioclicksend as ac\n{lines}")
    fresh("from aioclicksend import *\nBatching, SmsMessage, Journal, ClickSend, stop_on_signals")
    fresh(f"from aioclicksend import {', '.join(ac.__all__)}")
    assert sorted(ac.__all__) == ac.__all__
    assert set(ac._LATER) <= set(ac.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        ac.Nothing  # type: ignore[attr-defined] # noqa: B018


def test_the_ramp_of_bulk_is_that_of_its_sender() -> None:
    assert inspect.signature(Messages.bulk).parameters["ramp"].default == RAMP


def test_the_documentation_has_the_table_of_operations() -> None:
    page = (ROOT.parent / "docs" / "operations.md").read_text()
    assert page.partition(BEGIN)[2].partition(END)[0].strip() == table()


def fresh(code: str) -> str:
    """Return what a new process prints that imports the package."""
    run = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(run, check=True, capture_output=True, text=True).stdout  # noqa: S603
