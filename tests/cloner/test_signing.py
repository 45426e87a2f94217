"""Signatures hold for what was signed and for nothing else."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.cloner.signing import SigningKey, VerifyingKey, new_pair, parse_document, signed, verified
from dbmask.errors import CheckFailed, UsageError
from dbmask_sql.jcs import canonical_json
from tests.cloner.certificates import document


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[SigningKey, VerifyingKey]:
    folder = tmp_path_factory.mktemp("keys")
    new_pair(folder / "a.key", folder / "a.pub")
    return SigningKey.load(folder / "a.key"), VerifyingKey.load(folder / "a.pub")


def places(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every leaf of a document."""
    if isinstance(data, dict):
        return [p for k, v in data.items() for p in places(v, (*path, k))]
    if isinstance(data, list | tuple):
        return [p for i, v in enumerate(data) for p in places(v, (*path, i))]
    return [path]


def test_the_pair_is_written_once_and_for_its_owner(tmp_path: Path) -> None:
    private, public = tmp_path / "c.key", tmp_path / "c.pub"
    made = new_pair(private, public)
    assert private.stat().st_mode & 0o777 == 0o600
    assert SigningKey.load(private).public.fingerprint == made.fingerprint == VerifyingKey.load(public).fingerprint
    before = private.read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        new_pair(private, public)
    assert private.read_bytes() == before
    assert before.decode().splitlines()[1] not in repr(SigningKey.load(private))


@pytest.mark.parametrize("content", [b"", b"secret", b"\xff\xfe", None])
def test_what_is_no_key_is_said_and_not_shown(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x"
    if content is not None:
        path.write_bytes(content)
    for load in (SigningKey.load, VerifyingKey.load):
        with pytest.raises(UsageError) as caught:
            load(path)
        assert "secret" not in str(caught.value)


def test_keys_of_other_kinds_are_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = generate_private_key(SECP256R1())
    (tmp_path / "p").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "q").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(UsageError, match="no Ed25519 private key"):
        SigningKey.load(tmp_path / "p")
    with pytest.raises(UsageError, match="no Ed25519 public key"):
        VerifyingKey.load(tmp_path / "q")


def test_a_signature_survives_the_way_through_a_file(pair: tuple[SigningKey, VerifyingKey]) -> None:
    made = signed(document(), pair[0])
    for text in (canonical_json(made), json.dumps(made, indent=4, sort_keys=True), json.dumps(made)):
        assert verified(parse_document(text), pair[1]) == parse_document(canonical_json(document()))


def test_anybody_can_check_it_with_the_two_standards_alone(pair: tuple[SigningKey, VerifyingKey]) -> None:
    made = signed(document(), pair[0])
    value = made.pop("signature")["value"]
    pair[1].key.verify(base64.b64decode(value), canonical_json(made).encode())


@given(data=st.data())
def test_every_change_is_noticed(pair: tuple[SigningKey, VerifyingKey], data: st.DataObject) -> None:
    made = parse_document(canonical_json(signed(document(), pair[0])))
    changed = copy.deepcopy(made)
    path = data.draw(st.sampled_from(places(made)))
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    old = place[path[-1]]
    kinds = st.text(max_size=5) | st.integers(-5, 900) | st.booleans() | st.none()
    other = data.draw(kinds.filter(lambda v: canonical_json(v) != canonical_json(old)))
    if data.draw(st.booleans()) and isinstance(place, dict):
        del place[path[-1]]
    else:
        place[path[-1]] = other
    if path == ("signature", "key"):  # a hint, which no signature holds
        return
    with pytest.raises(CheckFailed):
        verified(changed, pair[1])


def test_another_key_and_no_signature_do_not_pass(pair: tuple[SigningKey, VerifyingKey], tmp_path: Path) -> None:
    new_pair(tmp_path / "b.key", tmp_path / "b.pub")
    other = SigningKey.load(tmp_path / "b.key")
    with pytest.raises(CheckFailed, match="signed with another key"):
        verified(signed(document(), other), pair[1])
    with pytest.raises(CheckFailed, match="is not signed"):
        verified(signed(document(), None), pair[1])
    with pytest.raises(CheckFailed, match="is not signed"):
        verified(signed(signed(document(), pair[0]), None), pair[1])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"checks": [], "checks": [], "policy_digest": ""}',
        '{"checks": NaN, "policy_digest": ""}',
        "[" * 9999,
    ],
)
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(CheckFailed, match="this is no certificate"):
        parse_document(text)
