"""Parameters from Python and XML texts, all violations together; flags and scorers."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from dbmask.anonymizer.flags import FLAG_NAMES, Flag, Scorer, ScoringEntry, flag_names, read_entries
from dbmask.anonymizer.parameters import Parameters, read_parameters
from dbmask.errors import PolicyError

RANGE = {"birthDayMin": "1901-01-01", "birthDayMax": "2008-04-23"}


def wrong(**given: Any) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        read_parameters({**RANGE, **given})
    return [str(p) for p in caught.value.problems]


def test_texts_and_values_are_read_alike() -> None:
    entry: dict[str, Any] = {"key": "AA_RC_MISMATCH", "score": 5, "explain": False}
    texts = read_parameters(
        {
            **RANGE,
            "changeNames": "false",
            "widening": "0.1",
            "extendedSince": "2004-01-01",
            "unique": "true",
            "scorer": [entry],
        }
    )
    values = read_parameters(
        {
            "birthDayMin": dt.datetime(1901, 1, 1),
            "birthDayMax": dt.date(2008, 4, 23),
            "changeNames": False,
            "widening": 0.1,
            "extendedSince": dt.date(2004, 1, 1),
            "unique": True,
            "scorer": [ScoringEntry(**entry)],
            "separator": None,
        }
    )
    assert texts == values
    assert texts.separator == "auto"


def test_everything_that_is_wrong_is_said_at_once() -> None:
    found = wrong(
        birthDayMin="1953-06-01",
        birthDayMax="1954-02-01",
        on_invalid="drop",
        widening="-1",
        type="cz.rd",
        unqiue=True,
        changeNames="yes",
        extendedSince="soon",
        scorer=[{"key": "AA_RC_NOT_CHANGE"}],
    )
    assert [f.partition(" (")[0] for f in found] == [
        "there is no parameter 'unqiue'",
        "changeNames must be true or false",
        "extendedSince must be a date such as 1954-01-01",
        "type",
        "on_invalid",
        "widening",
        "scorer: there is no flag 'AA_RC_NOT_CHANGE'",
    ]
    assert "did you mean unique?" in found[0]
    assert "did you mean cz.rc?" in found[3]
    assert "nearest: 0" in found[5]
    assert "did you mean AA_RC_NOT_CHANGED?" in found[6]


def test_a_range_is_required_and_checked_together_with_the_rest() -> None:
    with pytest.raises(PolicyError) as caught:
        read_parameters({"widening": "much"})
    assert str(caught.value).splitlines() == [
        "birthDayMin is required",
        "birthDayMax is required",
        "widening must be a number",
    ]
    found = wrong(birthDayMin="1953-06-01", birthDayMax="1954-02-01", widening=float("nan"))
    assert len(found) == 4


@pytest.mark.parametrize(
    ("name", "value"),
    [("birthDayMin", 1901), ("birthDayMin", "1.1.1901"), ("widening", True), ("separator", 5), ("changeNames", "ja")],
)
def test_values_of_other_types(name: str, value: object) -> None:
    assert any(f.startswith(f"{name} must be") for f in wrong(**{name: value}))


@pytest.mark.parametrize("widening", [11, float("inf"), -0.1])
def test_widening(widening: float) -> None:
    assert wrong(widening=widening)[0].startswith(f"widening ({float(widening)}) must be from 0 to 10")


def test_flags_are_listed_in_one_order() -> None:
    assert flag_names(0) == []
    assert flag_names(63) == [f.name for f in Flag]
    assert len(set(FLAG_NAMES)) == 64


def test_a_scorer_adds_up_and_explains_in_the_order_of_its_entries() -> None:
    scorer = Scorer(
        [
            ScoringEntry(key="AA_RC_CENTURY_GUESSED", score=1, explainAs="guess"),
            ScoringEntry(key="AA_RC_NOT_CHANGED", score=30),
            ScoringEntry(key="AA_FN_NOT_CHANGED", score=-2.5, explain=False),
            ScoringEntry(key="AA_RC_NOT_CHANGED", score=4, explainAs="rc"),
        ]
    )
    bits = Flag.AA_RC_NOT_CHANGED | Flag.AA_FN_NOT_CHANGED
    assert (scorer.scores[bits], scorer.explanations[bits]) == (31.5, "AA_RC_NOT_CHANGED rc")
    bits = Flag.AA_RC_CENTURY_GUESS | Flag.AA_RC_NOT_CHANGED
    assert (scorer.scores[bits], scorer.explanations[bits]) == (35, "guess AA_RC_NOT_CHANGED rc")
    assert (scorer.scores[0], scorer.explanations[0]) == (0, "")


@pytest.mark.parametrize(
    ("entries", "what"),
    [
        ("AA_RC_NOT_CHANGED", "expected a list of entries"),
        ({"key": "AA_RC_NOT_CHANGED"}, "expected a list of entries"),
        (["AA_RC_NOT_CHANGED"], "an entry is a mapping with a flag's name as its `key`"),
        ([{"score": 5}], "an entry is a mapping with a flag's name as its `key`"),
        ([{"key": "AA_RC_NOT_CHANGED", "scor": 5}], "unknown field 'scor'"),
        ([{"key": "AA_RC_NOT_CHANGED", "score": "5"}], "score of AA_RC_NOT_CHANGED must be a number"),
        ([{"key": "AA_RC_NOT_CHANGED", "score": float("inf")}], "score of AA_RC_NOT_CHANGED must be a number"),
        ([{"key": "AA_RC_NOT_CHANGED", "score": True}], "score of AA_RC_NOT_CHANGED must be a number"),
        ([{"key": "AA_RC_NOT_CHANGED", "explain": 1}], "explain of AA_RC_NOT_CHANGED must be true or false"),
    ],
)
def test_wrong_entries(entries: object, what: str) -> None:
    made, problems = read_entries(entries)
    assert made == []
    assert what in problems[0].what
    assert what in wrong(scorer=entries)[0]


def test_defaults_are_the_specifications() -> None:
    made = read_parameters(RANGE)
    assert made == Parameters(birthDayMin=dt.date(1901, 1, 1), birthDayMax=dt.date(2008, 4, 23))
    assert (made.widening, made.on_invalid, made.check_digit, made.artificial) == (0.05, "keep", "strict", "keep")
    assert (made.extendedSince, made.type, made.unique, made.changeNames) == (dt.date(2004, 4, 1), "cz.rc", False, True)
