"""The anonymizer against one HMAC for each value, which is what a keyed mask costs without tables."""

from __future__ import annotations

import datetime as dt
import hmac
import random
from collections.abc import Sequence
from typing import Any

from harness import Result, compare, report

from dbmask.anonymizer import Anonymizer
from dbmask.anonymizer.rc import rc_numbers
from dbmask.anonymizer.trailers import trailer_table

SIZES = (100_000, 300_000, 1_000_000)
BATCH = 20_000
KEY = b"a benchmark's key, 32 bytes long"
RANGE = {"birthDayMin": "1901-01-01", "birthDayMax": "2008-04-23"}
NAMES = {
    f"NAME{chr(65 + i // 26)}{chr(65 + i % 26)}": f"NAME{chr(65 + (i + 1) % 676 // 26)}{chr(65 + (i + 1) % 26)}"
    for i in range(676)
}


def people(count: int) -> dict[str, list[Any]]:
    """Made-up people: numbers of nine and ten digits, one in three with a slash, dates that agree, names of the lookup."""
    draw = random.Random(5)  # noqa: S311 - no secret
    names = [n.title() for n in NAMES]
    first, span = dt.date(1920, 1, 1), (dt.date(2008, 4, 23) - dt.date(1920, 1, 1)).days
    made: dict[str, list[Any]] = {"rc": [], "birthDate": [], "firstName": [], "lastName": []}
    for i in range(count):
        born = first + dt.timedelta(days=draw.randrange(span))
        tail = f"{draw.randrange(1000):03}" if born.year < 1954 else f"{draw.randrange(10_000):04}"
        head = f"{born.year % 100:02}{born.month + draw.choice((0, 50)):02}{born.day:02}"
        made["rc"].append(head + "/" * (i % 3 == 0) + tail)
        made["birthDate"].append(born)
        made["firstName"].append(draw.choice(names))
        made["lastName"].append(draw.choice(names))
    return made


def masked(masker: Anonymizer, columns: dict[str, list[Any]]) -> None:
    """Every row, in batches."""
    for at in range(0, len(columns["rc"]), BATCH):
        masker.apply_columns({name: values[at : at + BATCH] for name, values in columns.items()})


def hashed(columns: Sequence[list[Any]]) -> None:
    """One HMAC for each value."""
    for values in columns:
        for value in values:
            hmac.digest(KEY, str(value).encode(), "sha256").hex()


def throughput(name: str, wanted: tuple[str, ...], target: str) -> list[Result]:
    """The columns ``wanted`` at every size."""
    made = []
    for size in SIZES:
        rows = people(size)
        columns = {w: rows[w] for w in wanted}
        masker = Anonymizer(**RANGE, key=KEY, nameLookup=NAMES)

        def run(masker: Anonymizer = masker, columns: dict[str, list[Any]] = columns) -> None:
            masked(masker, columns)

        def rival(columns: dict[str, list[Any]] = columns) -> None:
            hashed(list(columns.values()))

        made.append(compare(name, size, run, "HMAC of each value", rival, target))
    return made


def start() -> Result:
    """From parameters to the first masked row, every table built anew; the rival finds them built."""

    def first() -> None:
        rc_numbers.cache_clear()
        trailer_table.cache_clear()
        again()

    def again() -> None:
        Anonymizer(**RANGE, key=KEY).apply([{"rc": "7103192745"}])

    return compare("start-up to the first row", 1, first, "tables found built", again, "< 0.5 s")


if __name__ == "__main__":
    report(throughput("RC column alone", ("rc",), ">= 1,000,000/s"))
    report(throughput("RC, birth date, both names", ("rc", "birthDate", "firstName", "lastName"), ">= 300,000/s"))
    report([start()])
