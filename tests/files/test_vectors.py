"""What the rules' original program gave, value for value; and what it got wrong, made right."""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from pathlib import Path
from typing import Any

import pytest

from dbmask import Masker
from dbmask.errors import DbmaskError, MaskError, PolicyError

_ALL = json.loads((Path(__file__).parents[1] / "vectors" / "maskme.json").read_text("utf-8"))
_SAME = [v for v in _ALL["masking"] if "differs" not in v]
_DIFFERS = [v for v in _ALL["masking"] if "differs" in v]

# id -> what dbmask gives on purpose: an error class, or the record.
_ON_PURPOSE: dict[int, Any] = {
    8: PolicyError,
    34: {"g": "5-7.5"},
    62: {"g": "Others"},
    115: MaskError,
    126: MaskError,
    130: {"a": "__DROP__", "b": 1},
    132: PolicyError,
}
_REPAIRED: dict[int, Any] = {
    4: {"id": hashlib.sha256(b"CUST-5678my-org-secret-2026").hexdigest()},
    9: PolicyError,
    35: {"g": "0.5-1"},
    41: {"g": "50"},
    65: {"g": "Others"},
    75: {"g": "0999"},
    85: {"g": "0999-01"},
    118: MaskError,
    120: MaskError,
    121: MaskError,
    127: {"u": [{"email": "*"}]},
    129: {"a.b": "**"},
    138: PolicyError,
}


def _masked(vector: dict[str, Any], **options: Any) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return next(iter(list(Masker(vector["rules"], vector["global_salt"], **options).mask([vector["input"]]))))


@pytest.mark.parametrize("vector", _SAME, ids=lambda v: str(v["id"]))
def test_the_original_gives_this(vector: dict[str, Any]) -> None:
    if "__error__" in vector["output"]:
        with pytest.raises((DbmaskError, ValueError)) as caught:
            _masked(vector)
        assert isinstance(caught.value, ValueError)
        return
    given = json.dumps(vector["input"])
    made = _masked(vector)
    assert json.dumps(made) == json.dumps(vector["output"])  # types and key order too
    assert json.dumps(vector["input"]) == given


def test_every_vector_that_differs_has_its_reason_here() -> None:
    assert {v["id"] for v in _DIFFERS} == _ON_PURPOSE.keys()
    assert {v["id"] for v in _ALL["known_defect_vectors"]} == _REPAIRED.keys()


@pytest.mark.parametrize("vector", [*_DIFFERS, *_ALL["known_defect_vectors"]], ids=lambda v: str(v["id"]))
def test_what_differs_on_purpose(vector: dict[str, Any]) -> None:
    wanted = {**_ON_PURPOSE, **_REPAIRED}[vector["id"]]
    if isinstance(wanted, type):
        with pytest.raises(wanted) as caught:
            _masked(vector)
        assert "SSN-123" not in str(caught.value) and "1,234" not in str(caught.value)
    else:
        assert _masked(vector) == wanted


def test_a_rule_that_matches_nothing_may_be_allowed() -> None:
    vector = next(v for v in _DIFFERS if v["id"] == 126)
    assert _masked(vector, allow_missing=True) == vector["output"]


def test_noise_without_a_seed_differs_each_time_and_lies_near() -> None:
    masker = Masker({"n": {"strategy": "noise", "sigma": 2}})
    made = [r["n"] for r in masker.mask({"n": 100} for _ in range(2000))]
    assert len(set(made)) > 1990
    mean = math.fsum(made) / len(made)
    deviation = math.sqrt(math.fsum((m - mean) ** 2 for m in made) / len(made))
    assert abs(mean - 100) < 0.5
    assert 1.7 < deviation < 2.3
