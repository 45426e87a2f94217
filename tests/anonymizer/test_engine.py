"""How birth date and number decide about each other, what becomes of the rest, and what `unique` asserts."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbmask.anonymizer import Anonymizer
from dbmask.errors import KeySourceError, MaskError, PolicyError
from tests.anonymizer.oracle import Range, Rc

KEY = bytes(range(32))
NAMES = {"jan": "Petr", "petr": "Jan", "Novák": "Svoboda", "SVOBODA": "Novák", "O'Brien": "O'Hara"}
BOUNDS = Range(dt.date(1901, 1, 1), dt.date(2008, 4, 23))


def anonymizer(**parameters: Any) -> Anonymizer:
    given: dict[str, Any] = {"birthDayMin": BOUNDS.first, "birthDayMax": BOUNDS.last, "nameLookup": NAMES, "key": KEY}
    return Anonymizer(**{**given, **parameters})


MASKER = anonymizer()


def one(masker: Anonymizer = MASKER, **row: Any) -> dict[str, Any]:
    [made] = masker.apply([row])
    return made


NUMBERS = ["", None, "7103192745", "710319/2745", "050101", "991231123", "7113011234", "8527141205", "x"]
DATES = ["", None, "1971-03-19", "1905-01-01", "1962-03-19", "1900-12-31", "2008-04-24", "nonsense", "1971-02-31"]


@pytest.mark.parametrize(("number", "born"), list(product(NUMBERS, DATES)))
def test_the_decision_table(number: str | None, born: str | None) -> None:
    """The specification's rules, written out once more."""
    row = one(rc=number, birthDate=born)
    day = None
    if born and born not in ("nonsense", "1971-02-31"):
        day = dt.date.fromisoformat(born)
    out = bool(born) and (day is None or not BOUNDS.first <= day <= BOUNDS.last)
    flags = set()
    well = number not in ("7113011234", "x")
    alone = Rc(number).day(BOUNDS) if number and well else None
    match = bool(number) and well and day is not None and f"{day:%y%m%d}" == Rc(number or "").yymmdd
    assert one(birthDate=born)["birthDate"] == row["birthDate"]
    if out:
        flags.add("AA_BD_NOT_CHANGED")
        assert row["birthDate"] == born
    if number and (out or (alone is None and not match)):
        flags.add("AA_RC_NOT_CHANGED")
        assert row["rc"] == number
    elif number:
        assert row["rc"] != number
        if match:
            assert Rc(row["rc"]).yymmdd == f"{dt.date.fromisoformat(row['birthDate']):%y%m%d}"
        else:
            assert row["rc"] == one(rc=number)["rc"]
    if number and day is not None and not out and well and not match:
        flags.add("AA_RC_DATE_MISMATCH")
    if alone is not None and not born:
        flags.add("AA_RC_CENTURY_GUESS")
    assert set(row["flags"]) == flags


@settings(max_examples=150)
@given(st.dates(BOUNDS.first, BOUNDS.last), st.sampled_from([0, 50]), st.sampled_from(["", "123", "1234"]))
def test_a_number_and_a_date_that_agree_still_agree(day: dt.date, plus: int, tail: str) -> None:
    row = one(rc=f"{day:%y}{day.month + plus:02}{day:%d}{tail}", birthDate=day)
    assert row["flags"] == []
    assert Rc(row["rc"]).yymmdd == f"{row['birthDate']:%y%m%d}"
    assert row["birthDate"] == MASKER.date(day)


