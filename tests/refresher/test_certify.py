"""Each run of a job leaves a certificate, signed, that says what it brought and what it did not look at."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dbmask.cli import run
from dbmask.cloner.certificate import Check
from dbmask.cloner.page import render
from dbmask.cloner.signing import new_pair
from dbmask.errors import CheckFailed, UsageError
from dbmask.policy import Policy
from dbmask.refresher import exchange, refresh
from dbmask.refresher.incremental import Incremental
from dbmask.state import State
from tests.fix_mariadb import MariaDB
from tests.fix_postgres import Postgres
from tests.refresher.nights import KEY, Night

NAME = f"proof_{os.getpid()}"


@pytest.fixture
def night(postgres: Postgres, tmp_path: Path) -> Iterator[Night]:
    made = Night(postgres, tmp_path, NAME)
    made.policy = made.policy.replace(
        "keep_previous: 0", 'keep_previous: 0\n    certificate: "{folder}/night-{run}.json"'
    )
    made.policy = made.policy.replace("{folder}", str(tmp_path))
    made.open()
    yield made
    made.close()


def _read(path: Path | None) -> dict[str, Any]:
    assert path is not None
    made: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return made


def test_every_night_keeps_its_own(night: Night) -> None:
    first = night.refresh()
    clone = _read(first.certificate_path)
    assert first.certificate_path == night.folder / f"night-{first.run}.json"
    assert (clone["job"], clone["passed"]) == ("clone", True)
    assert "follows" not in clone
    night.sql("UPDATE person SET name = 'Other' WHERE id <= 2; DELETE FROM item WHERE id = 9")
    second = night.refresh()
    made = _read(second.certificate_path)
    assert (second.mode, made["job"], made["passed"]) == ("incremental", "refresh", True)
    assert made["follows"].startswith(f"run {first.run}, which ended ")
    assert made["snapshot"] != clone["snapshot"]
    assert made["policy_digest"] == clone["policy_digest"]
    tables = {t["table"]: t for t in made["tables"]}
    person = tables["public.person"]["refreshed"]
    assert (person["mode"], person["read"], person["written"], person["removed"]) == ("diff", 2, 2, 0)
    assert tables["public.item"]["refreshed"]["removed"] == 1
    assert tables["public.item"]["rows"] == 89
    assert {c["subject"]: c["figures"] for c in made["checks"] if c["kind"] == "rows"} == {
        "public.person": {"source": 40, "replica": 40},
        "public.item": {"source": 89, "replica": 89},
    }
    unseen = "\n".join(made["not_looked_at"])
    assert "elsewhere in the replica" in unseen and "stayed equal" in unseen and "public.log: nothing in it" in unseen
    with State(night.state) as state:
        assert state.run(second.run).certificate == str(second.certificate_path)
    page = (night.folder / f"night-{second.run}.html").read_text("utf-8")
    assert page == render(made)
    assert f"it follows run {first.run}" in page and "2 rows read, 2 written, 0 removed" in page


def test_it_is_signed_by_the_command_line_s_key(
    night: Night, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DBMASK_KEY", KEY)
    policy, private, public = (night.folder / n for n in ("p.yaml", "c.key", "c.pub"))
    policy.write_text(night.policy, "utf-8")
    new_pair(private, public)
    argv = ["refresh", str(policy), "--state", night.state, "--quiet", "--format", "json"]
    proof = night.folder / "mine.json"
    for mode in ("clone", "incremental"):
        assert run([*argv, "--certificate", str(proof), "--sign-with", str(private)]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["mode"], told["certificate"]) == (mode, str(proof))
        assert run(["certificate", "verify", str(proof), "--public-key", str(public)]) == 0
        capsys.readouterr()
    assert not list(night.folder.glob("night-*"))


def test_rows_that_stay_are_told_as_that(night: Night) -> None:
    night.policy = night.policy.replace("column: changed}", "column: changed, deletes: none}")
    night.refresh()
    night.sql(
        "DELETE FROM account WHERE holder = 'Holder 9'; UPDATE account SET changed = '2025-01-01' WHERE holder = 'Holder 4'"
    )
    made = _read(night.refresh().certificate_path)
    (check,) = (c for c in made["checks"] if (c["kind"], c["subject"]) == ("rows", "public.account"))
    assert check["passed"] and check["figures"] == {"replica": 30}
    assert check["found"] == "30 rows, with those that the source does not have any more (`deletes: none`)"


def test_a_place_that_takes_no_file_is_told_before_anything_is_touched(night: Night) -> None:
    night.refresh()
    before = night.replica()
    night.sql("DELETE FROM loose")
    with pytest.raises(UsageError, match="nowhere"):
        night.refresh(certificate=night.folder / "nowhere" / "c.json")
    assert night.replica() == before
    with State(night.state) as state:
        assert state.runs(1)[0].status == "failed"


def test_a_run_whose_counts_do_not_fit_says_so_in_its_certificate(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.refresh()
    before = night.replica()
    night.sql("UPDATE person SET name = 'Other' WHERE id = 1")
    real = Incremental._check

    def check(self: Any, counts: Any) -> None:
        real(self, {n: rows - 1 for n, rows in counts.items()})

    monkeypatch.setattr(Incremental, "_check", check)
    with pytest.raises(CheckFailed, match=r"person: 39 rows, expected 40") as failed:
        night.refresh()
    made = _read(Path(str(failed.value.certificate)))
    assert made["passed"] is False and "was not put in place" in made["warnings"][-1]
    assert night.replica() == before


def test_mariadb_s_tables_are_checked_before_they_are_swapped_in(
    mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = f"{NAME}_src", f"{NAME}_dst"
    mariadb.create_database(source)
    script = "CREATE TABLE a (id int PRIMARY KEY, mail varchar(80)); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a (id)); "
    script += "CREATE TABLE bare (mail varchar(80)); "
    mariadb.mysql(source, script + "INSERT INTO a VALUES (1, 'ann@shop.example'); INSERT INTO b VALUES (1, 1)")
    monkeypatch.setenv("PROOF_SOURCE", mariadb.url(source))
    monkeypatch.setenv("PROOF_TARGET", mariadb.url(target))
    policy = Policy.from_text(
        "version: 1\ntables: {a: {columns: {id: keep, mail: hash}}, b: keep, bare: {columns: {mail: hash}}}\n"
        "jobs: {nightly: {source: 'env:PROOF_SOURCE', target: 'env:PROOF_TARGET', keep_previous: 0}}",
        "yaml",
    )
    keys = policy.keyring(environ={"DBMASK_KEY": KEY})
    how: dict[str, Any] = {"keys": keys, "state": f"sqlite:///{tmp_path / 's.db'}", "certificate": tmp_path / "c.json"}
    try:
        refresh(policy, **how)
        mariadb.mysql(
            source, "INSERT INTO a VALUES (2, 'bob@shop.example'); INSERT INTO bare VALUES ('dan@shop.example')"
        )
        done = refresh(policy, **how)
        made = _read(done.certificate_path)
        assert done.mode == "incremental" and made["passed"]
        kinds = {(c["kind"], c["subject"].rpartition(".")[2]) for c in made["checks"]}
        assert kinds >= {("rows", "a"), ("unchanged", "mail")}
        assert any(kind == "foreign key" for kind, _ in kinds)
        assert any("bare: has no primary key in the replica" in said for said in made["not_looked_at"])
        mariadb.mysql(source, "INSERT INTO a VALUES (3, 'cyd@shop.example')")

        def stayed(plans: Any, *_: Any) -> Any:
            return [Check("unchanged", "a.mail", False, "100.0% of 3 values stayed equal")], []

        monkeypatch.setattr(exchange, "verify_shares", stayed)
        with pytest.raises(CheckFailed, match="stayed equal"):
            refresh(policy, **how)
        assert _read(tmp_path / "c.json")["passed"] is False
    finally:
        for name in (source, target):
            mariadb.mysql("mysql", f"SET foreign_key_checks = 0; DROP DATABASE IF EXISTS `{name}`")


def test_a_job_s_paths_are_the_policy_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DBMASK_KEY", KEY)
    with closing(sqlite3.connect(tmp_path / "shop.db")) as db, db:
        db.executescript("CREATE TABLE p (id INTEGER PRIMARY KEY, mail TEXT); INSERT INTO p VALUES (1, 'a@b.example')")
    new_pair(tmp_path / "c.key", tmp_path / "c.pub")
    (tmp_path / "p.yaml").write_text(
        "version: 1\ntables: {p: {columns: {id: keep, mail: hash}}}\njobs: {nightly: {"
        f"source: 'sqlite:///{tmp_path}/shop.db', target: 'sqlite:///{tmp_path}/masked.db', "
        "certificate: 'proofs/{run}.json', sign_with: c.key}}",
        "utf-8",
    )
    (tmp_path / "proofs").mkdir()
    assert run(["refresh", str(tmp_path / "p.yaml"), "--state", f"sqlite:///{tmp_path}/s.db", "--quiet"]) == 0
    (proof,) = (tmp_path / "proofs").glob("*.json")
    assert f"Certificate: {proof}" in capsys.readouterr().out
    assert run(["certificate", "verify", str(proof), "--public-key", str(tmp_path / "c.pub")]) == 0
