"""No credential, phone number or message body in any text that ends up in a log."""

from __future__ import annotations

import asyncio
import copy
import html
import json
import logging
import pickle
import re
import traceback
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.pretty import pretty_repr

import aioclicksend as ac
from aioclicksend import (
    BasicAuth,
    ClickSend,
    MatonAuth,
    MmsMessage,
    Page,
    Retry,
    SmsMessage,
    Timeout,
    VoiceMessage,
    api,
)
from aioclicksend.models.base import Currency, Model, read
from aioclicksend.models.results import Receipt, SmsRow, send_result
from aioclicksend.wire import Reply, Request, Unreadable, data_of, refusal

from ..hostile import Hostile, Line, Script, refused_url
from .helpers import AUTH, BODY, NUMBER, client_of, failure_of

MAIL = "somebody@example.com"
NAME = "Jane Q. Citizen"
KEY = AUTH.api_key
SECRETS = [NUMBER.strip("+"), BODY, MAIL, NAME, KEY, AUTH.username, "c29tZW9uZTph"]
MESSAGE = SmsMessage(to=NUMBER, body=BODY, from_email=MAIL, custom_string="ref-1")


def assert_tells_nothing(*texts: str) -> None:
    for text in texts:
        for secret in SECRETS:
            assert secret not in text, text


def echo(status: int) -> Script:
    """Return a server that echoes the requests it gets."""

    async def reply(line: Line, arrival: Any) -> None:
        said = f"{NUMBER} or {MAIL} is wrong in {unquote(arrival.target)} ({arrival.target})"
        if arrival.body:
            said += f" with {arrival.body.decode()}, that is {arrival.json}"
        content = {"http_code": status, "response_code": "BAD_REQUEST", "response_msg": said}
        await line.reply(status, content, {"Retry-After": "0", "X-Echo": arrival.target})

    return reply


async def hang(line: Line, _: object) -> None:
    await line.hang()


async def reset(line: Line, _: object) -> None:
    line.reset()


async def no_http(line: Line, arrival: Any) -> None:
    await line.write(f"{arrival.target} {NUMBER} {BODY}\r\n\r\n".encode())
    line.writer.close()


async def unreadable(line: Line, arrival: Any) -> None:
    await line.reply(200, f"<html>{arrival.target} {NUMBER} {BODY} {NAME}</html>".encode())


HOW: dict[str, Script] = {
    **{str(status): echo(status) for status in (301, 400, 401, 403, 404, 408, 413, 429, 500, 503)},
    "hang": hang,
    "reset": reset,
    "no-http": no_http,
    "unreadable": unreadable,
}


def personal_calls(client: ClickSend) -> Iterator[Any]:
    yield client.sms.send(MESSAGE)
    yield client.sms.price(MESSAGE)
    yield client.contacts.create(7, phone_number=NUMBER, first_name=NAME, email=MAIL)
    yield client.contacts.update(7, 8, phone_number=NUMBER, first_name=NAME)
    yield client.sms.cancel_all(NAME)
    yield client.sms.history(q=f"to:{NUMBER}").collect()
    yield client.sms.templates.walk(q=f"body:{BODY}").collect()
    yield client.request("GET", f"/v3/new/{NUMBER}", query={"q": NAME})
    yield client.request("POST", f"/v3/new/{MAIL}", json={"deep": [{"name": NAME}], "to": NUMBER})