def test_forms_of_dates() -> None:
    day, moved = dt.date(1971, 3, 19), MASKER.date(dt.date(1971, 3, 19))
    assert moved is not None
    noon = dt.datetime(1971, 3, 19, 12, 34, 56, 789)
    zone = dt.timezone(dt.timedelta(hours=2))
    assert one(birthDate=day)["birthDate"] == moved
    assert one(birthDate=noon)["birthDate"] == dt.datetime.combine(moved, noon.time())
    assert one(birthDate=noon.replace(tzinfo=zone))["birthDate"] == dt.datetime.combine(moved, noon.time(), zone)
    for tail in ("", " 00:00:00", "T12:34:56.000789+02:00"):
        assert one(birthDate=f"1971-03-19{tail}")["birthDate"] == f"{moved}{tail}"
    out = dt.datetime(1850, 1, 1, 3)
    assert one(birthDate=out) == {"birthDate": out, "flags": ["AA_BD_NOT_CHANGED"]}
    mixed: list[Any] = [day, noon, "1971-03-19", None, ""]
    assert MASKER.apply_columns({"birthDate": mixed}).columns["birthDate"] == [
        one(birthDate=v)["birthDate"] for v in mixed
    ]


@pytest.mark.parametrize(("column", "value"), [("birthDate", 19710319), ("rc", 7103192745), ("firstName", 5)])
def test_other_types_are_refused_without_being_quoted(column: str, value: Any) -> None:
    with pytest.raises(MaskError) as caught:
        one(**{column: value})
    assert str(value) not in str(caught.value)


def test_rows_keep_what_else_they_hold_and_lack_what_they_lack() -> None:
    rows: list[dict[str, Any]] = [{"id": 1, "rc": "7103192745"}, {"id": 2}, {"firstName": "Jan", "rc": None}]
    made = MASKER.apply(rows)
    assert [sorted(m) for m in made] == [["flags", "id", "rc"], ["flags", "id"], ["firstName", "flags", "rc"]]
    assert made[2]["firstName"] == "Petr"
    assert MASKER.apply([]) == []
    assert list(MASKER.stream(iter(rows), 1)) == made


def test_equal_inputs_give_equal_outputs_wherever_they_stand() -> None:
    rows = [{"rc": "7103192745", "birthDate": "1971-03-19", "firstName": "Jan", "lastName": "Novák"}] * 50
    made = anonymizer().apply(rows)
    assert all(m == made[0] for m in made)
    assert anonymizer(key=b"another key, of 32 bytes at least").apply(rows)[0] != made[0]
    assert anonymizer(domain="elsewhere").apply(rows)[0] != made[0]


def test_names_need_a_dictionary_when_they_come() -> None:
    bare = anonymizer(nameLookup=None)
    assert one(bare, rc="7103192745")["flags"] == ["AA_RC_CENTURY_GUESS"]
    assert one(bare, firstName="", lastName=None) == {"firstName": "", "lastName": None, "flags": []}
    with pytest.raises(PolicyError, match="nameLookupFileName is required"):
        one(bare, firstName="Jan")
    copied = one(anonymizer(nameLookup=None, changeNames=False), firstName="Jan", lastName="Nobody")
    assert copied == {"firstName": "Jan", "lastName": "Nobody", "flags": []}


def test_on_invalid_null_and_error() -> None:
    nulls = anonymizer(on_invalid="null")
    row: dict[str, Any] = {"rc": "x", "birthDate": "1850-01-01", "firstName": "Nobody", "lastName": "Known?"}
    flags = ["AA_FN_NOT_CHANGED", "AA_LN_NOT_CHANGED", "AA_RC_NOT_CHANGED", "AA_BD_NOT_CHANGED"]
    assert one(nulls, **row) == {**dict.fromkeys(row), "flags": flags}
    assert one(nulls, birthDate="nonsense")["birthDate"] is None
    assert one(nulls, birthDate=dt.datetime(1850, 1, 1))["birthDate"] is None
    errors = anonymizer(on_invalid="error")
    for column, value in (*row.items(), ("birthDate", "nonsense")):
        with pytest.raises(MaskError, match="`on_invalid` is error") as caught:
            one(errors, **{column: value})
        assert value not in str(caught.value)
    assert one(errors, rc="7103192745", firstName="Jan")["firstName"] == "Petr"


