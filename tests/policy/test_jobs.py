"""The section `jobs:`."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmask.errors import PolicyError, UsageError
from dbmask.policy import Policy
from dbmask.policy.jobs import jobs_of, secret
from dbmask.schema import TableName

HEAD = "version: 1\ntables: {t: keep}\njobs:\n  nightly:\n    source: env:PROD\n    target: env:STAGING\n"


def test_a_job_and_what_it_says_of_tables() -> None:
    text = """    schedule: "0 2 * * 1-5"
    timezone: Europe/Prague
    tables:
      public.payment: {mode: watermark, column: updated_at, deletes: key_scan}
      event: {mode: append, column: id}
      "hr.*": {mode: full}
      "*": {mode: diff}
    keep_previous: 2
    on_local_change: fail
    notify: {webhook: env:HOOK, on: failure}
"""
    job = jobs_of(Policy.from_text(HEAD + text).sections)["nightly"]
    assert (job.keep_previous, job.on_drift, job.on_local_change) == (2, "fail", "fail")
    modes = {
        str(name): rule.mode
        for name in (
            TableName("public", "payment"),
            TableName("public", "event"),
            TableName("hr", "a"),
            TableName("x", "y"),
        )
        if (rule := job.rule(name, "public")) is not None
    }
    assert modes == {"public.payment": "watermark", "public.event": "append", "hr.a": "full", "x.y": "diff"}
    bare = jobs_of(Policy.from_text(HEAD).sections)["nightly"]
    assert bare.rule(TableName("public", "t"), "public") is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('schedule: "0 25 * * *"', "is no schedule"),
        ("timezone: Europe/Nowhere", "is no time zone"),
        ("tables: {t: {mode: append}}", "mode append needs `column:`"),
        ("tables: {t: {mode: diff, column: id}}", "`column:` does nothing where `mode: diff` stands"),
        ("tables: {t: {mode: append, column: id, deletes: none}}", "`deletes:` does nothing"),
        ("tables: {t: {mode: often}}", "'full', 'append', 'watermark' or 'diff'"),
        ("on_drift: follow", "'fail'"),
        ("often: true", "unknown key"),
        ("keep_previous: -1", "greater than or equal to 0"),
    ],
    ids=["schedule", "zone", "no column", "idle column", "idle deletes", "mode", "drift", "unknown", "previous"],
)
def test_what_is_wrong_is_said_with_its_line(line: str, said: str) -> None:
    with pytest.raises(PolicyError) as wrong:
        Policy.from_text(f"{HEAD}    {line}\n", "yaml", "p.yaml")
    assert "p.yaml:7: job nightly" in str(wrong.value) and said in str(wrong.value)


def test_passwords_do_not_stand_in_policies() -> None:
    with pytest.raises(PolicyError, match=r"p\.yaml:5: job nightly: source: holds a password") as wrong:
        Policy.from_text(HEAD.replace("env:PROD", "postgresql://u:hunter2@h/d"), "yaml", "p.yaml")
    assert "hunter2" not in str(wrong.value)


def test_a_source_that_is_no_url() -> None:
    with pytest.raises(PolicyError, match=r"p\.yaml:5: job nightly: source: is no URL"):
        Policy.from_text(HEAD.replace("env:PROD", '"postgresql://[h/d"'), "yaml", "p.yaml")


def test_a_job_without_a_schedule() -> None:
    job = jobs_of(Policy.from_text(f"{HEAD}    schedule: null\n").sections)["nightly"]
    assert job.schedule is None


def test_jobs_that_are_none() -> None:
    with pytest.raises(PolicyError, match="must be a mapping of names to jobs"):
        Policy.from_text("version: 1\ntables: {t: keep}\njobs: [a]")
    with pytest.raises(PolicyError, match="target: is missing"):
        Policy.from_text("version: 1\ntables: {t: keep}\njobs: {a: {source: env:A}}")


def test_where_urls_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROD", "sqlite:///a.db")
    (tmp_path / "url").write_text("sqlite:///b.db\n", "utf-8")
    assert secret("env:PROD", "x") == "sqlite:///a.db"
    assert secret("file:url", "x", str(tmp_path)) == "sqlite:///b.db"
    assert secret("sqlite:///c.db", "x") == "sqlite:///c.db"
    for wrong in ("env:NOT_THERE", "file:/not/there"):
        with pytest.raises(UsageError, match=r"x: the (environment variable|file)"):
            secret(wrong, "x")
