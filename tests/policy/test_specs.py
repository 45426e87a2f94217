"""From what is written of a column to its mask: names, classes, masks within masks, and where each problem stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dbmask.errors import PolicyError
from dbmask.masks.base import Mask
from dbmask.masks.build import build_mask
from dbmask.policy import Policy

pytestmark = pytest.mark.usefixtures("more_masks")


def load(text: str) -> dict[str, Mask]:
    policy = Policy.from_text(f"version: 1\n{text}", "yaml", "p.yaml")
    return {c.name: c.mask for t in policy.tables for c in t.columns}


def problems(text: str) -> list[str]:
    with pytest.raises(PolicyError) as error:
        load(text)
    return [str(p) for p in error.value.problems]


@pytest.mark.parametrize("spec", ["null", "'null'", "~", "{mask: null}", "{type: 'null'}", "{strategy: ~}", "nothing"])
def test_the_mask_null_by_all_its_spellings(spec: str) -> None:
    assert load(f"classes: {{nothing: null}}\ntables: {{t: {{columns: {{c: {spec}}}}}}}") == {"c": build_mask("null")}


def test_null_within_masks() -> None:
    made: Any = load("tables: {t: {columns: {c: {mask: composite, masks: [null, {mask: null}], paths: {a: null}}}}}")[
        "c"
    ]
    assert [*made.masks, *made.paths.values()] == [build_mask("null")] * 3


@pytest.mark.parametrize("key", ["mask", "strategy", "type"])
def test_classes_by_every_key_and_within_masks(key: str) -> None:
    made: Any = load(f"""
classes:
  outer: {{{key}: composite, masks: [inner, {{{key}: inner}}], then: inner}}
  inner: {{{key}: hash, length: 12}}
tables: {{t: {{columns: {{a: outer, b: {{{key}: outer}}}}}}}}
""")
    inner = build_mask({"mask": "hash", "length": 12})
    assert made["a"] is made["b"]
    assert (made["a"].masks, made["a"].then) == ([inner, inner], inner)


def test_what_is_wrong_with_a_class_is_said_once_and_where_it_stands() -> None:
    text = """
classes:
  broken: {mask: redact, keep_ned: 4}
  around: {mask: composite, masks: [broken]}
  unused: readct
tables: {t: {columns: {a: broken, b: {mask: composite, then: broken}, c: around}}}
"""
    assert problems(text) == [
        "p.yaml:4: redact has no parameter 'keep_ned' (did you mean keep_end?)",
        "p.yaml:6: there is no mask or class 'readct' (did you mean redact?)",
    ]


def test_classes_that_need_each_other() -> None:
    text = "classes: {a: {mask: composite, then: b}, b: {mask: composite, then: a}}\ntables: {t: keep}"
    assert problems(text) == ["p.yaml:2: class 'a' is defined by itself"]


def test_problems_within_masks_have_lines_of_their_own() -> None:
    text = """
tables:
  t:
    columns:
      c:
        mask: composite
        masks:
          - keep
          - mask: redact
            keep_ned: 4
          - readct
        paths:
          $.a.b:
            mask: composite
            masks:
              - {mask: hash, length: 0}
          $.a: keep
        value: [1]
        parts:
          - {label: A, colum: b}
        valeu: 5
"""
    assert problems(text) == [
        "p.yaml:11: redact has no parameter 'keep_ned' (did you mean keep_end?)",
        "p.yaml:12: there is no mask 'readct' (did you mean redact?)",
        "p.yaml:17: hash: length: input should be greater than or equal to 1",
        "p.yaml:19: composite: value: input should be a valid integer, or input should be a valid string",
        "p.yaml:21: composite needs the parameter 'parts.0.column'",
        "p.yaml:21: composite has no parameter 'parts.0.colum' (did you mean column?)",
        "p.yaml:22: composite has no parameter 'valeu' (did you mean value?)",
    ]


def test_what_is_left_empty_is_no_mask_and_no_value() -> None:
    text = """
classes:
  c:
tables:
  t:
    columns:
      a:
      b: {mask: redact, keep_end: }
      d: {mask: composite, masks: [keep, {mask: }]}
      e: null
"""
    hint = "nothing is said here (write a mask or a value; `null` is a mask too)"
    assert problems(text) == [f"p.yaml:{n}: {hint}" for n in (4, 8, 9, 10)]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("5", "a mask is a name, or a mapping with `mask:` and its parameters"),
        ("[hash]", "a mask is a name, or a mapping with `mask:` and its parameters"),
        ("{mask: 5}", "a mask is a name, or a mapping with `mask:` and its parameters"),
        ("{keep_end: 5}", "a mask is a name, or a mapping with `mask:` and its parameters"),
        ("{mask: composite, masks: [5]}", "a mask is a name, or a mapping with `mask:` and its parameters"),
        ("{mask: REDACT}", "there is no mask 'REDACT' (did you mean redact?)"),
    ],
)
def test_what_is_no_mask(spec: str, message: str) -> None:
    assert problems(f"tables: {{t: {{columns: {{c: {spec}}}}}}}") == [f"p.yaml:2: {message}"]


def test_a_parameter_may_be_called_type() -> None:
    made: Any = load("tables: {t: {columns: {c: {mask: checked, type: iban}}}}")["c"]
    assert made.type == "iban"


def test_files_are_looked_for_beside_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "p.yaml").write_text(
        "version: 1\ninclude: sub/q.yaml\nclasses: {here: {mask: composite, file: a.csv}}\n"
        "tables: {t: {columns: {a: here, b: there, c: {mask: composite, then: {mask: composite, file: b.csv}},"
        " d: {mask: composite, file: 'builtin:x'}, e: {mask: composite, file: /abs/x}}}}",
        "utf-8",
    )
    (tmp_path / "sub" / "q.yaml").write_text("classes: {there: {mask: composite, file: a.csv}}", "utf-8")
    made: dict[str, Any] = {c.name: c.mask for c in Policy.load(tmp_path / "p.yaml").tables[0].columns}
    assert made["a"].file == str(tmp_path / "a.csv")
    assert made["b"].file == str(tmp_path / "sub" / "a.csv")
    assert made["c"].then.file == str(tmp_path / "b.csv")
    assert (made["d"].file, made["e"].file) == ("builtin:x", "/abs/x")
    plain: Any = load("tables: {t: {columns: {c: {mask: composite, file: a.csv}}}}")["c"]
    assert plain.file == "a.csv"


@pytest.mark.parametrize(
    ("at", "line"), [("", 5), ("at", 7), ("listed.1", 10), ("listed.7", 8), ("listed.x", 8), ("gone", 5), ("at.x", 7)]
)
def test_places_that_a_mask_names_are_found_as_far_as_they_go(at: str, line: int) -> None:
    text = f"""tables:
  t:
    columns:
      c:
        mask: odd
        at: '{at}'
        listed:
          - a
          - b
"""
    assert problems(text) == [f"p.yaml:{line}: is odd"]
