"""Previews and sends: the two tools that cost money.

The order is what makes a token safe to use twice. A send first looks for a stored result, then
checks limits and price, marks the preview begun, and only then gives its messages to the bulk
sender, whose journal sends each key once. A crash at any point leaves a token that either sends
nothing twice or answers its first result.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path

import anyio
from anyio.to_thread import run_sync

from ..bulk.budget import charged, quoted
from ..bulk.outcome import Accepted, NotSent, Outcome, Rejected, Unknown
from ..bulk.reconcile import Reconcile
from ..bulk.replies import judge
from ..client import ClickSend
from ..models.messages import SmsMessage
from ..models.results import ACCEPTED, SmsRow
from ..text import MAX_PARTS, segments
from .limits import Limits, Refused
from .previews import Planned, Preview, Previews, new_token
from .shapes import Draft, PreviewAnswer, PreviewedMessage, SendAnswer, SentMessage

_RECENT = 24 * 3600.0
"""Seconds for which an equal message is worth a warning."""

_EQUAL = "an equal message to this number was sent in the last 24 hours"
_UNKNOWN = (
    "It is not known whether this message was sent: it may have been. Do not send it again. Call "
    "message_status with this token in a few minutes; if it is still not found, ask the person you "
    "work for, who alone decides whether a duplicate is acceptable."
)
_NOT_SENT = "It was not sent. If it is still wanted, make a new preview."
_REJECTED = "The server refused it; it will not be sent. Correct what the reason says."


class Sending:
    """Makes previews and sends them. One of it serves a client."""

    def __init__(
        self,
        client: ClickSend,
        limits: Limits,
        journal: Path,
        *,
        settle: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.limits = limits
        self.previews: Previews = Previews(journal.with_name(f"{journal.name}.previews"))
        self._client = client
        self._journal = journal
        self._reconcile = Reconcile(settle=settle)
        self._now = now
        # A journal has one writer, and a repeated call is to get the first one's result.
        self._one_at_a_time = anyio.Lock()

    async def preview(self, drafts: Sequence[Draft]) -> PreviewAnswer:
        """Price messages, look for what is wrong with them, and keep them under a new token.

        Raises:
            Refused: a limit forbids them.
            ValueError: one of them is wrong.
            ClickSendError: their price could not be determined.

        """
        self.limits.check_recipients([it.to for it in drafts])
        # Drawn before the price is asked: the keys made of it are the refs of the price request, by
        # which its rows are matched.
        token = new_token()
        keys = [f"mcp-{token}-{place}" for place in range(1, len(drafts) + 1)]
        rows, currency = await self._price(
            [_message(it.to, it.body, it.sender, key) for it, key in zip(drafts, keys, strict=True)]
        )
        recent = await self._sent_recently(drafts)
        equal = Counter((it.to, it.body) for it in drafts)
        shown = [
            _previewed(draft, rows[key], recent, equal)
            for draft, key in zip(drafts, keys, strict=True)
        ]
        price = sum((it.price for it in shown), Decimal(0))
        self.limits.check_price(price, await run_sync(self.previews.spent))
        planned = [
            Planned(to=it.to, body=it.body, sender=it.sender, price=it.price, key=key)
            for it, key in zip(shown, keys, strict=True)
        ]
        preview = Preview(token=token, messages=planned, price=price, currency=currency)
        await run_sync(self.previews.add, preview, self._now())
        return PreviewAnswer(
            token=token,
            price=price,
            currency=currency,
            parts=sum(it.parts for it in shown),
            recipients=len({it.to for it in shown}),
            messages=shown,
            warnings=[
                f"message {place}: {warning}"
                for place, it in enumerate(shown, 1)
                for warning in it.warnings
            ],
            dry_run=not self.limits.allow_send,
        )

    async def send(self, token: str) -> SendAnswer:
        """Send the messages of a token, once; a later call returns the first result.

        Raises:
            Refused: no preview has the token, a limit forbids it, or the price has changed.
            ClickSendError: nothing was sent.

        """
        async with self._one_at_a_time:
            # An agent that stops waiting must not turn a request under way into a doubt.
            with anyio.CancelScope(shield=True):
                return await self._send(token)
        raise AssertionError  # for type checkers, to whom a scope may swallow errors

    async def _send(self, token: str) -> SendAnswer:
        preview = await self._find(token)
        if preview.result is not None:
            first = SendAnswer.model_validate_json(preview.result)
            return first.model_copy(update={"repeated": True})
        # Again: the server may have been started anew with narrower limits since the preview.
        self.limits.check_recipients([it.to for it in preview.messages])
        if not self.limits.allow_send:
            return _dry_run(preview)
        # Only before the first attempt. Once it has begun, some of it may be out, and what is left
        # belongs to the same agreement.
        if preview.begun is None:
            await self._check_price(preview)
            await run_sync(self.previews.begin, preview, self.limits, self._now())
        elif not self._journal.exists():
            raise Refused(
                "sending this token began earlier, and the journal that knows how it ended is "
                f"gone. {_UNKNOWN}"
            )
        outcomes = await self._outcomes(preview)
        answer = _answer(preview, outcomes)
        result = answer.model_dump_json().encode()
        await run_sync(self.previews.finish, token, _at_most(preview, outcomes), result)
        return answer

    async def refs(self, token: str) -> tuple[list[str], float]:
        """Return the refs of a send and when it began.

        Raises:
            Refused: nothing was sent with the token, or its result is not there yet.

        """
        preview = await self._find(token)
        if preview.begun is None:
            raise Refused("nothing was sent with this token yet")
        if preview.result is None:
            raise Refused(
                "this send was interrupted: call send_messages again with the same token, which "
                "sends nothing twice"
            )
        sent = SendAnswer.model_validate_json(preview.result).messages
        return [it.ref for it in sent if it.ref is not None], preview.begun

    async def _find(self, token: str) -> Preview:
        preview = await run_sync(self.previews.get, token)
        if preview is None:
            raise Refused(
                "no preview has this token: call preview_messages first; nothing was sent"
            )
        return preview

    async def _outcomes(self, preview: Preview) -> list[Outcome]:
        async with self._client.sms.bulk(journal=self._journal, reconcile=self._reconcile) as bulk:
            handles = [
                await bulk.send(_message(it.to, it.body, it.sender), key=it.key)
                for it in preview.messages
            ]
        return [await handle for handle in handles]

    async def _check_price(self, preview: Preview) -> None:
        # Not within a tolerance: the person agreed to one amount.
        rows, currency = await self._price(
            [_message(it.to, it.body, it.sender, it.key) for it in preview.messages]
        )
        now = sum((_price_of(row) for row in rows.values()), Decimal(0))
        if (now, currency) != (preview.price, preview.currency):
            raise Refused(
                f"the price has changed since the preview, from {preview.price} "
                f"{preview.currency} to {now} {currency}: make a new preview; nothing was sent"
            )

    async def _price(self, messages: Sequence[SmsMessage]) -> tuple[dict[str, SmsRow], str]:
        result = await self._client.sms.price(messages)
        rows = {row.custom_string: row for row in result.messages if row.custom_string is not None}
        if missing := [it for it in messages if it.custom_string not in rows]:
            raise Refused(
                f"the server named no price for {len(missing)} of {len(messages)} messages; "
                "nothing was sent"
            )
        if self.limits.budget is not None:
            _check_quotes(messages, rows)
        return rows, result.currency.name_short if result.currency else ""

    async def _sent_recently(self, drafts: Sequence[Draft]) -> set[tuple[str | None, str | None]]:
        """Return number and text of messages that were sent to these numbers in the last day."""
        since = self._now() - _RECENT
        # The history shows a message late, so what this server sent is taken from its own file.
        sent: set[tuple[str | None, str | None]] = set(
            await run_sync(partial(self.previews.sent_since, since))
        )

        async def search(number: str) -> None:
            history = self._client.sms.history(q=f"to:{number}", date_from=int(since), prefetch=1)
            async for row in history:
                if row.direction != "in":
                    sent.add((row.to, row.body))

        # By number, as the history of a busy account is long; the client's pace spaces the
        # requests.
        async with anyio.create_task_group() as tasks:
            for number in {it.to for it in drafts}:
                tasks.start_soon(search, number)
        return sent


def _message(to: str, body: str, sender: str | None, ref: str | None = None) -> SmsMessage:
    return SmsMessage(to=to, body=body, from_=sender, custom_string=ref)


def _check_quotes(messages: Sequence[SmsMessage], rows: Mapping[str, SmsRow]) -> None:
    """Check that each message has a price: without one a budget would be passed unnoticed.

    Raises:
        Refused: one has none to rely on, or would be refused.

    """
    refs = [it.custom_string or "" for it in messages]
    outcomes = [judge(it, ref, rows[ref]) for it, ref in zip(messages, refs, strict=True)]
    places = [str(place) for place, it in enumerate(outcomes, 1) if quoted(it) is None]
    if places:
        raise Refused(
            f"message {', '.join(places[:5])}: the server quotes no price to rely on, or would "
            "refuse it, and there is a --budget; nothing was sent"
        )


def _at_most(preview: Preview, outcomes: Sequence[Outcome]) -> Decimal:
    """Return what a send cost, or may have cost; an odd price counts as it was quoted."""
    amounts = (
        (charged(outcome, planned.price), planned.price)
        for planned, outcome in zip(preview.messages, outcomes, strict=True)
    )
    return sum((price if cost < 0 else cost for cost, price in amounts), Decimal(0))


def _price_of(row: SmsRow) -> Decimal:
    return row.message_price or Decimal(0)


def _previewed(
    draft: Draft,
    row: SmsRow,
    recent: set[tuple[str | None, str | None]],
    equal: Counter[tuple[str, str]],
) -> PreviewedMessage:
    split = segments(draft.body)
    warnings = []
    # Warned of, not refused: the price request's word is no verdict on the send.
    if row.status != ACCEPTED:
        warnings.append(f"the server would refuse it: {row.status}")
    if (draft.to, draft.body) in recent:
        warnings.append(_EQUAL)
    if equal[draft.to, draft.body] > 1:
        warnings.append("the same text goes to this number more than once in this preview")
    if split.is_cut:
        warnings.append(f"it has {split.parts} parts; what is beyond {MAX_PARTS} is cut off")
    if split.cost_of_unicode > 0:
        found = " ".join(sorted({it.character for it in split.forced_by}))
        warnings.append(
            f"it needs {split.parts} parts in place of {split.gsm_parts} because of: {found}"
        )
    return PreviewedMessage(
        to=draft.to,
        body=draft.body,
        sender=draft.sender,
        parts=row.message_parts or split.parts,
        encoding=split.encoding,
        price=_price_of(row),
        country=row.country,
        status=row.status,
        warnings=warnings,
    )


def _dry_run(preview: Preview) -> SendAnswer:
    return SendAnswer(
        token=preview.token,
        dry_run=True,
        repeated=False,
        accepted=0,
        rejected=0,
        not_sent=0,
        unknown=0,
        cost=Decimal(0),
        currency=preview.currency,
        messages=[
            SentMessage(to=it.to, ref=None, outcome="would_send", price=it.price)
            for it in preview.messages
        ],
        what_to_do=(
            "Nothing was sent: this server was started without --allow-send, which only the person "
            "who starts it can add."
        ),
    )


def _answer(preview: Preview, outcomes: Sequence[Outcome]) -> SendAnswer:
    sent = [
        _sent(planned, outcome) for planned, outcome in zip(preview.messages, outcomes, strict=True)
    ]
    count = Counter(it.outcome for it in sent)
    return SendAnswer(
        token=preview.token,
        dry_run=False,
        repeated=False,
        accepted=count["accepted"],
        rejected=count["rejected"],
        not_sent=count["not_sent"],
        unknown=count["unknown"],
        cost=sum((it.price or Decimal(0) for it in sent if it.outcome == "accepted"), Decimal(0)),
        currency=preview.currency,
        messages=sent,
        what_to_do=_UNKNOWN if count["unknown"] else None,
    )


def _sent(planned: Planned, outcome: Outcome) -> SentMessage:
    to, ref = planned.to, outcome.ref
    match outcome:
        case Accepted(message_id=message_id, parts=parts, price=price):
            return SentMessage(
                to=to, ref=ref, outcome="accepted", message_id=message_id, parts=parts, price=price
            )
        case Rejected(status=status):
            return SentMessage(
                to=to, ref=ref, outcome="rejected", reason=status, what_to_do=_REJECTED
            )
        case NotSent(reason=reason):
            return SentMessage(
                to=to, ref=ref, outcome="not_sent", reason=reason.value, what_to_do=_NOT_SENT
            )
        case Unknown(reason=reason):
            return SentMessage(
                to=to, ref=ref, outcome="unknown", reason=reason.value, what_to_do=_UNKNOWN
            )
