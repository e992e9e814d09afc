"""From messages to the JSON of one or more requests: the only encoder, for bulk, price and `send`.

::

    messages ──▶ checked ──▶ refs given ──▶ JSON ──▶ Encoded ──▶ requests(max_bytes): places of each

Two ways lead to the same bytes. A campaign's messages are mostly alike: a number in E.164, a text
and nothing else. Then all of a thousand are checked, given their refs and written in a few passes
that run in C, at a fifth of the cost. As soon as one message is not like that, all of them go
through the general way, one after the other.

Invariants: a ref is generated exactly for the messages that have none; generated refs begin with
the given prefix and differ; the JSON of a message is never changed after this point; both ways
accept the same messages and write JSON of equal meaning (a property test holds them together).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, overload

import msgspec
from msgspec import Struct

from ..models.messages import Message, MmsMessage, SmsMessage, check, freeze, thaw, with_ref
from ..models.messages import request_body as joined

# Possessive quantifiers: a long list with a bad number fails in linear time.
_E164_LINES = re.compile(r"(?:\+[1-9][0-9]{6,14}+\n)++").fullmatch
_SUFFIXES = [f"{number:x}" for number in range(1000)]
_SUFFIX_LENGTHS = list(accumulate(map(len, _SUFFIXES)))
_REF_LENGTH = len(',"custom_string":""')
_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines


class BadMessage(Struct):
    """A message that cannot be sent, and why."""

    position: int
    message: Any
    error: str


class _Bodies(Struct):
    messages: list[msgspec.Raw]


class _PlainSms(Struct, gc=False):
    """An SMS that has nothing but number, text and ref; written faster than a whole message."""

    to: Any
    body: Any
    custom_string: str


_split = msgspec.json.Decoder(_Bodies).decode


def bodies_of(request: str | bytes) -> list[bytes]:
    """Return the JSON of each message of a request body, byte for byte."""
    return [bytes(it) for it in _split(request).messages]


class LazyMessages(Sequence[Message]):
    """Messages that are made again from their request when one of them is looked at.

    As objects a thousand of them take three times the memory of their JSON, and freeing them once
    they have left the processor's caches costs more than the rest of their way.
    """

    def __init__(self, body: bytes, kind: type[Message], count: int, *, named: bool) -> None:
        self._body = body
        self._kind = kind
        self._count = count
        self._named = named
        self._messages: list[Message] | None = None

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Message: ...

    @overload
    def __getitem__(self, index: slice) -> list[Message]: ...

    def __getitem__(self, index: int | slice) -> Message | list[Message]:
        return self._list()[index]

    def __iter__(self) -> Iterator[Message]:
        return iter(self._list())

    def _list(self) -> list[Message]:
        if self._messages is None:
            self._messages = [thaw(it, self._kind) for it in bodies_of(self._body)]
            # A generated ref is the engine's; the message was handed in without one.
            if not self._named:
                for message in self._messages:
                    message.custom_string = None
        return self._messages


class Encoded:
    """Messages with their refs and JSON, ready to be entered in a journal and to be sent."""

    def __init__(
        self,
        messages: Sequence[Message],
        refs: Sequence[str],
        *,
        bodies: Sequence[bytes] | None = None,
        bare: Sequence[bytes] | None = None,
        body: bytes | None = None,
        media_files: Sequence[str | None] | None = None,
        keys: Sequence[str | None] | None = None,
        bad: Sequence[BadMessage] = (),
        generated: bool | Sequence[bool] = False,
        scheduled: bool = True,
    ) -> None:
        self.messages = messages
        """The good ones, in order."""
        self.refs = refs
        """The `custom_string` of each, given or generated."""
        self.media_files = media_files
        """The media file of each, for MMS: it travels beside the messages of a request."""
        self.keys = keys
        """The idempotency key of each, if any was given."""
        self.bad = bad
        """The messages that cannot be sent; they are in none of the above."""
        self.has_unique_refs: bool = generated if isinstance(generated, bool) else all(generated)
        """Whether every ref was generated, so that it proves by itself whose a row is."""
        self.may_be_scheduled = scheduled
        """Whether some may have a `schedule`."""
        self._generated = generated
        self._body = body
        self._bodies = bodies
        self._bare = bare

    def __len__(self) -> int:
        return len(self.refs)

    def repeated(self, places: Sequence[int], repeats: Sequence[int]) -> Encoded:
        """Return messages that repeat others, with the refs and the JSON of these."""
        files = self.media_files
        return Encoded(
            [self.messages[it] for it in repeats],
            [self.refs[it] for it in places],
            bodies=[self.bodies[it] for it in places],
            media_files=[files[it] for it in places] if files else None,
            generated=[self.has_unique_ref(it) for it in places],
            scheduled=self.may_be_scheduled,
        )

    def has_unique_ref(self, place: int) -> bool:
        """Whether the ref of one message was generated."""
        return self._generated if isinstance(self._generated, bool) else self._generated[place]

    @property
    def bodies(self) -> Sequence[bytes]:
        """The JSON of each message, with its ref: what travels, at every attempt."""
        if self._bodies is None:
            assert self._body is not None
            self._bodies = bodies_of(self._body)
        return self._bodies

    @property
    def bare(self) -> Sequence[bytes]:
        """The JSON of each message as it was handed in: what identifies it in a journal."""
        if self._bare is None:
            if self.has_unique_refs:
                # A generated ref is the last field or a middle one; either way with its comma.
                refs = map(str.encode, self.refs)
                self._bare = [
                    body.replace(b',"custom_string":"%b"' % ref, b"", 1)
                    for body, ref in zip(self.bodies, refs, strict=True)
                ]
            else:
                self._bare = self.bodies
        return self._bare

    def body(self, places: Sequence[int]) -> bytes:
        """Return the body of a request of some of the messages, which share a media file."""
        if self._body is not None and len(places) == len(self):
            return self._body
        # An MMS request has one media file for all of its messages: `requests` groups by it.
        media_file = self.media_files[places[0]] if self.media_files else None
        return joined([self.bodies[it] for it in places], media_file)

    def whole_body(self) -> bytes:
        """Return all messages as ``{"messages": [...]}``, as a journal keeps them."""
        return self._body or joined(self.bodies)

    def requests(self, max_bytes: int, places: Sequence[int] | None = None) -> list[Sequence[int]]:
        """Return the places of the messages of each request, by media file and size.

        Args:
            max_bytes: of the messages of a request; a larger message travels alone.
            places: only these; all if absent.

        """
        if places is None:
            places = range(len(self))
            if self._body is not None and len(self._body) <= max_bytes:
                return [places]
        groups: dict[str | None, list[int]] = {}
        for place in places:
            media_file = self.media_files[place] if self.media_files else None
            groups.setdefault(media_file, []).append(place)
        return [it for group in groups.values() for it in self._by_size(group, max_bytes)]

    def _by_size(self, places: Sequence[int], max_bytes: int) -> Iterator[Sequence[int]]:
        part: list[int] = []
        size = 0
        for place in places:
            length = len(self.bodies[place])
            if part and size + length > max_bytes:
                yield part
                part, size = [], 0
            part.append(place)
            size += length
        yield part


def encode_one(message: Any, *, kind: type[Message], single: bool = True) -> bytes:
    """Check one message and return its JSON, without a generated ref.

    Args:
        message: what was handed in.
        kind: the class it must have.
        single: whether it must have exactly one recipient, as in bulk.

    Raises:
        ValueError: what is wrong, and with which field; it holds neither number nor text.

    """
    # Exactly this class, as on the fast path: both ways must accept the same messages.
    if message.__class__ is not kind:
        raise ValueError(
            f"not a {kind.__name__} but a {type(message).__name__}: "
            f"hand in {kind.__name__}(to=..., body=...)"
        )
    check(message, single=single)
    try:
        return freeze(message)
    except TypeError:
        raise ValueError("a field holds something that JSON cannot hold") from None


def encode(
    messages: Sequence[Any],
    *,
    kind: type[Message],
    prefix: str,
    keys: Sequence[str | None] | None = None,
    single: bool = True,
    compact: bool = False,
) -> Encoded:
    """Check messages, give refs to those without, and write their JSON.

    Args:
        messages: what was handed in, of any type.
        kind: the class they must have.
        prefix: what generated refs begin with.
        keys: an idempotency key for some of them, if any.
        single: whether each must have exactly one recipient.
        compact: keep the JSON only and make the messages again when they are looked at.

    """
    if keys is None and (fast := _encode_alike(messages, kind, prefix)) is not None:
        refs, body, named = fast
        kept: Sequence[Message] = messages
        if compact:
            kept = LazyMessages(body, kind, len(refs), named=named)
        return Encoded(kept, refs, body=body, generated=not named, scheduled=False)
    good: list[Message] = []
    refs, bare, bad, good_keys = [], [], [], []
    for position, message in enumerate(messages):
        try:
            json = encode_one(message, kind=kind, single=single)
        except Exception as error:  # also what JSON cannot hold, such as an object in a field
            bad.append(BadMessage(position, message, str(error)))
            continue
        # Numbered by position in the input, bad ones included: handles have shown these refs
        # already.
        refs.append(message.custom_string or f"{prefix}{position:x}")
        bare.append(json)
        good.append(message)
        good_keys.append(keys[position] if keys else None)
    bodies = [
        json if message.custom_string else with_ref(json, ref)
        for message, json, ref in zip(good, bare, refs, strict=True)
    ]
    media_files = [it.media_file for it in good if isinstance(it, MmsMessage)]
    return Encoded(
        good,
        refs,
        bodies=bodies,
        bare=bare,
        media_files=media_files if kind is MmsMessage else None,
        keys=good_keys if keys else None,
        bad=bad,
        generated=[not it.custom_string for it in good],
        scheduled=any(it.schedule is not None for it in good),
    )


# The fast way.


def _encode_alike(
    messages: Sequence[Any], kind: type[Message], prefix: str
) -> tuple[list[str], bytes, bool] | None:
    """Return refs, request body and whether the refs were given; None if a message is unusual."""
    # The media file of an MMS travels outside its message.
    if kind is MmsMessage or not 0 < len(messages) <= len(_SUFFIXES):
        return None
    try:
        if kind is SmsMessage and (plain := _encode_plain(messages, prefix)) is not None:
            return *plain, False
        refs: list[Any] = [it.custom_string for it in messages]
        if not _are_alike(messages, kind, refs):
            return None
        named = refs[0] is not None
        if not named:
            refs = _refs(prefix, len(messages))
            # Copies, as the caller's objects must stay as they were handed in.
            messages = list(map(kind.__copy__, messages))  # type: ignore[attr-defined]
            for message, ref in zip(messages, refs, strict=True):
                message.custom_string = ref
        return refs, _encode({"messages": messages}), named
    except Exception:  # not text, a lone surrogate, ...: the general way says what is wrong
        return None


def _encode_plain(messages: Sequence[Any], prefix: str) -> tuple[list[str], bytes] | None:
    tos = [it.to for it in messages if it.__class__ is SmsMessage]
    bodies = [it.body for it in messages]
    if len(tos) != len(messages) or not _are_texts(tos, bodies):
        return None
    refs = _refs(prefix, len(messages))
    body = _encode({"messages": list(map(_PlainSms, tos, bodies, refs))})
    added = len(refs) * (_REF_LENGTH + len(prefix)) + _SUFFIX_LENGTHS[len(refs) - 1]
    # Any other field that a message has makes its own JSON longer than that of a plain one.
    return (refs, body) if len(_encode({"messages": messages})) + added == len(body) else None


def _refs(prefix: str, count: int) -> list[str]:
    return (prefix + f"\n{prefix}".join(_SUFFIXES[:count])).split("\n")


def _are_alike(messages: Sequence[Any], kind: type[Message], refs: Sequence[Any]) -> bool:
    """Whether `check` would pass all of them, and either all have a ref or none has.

    Raises:
        TypeError: a field is not text.
        AttributeError: something is not a message.

    """
    tos = [it.to for it in messages if it.__class__ is kind and it.list_id is it.schedule is None]
    return (
        len(tos) == len(messages)
        and _are_texts(tos, [it.body for it in messages])
        and (refs.count(None) == len(refs) or all(map(str.strip, refs)))
    )


def _are_texts(tos: list[Any], bodies: list[Any]) -> bool:
    """Whether these are numbers in E.164, and texts that are not blank.

    Raises:
        TypeError: one is not text.

    """
    # One match for all; the count shows a line break inside of a number.
    numbers = "\n".join(tos) + "\n"
    return (
        numbers.count("\n") == len(tos)
        and _E164_LINES(numbers) is not None
        and all(map(str.strip, bodies))
    )
