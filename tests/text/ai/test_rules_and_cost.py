"""Presets, their service by rules, and what asking a model would cost."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dbmask.errors import BindError, PolicyError
from dbmask.keys import KeyRing
from dbmask.masks.base import Columns
from dbmask.masks.build import build_mask
from dbmask.schema import Column, ColumnType, Kind
from dbmask.text import TextMasker
from dbmask.text.ai.cost import estimate
from dbmask.text.ai.presets import PRESETS
from dbmask.text.ai.prompt import prompt_for
from dbmask.text.ai.rules import SERVED
from dbmask.text.config import AiDetect, AiService, Annotation

NAMES = (
    "FIRST_NAME LAST_NAME FULL_NAME INITIAL_NAME TITLE AGE DATE_OF_BIRTH NATIONALITY GENDER RACE EMAIL FAX PHONE_NUMBER"
    " USERNAME STREET_ADDRESS CITY COUNTRY STATE ZIPCODE JOB_TITLE ORGANIZATION MEDICAL_CONDITION"
)


def test_all_presets_are_there_with_guidelines_and_examples() -> None:
    assert sorted(PRESETS) == sorted(NAMES.split())
    for name, preset in PRESETS.items():
        assert preset.guidelines and preset.valid, name
        for text, _ in (*preset.valid, *preset.invalid):
            assert re.search(r"\[[^\[\]]+\]", text), (name, text)


def rules(preset: str, label: str = "FOUND") -> TextMasker:
    return TextMasker(
        {
            "matchers": {"ai_detect": [{"label": label, "annotation_config": {"use_preset": preset}}]},
            "masks": [{"label": label, "masks": ["redact"]}],
            "ai": {"engine": "rules"},
        }
    )


@pytest.mark.parametrize(
    ("preset", "text", "found"),
    [
        ("FIRST_NAME", "Dr. Alice Mary Walker called", ["Alice"]),
        ("LAST_NAME", "Ms. Lena van der Berg called", ["van der Berg"]),
        ("LAST_NAME", "Ms. Okafor called", ["Okafor"]),
        ("FULL_NAME", "Dr. Alice Walker called", ["Alice Walker"]),
        ("INITIAL_NAME", "the book of J. K. Tolkarien", ["J. K."]),
        ("TITLE", "Prof. Novák lectures", ["Prof."]),
        ("AGE", "a 62-year-old man, aged 30-35, 45 years old", ["62-year-old", "30-35", "45 years old"]),
        ("DATE_OF_BIRTH", "born on 3 March 1988, seen on 4 May 2020", ["3 March 1988"]),
        ("GENDER", "a female, 27M, non-binary", ["female", "M", "non-binary"]),
        ("EMAIL", "write to jo@example.org", ["jo@example.org"]),
        ("FAX", "fax +44 20 7946 0018, phone +44 20 7946 0019", ["+44 20 7946 0018"]),
        ("PHONE_NUMBER", "fax +44 20 7946 0018, phone +44 20 7946 0019", ["+44 20 7946 0019"]),
        ("USERNAME", "as @night_heron on mail a@b.cz", ["@night_heron"]),
        ("STREET_ADDRESS", "at 195 Main Street, Boston", ["195 Main Street"]),
        ("CITY", "She lives in Ostrava in Poland", ["Ostrava"]),
        ("COUNTRY", "She lives in Ostrava in Poland", ["Poland"]),
        ("ZIPCODE", "Postcode SW1A 1AA, Boston MA 02101", ["SW1A 1AA", "02101"]),
        ("ORGANIZATION", "He studies at Stanford University now", ["Stanford University"]),
    ],
)
def test_presets_that_rules_serve(preset: str, text: str, found: list[str]) -> None:
    assert [text[s.start : s.end] for s in rules(preset).mask(text).spans] == found


def test_every_served_preset_is_tested_and_the_plan_says_that_no_model_is_asked() -> None:
    assert set(SERVED) < set(PRESETS)
    assert any("found by rules, no model is asked" in w for w in rules("EMAIL").warnings)


@pytest.mark.parametrize("preset", sorted(set(PRESETS) - set(SERVED)))
def test_presets_that_need_a_model_are_refused(preset: str) -> None:
    with pytest.raises(BindError, match="cannot be served by rules"):
        rules(preset)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({}, "exactly one of"),
        ({"use_preset": "CITY", "guidelines": ["towns"]}, "exactly one of"),
        ({"use_preset": "TOWN"}, "there is no preset 'TOWN'"),
        ({"use_preset": "CITY", "valid_examples": [{"text": "[Brno]"}]}, "examples belong to guidelines"),
        ({"guidelines": ["towns"], "valid_examples": [{"text": "Brno"}]}, r"marks the entity with \[...\]"),
    ],
)
def test_annotations_that_are_wrong(config: dict[str, Any], says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        TextMasker(
            {
                "matchers": {"ai_detect": [{"label": "A", "annotation_config": config}]},
                "masks": [{"label": "A", "masks": ["redact"]}],
            }
        )


def prompt(*presets: str) -> Any:
    return prompt_for([AiDetect(label=p, annotation_config=Annotation(use_preset=p)) for p in presets])


def test_the_estimate_is_linear_in_texts_characters_labels_and_guidelines() -> None:
    service = AiService(price_in=3.0, price_out=15.0)
    one = estimate(prompt("CITY"), service, 1000, 1000)
    assert estimate(prompt("CITY"), service, 2000, 1000).cost == pytest.approx(2 * one.cost)
    costs = [estimate(prompt("CITY"), service, 1000, n).cost for n in (1000, 2000, 3000)]
    assert costs[2] - costs[1] == pytest.approx(costs[1] - costs[0])
    assert estimate(prompt("CITY", "AGE"), service, 1000, 1000).cost > one.cost
    wordy = AiDetect(label="CITY", annotation_config=Annotation(guidelines=("towns " * 200,)))
    assert estimate(prompt_for([wordy]), service, 1000, 1000).cost > one.cost
    assert estimate(prompt("CITY"), AiService(price_in=6.0, price_out=30.0), 1000, 1000).cost == pytest.approx(
        2 * one.cost
    )
    # A hundred texts of a thousand characters with twenty labels: about a dollar.
    assert 0.5 < estimate(prompt(*sorted(PRESETS)[:20]), service, 100, 1000).cost < 2.0
    assert "1,000 texts" in str(one) and "USD" in str(one)


def test_a_plan_says_what_asking_will_cost() -> None:
    mask = build_mask(
        {
            "mask": "text",
            "matchers": {"ai_detect": [{"label": "CITY", "annotation_config": {"use_preset": "CITY"}}]},
            "masks": [{"label": "CITY", "masks": ["redact"]}],
            "ai": {"base_url": "https://ai.example.org/v1", "model": "small", "price_in": 1.0, "price_out": 2.0},
        }
    )
    column = Column("note", ColumnType(Kind.TEXT, "varchar(400)", length=400))
    bound = mask.bind(Columns((column,), table="t", rows=1000), KeyRing(None))
    warning = next(w for w in bound.promises.warnings if "asks small" in w)
    assert "for 1,000 texts" in warning and "USD, at 400 characters a text" in warning
    assert not bound.promises.value_only