def test_on_invalid_replace_leaves_nothing_raw_and_flags_it() -> None:
    masker = anonymizer(on_invalid="replace")
    given = {"rc": "7113011234", "birthDate": "1850-01-01", "firstName": "Ježíš", "lastName": "Novák-Xaverov"}
    made = one(masker, **given)
    assert made["flags"] == ["AA_FN_NOT_CHANGED", "AA_LN_NOT_CHANGED", "AA_RC_NOT_CHANGED", "AA_BD_NOT_CHANGED"]
    assert all(made[k] != v and len(made[k]) == len(v) for k, v in given.items() if k != "lastName")
    assert made["lastName"].startswith("Svoboda-")
    assert made["lastName"] != "Svoboda-Xaverov"
    assert made["rc"].isdigit()
    assert one(rc=made["rc"])["flags"] == ["AA_RC_NOT_CHANGED"]  # it stays what it was: no birth number
    assert dt.date.fromisoformat(made["birthDate"]) < BOUNDS.first
    assert one(masker, **given) == made


def test_a_good_number_beside_a_date_out_of_the_range_is_masked_under_replace() -> None:
    kept = one(rc="7103192745", birthDate="1850-01-01")
    made = one(anonymizer(on_invalid="replace"), rc="7103192745", birthDate="1850-01-01")
    assert kept["rc"] == "7103192745"
    assert made["rc"] == one(rc="7103192745")["rc"]
    assert made["flags"] == kept["flags"] == ["AA_RC_NOT_CHANGED", "AA_BD_NOT_CHANGED"]


def test_unique_refuses_ranges_in_which_numbers_could_meet() -> None:
    anonymizer(unique=True)
    with pytest.raises(PolicyError, match="unique"):
        anonymizer(unique=True, birthDayMin="1908-01-01")
    with pytest.raises(PolicyError, match="unique"):
        anonymizer(unique=True, birthDayMax="2020-01-01", extendedSince="2004-12-01")


def test_unique_holds_for_what_is_replaced_too() -> None:
    masker = anonymizer(unique=True, on_invalid="replace")
    heads = ["710319", "711301", "010229", "71031X", "991231", "850714", "85x714"]
    given_ = sorted({h + t for h in heads for t in ("", "/274", "2745", "2746", "/2745", "12345")})
    made = masker.apply_columns({"rc": given_}).columns["rc"]
    assert len(set(made)) == len(given_)
    assert not set(made) & {g for g in given_ if not g.startswith("710319")}


def test_unique_refuses_rows_whose_numbers_could_meet_others() -> None:
    masker = anonymizer(unique=True)
    assert one(masker, rc="7103192745", birthDate="1971-03-19")["flags"] == []
    assert one(masker, rc="x", birthDate="1850-01-01")["rc"] == "x"
    with pytest.raises(MaskError, match="could stand twice"):
        one(masker, rc="7103192745", birthDate="1850-01-01")
    with pytest.raises(MaskError, match="could stand twice"):
        one(masker, rc="050101", birthDate="1905-01-01")


@settings(max_examples=60)
@given(
    st.sets(st.from_regex(r"[0-9]{2}(0[1-9]|1[0-2]|5[1-9]|2[1-4])(0[1-9]|[12][0-9])(/?[0-9]{3,4})?", fullmatch=True)),
)
def test_distinct_numbers_stay_distinct(numbers: set[str]) -> None:
    given = sorted(numbers)
    made = MASKER.apply_columns({"rc": given}).columns["rc"]
    assert [n for n, c in Counter(made).items() if c > 1] == []


def test_keys() -> None:
    with pytest.raises(KeySourceError):
        anonymizer(key=b"short")
    text = "correct horse battery staple"
    assert one(anonymizer(key=text), rc="7103192745") == one(anonymizer(key=text.encode()), rc="7103192745")


def test_the_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBMASK_KEY", "correct horse battery staple")
    assert one(anonymizer(key=None), rc="7103192745") == one(
        anonymizer(key="correct horse battery staple"), rc="7103192745"
    )
    monkeypatch.delenv("DBMASK_KEY")
    with pytest.raises(KeySourceError):
        anonymizer(key=None)
