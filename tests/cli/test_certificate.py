"""``dbmask certificate``, and the certificate that a clone signs."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dbmask.cli import run

CLONE = ["clone", "p.yaml", "--source", "sqlite:///shop.db", "--target", "sqlite:///masked.db", "--quiet"]
APPLY = ["apply", "p.yaml", "--target", "sqlite:///copy.db", "--database", "copy.db", "--quiet"]
VERIFY = ["certificate", "verify", "c.json", "--public-key", "certificate.pub"]


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DBMASK_KEY", "a key of sixteen characters")
    monkeypatch.delenv("DBMASK_SIGNING_KEY", raising=False)
    with closing(sqlite3.connect("shop.db")) as db, db:
        db.executescript("CREATE TABLE p (id INTEGER PRIMARY KEY, mail TEXT); INSERT INTO p VALUES (1, 'a@b.example')")
    Path("p.yaml").write_text("version: 1\ntables: {p: {columns: {id: keep, mail: hash}}}\n", "utf-8")
    return tmp_path


def test_a_signed_clone_is_verified_without_the_masking_key(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["certificate", "key"]) == 0
    assert run([*CLONE, "--certificate", "c.json", "--sign-with", "certificate.key"]) == 0
    monkeypatch.delenv("DBMASK_KEY")
    capsys.readouterr()
    assert run(VERIFY) == 0
    said = capsys.readouterr().out
    assert "The signature holds" in said and "checks passed." in said
    assert run(["certificate", "verify", "c.html", "--public-key", "certificate.pub"]) == 0
    text = Path("c.json").read_text("utf-8")
    Path("c.json").write_text(text.replace('"mask":"hash"', '"mask":"keep"'), "utf-8")
    assert run(VERIFY) == 3
    assert "it was changed after it was signed" in capsys.readouterr().err


def test_the_signing_key_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["certificate", "key", "-o", "other"]) == 0
    monkeypatch.setenv("DBMASK_SIGNING_KEY", "other.key")
    assert run([*CLONE, "--certificate", "c.json"]) == 0
    assert run(["certificate", "verify", "c.json", "--public-key", "other.pub"]) == 0


def test_what_is_not_signed_or_did_not_pass_is_no_proof(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["certificate", "key"]) == 0
    assert run([*CLONE, "--certificate", "c.json"]) == 0
    assert run(VERIFY) == 3
    assert "is not signed" in capsys.readouterr().err
    from dbmask.cloner.signing import SigningKey, signed

    facts = json.loads(Path("c.json").read_text("utf-8"))
    facts["checks"][0]["passed"] = False
    Path("c.json").write_text(json.dumps(signed(facts, SigningKey.load(Path("certificate.key")))), "utf-8")
    assert run(VERIFY) == 3
    assert "the certificate says that checks failed" in capsys.readouterr().err


def test_a_key_that_cannot_be_used_stops_the_clone_before_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*CLONE, "--certificate", "c.json", "--sign-with", "nowhere.key"]) == 2
    assert "nowhere.key cannot be read" in capsys.readouterr().err
    assert not Path("masked.db").exists()


@pytest.mark.parametrize("verb", [CLONE, APPLY, "verify"], ids=["clone", "apply", "verify"])
def test_a_place_that_cannot_be_is_said_before_anything_is_done(
    verb: list[str] | str, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = Path("shop.db").read_bytes()
    Path("copy.db").write_bytes(shop)
    there = set(os.listdir())
    words = ["verify", *CLONE[1:]] if isinstance(verb, str) else verb
    assert run([*words, "--certificate", "nowhere/c.json"]) == 2
    assert "nowhere/c.json cannot be written: there is no folder nowhere" in capsys.readouterr().err
    assert set(os.listdir()) == there and Path("copy.db").read_bytes() == shop


def test_a_disk_that_is_full_in_the_end_is_said_in_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("dbmask.cloner.certificate.write_text", full)
    assert run([*CLONE, "--certificate", "c.json"]) == 1
    said = capsys.readouterr().err
    assert "what was masked is in place, but the certificate c.json cannot be written: no space left on device" in said
    assert Path("masked.db").exists() and not Path("c.json").exists()


def test_a_pair_is_never_overwritten() -> None:
    assert run(["certificate", "key"]) == 0
    assert run(["certificate", "key"]) == 2


def leak() -> bytes:
    """A column that is kept holds what another one's mask takes away, and a replica stands there already."""
    assert run(["certificate", "key"]) == 0
    assert run(CLONE) == 0
    before = Path("masked.db").read_bytes()
    with closing(sqlite3.connect("shop.db")) as db, db:
        db.executescript("CREATE TABLE log (id INTEGER PRIMARY KEY, x TEXT); INSERT INTO log SELECT * FROM p")
    Path("p.yaml").write_text("version: 1\ntables: {p: {columns: {id: keep, mail: hash}}, log: keep}\n", "utf-8")
    return before


