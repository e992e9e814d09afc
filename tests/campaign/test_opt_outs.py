"""Opt-outs never fail open."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioclicksend.campaign import Campaign, CampaignError, Draft, open_table
from aioclicksend.campaign.numbers import Numbers
from aioclicksend.campaign.opt_outs import OptOuts
from aioclicksend.webhooks.suppression import is_opt_out_list

from .sheets import xlsx

pytest.importorskip("phonenumbers", reason="the extra phone is absent")

PEOPLE = b"name,to\nAnna,+61411111111\nBob,+61422222222\nCleo,+61433333333\n"


async def read(source: bytes, country: str | None = None) -> OptOuts:
    opt_outs = OptOuts(Numbers(country))
    await opt_outs.read(open_table(source), None)
    return opt_outs


async def sent(opt_out: bytes, source: bytes = PEOPLE, **options: Any) -> list[str | None]:
    campaign = Campaign(source, "Hi", opt_out=[opt_out], **options)
    return [it.message.to async for it in campaign.rows(None) if isinstance(it, Draft)]


@pytest.mark.parametrize(
    ("source", "unread"),
    [
        (b"number,reason\n+61411111111,no more, thanks\n+61422222222,ok\n", ["row 2"]),
        (b'number,reason\n"+61411111111"x,no\n+61422222222,\n', ["row 2"]),
        (b'{"to":"+61422222222"}\n{"to":"+61411111111",}\n', ["row 2"]),
        (b'number,note\n"+61411111111,a\n+61422222222,b\nx",c\n', ["row 2", "row 3", "row 4"]),
        (b"number\n+61411111111\n+61422222222\nno number\n", ["row 4"]),
        (b"number,when\n+61411111111,2024-01-01\n+61422222222,\n,20240101\n", ["row 4"]),
        (b"mobile,phone\n,+61411111111\n+61422222222,\n", []),
        (b"mobile,phone\n+61411111111,+61422222222\n", []),
        (b"mobile,phone\nn/a,+61411111111\n+61422222222,\n", ["row 2"]),
        (b"who,contact\nAnna,+61411111111\nBob,+61422222222\nCy,none\n", ["row 4"]),
        (b"phone\n+61411111111 / +61422222222\n", []),
        (b"phone\n+61 411 111 111 ::: +61 422 222 222\n", []),
        (b'phone\n"+61411111111; +61422222222"\n', []),
        (b'phone\n"+61411111111\n+61422222222"\n', ["row 2", "row 3"]),
        ("phone\nAnna\u00a0+61411111111 (Büro)\n+61422222222\n".encode(), ["row 2"]),
        (
            b"who,ref\n+61411111111,+61398765431\n+61422222222,+61398765432\nn/a,+61398765433\n",
            ["row 4"],
        ),
        (b"jid\n61411111111@s.whatsapp.net\nhttps://wa.me/61422222222\n", ["row 2", "row 3"]),
        (b"- +61411111111\n1. +61422222222\n", ["row 1", "row 2"]),
        (b"phone,name\n+61411111111,Ren\xe9\n+61422222222,Zo\xc3\xab\n", ["row 2"]),
    ],
)
async def test_every_number_of_a_row_counts_and_a_row_without_one_is_unread(
    source: bytes, unread: list[str]
) -> None:
    opt_outs = await read(source)
    assert "+61411111111" in opt_outs
    assert "+61422222222" in opt_outs
    assert opt_outs.unread == [f"the input, {it}" for it in unread]


@pytest.mark.parametrize(
    "first",
    [
        "\u202a+61411111111\u202c,", "+61\u00a0411\u00a0111\u00a0111", "'+61411111111",
        "tel:+61411111111", "+61 411\u2011111\u2011111", '="+61411111111"', "p:+61411111111",
        "\uff0b61411111111", "+61 411/111 111", "\u200b+61411111111", "+61411111111.0",
    ],
)  # fmt: skip
async def test_a_first_number_is_no_heading(first: str) -> None:
    opt_outs = await read(f"{first}\n+61422222222\n".encode())
    assert "+61411111111" in opt_outs
    assert not opt_outs.unread


async def test_a_first_line_that_is_a_broken_number_is_unread() -> None:
    assert (await read(b"+6141111111x\n+61422222222\n")).unread == ["the input, row 1"]
    assert (await read(b"Stop list\n+61422222222\n")).unread == []


async def test_both_readings_of_a_number_are_left_out() -> None:
    people = b"name,to\nAnna,+4917139200123\nBob,+494917139200123\nCy,+4917139200124\n"
    assert await sent(b"number\n4917139200123\n", people, country="DE", landlines=True) == [
        "+4917139200124"
    ]


async def test_an_opt_out_without_country_matches_with_a_plus_and_is_reported_unread() -> None:
    opt_outs = await read(b"number\n61411111111\n")
    assert "+61411111111" in opt_outs
    assert opt_outs.unread == ["the input, row 2"]
    assert (await read(b"number\n61411111111\n", "AU")).unread == []


async def test_an_unread_opt_out_stops_what_is_sent_unless_ignored() -> None:
    made = Campaign(PEOPLE, "Hi", opt_out=[b"number\nAnna\n"])
    plan = await made.plan()
    assert (plan.unread_opt_outs, plan.is_clean) == (["the input, row 2"], False)
    with pytest.raises(CampaignError, match="no number could be read in the input, row 2"):
        await anext(made.messages(None))  # type: ignore[arg-type]
    ignoring = Campaign(PEOPLE, "Hi", opt_out=[b"number\nAnna\n"], ignore_unread_opt_outs=True)
    assert (await anext(ignoring.messages(None))).to == "+61411111111"  # type: ignore[arg-type]


async def test_an_unclosed_quote_refuses_the_file() -> None:
    with pytest.raises(CampaignError, match="is never closed"):
        await read(b'number,note\n+61422222222,a\n+61411111111,"b\n')


async def test_another_sheet_with_numbers_is_unread_and_hidden_rows_count() -> None:
    book = xlsx(Stop=[["number"], ["+61411111111"]], More=[["number"], ["+61422222222"]])
    assert (await read(book)).unread == ["the input, sheet More"]
    notes = xlsx(Stop=[["number"], ["+61411111111"]], Notes=[["read me"]])
    assert (await read(notes)).unread == []
    hidden = await read(xlsx(Stop=[["number"], ["+61411111111"]], hidden_rows={2}))
    assert "+61411111111" in hidden
    assert not hidden.unread


async def test_a_file_without_any_number_is_refused() -> None:
    with pytest.raises(CampaignError, match="no column of the input holds numbers"):
        await read(b"when,why\n2024-01-01,asked\n")


numbers = st.integers(0, 40).map(lambda it: f"+614111111{it:02}")
junk = st.sampled_from(["", "n/a", "Anna", "2024-01-01", "12", 'a "b" c', "x, y", "call 12 34"])
spelled = st.builds(
    lambda number, form: form(number),
    numbers,
    st.sampled_from(
        [
            str,
            lambda it: f"{it[:3]} {it[3:6]} {it[6:9]} {it[9:]}",
            lambda it: f"0{it[3:]}",
            lambda it: f"tel:{it}",
            lambda it: f"'{it}",
            lambda it: f"\u202a{it}\u202c",
            lambda it: f"+61 (0) {it[3:]}",
            lambda it: it.removeprefix("+"),
            lambda it: f"00{it[1:]}",
        ]
    ),
)


@settings(max_examples=120)
@given(
    st.lists(st.tuples(spelled | junk, spelled | junk, junk), min_size=1, max_size=9),
    st.sampled_from([("phone", "mobile", "note"), ("to", "since", "who"), ("a", "b", "c")]),
)
async def test_opt_outs_are_what_a_model_says(
    lines: list[tuple[str, str, str]], heading: tuple[str, str, str]
) -> None:
    """The model: strip everything but digits, and compare the last nine."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([heading, *lines])
    try:
        opt_outs = await read(out.getvalue().encode(), "AU")
    except CampaignError as error:
        assert "holds numbers" in str(error) or "no rows" in str(error)  # noqa: PT017
        assert not any("4111111" in cell.replace(" ", "") for line in lines for cell in line)
        return
    expected = {
        "+61" + digits[-9:]
        for line in lines
        for cell in line
        if len(digits := "".join(filter(str.isdigit, cell))) >= 9
    }
    assert {f"+614111111{it:02}" for it in range(41)} & expected == expected
    assert all(number in opt_outs for number in expected)
    for row, line in enumerate(lines, 2):
        if any(map(str.strip, line)) and not any("4111111" in it.replace(" ", "") for it in line):
            assert f"the input, row {row}" in opt_outs.unread


