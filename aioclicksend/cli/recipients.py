"""People who do not exist: a CSV of recipients for the demonstration.

Their numbers are set aside by the regulators for films and books, or are ClickSend's own test
numbers. They are not in use.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from random import Random

from msgspec import Struct

from ..models.messages import SmsMessage

_AUSTRALIA = (
    6, 110, 156, 157, 158, 159, 313, 737, 1266, 1491, 1804, 2549, 2665, 2983, 3087, 3770, 4118,
    4632, 5254, 5789, 6398, 6801, 7426, 7644, 8148, 8888, 8957, 9212, 9455, 9760,
)  # fmt: skip
_TEST_NUMBERS = ("+61411111111", "+61422222222", "+61433333333", "+61444444444")
_US_AREAS = (
    201, 202, 206, 212, 213, 214, 303, 305, 312, 313, 314, 404, 405, 412, 415, 503, 505, 512, 515,
    602, 605, 612, 614, 615, 617, 619, 701, 702, 713, 716, 717, 801, 802, 808, 816, 901, 904, 916,
)  # fmt: skip

COUNTRIES = {
    "AU": "Australia",
    "US": "United States",
    "GB": "United Kingdom",
    "FR": "France",
    "IE": "Ireland",
    "DE": "Germany",
    "SE": "Sweden",
}
_WEIGHTS = (2, 34, 19, 22, 17, 4, 2)

MOST = 100_000
"""Recipients there are numbers for."""

_NAMES = (
    "Ada", "Alan", "Barbara", "Claude", "Donald", "Edsger", "Ewa", "Frances", "Grace", "Hedy",
    "Ida", "Joan", "Katherine", "Leslie", "Margaret", "Mileva", "Niklaus", "Noor", "Radia",
    "Søren", "Tony", "Ursula", "Zoë", "Łukasz",
)  # fmt: skip
_TEXT = "Hi {name}, your parcel is out for delivery today between 2 and 4 pm. Track it: pkg.example"
_MISTAKES = ("+1555{:03d}", "+4477009{:02d}", "+336399800{:04d}", "+6149157{:02d}")


class Recipients(Struct):
    """What is in the file."""

    path: Path
    by_country: dict[str, int]
    wrong: frozenset[str]
    """Refs of those whose number cannot be right."""

    @property
    def refs(self) -> list[str]:
        """The refs of all, in their order."""
        return [ref_of(index) for index in range(sum(self.by_country.values()))]

    def messages(self) -> Iterator[SmsMessage]:
        """Read the file and yield a message for each row, one at a time."""
        with self.path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield SmsMessage(
                    to=row["phone_number"],
                    body=_TEXT.format(name=row["first_name"]),
                    custom_string=row["ref"],
                )


def write(path: Path, rows: int, random: Random) -> Recipients:
    """Write a file of recipients, of whom some have a wrong number.

    Raises:
        FileExistsError: there is such a file.

    """
    numbers = {country: _numbers(country) for country in COUNTRIES}
    spare = numbers["IE"]
    by_country: Counter[str] = Counter()
    wrong: set[str] = set()
    # Together, as a careless import leaves them.
    mistakes = range(rows // 2, rows // 2 + max(1, min(rows // 100, 36)))
    with path.open("x", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("ref", "first_name", "phone_number"))
        for index in range(rows):
            (country,) = random.choices(tuple(COUNTRIES), _WEIGHTS)
            number = next(numbers[country], None)
            if number is None:
                country, number = "IE", next(spare)
            if index in mistakes:
                number = random.choice(_MISTAKES).format(index % 100)
                wrong.add(ref_of(index))
            by_country[country] += 1
            table.writerow((ref_of(index), random.choice(_NAMES), number))
    return Recipients(path, dict(by_country.most_common()), frozenset(wrong))


def ref_of(index: int) -> str:
    """Return the ref of a row."""
    return f"demo-{index + 1:05d}"


def _numbers(country: str) -> Iterator[str]:
    match country:
        case "AU":
            return chain((f"+6149157{it:04d}" for it in _AUSTRALIA), _TEST_NUMBERS)
        case "US":
            return (f"+1{area}55501{it:02d}" for it in range(100) for area in _US_AREAS)
        case "GB":
            return (f"+447700900{it:03d}" for it in range(1000))
        case "FR":
            return (f"+3363998{it:04d}" for it in range(10_000))
        case "IE":
            return (f"+3532091{it:05d}" for it in range(100_000))
        case "DE":
            return chain(
                (f"+4917139200{it:02d}" for it in range(100)),
                (f"+49176040690{it:02d}" for it in range(100)),
            )
        case _:
            return (f"+46701740{it}" for it in range(605, 700))
