"""The yardstick: every vector of tests/vectors/anonymizer.json."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dbmask.anonymizer import Anonymizer
from dbmask.errors import PolicyError
from tests.anonymizer.oracle import FLAGS, Range, Rc

DATA = json.loads((Path(__file__).parents[1] / "vectors" / "anonymizer.json").read_text("utf-8"))
KEYS = (b"a key for the vectors: 32 bytes.", b"another key for them, 32 bytes..", bytes(range(32)))


class Seen:
    """A vector's row before and after."""

    def __init__(self, vector: dict[str, Any], output: dict[str, Any], alone: dict[str, Any]) -> None:
        params = vector["params"]
        self.range = Range(dt.date.fromisoformat(params["birthDayMin"]), dt.date.fromisoformat(params["birthDayMax"]))
        self.given, self.output, self.alone = vector["input"], output, alone
        self.rc, self.made = Rc(self.given.get("rc") or ""), Rc(output.get("rc") or "")
        self.born, self.moved = (
            dt.date.fromisoformat(r["birthDate"]) if r.get("birthDate") else None for r in (self.given, output)
        )

    @property
    def days(self) -> tuple[dt.date, dt.date]:
        """The number's day before and after; the birth date's century where they agree."""
        if self.born is not None and self.moved is not None and self.born.strftime("%y%m%d") == self.rc.yymmdd:
            return self.born, self.moved
        before, after = self.rc.day(self.range), self.made.day(self.range)
        assert before is not None
        assert after is not None
        return before, after

    def within(self, before: dt.date, after: dt.date) -> bool:
        first, last = self.range.window(before)
        return first <= after <= last


PROPERTIES: dict[str, Callable[[Seen], bool]] = {
    "rc_changed": lambda s: s.made.text != s.rc.text,
    "rc_len_kept": lambda s: len(s.made.text) == len(s.rc.text),
    "rc_sex_kept": lambda s: s.made.woman == s.rc.woman,
    "rc_ext_kept": lambda s: s.made.extended == s.rc.extended,
    "rc_era_kept": lambda s: s.range.segment(s.days[0]) == s.range.segment(s.days[1]),
    "rc_in_window": lambda s: s.within(*s.days) and s.days[0] != s.days[1],
    "rc_crc_kept": lambda s: len(s.rc.digits) != 10 or s.made.difference == s.rc.difference,
    "rc_strict11": lambda s: int(s.made.digits) % 11 == 0 == int(s.rc.digits) % 11,
    "rc_trailer_kept": lambda s: s.made.digits[6:] == s.rc.digits[6:],
    "rc_slash_kept": lambda s: s.made.text[6] == "/" and s.made.text.count("/") == 1,
    "rc_date_equals_birthdate": lambda s: s.moved is not None and s.made.yymmdd == s.moved.strftime("%y%m%d"),
    "bd_changed": lambda s: s.moved != s.born,
    "bd_era_kept": lambda s: (
        s.born is not None and s.moved is not None and s.range.segment(s.born) == s.range.segment(s.moved)
    ),
    "bd_in_window": lambda s: s.born is not None and s.moved is not None and s.within(s.born, s.moved),
    "bd_as_alone": lambda s: s.output["birthDate"] == s.alone["birthDate"],
}


def anonymizer(vector: dict[str, Any], key: bytes) -> Anonymizer:
    return Anonymizer(**vector["params"], nameLookup=DATA["names"], scorer=DATA["scoring"], key=key)


@pytest.mark.parametrize("key", KEYS, ids=["first key", "second key", "third key"])
@pytest.mark.parametrize("vector", DATA["vectors"], ids=lambda v: f"{v['id']}: {v['title']}")
def test_vector(vector: dict[str, Any], key: bytes) -> None:
    expect = vector["expect"]
    if "config_error_contains" in expect:
        with pytest.raises(PolicyError) as caught:
            anonymizer(vector, key)
        assert expect["config_error_contains"] in str(caught.value)
        return
    masker = anonymizer(vector, key)
    given = vector["input"]
    [output] = masker.apply([given])
    [alone] = masker.apply([{"birthDate": given.get("birthDate")}])
    assert output["flags"] == [f for f in FLAGS if f in expect["flags"]]
    assert {k for k in given if output[k] == given[k]} >= set(expect["unchanged"])
    for name in ("firstName", "lastName", "score", "explanation"):
        if name in expect:
            assert output[name] == expect[name]
    seen = Seen(vector, output, alone)
    if "resolves_to" in expect:
        assert str(seen.rc.day(seen.range)) == expect["resolves_to"]
    missed = [name for name in expect["properties"] if not PROPERTIES[name](seen)]
    assert not missed