@pytest.mark.parametrize(
    "cell",
    ["Anna 0411111111", "0411 111 111 (Anna)", "1. 0411111111", "0411111111 0422222222"],
)
async def test_local_numbers_within_text_are_obeyed_and_reported(cell: str) -> None:
    opt_outs = await read(f"phone\n{cell}\n+61433333333\n".encode(), "AU")
    assert "+61411111111" in opt_outs
    assert len(opt_outs.unread) == 1


async def test_cells_of_blanks_are_read_in_linear_time() -> None:
    hostile = "phone\n" + ("1" + " " * 9_000 + "2\n") * 50
    assert len((await read(hostile.encode())).unread) == 50  # took minutes


@pytest.mark.parametrize("heading", ["Unsubscribed", "opt_out", "Do not contact", "Désabonné"])
async def test_a_column_of_the_list_can_say_who_opted_out(heading: str) -> None:
    source = (
        f"name,to,{heading}\nAnna,+61411111111,yes\nBob,+61422222222,no\nCleo,+61433333333,\n"
        "Dan,+61444444444,2026-01-31\nAnna again,+61411111111,\n"
    ).encode()
    assert await sent(b"phone\n", source) == ["+61422222222", "+61433333333"]
    assert len(await sent(b"phone\n", source, columns={"opt_out": ""})) == 4


async def test_a_link_to_opt_out_in_the_text_says_nothing_of_the_recipient() -> None:
    source = b"to,optout\n+61411111111,https://a.example/1\n"
    campaign = Campaign(source, "Hi, opt out: {optout}")
    assert [it.message.to async for it in campaign.rows(None) if isinstance(it, Draft)]


@pytest.mark.parametrize(
    ("name", "obeyed"),
    [
        ("Opt-Out List", True),
        ("Désinscriptions 2026", True),
        ("Unsubscribed", True),
        ("Do Not Contact", True),
        ("STOP", True),
        ("Abmeldungen", True),
        ("Spring sale", False),
        ("Stop the flood: donors", False),
    ],
)
def test_opt_out_lists_of_the_account_are_known_in_several_languages(
    name: str,
    obeyed: bool,  # noqa: FBT001
) -> None:
    assert is_opt_out_list(name) is obeyed
