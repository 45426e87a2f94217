"""Keys: known answers that would show any later change of a masked value, sources, and what is never shown."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.errors import KeySourceError
from dbmask.keys import KeyRing, MasterKey, hkdf, new_key

MASTER = MasterKey(bytes(range(32)))


def test_hkdf_agrees_with_rfc_5869_test_case_3() -> None:
    okm = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    assert hkdf(b"\x0b" * 22, b"", 42).hex() == okm


def test_column_keys_are_frozen() -> None:
    ring = KeyRing(MASTER)
    assert (
        ring.column("email").prf(b"a@b.cz").hex() == "67ef3b34b9b89ecc6ff0952d590431d09f19781fafefaafa6250ed7dd0b38914"
    )
    assert (
        ring.column("email").sub("round0").prf(b"x").hex()
        == "68e5ca37e7b96fca2966882ee4e7e45d0437a5133593b3024814bed15a2883f6"
    )
    assert (
        ring.column("email").short(b"0001").hex() == "c60c84d46fd7caf9c6c6d78bdc373772195cba25141b5503a25f6ed0bf625555"
    )
    assert ring.column("email").secret(16).hex() == "96e65ec9d8b33596ba3806019d5c586d"
    assert (
        KeyRing(MASTER, "2026").column("email").prf(b"a@b.cz").hex()
        == "b694f9ce8368f47974c701e9ebf5341729e1f0b89760ba36439cd99fada7f6d5"
    )
    assert MASTER.derive("checksums").hex() == "5be31316b4b0045b37ca9b4ba2126af2ef8a2c68768a0df4b461b30d95dcf193"
    assert ring.fingerprint() == "d1084ed14a678275"


def test_the_stretched_text_key_is_frozen() -> None:
    assert (
        KeyRing(MasterKey.parse("correct horse battery")).column("x").prf(b"").hex()
        == "b0879f7a445ccfaad4edf5005b293b64b8498d5b383f7ec85b25d21854bf4b94"
    )


@given(st.binary(max_size=300), st.text(min_size=1, max_size=20))
def test_prf_is_hmac_by_its_pads(data: bytes, domain: str) -> None:
    key = KeyRing(MASTER).column(domain)
    inner, outer = key.pads
    secret = bytes(b ^ 0x36 for b in inner)
    assert key.prf(data) == hmac.digest(secret, data, "sha256")
    assert key.prf(data) == hashlib.sha256(outer + hashlib.sha256(inner + data).digest()).digest()
    assert [key.word(data, i) for i in range(4)] == [
        int(key.prf(data).hex()[15 * i : 15 * i + 15], 16) for i in range(4)
    ]


def test_domains_epochs_and_sub_keys_are_independent() -> None:
    ring = KeyRing(MASTER)
    keys = [
        ring.column("a"),
        ring.column("b"),
        ring.column("a").sub("b"),
        ring.column("a/b"),
        ring.column("a//b"),
        KeyRing(MASTER, "1").column("a"),
        KeyRing(MASTER, "").column("a\0" + "1"),
    ]
    assert len({k.prf(b"") for k in keys}) == len(keys)
    names = [k.name for k in keys[:5]]
    assert len(set(names)) == len(names)


def test_the_ring_gives_pads_for_keys_that_were_asked_for() -> None:
    ring = KeyRing(MASTER)
    sub = ring.column("a").sub("r")
    assert ring.column("a").sub("r") is sub
    assert ring.pads(["a", "a/r"]) == {"a": ring.column("a").pads, "a/r": sub.pads}


@pytest.mark.parametrize(
    "text", ["hex:" + "00" * 31, "hex:zz", "base64:!!", "", "  ", "fifteen letters", "base64:aGk="]
)
def test_unusable_keys_are_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(KeySourceError) as error:
        MasterKey.parse(text)
    body = text.partition(":")[2] or text.strip()
    assert not body or body not in str(error.value)


def test_key_texts() -> None:
    raw = bytes(range(40))
    by_hex, by_base64 = (
        MasterKey.parse("hex:" + raw.hex() + "\n"),
        MasterKey.parse("base64:" + base64.b64encode(raw).decode()),
    )
    assert by_hex.fingerprint() == by_base64.fingerprint() == MasterKey(raw).fingerprint()
    assert MasterKey.parse(new_key()).fingerprint() != MasterKey.parse(new_key()).fingerprint()


def test_sources(tmp_path: Path) -> None:
    text = "hex:" + "ab" * 32
    file = tmp_path / "key"
    file.write_text(text + "\n", "utf-8")
    expected = MasterKey.parse(text).fingerprint()
    assert MasterKey.load("env:K", {"K": text}).fingerprint() == expected
    assert MasterKey.load(f"file:{file}").fingerprint() == expected
    assert MasterKey.load(f"exec:cat {file}").fingerprint() == expected


def test_the_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "hex:" + "ab" * 32)
    assert MasterKey.load("env:SOME_KEY").fingerprint() == MasterKey(b"\xab" * 32).fingerprint()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("env:NOT_THERE", "NOT_THERE is not set"),
        ("file:/no/such/file", "/no/such/file cannot be read"),
        ("exec:/no/such/program", "could not be run"),
        ("exec:false", "ended with status 1"),
        ("exec:'", "could not be run"),
        ("hex:" + "00" * 32, "not the key itself"),
        ("env:", "not the key itself"),
        ("a literal that is long enough", "not the key itself"),
    ],
)
def test_bad_sources(source: str, message: str) -> None:
    with pytest.raises(KeySourceError, match=message) as error:
        MasterKey.load(source, {})
    assert "00" * 32 not in str(error.value)
    assert "literal that" not in str(error.value)


def test_a_binary_key_file_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"\xff\xfe" * 20)
    with pytest.raises(KeySourceError, match="not UTF-8"):
        MasterKey.load(f"file:{file}")


def test_a_run_without_a_key_says_how_to_give_one() -> None:
    with pytest.raises(KeySourceError, match="DBMASK_KEY"):
        KeyRing(None).column("email")
    assert KeyRing(None).fingerprint() == ""


def test_nothing_shows_a_key() -> None:
    key = KeyRing(MASTER).column("email")
    shown = f"{MASTER!r} {KeyRing(MASTER)!r} {key!r} {key.pads!r}"
    assert bytes(range(32)).hex() not in shown
    assert shown == "MasterKey(...) KeyRing(epoch='') ColumnKey('email') Pads(...)"
