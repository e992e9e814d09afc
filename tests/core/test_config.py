"""Setting a client up; what is wrong is said before anything is sent."""

from __future__ import annotations

import math
import os
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aioclicksend as ac
from aioclicksend import (
    BasicAuth,
    ClickSend,
    ConfigurationError,
    MatonAuth,
    RateLimit,
    Retry,
    Timeout,
)
from aioclicksend.config import auth_from_environment, checked_url

from ..hostile import Hostile
from .helpers import AUTH, client_of

BASIC = {"CLICKSEND_USERNAME": "someone", "CLICKSEND_API_KEY": "key"}
MATON = {"MATON_API_KEY": "maton"}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the shell of whoever runs this has set."""
    for name in os.environ:
        if name.startswith(("CLICKSEND_", "MATON_")):
            monkeypatch.delenv(name)


def set_all(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


# Credentials


@pytest.mark.parametrize(
    ("environ", "auth"),
    [
        (BASIC, BasicAuth("someone", "key")),
        (MATON, MatonAuth("maton")),
        (MATON | {"MATON_CONNECTION_ID": "one"}, MatonAuth("maton", "one")),
        (MATON | {"MATON_CONNECTION_ID": ""}, MatonAuth("maton")),
        (MATON | {"CLICKSEND_USERNAME": "", "CLICKSEND_API_KEY": ""}, MatonAuth("maton")),
        (BASIC | {"MATON_API_KEY": ""}, BasicAuth("someone", "key")),
        (BASIC | {"MATON_CONNECTION_ID": "one"}, BasicAuth("someone", "key")),
    ],
)
def test_credentials_come_from_the_environment(environ: dict[str, str], auth: object) -> None:
    assert auth_from_environment(environ) == auth


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({}, ["CLICKSEND_USERNAME", "CLICKSEND_API_KEY", "MATON_API_KEY", "auth="]),
        ({"MATON_CONNECTION_ID": "one"}, ["no credentials"]),
        ({"CLICKSEND_USERNAME": "someone"}, ["CLICKSEND_API_KEY is not set"]),
        ({"CLICKSEND_API_KEY": "key"}, ["CLICKSEND_USERNAME is not set"]),
        (BASIC | {"CLICKSEND_API_KEY": ""}, ["CLICKSEND_API_KEY is not set"]),
        (BASIC | MATON, ["both", "unset"]),
        ({"CLICKSEND_USERNAME": "someone"} | MATON, ["both"]),
        ({"CLICKSEND_API_KEY": "key"} | MATON, ["both"]),
    ],
)
def test_missing_halved_or_doubled_credentials_are_refused(
    environ: dict[str, str], says: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, environ)
    with pytest.raises(ConfigurationError) as raised:
        ClickSend()
    for words in says:
        assert words in str(raised.value)
    assert "someone" not in str(raised.value)


def test_credentials_that_are_given_go_before_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_all(monkeypatch, BASIC | MATON)
    assert "rest.clicksend.com" in repr(ClickSend(auth=AUTH))
    assert "gateway.maton.ai/clicksend" in repr(ClickSend(auth=MatonAuth("k")))


@pytest.mark.parametrize("auth", ["someone:key", ("someone", "key"), aiohttp, object()])
def test_what_is_no_auth_is_refused(auth: Any) -> None:
    with pytest.raises(ConfigurationError, match="auth must be BasicAuth"):
        ClickSend(auth=auth)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        " ",
        "a\r\nX-Evil: yes",
        "a\nb",
        "a\tb",
        "a\0b",
        "a\x7fb",
        "a\x85b",
        "a\u2028b",
        "\ud800",
        None,
        7,
    ],
)
def test_what_no_header_can_carry_is_refused_and_not_shown(bad: Any) -> None:
    for make in (
        lambda: BasicAuth(bad, "key"),
        lambda: BasicAuth("someone", bad),
        lambda: MatonAuth(bad),
        lambda: MatonAuth("key", bad or ""),
    ):
        with pytest.raises(ConfigurationError) as raised:
            make()
        assert "Evil" not in str(raised.value)


def test_a_user_name_with_a_colon_is_refused() -> None:
    """Basic authentication has no way to say it."""
    with pytest.raises(ConfigurationError, match="colon"):
        BasicAuth("some:one", "key")


# Hosts


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("https://rest.clicksend.com", "https://rest.clicksend.com"),
        ("https://rest.clicksend.com/", "https://rest.clicksend.com"),
        ("https://rest.clicksend.com/v3", "https://rest.clicksend.com"),
        ("https://rest.clicksend.com/v3/", "https://rest.clicksend.com"),
        ("https://rest.clicksend.com//v3//", "https://rest.clicksend.com"),
        (" https://rest.clicksend.com \n", "https://rest.clicksend.com"),
        ("https://api.maton.ai/clicksend/v3", "https://api.maton.ai/clicksend"),
        ("https://api.maton.ai/clicksend/", "https://api.maton.ai/clicksend"),
        ("https://host:8443/a/b", "https://host:8443/a/b"),
        ("https://host/v30", "https://host/v30"),
        ("HTTPS://Host/x", "https://Host/x"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:8080/v3", "http://127.0.0.1:8080"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_a_base_url_is_everything_before_v3(url: str, checked: str) -> None:
    assert checked_url(url, "base_url") == checked


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://rest.clicksend.com", "plain http"),
        ("http://10.0.0.1", "plain http"),
        ("http://0.0.0.0:8080", "plain http"),
        ("http://localhost.example.com", "plain http"),
        ("http://x.localhost", "plain http"),
        ("http://localhost.", "plain http"),
        ("http://127.1", "plain http"),
        ("http://2130706433", "plain http"),
        ("http://127.0.0.1.example.com", "plain http"),
        ("http://[2001:db8::1]", "plain http"),
        ("https://user:secret@rest.clicksend.com", "must not hold credentials"),
        ("https://user@rest.clicksend.com", "must not hold credentials"),
        ("http://localhost@rest.clicksend.com", "must not hold credentials"),
        ("https://host?key=secret", "neither query nor fragment"),
        ("https://host/#secret", "neither query nor fragment"),
        ("rest.clicksend.com", "must look like"),
        ("//rest.clicksend.com", "must look like"),
        ("ftp://rest.clicksend.com", "must look like"),
        ("file:///etc/passwd", "must look like"),
        ("https://", "must look like"),
        ("", "must look like"),
        ("https://host:port", "must look like"),
        ("https://host:99999", "must look like"),
        ("https://[::1", "must look like"),
        ("https://ho st", "must look like"),
        ("https://host/a b", "must look like"),
        ("https://host/a\r\nX-Evil: yes", "must look like"),
        ("https://bücher.example", "must look like"),
    ],
)
def test_an_address_that_is_unsafe_or_none_is_refused_and_not_shown(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=f"base_url.*{says}") as raised:
        checked_url(url, "base_url")
    assert "secret" not in str(raised.value)
    assert "Evil" not in str(raised.value)


@given(st.text() | st.from_regex(r"https?://[a-z@:/?#\[\].0-9%]{0,20}"))
def test_any_text_is_an_address_or_a_configuration_error(url: str) -> None:
    try:
        checked = checked_url(url, "base_url")
    except ConfigurationError:
        return
    assert checked.startswith(("https://", "http://"))
    assert not checked.endswith("/")
    assert checked.isascii()
    assert checked_url(checked, "base_url").rstrip("/") == checked.removesuffix("/v3").rstrip("/")


async def test_both_hosts_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Hostile(lambda line, _: line.ok({})) as server:
        set_all(
            monkeypatch,
            MATON
            | {
                "CLICKSEND_BASE_URL": f"{server.url}/clicksend/v3/",
                "MATON_CONTROL_URL": f"{server.url}/control/",
            },
        )
        async with ClickSend() as client:
            await client.account.get()
            await client.connections.all()
    assert [it.path for it in server.arrivals] == [
        "/clicksend/v3/account",
        "/control/connections",
    ]


@pytest.mark.parametrize("path", ["", "/", "/v3", "/clicksend", "/clicksend/v3/"])
async def test_a_maton_client_of_a_sandbox_never_leaves_this_machine(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Hostile(lambda line, _: line.ok({})) as server:
        set_all(monkeypatch, MATON | {"CLICKSEND_BASE_URL": server.url + path})
        async with ClickSend() as client:
            await client.account.get()
            await client.connections.all()
    assert [it.path for it in server.arrivals] == ["/clicksend/v3/account", "/connections"]


async def test_a_sandbox_that_is_given_has_its_control_plane_too() -> None:
    async with Hostile(lambda line, _: line.ok({})) as server:
        async with ClickSend(auth=MatonAuth("key"), base_url=f"{server.url}/clicksend") as client:
            await client.connections.all()
    assert [it.path for it in server.arrivals] == ["/connections"]


def test_a_loopback_base_url_changes_nothing_for_clicksends_own_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLICKSEND_BASE_URL", "http://127.0.0.1:9")
    assert ClickSend(auth=AUTH).base_url == "http://127.0.0.1:9"


async def test_hosts_that_are_given_go_before_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nowhere = "http://127.0.0.1:9"
    set_all(monkeypatch, {"CLICKSEND_BASE_URL": nowhere, "MATON_CONTROL_URL": nowhere})
    async with Hostile(lambda line, _: line.ok({})) as server:
        auth = MatonAuth("key")
        async with ClickSend(auth=auth, base_url=server.url, control_url=server.url) as client:
            await client.account.get()
            await client.connections.all()
    assert len(server.arrivals) == 2


@pytest.mark.parametrize("name", ["CLICKSEND_BASE_URL", "MATON_CONTROL_URL"])
def test_an_unsafe_host_of_the_environment_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "http://rest.clicksend.com")
    with pytest.raises(ConfigurationError, match="plain http"):
        ClickSend(auth=MatonAuth("key"))


def test_the_usual_hosts() -> None:
    basic, maton = ClickSend(auth=AUTH), ClickSend(auth=MatonAuth("key"))
    assert repr(basic) == "ClickSend('https://rest.clicksend.com/v3/')"
    assert repr(maton) == "ClickSend('https://gateway.maton.ai/clicksend/v3/')"
    assert maton._session.url("/connections") == "https://ctrl.maton.ai/connections"


async def test_connections_without_maton_are_refused_before_anything_is_sent() -> None:
    async with Hostile() as server, client_of(server.url, control_url=server.url) as client:
        for call in (
            client.connections.all,
            client.connections.create,
            lambda: client.connections.get("one"),
            lambda: client.connections.delete("one"),
        ):
            with pytest.raises(ConfigurationError, match="MatonAuth"):
                await call()
    assert server.arrivals == []


# Numbers


@pytest.mark.parametrize("bad", [0, -1, -0.5, math.nan])
@pytest.mark.parametrize(
    "make",
    [
        lambda bad: RateLimit(requests=bad),
        lambda bad: RateLimit(per=bad),
        lambda bad: Timeout(connect=bad),
        lambda bad: Timeout(read=bad),
        lambda bad: Timeout(pool=bad),
        lambda bad: Retry(attempts=bad),
        lambda bad: Retry(cap=bad),
        lambda bad: Retry(server_cap=bad),
    ],
)
def test_numbers_that_make_no_sense_are_refused(make: Any, bad: float) -> None:
    with pytest.raises(ConfigurationError, match="must be greater than 0"):
        make(bad)


@pytest.mark.parametrize("make", [lambda: Retry(base=-1), lambda: Retry(budget=-1)])
def test_waits_and_budgets_can_be_none_but_not_negative(make: Any) -> None:
    with pytest.raises(ConfigurationError, match="must not be negative"):
        make()
    assert (Retry(base=0).base, Retry(budget=0).budget) == (0, 0)


def test_settings_are_frozen_and_can_be_shared() -> None:
    for setting in (Retry(), Timeout(), RateLimit(), ac.Hooks(), AUTH, MatonAuth("key")):
        with pytest.raises(AttributeError):
            setattr(setting, setting.__struct_fields__[0], 1)
        assert hash(setting) == hash(setting)


def test_every_configuration_error_is_one_of_ours() -> None:
    assert issubclass(ConfigurationError, ac.ClickSendError)
