"""`Webhook`: takes pushes, stores them, acknowledges them, and has their handlers run.

A push is acknowledged when it is durable, not when it is handled: ClickSend repeats what is not
answered with 200 within seconds, and a slow handler must not cause repetitions. From then on the
event belongs to the store, from which the `Dispatcher` takes it::

    request ─► receive: secret? size? parse ─► store (durable) ─► 200
                                                  │
                    Dispatcher ◄──── claim ───────┘
                        └─► on_receipt · on_inbound · on_reply · the account's opt-out list

An opt-out is on the suppression list before the push is acknowledged; no handler has to run first.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import inspect
import logging
import re
from collections.abc import Callable, Sequence
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

import anyio

from ..client import ClickSend
from ..config import Retry
from ..errors import ConfigurationError, NotSentError, ReplyError, ServerError
from ..models.results import SmsRow
from . import asgi
from .dispatch import Dispatcher
from .events import DeliveryReceipt, Event, InboundMessage, WebhookError
from .parse import parse
from .sqlite import inbox_of
from .store import UNREADABLE, Arrival, DeadLetter, Inbox, Push
from .suppression import OptOutWords

if TYPE_CHECKING:
    from aiohttp import web

InboundHandler: TypeAlias = Callable[[InboundMessage], object]
ReceiptHandler: TypeAlias = Callable[[DeliveryReceipt], object]
ReplyHandler: TypeAlias = Callable[[InboundMessage, SmsRow | None], object]
"""Handlers may be coroutine functions, or plain ones that do not block."""
_I = TypeVar("_I", bound=InboundHandler)
_D = TypeVar("_D", bound=ReceiptHandler)
_R = TypeVar("_R", bound=ReplyHandler)

MAX_BODY = 256 * 1024
"""Bytes of the largest push that is read."""

_SECRET = re.compile(r"[A-Za-z0-9._~-]+").fullmatch
"""What needs no quoting in a path."""

log: logging.Logger = logging.getLogger("aioclicksend")


class Webhook:
    """Receives the pushes of one account.

        hook = Webhook(secrets=["…"], store="inbox.db", on_inbound=answer)
        app.add_routes(hook.routes("/clicksend"))      # aiohttp
        app.mount("/clicksend", hook.asgi)             # Starlette, FastAPI; see docs for others
        async with hook: ...                           # in the lifespan of the app

    ClickSend signs nothing, so the address carries a secret: ``https://host/clicksend/SECRET``.
    Keep it out of access logs.

    Handlers run inside ``async with hook``, which also ends them gracefully. Without that block
    they start with the first push, and run until `aclose` or the end of the event loop.

    Args:
        secrets: the last part of the address, any of these. To rotate: add a new one, install the
            rules with it, remove the old one.
        store: the path of a SQLite file, or an `Inbox` such as ``cluster.inbox()``.
        on_inbound: called with each message received, opt-outs included.
        on_receipt: called with each receipt, also pending and late ones.
        opt_out: replies that put their sender on the store's suppression list; None for none.
        opt_out_list: the id of the account's contact list to which opt-outs are added, too.
        client: looks up the messages that are answered, and writes `opt_out_list`.
        concurrency: handlers that run at the same time.
        retry: how often an event is handled before it becomes a dead letter, and the longest
            pause in between, up to a day.
        lease: seconds after which events of a process that died are handled by another.
        grace: seconds for which running handlers may go on when the block is left.

    Raises:
        ConfigurationError: `secrets` or the combination of arguments is unusable.

    """

    def __init__(
        self,
        *,
        secrets: Sequence[str],
        store: str | PathLike[str] | Inbox,
        on_inbound: InboundHandler | None = None,
        on_receipt: ReceiptHandler | None = None,
        opt_out: OptOutWords | None = OptOutWords(),  # noqa: B008 - never changed
        opt_out_list: int | None = None,
        client: ClickSend | None = None,
        concurrency: int = 16,
        retry: Retry = Retry(attempts=10, cap=600.0),  # noqa: B008 - frozen
        lease: float = 60.0,
        grace: float = 20.0,
    ) -> None:
        if opt_out_list is not None and client is None:
            raise ConfigurationError("opt_out_list needs a client that writes it")
        self._secrets = _digests(secrets)
        self.store: Inbox = inbox_of(store)
        """The store, for reports, suppression and `delivery.follow`."""
        self._on_inbound = [on_inbound] if on_inbound else []
        self._on_receipt = [on_receipt] if on_receipt else []
        self._on_reply = list[ReplyHandler]()
        self._opt_out = opt_out
        self._opt_out_list = opt_out_list
        self._client = client
        self._dispatcher = Dispatcher(
            self.store, self._handle, concurrency=concurrency, retry=retry, lease=lease, grace=grace
        )
        self._task: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._is_closed = False

    def __repr__(self) -> str:
        return f"Webhook(store={self.store!r})"

    def on_inbound(self, handler: _I) -> _I:
        """Decorate a handler of messages received."""
        self._on_inbound.append(handler)
        return handler

    def on_receipt(self, handler: _D) -> _D:
        """Decorate a handler of receipts."""
        self._on_receipt.append(handler)
        return handler

    def on_reply(self, handler: _R) -> _R:
        """Decorate a handler of replies: ``async def handler(reply, original)``.

        `original` is the message that is answered: the row of the history, if the hook has a
        client, else what the push says of it; None if the push refers to none. Opt-outs are left
        out: they must never be answered automatically.
        """
        self._on_reply.append(handler)
        return handler

    def routes(self, prefix: str = "") -> list[web.AbstractRouteDef]:
        """Return the routes for ``app.add_routes``; the address is ``prefix/SECRET``."""
        from .aiohttp_routes import routes  # noqa: PLC0415 - aiohttp.web is not needed elsewhere

        return routes(self, prefix, MAX_BODY)

    async def asgi(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Serve as an ASGI application; the last part of the path is the secret."""
        await asgi.serve(self, MAX_BODY, scope, receive, send)

    async def receive(
        self, secret: str, body: bytes, *, content_type: str | None = None, query: str | None = None
    ) -> int:
        """Take one push and return the HTTP status of the answer, for frameworks of any kind.

        200 means that the push is durable, or known already. What cannot be read is kept as a dead
        letter and acknowledged, as a repetition would not help. 404 is a wrong secret, 413 too
        large a push, 503 a store that fails: ClickSend tries again.
        """
        if not self.knows(secret):
            return 404
        # The frameworks check while they read; other callers hand in the whole body.
        if len(body) + len(query or "") > MAX_BODY:
            return 413
        # Kept as it came: a later version may read what this one cannot.
        push = Push(body=body, content_type=content_type, query=query)
        try:
            await self._run()
            # Nothing is acknowledged before this returns: the store has it on the disk.
            await self.store.add([self._arrival(push)])
        except Exception as error:
            log.error("a push was not stored: %s", type(error).__name__)  # noqa: TRY400
            return 503
        return 200

    def knows(self, secret: str) -> bool:
        """Whether a secret is one of this hook; it takes as long for every other one."""
        asked = _digest(secret)
        # All are compared, so that the time does not depend on which one matches.
        return sum(hmac.compare_digest(asked, known) for known in self._secrets) > 0

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Return the oldest pushes that could not be read, or whose handlers kept failing."""
        return await self.store.dead_letters(limit)

    async def replay(self, letters: Sequence[DeadLetter]) -> int:
        """Handle dead letters again and return how many can be: what is unreadable stays one."""
        failed = [it.id for it in letters if it.reason != UNREADABLE]
        count = await self.store.replay(failed) if failed else 0
        for letter in letters:
            # It came as bytes: a newer version of this program may read it.
            if letter.reason == UNREADABLE:
                arrival = self._arrival(letter.push)
                if arrival.event is not None:
                    await self.store.add([arrival])
                    await self.store.finish([letter.id])
                    count += 1
        return count

    async def __aenter__(self) -> Self:
        self._is_closed = False
        await self._run()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def replies(self, to: str, limit: int = 100) -> list[InboundMessage]:
        """Return messages received, the newest first.

        Args:
            to: a number, for all that came from it; or the id or the `custom_string` of a message
                of ours, for the replies to it.
            limit: at most this many.

        """
        return await self.store.replies(to, limit)

    async def aclose(self) -> None:
        """Claim nothing more, let running handlers finish for `grace` seconds, close the store.

        Pushes that still arrive are answered with 503, so that ClickSend tries again.
        """
        self._is_closed = True
        if self._task is not None:
            task, self._task = self._task, None
            # Shielded: a server that is cancelled still owes its handlers their grace.
            self._dispatcher.stop()
            with anyio.CancelScope(shield=True):
                await task

    async def _run(self) -> None:
        """Start the dispatcher, unless it runs, and return when the store is open.

        Raises:
            ConfigurationError: the store cannot be opened.
            RuntimeError: the hook was closed.

        """
        if self._is_closed:
            raise RuntimeError("the webhook was closed")
        loop = asyncio.get_running_loop()
        # A task of an earlier event loop has ended with it.
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self._ready = loop.create_future()
            self._task = loop.create_task(self._serve(self._ready), name="aioclicksend webhook")
        assert self._ready is not None
        # Shielded: a client that leaves must not cancel what all pushes wait for.
        await asyncio.shield(self._ready)

    async def _serve(self, ready: asyncio.Future[None]) -> None:
        try:
            await self.store.open()
        except Exception as error:
            ready.set_exception(error)
            return
        try:
            ready.set_result(None)
            await self._dispatcher.run()
        finally:
            with anyio.CancelScope(shield=True):
                await self.store.close()

    def _arrival(self, push: Push) -> Arrival:
        try:
            event = parse(push.body, content_type=push.content_type, query=push.query)
        except WebhookError:
            return Arrival(push=push, event=None)
        return Arrival(push=push, event=event, opt_out=self._opted_out(event))

    def _opted_out(self, event: Event) -> str | None:
        """Return the number of who opts out by an event."""
        if self._opt_out is None or not isinstance(event, InboundMessage):
            return None
        # Without a sender there is no number to put on a list.
        return event.from_ if event.from_ and self._opt_out.matches(event.body) else None

    async def _handle(self, push: Push) -> None:
        """Run all handlers of one event; any error means that all of them run again."""
        # Parsed again, not stored parsed: `raw` stays whole, and there is one format to keep.
        event = parse(push.body, content_type=push.content_type, query=push.query)
        if isinstance(event, DeliveryReceipt):
            for on_receipt in self._on_receipt:
                await _done(on_receipt(event))
            return
        is_opt_out = self._opted_out(event) is not None
        # First: what the law wants must not wait for a handler that keeps failing.
        if is_opt_out:
            await self._write_opt_out(event)
        for on_inbound in self._on_inbound:
            await _done(on_inbound(event))
        if self._on_reply and not is_opt_out:
            original = await self._original(event)
            for on_reply in self._on_reply:
                await _done(on_reply(event, original))

    async def _write_opt_out(self, event: InboundMessage) -> None:
        if self._client is None or self._opt_out_list is None:
            return
        try:
            await self._client.contacts.create(self._opt_out_list, phone_number=event.from_)
        except (NotSentError, ServerError):
            raise  # may be over at the next attempt
        except ReplyError as error:
            # A wrong list stays wrong, and must not keep the handlers from running.
            log.error("an opt-out was not added to the account's list: %s", error)  # noqa: TRY400

    async def _original(self, event: InboundMessage) -> SmsRow | None:
        """Return the message that a reply answers, as far as the history or the push has it."""
        row: SmsRow | None = None
        if self._client is not None and event.original_message_id:
            pages = self._client.sms.history(q=f"message_id:{event.original_message_id}", limit=15)
            page = await pages.page(1)
            # Whether the API filters by this field exactly is unverified.
            rows = [it for it in page.items if it.message_id == event.original_message_id]
            row = rows[0] if rows else None
        elif self._client is not None and event.custom_string:
            found = await self._client.sms.find(event.custom_string)
            row = found[0] if found else None
        # The history keeps four months, and lacks messages of dashboard campaigns.
        if row is None and (event.original_message_id or event.custom_string):
            row = SmsRow(
                message_id=event.original_message_id,
                custom_string=event.custom_string,
                body=event.original_body,
                to=event.from_,
            )
        return row


async def _done(result: object) -> None:
    if inspect.isawaitable(result):
        await result


def _digest(secret: str) -> bytes:
    # Of one length, so that the comparison does not show the length either.
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def _digests(secrets: Sequence[str]) -> list[bytes]:
    if isinstance(secrets, str) or not secrets:
        raise ConfigurationError("secrets must be a list of at least one secret")
    if not all(isinstance(it, str) and _SECRET(it) for it in secrets):
        raise ConfigurationError("a secret must be of ASCII letters, digits and ._~- only")
    return [_digest(it) for it in secrets]
