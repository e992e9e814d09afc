"""A stand-in for ClickSend and for the Maton gateway, on loopback, over real HTTP.

One port serves `/v3/…` as rest.clicksend.com, `/clicksend/v3/…` as gateway.maton.ai and
`/connections` as ctrl.maton.ai. Behind it is one account with a balance, messages, queues, lists,
contacts and templates, which behave as the live API is documented or was seen to. Faults are
injected on the wire: resets are TCP resets and half a body is half a body.

What it does not do:

- nothing is delivered and no receipt appears by itself: call `deliver` and `receive`;
- of automation rules only POLL is followed; nothing is pushed to a webhook;
- fax, post, own numbers, alpha tags, senders, resellers, recharging and the like answer an example
  of the documented shape and forget what they were told: `coverage` says which;
- prices, numbering plans, sender rules and wording are plausible, not ClickSend's; uploads are not
  converted;
- the limits of the live API on single endpoints are not enforced: `rate_limit` is one window
  for all;
- the bodies of gateway errors are guesses, as nobody has documented them.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import time
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from types import TracebackType
from typing import Any, Self, cast

from aiohttp import web

from . import files, prices, routes
from .calls import Call
from .countries import ENABLED
from .faults import (
    HANGS,
    RESETS,
    UNPROCESSED,
    Arrival,
    Chooser,
    Failure,
    Fault,
    FaultPlan,
    RateWindow,
    monotonic,
    refuse_429,
    reply_instead,
    spoil,
)
from .gateway import check_bearer, check_connection, control
from .history import DOCUMENTED, HistoryBehaviour
from .imports import finish_imports
from .records import Record
from .replies import ApiError, GatewayError, Reply
from .routes import Coverage
from .state import Settings, State
from .subaccounts import may_enter
from .wire import basic_login, half, reset, respond

# [docs] ClickSend API v3, testing: logins that fail in a certain way, all with this key.
TEST_KEY = "D83DED51-9E35-4D42-9BB9-0E34B7CA85AE"
_TEST_LOGINS = frozenset({"nocredit", "notactive", "banned"})
_GATEWAY = "/clicksend"


class Sandbox:
    """The stand-in, running inside `async with`.

    `history` says where the history differs from what is documented; `reject` holds numbers and the
    status that refuses them, as in `{"+61400000009": "INVALID_RECIPIENT"}`.
    `rate_limit=(requests, seconds)` refuses with 429 whatever arrives as one too many in any
    window; `history_lag` hides a message from history for so many seconds after acceptance;
    `latency` is waited before every request is looked at. With `rules_required` receipts and
    inbound messages are kept for polling only if an automation rule says so, else always.
    """

    def __init__(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        username: str = "sandbox",
        api_key: str = "sandbox",
        maton_key: str = "sandbox",
        *,
        strict: bool = False,
        balance: str = "1000.00",
        latency: float = 0.0,
        history_lag: float = 0.0,
        history: HistoryBehaviour = DOCUMENTED,
        rate_limit: tuple[int, float] | None = None,
        throttle_window: float = 0.0,
        countries: Collection[str] = ENABLED,
        odd_templates: bool = False,
        min_limit: int = 15,
        rules_required: bool = False,
        import_time: float = 0.1,
        currency: str = "AUD",
        reject: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not _is_loopback(host):
            raise ValueError(f"the sandbox serves loopback only, not {host!r}")
        self.latency = latency
        self._settings = Settings(
            username=username,
            api_key=api_key,
            maton_key=maton_key,
            strict=strict,
            balance=balance,
            history_lag=history_lag,
            history=history,
            currency=currency,
            reject=dict(reject or {}),
            throttle_window=throttle_window,
            countries=frozenset(countries),
            odd_templates=odd_templates,
            min_limit=min_limit,
            rules_required=rules_required,
            import_time=import_time,
        )
        self._host, self._wanted_port = host, port
        self._rate_limit = rate_limit
        self._clock = clock
        self._port: int | None = None
        self._runner: web.AppRunner | None = None
        self._busy: set[asyncio.Task[Any]] = set()
        self.reset()

    def reset(self) -> None:
        """Forget everything but the settings; a running sandbox keeps its port."""
        self._state = State(self._settings, self._clock)
        self._faults = FaultPlan()
        self._window = RateWindow(*self._rate_limit) if self._rate_limit else None
        self.requests: list[Arrival] = []

    # Running

    async def start(self) -> None:
        """Listen. `async with` does this."""
        if self._runner is not None:
            raise RuntimeError("the sandbox is running already")
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._wanted_port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and let go of every request, also of those that hang."""
        runner, self._runner, self._port = self._runner, None, None
        if runner is None:
            return
        for site in list(runner.sites):
            await site.stop()
        busy = [task for task in self._busy if task is not asyncio.current_task()]
        for task in busy:
            task.cancel()
        if busy:
            await asyncio.wait(busy, timeout=0.2)
        await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """Everything before `/v3`."""
        if self._port is None:
            raise RuntimeError("the sandbox is not running")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def control_url(self) -> str:
        """Everything before `/connections`."""
        return self.url

    @property
    def username(self) -> str:
        """The login it accepts."""
        return self._settings.username

    @property
    def api_key(self) -> str:
        """The key of that login."""
        return self._settings.api_key

    @property
    def maton_key(self) -> str:
        """The bearer key it accepts as the gateway."""
        return self._settings.maton_key

    @property
    def history_lag(self) -> float:
        """Seconds until history shows a message; may be set at any time."""
        return self._settings.history_lag

    @history_lag.setter
    def history_lag(self, seconds: float) -> None:
        self._settings.history_lag = seconds

    @property
    def history(self) -> HistoryBehaviour:
        """How the history is searched and written; may be set at any time."""
        return self._settings.history

    @history.setter
    def history(self, behaviour: HistoryBehaviour) -> None:
        self._settings.history = behaviour

    # Money

    @property
    def balance(self) -> Decimal:
        """What the account has left; may be set at any time."""
        return prices.to_decimal(self._state.balance)

    @balance.setter
    def balance(self, amount: Decimal | str) -> None:
        self._state.balance = prices.from_decimal(amount)

    @property
    def spent(self) -> Decimal:
        """What all accepted messages cost together, to the last ten-thousandth."""
        return prices.to_decimal(
            sum(row["cost"] for row in self._state.accepted if row["status"] != "Cancelled")
        )

    def set_price(self, country: str, price: Decimal | str, channel: str = "sms") -> None:
        """Change what one part to a country costs from now on, as a shared price list may."""
        self._settings.tariff[channel, country] = prices.from_decimal(price)

    # Looking inside

    @staticmethod
    def coverage() -> dict[tuple[str, str], Coverage]:
        """Say for every operation, by method and path, how the sandbox answers it.

        `modelled` operations act on the account, `example` ones answer the documented shape and
        have no effect. What is not here is `not served`: a 404 like any unknown path.
        """
        return routes.coverage()

    @property
    def messages(self) -> list[Record]:
        """Every accepted message, in order of acceptance; `status` is what history says now.

        Those of campaigns and emails are among them: see `channel` and `campaign_id`.
        """
        self._state.settle()
        return self._state.accepted

    @property
    def rejected(self) -> list[Record]:
        """Every refused row, in order of refusal; `status` is the reason."""
        return self._state.rejected

    def accepts(self, ref: str) -> int:
        """Return how many accepted messages carry this custom_string."""
        return self._state.accepts(ref)

    def duplicates(self) -> dict[str, int]:
        """Return the custom_strings accepted more than once for the same recipient."""
        return self._state.duplicates()

    # Acting on it

    def fail_next(
        self,
        fault: Fault | str,
        *,
        times: int = 1,
        method: str | None = None,
        path: str | None = None,
        **options: Any,
    ) -> None:
        """Let the next matching requests go wrong.

        `path` is part of the path from `/v3` on, or a glob for all of it.
        """
        self._faults.arm(fault, times, method, path, options)

    def fail_every(self, chooser: Chooser | None) -> None:
        """Ask `chooser` about every request no armed fault was meant for; None stops that.

        It returns None, a fault, or a fault and its options.
        """
        self._faults.chooser = chooser

    def receive(
        self,
        from_: str,
        body: str,
        to: str | None = None,
        custom_string: str | None = None,
        original_message_id: str | None = None,
    ) -> Record:
        """Let an SMS come in; it answers the last message sent to that number."""
        return self._state.receive(from_, body, to, custom_string, original_message_id)

    def deliver(
        self, message_id: str, status_code: int = 201, error_code: int | None = None
    ) -> Record:
        """Make a delivery receipt for an accepted message; KeyError if there is none."""
        return self._state.deliver(message_id, status_code, error_code)

    def authorize(self, connection_id: str, status: str = "ACTIVE") -> None:
        """Finish what a person would do at a new connection's url."""
        self._state.connections[connection_id]["status"] = status

    # Serving

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._busy.add(task)
        try:
            return await self._attend(request)
        finally:
            self._busy.discard(task)

    async def _attend(self, request: web.Request) -> web.StreamResponse:
        at = monotonic()
        headers = request.headers.copy()
        headers.popall("Authorization", None)
        arrival = Arrival(
            request.method,
            request.path,
            dict(request.query),
            headers,
            await request.content.read(),
            at,
        )
        self.requests.append(arrival)
        wait = self._window.admit(at) if self._window else None
        if self.latency:
            await asyncio.sleep(self.latency)
        if wait is not None:
            return respond(arrival, refuse_429(math.ceil(wait)))
        failure = self._faults.choose(arrival)
        if failure is not None and failure.fault is Fault.SLOW:
            await asyncio.sleep(failure.options["delay"])
        if failure is None or failure.fault is Fault.SLOW:
            return respond(arrival, self._process(request, arrival))
        return await self._fail(request, arrival, failure)

    async def _fail(
        self, request: web.Request, arrival: Arrival, failure: Failure
    ) -> web.StreamResponse:
        fault = failure.fault
        # Before the effect where the fault says so, else after it.
        reply = None if fault in UNPROCESSED else self._process(request, arrival)
        if fault in HANGS:
            await asyncio.Event().wait()
        if fault in RESETS:
            return reset(request)
        if reply is None:
            return respond(arrival, reply_instead(failure, arrival))
        if fault is Fault.HALF_BODY:
            return await half(request, arrival, reply)
        return respond(arrival, spoil(failure, reply))

    def _process(self, request: web.Request, arrival: Arrival) -> Reply:
        """Let a request have its effect and return the reply."""
        self._state.settle()
        finish_imports(self._state)
        try:
            reply = self._dispatch(request, arrival)
        except (ApiError, GatewayError) as error:
            reply = error.reply()
        reply.headers |= self._rate_headers()
        return reply

    def _dispatch(self, request: web.Request, arrival: Arrival) -> Reply:
        state, method = self._state, request.method
        path = request.rel_url.raw_path
        if path.startswith(files.PREFIX):
            return files.serve(state, method, path)
        if path == "/connections" or path.startswith("/connections/"):
            check_bearer(state, request.headers)
            return control(state, method, path, arrival.query, arrival.body)
        if path.startswith(_GATEWAY + "/"):
            check_bearer(state, request.headers)
            check_connection(state, request.headers)
            path = path.removeprefix(_GATEWAY)
            login = self.username
        elif routes.allow_anonymous(method, path):
            login = ""
        else:
            login = self._login(request.headers)
        return routes.answer(
            method,
            path,
            Call(state, login, {}, arrival.query, None, self.url),
            arrival.body,
        )

    def _login(self, headers: Mapping[str, str]) -> str:
        """Return who asks, or refuse: the same words whatever the method or the path."""
        login, key = basic_login(headers.get("Authorization", ""))
        if key == TEST_KEY and login in _TEST_LOGINS:
            if login == "notactive":
                raise ApiError(403, "ACCOUNT_NOT_ACTIVATED", "The account is not activated.")
            if login == "banned":
                raise ApiError(403, "FORBIDDEN", "The account is banned.")
            return login
        if (login, key) != (self.username, self.api_key) and not may_enter(self._state, login, key):
            raise ApiError(401, "UNAUTHORIZED", "Authorization failed.")
        return login

    def _rate_headers(self) -> dict[str, str]:
        # ClickSend counts by the minute and tells; the gateway's short window sends no headers.
        window = self._window if self._window and self._window.per >= 60 else None
        return {
            "x-ratelimit-limit": str(window.requests if window else 6000),
            "x-ratelimit-remaining": str(window.remaining if window else 5999),
            "ratelimit-reset": str(math.ceil(window.per) if window else 47),
        }


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
