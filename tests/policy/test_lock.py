"""The lock file: names only, one entry for each policy of the folder, and never half-written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dbmask.errors import PolicyError, UsageError
from dbmask.policy.lock import Lock
from tests.schemas import name


def test_what_is_recorded_and_what_it_looks_like(tmp_path: Path) -> None:
    lock = Lock.beside(str(tmp_path / "p.yaml"))
    assert (lock.tables, lock.digest, lock.columns(name("a"))) == ({}, "", None)
    lock.recording({name("b"): ["y", "x"], name('"we ird"'): []}, "d1").write()
    assert json.loads((tmp_path / "dbmask.lock").read_text("utf-8")) == {
        "version": 1,
        "keep": {"p.yaml": {'public."we ird"': [], "public.b": ["x", "y"]}},
        "policies": {"p.yaml": "d1"},
    }
    again = Lock.beside(str(tmp_path / "p.yaml"))
    assert (again.columns(name("b")), again.digest) == (("x", "y"), "d1")
    assert [p.name for p in tmp_path.iterdir()] == ["dbmask.lock"]


def test_recording_adds_and_accepting_replaces(tmp_path: Path) -> None:
    lock = Lock.beside(str(tmp_path / "p.yaml")).recording({name("a"): ["x"]}, "d1")
    more = lock.recording({name("a"): ["x", "new"], name("b"): ["y"]}, "d2")
    assert (more.columns(name("a")), more.columns(name("b")), more.digest) == (("x",), ("y",), "d2")
    accepted = more.accepting({name("a"): ["x", "new"]}, "d3")
    assert (accepted.columns(name("a")), accepted.columns(name("b")), accepted.digest) == (("new", "x"), None, "d3")


def test_accepting_for_one_policy_accepts_nothing_for_another(tmp_path: Path) -> None:
    one, other = (Lock.beside(str(tmp_path / p)) for p in ("one.yaml", "other.yaml"))
    one.recording({name("a"): ["x"]}).write()
    other.accepting({name("a"): ["x", "y"]}).write()
    assert Lock.beside(one.path.replace("dbmask.lock", "one.yaml")).columns(name("a")) == ("x",)
    before = (tmp_path / "dbmask.lock").read_bytes()
    one.recording({name("a"): ["x"]}).write()
    assert (tmp_path / "dbmask.lock").read_bytes() == before


def test_a_lock_without_a_policy_file_is_not_written() -> None:
    lock = Lock.beside("")
    lock.recording({name("a"): ["x"]}).write()
    assert lock == Lock()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<<<<<<< HEAD",
        b"[]",
        b"{}",
        b'{"version": 2, "keep": {}}',
        b'{"version": 1, "keep": {"p.yaml": {"a": "xyz"}}}',
        b'{"version": 1, "keep": {"p.yaml": {"a": [1]}}}',
        b'{"version": 1, "keep": {}, "policies": {"p.yaml": 5}}',
        b"\xff",
    ],
)
def test_a_broken_lock_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dbmask.lock").write_bytes(content)
    with pytest.raises(PolicyError, match=r"dbmask\.lock: cannot be read as a lock file \(restore it from version"):
        Lock.beside(str(tmp_path / "p.yaml"))


def test_a_folder_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "dbmask.lock").mkdir()
    with pytest.raises(PolicyError, match="cannot be read as a lock file"):
        Lock.beside(str(tmp_path / "p.yaml"))


def test_a_lock_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    lock = Lock.beside(str(tmp_path / "gone" / "policy.yaml"))
    with pytest.raises(UsageError, match=r"dbmask\.lock cannot be written: No such file"):
        lock.recording({name("t"): ["a"]}).write()
