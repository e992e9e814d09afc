"""Files written for people."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import sys
from pathlib import Path

import pytest

from aioclicksend.campaign import CampaignError
from aioclicksend.campaign.writing import harmless, table_file, table_text


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "+SUM(1)",
        "\uff1d1",
    ],
)
def test_what_a_spreadsheet_would_run_is_quoted(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("Ann;=1+1", "Ann;'=1+1"),
        ("Ann\t@SUM(A1)", "Ann\t'@SUM(A1)"),
        (";  -1|cmd", ";  '-1|cmd"),
        ("a;b", "a;b"),
        ("=1;=2", "'=1;'=2"),
    ],
)
def test_a_formula_behind_another_separator_is_quoted(cell: str, written: str) -> None:
    assert harmless(cell) == written


@pytest.mark.parametrize("cell", ["+61412345678", "-0.5", "+61 (0) 412", "Ann", "", "a=b", 5, None])
def test_numbers_and_plain_texts_stay_as_they_are(cell: object) -> None:
    assert harmless(cell) == cell


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    with pytest.raises(ZeroDivisionError), table_file(path, ("a",)) as write:
        write((1 / 0,))
    assert list(tmp_path.iterdir()) == []
    with table_file(path, ("a", "b")) as write:
        write(("=1", None))
        assert not path.exists()
    assert rows(path) == [["a", "b"], ["'=1", ""]]
    assert list(tmp_path.iterdir()) == [path]


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_at_a_terminal_holds_nothing_that_controls_it() -> None:
    for file, is_clean in ((Screen(), True), (io.StringIO(), False)):
        with table_text(file, ("name\x1b[2J", "number")) as write:
            write(("Ann\x1b]0;owned\x07\nINFO", None))
        assert ("\x1b" not in file.getvalue()) is is_clean
        assert (file.getvalue().count("\n") == 2) is is_clean


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_a_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.touch(0o644)
    with table_file(path, ("a",)):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_input_is_never_replaced(tmp_path: Path) -> None:
    path, link, hard = (tmp_path / f"{it}.csv" for it in ("list", "link", "hard"))
    path.write_text("to\n+61412345678\n")
    link.symlink_to(path)
    os.link(path, hard)
    around = tmp_path / "x" / ".." / "list.csv"
    parts_of_a_journal = [tmp_path / f"list.csv{it}" for it in ("-wal", "-shm", "-journal")]
    for target in (path, link, hard, around, *parts_of_a_journal):
        (tmp_path / "x").mkdir(exist_ok=True)
        with (
            pytest.raises(CampaignError, match="one of the files"),
            table_file(target, ("a",), [None, str(path)]),
        ):
            pass
    with (
        pytest.raises(CampaignError, match="cannot be written"),
        table_file(tmp_path / "no" / "r.csv", ("a",)),
    ):
        pass
    with pytest.raises(CampaignError, match="is not a file"), table_file(tmp_path, ("a",)):
        pass
    assert path.read_text() == "to\n+61412345678\n"


def test_json_and_spreadsheets_by_the_name_of_the_file(tmp_path: Path) -> None:
    calamine = pytest.importorskip("python_calamine")
    pytest.importorskip("xlsxwriter")
    for name in ("r.json", "r.xlsx", "none.json"):
        with table_file(tmp_path / name, ("to", "parts")) as write:
            if name != "none.json":
                write(("=+61", 2))
                write(("Zo\u00eb", None))
    assert json.loads((tmp_path / "r.json").read_text()) == [
        {"to": "=+61", "parts": 2},
        {"to": "Zo\u00eb", "parts": None},
    ]
    assert json.loads((tmp_path / "none.json").read_text()) == []
    sheet = calamine.CalamineWorkbook.from_path(str(tmp_path / "r.xlsx")).get_sheet_by_index(0)
    assert sheet.to_python() == [["to", "parts"], ["=+61", 2.0], ["Zo\u00eb", ""]]
