from __future__ import annotations

import itertools
import string
from unicodedata import category

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dbmask.errors import BindError, MaskError, PolicyError
from dbmask.masks._ff1 import FF1
from dbmask.masks._letters import alphabet
from dbmask.masks.build import build_mask
from dbmask.schema import ColumnType, Kind
from tests.masks.engines import bind, in_python, one

TEXT = ColumnType(Kind.TEXT, "text")
UNIQUE = {"mask": "imitate", "unique": True}

_KEY = "2B7E151628AED2A6ABF7158809CF4F3C" + "EF4359D8D580AA4F" + "7F036D6F04FC6A94"
_TWEAK = "39383736353433323130"
_LONG = "3737373770717273373737"
_36 = string.digits + string.ascii_lowercase


@pytest.mark.parametrize(
    ("bits", "tweak", "plain", "cipher"),
    [
        (128, "", "0123456789", "2433477484"),
        (128, _TWEAK, "0123456789", "6124200773"),
        (128, _LONG, "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
        (192, "", "0123456789", "2830668132"),
        (192, _TWEAK, "0123456789", "2496655549"),
        (192, _LONG, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
        (256, "", "0123456789", "6657667009"),
        (256, _TWEAK, "0123456789", "1001623463"),
        (256, _LONG, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
    ],
)
def test_ff1_gives_the_samples_of_nist(bits: int, tweak: str, plain: str, cipher: str) -> None:
    ff1 = FF1(bytes.fromhex(_KEY)[: bits // 8])
    radix = 10 if plain.isdigit() else 36
    made = ff1.encrypt([_36.index(c) for c in plain], radix, bytes.fromhex(tweak))
    assert "".join(_36[n] for n in made) == cipher


@given(st.text())
def test_layout_case_and_script_are_kept(value: str) -> None:
    made = one("imitate", TEXT, value)
    assert len(made) == len(value)
    for before, after in zip(value, made, strict=True):
        if category(before)[0] == "L" or category(before) == "Nd":
            assert after in alphabet(before)
        else:
            assert after == before


@given(st.text(st.characters(categories=["Lu", "Ll", "Lt", "Lo", "Lm", "Nd"]), min_size=12))
def test_letters_never_pass_through(value: str) -> None:
    assert one("imitate", TEXT, value) != value


@given(st.text(st.characters(categories=["L", "Nd"]), min_size=1))
def test_force_change_changes_every_one(value: str) -> None:
    made = one({"mask": "imitate", "force_change": True}, TEXT, value)
    assert all(a != b for a, b in zip(value, made, strict=True))


@pytest.mark.parametrize(
    ("char", "fellows"),
    [
        ("a", string.ascii_lowercase),
        ("Z", string.ascii_uppercase),
        ("7", string.digits),
        ("٣", "٠١٢٣٤٥٦٧٨٩"),
        ("-", ""),
    ],
)
def test_alphabets(char: str, fellows: str) -> None:
    assert alphabet(char) == fellows


def test_accents_stay_within_their_character_set() -> None:
    for char, codec in (
        ("é", "iso8859-1"),
        ("é", "iso8859-2"),
        ("ř", "iso8859-2"),
        ("Ž", "iso8859-2"),
        ("ñ", "iso8859-1"),
    ):
        letters = alphabet(char)
        assert char in letters and len(letters) > 5
        letters.encode(codec)
    assert alphabet("ж") == alphabet("я") != alphabet("Ж")
    assert all("CJK" not in c for c in alphabet("λ")) and len(alphabet("λ")) == 24
    assert len(alphabet("日")) > 20_000


def test_letters_younger_than_the_frozen_tables_are_replaced_or_refused() -> None:
    young = "\u1c80"  # CYRILLIC SMALL LETTER ROUNDED VE, Unicode 9
    assert one("imitate", TEXT, young) in string.ascii_lowercase
    with pytest.raises(MaskError):
        one(UNIQUE, TEXT, young)


def test_alphabets_of_ones_own() -> None:
    spec = {"mask": "imitate", "uppercase": "XY", "lowercase": "q", "digits": "01"}
    made = one(spec, TEXT, "Hello-2024 ЖÉ")
    assert set(made) <= set("XYq01- ")
    with pytest.raises(MaskError):
        one({**UNIQUE, "digits": "01"}, TEXT, "2024")
    assert sorted(in_python(bind({**UNIQUE, "digits": "01"}, TEXT), {"v": ["00", "01", "10", "11"]})) == [
        *("00", "01", "10", "11")
    ]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"uppercase": ""}, "uppercase needs 1"),
        ({"digits": "1", "unique": True}, "digits needs 2"),
        ({"digits": "11"}, "each once"),
        ({"unique": True, "force_change": True}, "cannot force"),
    ],
)
def test_parameters_are_checked(params: dict[str, object], message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        build_mask({"mask": "imitate", **params})


@pytest.mark.parametrize("layout", ["0", "00", "000", "a0", "A-a", "é0", "00000"])
def test_unique_is_a_bijection_of_each_layout(layout: str) -> None:
    sets = [alphabet(c) or c for c in layout]
    values = ["".join(v) for v in itertools.islice(itertools.product(*sets), 20_000)]
    made = in_python(bind(UNIQUE, TEXT), {"v": values})
    assert len(set(made)) == len(values)
    assert all(m in s for text in made for m, s in zip(text, sets, strict=True))
    if len(values) < 20_000:
        assert sorted(made) == sorted(values)


@given(st.text(max_size=40), st.text(max_size=40))
def test_unique_tells_values_apart(left: str, right: str) -> None:
    assume(left != right)
    try:
        made = in_python(bind(UNIQUE, TEXT), {"v": [left, right]})
    except MaskError:  # a letter younger than the frozen tables
        return
    assert made[0] != made[1]
    assert [len(m) for m in made] == [len(left), len(right)]


def test_unique_on_a_million_values_uses_ff1_and_keeps_the_layout() -> None:
    bound = bind(UNIQUE, TEXT)
    made = in_python(bound, {"v": ["123-456", "123456", "1234-56"]})
    assert [m.replace("-", "").isdigit() for m in made] == [True] * 3
    assert made[0][3] == "-" and made[2][4] == "-"
    assert len({m.replace("-", "") for m in made}) == 3  # the layout is part of the tweak
    assert bound.promises.injective


def test_long_values_are_masked_in_reasonable_time() -> None:
    for value in ("7" * 10_000, "a7" * 5_000, "日本語" * 1_000):
        for spec in ("imitate", UNIQUE):
            made = one(spec, TEXT, value)
            assert len(made) == len(value) and made != value


def test_imitate_unique_is_the_same_mask() -> None:
    assert one("imitate_unique", TEXT, "AC-891234") == one(UNIQUE, TEXT, "AC-891234")


def test_other_columns_are_refused() -> None:
    with pytest.raises(BindError, match="permute"):
        bind("imitate", ColumnType(Kind.INTEGER, "integer"))
    with pytest.raises(BindError, match="fixed"):
        bind("imitate", ColumnType(Kind.BYTES, "bytea"))
