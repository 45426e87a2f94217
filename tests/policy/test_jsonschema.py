"""The published JSON Schema takes good policies and refuses bad ones, as the loader does."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from dbmask.errors import PolicyError
from dbmask.policy import Policy
from dbmask.policy.jsonschema import policy_schema

VALIDATOR = jsonschema.Draft202012Validator(policy_schema())

GOOD: list[dict[str, Any]] = [
    {"version": 1, "tables": {"t": "keep"}},
    {
        "version": 1,
        "key": "env:K",
        "epoch": "2",
        "classes": {"short": {"mask": "hash", "length": 8}},
        "tables": {"t": {"columns": {"a": "redact", "b": {"mask": "redact", "keep_end": 4}, "c": {"mask": "short"}}, "where": "a > 1"}},
        "relations": ["t.a -> u.b", {"from": "t.a", "to": "u.b"}],
    },
    {"version": 1, "tables": {"t": {"columns": {"a": {"strategy": "redact"}, "b": {"type": "hash", "keyed": False}}}}},
]

BAD: list[dict[str, Any]] = [
    {"tables": {"t": "keep"}},
    {"version": 2, "tables": {"t": "keep"}},
    {"version": 1, "tabels": {}},
    {"version": 1, "tables": {"t": "kept"}},
    {"version": 1, "key": "hex:00", "tables": {"t": "keep"}},
    {"version": 1, "tables": {"t": {"columns": {"a": {"mask": "redact", "keep_ned": 4}}}}},
    {"version": 1, "tables": {"t": {"columns": {"a": {"mask": "redact", "keep_end": "4"}}}}},
    {"version": 1, "tables": {"t": {"columns": {"a": 5}}}},
]


@pytest.mark.parametrize("data", GOOD)
def test_good_policies(data: dict[str, Any]) -> None:
    VALIDATOR.validate(data)
    assert Policy.from_dict(data).tables


@pytest.mark.parametrize("data", BAD)
def test_bad_policies(data: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(data)
    with pytest.raises(PolicyError):
        Policy.from_dict(data)


def test_every_mask_is_described() -> None:
    from dbmask.registry import mask_classes

    titles = {m.get("title"): m for m in policy_schema()["$defs"]["mask"]["anyOf"]}
    for name in mask_classes():
        assert titles[name]["description"]
    jsonschema.Draft202012Validator.check_schema(policy_schema())
