"""Birth numbers against the specification, one at a time, and against themselves by the million."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from stdnum.cz import rc as stdnum_rc

from dbmask.anonymizer import Anonymizer
from dbmask.anonymizer.calendar import written
from dbmask.anonymizer.trailers import difference
from tests.anonymizer.oracle import Range, Rc

KEY = bytes(range(32))
BOUNDS = Range(dt.date(1901, 1, 1), dt.date(2008, 4, 23))


def anonymizer(**parameters: Any) -> Anonymizer:
    return Anonymizer(**{"birthDayMin": BOUNDS.first, "birthDayMax": BOUNDS.last, **parameters}, key=KEY)


MASKER = anonymizer()


def masked(numbers: list[str], masker: Anonymizer = MASKER) -> list[str]:
    made: list[str] = masker.apply_columns({"rc": numbers}).columns["rc"]
    return made


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """Numbers whose date part is real in the range, in every form."""
    length = draw(st.sampled_from([6, 9, 10]))
    last = dt.date(1953, 12, 31) if length == 9 else BOUNDS.last
    day = draw(st.dates(BOUNDS.first, last))
    plus = draw(st.sampled_from([0, 50, 20, 70] if length == 10 and day >= dt.date(2004, 4, 1) else [0, 50]))
    tail = "".join(draw(st.lists(st.sampled_from("0123456789"), min_size=length - 6, max_size=length - 6)))
    slash = "/" if length > 6 and draw(st.booleans()) else ""
    return f"{day:%y}{day.month + plus:02}{day:%d}{slash}{tail}"


@settings(max_examples=400)
@given(numbers())
def test_what_is_kept_and_what_moves(number: str) -> None:
    [made] = masked([number])
    before, after = Rc(number), Rc(made)
    assert len(made) == len(number)
    assert ("/" in made) == ("/" in number)
    assert (after.woman, after.extended) == (before.woman, before.extended)
    day, moved = before.day(BOUNDS), after.day(BOUNDS)
    assert day is not None
    assert moved is not None
    first, last = BOUNDS.window(day)
    assert first <= moved <= last
    assert moved != day
    assert BOUNDS.segment(moved) == BOUNDS.segment(day)
    if len(before.digits) == 9:
        assert after.digits[6:] == before.digits[6:]
    if len(before.digits) == 10 and before.digits[6:] != "0000":
        assert int(after.digits) % 11 == int(before.digits) % 11


@settings(max_examples=200)
@given(st.lists(numbers() | st.text(max_size=12) | st.none(), max_size=40), st.randoms(use_true_random=False))
def test_neither_order_nor_batch_size_matters(values: list[str | None], shuffle: Any) -> None:
    whole = MASKER.apply_columns({"rc": values})
    one_by_one = [MASKER.apply_columns({"rc": [v]}) for v in values]
    assert whole.columns["rc"] == [o.columns["rc"][0] for o in one_by_one]
    assert whole.flags.tolist() == [int(o.flags[0]) for o in one_by_one]
    order = list(range(len(values)))
    shuffle.shuffle(order)
    again = MASKER.apply_columns({"rc": [values[i] for i in order]})
    assert again.columns["rc"] == [whole.columns["rc"][i] for i in order]


@pytest.mark.parametrize("plus", [0, 50])
@pytest.mark.parametrize("remainder", range(11))
def test_every_trailer_of_a_prefix_of_each_class(remainder: int, plus: int) -> None:
    day = next(
        d for d in (dt.date(1971, 3, 1) + dt.timedelta(days=i) for i in range(60)) if _head(d, plus) % 11 == remainder
    )
    given = [f"{_head(day, plus):06}{t:04}" for t in range(10_000)]
    made = masked(given)
    assert len({m[:6] for m in made}) == 1
    assert made[0][:6] != given[0][:6]
    assert sorted(m[6:] for m in made) == [g[6:] for g in given]
    before, after = (np.array([int(n) for n in ns]) for ns in (given, made))
    assert (before[1:] % 11 == after[1:] % 11).all()
    kept = difference(before // 10_000 % 11, before % 10_000) == difference(after // 10_000 % 11, after % 10_000)
    assert kept.mean() > 0.998


def _head(day: dt.date, plus: int) -> int:
    return int(f"{day:%y}{day.month + plus:02}{day:%d}")


def test_every_day_of_every_form_stays_apart() -> None:
    """All prefixes of six, nine and ten digits, of men and women, extended ones too: no two become the same."""
    days = [BOUNDS.first + dt.timedelta(days=i) for i in range((BOUNDS.last - BOUNDS.first).days + 1)]
    given = {f"{_head(d, plus):06}{tail}" for d in days for plus in (0, 50) for tail in ("", "123", "1230")}
    given |= {f"{_head(d, plus):06}1230" for d in days if d >= dt.date(2004, 4, 1) for plus in (20, 70)}
    listed = sorted(given)
    outcome = MASKER.apply_columns({"rc": listed})
    made = outcome.columns["rc"]
    assert len(set(made)) == len(made)
    # Nine digits that tell no day before 1954 stay; nothing else does.
    assert all(len(g) == 9 for g, m in zip(listed, made, strict=True) if g == m)


@pytest.mark.slow
def test_ten_million_random_numbers_without_a_collision() -> None:
    draw = np.random.default_rng(11)
    days = (BOUNDS.last - dt.date(1954, 1, 1)).days + 1
    codes = np.sort(draw.integers(0, days * 2 * 10_000, 10_300_000))
    codes = codes[1:][np.diff(codes) > 0][:10_000_000]
    assert len(codes) == 10_000_000
    heads = np.array(
        [_head(dt.date(1954, 1, 1) + dt.timedelta(days=i), plus) for i in range(days) for plus in (0, 50)], np.int64
    )
    before = heads[codes // 10_000] * 10_000 + codes % 10_000
    after = np.empty_like(before)
    step = 100_000
    for at in range(0, len(before), step):
        lines = np.full((step, 11), ord("\n"), np.uint8)
        lines[:, :10] = written(before[at : at + step], 10)
        made = "\n".join(masked(lines.tobytes().decode().split()))
        digits = np.frombuffer(f"{made}\n".encode(), np.uint8).reshape(step, 11)[:, :10] - ord("0")
        after[at : at + step] = digits @ 10 ** np.arange(9, -1, -1)
    assert (np.diff(np.sort(after)) > 0).all()
    assert (after // 10_000 != before // 10_000).all()
    odd = before % 11 != after % 11
    assert (before[odd] % 10_000 == 0).all()


@settings(max_examples=300)
@given(st.dates(dt.date(1954, 1, 1), BOUNDS.last), st.sampled_from([0, 50]), st.integers(1, 999))
def test_numbers_that_python_stdnum_holds_valid_stay_valid(day: dt.date, plus: int, serial: int) -> None:
    head = f"{_head(day, plus):06}{serial:03}"
    number = head + str(int(head) % 11)
    assume(len(number) == 10)
    [made] = masked([number])
    assert stdnum_rc.is_valid(number)
    assert stdnum_rc.is_valid(made)
    assert stdnum_rc.get_birth_date(made) == MASKER.date(day)


def test_the_remainder_ten_and_its_digit_zero() -> None:
    """Numbers issued until 1985 have the digit 0 where the remainder is 10: with last_digit_only they count as valid."""
    masker = anonymizer(check_digit="last_only")
    old = [n for n in (f"540101{t:03}0" for t in range(1000)) if int(n[:9]) % 11 == 10]
    assert len(old) > 80
    for number, made in zip(old, masked(old, masker), strict=True):
        assert stdnum_rc.is_valid(number)
        assert stdnum_rc.is_valid(made)
        assert made[6:9] == number[6:9]


@pytest.mark.parametrize(
    "number",
    [
        "71031",
        "7103192",
        "71031927",
        "71031927450",
        "7103/192745",
        "710319//745",
        "710319-2745",
        "710319 2745",
        " 7103192745",
        "7103192745 ",
        "７１０３１９２７４５",
        "710319274५",
        "7100192745",
        "7113192745",
        "7149192745",
        "7163192745",
        "7199192745",
        "7103322745",
        "7102302745",
        "0102291234",
        "9902291234",
        "052714",
        "052714123",
        "8527141205",
        "0423311207",
        "7103592745",
        "7103692745",
        "8179521234",
        "x",
        "\n",
        "710319\n745",
        "\x00\x01",
    ],
)
def test_what_is_no_birth_number_stays_and_says_so(number: str) -> None:
    [row] = MASKER.apply([{"rc": number}])
    assert row == {"rc": number, "flags": ["AA_RC_NOT_CHANGED"]}


@pytest.mark.parametrize("number", ["710319/2745", "710319/", "400315/913"])
def test_without_a_separator_a_slash_is_an_error(number: str) -> None:
    [row] = anonymizer(separator="none").apply([{"rc": number}])
    assert row == {"rc": number, "flags": ["AA_RC_NOT_CHANGED"]}


@pytest.mark.parametrize("number", ["7103592745", "7153592745", "710359", "7103692745", "8179521234", "400359/274"])
def test_artificial_numbers_move_where_that_is_asked_for(number: str) -> None:
    [made] = masked([number], anonymizer(artificial="mask"))
    assert made != number
    assert Rc(made).month_plus == Rc(number).month_plus
    assert len(made) == len(number)
    if len(number.replace("/", "")) == 10:
        assert int(made.replace("/", "")) % 11 == int(number.replace("/", "")) % 11


def test_artificial_numbers_keep_their_offset() -> None:
    masker = anonymizer(artificial="mask")
    days = [dt.date(1971, 1, 1) + dt.timedelta(days=i) for i in range(2_000)]
    given = [f"{d:%y}{d:%m}{d.day + 40:02}1234" for d in days] + [
        f"{d:%y}{d.month + 20}{d.day + 50:02}1234" for d in days
    ]
    made = masked(given, masker)
    assert len(set(made)) == len(given)
    for i, (number, other) in enumerate(zip(given, made, strict=True)):
        plus = 40 if i < len(days) else 50
        assert plus < int(other[4:6]) <= plus + 31
        assert int(other) % 11 == int(number) % 11
    moved = [masker.date(d) for d in days]
    assert [m[4:6] for m in made] == [f"{d.day + plus:02}" for plus in (40, 50) for d in moved if d is not None]


@pytest.mark.parametrize(
    ("number", "first", "last", "born"),
    [
        ("050101123", "1901-01-01", "2008-04-23", "1905-01-01"),
        ("991231123", "1901-01-01", "2008-04-23", None),
        ("991231123", "1880-01-01", "2008-04-23", "1899-12-31"),
        ("850101123", "1960-01-01", "2008-04-23", None),
        ("070101", "1901-01-01", "2008-04-23", "2007-01-01"),
        ("080501", "1901-01-01", "2008-04-23", "1908-05-01"),
        ("4001011003", "1901-01-01", "2008-04-23", "1940-01-01"),
        ("4001011003", "1901-01-01", "2053-12-31", "2040-01-01"),
        ("5401011003", "1854-01-01", "1953-12-31", "1854-01-01"),
        ("0624011058", "1901-01-01", "2008-04-23", "2006-04-01"),
    ],
)
def test_the_century_that_a_number_tells(number: str, first: str, last: str, born: str | None) -> None:
    masker = anonymizer(birthDayMin=first, birthDayMax=last)
    [row] = masker.apply([{"rc": number}])
    bounds = Range(dt.date.fromisoformat(first), dt.date.fromisoformat(last))
    day = Rc(number).day(bounds)
    assert (None if day is None else str(day)) == born
    assert row["flags"] == (["AA_RC_NOT_CHANGED"] if born is None else ["AA_RC_CENTURY_GUESS"])
    if day is not None:
        moved = masker.date(day)
        assert moved is not None
        assert Rc(row["rc"]).yymmdd == f"{moved:%y%m%d}"


def test_extended_months_begin_when_the_parameter_says() -> None:
    early, late = "0423311207", "0524011207"
    masker = anonymizer(extendedSince="2004-01-01")
    assert masked([early], masker) != [early]
    assert masked([late], anonymizer(extendedSince="2006-01-01")) == [late]


def test_ranges_are_tried_in_every_form() -> None:
    """Over several ranges: what the oracle says of a number's day is what moves."""
    ranges = [("1854-01-01", "2053-12-31"), ("1953-01-01", "1955-06-01"), ("2003-01-01", "2020-02-29")]
    for first, last in ranges:
        masker = anonymizer(birthDayMin=first, birthDayMax=last)
        bounds = Range(dt.date.fromisoformat(first), dt.date.fromisoformat(last))
        heads = [
            f"{y:02}{m:02}{d:02}"
            for y, m, d in itertools.product(range(0, 100, 7), (1, 2, 12, 62, 23), (1, 28, 29, 31))
        ]
        given = [h + tail for h in heads for tail in ("", "123", "1234")]
        for number, made in zip(given, masked(given, masker), strict=True):
            extended = 20 < int(number[2:4]) < 50
            day = None if extended and len(number) != 10 else Rc(number).day(bounds)
            assert (made != number) == (day is not None), number
            if day is not None:
                assert Rc(made).yymmdd == f"{masker.date(day):%y%m%d}"
