"""A list of people: planned as a campaign, or only its numbers read with `phonenumbers`."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

from ..meter import Meter

_CHUNK = 10_000


def numbers(count: int) -> Iterator[str]:
    """Yield numbers as lists have them: local and written out, bare and with spaces."""
    random = Random(1)
    for place in range(count):
        digits = f"4{random.randrange(10**8):08}"
        match place % 4:
            case 0:
                yield f"+61{digits}"
            case 1:
                yield f"0{digits}"
            case 2:
                yield f"0{digits[:3]} {digits[3:6]} {digits[6:]}"
            case _:
                yield f"+1{random.choice((212, 415, 604))}{random.randrange(2_000_000, 9_999_999)}"


def plan(_url: str, count: int) -> dict[str, float]:
    """Plan a campaign offline, from its file to the finished plan."""
    from aioclicksend.campaign import Campaign  # noqa: PLC0415 - only this contestant needs it

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "people.csv")
        with path.open("w", encoding="utf-8") as file:
            file.write("name,mobile,city\n")
            file.writelines(f"Anna {n % 97},{it},Sydney\n" for n, it in enumerate(numbers(count)))
        with Meter() as meter:
            text = "Hi {name|friend}, we open in {city} at 9. Reply STOP to opt out."
            made = asyncio.run(Campaign(path, text, country="AU").plan())
    assert made.rows == count
    return meter.result(count)


def parse(_url: str, count: int) -> dict[str, float]:
    """Parse the numbers, and ask for what a plan says of each: possible, its kind, its country."""
    import phonenumbers as lib  # noqa: PLC0415 - only this contestant needs it

    kinds: dict[tuple[int, str | None], int] = {}
    texts = list(numbers(min(count, _CHUNK)))
    with Meter() as meter:
        for _ in range(0, count, _CHUNK):
            for text in texts:
                parsed = lib.parse(text, "AU")
                if lib.is_possible_number(parsed):
                    kind = lib.number_type(parsed), lib.region_code_for_number(parsed)
                    kinds[kind] = kinds.get(kind, 0) + 1
    return meter.result(count)


def parse_only(_url: str, count: int) -> dict[str, float]:
    """Parse the numbers, and nothing else."""
    import phonenumbers as lib  # noqa: PLC0415 - only this contestant needs it

    texts = list(numbers(min(count, _CHUNK)))
    with Meter() as meter:
        for _ in range(0, count, _CHUNK):
            for text in texts:
                lib.parse(text, "AU")
    return meter.result(count)
