"""Other countries' numbers, python-stdnum the judge."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest
from stdnum import exceptions
from stdnum.bg import egn
from stdnum.ee import ik
from stdnum.lt import asmens
from stdnum.pl import pesel
from stdnum.ro import cnp
from stdnum.sk import rc as sk_rc

from dbmask.anonymizer import Anonymizer

KEY = bytes(range(32))
FIRST, LAST = dt.date(1880, 1, 1), dt.date(2020, 12, 31)


def dated(day: dt.date, plus: dict[int, int]) -> str:
    """YYMMDD with the month's addition for the century."""
    return f"{day:%y}{day.month + plus[day.year // 100]:02}{day:%d}"


def a_pesel(draw: random.Random, day: dt.date) -> str:
    head = dated(day, {18: 80, 19: 0, 20: 20}) + f"{draw.randrange(10_000):04}"
    return head + str(pesel.calc_check_digit(head))


def a_cnp(draw: random.Random, day: dt.date) -> str:
    head = str({18: 3, 19: 1, 20: 5}[day.year // 100] + draw.randrange(2)) + f"{day:%y%m%d}"
    head += f"{draw.randrange(1, 47):02}{draw.randrange(1000):03}"
    return head + str(cnp.calc_check_digit(head))


def an_egn(draw: random.Random, day: dt.date) -> str:
    head = dated(day, {18: 20, 19: 0, 20: 40}) + f"{draw.randrange(1000):03}"
    return head + str(egn.calc_check_digit(head))


def an_ik(draw: random.Random, day: dt.date) -> str:
    head = str({18: 1, 19: 3, 20: 5}[day.year // 100] + draw.randrange(2)) + f"{day:%y%m%d}{draw.randrange(1000):03}"
    return head + str(ik.calc_check_digit(head + "0"))


MAKERS: dict[str, tuple[Any, Any, int]] = {
    # maker, judge, where YYMMDD begins
    "pl.pesel": (a_pesel, pesel, 0),
    "ro.cnp": (a_cnp, cnp, 1),
    "bg.egn": (an_egn, egn, 0),
    "ee.ik": (an_ik, ik, 1),
    "lt.asmens": (an_ik, asmens, 1),
}


def anonymizer(type_: str, **parameters: Any) -> Anonymizer:
    return Anonymizer(FIRST, LAST, type=type_, key=KEY, **parameters)


def sample(type_: str, count: int = 5_000) -> list[tuple[dt.date, str]]:
    draw = random.Random(type_)  # noqa: S311 - no secret
    span = (LAST - FIRST).days
    days = [FIRST + dt.timedelta(days=draw.randrange(span + 1)) for _ in range(count)]
    return [(day, MAKERS[type_][0](draw, day)) for day in days]


@pytest.mark.parametrize("type_", MAKERS)
def test_valid_numbers_stay_valid_and_keep_century_sex_and_region(type_: str) -> None:
    _, judge, at = MAKERS[type_]
    masker = anonymizer(type_)
    people = sample(type_)
    given = [number for _, number in people]
    outcome = masker.apply_columns({"rc": given})
    made = outcome.columns["rc"]
    assert not outcome.flags.any()
    read = getattr(judge, "get_birth_date", ik.get_birth_date)
    for (day, number), other in zip(people, made, strict=True):
        assert judge.validate(number) == number
        assert judge.validate(other) == other
        moved = masker.date(day)
        assert read(other) == moved
        assert moved is not None
        assert moved != day
        assert moved.year // 100 == day.year // 100
        assert abs((moved - day).days) <= 366 + 0.05 * (LAST - day).days
        assert other[:at] == number[:at]  # century and sex, where the first digit tells them
        assert other[at + 6 : -1] == number[at + 6 : -1]  # region and sex, where the serial number does
    assert len(set(made)) == len(set(given))


@pytest.mark.parametrize("type_", ["pl.pesel", "ee.ik"])
def test_sex_as_the_judge_reads_it(type_: str) -> None:
    judge = MAKERS[type_][1]
    given = [number for _, number in sample(type_, 500)]
    made = anonymizer(type_).apply_columns({"rc": given}).columns["rc"]
    assert [judge.get_gender(n) for n in made] == [judge.get_gender(n) for n in given]


@pytest.mark.parametrize("type_", MAKERS)
def test_a_wrong_check_digit_stays_wrong_by_as_much(type_: str) -> None:
    judge = MAKERS[type_][1]
    number = sample(type_, 1)[0][1]
    masker = anonymizer(type_)
    all_ten = [number[:-1] + str(d) for d in range(10)]
    made = masker.apply_columns({"rc": all_ten}).columns["rc"]
    right, right_now = int(number[-1]), next(int(m[-1]) for m in made if judge.is_valid(m))
    assert [(int(g[-1]) - right) % 10 for g in all_ten] == [(int(m[-1]) - right_now) % 10 for m in made]
    with pytest.raises(exceptions.InvalidChecksum):
        judge.validate(next(m for m in made if not judge.is_valid(m)))


@pytest.mark.parametrize("type_", MAKERS)
def test_dates_agree_before_and_after(type_: str) -> None:
    masker = anonymizer(type_)
    people = sample(type_, 300)
    rows = masker.apply([{"rc": number, "birthDate": day} for day, number in people])
    at = MAKERS[type_][2]
    for (day, number), row in zip(people, rows, strict=True):
        assert row["flags"] == []
        assert row["birthDate"] == masker.date(day)
        assert row["rc"] == masker.apply([{"rc": number}])[0]["rc"]
        assert row["rc"][at + 4 : at + 6] == f"{row['birthDate']:%d}"
    other = people[0][0] + dt.timedelta(days=1)
    [row] = masker.apply([{"rc": people[0][1], "birthDate": other}])
    assert row["flags"] == ["AA_RC_DATE_MISMATCH"]


@pytest.mark.parametrize("type_", MAKERS)
@pytest.mark.parametrize("number", ["", "x", "1" * 10, "0" * 11, "9" * 13, "12345", "7103192745", "99999999999"])
def test_what_is_no_number_stays(type_: str, number: str) -> None:
    [row] = anonymizer(type_).apply([{"rc": number}])
    if row["rc"] != number:
        assert MAKERS[type_][1].get_birth_date(number)
    else:
        assert row["flags"] == (["AA_RC_NOT_CHANGED"] if number else [])


def test_foreigners_in_romania_tell_no_century() -> None:
    draw = random.Random(3)  # noqa: S311 - no secret
    head = "7" + a_cnp(draw, dt.date(1985, 5, 5))[1:-1]
    number = head + str(cnp.calc_check_digit(head))
    masker = anonymizer("ro.cnp")
    [row] = masker.apply([{"rc": number}])
    assert row["flags"] == ["AA_RC_CENTURY_GUESS"]
    assert cnp.validate(row["rc"])
    assert cnp.get_birth_date(row["rc"]) == masker.date(dt.date(1985, 5, 5))
    young = "7" + a_cnp(draw, dt.date(2005, 5, 5))[1:]
    [row] = masker.apply([{"rc": young, "birthDate": "2005-05-05"}])
    assert row["flags"] == []
    assert row["rc"][1:7] == row["birthDate"].replace("-", "")[2:]


def test_lithuanian_numbers_without_a_date_stay() -> None:
    [row] = anonymizer("lt.asmens").apply([{"rc": "93309240064"}])
    assert row == {"rc": "93309240064", "flags": ["AA_RC_NOT_CHANGED"]}


def test_slovak_numbers_are_czech_ones() -> None:
    given = ["710319/2745", "7103192745", "991231123"]
    czech, slovak = (
        Anonymizer("1901-01-01", "2008-04-23", type=t, key=KEY).apply_columns({"rc": given}).columns["rc"]
        for t in ("cz.rc", "sk.rc")
    )
    assert czech == slovak
    assert sk_rc.is_valid(slovak[0])


@pytest.mark.parametrize("type_", MAKERS)
def test_out_of_the_range_stays(type_: str) -> None:
    narrow = Anonymizer("1950-01-01", "1990-01-01", type=type_, key=KEY)
    seen = set()
    for day, number in sample(type_, 200):
        [row] = narrow.apply([{"rc": number}])
        inside = dt.date(1950, 1, 1) <= day <= dt.date(1990, 1, 1)
        seen.add(inside)
        assert (row["rc"] != number) == inside
        assert row["flags"] == ([] if inside else ["AA_RC_NOT_CHANGED"])
    assert seen == {True, False}
