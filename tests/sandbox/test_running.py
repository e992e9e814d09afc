from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from aioclicksend.sandbox import Sandbox
from aioclicksend.sandbox.__main__ import main
from aioclicksend.sandbox.faults import RateWindow

from .conftest import Caller

PLUGIN = "aioclicksend.sandbox.plugin"


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "example.com", "::"])  # noqa: S104
def test_only_loopback_is_served(host: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        Sandbox(host=host)


async def test_the_url_exists_while_it_runs() -> None:
    sandbox = Sandbox()
    for _ in range(2):
        with pytest.raises(RuntimeError):
            _ = sandbox.url
        async with sandbox:
            assert sandbox.url == sandbox.control_url
            assert sandbox.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("fault", ["hang-before", "hang-after"])
async def test_hanging_requests_do_not_hold_the_exit(fault: str) -> None:
    before = asyncio.all_tasks()
    async with aiohttp.ClientSession() as http:
        async with Sandbox() as sandbox:
            sandbox.fail_next(fault, times=3)
            hanging = [
                asyncio.create_task(Caller(sandbox, http)("GET", "/v3/account")) for _ in range(3)
            ]
            while len(sandbox.requests) < 3:
                await asyncio.sleep(0.005)
            # One client has long gone away.
            hanging[0].cancel()
            started = time.monotonic()
        assert time.monotonic() - started < 0.5
        results = await asyncio.gather(*hanging, return_exceptions=True)
    assert [isinstance(result, aiohttp.ClientError) for result in results[1:]] == [True, True]
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == before


async def test_a_slow_request_does_not_hold_the_exit(http: aiohttp.ClientSession) -> None:
    async with Sandbox(latency=30) as sandbox:
        task = asyncio.create_task(Caller(sandbox, http)("GET", "/v3/account"))
        while not sandbox.requests:
            await asyncio.sleep(0.005)
        started = time.monotonic()
    assert time.monotonic() - started < 0.5
    with pytest.raises(aiohttp.ClientError):
        await task


async def test_the_window_admits_so_many_and_no_more(http: aiohttp.ClientSession) -> None:
    async with Sandbox(rate_limit=(3, 0.15)) as sandbox:
        call = Caller(sandbox, http)
        assert [(await call("GET", "/v3/account"))[0] for _ in range(5)] == [
            200,
            200,
            200,
            429,
            429,
        ]
        assert int(call.headers["Retry-After"]) == 1
        # Refused requests fill the window too: hammering does not help.
        await asyncio.sleep(0.16)
        assert (await call("GET", "/v3/account"))[0] == 200


def test_the_window_slides_over_any_stretch_of_time() -> None:
    window = RateWindow(2, 1.0)
    arrivals = [0.0, 0.6, 0.99, 1.6, 1.98, 3.0, 3.1]
    # The one at 1.98 is the third within a second: the refused one at 0.99 counts.
    assert [window.admit(at) is None for at in arrivals] == [
        True,
        True,
        False,
        True,
        False,
        True,
        True,
    ]


def test_the_wait_named_is_the_wait_needed() -> None:
    window = RateWindow(2, 1.0)
    for at in (0.0, 0.25):
        assert window.admit(at) is None
    wait = window.admit(0.5)
    assert wait is not None
    assert wait == 0.75
    assert window.admit(0.5 + wait) is None


async def test_latency_is_waited(http: aiohttp.ClientSession) -> None:
    async with Sandbox(latency=0.05) as sandbox:
        started = time.monotonic()
        await Caller(sandbox, http)("GET", "/v3/account")
        assert time.monotonic() - started >= 0.05


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_where_and_ends_well(stop: signal.Signals) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-W",
            "error",
            "-m",
            "aioclicksend.sandbox",
            "--port",
            "0",
            "--rate",
            "5/2",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(9)]
    process.send_signal(stop)
    out, err = process.communicate(timeout=5)
    assert lines[0].startswith("aioclicksend sandbox on http://127.0.0.1:")
    assert lines[0].endswith("(user sandbox, key sandbox)\n")
    url = lines[0].split()[3]
    exports = [line.strip() for line in lines if line.startswith("export ")]
    assert exports == [
        "export CLICKSEND_USERNAME=sandbox",
        "export CLICKSEND_API_KEY=sandbox",
        f"export CLICKSEND_BASE_URL={url}",
        "export MATON_API_KEY=sandbox",
        f"export CLICKSEND_BASE_URL={url}/clicksend",
        f"export MATON_CONTROL_URL={url}",
    ]
    assert (process.returncode, out, err) == (0, "", "")


def test_a_taken_port_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["--port", str(taken.getsockname()[1])]) == 1
    assert capsys.readouterr().err.startswith("aioclicksend sandbox: ")


@pytest.mark.parametrize("rate", ["0", "x", "5/0"])
def test_a_nonsensical_rate_is_a_usage_error(rate: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--rate", rate])
    assert caught.value.code == 2


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_the_fixture_works_as_a_plugin(tmp_path: Path, mode: str) -> None:
    test = tmp_path / "test_it.py"
    test.write_text(
        "import pytest\n"
        "@pytest.mark.asyncio\n"
        "async def test_it(clicksend_sandbox):\n"
        "    assert clicksend_sandbox.url and clicksend_sandbox.messages == []\n"
    )
    loops = ("-o", "asyncio_default_fixture_loop_scope=function")
    # Named one by one: installed, this package would else be loaded twice.
    command = (
        "-m pytest -q -W error -c /dev/null -p no:cacheprovider "
        "-p pytest_asyncio.plugin -p aioclicksend.sandbox.plugin"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, *command.split(), "-o", f"asyncio_mode={mode}", *loops, str(test)],
        capture_output=True,
        text=True,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_plugin_imports_nothing_before_the_fixture_is_used() -> None:
    program = (
        "import sys, aioclicksend.sandbox.plugin;"
        "ours = [name for name in sys.modules if name.startswith('aioclicksend.sandbox.')];"
        "print(ours, 'aiohttp.web' in sys.modules)"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['aioclicksend.sandbox.plugin'] False"