@pytest.mark.parametrize("how", HOW)
async def test_no_error_or_log_shows_number_text_or_credential(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    options: dict[str, Any] = {"timeout": Timeout(read=0.05), "retry": Retry(attempts=2, base=0)}
    async with Hostile(HOW[how]) as server, client_of(server.url, **options) as client:
        with caplog.at_level(logging.INFO):
            errors = await asyncio.gather(*(failure_of(it) for it in personal_calls(client)))
    for error in errors:
        assert_tells_nothing(str(error), repr(error), repr(error.args))
        assert_tells_nothing("".join(traceback.format_exception(error)))
    assert_tells_nothing(caplog.text, *(str(it.args) for it in caplog.records))
    assert len(server.arrivals) >= len(errors)


async def test_a_refused_connection_shows_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    async with refused_url() as url, client_of(url) as client:
        with caplog.at_level(logging.INFO):
            errors = await asyncio.gather(*(failure_of(it) for it in personal_calls(client)))
    for error in errors:
        assert_tells_nothing("".join(traceback.format_exception(error)))
    assert_tells_nothing(caplog.text)


async def test_server_text_is_in_response_msg_and_raw() -> None:
    async with Hostile(echo(400)) as server, client_of(server.url) as client:
        error = await failure_of(client.sms.send(MESSAGE))
    assert isinstance(error, ac.BadRequest)
    assert NUMBER in error.response_msg
    assert isinstance(error.raw, dict)


async def test_a_cancelled_call_logs_only_its_name(caplog: pytest.LogCaptureFixture) -> None:
    async with Hostile(hang) as server, client_of(server.url) as client:
        with caplog.at_level(logging.INFO):
            call = asyncio.create_task(client.request("POST", f"/v3/new/{NUMBER}", json=BODY))
            await server.until_arrivals(1)
            call.cancel()
            await asyncio.wait([call])
    assert "POST /v3/new/…" in caplog.text
    assert_tells_nothing(caplog.text)


def test_settings_and_clients_show_no_credentials() -> None:
    for thing in (AUTH, MatonAuth(KEY, KEY), client_of("http://127.0.0.1:9"), ClickSend(auth=AUTH)):
        assert_tells_nothing(repr(thing), str(thing), f"{thing}", pretty_repr(thing))
    assert_tells_nothing(str({"auth": AUTH}), pretty_repr({"auth": [AUTH]}))


@pytest.mark.parametrize(
    "message",
    [
        MESSAGE,
        MmsMessage(to=NUMBER, body=BODY, subject=NAME, media_file=f"https://a.example/{KEY}"),
        VoiceMessage(to=NUMBER, body=BODY),
    ],
    ids=lambda it: type(it).__name__,
)
def test_messages_show_neither_number_nor_body(message: object) -> None:
    assert_tells_nothing(repr(message), str([message]), pretty_repr(message))


def models(kind: type[Model] = Model) -> Iterator[type[Model]]:
    for inner in kind.__subclasses__():
        yield inner
        yield from models(inner)


def test_no_model_shows_a_text_that_could_be_personal() -> None:
    api.operations()
    harmless = {"message_id", "status", "status_code", "direction", "country", "code"}
    for kind in set(models()):
        for value in (NAME, NUMBER, {"a": BODY}, [BODY], [{"a": [BODY]}]):
            fields = {it: value for it in kind.__struct_fields__ if it not in harmless}
            model = read(kind, fields)
            for name in fields:
                try:
                    setattr(model, name, value)
                except AttributeError:
                    continue
            assert_tells_nothing(repr(model), str([model]), pretty_repr(model))


def test_results_and_pages_show_only_counts() -> None:
    row = {"to": NUMBER, "body": BODY, "custom_string": NAME, "status": "SUCCESS"}
    result = send_result(SmsRow, {"messages": [row], "total_price": 1}, [NAME])
    page = Page.of({"data": [row], "total": 1}, 1, lambda it: read(SmsRow, it))
    for thing in (result, page):
        assert_tells_nothing(repr(thing), str([thing]), pretty_repr(thing))
    assert "accepted=1" in repr(result)
    assert "total=1" in repr(page)


CANARIES = (NUMBER, NUMBER.strip("+"), "0411 111 111", BODY, KEY, MAIL, NAME)
"""Texts of more than one word: a single one cannot be distinguished from a code."""

spellings = st.sampled_from(CANARIES).flatmap(
    lambda it: st.sampled_from(
        [
            *(it, it.upper(), it.title(), it[:-1], it[1:], repr(it), quote(it), json.dumps(it)),
            *(it.replace(" ", "  "), it.replace(" ", "\n"), html.escape(it), "\x1b[2J" + it),
            *(f"Incorrect API key provided: {it}", f"{it[:3]} {it[3:]}", f"INVALID_{it}"),
        ]
    )
)
"""Canaries as servers have been seen to repeat them."""

said = st.recursive(
    spellings | st.integers() | st.none() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(spellings, inner, max_size=3),
    max_leaves=5,
)


def shows_a_canary(text: str) -> list[str]:
    """Return the canaries that a text holds, however they are spaced or spelled."""
    squeezed = re.sub(r"[^0-9a-z@]", "", text.lower())
    canaries = (re.sub(r"[^0-9a-z@]", "", it.lower())[1:-1] for it in CANARIES)
    return [it for it in canaries if it in squeezed]


@pytest.mark.slow
@given(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("http_code", "response_code", "response_msg", "message"), said),
            "data": said,
        },
    ),
    st.sampled_from([200, 302, 400, 401, 404, 409, 422, 429, 500, 503]),
    st.booleans(),
)
@settings(max_examples=150)
def test_no_server_text_reaches_an_error_text(
    document: dict[str, Any],
    status: int,
    repeatable: bool,  # noqa: FBT001
) -> None:
    body = json.dumps(document).encode()
    request = Request("POST /v3/sms/send", "POST", "", repeatable=repeatable)
    reply = Reply(status, {}, body)
    texts = []
    try:
        data = data_of(request, reply)
    except Unreadable as error:
        texts.append(str(error))
    else:
        shown = (read(SmsRow, data), read(Receipt, data), send_result(SmsRow, data))
        texts += [*map(repr, shown), *map(pretty_repr, shown)]
    if status >= 400:
        refused = refusal(request, reply)
        texts += [str(refused), repr(refused), refused.response_code]
        assert re.fullmatch(r"\w{1,64}", refused.response_code, re.ASCII)
    for text in texts:
        assert text.isprintable()
        assert shows_a_canary(text) == []


