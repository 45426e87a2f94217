"""What a masked entity depends on: itself as in a column, other labels, columns, or nothing at all."""

from __future__ import annotations

from typing import Any

import pytest

from dbmask.errors import BindError, KeySourceError, PolicyError
from dbmask.keys import KeyRing, MasterKey
from dbmask.masks.base import Columns
from dbmask.masks.build import build_mask
from dbmask.schema import Column, ColumnType, Kind
from dbmask.text import TextMasker

KEY = b"a key for tests, of 32 bytes ...!"
NAMES = {"type": "from_choices", "choices": [f"Name{i}" for i in range(1000)]}
ANY_NAME = r"\b(?:John|Jane|Bradley)\b"


def masker(mask: dict[str, Any] = NAMES, label: dict[str, Any] | None = None, **more: Any) -> TextMasker:
    config = {
        "matchers": {
            "regex": [{"label": "PATIENT", "pattern": ANY_NAME}, {"label": "DOCTOR", "pattern": r"Smith|Jones"}]
        },
        "masks": [
            {"label": "PATIENT", "masks": [mask], **(label or {})},
            {"label": "DOCTOR", "masks": ["do_nothing"]},
        ],
        **more,
    }
    return TextMasker(config, KEY)


def outputs(made: TextMasker, *rows: tuple[str, str]) -> list[str]:
    return [r.output for r in made.mask_many([text for _, text in rows], [{"patient_id": p} for p, _ in rows])]


def test_det_01_columns_alone() -> None:
    rows = [("001", "John"), ("001", "Jane"), ("002", "John")]
    out = outputs(masker(hash_columns=["patient_id"]), *rows)
    assert out[0] == out[1] != out[2]
    assert outputs(masker(hash_columns=["patient_id"]), *reversed(rows)) == out[::-1]


def test_det_02_the_entity_itself_by_default() -> None:
    rows = [("001", "John"), ("002", "John"), ("001", "Jane")]
    out = outputs(masker(hash_sources=[{"self": "entity"}]), *rows)
    assert out[0] == out[1] != out[2]
    assert outputs(masker(), *rows) == out


def test_det_03_another_label_of_the_same_text() -> None:
    made = masker(label={"hash_sources": [{"label": "DOCTOR"}]})
    texts = ["Dr. Smith saw John", "Dr. Smith saw Jane", "Dr. Jones saw John"]
    out = [r.output.split()[-1] for r in made.mask_many(texts)]
    assert out[0] == out[1] != out[2]
    # Where the other label is not there, the entity stands for it: not everybody gets one name.
    alone = [r.output for r in made.mask_many(["John", "Jane", "John"])]
    assert alone[0] == alone[2] != alone[1]


def test_det_04_columns_and_the_entity() -> None:
    made = masker(hash_columns=["patient_id"], hash_sources=[{"self": "entity"}])
    out = outputs(made, ("001", "John"), ("001", "Jane"), ("002", "John"))
    assert len(set(out)) == 3
    assert outputs(made, ("001", "John"), ("002", "John")) == [out[0], out[2]]


@pytest.mark.parametrize("mask", ["first_name", "hash", NAMES])
def test_det_05_a_note_repeats_the_masked_name_of_its_row(mask: Any) -> None:
    config = {
        "matchers": {"context_sources": [{"label": "NAME", "column": "first_name"}]},
        "masks": [{"label": "NAME", "masks": [mask]}],
    }
    column = Column("first_name", ColumnType(Kind.TEXT, "text"))
    bound = build_mask(mask).bind(Columns((column,)), KeyRing(MasterKey(KEY)))
    masked = bound.apply([["Bradley"]])[0][0]
    result = TextMasker(config, KEY).mask("Patient Bradley still unwell.", {"first_name": "Bradley"})
    assert result.output == f"Patient {masked} still unwell."
    assert masked != "Bradley"


def test_capitals_of_the_text_are_kept_by_masks_of_names() -> None:
    config = {
        "matchers": {"context_sources": [{"label": "NAME", "column": "first_name"}]},
        "masks": [{"label": "NAME", "masks": ["first_name"]}],
    }
    made = TextMasker(config, KEY).mask("Bradley BRADLEY bradley", {"first_name": "Bradley"}).output.split()
    assert made[1:] == [made[0].upper(), made[0].lower()]


def test_columns_combine_in_any_number_and_null_ones_leave_the_entity_to_stand_for_them() -> None:
    made = masker(hash_columns=["patient_id"])
    out = [r.output for r in made.mask_many(["John", "Jane", "John"], [{"patient_id": None}] * 3)]
    assert out[0] == out[2] != out[1]


def test_masks_that_draw_several_words_are_sourced_too() -> None:
    for mask in ({"type": "hash"}, {"type": "email"}):
        made = masker(mask, hash_columns=["patient_id"])
        out = outputs(made, ("001", "John"), ("001", "Jane"), ("002", "John"))
        assert out[0] == out[1] != out[2], mask


def test_random_draws_afresh_for_the_text_a_label_or_one_mask() -> None:
    for made in (masker(random=True), masker(label={"random": True}), masker({**NAMES, "random": True})):
        assert len({made.mask("John").output for _ in range(20)}) > 10


def test_what_cannot_be_a_source() -> None:
    with pytest.raises(BindError, match="which no matcher gives"):
        masker(hash_sources=[{"label": "NURSE"}])
    wrongs: Any = ([], [{}], [{"self": "me"}], [{"self": "entity", "column": "x"}], [{"label": "lower"}])
    for wrong in wrongs:
        with pytest.raises(PolicyError):
            masker(hash_sources=wrong)


def test_keyed_masks_need_a_key() -> None:
    config = {
        "matchers": {"regex": [{"label": "A", "pattern": "a"}]},
        "masks": [{"label": "A", "masks": ["hash"]}],
    }
    with pytest.raises(KeySourceError):
        TextMasker(config)


def test_a_column_may_depend_on_others_just_as_its_note_does() -> None:
    mask = {"type": "from_choices", "choices": [f"Name{i}" for i in range(1000)], "hash_columns": ["patient_id"]}
    target = Column("first_name", ColumnType(Kind.TEXT, "text"))
    other = Column("patient_id", ColumnType(Kind.TEXT, "text"))
    bound = build_mask(mask).bind(Columns((target,), {"patient_id": other}), KeyRing(MasterKey(KEY)))
    assert bound.inputs == ("first_name", "patient_id") and not bound.promises.value_only
    masked = bound.apply([["Bradley", "Rose", "Bradley", None], ["pt-001", "pt-001", "pt-002", "pt-001"]])[0]
    assert masked[0] == masked[1] != masked[2] and masked[3] is None
    config = {
        "matchers": {"context_sources": [{"label": "NAME", "column": "first_name"}]},
        "masks": [{"label": "NAME", "masks": [NAMES]}],
        "hash_columns": ["patient_id"],
    }
    row = {"first_name": "Bradley", "patient_id": "pt-001"}
    result = TextMasker(config, KEY).mask("Patient Bradley still unwell.", row)
    assert result.output == f"Patient {masked[0]} still unwell."
    for wrong in ({"type": "redact", "hash_columns": ["x"]}, {"type": "hash", "hash_columns": []}):
        with pytest.raises(PolicyError, match="hash_columns"):
            build_mask(wrong)
    with pytest.raises(BindError, match="does not have"):
        build_mask(mask).bind(Columns((target,), {"first_name": target}), KeyRing(MasterKey(KEY)))
