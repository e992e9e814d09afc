"""The inbox page in a real Chromium."""

from __future__ import annotations

import asyncio
import json
import time
from importlib import resources
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from aioclicksend.sandbox import Sandbox
from tests.sandbox.conftest import Caller, sms

pytestmark = pytest.mark.slow

ODD = [
    "Hello <b>bold</b> <img src=x onerror=alert(1)><script>alert(2)</script>",
    "مرحبا، رمز التحقق الخاص بك هو 482913",
    "Party 🎉 👩‍👩‍👧‍👦 at 8?",
    "x" * 600,
    "Your code is 123456.\n\nDo not share it.",
]


@pytest.fixture
def call(sandbox: Sandbox, http: aiohttp.ClientSession) -> Caller:
    return Caller(sandbox, http)


async def bubbles(page: Any) -> list[str]:
    texts: list[str] = await page.locator("#messages .bubble").all_text_contents()
    return texts


async def test_a_message_is_seen_at_once(page: Any, call: Caller) -> None:
    assert "CLICKSEND_BASE_URL" in await page.text_content("#exports")
    delays = [await _delay(page, call, n) for n in range(5)]
    # The best of five: the others may have waited for a busy machine.
    assert min(delays) < 300
    assert await bubbles(page) == [f"hello {n}" for n in range(5)]
    facts = await page.text_content("#messages .facts")
    assert "1 part, GSM-7" in facts
    assert "price 0.0770" in facts
    await page.wait_for_selector("#balance:text-is('balance 999.615')")


async def _delay(page: Any, call: Caller, count: int) -> float:
    """Send one message and return the milliseconds until the page shows it."""
    await page.evaluate(
        """(count) => {
          window.seen = new Promise((resolve) => new MutationObserver((_, watcher) => {
            if (document.querySelectorAll("#messages .bubble").length <= count) return;
            watcher.disconnect();
            resolve(performance.timeOrigin + performance.now());
          }).observe(document.body, {subtree: true, childList: true}));
        }""",
        count,
    )
    started = time.time() * 1000
    await call.send(sms(1, body=f"hello {count}"))
    seen: float = await page.evaluate("() => window.seen")
    return seen - started


async def until(page: Any, expression: str) -> None:
    """Wait until an expression is true in the page; its policy forbids Playwright's own way."""
    async with asyncio.timeout(20):
        while not await page.evaluate(expression):
            await asyncio.sleep(0.02)


async def test_a_reply_calls_the_webhook_of_the_application(page: Any, call: Caller) -> None:
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def hook(request: web.Request) -> web.Response:
        await heard.put(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", hook)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    rule = {
        "dedicated_number": "*",
        "rule_name": "r",
        "message_search_type": 0,
        "message_search_term": "",
        "action": "URL",
        "action_address": f"http://127.0.0.1:{runner.addresses[0][1]}/hook",
        "webhook_type": "json",
        "enabled": 1,
    }
    await call.data("POST", "/v3/automations/sms/inbound", rule)
    await call.send(sms(1))
    await page.fill("#text", "Yes <i>please</i>")
    await page.press("#text", "Enter")
    pushed = await asyncio.wait_for(heard.get(), 10)
    assert (pushed["body"], pushed["from"]) == ("Yes <i>please</i>", "+61400000001")
    await page.wait_for_selector("#messages li.in")
    assert await bubbles(page) == ["hello", "Yes <i>please</i>"]
    await page.click("#tab-pushes")
    await page.wait_for_selector("#pushes summary:has-text('delivered')")
    await runner.cleanup()


async def test_receipts_are_made_by_buttons(page: Any, call: Caller) -> None:
    await call.send(sms(1, body="one"), sms(1, body="two"))
    await page.click("#messages li:nth-child(1) button:has-text('Deliver')")
    await page.wait_for_selector("#messages li:nth-child(1) .Completed")
    await page.click("#messages li:nth-child(2) button:has-text('Fail')")
    await page.wait_for_selector("#messages li:nth-child(2) .Failed")
    assert [row.status for row in call.sandbox.messages] == ["Completed", "Failed"]
    assert await page.locator("#messages button").count() == 0


async def test_what_a_message_holds_is_shown_and_never_run(page: Any, call: Caller) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    await call.send(*[sms(1, body=body) for body in ODD])
    await until(page, "document.querySelectorAll('#messages .bubble').length === 5")
    assert await bubbles(page) == ODD
    assert await page.locator("#messages img, #messages script, #messages b").count() == 0
    direction = (
        await page.locator("#messages .bubble")
        .nth(1)
        .evaluate("(node) => getComputedStyle(node).direction")
    )
    assert direction == "rtl"
    assert await page.locator("#messages code").all_text_contents() == ["482913", "123456"]
    wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert (dialogs, wide) == ([], False)


async def test_search_finds_numbers_and_texts(page: Any, call: Caller) -> None:
    for start in (0, 600):
        await call.send(*[sms(n, body=f"body of {n}") for n in range(start, start + 600)])
    await page.wait_for_selector("#bounded:not([hidden])")
    # Older than what the page read: it asks the sandbox.
    await page.fill("#search", "body of 7")
    await page.wait_for_selector("#conversations button:has-text('+61400000007')")
    await page.fill("#search", "+61400000042")
    await until(page, "document.querySelectorAll('#conversations button').length === 1")
    await page.click("#conversations button")
    assert await bubbles(page) == ["body of 42"]


