"""Imports only go down."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import aioclicksend

ROOT = Path(aioclicksend.__file__).parent

LAYERS = (
    {"__main__"},
    {"cli"},
    {"mcp"},
    {"campaign"},
    {"cluster"},
    {"quiet"},
    {"delivery"},
    {"webhooks"},
    {"__init__"},
    {"telemetry"},
    {"client"},
    {"groups", "download"},
    {"api"},
    {"bulk", "session", "rest"},
    {"transport"},
    {"attempt"},
    {"pages"},
    {"wire", "retry", "pacing", "proxies"},
    {"models"},
    {"config", "hooks"},
    {"errors"},
    {"codes", "files", "printable", "version"},
)
"""Each may import those below it, and the other modules of its package."""

ALONE = {"text", "sandbox"}
"""They import nothing of the others."""

DEPTH = {name: depth for depth, layer in enumerate(LAYERS) for name in layer}

DEPENDENCIES = {"aiohttp", "yarl", "anyio", "msgspec", "aiolimiter"}
EXTRAS = {
    "cli": {"cyclopts", "rich", "platformdirs"},
    "mcp": {"mcp", "mcp_types", "pydantic"},
    "campaign": {"phonenumbers", "python_calamine"},
    "cluster": {"psycopg", "procrastinate"},
    "quiet": {"phonenumbers"},
    "sandbox": {"aiohttp", "pytest", "pytest_asyncio"},
    "telemetry": {"opentelemetry"},
    "text": set[str](),
}


class Import(NamedTuple):
    """One import statement."""

    where: str
    part: str
    """The module or package directly below the root that has it."""
    target: str
    """The same of what it imports, or the name of another package."""
    is_ours: bool


@cache
def imports() -> tuple[Import, ...]:
    return tuple(found())


def found() -> Iterator[Import]:
    for path in sorted(ROOT.rglob("*.py")):
        relative = path.relative_to(ROOT).with_suffix("")
        for node in ast.walk(ast.parse(path.read_text())):
            where = f"{relative}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import):
                for alias in node.names:
                    name = alias.name.partition(".")[0]
                    yield Import(where, relative.parts[0], name, is_ours=False)
            elif isinstance(node, ast.ImportFrom):
                for target, is_ours in targets(relative, node):
                    yield Import(where, relative.parts[0], target, is_ours)


def targets(module: Path, node: ast.ImportFrom) -> Iterator[tuple[str, bool]]:
    name = (node.module or "").split(".")
    if not node.level:
        yield name[0], False
        return
    package = list(module.parts[:-1])
    package = package[: len(package) - node.level + 1]
    if node.module:
        yield (package + name)[0], True
    else:
        for alias in node.names:
            yield (package or [alias.name])[0], True


def test_the_imports_were_found() -> None:
    assert Import("pages:17", "pages", "msgspec", is_ours=False)[1:] in [it[1:] for it in imports()]
    assert {"cli", "api", "bulk", "models"} <= {it.part for it in imports() if it.is_ours}
    assert len(imports()) > 200


def test_every_module_has_its_layer() -> None:
    parts = {path.relative_to(ROOT).with_suffix("").parts[0] for path in ROOT.rglob("*.py")}
    assert parts == set(DEPTH) | ALONE


def test_imports_only_go_down() -> None:
    up = [
        it
        for it in imports()
        if it.is_ours
        and it.part != it.target
        and it.part in DEPTH
        and it.target in DEPTH
        and DEPTH[it.target] <= DEPTH[it.part]
    ]
    assert up == []


def test_the_sandbox_knows_nothing_of_the_client_nor_the_client_of_it() -> None:
    out = [it for it in imports() if it.is_ours and it.part == "sandbox" != it.target]
    into = [it for it in imports() if it.is_ours and it.target == "sandbox" != it.part]
    assert out == []
    assert {it.part for it in into} <= {"cli"}


def test_text_imports_nothing_of_ours() -> None:
    assert [it for it in imports() if it.is_ours and it.part == "text"] == []


def test_the_package_names_itself_only_relatively() -> None:
    assert [it for it in imports() if not it.is_ours and it.target == "aioclicksend"] == []


@pytest.mark.parametrize("part", sorted({*DEPTH, *ALONE}))
def test_only_declared_packages_are_imported(part: str) -> None:
    allowed = DEPENDENCIES | EXTRAS.get(part, set()) if part in DEPTH else EXTRAS[part]
    foreign = {
        it.target
        for it in imports()
        if it.part == part and not it.is_ours and it.target not in sys.stdlib_module_names
    }
    assert foreign <= allowed
