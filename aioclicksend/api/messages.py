"""What sms, mms and voice share: sending, pricing and finding messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from .. import rest
from ..bulk.encode import encode, encode_one
from ..models.account import Account
from ..models.base import read
from ..models.messages import Message, MmsMessage, new_ref, request_body, thaw
from ..models.results import Row, SendResult, send_result
from ..pages import Pages
from ..rest import Operation
from ..wire import Fence, Reply, Request, Unreadable, Wire, data_of

if TYPE_CHECKING:  # imported by `bulk`, as it costs more than all the rest
    from ..bulk.channel import Channel
    from ..bulk.dispatch import Suppression
    from ..bulk.evidence import Memory
    from ..bulk.intake import Batching
    from ..bulk.journal import JournalProtocol
    from ..bulk.reconcile import Reconcile
    from ..bulk.replies import Priced
    from ..bulk.replies import Reply as Rows
    from ..bulk.sender import BulkSender

MAX_MESSAGES = 1000
"""Messages one call takes, members of lists counted."""

AHEAD = 2
"""Pages of the history under way in look-ups, which often end at the first one."""

_FIND_SINCE = timedelta(days=1)

M = TypeVar("M", bound=Message)
R = TypeVar("R", bound=Row)


class Messages(rest.Group, Generic[M, R]):
    """The operations every kind of message has. `send` is never repeated by itself."""

    _message: type[M]
    _row: type[R]
    _send: Operation
    _price: Operation
    _by_text = True
    """Whether its history may lack refs, so that number and text are compared instead."""
    _memory: Memory | None = None
    """What bulk senders of this client have learned of the server."""

    def bulk(
        self,
        *,
        batching: Batching | None = None,
        lanes: int = 4,
        journal: JournalProtocol | str | PathLike[str] | None = None,
        reconcile: Reconcile | None = None,
        budget: Decimal | None = None,
        ramp: Sequence[int] | None = (1, 10, 100, 1000),
        pause: bool = True,
        suppress: Suppression | None = None,
    ) -> BulkSender[M]:
        """Return a sender for any number of messages; use it as ``async with ... as bulk``.

        Args:
            batching: how messages are put together into requests; the defaults of `Batching`.
            lanes: requests under way at a time.
            journal: makes a run crash-safe: a journal, or the path of its file.
            reconcile: how messages in doubt are looked up; the defaults of `Reconcile`.
            budget: an amount that is never passed, in the account's currency. Messages are priced
                before they are sent.
            ramp: sizes of the first batches of streams; None for none.
            pause: send nothing new after a request without a verdict until the history was asked.
            suppress: asked before each request; numbers on it are not written to.

        """
        from ..bulk.intake import Batching  # noqa: PLC0415
        from ..bulk.reconcile import Reconcile  # noqa: PLC0415
        from ..bulk.sender import BulkSender  # noqa: PLC0415

        return BulkSender(
            self._channel(),
            batching=batching or Batching(),
            lanes=lanes,
            journal=journal,
            reconcile=reconcile or Reconcile(),
            budget=budget,
            ramp=ramp,
            pause=pause,
            suppress=suppress,
        )

    def _channel(self) -> Channel:
        """Return what the engine needs of this kind of message."""
        from ..bulk.channel import Channel  # noqa: PLC0415
        from ..bulk.evidence import Memory  # noqa: PLC0415
        from ..bulk.replies import Priced, decode_priced, decode_reply  # noqa: PLC0415

        # One for all senders of a group: what the server was seen to do holds for the next one.
        if self._memory is None:
            self._memory = Memory()

        async def post(
            body: bytes, refs: Sequence[str], wire: Wire, fence: Fence | None, *, counted: bool
        ) -> Rows:
            request = self._request(self._send, body=body, refs=refs, fence=fence, wire=wire)
            return await self._session.exchange(
                request, lambda reply: decode_reply(reply.body, refs, counted=counted)
            )

        async def price(body: bytes) -> Priced:
            request = self._request(self._price, body=body)

            def read(reply: Reply) -> Priced:
                # The quick way reads the types the API mostly keeps to; anything else is read
                # leniently.
                if (fast := decode_priced(reply.body)) is not None:
                    return fast
                result = send_result(self._row, data_of(request, reply))
                currency = result.currency
                return Priced(result.messages, currency.name_short if currency else None)

            return await self._session.exchange(request, read)

        async def currency() -> str | None:
            request = Request(
                "GET /v3/account", "GET", self._session.url("/v3/account"), repeatable=True
            )
            data: Any = await self._session.exchange(request, lambda it: data_of(request, it))
            kept_in = read(Account, data).currency
            return kept_in.name_short if kept_in else None

        return Channel(
            name=self._message.__name__.removesuffix("Message").lower(),
            check=partial(encode_one, kind=self._message),
            encode=partial(encode, kind=self._message),
            thaw=lambda json, media_file: thaw(json, self._message, media_file),
            turn=lambda: self._session.turn(self._send.label),
            post=post,
            price=price,
            currency=currency,
            history=self._between,
            lookup=self._lookup(),
            has_refs=not self._by_text,
            memory=self._memory,
            on_batch=self._session.emit,
        )

    def history(
        self,
        *,
        date_from: datetime | int | None = None,
        date_to: datetime | int | None = None,
        limit: int = 100,
        prefetch: int = 4,
    ) -> Pages[R]:
        """Walk what was sent and received; kept about four months."""
        raise NotImplementedError

    async def find(self, *refs: str, since: datetime | int | None = None) -> list[R]:
        """Look refs up in the history and return the rows that carry one of them.

        A ref is the `custom_string` of a message. What is found was accepted; what is not found
        proves nothing: the history may lag. The API cannot filter by ref, so every page since
        `since` (a day ago if absent) is read until all refs are found.
        """
        wanted, missing = set(refs), set(refs)
        found: list[R] = []
        since = since if since is not None else datetime.now(UTC) - _FIND_SINCE
        pages = self.history(date_from=since).by_page()
        while missing and (page := await anext(pages, None)) is not None:
            hits = [row for row in page.items if row.custom_string in wanted and _is_ours(row)]
            missing.difference_update(str(row.custom_string) for row in hits)
            found += hits
        return found

    def _between(self, since: int, until: int | None) -> Pages[R]:
        """Walk the history from one second to another, newest first where the API can."""
        return self.history(date_from=since, date_to=until, prefetch=AHEAD)

    def _lookup(self) -> Callable[[int, Sequence[str]], Pages[R]] | None:
        """Return what walks the history of some numbers since a second, if the API can."""
        return None

    async def _post(
        self, operation: Operation, messages: M | Sequence[M], **more: Any
    ) -> SendResult[R]:
        batch = cast("Sequence[M]", [messages] if isinstance(messages, Message) else messages)
        refs, body = prepare(batch, self._message, **more)
        # A list_id stands for many rows, of which none belongs to a message of this request alone.
        one_row_each = all(message.list_id is None for message in batch)

        def decode(data: Any) -> SendResult[R]:
            if not isinstance(data, dict) or "messages" not in data:
                raise Unreadable("a reply without a row for any of the messages")
            return send_result(self._row, data, refs if one_row_each else ())

        return await self._call(operation, body=body, refs=refs, decode=decode)


def prepare(
    messages: Sequence[Message], kind: type[Message], **more: Any
) -> tuple[Sequence[str], bytes]:
    """Check the messages of one request and return their refs and its body.

    Raises:
        ValueError: there are none, too many, or something is wrong with one; it says with which.

    """
    if not messages:
        raise ValueError("no messages to send")
    if len(messages) > MAX_MESSAGES:
        raise ValueError(
            f"{len(messages)} messages are too many for one request (at most {MAX_MESSAGES}): "
            "use bulk(), e.g. 'async with client.sms.bulk() as bulk: await bulk.run(messages)'"
        )
    encoded = encode(messages, kind=kind, prefix=f"{new_ref()}-", single=False)
    if encoded.bad:
        bad = encoded.bad[0]
        raise ValueError(f"message {bad.position + 1} of {len(messages)}: {bad.error}")
    # Mostly nothing has to be added, and the encoded parts are joined without decoding them.
    if not any(more.values()) and encoded.media_files is None:
        return encoded.refs, encoded.whole_body()
    return encoded.refs, request_body(encoded.bodies, media_file_of(messages), **more)


def media_file_of(messages: Iterable[Message]) -> str | None:
    """Return the media file that the messages of one request share.

    Raises:
        ValueError: they have several.

    """
    files = {message.media_file for message in messages if isinstance(message, MmsMessage)}
    if len(files) > 1:
        raise ValueError("media_file: the messages of one request share one; send them apart")
    return next(iter(files), None)


def _is_ours(row: Row) -> bool:
    """Whether a row of a history was sent, not received as a reply that carries our ref."""
    return row.direction != "in"