async def test_a_message_is_kept_that_comes_while_others_are_read(page: Any, call: Caller) -> None:
    await call.send(sms(1, body="before"))
    await page.wait_for_selector("#messages .bubble")

    async def hold(route: Any) -> None:
        answer = await route.fetch()
        await call.send(sms(1, body="meanwhile"))
        await until(page, "document.querySelectorAll('#messages .bubble').length === 2")
        await route.fulfill(response=answer)

    await page.route("**/_sandbox/messages?*", hold, times=1)
    # Fetched by the page before the other one was sent, and shown by it afterwards.
    call.sandbox.events.reload()
    await page.wait_for_event("response", lambda one: "/_sandbox/pushes" in one.url)
    await until(page, "!drawing")
    assert await bubbles(page) == ["before", "meanwhile"]


async def test_an_open_conversation_is_read_as_a_whole(page: Any, call: Caller) -> None:
    await call.send(sms(1, body="the first"), *[sms(2) for _ in range(600)])
    await call.send(sms(1, body="the last"))
    await page.reload()
    await page.wait_for_selector("#bounded:not([hidden])")
    await page.wait_for_selector("#messages .bubble:has-text('the first')")
    assert await bubbles(page) == ["the first", "the last"]


async def test_faults_are_armed_and_requests_are_listed(page: Any, call: Caller) -> None:
    await page.click("#tab-faults")
    await page.select_option("#fault", "refuse-429")
    await page.fill("#times", "2")
    await page.fill("#path", "/v3/sms/send")
    await page.click("#arm button:has-text('Arm')")
    await page.wait_for_selector("#armed li:has-text('refuse-429, 2')")
    assert (await call("POST", "/v3/sms/send", {"messages": [sms()]}))[0] == 429
    await page.wait_for_selector("#armed li:has-text('refuse-429, 1')")
    await page.click("#disarm")
    await page.wait_for_selector("#armed li:has-text('Nothing')")
    await page.click("#tab-requests")
    await page.wait_for_selector("#requests summary:has-text('POST /v3/sms/send  429')")
    assert call.sandbox.faults == []


async def test_everything_is_forgotten_after_a_question(page: Any, call: Caller) -> None:
    await call.send(sms())
    await page.wait_for_selector("#messages .bubble")
    page.once("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await page.click("#clear")
    await page.wait_for_selector("#empty:not([hidden])")
    assert call.sandbox.messages == []


async def test_the_keyboard_reaches_everything(page: Any, call: Caller) -> None:
    await call.send(sms(1), sms(2))
    await page.wait_for_selector("#conversations button")
    await page.focus("#tab-inbox")
    await page.keyboard.press("ArrowRight")
    assert await page.evaluate("document.activeElement.id") == "tab-requests"
    assert await page.is_visible("#view-requests")
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.id") == "search"
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await until(page, "document.activeElement.id === 'conversation'")
    assert await page.text_content("#title") == "+61400000001"


async def test_the_page_survives_a_sandbox_that_restarts(page: Any, call: Caller) -> None:
    port = int(call.sandbox.url.rpartition(":")[2])
    call.sandbox._wanted_port = port
    await call.sandbox.stop()
    await page.wait_for_selector("#live:not(.live)")
    await call.sandbox.start()
    await page.wait_for_selector("#live.live")
    await call.send(sms())
    await page.wait_for_selector("#messages .bubble")


@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_serious_fault_of_accessibility(
    page: Any, call: Caller, width: int, scheme: str
) -> None:
    axe = pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    script = resources.files(axe).joinpath("axe.min.js").read_text("utf-8")
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": width, "height": 800})
    await page.evaluate(script)
    await check(page)
    await call.send(*[sms(n, body=ODD[n]) for n in range(5)])
    call.sandbox.receive("+61400000004", "Thanks")
    call.sandbox.deliver(call.sandbox.messages[0].message_id, 301, 12)
    await page.wait_for_selector("#conversations button")
    await check(page)
    await page.click("#conversations button")
    await check(page)
    for tab in ("requests", "pushes", "faults"):
        await page.click(f"#tab-{tab}")
        await check(page)
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")


async def check(page: Any) -> None:
    await page.wait_for_timeout(100)
    found = await page.evaluate("axe.run(document)")
    serious = [
        (one["id"], [node["target"] for node in one["nodes"]])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
    assert serious == [], json.dumps(serious)


async def test_the_policy_lets_nothing_else_in(
    sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    sizes = 0
    for path in ("/", "/_sandbox/inbox.css", "/_sandbox/inbox.js"):
        async with http.get(sandbox.url + path) as reply:
            policy = reply.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'self';")
            assert reply.headers["X-Content-Type-Options"] == "nosniff"
            body = await reply.text()
            sizes += len(body.encode())
            assert "innerHTML" not in body
            assert "https://" not in body
    assert sizes <= 40_000