@pytest.mark.slow
@given(st.sampled_from(SmsRow.__struct_encode_fields__), said)
@settings(max_examples=300)
def test_no_field_of_a_row_reaches_its_repr(name: str, value: Any) -> None:
    shown = read(SmsRow, {name: value})
    for text in (repr(shown), pretty_repr(shown, max_width=10_000)):
        assert text.isprintable()
        assert shows_a_canary(text) == []


@pytest.mark.parametrize("filler", ["x", " ", "1", "+", "@", "\\", '"', "&#", "_"])
async def test_an_error_of_a_megabyte_blocks_nothing(filler: str) -> None:
    said = filler * 1_000_000
    content = {"response_code": said, "response_msg": said}
    async with Hostile(lambda line, _: line.reply(400, content)) as server:
        async with client_of(server.url) as client:
            error = await failure_of(client.sms.send(MESSAGE))
    assert len(str(error)) < 300


WORD = "pineapple"
"""A text of one word, which looks like a code wherever a code belongs."""

AS_CODES = [
    *(WORD, WORD.upper(), f"INVALID_{WORD.upper()}", f"INVALID{WORD}X", "_".join(WORD)),
    *("614_111_11111", "_".join("61411111111"), "INV_0_4_1_1_111", "SUPERSECRETKEY"),
]


@pytest.mark.parametrize("code", AS_CODES)
async def test_a_secret_of_one_word_in_place_of_a_code_is_not_shown(
    code: str, caplog: pytest.LogCaptureFixture
) -> None:
    content = {"response_code": code, "response_msg": "", "data": None}
    message = SmsMessage(to=NUMBER, body=WORD)
    ends: list[ac.EndEvent] = []
    async with Hostile(lambda line, _: line.reply(403, content)) as server:
        async with client_of(server.url, hooks=ac.Hooks(on_end=ends.append)) as client:
            error = await failure_of(client.sms.send(message))
            async with client.sms.bulk() as bulk:
                outcome = await (await bulk.send(message))
            texts = [str(error), repr(error), repr(outcome), caplog.text]
            texts += [str(bulk.statistics().held)]
    if "KEY" not in code:
        texts += [str(it.response_code) for it in ends]
    for text in texts:
        assert code not in text
    assert str(error).startswith("POST /v3/sms/send 403 FORBIDDEN: ")


