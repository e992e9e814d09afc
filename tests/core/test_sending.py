"""What `send` refuses before anything is sent, and what it sends of the rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend import ClickSend, MmsMessage, SmsMessage, VoiceMessage
from aioclicksend.sandbox import Sandbox

from ..hostile import Arrival, Hostile, Line, nothing_left_behind, sent
from .helpers import BODY, MESSAGE, NUMBER, client_of, failure_of

PICTURE = "https://example.com/a.jpg"


def sms(**fields: Any) -> SmsMessage:
    usual: dict[str, Any] = {"to": NUMBER, "body": BODY}
    return SmsMessage(**usual | fields)


def mms(**fields: Any) -> MmsMessage:
    usual: dict[str, Any] = {
        "to": NUMBER,
        "body": BODY,
        "subject": "Hi",
        "media_file": PICTURE,
    }
    return MmsMessage(**usual | fields)


def voice(**fields: Any) -> VoiceMessage:
    usual: dict[str, Any] = {"to": NUMBER, "body": BODY}
    return VoiceMessage(**usual | fields)


def rows() -> Hostile:
    return Hostile(lambda line, it: line.ok(sent(it)))


BAD: dict[str, tuple[Any, str]] = {
    "no-to": (sms(to=None), "to: is missing"),
    "empty-to": (sms(to=""), "to: is no E.164 number"),
    "local-without-country": (sms(to="0411111111"), "set country='AU'"),
    "no-plus": (sms(to="61411111111"), "to: is no E.164 number"),
    "double-zero": (sms(to="0061411111111"), "to: is no E.164 number"),
    "too-short": (sms(to="+61411"), "to: is no E.164 number"),
    "too-long": (sms(to="+6141111111111111"), "to: is no E.164 number"),
    "leading-zero": (sms(to="+0411111111"), "to: is no E.164 number"),
    "letters": (sms(to="+61CLICKSEND"), "to: is no E.164 number"),
    "spaces": (sms(to="+61 411 111 111"), "to: is no E.164 number"),
    "line-break": (sms(to="+61411111111\n"), "to: is no E.164 number"),
    "arabic-digits": (sms(to="+6١٤١١١١١١١١"), "to: is no E.164 number"),  # noqa: RUF001
    "two-numbers": (sms(to="+61411111111,+61422222222"), "to: is no E.164 number"),
    "an-int": (sms(to=61411111111), "to: is no E.164 number"),
    "local-nonsense": (sms(to="hello", country="AU"), "to: is no phone number"),
    "country-of-three": (sms(to="0411111111", country="AUS"), "country: must be an ISO code"),
    "empty-body": (sms(body=""), "body: is empty"),
    "blank-body": (sms(body=" \n\t "), "body: is empty"),
    "no-text-body": (sms(body=None), "body: is empty"),
    "bytes-body": (sms(body=b"hello"), "body: is empty"),
    "lone-surrogate": (sms(body="a\ud83d"), "a lone surrogate"),
    "to-and-list": (sms(list_id=7), "either to or list_id"),
    "naive-schedule": (sms(schedule=datetime(2030, 1, 1)), "time zone"),  # noqa: DTZ001
    "text-schedule": (sms(schedule="tomorrow"), "schedule: must be"),
    "true-schedule": (sms(schedule=True), "schedule: must be"),
    "float-schedule": (sms(schedule=1.5), "schedule: must be"),
    "negative-schedule": (sms(schedule=-1), "schedule: must be"),
    "int-ref": (sms(custom_string=7), "custom_string: must be text"),
    "mms-without-subject": (mms(subject=""), "subject: is empty"),
    "mms-without-picture": (mms(media_file=None), "media_file: must be"),
    "mms-with-a-path": (mms(media_file="pictures/a.jpg"), "media_file: must be"),
    "mms-with-half-a-character": (mms(media_file="https://a.example/\ud83d"), "media_file: holds"),
}


def sender(client: ClickSend, message: object) -> Callable[[Any], Awaitable[object]]:
    return client.mms.send if isinstance(message, MmsMessage) else client.sms.send


@pytest.mark.parametrize("what", BAD)
async def test_a_wrong_message_is_named_and_nothing_is_sent(what: str) -> None:
    bad, says = BAD[what]
    good: Any = mms() if isinstance(bad, MmsMessage) else sms()
    async with rows() as server, client_of(server.url) as client:
        send = sender(client, bad)
        with pytest.raises(ValueError, match=says) as raised:
            await send(bad)
        assert str(raised.value).startswith("message 1 of 1: ")
        with pytest.raises(ValueError, match=says) as raised:
            await send([good, good, bad, good])
        assert str(raised.value).startswith("message 3 of 4: ")
    assert server.arrivals == []
    assert BODY not in str(raised.value)
    assert "6141111" not in str(raised.value)


@pytest.mark.parametrize("name", ["sms", "mms", "voice"])
@pytest.mark.parametrize("verb", ["send", "price"])
async def test_no_messages_and_too_many_are_refused(name: str, verb: str) -> None:
    message: Any = {"sms": sms, "mms": mms, "voice": voice}[name]()
    async with rows() as server, client_of(server.url) as client:
        call = getattr(getattr(client, name), verb)
        with pytest.raises(ValueError, match="no messages to send"):
            await call([])
        with pytest.raises(ValueError, match=r"1001 messages .*at most 1000.*bulk"):
            await call([message] * 1001)
        assert server.arrivals == []
        assert len((await call([message] * 1000)).messages) == 1000
    assert len(server.arrivals) == 1


async def test_pictures_that_differ_are_refused() -> None:
    async with rows() as server, client_of(server.url) as client:
        with pytest.raises(ValueError, match="media_file: the messages of one request share one"):
            await client.mms.send([mms(), mms(media_file="https://example.com/b.jpg")])
    assert server.arrivals == []


@pytest.mark.parametrize("call", [{}, {"custom_string": ""}, {"custom_string": None}])
async def test_cancelling_all_needs_a_filter_or_the_word(call: dict[str, Any]) -> None:
    async with Hostile(lambda line, _: line.ok({"count": 3})) as server:
        async with client_of(server.url) as client:
            with pytest.raises(ValueError, match="everything=True"):
                await client.sms.cancel_all(**call)
            with pytest.raises(ValueError, match="everything=True"):
                await client.sms.cancel_all("ref", everything=True)
            assert server.arrivals == []
            assert (await client.sms.cancel_all("ref")).count == 3
            assert (await client.sms.cancel_all(everything=True)).count == 3
    assert [it.body for it in server.arrivals] == [b'{"custom_string":"ref"}', b""]


@pytest.mark.parametrize("kind", [SmsMessage, MmsMessage, VoiceMessage])
def test_fields_of_a_message_are_named(kind: Any) -> None:
    """A number in the first place would be taken for a sender."""
    with pytest.raises(TypeError):
        kind(NUMBER)


# What is sent


async def test_one_message_or_many_make_one_request() -> None:
    async with rows() as server, client_of(server.url) as client:
        await client.sms.send(sms())
        await client.sms.send((sms(), sms()))
        await client.sms.send([sms()] * 500)
    assert [len(it.json["messages"]) for it in server.arrivals] == [1, 2, 500]


async def test_a_message_without_a_ref_gets_one_and_keeps_the_one_it_has() -> None:
    async with rows() as server, client_of(server.url) as client:
        result = await client.sms.send([sms(), sms(custom_string="mine"), sms(custom_string="")])
    refs = [it["custom_string"] for it in server.arrivals[0].json["messages"]]
    assert refs[1] == "mine"
    assert refs[0] != refs[2]
    assert all(ref.startswith("ac1-") and len(ref) <= 40 for ref in (refs[0], refs[2]))
    assert [row.custom_string for row in result.messages] == refs
    assert result.unknown == ()


async def test_the_refs_of_a_send_without_a_verdict_are_those_that_travelled() -> None:
    async def reset(line: Line, _: object) -> None:
        line.reset()

    async with Hostile(reset) as server, client_of(server.url) as client:
        error = await failure_of(client.sms.send([sms(), MESSAGE, sms()]))
    assert isinstance(error, ac.UnknownOutcomeError)
    assert list(error.refs) == [it["custom_string"] for it in server.arrivals[0].json["messages"]]


async def test_fields_travel_under_the_names_of_the_api() -> None:
    message = sms(
        from_="Shop",
        source="tests",
        country="AU",
        to="0411 111 111",
        schedule=datetime(2030, 1, 1, 10, tzinfo=timezone(timedelta(hours=10))),
        custom_string="ref",
        from_email="a@example.com",
        contact_id=7,
        exclude_no_sender_id_recipients=True,
    )
    async with rows() as server, client_of(server.url) as client:
        await client.sms.send(message, shorten_urls=True, senders=[{"sender_id": "Shop"}])
    assert server.arrivals[0].json == {
        "shorten_urls": True,
        "senders": [{"sender_id": "Shop"}],
        "messages": [
            {
                "to": "0411 111 111",
                "body": BODY,
                "source": "tests",
                "schedule": 1893456000,
                "custom_string": "ref",
                "country": "AU",
                "from": "Shop",
                "from_email": "a@example.com",
                "contact_id": 7,
                "exclude_no_sender_id_recipients": True,
            }
        ],
    }


async def test_defaults_do_not_travel() -> None:
    async with rows() as server, client_of(server.url) as client:
        await client.sms.send(sms(custom_string="ref"))
    assert server.arrivals[0].json == {
        "messages": [{"to": NUMBER, "body": BODY, "custom_string": "ref"}]
    }


async def test_the_media_file_of_an_mms_is_a_top_level_field() -> None:
    async with rows() as server, client_of(server.url) as client:
        await client.mms.send([mms(custom_string="a"), mms(custom_string="b")])
    request = server.arrivals[0].json
    assert request["media_file"] == PICTURE
    assert all("media_file" not in it for it in request["messages"])


async def test_a_call_always_says_its_voice_and_language() -> None:
    async with rows() as server, client_of(server.url) as client:
        await client.voice.send([voice(), voice(voice="male", lang="de-de")])
    messages = server.arrivals[0].json["messages"]
    assert [(it["voice"], it["lang"]) for it in messages] == [
        ("female", "en-us"),
        ("male", "de-de"),
    ]


async def test_a_message_is_not_changed_by_being_sent() -> None:
    message = sms(schedule=datetime(2030, 1, 1, tzinfo=UTC))
    before = (message.custom_string, message.schedule)
    async with rows() as server, client_of(server.url) as client:
        await client.sms.send([message, message])
    assert (message.custom_string, message.schedule) == before
    one, other = server.arrivals[0].json["messages"]
    assert one["custom_string"] != other["custom_string"]


async def test_a_list_stands_for_rows_without_refs() -> None:
    async def serve(line: Line, _: object) -> None:
        members = [{"to": f"+6141111111{n}", "status": "SUCCESS"} for n in range(3)]
        await line.ok({"messages": members})

    async with Hostile(serve) as server, client_of(server.url) as client:
        result = await client.sms.send(SmsMessage(list_id=7, body=BODY))
    assert len(result.accepted) == 3
    assert result.unknown == ()
    assert server.arrivals[0].json["messages"][0]["list_id"] == 7


# Against the sandbox


async def test_rows_show_acceptances_and_refusals_with_reasons() -> None:
    async with Sandbox() as sandbox:
        auth = ac.BasicAuth(sandbox.username, sandbox.api_key)
        async with client_of(sandbox.url, auth=auth) as client:
            result = await client.sms.send([sms(to="+61400000001"), sms(to="+9999999999")])
            assert [row.accepted for row in result.messages] == [True, False]
            assert result.rejected[0].status not in ("", "SUCCESS")
            assert result.total_price > 0
            ref = result.accepted[0].custom_string
            assert ref is not None
            (found,) = await client.sms.find(ref)
            assert found.message_id == result.accepted[0].message_id
            assert await client.sms.find("nobody-sent-this") == []
            assert await client.sms.find() == []
        assert sandbox.duplicates() == {}


async def test_a_reply_that_carries_a_ref_is_not_the_message_it_answers() -> None:
    rows = [
        {"custom_string": "ref-1", "direction": "in", "message_id": "REPLY"},
        {"custom_string": "ref-1", "direction": "out", "message_id": "SENT"},
        {"custom_string": "ref-2", "direction": "in", "message_id": "REPLY"},
    ]
    async with Hostile(lambda line, _: line.ok({"data": rows, "last_page": 1})) as server:
        async with client_of(server.url) as client:
            found = await client.sms.find("ref-1", "ref-2", since=1767225600)
    assert [row.message_id for row in found] == ["SENT"]
    assert "date_from=1767225600" in server.arrivals[0].query


async def test_finding_reads_no_further_than_it_must() -> None:
    async def serve(line: Line, arrival: Arrival) -> None:
        row = {"custom_string": f"ref-{arrival.page}", "direction": "out"}
        await line.ok({"data": [row], "last_page": 50})

    async with Hostile(serve) as server, client_of(server.url) as client:
        assert len(await client.sms.find("ref-1")) == 1
        assert len(server.arrivals) == 1
        assert len(await client.sms.find("ref-1", "ref-2")) == 2
        assert len(server.arrivals) < 10
        async with nothing_left_behind():
            assert await client.sms.find("ref-99") == []
    assert max(it.page for it in server.arrivals) == 50


async def test_a_price_sends_nothing() -> None:
    async with Sandbox() as sandbox:
        auth = ac.BasicAuth(sandbox.username, sandbox.api_key)
        async with client_of(sandbox.url, auth=auth) as client:
            assert (await client.sms.price(sms(to="+61400000001"))).total_price > 0
        assert sandbox.messages == []
