"""What sms, mms and voice share: sending, pricing and finding messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from os import PathLike
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from .. import rest
from ..models.messages import Message, MmsMessage, check, freeze, new_ref, request_body, with_ref
from ..models.results import Row, SendResult, send_result
from ..pages import Pages
from ..rest import Operation
from ..wire import Reply, Unreadable, data_of

if TYPE_CHECKING:  # imported by `bulk`, as it costs more than all the rest
    from ..bulk.batcher import Batching
    from ..bulk.journal import Journal
    from ..bulk.reconcile import Reconcile
    from ..bulk.rows import AnyRow, Priced
    from ..bulk.sender import BulkSender

MAX_MESSAGES = 1000
"""Messages one call takes, members of lists counted."""

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
    """Whether its history may lack refs, so that number and text must do."""

    def bulk(
        self,
        *,
        batching: Batching | None = None,
        lanes: int = 4,
        journal: Journal | str | PathLike[str] | None = None,
        reconcile: Reconcile | None = None,
        budget: Decimal | None = None,
        ramp: Sequence[int] | None = (1, 10, 100, 1000),
        pause: bool = True,
    ) -> BulkSender[M]:
        """Return a sender for any number of messages; use it as ``async with ... as bulk``.

        Args:
            batching: how messages are put together into requests; as `Batching` has it if absent.
            lanes: requests under way at a time.
            journal: makes a run crash-safe: a `Journal`, or the path of its file.
            reconcile: how messages in doubt are settled from the history; as `Reconcile` has it
                if absent.
            budget: amount that is never spent beyond, priced before sending.
            ramp: sizes of the first requests of streams; None for none.
            pause: send nothing new after a request without a verdict until the history was asked.

        """
        from ..bulk.batcher import Batching  # noqa: PLC0415
        from ..bulk.channel import Channel  # noqa: PLC0415
        from ..bulk.reconcile import Reconcile  # noqa: PLC0415
        from ..bulk.rows import Priced, decode_priced, decode_rows  # noqa: PLC0415
        from ..bulk.sender import BulkSender  # noqa: PLC0415

        async def post(body: bytes, refs: Sequence[str], *, counted: bool) -> Sequence[AnyRow]:
            request = self._request(self._send, body=body, refs=refs)
            return await self._session.exchange(
                request, lambda reply: decode_rows(reply.body, refs, counted=counted)
            )

        async def ask(body: bytes) -> Priced:
            request = self._request(self._price, body=body)

            def read(reply: Reply) -> Priced:
                if (usual := decode_priced(reply.body)) is not None:
                    return usual
                result = send_result(self._row, data_of(request, reply))
                currency = result.currency
                return Priced(result.messages, currency.name_short if currency else None)

            return await self._session.exchange(request, read)

        channel = Channel(
            name=self._message.__name__.removesuffix("Message").lower(),
            message=self._message,
            body=lambda messages, frozen: request_body(frozen, media_file_of(messages[:1])),
            send=post,
            price=ask,
            history=self._between,
            kind=lambda it: it.media_file if isinstance(it, MmsMessage) else None,
            by_text=self._by_text,
        )
        return BulkSender(
            channel,
            batching=batching or Batching(),
            lanes=lanes,
            journal=journal,
            reconcile=reconcile or Reconcile(),
            budget=budget,
            ramp=ramp,
            pause=pause,
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
        return self.history(date_from=since, date_to=until)

    async def _post(
        self, operation: Operation, messages: M | Sequence[M], **more: Any
    ) -> SendResult[R]:
        batch = cast("Sequence[M]", [messages] if isinstance(messages, Message) else messages)
        refs, body = prepare(batch, **more)
        one_row_each = all(message.list_id is None for message in batch)

        def decode(data: Any) -> SendResult[R]:
            if not isinstance(data, dict) or "messages" not in data:
                raise Unreadable("a reply without a row for any of the messages")
            return send_result(self._row, data, refs if one_row_each else ())

        return await self._call(operation, body=body, refs=refs, decode=decode)


def prepare(messages: Sequence[Message], **more: Any) -> tuple[list[str], bytes]:
    """Check the messages of one request and return their refs and its body.

    Raises:
        ValueError: there are none, too many, or one of them is wrong; it says which.

    """
    if not messages:
        raise ValueError("no messages to send")
    if len(messages) > MAX_MESSAGES:
        raise ValueError(
            f"{len(messages)} messages are too many for one request (at most {MAX_MESSAGES}): "
            "use bulk(), e.g. 'async with client.sms.bulk() as bulk: await bulk.run(messages)'"
        )
    refs, frozen = [], []
    for index, message in enumerate(messages):
        try:
            check(message)
            json = freeze(message)
        except ValueError as error:
            raise ValueError(f"message {index + 1} of {len(messages)}: {error}") from None
        ref = message.custom_string or new_ref()
        refs.append(ref)
        frozen.append(json if message.custom_string else with_ref(json, ref))
    return refs, request_body(frozen, media_file_of(messages), **more)


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
