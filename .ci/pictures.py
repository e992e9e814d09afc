"""Take the pictures of the documentation anew: ``python .ci/pictures.py``.

Terminals become SVG by rich; the inbox page is photographed by Chromium. Needs the extra [dev], and
``chromium`` on the PATH.
"""

from __future__ import annotations

import asyncio
import os
import pty
import re
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from aioclicksend import BasicAuth, ClickSend, SmsMessage
from aioclicksend.sandbox import Sandbox

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "img"
COLUMNS = 100
# Without the fonts that rich would have a browser load from another host.
SVG = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def main() -> None:
    """Take all pictures."""
    terminal("demo", "demo --rows 2000", "demo", "--rows", "2000")
    terminal(
        "plan",
        "campaign plan people.csv --country AU --text 'Hi {name|friend}, see you at 9.'",
        *("campaign", "plan", str(ROOT / "examples" / "people.csv"), "--country", "AU"),
        *("--text", "Hi {name|friend}, see you at 9."),
    )
    asyncio.run(inbox())


def terminal(name: str, typed: str, *command: str) -> None:
    """Run a command at a terminal and save its last screen, below what a reader would type."""
    with tempfile.TemporaryDirectory() as folder:
        shown = asyncio.run(run(folder, *command))
    # What is on a line after its last carriage return is what stays.
    lines = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in shown.split("\n")]
    screen = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    screen.print(f"$ aioclicksend {typed}", style="bold", markup=False, highlight=False)
    screen.print(Text.from_ansi("\n".join(lines).strip("\n")))
    svg = screen.export_svg(title="aioclicksend", code_format=SVG, unique_id=name)
    (IMAGES / f"{name}.svg").write_text(svg)


async def run(folder: str, *command: str) -> str:
    """Return what a command shows at a terminal, on a sandbox of its own."""
    async with Sandbox() as sandbox:
        ours, theirs = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "aioclicksend", *command),
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=theirs,
            stderr=asyncio.subprocess.DEVNULL,
            env={
                "TERM": "xterm-256color",
                "COLUMNS": str(COLUMNS),
                "PATH": os.environ["PATH"],
                "CLICKSEND_USERNAME": sandbox.username,
                "CLICKSEND_API_KEY": sandbox.api_key,
                "CLICKSEND_BASE_URL": sandbox.url,
            },
        )
        os.close(theirs)
        reading = asyncio.create_task(asyncio.to_thread(read_all, ours))
        await process.wait()
        return (await reading).decode()


def read_all(screen: int) -> bytes:
    """Return what a terminal got until the program at its other end has left."""
    seen = b""
    try:
        while chunk := os.read(screen, 65536):
            seen += chunk
    except OSError:
        pass  # how Linux says that the other side is closed
    os.close(screen)
    return seen


async def inbox() -> None:
    """Photograph the sandbox's page with a conversation."""
    chromium = shutil.which("chromium")
    assert chromium, "chromium is not installed"
    async with Sandbox() as sandbox:
        auth = BasicAuth(sandbox.username, sandbox.api_key)
        async with ClickSend(auth=auth, base_url=sandbox.url) as client:
            for to, body in (
                ("+61411222333", "Hi Anna, your table for 4 is booked for Friday, 7 pm."),
                ("+61411222334", "Your code is 8731. It is valid for 10 minutes."),
                ("+61411222335", "Zoë → your parcel is at the door"),
            ):
                await client.sms.send(SmsMessage(to=to, body=body))
        sandbox.deliver(sandbox.messages[0].message_id)
        sandbox.receive("+61411222333", "Thanks! Can we make it 7:30?")
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=chromium,
                args=["--no-sandbox", "--disable-background-networking"],
            )
            page = await browser.new_page(viewport={"width": 1100, "height": 700})
            await page.goto(f"{sandbox.url}/")
            await page.get_by_text("7:30").first.click()
            await page.wait_for_timeout(500)
            await page.screenshot(path=IMAGES / "inbox.png")
            await browser.close()


if __name__ == "__main__":
    main()
