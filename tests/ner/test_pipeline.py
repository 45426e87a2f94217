"""Masking text by the rule detectors: the tutorial's examples, languages, results, and what must not happen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask import ner
from dbmask.errors import UsageError
from dbmask.ner import EntityLabel
from dbmask.ner.entities import Raw, merged
from dbmask.ner.language import LANGUAGES, detect_language
from tests.ner.annotated import sentences


def test_the_tutorials_report() -> None:
    text = (
        "Le Dr. Martin a diagnostiqué Alice Johnson le 12 janvier 2024\n"
        "à l'Hôpital Saint-Louis à Paris. Le traitement commence à 14h30."
    )
    assert ner.mask(text, language="fr").output == (
        "Le [PERSON] a diagnostiqué [PERSON] le [DATE]\n"
        "à l'[ORGANISATION] à [LOCATION]. Le traitement commence à [TIME]."
    )


def test_the_tutorials_single_text() -> None:
    result = ner.mask("Alice habite à Paris.")
    assert result.output == "[PERSON] habite à [LOCATION]."
    assert [(e.text, e.label) for e in result.entities] == [
        ("Alice", EntityLabel.PERSON),
        ("Paris", EntityLabel.LOCATION),
    ]
    assert result.language == "fr"
    assert (result.entity_count, result.labels_found) == (2, ["LOCATION", "PERSON"])
    data = result.as_dict()
    assert data["entities"][0] == {
        "text": "Alice",
        "label": "PERSON",
        "start": 0,
        "end": 5,
        "score": 0.85,
        "detector": "gazetteer",
    }
    assert set(data["stats"]) == {"seconds", "detectors", "characters"}


def test_the_tutorials_batch() -> None:
    results = ner.mask(["Alice habite à Paris.", "John lives in London."])
    assert [f"[{r.language}] {r.output}" for r in results] == [
        "[fr] [PERSON] habite à [LOCATION].",
        "[en] [PERSON] lives in [LOCATION].",
    ]


def test_the_tutorials_hint() -> None:
    result = ner.mask("Dr. Smith works at General Hospital.", language="en")
    assert result.output == "[PERSON] works at [ORGANISATION]."


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("mail jan.novak@example.org now", "mail [EMAIL] now"),
        ("see https://example.org/a?b=c.", "see [URL]."),
        ("host 10.11.12.13 and 2001:db8::1 answer", "host [IP] and [IP] answer"),
        ("version 1.2.3.4.5 of it", "version 1.2.3.4.5 of it"),
        ("IBAN CZ65 0800 0000 1920 0014 5399 ok", "IBAN [IBAN] ok"),
        ("card 4111 1111 1111 1111 ok", "card [CREDIT_CARD] ok"),
        ("call +420 602 123 456 or (555) 867-5309", "call [PHONE] or [PHONE]"),
        ("tel. 602 123 456", "tel. [PHONE]"),
        ("born as 710319/2745 there", "born as [NATIONAL_ID] there"),
        ("ssn 536-90-4399 there", "ssn [NATIONAL_ID] there"),
        ("order 4711, 250 pieces, 12.50 each", "order 4711, 250 pieces, 12.50 each"),
        ("JOHN SMITH WAS ADMITTED", "[PERSON] WAS ADMITTED"),
        ("Alice's cat", "[PERSON]'s cat"),
        ("the file of J. K. Tolkarien-Bexley is here", "the file of [PERSON] is here"),
        ("on 2024-02-30T10:00:00Z it broke", "on [DATE][TIME] it broke"),
        ("in version 3.2.1 it may work", "in version 3.2.1 it may work"),
    ],
)
def test_forms(text: str, masked: str) -> None:
    assert ner.mask(text, language="en").output == masked


def test_a_language_that_is_not_known_is_refused() -> None:
    with pytest.raises(UsageError, match="en, fr, cs"):
        ner.mask("x", language="de")


@pytest.mark.parametrize("code", LANGUAGES)
def test_languages_are_told_apart(code: str) -> None:
    told = [detect_language(s.text) for s in sentences(code)]
    assert told.count(code) / len(told) >= 0.7
    assert sum(t not in (code, None) for t in told) / len(told) <= 0.02


def test_a_text_of_no_language_runs_all_detectors() -> None:
    assert detect_language("12 janvier 2024") is None
    assert ner.mask("12 janvier 2024; 3 March 2020; 5. května 2021").output == "[DATE]; [DATE]; [DATE]"


def test_overlaps_become_their_union() -> None:
    person, place = EntityLabel.PERSON, EntityLabel.LOCATION
    found = [
        Raw(5, 12, place, 0.9, "b"),
        Raw(0, 6, person, 0.5, "a"),
        Raw(11, 14, person, 0.2, "c"),
        Raw(14, 15, place, 1, "d"),
    ]
    assert merged(found) == [Raw(0, 14, place, 0.9, "b"), Raw(14, 15, place, 1, "d")]


@given(st.text(max_size=300))
def test_any_text_is_masked_and_what_stands_between_entities_is_kept(text: str) -> None:
    result = ner.mask(text)
    at, kept = 0, ""
    for entity in result.entities:
        assert at <= entity.start < entity.end <= len(text)
        assert text[entity.start : entity.end] == entity.text
        kept += text[at : entity.start] + entity.label.tag
        at = entity.end
    assert result.output == kept + text[at:]


@pytest.mark.parametrize(
    "piece", ["A ", "1 ", "a.", "1.", "A. ", "de ", "x@", "12:", "1-", "+1 ", "\n", "May 1", "'", "Ab-"]
)
def test_time_grows_with_length_alone(piece: str) -> None:
    # A quadratic detector would need minutes for this.
    text = piece * 50_000
    assert len(ner.mask(text, language="en").input) == len(text)
