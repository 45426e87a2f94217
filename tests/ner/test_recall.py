"""The rule detectors against sentences that were annotated before there were any detectors."""

from __future__ import annotations

import pytest

from dbmask.ner.gazetteer import gazetteer
from dbmask.ner.language import LANGUAGES
from tests.ner.annotated import score, sentences


@pytest.mark.parametrize("code", LANGUAGES)
def test_recall_of_persons_dates_and_times(code: str) -> None:
    found = score(code)
    assert found.recall("PERSON") >= 0.9, found.missed
    assert found.recall("DATE") >= 0.95, found.missed
    assert found.recall("TIME") >= 0.95, found.missed


@pytest.mark.parametrize("code", LANGUAGES)
def test_precision_is_kept(code: str) -> None:
    found = score(code)
    assert found.precision("PERSON") >= 0.9, found.wrong
    assert found.precision("DATE", "TIME") >= 0.95, found.wrong


@pytest.mark.parametrize("code", LANGUAGES)
def test_at_least_half_of_the_sentences_with_a_name_have_one_outside_the_gazetteers(code: str) -> None:
    lists = gazetteer((code,))
    named = [s for s in sentences(code) if any(label == "PERSON" for _, _, label in s.gold)]
    outside = 0
    for sentence in named:
        people = [sentence.text[a:b].split() for a, b, label in sentence.gold if label == "PERSON"]
        outside += any(not any(lists.is_name(w.strip(".,")) for w in words) for words in people)
    assert len(named) >= 80
    assert outside / len(named) >= 0.5, outside / len(named)
