"""The code on the page "Test your SMS code" and in examples/testing runs as it stands."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from aioclicksend.sandbox import Fault, Sandbox
from aioclicksend.sandbox.configuring import read_settings

from .conftest import Caller, sms

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PAGE = (ROOT / "docs" / "testing.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:8080"


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


async def run(*command: str | Path, sandbox: Sandbox, stdin: str = "") -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | sandbox.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    out, err = await process.communicate(stdin.encode())
    assert process.returncode == 0, (out.decode(), err.decode())
    return out.decode()


async def test_the_shell_blocks_run(sandbox: Sandbox) -> None:
    tool("curl")
    text = "set -e\n" + "\n".join(blocks("sh")).replace(ADDRESS, sandbox.url)
    out = await run("/bin/sh", sandbox=sandbox, stdin=text)
    assert '"code": "482913"' in out
    assert sandbox.inbound[0].body == "STOP"
    assert sandbox.pushes[0]["url"] == "http://127.0.0.1:3000/sms"
    assert (sandbox.auto_deliver, sandbox.push.repeat) == (2, 2)
    assert sandbox.faults == []


@pytest.mark.parametrize(
    ("language", "program", "arguments"),
    [("py", sys.executable, ()), ("js", "node", ("--input-type=module",)), ("php", "php", ())],
)
async def test_the_other_blocks_read_the_code(
    sandbox: Sandbox, call: Caller, language: str, program: str, arguments: tuple[str, ...]
) -> None:
    path = tool(program)
    await call.send(sms(to="+61412345678", body="Your code is 482913"))
    (block,) = blocks(language)
    out = await run(path, *arguments, sandbox=sandbox, stdin=block.replace(ADDRESS, sandbox.url))
    assert out.strip() == "482913"


@pytest.mark.parametrize(
    ("language", "program", "text"),
    [
        ("curl", "sh", "url='{url}'; {line}"),
        ("JavaScript", "node", "(async () => {{ const url = '{url}'; console.log({line}) }})()"),
        ("PHP", "php", "<?php $url = '{url}'; echo {line};"),
        (
            "Python",
            sys.executable,
            "import json; from urllib.request import urlopen; url = '{url}'; print({line})",
        ),
    ],
)
async def test_each_line_of_the_readme_reads_the_code(
    sandbox: Sandbox, call: Caller, language: str, program: str, text: str
) -> None:
    path = tool(program)
    await call.send(sms(to="+61412345678", body="Your code is 482913"))
    (url,) = re.findall(rf"^`({ADDRESS}/_sandbox/messages\S+)`:$", README, re.MULTILINE)
    (line,) = re.findall(rf"^\| {language} \| `([^`]+)`", README, re.MULTILINE)
    program_text = text.format(url=url.replace(ADDRESS, sandbox.url), line=line)
    assert "482913" in await run(path, sandbox=sandbox, stdin=program_text)


@pytest.mark.parametrize(
    ("program", "script"), [("node", "login.mjs"), ("sh", "login.sh"), ("php", "login.php")]
)
async def test_the_scripts_read_the_code(sandbox: Sandbox, program: str, script: str) -> None:
    path = tool(program)
    tool("curl")
    out = await run(path, ROOT / "examples" / "testing" / script, sandbox=sandbox)
    assert out == "code: 482913\n"
    assert [row.to for row in sandbox.messages] == ["+61412345678"]


async def test_the_pytest_block_and_example_pass(sandbox: Sandbox, tmp_path: Path) -> None:
    (block,) = blocks("python")
    (tmp_path / "test_block.py").write_text(block)
    shutil.copy(ROOT / "examples" / "testing" / "test_login.py", tmp_path)
    plugins = ("-p", "pytest_asyncio.plugin", "-p", "aioclicksend.sandbox.plugin")
    options = ("-q", "-c", "/dev/null", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto")
    loops = ("-o", "asyncio_default_fixture_loop_scope=function")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        out = await run(
            sys.executable, "-m", "pytest", *options, *loops, *plugins, tmp_path, sandbox=sandbox
        )
    finally:
        del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
    assert "2 passed" in out
    assert sandbox.messages == []


def test_every_fault_and_setting_is_named() -> None:
    assert {fault.value for fault in Fault} <= set(re.findall(r"`([\w-]+)`", PAGE))
    known = set(re.findall(r"\w+", PAGE))
    missing = {name for name in read_settings(Sandbox()) if name not in known}
    assert missing <= {"throttle_window", "rules_required"}
