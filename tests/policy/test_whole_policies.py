"""Policies as their documentation shows them, from text to the columns of a schema."""

from __future__ import annotations

from datetime import date
from typing import Any

import jsonschema
import pytest

from dbmask.policy import Default, Policy
from dbmask.policy.jsonschema import policy_schema
from dbmask.policy.match import resolve
from dbmask.policy.read import parse
from tests.schemas import column, name, schema, table

SHOP = r"""
version: 1
key: env:DBMASK_KEY
tables:
  public.customer:
    columns:
      first_name: redact                     # short form
      last_name: {mask: redact, keep_start: 1}
      email: {mask: hash, length: 20}
      phone: {mask: redact, keep_end: 4}
      notes:
        mask: text
        matchers: {context_sources: [{label: NAME, column: first_name}]}
        masks: [{label: NAME, masks: [{type: fixed, value: "[NAME]"}]}]
      active: keep
    where: "created_at >= '2024-01-01'"      # which rows are cloned (optional)
  public.country: keep                       # every column, as it is today and not what is added later (see drift)
  public.audit_log: empty                    # structure without rows
  public.scratch: skip                       # not created
"""

NOTES = r"""
version: 1
tables:
  t:
    columns:
      notes:
        mask: text
        matchers:
          context_sources:
            - {label: PATIENT_FIRST_NAME, column: first_name, context_filters: [{type: match_whole_words_only}]}
          seed_files:      [{label: MEDICATION_NAME, seed_file: medications.csv, seed_column: medication_names}]
          ai_detect:       [{label: FIRST_NAME, annotation_config: {use_preset: FIRST_NAME}}]
          checksum:        [{label: CREDIT_CARD, type: credit_card}]
          regex:           [{label: ZIP_CODE, pattern: '\b\d{5}\b'}]
          ner:             [{label: PERSON}]            # dbmask's own detectors
        masks:
          - {label: PATIENT_FIRST_NAME, masks: [{type: first_name}]}
          - {label: MEDICATION_NAME, masks: [keep]}
          - {label: FIRST_NAME, masks: [first_name]}
          - {label: CREDIT_CARD, masks: [{type: redact, keep_end: 4}]}
          - {label: ZIP_CODE, masks: [{type: from_fixed, value: "00000"}]}
          - {label: PERSON, masks: [redact]}
        fallback_masks: [{type: from_fixed, value: "[REDACTED]"}]
        hash_sources: [{self: entity}]                  # the default: the same entity, the same mask, everywhere
"""

INSURED = """
version: 1
tables:
  public.insured:
    anonymizer:
      rc: birth_number            # column names on the right
      birthDate: born
      firstName: first_name
      lastName: last_name
      birthDayMin: 1901-01-01
      birthDayMax: 2008-04-23
      nameLookupFileName: builtin:cs
      scorer: [{key: AA_RC_NOT_CHANGED, explainAs: rc, score: 30, explain: true}]
      explanationColumn: expl     # a column of the replica, added if absent
      scoreColumn: score
    columns: {id: hash, premium: keep}
"""

JOBS = """
version: 1
default: keep
allow_ddl: [public.v]
allow_residue: [public.t.c]
subset: 5%
leftover: placeholder
keep_previous: 2
tables: {t: keep}
jobs:
  nightly-staging:
    source: env:PROD_URL
    target: env:STAGING_URL
    schedule: "0 2 * * *"
    tables:
      public.payment: {mode: watermark, column: updated_at, deletes: key_scan}
      public.event:   {mode: append, column: id}
      "*":            {mode: diff}
    keep_previous: 1
    on_drift: fail                   # a new column stops the job before anything is touched
    notify: {webhook: env:HOOK_URL}
"""


def test_a_shop() -> None:
    names = ["first_name", "last_name", "email", "phone", "notes", "active"]
    db = schema(
        table("customer", *map(column, names)),
        table("country", column("code")),
        table("audit_log", column("x")),
        table("scratch", column("x")),
    )
    found = resolve(Policy.from_text(SHOP), db)
    assert (found.problems, found.warnings, found.drift) == ((), (), ())
    columns = found.tables[name("customer")].columns
    assert [c.mask.name for c in columns.values() if c.mask] == ["redact", "redact", "hash", "redact", "text", "keep"]
    assert found.tables[name("customer")].filter == "created_at >= '2024-01-01'"
    assert {str(n): str(t.mode) for n, t in found.tables.items()} == {
        "public.customer": "mask",
        "public.country": "keep",
        "public.audit_log": "empty",
        "public.scratch": "skip",
    }


def test_free_text() -> None:
    made: Any = Policy.from_text(NOTES).tables[0].columns[0].mask
    assert [rule.pattern for rule in made.matchers.regex] == [r"\b\d{5}\b"]
    assert [item.label for item in made.masks][:2] == ["PATIENT_FIRST_NAME", "MEDICATION_NAME"]


def test_the_birth_number_anonymizer() -> None:
    db = schema(table("insured", *map(column, ["id", "birth_number", "born", "first_name", "last_name", "premium"])))
    found = resolve(Policy.from_text(INSURED), db)
    assert found.problems == ()
    [group] = found.tables[name("insured")].groups
    made: Any = group.mask
    assert (made.birthDayMin, made.scoreColumn) == (date(1901, 1, 1), "score")
    assert list(found.tables[name("insured")].columns) == ["id", "premium"]


def test_sections_of_other_jobs() -> None:
    policy = Policy.from_text(JOBS)
    assert policy.default is Default.KEEP
    assert sorted(policy.sections) == ["allow_ddl", "allow_residue", "jobs", "keep_previous", "leftover", "subset"]
    assert policy.sections["jobs"]["nightly-staging"]["tables"]["*"] == {"mode": "diff"}


@pytest.mark.parametrize("text", [SHOP, NOTES, INSURED, JOBS])
def test_editors_find_nothing_wrong_with_them(text: str) -> None:
    jsonschema.Draft202012Validator(policy_schema()).validate(parse(text, "yaml").data)
