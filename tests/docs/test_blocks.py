"""What the documentation shows runs as it is, and passes mypy."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import CodeType

import pytest

from aioclicksend.sandbox import Sandbox

from .blocks import BLOCKS, ROOT, Block

TO_RUN = [
    pytest.param(
        block,
        id=block.name,
        marks=pytest.mark.skipif(
            any(f"import {it}" in block.code and not find_spec(it) for it in ("polars", "fastapi")),
            reason="what it imports is absent",
        ),
    )
    for block in BLOCKS
    if block.needs is None
]


def test_blocks_were_found() -> None:
    pages = {block.page for block in BLOCKS}
    assert {"README.md", "docs/sending.md", "docs/recipes/fastapi.md"} <= pages
    assert len(TO_RUN) >= 15


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox in a thread of its own, as blocks have event loops of theirs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    sandbox = Sandbox()
    asyncio.run_coroutine_threadsafe(sandbox.start(), loop).result(5)
    for name in ("MATON_API_KEY", "MATON_CONNECTION_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLICKSEND_USERNAME", sandbox.username)
    monkeypatch.setenv("CLICKSEND_API_KEY", sandbox.api_key)
    monkeypatch.setenv("CLICKSEND_BASE_URL", sandbox.url)
    try:
        yield sandbox
    finally:
        asyncio.run_coroutine_threadsafe(sandbox.stop(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


@pytest.mark.parametrize("block", TO_RUN)
def test_a_block_runs(
    block: Block, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a reader runs it: an account in the environment, an empty folder, nothing else."""
    monkeypatch.chdir(tmp_path)
    code = block.compiled()
    assert isinstance(code, CodeType)
    # What awaits at its top gives a coroutine.
    awaited = eval(code, {"__name__": "__main__"})  # noqa: S307
    if awaited is not None:
        asyncio.run(awaited)
    assert sandbox.duplicates() == {}


@pytest.mark.slow
@pytest.mark.timeout(600)  # a cold start on a busy machine
def test_blocks_pass_mypy(tmp_path: Path) -> None:
    names = {}
    for number, block in enumerate(BLOCKS):
        path = tmp_path / f"block_{number}.py"
        path.write_text(block.module())
        names[path.name] = block.name
    (tmp_path / "mypy.ini").write_text(
        "[mypy]\nstrict = true\n"
        # Packages that a block needs may be absent, and what is made of them has no types then.
        "ignore_missing_imports = true\ndisallow_untyped_decorators = false\n"
        "disallow_subclassing_any = false\n"
    )
    run = subprocess.run(  # noqa: S603
        [
            *(sys.executable, "-m", "mypy", "--config-file", "mypy.ini"),
            *("--cache-dir", str(ROOT / ".mypy_cache" / "docs"), "."),
        ],
        cwd=tmp_path,
        env={"MYPYPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    report = run.stdout
    for written, name in names.items():
        report = report.replace(f"{written}:", f"{written} ({name}):")
    assert run.returncode == 0, report + run.stderr
