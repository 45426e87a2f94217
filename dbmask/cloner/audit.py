"""What an auditor does with a certificate: check who made it, that it is untouched, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbmask import __version__
from dbmask.cloner.page import embedded, render
from dbmask.cloner.signing import VerifyingKey, parse_document, verified
from dbmask.errors import CheckFailed, UsageError

__all__ = ["Audit", "audit"]


@dataclass(frozen=True)
class Audit:
    """A certificate whose signature holds. ``failed`` are the checks that it says did not pass, in words."""

    fingerprint: str
    finished: str
    source: str
    target: str
    policy_digest: str
    checks: int
    failed: tuple[str, ...]
    not_looked_at: tuple[str, ...]
    notes: tuple[str, ...] = ()


def audit(file: Path, public_key: Path) -> Audit:
    """Check a certificate, JSON or page, by a public key. Raises CheckFailed where it does not hold, UsageError where it cannot be read."""
    key = VerifyingKey.load(public_key)
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {(error.strerror or 'no such file').lower()}") from None
    except UnicodeDecodeError:
        raise CheckFailed(f"{file} is no certificate: it is not UTF-8 text") from None
    notes: tuple[str, ...] = ()
    if text.lstrip().startswith("<"):
        data = embedded(text)
        if data is None:
            raise CheckFailed(f"{file} is no certificate's page: the data is not in it")
        document = parse_document(data)
        body = verified(document, key)
        notes = _shown(text, document)
    else:
        body = verified(parse_document(text), key)
    failed = [f"{c['subject']}: {c['found']}" for c in body["checks"] if not c["passed"]]
    if not failed and not body.get("passed"):
        failed = ["the run's verdict"]
    return Audit(
        key.fingerprint,
        str(body["finished"]),
        str(body["source"]),
        str(body["target"]),
        str(body["policy_digest"]),
        len(body["checks"]),
        tuple(failed),
        tuple(str(item) for item in body["not_looked_at"]),
        notes,
    )


def _shown(page: str, document: dict[str, Any]) -> tuple[str, ...]:
    """Whether the page is the one that its document gives; another version's cannot be told."""
    if document.get("version") != __version__:
        made = document.get("version")
        return (
            f"the page was made by dbmask {made}: its data is as signed, its text was not compared with this one's",
        )
    if page != render(document):
        raise CheckFailed("the page was changed: it does not show what was signed")
    return ()
