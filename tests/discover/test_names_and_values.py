"""What a column's name and its values say."""

from __future__ import annotations

import pytest

from dbmask.discover.labels import label_of_name, words
from dbmask.discover.values import holds_people, label_of_values


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("first_name", "first_name"),
        ("FirstName", "first_name"),
        ("customerLastName", "last_name"),
        ("Příjmení", "last_name"),
        ("prenom", "first_name"),
        ("e_mail_address", "email"),
        ("EMAIL2", "email"),
        ("mobile_phone", "phone"),
        ("contact_name", "full_name"),
        ("date_of_birth", "birth"),
        ("BirthDate", "birth"),
        ("password_hash", "secret"),
        ("rodne_cislo", "national_id"),
        ("ip_address", "ip"),
        ("postal_code", "place"),
        ("address2", "address"),
        ("created_at", None),
        ("order_uuid", None),
        ("quantity", None),
        ("discard", None),
        ("tell", None),
    ],
)
def test_names(name: str, expected: str | None) -> None:
    assert label_of_name(name) == expected


def test_words_of_names() -> None:
    assert words("billingPostalCode") == "billing postal code"
    assert words("IBANNumber") == "iban number"
    assert words("žluťoučký_Kůň") == "zlutoucky kun"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a@b.example", "c.d@e.example", "n/a", "x@y.example"], "email"),
        (["4111 1111 1111 1111", "5500-0000-0000-0004"], "card"),
        (["710319/2745", "7103192745"], "birth_number"),
        (["CZ65 0800 0000 1920 0014 5399"], "iban"),
        (["10.0.0.1", "::1"], "ip"),
        (["+420 601 234 567", "(555) 123-4567"], "phone"),
        (["Alice", "Petr", "Camille"], "first_name"),
        (["Alice Johnson", "Petr Svoboda", "Dr. Camille Moreau"], "full_name"),
        (["2024-01-01", "2024-01-02"], None),
        (["6ba7b810-9dad-11d1-80b4-00c04fd430c8"], None),
        (["blue", "green", "a@b.example"], None),
        ([], None),
    ],
)
def test_values(values: list[str], expected: str | None) -> None:
    assert label_of_values(values) == expected


def test_lists_of_people() -> None:
    assert holds_people(["Alice Johnson", "The Band", "Quartet", "Choir"])
    assert not holds_people(["Teapot", "Kettle", "Two cups"])
    assert not holds_people([])
