from __future__ import annotations

import datetime as dt
import itertools
import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from stdnum import iban, luhn
from stdnum.cz import rc

from dbmask.errors import BindError, PolicyError
from dbmask.masks._numbers import SHORT, number_names, validator
from dbmask.masks.build import build_mask
from dbmask.schema import ColumnType, Kind
from tests.masks.engines import bind, in_python, one

TEXT = ColumnType(Kind.TEXT, "text")
SAMPLES = {
    "credit_card": "4111 1111 1111 1111",
    "iban": "GB82 WEST 1234 5698 7654 32",
    "us_ssn": "536-90-4399",
    "uk_nhs": "943 476 5919",
    "nl_bsn": "1112.22.333",
    "br_cpf": "390.533.447-05",
    "br_cnpj": "16.727.230/0001-97",
    "cz_rc": "710319/2745",
    "sk_rc": "710319/2745",
    "pl_pesel": "44051401359",
    "es_dni": "54362315-K",
    "es_nie": "x-2482300w",
    "ch_ahv": "756.9217.0769.85",
    "de_idnr": "36 574 261 809",
    "fr_nir": "2 95 10 99 126 111 93",
    "fr_siren": "552 008 443",
    "it_codicefiscale": "RCCMNL83S18D969H",
    "se_personnummer": "880320-0016",
    "us_npi": "1234567893",
    "us_routing": "111000025",
    "ca_sin": "123-456-782",
    "isbn": "978-0-471-11709-4",
    "be.iban": "BE31435411161155",
    "es.iban": "ES77 1234 1234 1612 3456 7890",
    "fi.hetu": "131052-308T",
    "imei": "35686800-004141-20",
    "lei": "213800KUD8LAJWSQ9D15",
}


def shape(text: str) -> str:
    return re.sub(r"[A-Z]", "A", re.sub(r"[a-z]", "a", re.sub(r"\d", "0", text)))


@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize(("kind", "number"), SAMPLES.items())
def test_results_validate_and_keep_the_layout(kind: str, number: str, unique: bool) -> None:
    valid = validator(kind)
    assert valid is not None and valid(number)
    made = one({"mask": "checksum", "type": kind, "unique": unique}, TEXT, number)
    assert valid(made)
    assert made != number
    assert shape(made) == shape(number)


@given(st.from_regex(r"[1-9][0-9]{11,17}", fullmatch=True), st.booleans(), st.integers(0, 8))
def test_every_card_number_becomes_one(body: str, unique: bool, keep: int) -> None:
    number = body + luhn.calc_check_digit(body)
    made = one({"mask": "checksum", "type": "credit_card", "unique": unique, "keep_prefix": keep}, TEXT, number)
    assert luhn.is_valid(made) and len(made) == len(number) and made != number
    assert made[:keep] == number[:keep]


@settings(max_examples=30)
@given(st.sampled_from(["CZ", "GB", "DE", "FR", "BE"]), st.integers(0, 10**10))
def test_every_iban_becomes_one_of_its_country(country: str, body: int) -> None:
    account = {"CZ": f"{body:020d}", "GB": f"WEST{body:014d}", "DE": f"{body:018d}", "FR": f"{body:023d}"}.get(country)
    if account is None:
        body %= 10**7  # behind a bank code that is in use
        account = f"001{body:07d}"
        account += f"{int(account) % 97 or 97:02d}"
    number = country + iban.calc_check_digits(f"{country}00{account}") + account
    assert iban.is_valid(number)
    made = one({"mask": "checksum", "type": "iban"}, TEXT, number)
    assert iban.is_valid(made)
    assert made[:2] == country and shape(made) == shape(number)
    assert made != number


@given(st.dates(dt.date(1955, 1, 1), dt.date(2003, 1, 1)))
def test_birth_numbers_stay_birth_numbers(born: dt.date) -> None:
    body = f"{born:%y%m%d}123"
    number = body + str(int(body) % 11 % 10)
    assume(rc.is_valid(number))
    assert rc.is_valid(one({"mask": "checksum", "type": "cz_rc"}, TEXT, number))


@pytest.mark.parametrize("kind", ["credit_card", "us_ssn", "uk_nhs", "nl_bsn"])
def test_unique_never_collides(kind: str) -> None:
    valid = validator(kind)
    assert valid is not None
    length = {"credit_card": 14, "us_ssn": 9, "uk_nhs": 10, "nl_bsn": 9}[kind]
    numbers = itertools.islice(filter(valid, (f"{n:0{length}d}" for n in range(10 ** (length - 1), 10**length))), 300)
    values = [*numbers, *(f"{n:0{length}d}" for n in range(7 * 10 ** (length - 1), 7 * 10 ** (length - 1) + 300))]
    values = list(dict.fromkeys(values))
    bound = bind({"mask": "checksum", "type": kind, "unique": True}, TEXT)
    made = in_python(bound, {"v": values})
    assert bound.promises.injective
    assert len(set(made)) == len(values)
    assert [bool(valid(m)) for m in made] == [bool(valid(v)) for v in values]


def test_unique_is_a_bijection_of_short_numbers() -> None:
    bound = bind({"mask": "checksum", "type": "luhn", "unique": True}, TEXT)
    values = [f"{n:04d}" for n in range(10_000)]
    made = in_python(bound, {"v": values})
    assert sorted(made) == values
    assert all(luhn.is_valid(m) == luhn.is_valid(v) for m, v in zip(made, values, strict=True))


@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize("value", ["1234-5678", "no number", "4111 1111 1111 1112", "١٢٣"])
def test_what_is_no_number_is_masked_too(value: str, unique: bool) -> None:
    made = one({"mask": "checksum", "type": "credit_card", "unique": unique}, TEXT, value)
    assert made != value and len(made) == len(value)
    assert not luhn.is_valid(re.sub("[ -]", "", made)) or len(made) < 12


def test_the_last_character_of_a_number_without_check_digit_changes() -> None:
    ends = {one({"mask": "checksum", "type": "us_ssn"}, TEXT, f"536-90-43{i}9")[-1] + str(i) for i in range(10)}
    assert len({e[0] for e in ends}) > 2


def test_credit_card_is_the_same_mask() -> None:
    number = "4111 1111 1111 1111"
    assert one("credit_card", TEXT, number) == one({"mask": "set_checksum", "type": "credit_card"}, TEXT, number)
    assert one({"mask": "credit_card", "keep_prefix": 6}, TEXT, number).startswith("4111 11")


def test_every_short_name_is_one_of_stdnums() -> None:
    names = number_names()
    assert set(SHORT.values()) <= set(names)
    assert all(validator(name) is not None for name in SHORT)
    assert "util" not in names and validator("util") is None


def test_unknown_kinds_and_other_columns_are_refused() -> None:
    with pytest.raises(PolicyError, match="did you mean credit_card"):
        build_mask({"mask": "checksum", "type": "credit_crad"})
    with pytest.raises(PolicyError, match="needs the parameter"):
        build_mask({"mask": "checksum"})
    for bad in ("../x", "os", "cz.nothing", ""):
        with pytest.raises(PolicyError, match="no kind of number"):
            build_mask({"mask": "checksum", "type": bad})
    with pytest.raises(BindError, match="permute"):
        bind({"mask": "checksum", "type": "iban"}, ColumnType(Kind.INTEGER, "bigint"))
