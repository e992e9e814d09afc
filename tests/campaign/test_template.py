"""Texts with fields."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aioclicksend.campaign import Campaign, CampaignError, Draft, Problem
from aioclicksend.campaign.columns import Columns
from aioclicksend.campaign.template import NO_VALUE, MissingField, Template


class HasCells(NamedTuple):
    """A row of a sample."""

    cells: dict[str, str]


COLUMNS = Columns(["First Name", "name", "Mobile", "amount"], {"city": "amount"})
ROW = {"First Name": "Anna", "name": "A.", "Mobile": "+61412345678", "amount": "", "city": "no"}


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("Hi {name}!", "Hi A.!"),
        ("{First Name}", "Anna"),
        ("{first_name} {FIRSTNAME}", "Anna Anna"),
        ("{ name }", "A."),
        ("{amount|nothing}", "nothing"),
        ("{city|none}", "none"),
        ("{amount|}.", "."),
        ("{name|friend}", "A."),
        ("{{nobody}} {{{{}}", "{nobody} {{}"),
        ("{to}", "+61412345678"),
        ("plain", "plain"),
        ("a\nb", "a\nb"),
    ],
)
def test_fields_are_filled(text: str, rendered: str) -> None:
    assert Template(text, COLUMNS).render(ROW) == rendered


def test_an_empty_field_without_a_default_refuses_the_row_and_names_the_column() -> None:
    with pytest.raises(MissingField, match="amount is empty") as caught:
        Template("{amount}", COLUMNS).render(ROW)
    assert caught.value.column == "amount"
    with pytest.raises(MissingField):
        Template("{name}", COLUMNS).render({})


def test_what_is_in_a_cell_is_never_a_template_itself() -> None:
    assert Template("{name}", COLUMNS).render({"name": "{Mobile}"}) == "{Mobile}"


def test_an_unknown_field_is_refused_with_the_columns_there_are() -> None:
    with pytest.raises(CampaignError) as caught:
        Template("Hi {nmae}", COLUMNS)
    assert str(caught.value) == (
        "text: there is no column for {nmae}; did you mean name? "
        "the columns are: First Name, name, Mobile, amount"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Hi {name", "character 4: a { without its partner; write {{"),
        ("Hi name}", "character 8: a } without its partner; write }}"),
        ("Hi {}", "no column for {}"),
        ("{name!r}", "no column for {name!r}"),
        ("{name:>10}", "no column for {name:>10}"),
        ("{a{b}c}", "character 1"),
        ("", "empty"),
        (" \n", "empty"),
    ],
)
def test_typos_are_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(CampaignError) as caught:
        Template(text, COLUMNS)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mapping_to_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(CampaignError, match="no column 'Mobil' for to; did you mean Mobile"):
        Columns(["Name", "Mobile"], {"to": "Mobil"})


def test_the_surest_heading_wins() -> None:
    assert Columns(["Phone", "Mobile", "Number"], {}).find("to") == "Mobile"
    assert Columns(["Phone-Number"], {}).find("to") == "Phone-Number"
    assert Columns(["Name"], {}).find("to") is None


@pytest.mark.parametrize(
    "text",
    [
        "Hi {{name}}", "Hi {{ name }}", "Hi {{{name}}}", "Hi {{name|friend}}", "{{contact.name}}",
        "Hi [Name]", "Hi [[name]]", "Hi [First Name]", "Hi %Name%", "Hi %%name%%", "Hi %(name)s",
        "Hi <name>", "Hi <<name>>", "Hi <First Name>", "Hi \xabname\xbb", "Hi *|NAME|*",
        "Hi #name#", "Hi $name", "Hi ${name}", "Hi {amount|x}, [Name]",
        "Hi &lt;name&gt;", "Hi \u2039name\u203a", "Hi \u3010name\u3011", "Hi \uff5bname\uff5d",
        "Hi $(name)", "Hi :name", "Hi @name", "Hi %name", "Hi (Name)", "Hi (First Name)",
        "Hi ~name~", "Hi _name_", "Hi __name__", "Hi |name|", "Hi ^name^", "Hi -name-", "Hi `name`",
        "Hi <%= name %>", "Hi <?= $name ?>", "Hi [% name %]", "Hi {{#name}}", "Hi {{var:name}}",
        "Hi [name|friend]", "Hi %name|friend%", "Hi {{name or 'you'}}", "Hi {{contact->name}}",
    ],
)  # fmt: skip
def test_placeholders_of_other_programs_are_refused_if_there_is_such_a_column(text: str) -> None:
    with pytest.raises(CampaignError, match=r"write \{(contact.)?([Nn]ame|NAME|First Name)\}"):
        Template(text, Columns(COLUMNS.names, {}, [HasCells({"name": "Anna"})]))


@pytest.mark.parametrize(
    "text",
    [
        "50% off, 20% more", "a < b > c", "[sic]", "{{nobody}}", "#1 #2", "100% of [x] <y>",
        "Pay $5 or $city", "%d", "<3", "Order #12# now", "mail shop@name.example", "a:name b",
        "Your name: (none)", "a - name - b", "2*3*4", "snake_name_case", "12:30:45",
    ],
)  # fmt: skip
def test_braces_without_a_column_are_sent_as_they_are(text: str) -> None:
    names = ["name", "First Name", "Mobile"]
    rendered = Template(text, Columns(names, {})).render(ROW)
    assert rendered == text.replace("{{", "{").replace("}}", "}")


def test_a_dollar_before_an_amount_is_money() -> None:
    rows = [HasCells({"amount": "12.50", "name": "Anna"})]
    columns = Columns(["amount", "name"], {}, rows)
    assert Template("Pay ${amount}", columns).render({"amount": "12.50"}) == "Pay $12.50"
    with pytest.raises(CampaignError, match="would be sent with its"):
        Template("Hi ${name}", columns)


def test_spaces_around_a_default_are_taken_off_like_those_around_a_name() -> None:
    assert Template("Hi {name | friend}!", COLUMNS).render({}) == "Hi friend!"


def test_a_byte_order_mark_and_carriage_returns_of_a_file_are_dropped() -> None:
    assert Template("\ufeffHi {name}\r\nBye", COLUMNS).render(ROW) == "Hi A.\nBye"


literal = st.text(st.characters(codec="utf-8"), max_size=30)
values = st.text(st.characters(codec="utf-8"), min_size=1, max_size=10).filter(
    lambda it: it not in NO_VALUE
)


@given(
    st.lists(literal | st.sampled_from([0, 1, 2]), max_size=8), st.tuples(values, values, values)
)
def test_literals_and_values_come_out_as_they_went_in(
    parts: list[str | int], cells: tuple[str, str, str]
) -> None:
    names = ("alpha", "beta", "gamma")
    text = "x" + "".join(
        f"{{{names[it]}}}" if isinstance(it, int) else it.replace("{", "{{").replace("}", "}}")
        for it in parts
    )
    assume("\r\n" not in text)  # a line end of Windows is one of Unix afterwards
    expected = "x" + "".join(cells[it] if isinstance(it, int) else it for it in parts)
    template = Template(text, Columns(list(names), {}))
    assert template.render(dict(zip(names, cells, strict=True))) == expected


@given(st.text("{}|ab ", max_size=20))
def test_any_text_is_taken_or_refused(text: str) -> None:
    try:
        template = Template(text, Columns(["a", "b"], {}))
    except CampaignError:
        return
    template.render({"a": "1", "b": "2"})


def test_a_default_with_two_strokes_is_refused() -> None:
    with pytest.raises(CampaignError, match=r"write \{name\|default\} with one"):
        Template("Hi {name || 'x'}", COLUMNS)


@pytest.mark.parametrize(
    "text", ["Hi {name}", "Hi [name]", "Hi %name%", "Hi {{name}}", "Hi <name>"]
)
async def test_a_text_of_a_row_is_not_sent_with_a_placeholder_in_it(text: str) -> None:
    source = f"to\tname\tbody\n+61412345678\tAnna\t{text}\n+61412345679\tBob\t5 < 6 [sic] {{x}}\n"
    first, second = [it async for it in Campaign(source.encode()).rows(None)]
    assert isinstance(first, Problem)
    assert first.reason == "placeholder"
    assert isinstance(second, Draft)
    assert second.message.body == "5 < 6 [sic] {x}"


@pytest.mark.parametrize("cell", ["NULL", "nan", "<NA>", "\\N", "undefined"])
def test_empty_cells_of_other_programs_are_empty(cell: str) -> None:
    assert Template("Hi {name|friend}", COLUMNS).render({"name": cell}) == "Hi friend"
    with pytest.raises(MissingField, match="name is empty"):
        Template("Hi {name}", COLUMNS).render({"name": cell})
    assert Template("Hi {name}", COLUMNS).render({"name": "Mr Null"}) == "Hi Mr Null"


@pytest.mark.parametrize("cell", ["#N/A", "#REF!", "#NAME?"])
def test_errors_of_a_spreadsheet_are_not_sent(cell: str) -> None:
    with pytest.raises(MissingField, match="name holds an error of a spreadsheet"):
        Template("Hi {name|friend}", COLUMNS).render({"name": cell})
