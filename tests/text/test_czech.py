"""Czech names in the cases in which texts use them."""

from __future__ import annotations

import pytest

from dbmask.text.czech import declined_like, inflected


def test_all_words_of_a_form_stand_in_one_case() -> None:
    forms = inflected("Jan Novák")
    assert forms[0] == "Jan Novák"
    assert {"Jana Nováka", "Janu Novákovi", "Janem Novákem"} <= set(forms)
    assert not {"Jana Novákem", "Jan Nováka"} & set(forms)
    assert len(set(forms)) == len(forms)


@pytest.mark.parametrize(
    ("found", "source", "masked", "expected"),
    [
        ("Novák", "Novák", "Dvořák", "Dvořák"),
        ("Nováka", "Novák", "Dvořák", "Dvořáka"),
        ("NOVÁKEM", "Novák", "Dvořák", "DVOŘÁKEM"),
        ("Janu Novákovi", "Jan Novák", "Petr Dvořák", "Petru Dvořákovi"),
        ("Evy", "Eva", "Jana", "Jany"),
        ("Novakerova", "Novák", "Dvořák", "Dvořák"),
    ],
)
def test_a_masked_name_stands_in_the_case_of_its_original(found: str, source: str, masked: str, expected: str) -> None:
    assert declined_like(found, source, masked) == expected
