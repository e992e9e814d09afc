"""A batch taken at a glance must come out as message by message, or not at a glance at all."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

import aioclicksend as ac
from aioclicksend.bulk import express
from aioclicksend.bulk.batch import Remade
from aioclicksend.bulk.rows import Distinct
from aioclicksend.models.messages import freeze, request_body, with_ref

from .helpers import many, sms

LATER = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
BARE = ac.SmsMessage(to="+61491570156", body="Hi")


class _Special(ac.SmsMessage):
    """Not what a bulk of SMS takes."""


@pytest.mark.parametrize(
    "odd",
    [
        *[sms(1, to=to) for to in ("+123456", f"+{'1' * 16}", "+01234567", "1234567", "+1\n+2", 7)],
        sms(1, to=None, list_id=7),
        sms(1, list_id=7),
        sms(1, schedule=LATER),
        *[sms(1, body=body) for body in ("", " \n", "half \ud83d", None, 7)],
        *[sms(1, custom_string=ref) for ref in ("", " ", 7)],
        ac.MmsMessage(to="+61491570156", body="Hi", subject="S", media_file="https://a.example"),
        ac.VoiceMessage(to="+61491570156", body="Hi"),
        _Special(to="+61491570156", body="Hi"),
        *[sms(1, to=to, custom_string=None) for to in ("+123456", "+1\n+2", 7, None)],
        *[sms(1, body=body, custom_string=None) for body in ("", " \n", "\ud83d", 7)],
        ac.SmsMessage(to="+61491570156", body="Hi", schedule=LATER),
        "text",
        None,
    ],
)
def test_one_that_is_out_of_the_ordinary_keeps_its_batch_from_the_fast_way(odd: Any) -> None:
    for usual in (sms(0), BARE):
        for messages in ([usual, odd], [odd, usual]):
            assert express.bodies_of(messages, ac.SmsMessage) is None
            assert express.body_of(messages, ac.SmsMessage, "p-") is None


def test_messages_with_their_own_refs_and_without_do_not_go_together() -> None:
    """Their own may come again: then they do not tell messages apart."""
    mixed = [sms(0), sms(1, custom_string=None)]
    assert express.body_of(mixed, ac.SmsMessage, "p-") is None
    refs, body = express.body_of([sms(1), sms(1)], ac.SmsMessage, "p-") or ([], b"")
    assert refs == ["ref-1", "ref-1"]
    assert not isinstance(refs, Distinct)
    assert body == request_body([freeze(sms(1))] * 2)


def test_a_thousand_messages_without_refs_are_given_some_and_left_as_they_are() -> None:
    """Theirs are the caller's objects: a ref that stayed on one would be taken for the caller's."""
    messages = [sms(it, custom_string=None, body="Grüße 🎉") for it in range(1000)]
    frozen = [freeze(it) for it in messages]
    refs, body = express.body_of(messages, ac.SmsMessage, "p-") or ([], b"")
    assert refs == [f"p-{it:x}" for it in range(1000)]
    assert isinstance(refs, Distinct)
    assert body == request_body(list(map(with_ref, frozen, refs)))
    assert {it.custom_string for it in messages} == {None}
    assert express.bodies_of(messages, ac.SmsMessage) == frozen
    assert express.body_of(list(many(1001)), ac.SmsMessage, "p-") is None


@pytest.mark.parametrize(
    "more",
    [
        {"from_": "Shop"},
        {"source": "a"},
        {"country": "AU"},
        {"from_email": "a@b.example"},
        {"contact_id": 0},
        {"show_summary": False},
        {"exclude_no_sender_id_recipients": False},
    ],
)
def test_whatever_one_message_has_besides_its_text_is_sent(more: dict[str, Any]) -> None:
    """Where nothing is seen but number and text, the rest must not be lost."""
    other = ac.SmsMessage(to="+61491570156", body="Hi", **more)
    for messages in ([BARE, other, BARE], [other, BARE], [BARE, BARE]):
        refs, body = express.body_of(messages, ac.SmsMessage, "p-") or ([], b"")
        slow = request_body(list(map(with_ref, map(freeze, messages), refs)))
        assert msgspec.json.decode(body) == msgspec.json.decode(slow)


@pytest.mark.parametrize("named", [False, True])
def test_messages_are_made_anew_from_their_request_as_they_were(
    named: bool,  # noqa: FBT001
) -> None:
    """Also where a field has a type that only the API would mind."""
    fields: list[dict[str, Any]] = [{}, {"source": 7, "from_": "Shop"}, {"body": "Grüße \n🎉"}]
    messages = [sms(place, **it) for place, it in enumerate(fields)]
    if not named:
        for message in messages:
            message.custom_string = None
    _, body = express.body_of(messages, ac.SmsMessage, "p-") or ([], b"")
    again = Remade(body, ac.SmsMessage, 3, named=named)
    assert len(again) == 3
    assert list(again) == messages
    assert (again[1], again[1:]) == (messages[1], messages[1:])
