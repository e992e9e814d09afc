"""A stand-in for ClickSend and for the Maton gateway, on loopback, over real HTTP.

One port serves `/v3/…` as rest.clicksend.com, `/clicksend/v3/…` as gateway.maton.ai,
`/connections` as ctrl.maton.ai, the control API under `/_sandbox`, and the inbox page at `/`.

    request ── Host ─┬─ control API, page ─────────────────────┐
                     └─ Front ── fault ── route ── handler ── State
                                                                │
                               Events (page, waiting tests) ◄───┴──► Pusher (webhooks)

Behind it is one account with a balance, messages, queues, lists, contacts, templates and rules,
which behave as the live API is documented or was seen to. Faults are injected on the wire: resets
are TCP resets and half a body is half a body.

What it does not do:

- nothing is delivered: receipts come from `deliver` or `auto_deliver`, replies from `receive`;
- of automation rules only POLL and URL act;
- fax, post, resellers, recharging and the like answer an example of the documented shape and
  forget what they were sent: `coverage` says which;
- prices, numbering plans, sender rules and wording are plausible, not ClickSend's; uploads are not
  converted;
- the limits of the live API on single endpoints are not enforced: `rate_limit` is one window
  for all;
- the bodies of gateway errors are guesses: none are documented.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from aiohttp import web

from . import control, prices, routes, storage
from .access import GATEWAY, is_foreign_page, is_loopback, may_ask_for
from .codes import find_code
from .configuring import check_sender_types
from .countries import ENABLED
from .events import Events, drain
from .faults import Arrival, Chooser, Failure, Fault, monotonic
from .front import Front
from .history import DOCUMENTED, HistoryBehaviour
from .phones import e164
from .pushes import DEFAULT, PushBehaviour, Pusher
from .records import Record
from .routes import Coverage
from .selection import Selection
from .senders import add_alpha_tag
from .state import Settings, State

_TICK = 0.05
# Of the time, a fiftieth goes into saving: a small account is on disk at once, and a large one does
# not hold up its own requests.
_REST = 50


class Sandbox:
    """The stand-in, running inside `async with`.

    Times are seconds. `rate_limit=(requests, seconds)` refuses with 429 what arrives as one
    too many in any window; `history_lag` hides a message from history for so long after
    acceptance; `latency` is waited before every request is looked at; `auto_deliver` makes the
    receipt of each message so long after it was sent. With `rules_required` receipts and inbound
    messages are kept for polling only if an automation rule says so, else always.

    `history` says where the history differs from what is documented, `push` how webhooks are
    called. `reject` holds numbers and the status that refuses them, as in
    `{"+61400000009": "INVALID_RECIPIENT"}`; `barred_senders` holds for a country the sender types
    that are refused there (see `senders.SENDER_TYPES`), as in `{"US": ["alpha_tag"]}`; `alpha_tags`
    the status of each tag, as in `{"Shop": "APPROVED"}`: in Australia any other is shown as
    "Unverified"; `trial` makes it a trial account that may send so many messages a day to each
    country.

    `state` names a file that keeps the account from one run to the next. `keep` bounds how many
    messages are remembered; the oldest are forgotten. Raises ValueError if `host` is not loopback
    and `allow_remote` is not set.
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
        barred_senders: Mapping[str, Collection[str]] | None = None,
        alpha_tags: Mapping[str, str] | None = None,
        trial: int | None = None,
        auto_deliver: float | None = None,
        push: PushBehaviour = DEFAULT,
        push_anywhere: bool = False,
        state: str | Path | None = None,
        keep: int | None = None,
        allow_remote: bool = False,
        allow_hosts: Collection[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        # Anyone who reaches it can read every message and code: loopback unless asked otherwise.
        if not allow_remote and not is_loopback(host):
            raise ValueError(
                f"the sandbox serves loopback only, not {host!r}: see allow_remote, --allow-remote"
            )
        self._settings = Settings(
            username=username,
            api_key=api_key,
            maton_key=maton_key,
            strict=strict,
            balance=balance,
            history_lag=history_lag,
            history=history,
            currency=currency,
            reject={e164(number): status for number, status in (reject or {}).items()},
            barred_senders={iso: frozenset(kinds) for iso, kinds in (barred_senders or {}).items()},
            trial=trial,
            alpha_tags=None if alpha_tags is None else dict(alpha_tags),
            auto_deliver=auto_deliver,
            throttle_window=throttle_window,
            countries=frozenset(countries),
            odd_templates=odd_templates,
            min_limit=min_limit,
            rules_required=rules_required,
            import_time=import_time,
            keep=keep,
        )
        check_sender_types(frozenset().union(*self._settings.barred_senders.values()))
        self._host, self._wanted_port = host, port
        self._remote, self._allowed = allow_remote, frozenset(allow_hosts)
        self._rate_limit = rate_limit
        self._clock = clock
        self._path = None if state is None else Path(state)
        self._port: int | None = None
        self._runner: web.AppRunner | None = None
        self._busy: set[asyncio.Task[Any]] = set()
        self._ticker: asyncio.Task[None] | None = None
        self.events: Events = Events()
        self._front = Front(self.events, latency)
        self._pusher = Pusher(
            push,
            lambda one: self.events.publish("push", one.view),
            anywhere=push_anywhere,
        )
        self.reset()
        if self._path is not None:
            storage.load(self._path, self._state)

    def reset(self) -> None:
        """Forget everything but the settings; a running sandbox keeps its port."""
        self._state = State(self._settings, self._clock, self._pusher.add, self.events)
        for tag, status in (self._settings.alpha_tags or {}).items():
            add_alpha_tag(self._state, tag, status)
        self._front.begin(self._state, self._rate_limit)
        self._pusher.forget()
        self.events.reload()

    # Running

    async def start(self) -> None:
        """Listen. `async with` does this."""
        if self._runner is not None:
            raise RuntimeError("the sandbox is running already")
        # One catch-all route: aiohttp would answer unknown paths and methods itself, unlike the
        # API.
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        # A short grace: requests that hang on purpose would hold up every test's end.
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._wanted_port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = runner.addresses[0][1]
        await self._pusher.start()
        self._tick_if_needed()

    async def stop(self) -> None:
        """Stop listening and end every request, also those that hang."""
        runner, self._runner, self._port = self._runner, None, None
        if runner is None:
            return
        for site in list(runner.sites):
            await site.stop()
        # A handler that calls this must not cancel itself.
        busy = [task for task in self._busy if task is not asyncio.current_task()]
        if self._ticker is not None:
            busy.append(self._ticker)
            self._ticker = None
        for task in busy:
            task.cancel()
        if busy:
            # Bounded: a handler that swallows its cancellation must not hold up the end of a test.
            await asyncio.wait(busy, timeout=0.2)
        await self._pusher.stop()
        await runner.cleanup()
        # Last: what the requests above still changed is kept as well.
        self._save()

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

    def _tick_if_needed(self) -> None:
        """Run the ticker where something happens without a request."""
        wanted = self._settings.auto_deliver is not None or self._path is not None
        if wanted and self._runner is not None and self._ticker is None:
            self._ticker = asyncio.get_running_loop().create_task(self._tick())

    async def _tick(self) -> None:
        state, saved, due = self._state, self._state.version, 0.0
        while True:
            await asyncio.sleep(_TICK)
            self._state.settle()
            # A reset makes another state, which counts from 0 again.
            changed = self._state is not state or self._state.version != saved
            started = monotonic()
            if changed and self._path is not None and started >= due:
                self._save()
                state, saved = self._state, self._state.version
                due = started + _REST * (monotonic() - started)

    def _save(self) -> None:
        if self._path is not None:
            storage.save(self._path, self._state)

    @property
    def url(self) -> str:
        """Everything before `/v3`."""
        if self._port is None:
            raise RuntimeError("the sandbox is not running")
        # Where it listens is not where it can be reached.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    @property
    def control_url(self) -> str:
        """Everything before `/connections`."""
        return self.url

    @property
    def environ(self) -> dict[str, str]:
        """The variables that make an application use the sandbox as ClickSend."""
        return {
            "CLICKSEND_USERNAME": self.username,
            "CLICKSEND_API_KEY": self.api_key,
            "CLICKSEND_BASE_URL": self.url,
        }

    @property
    def maton_environ(self) -> dict[str, str]:
        """The variables that make an application use the sandbox as Maton's gateway."""
        return {
            "MATON_API_KEY": self.maton_key,
            "CLICKSEND_BASE_URL": self.url + GATEWAY,
            "MATON_CONTROL_URL": self.control_url,
        }

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

    # Settings that may change at any time

    @property
    def latency(self) -> float:
        """Seconds before every request is looked at."""
        return self._front.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._front.latency = seconds

    @property
    def history_lag(self) -> float:
        """Seconds until history shows a message."""
        return self._settings.history_lag

    @history_lag.setter
    def history_lag(self, seconds: float) -> None:
        self._settings.history_lag = seconds

    @property
    def history(self) -> HistoryBehaviour:
        """How the history is searched and written."""
        return self._settings.history

    @history.setter
    def history(self, behaviour: HistoryBehaviour) -> None:
        self._settings.history = behaviour

    @property
    def push(self) -> PushBehaviour:
        """How the webhooks of automation rules are called."""
        return self._pusher.behaviour

    @push.setter
    def push(self, behaviour: PushBehaviour) -> None:
        self._pusher.behaviour = behaviour

    @property
    def rate_limit(self) -> tuple[int, float] | None:
        """How many requests are answered in any window of how many seconds; None for all."""
        return self._rate_limit

    @rate_limit.setter
    def rate_limit(self, limit: tuple[int, float] | None) -> None:
        self._rate_limit = limit
        self._front.limit(limit)

    @property
    def auto_deliver(self) -> float | None:
        """Seconds until a message sent from now on gets its receipt; None for never."""
        return self._settings.auto_deliver

    @auto_deliver.setter
    def auto_deliver(self, seconds: float | None) -> None:
        self._settings.auto_deliver = seconds
        if self._runner is not None:
            self._tick_if_needed()

    @property
    def settings(self) -> Settings:
        """The other settings; what is changed here holds from the next request on."""
        return self._settings

    # Money

    @property
    def balance(self) -> Decimal:
        """What the account has left; may be set at any time."""
        return prices.to_decimal(self._state.balance)

    @balance.setter
    def balance(self, amount: Decimal | str) -> None:
        self._state.balance = prices.from_decimal(amount)
        self._state.version += 1

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
    def requests(self) -> list[Arrival]:
        """The requests that arrived, oldest first; the oldest of very many are forgotten."""
        return self._front.log.arrivals

    @property
    def requests_forgotten(self) -> int:
        """How many requests are not in `requests` any more."""
        return self._front.log.forgotten

    @property
    def messages(self) -> list[Record]:
        """Every accepted message, in order of acceptance; `status` is what history says now.

        Those of campaigns and emails are among them: see `channel` and `campaign_id`.
        """
        self._state.settle()
        return self._state.accepted

    @property
    def inbound(self) -> list[Record]:
        """Every message that came in, in order of arrival."""
        return self._state.heard

    @property
    def rejected(self) -> list[Record]:
        """Every refused row, in order of refusal; `status` is the reason."""
        return self._state.rejected

    @property
    def pushes(self) -> list[dict[str, Any]]:
        """The last pushes to webhooks, oldest first: url, format, fields, state, attempts."""
        return [push.view() for push in self._pusher.pushes]

    @property
    def faults(self) -> list[Failure]:
        """The faults that wait for a request."""
        return list(self._front.faults.armed)

    def accepts(self, ref: str) -> int:
        """Return how many accepted messages carry this custom_string."""
        return self._state.accepts(ref)

    def duplicates(self) -> dict[str, int]:
        """Return the custom_strings accepted more than once for the same recipient."""
        return self._state.duplicates()

    def select(self, **where: Any) -> list[Record]:
        """Return the sent messages that meet `to`, `body`, `channel` and `since`.

        `to` is a number in any form or an email address, `body` a part of the text in any case,
        `since` unix seconds or the id of a message: only what came after it.
        """
        return Selection(**where).of(self.messages)

    async def wait_for(self, *, timeout: float = 5.0, **where: Any) -> Record:  # noqa: ASYNC109
        """Return the last sent message that meets `to`, `body`, `channel` and `since`.

        Waits up to `timeout` seconds for one; TimeoutError names what was waited for.
        """
        found = await self.wait_for_any(Selection(**where), timeout)
        if not found:
            seen = len(self._state.accepted)
            raise TimeoutError(f"no message with {where} in {timeout:g} s; {seen} were sent")
        return found[-1]

    async def code(self, *, timeout: float = 5.0, **where: Any) -> str:  # noqa: ASYNC109
        """Return the one-time code of the last sent message that has one.

        Takes what `wait_for` takes, and waits as it does.
        """
        found = await self.wait_for_any(Selection(**where, has_code=True), timeout)
        if not found:
            raise TimeoutError(f"no message with a code and {where} in {timeout:g} s")
        code = find_code(found[-1]["body"])
        assert code is not None
        return code

    async def wait_for_any(self, selection: Selection, seconds: float) -> list[Record]:
        """Return the sent messages selected, as soon as there is one; none if there never is."""
        with self.events.subscribe() as subscription:
            # After subscribing: a message between the two is seen by one of them.
            rows = self.messages
            found, seen = selection.of(rows), len(rows)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while not found:
                        await subscription.get()
                        # One look for all events so far: a burst of messages must not be searched
                        # once for each.
                        drain(subscription)
                        # And only at what is new: fifty tests may wait at once, on a sandbox that
                        # holds a hundred thousand messages. Forgetting makes another list.
                        before, rows = rows, self.messages
                        found = selection.of(rows[seen:] if rows is before else rows)
                        seen = len(rows)
            return found

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
        self._front.faults.arm(fault, times, method, path, options)
        self._front.publish_faults()

    def fail_every(self, chooser: Chooser | None) -> None:
        """Ask `chooser` about every request no armed fault was meant for; None stops that.

        It returns None, a fault, or a fault and its options.
        """
        self._front.faults.chooser = chooser

    def clear_faults(self) -> int:
        """Disarm every fault that waits and return how many there were."""
        count = len(self._front.faults.armed)
        self._front.faults.armed.clear()
        self._front.publish_faults()
        return count

    def receive(
        self,
        from_: str,
        body: str,
        to: str | None = None,
        custom_string: str | None = None,
        original_message_id: str | None = None,
    ) -> Record:
        """Let an SMS come in; it answers the last message sent to that number.

        Automation rules with the action URL push it to their address.
        """
        return self._state.receive(from_, body, to, custom_string, original_message_id)

    def deliver(
        self,
        message_id: str,
        status_code: int = 201,
        error_code: int | None = None,
        digits: str = "",
    ) -> Record:
        """Make a delivery receipt for an accepted message; KeyError if there is none.

        `digits` are the keys pressed during a voice call. Automation rules with the action URL
        push the receipt to their address.
        """
        return self._state.deliver(message_id, status_code, error_code, digits)

    def delete(self, **where: Any) -> int:
        """Forget the messages that meet what `select` takes, with no argument all of them.

        Inbound messages are forgotten too where their sender meets `to`. Returns how many.
        """
        selection = Selection(**where)
        return self._state.forget(
            selection.of(self.messages), selection.of(self._state.heard, number="from")
        )

    def authorize(self, connection_id: str, status: str = "ACTIVE") -> None:
        """Finish what a person would do at a new connection's url."""
        self._state.connections[connection_id]["status"] = status

    # Serving

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._busy.add(task)
        try:
            # A web page must not reach the sandbox by DNS rebinding.
            if not may_ask_for(request.headers.get("Host"), self._allowed, remote=self._remote):
                return control.refuse_host()
            if control.serves(request.path):
                return await control.answer(self, request)
            if is_foreign_page(request.headers.get("Origin"), request.headers.get("Host")):
                return control.refuse_page()
            return await self._front.answer(request, self.url)
        finally:
            self._busy.discard(task)
