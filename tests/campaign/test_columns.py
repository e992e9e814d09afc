"""Which column holds what is never guessed between two."""

from __future__ import annotations

import pytest

from aioclicksend.campaign import Campaign, CampaignError, open_table
from aioclicksend.campaign.columns import Columns, fold, is_heading

PHONE = "+61491570006"


def column_of_numbers(source: str, **mapping: str) -> str:
    return Campaign(source.encode(), "Hi", columns=mapping, country="AU").columns["to"]


@pytest.mark.parametrize(
    "heading",
    [
        "Mobile,MOBILE,Phone", "Mobile,Cell", "Phone,Telephone", "phone,Tel", "Mobil,Handy",
        "To,TO", "Recipient,msisdn",
    ],
)  # fmt: skip
def test_columns_with_the_same_claim_are_asked_about(heading: str) -> None:
    source = f"{heading}\n{','.join([PHONE] * 3)}\n"
    with pytest.raises(
        CampaignError, match=r"several columns could hold the phone numbers: "
    ) as it:
        column_of_numbers(source)
    assert "give the one with --column to=COLUMN" in str(it.value)
    first = heading.partition(",")[0]
    assert first in str(it.value)
    assert column_of_numbers(source, to=first) == first


@pytest.mark.parametrize("heading", ["Message,Text", "text,TEXT", "SMS,Message"])
def test_two_columns_of_texts_are_asked_about(heading: str) -> None:
    source = f"to,{heading}\n{PHONE},a,b\n".encode()
    with pytest.raises(CampaignError, match="several columns could hold the texts"):
        Campaign(source)
    assert Campaign(f"to,body,text\n{PHONE},a,b\n".encode()).columns["body"] == "body"


def test_a_mobile_comes_before_a_phone() -> None:
    assert column_of_numbers(f"Phone,Mobile\n{PHONE},{PHONE}\n") == "Mobile"


def test_a_weak_heading_gives_way_to_doubt() -> None:
    members = "Number,Name,Contact\n421000001,Anna,0411111111\n421000002,Bob,0422222222\n"
    with pytest.raises(CampaignError, match="phone numbers: Number, Contact; give"):
        column_of_numbers(members)
    assert column_of_numbers(members, to="Contact") == "Contact"
    assert column_of_numbers("Number,Name\n0411111111,Anna\n") == "Number"


def test_a_heading_contradicted_by_its_cells_is_asked_about() -> None:
    with pytest.raises(CampaignError, match="phone numbers: to, contact; give"):
        column_of_numbers("from,to,contact\nMon,Tue,0411111111\nTue,Wed,0422222222\n")
    assert column_of_numbers("from,to\nMon,n/a\nTue,none\n") == "to"


@pytest.mark.parametrize(
    ("heading", "hint"),
    [
        ("name,Phone 1 - Value", "did you mean Phone 1 - Value?"),
        ("name,Where to reach", "did you mean Where to reach?"),
        ("name,Tel. privat", "did you mean Tel. privat?"),
    ],
)
def test_a_column_of_numbers_with_another_heading_is_offered(heading: str, hint: str) -> None:
    for cell in ("0411 111 111", "+61 411 111 111 ::: +61 422 222 222"):
        with pytest.raises(CampaignError, match="no column is known to hold phone numbers") as it:
            column_of_numbers(f"{heading}\nAnna,{cell}\n")
        assert hint in str(it.value)


def test_names_are_found_however_they_are_composed() -> None:
    columns = Columns(["Pre\u0301nom", "STRASSE", "First-Name"], {})
    assert columns.find("Pr\xe9nom") == "Pre\u0301nom"
    assert columns.find("Stra\xdfe") == "STRASSE"
    assert columns.find("first name") == "First-Name"
    assert fold("\uff2dobile") == "mobile"


def test_names_that_differ_only_in_case_are_both_offered() -> None:
    with pytest.raises(CampaignError, match=r"no column for \{name\}; did you mean Name or NAME\?"):
        Campaign(f"Name,NAME,to\nA,B,{PHONE}\n".encode(), "Hi {name}")


@pytest.mark.parametrize(
    ("cells", "is_one"),
    [
        (["name", "mobile", "2023-2024"], True),
        (["name", "mobile", "20240131"], True),
        (["[Name]", "[Mobile]"], True),
        (["{name}", "{mobile}"], True),
        (["to"], True),
        (["Anna", "0411111111"], False),
        (["\u202a+61411111111\u202c"], False),
        (["0411/111 111"], False),
    ],
)
def test_a_heading_is_known_by_its_names_and_by_having_no_number(
    cells: list[str],
    is_one: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    assert is_heading(cells) is is_one


@pytest.mark.parametrize(
    "source",
    [
        '"sep=;"\nname;to\nAnna;+61411111111\n',
        "SEP=;\nname;to\nAnna;+61411111111\n",
        "[Name],[To]\nAnna,+61411111111\n",
        "{name},{to}\nAnna,+61411111111\n",
        '"Last, First";To\n"Smith, Anna";+61411111111\n',
        'name,to\n="Anna",="+61411111111"\n',
        'name,to\n"=""Anna""","=""+61411111111"""\n',
    ],
)
def test_tables_of_other_programs_are_read(source: str) -> None:
    (row,) = open_table(source.encode())
    assert [it.removeprefix("Smith, ") for it in row.cells.values()] == ["Anna", "+61411111111"]


def test_similar_names_are_looked_for_in_a_bounded_time() -> None:
    names = [f"column {it}" * 50 for it in range(40_000)]
    with pytest.raises(CampaignError, match="there is no column 'columm'"):
        Columns(names, {"to": "columm"})


@pytest.mark.parametrize(
    ("heading", "column"),
    [
        ("Phone,Portable", "Portable"),
        ("Téléphone,Téléphone portable", "Téléphone portable"),
        ("Teléfono,Teléfono móvil", "Teléfono móvil"),
        ("Telefono,Cellulare", "Cellulare"),
        ("Telefon,Mobiltelefon", "Mobiltelefon"),
        ("Telefone,Telemóvel", "Telemóvel"),
        ("Telefoon,Mobiel", "Mobiel"),
        ("Телефон,Мобильный", "Мобильный"),
        ("電話番号,携帯", "携帯"),
        ("Rufnummer,Name", "Rufnummer"),
        ("TELEFONNUMMER,Name", "TELEFONNUMMER"),
    ],
)
def test_headings_of_other_languages_are_known(heading: str, column: str) -> None:
    first, second = (
        ("+61411111111", "+61422222222") if "Name" not in heading else ("+61411111111", "A")
    )
    source = f"{heading}\n{first},{second}\n".encode()
    assert Campaign(source, "Hi").columns["to"] == column


@pytest.mark.parametrize(
    ("source", "text", "match"),
    [
        (
            "name,phone,phone\nA,+61411111111,+61422222222\n",
            "Hi",
            "did you mean phone 2 or phone 3",
        ),
        (
            "name,to,name\nA,+61411111111,B\n",
            "Hi {name}",
            "no column for {name}.*name 1, to, name 3",
        ),
        ("to,TO\n+61411111111,+61422222222\n", "Hi", "several columns could hold.*: to, TO"),
    ],
)
def test_a_heading_that_comes_twice_is_asked_about(source: str, text: str, match: str) -> None:
    with pytest.raises(CampaignError, match=match):
        Campaign(source.encode(), text)
