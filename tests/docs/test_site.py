"""The site builds without a warning, and what it leads to is there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from .blocks import PAGES, ROOT

CONFIG: dict[str, Any] = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]


def leaves(nav: list[dict[str, Any]]) -> Iterator[str]:
    for entry in nav:
        for target in entry.values():
            if isinstance(target, str):
                yield target
            else:
                yield from leaves(target)


def test_every_page_is_in_the_navigation_once() -> None:
    pages = [str(page.relative_to(ROOT / "docs")) for page in PAGES if page.name != "README.md"]
    assert sorted(leaves(CONFIG["nav"])) == sorted(pages)


def test_llms_txt_lists_every_page() -> None:
    text = (ROOT / "docs" / "llms.txt").read_text()
    listed = re.findall(r"\]\(([^)]+)\)", text)
    assert sorted(listed) == sorted(leaves(CONFIG["nav"]))
    assert text.startswith("# aioclicksend\n\n> ")


def test_links_of_the_readme_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text()
    targets = [it for it in re.findall(r"\]\(([^)#]+)", text) if not it.startswith("https://")]
    assert targets
    assert [it for it in targets if not (ROOT / it).exists()] == []


def test_the_readme_is_a_front_page() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


@pytest.mark.slow
@pytest.mark.timeout(600)  # a cold start on a busy machine
@pytest.mark.skipif(not find_spec("zensical"), reason="the extra [docs] is absent")
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    for name in ("docs", "aioclicksend"):
        copytree(ROOT / name, tmp_path / name)
    (tmp_path / "zensical.toml").write_text((ROOT / "zensical.toml").read_text())
    run = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "--clean"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    said = run.stdout + run.stderr
    assert "No issues found" in said
    assert "griffe:" not in said, said  # what it says of docstrings, --strict does not count
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(list(leaves(CONFIG["nav"]))) - 1
    for page in pages:
        # Nothing is loaded from another host.
        loaded = re.findall(r'(?:src|href)="(https?://[^"]+)"[^>]*(?:\.js|\.css)', page.read_text())
        assert loaded == [], page
    assert (tmp_path / "site" / "llms.txt").is_file()
