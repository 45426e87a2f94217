"""Signed certificates: an Ed25519 key pair, apart from every masking key, and what proves that a document is untouched.

What is signed is the RFC 8785 text of the document without its member ``signature``, so that an auditor can check it
with the public key alone, with this module or with any other tool that knows both standards.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbmask.errors import CheckFailed, UsageError
from dbmask_sql.jcs import canonical_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["SigningKey", "VerifyingKey", "new_pair", "parse_document", "signed", "verified"]

_ALGORITHM = "Ed25519"


class VerifyingKey:
    """A public key: whoever has it can check certificates and make none."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self.key = key

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits of the SHA-256 of the raw key, to tell keys apart."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return hashlib.sha256(self.key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]

    @classmethod
    def load(cls, path: Path) -> VerifyingKey:
        """Read a PEM file. Raises UsageError where it holds no Ed25519 public key."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        data = _read(path, "public key")
        try:
            key = load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise UsageError(f"{path} holds no Ed25519 public key in PEM form (`dbmask certificate key` makes a pair)")
        return cls(key)


class SigningKey:
    """A private key; ``repr`` does not show it."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def __repr__(self) -> str:
        return f"SigningKey({self.public.fingerprint})"

    @property
    def public(self) -> VerifyingKey:
        """What others check by."""
        return VerifyingKey(self._key.public_key())

    def sign(self, data: bytes) -> bytes:
        """Sign bytes: 64 bytes, the same for the same data (RFC 8032)."""
        return self._key.sign(data)

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """Read a PEM file without a password. Raises UsageError, which never repeats what the file holds."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        data = _read(path, "signing key")
        try:
            key = load_pem_private_key(data, None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise UsageError(f"{path} holds no Ed25519 private key in PEM form (`dbmask certificate key` makes a pair)")
        return cls(key)


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"the {what} {path} cannot be read: {(error.strerror or 'no such file').lower()}") from None


def new_pair(private: Path, public: Path) -> VerifyingKey:
    """Write a fresh pair of PEM files, the private one for its owner's eyes only. Raises UsageError where one is there already."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    for path in (private, public):
        if path.exists():
            raise UsageError(f"{path} exists already; certificates that it signed would lose their key")
    key = Ed25519PrivateKey.generate()
    _write(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    _write(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    return VerifyingKey(key.public_key())


def _write(path: Path, data: bytes, mode: int) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {(error.strerror or type(error).__name__).lower()}") from None
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def signed(document: Mapping[str, Any], key: SigningKey | None) -> dict[str, Any]:
    """The document with its signature; without one where there is no key."""
    body = {k: v for k, v in document.items() if k != "signature"}
    if key is None:
        return body
    value = base64.b64encode(key.sign(_message(body))).decode("ascii")
    return {**body, "signature": {"algorithm": _ALGORITHM, "key": key.public.fingerprint, "value": value}}


def _message(body: Mapping[str, Any]) -> bytes:
    return canonical_json(dict(body)).encode("utf-8", "surrogatepass")


def verified(document: Mapping[str, Any], key: VerifyingKey) -> dict[str, Any]:
    """The document without its signature, which is checked. Raises CheckFailed where it does not hold."""
    from cryptography.exceptions import InvalidSignature

    signature = document.get("signature")
    if not isinstance(signature, dict):
        raise CheckFailed("the certificate is not signed")
    if signature.get("algorithm") != _ALGORITHM:
        raise CheckFailed(f"the certificate's signature is not {_ALGORITHM}")
    body = {k: v for k, v in document.items() if k != "signature"}
    try:
        key.key.verify(base64.b64decode(str(signature.get("value")), validate=True), _message(body))
    except (InvalidSignature, binascii.Error, ValueError):
        other = signature.get("key") != key.fingerprint
        why = "it was signed with another key" if other else "it was changed after it was signed"
        raise CheckFailed(f"the certificate's signature does not hold: {why}") from None
    return body


def parse_document(text: str) -> dict[str, Any]:
    """A certificate's JSON. Raises CheckFailed where it is none, or says one thing twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise ValueError("a name stands twice")
        return made

    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is no JSON")

    try:
        found = json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise CheckFailed("this is no certificate: its JSON cannot be read") from None
    if not isinstance(found, dict) or "checks" not in found or "policy_digest" not in found:
        raise CheckFailed("this is no certificate of dbmask's")
    return found
