"""mypy and pyright see what the signatures of operations say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("operations.py")
LINES = SOURCE.read_text().splitlines()
WRONG = {number for number, line in enumerate(LINES, 1) if line.endswith("# E")}


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Return a copy of the source in which nothing is ignored."""
    copy = tmp_path / SOURCE.name
    copy.write_text("\n".join(re.sub(r"# type: ignore\[[\w-]+\]", "#", line) for line in LINES))
    return copy


def test_ten_operations_are_tried() -> None:
    assert len(WRONG) >= 30


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_mypy_finds_each_wrong_call(bare: Path) -> None:
    output = output_of("mypy", "--strict", "--no-error-summary", "--hide-error-context", str(bare))
    # By name alone: a cache may report the errors of an earlier copy under its path.
    errors = re.findall(rf"^.*{SOURCE.name}:(\d+): error", output, re.MULTILINE)
    assert {int(line) for line in errors} == WRONG


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_pyright_finds_each_wrong_call(bare: Path) -> None:
    output = output_of("pyright", "--outputjson", "--pythonpath", sys.executable, str(bare))
    errors = json.loads(output)["generalDiagnostics"]
    assert {it["range"]["start"]["line"] + 1 for it in errors} == WRONG


def output_of(tool: str, *arguments: str) -> str:
    run = [sys.executable, "-m", tool, *arguments]
    return subprocess.run(run, check=False, capture_output=True, text=True).stdout  # noqa: S603
