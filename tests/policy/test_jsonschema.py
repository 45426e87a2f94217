"""The published JSON Schema takes good policies and refuses bad ones, as the loader does."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from dbmask.errors import PolicyError
from dbmask.policy import Policy
from dbmask.policy.jsonschema import policy_schema
from dbmask.policy.load import SECTIONS, TOP
from dbmask.policy.rules import TABLE
from dbmask.registry import mask_classes

pytestmark = pytest.mark.usefixtures("more_masks")

INSTALLED = jsonschema.Draft202012Validator(policy_schema())

GOOD: list[dict[str, Any]] = [
    {"version": 1, "tables": {"t": "keep"}},
    {
        "version": 1,
        "key": "env:K",
        "epoch": "2",
        "default": "keep",
        "classes": {"short": {"mask": "hash", "length": 8}},
        "tables": {
            "t": {
                "columns": {"a": "redact", "b": {"mask": "redact", "keep_end": 4}, "c": {"mask": "short"}},
                "where": "a > 1",
                "max_rows": 10,
                "leftover": "placeholder",
            },
            "u": {"mode": "keep", "where": "x"},
            "v": {"mode": "empty"},
        },
        "relations": ["t.a -> u.b", {"from": "t.a", "to": "u.b"}],
        "jobs": {"nightly": {"source": "env:PROD", "target": "env:STAGING"}},
    },
    {"version": 1, "epoch": 3, "classes": None, "relations": None, "tables": {"t": {"columns": None}}},
    {"version": 1, "tables": {"t": {"columns": {"a": {"strategy": "redact"}, "b": {"type": "hash", "keyed": False}}}}},
    {"version": 1, "tables": {"t": {"columns": {"a": None, "b": {"mask": None}, "c": "null", "d": {"type": "null"}}}}},
    {
        "version": 1,
        "classes": {"k": "hash"},
        "tables": {"t": {"columns": {"a": {"type": "k"}, "b": {"strategy": "k"}}}},
    },
    {
        "version": 1,
        "tables": {
            "t": {
                "columns": {
                    "a": {"mask": "listed", "file": "x.csv"},
                    "b": {"type": "from_list", "seed_file": "x.csv", "seed_column": "y"},
                }
            }
        },
    },
    {
        "version": 1,
        "tables": {
            "t": {
                "columns": {
                    "a": {
                        "mask": "composite",
                        "masks": ["keep", {"mask": "redact", "keep_end": 1}, None],
                        "paths": {"$.a": {"mask": "composite", "then": "hash"}},
                        "parts": [{"label": "A", "column": "b"}],
                    },
                    "b": {"mask": "checked", "type": "iban"},
                },
                "anonymizer": {"rc": "x", "birthDayMin": "1901-01-01", "birthDayMax": "2008-04-23"},
            }
        },
    },
]

BAD: list[dict[str, Any]] = [
    {"tables": {"t": "keep"}},
    {"version": 2, "tables": {"t": "keep"}},
    {"version": 1, "tabels": {}},
    {"version": 1, "tables": {"t": "kept"}},
    {"version": 1, "tables": {"t": None}},
    {"version": 1, "key": "hex:00", "tables": {"t": "keep"}},
    {"version": 1, "key": "env:", "tables": {"t": "keep"}},
    {"version": 1, "epoch": True, "tables": {"t": "keep"}},
    {"version": 1, "epoch": 1.5, "tables": {"t": "keep"}},
    {"version": 1, "default": "allow", "tables": {"t": "keep"}},
    {"version": 1, "relations": ["a.b"], "tables": {"t": "keep"}},
    {"version": 1, "tables": {"t": {"where": " "}}},
    {"version": 1, "tables": {"t": {"max_rows": -1}}},
    {"version": 1, "tables": {"t": {"leftover": "show"}}},
    {"version": 1, "tables": {"t": {"mode": "keep", "columns": {"a": "redact"}}}},
    {"version": 1, "tables": {"t": {"mode": "empty", "where": "x"}}},
    {"version": 1, "tables": {"t": {"mode": "skip", "max_rows": 5}}},
    {"version": 1, "tables": {"t": {"anonymizer": {"rc": "x", "birthDayMin": "1901-01-01"}}}},
    {"version": 1, "tables": {"t": {"anonymizer": {"rcc": "x", "birthDayMin": "a", "birthDayMax": "b"}}}},
    {"version": 1, "tables": {"t": {"columns": {"a": {"mask": "redact", "keep_ned": 4}}}}},
    {"version": 1, "tables": {"t": {"columns": {"a": {"mask": "redact", "keep_end": "4"}}}}},
    {"version": 1, "tables": {"t": {"columns": {"a": {"mask": "redact", "strategy": "hash"}}}}},
    {"version": 1, "tables": {"t": {"columns": {"a": {"mask": "checked"}}}}},
    {"version": 1, "tables": {"t": {"columns": {"a": {"mask": "listed", "seed_column": "y"}}}}},
    {"version": 1, "tables": {"t": {"columns": {"a": {"mask": "listed", "seed_file": 5}}}}},
    {"version": 1, "tables": {"t": {"columns": {"a": {"mask": "checked", "type": "x", "again": {"tipe": "y"}}}}}},
    {
        "version": 1,
        "tables": {"t": {"columns": {"a": {"mask": "composite", "masks": [{"mask": "hash", "length": 0}]}}}},
    },
    {"version": 1, "tables": {"t": {"columns": {"a": {"mask": "composite", "parts": [{"label": "A"}]}}}}},
    {"version": 1, "tables": {"t": {"columns": {"a": 5}}}},
]


@pytest.fixture
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(policy_schema())


@pytest.mark.parametrize("data", GOOD)
def test_good_policies(data: dict[str, Any], validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(data)
    assert Policy.from_dict(data).tables


@pytest.mark.parametrize("data", BAD)
def test_bad_policies(data: dict[str, Any], validator: jsonschema.Draft202012Validator) -> None:
    assert not validator.is_valid(data)
    with pytest.raises(PolicyError):
        Policy.from_dict(data)


def test_every_mask_and_every_key_is_described() -> None:
    made = policy_schema()
    jsonschema.Draft202012Validator.check_schema(made)
    titles = {m.get("title"): m for m in made["$defs"]["mask"]["anyOf"]}
    for name in mask_classes():
        assert titles[name]["description"], name
    assert set(made["properties"]) == set(TOP) >= set(SECTIONS)
    assert all(part["description"] for part in made["properties"].values())
    table = made["$defs"]["table"]["anyOf"][1]
    assert set(table["properties"]) == set(TABLE)
    assert all(part["description"] for part in table["properties"].values())


def test_references_lead_somewhere_and_names_of_two_masks_do_not_meet() -> None:
    made = policy_schema()
    text = json.dumps(made)
    refs = {part.split('"')[0] for part in text.split('"$ref": "#/$defs/')[1:]}
    assert refs <= set(made["$defs"])
    assert {"composite.Source", "checked.Source"} <= set(made["$defs"])


def test_without_the_anonymizer_its_place_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    classes = {n: c for n, c in mask_classes().items() if n != "anonymizer"}
    monkeypatch.setattr("dbmask.policy.jsonschema.mask_classes", lambda: classes)
    table = policy_schema()["$defs"]["table"]["anyOf"][1]
    assert "properties" not in table["properties"]["anonymizer"]


@pytest.mark.parametrize("mask", sorted(mask_classes()))
def test_every_documented_case_of_a_mask_is_a_policy(mask: str) -> None:
    cases = [json.loads(json.dumps(dict(case.params), default=str)) for case in mask_classes()[mask].cases]
    columns = {f"c{i}": {"mask": mask, **params} for i, params in enumerate(cases)}
    data = {"version": 1, "tables": {"t": {"columns": columns}}}
    INSTALLED.validate(data)
    assert {c.mask.name for c in Policy.from_dict(data).tables[0].columns} <= {mask}