@pytest.mark.parametrize("verb", [CLONE, APPLY], ids=["clone", "apply"])
def test_checks_that_fail_are_certified_too(
    verb: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = leak()
    shop = Path("shop.db").read_bytes()
    Path("copy.db").write_bytes(shop)
    capsys.readouterr()
    assert run([*verb, "--certificate", "c.json", "--sign-with", "certificate.key"]) == 3
    said = capsys.readouterr()
    assert "main.log.x" in said.err and "Certificate, which says so: c.json" in said.err
    assert Path("masked.db").read_bytes() == before and Path("copy.db").read_bytes() == shop
    made = json.loads(Path("c.json").read_text("utf-8"))
    assert made["passed"] is False and made["snapshot"]
    assert [(c["kind"], c["subject"]) for c in made["checks"] if not c["passed"]] == [("residue", "main.p.mail")]
    assert "not put in place" in made["warnings"][-1]
    assert {t["table"]: t["rows"] for t in made["tables"]}["main.p"] == 1
    monkeypatch.delenv("DBMASK_KEY")
    for file in ("c.json", "c.html"):
        assert run(["certificate", "verify", file, "--public-key", "certificate.pub"]) == 3
        said = capsys.readouterr()
        assert "The signature holds" in said.out
        assert "checks failed" in said.err and "main.p.mail" in said.err
    assert "failed" in Path("c.html").read_text("utf-8")


@pytest.mark.parametrize("verb", [CLONE, APPLY], ids=["clone", "apply"])
@pytest.mark.parametrize("more", [[], ["--certificate", "c.json"]], ids=["", "certified"])
def test_checks_that_fail_are_json_too(verb: list[str], more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    leak()
    Path("copy.db").write_bytes(Path("shop.db").read_bytes())
    capsys.readouterr()
    assert run([*verb, "--format", "json", *more]) == 3
    said = capsys.readouterr()
    facts = json.loads(said.out)
    assert facts["passed"] is False and facts["certificate"] == (more[1] if more else None)
    assert [f["subject"] for f in facts["failed"]] == ["main.p.mail"] and "main.log.x" in facts["failed"][0]["found"]
    assert "verification failed" in said.err


def test_a_refresh_s_failed_checks_are_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leak()
    with Path("p.yaml").open("a", encoding="utf-8") as policy:
        policy.write('jobs: {nightly: {source: "sqlite:///shop.db", target: "sqlite:///other.db"}}\n')
    capsys.readouterr()
    assert run(["refresh", "p.yaml", "--state", f"sqlite:///{tmp_path}/s.db", "--quiet", "--format", "json"]) == 3
    facts = json.loads(capsys.readouterr().out)
    assert facts["passed"] is False and [f["subject"] for f in facts["failed"]] == ["main.p.mail"]


def test_where_the_failed_one_cannot_be_written_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    leak()
    Path("c.html").mkdir()
    assert run([*CLONE, "--certificate", "c.json", "--sign-with", "certificate.key"]) == 3
    said = capsys.readouterr().err
    assert "main.log.x" in said and "cannot be written" in said