@pytest.mark.parametrize("value", [*AS_CODES, NUMBER, f"{WORD} {NUMBER}", "\x1b[2J"])
@pytest.mark.parametrize("name", ["status", "message_id", "country", "direction", "status_code"])
def test_no_word_of_a_row_is_shown_unless_it_is_a_known_one(name: str, value: str) -> None:
    assert value not in repr(read(SmsRow, {name: value}))
    if name == "message_id":
        assert value not in repr(ac.Accepted(MESSAGE, "ref", value, 1, None))


def test_known_words_and_ids_are_shown() -> None:
    identity = "BF7AD270-0DE2-418B-B606-71D527D9C1AE"
    row = read(SmsRow, {"status": "INVALID_RECIPIENT", "message_id": identity, "country": "AU"})
    assert "INVALID_RECIPIENT" in repr(row)
    assert identity in repr(row)
    assert "'AU'" in repr(row)
    assert identity in repr(ac.Accepted(MESSAGE, "ref", identity, 1, None))


def test_a_quote_shows_neither_the_servers_currency_nor_its_countries() -> None:
    quote = ac.Quote(currency=NUMBER, by_country={BODY: Decimal(1)}, rejected={NAME: 1})
    assert_tells_nothing(repr(quote), pretty_repr(quote))
    assert "'AUD'" in repr(ac.Quote(currency="AUD"))
    assert repr(Currency(name_short="AUD", name_long=NAME)) == "Currency(name_short='AUD')"
    assert_tells_nothing(repr(Currency(name_short=NUMBER)))


async def test_a_currency_in_an_error_is_a_code_of_three_letters() -> None:
    async def serve(line: Line, arrival: Any) -> None:
        if arrival.path == "/v3/account":
            await line.ok({"_currency": {"currency_name_short": KEY}})
        else:
            row = {"to": NUMBER, "body": BODY, "status": "SUCCESS", "message_price": "0.07"}
            row["custom_string"] = arrival.json["messages"][0]["custom_string"]
            money = {"currency_name_short": NUMBER}
            await line.ok({"messages": [row], "_currency": money})

    async with Hostile(serve) as server, client_of(server.url) as client:
        async with client.sms.bulk(budget=Decimal(5)) as bulk:
            outcome = await (await bulk.send(MESSAGE))
    assert isinstance(outcome, ac.NotSent)
    assert "quoted in" in outcome.detail
    assert_tells_nothing(outcome.detail, repr(outcome))


def test_a_logged_exception_is_a_place_and_a_class(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("aioclicksend")
    nothing: dict[str, int] = {}
    try:
        try:
            nothing[NUMBER]
        except KeyError as error:
            raise ValueError(BODY) from error
    except ValueError:
        log.exception("internal error in %s", f"{KEY[:1]}\x1b[2J\nINFO all is well")
    assert_tells_nothing(caplog.text)
    assert "KeyError" in caplog.text
    assert "ValueError" in caplog.text
    assert "test_secrets.py" in caplog.text
    (record,) = caplog.records
    assert record.getMessage().isprintable()


def test_an_error_is_one_printable_line() -> None:
    assert str(ac.ConfigurationError("a\nb\x1b[2J\u202e.csv")) == "a b [2J .csv"


def pickled(error: Exception) -> object:
    return pickle.loads(pickle.dumps(error))  # noqa: S301


@pytest.mark.parametrize("spare", [copy.copy, copy.deepcopy, pickled])
async def test_errors_can_be_copied_and_pickled(spare: Any) -> None:
    """As pools of processes and task queues do."""
    for how, attribute in ((echo(429), "status"), (reset, "refs")):
        async with Hostile(how) as server, client_of(server.url) as client:
            error = await failure_of(client.sms.send(MESSAGE))
        twin = spare(error)
        assert (type(twin), str(twin)) == (type(error), str(error))
        assert getattr(twin, attribute) == getattr(error, attribute)


def test_equality_and_hash_of_credentials_work_without_showing_them() -> None:
    assert BasicAuth("a", "b") == BasicAuth("a", "b") != BasicAuth("a", "c")
    assert len({MatonAuth("a"), MatonAuth("a"), MatonAuth("a", "b")}) == 2
