"""Paths, and a directory beside the target in which a file is made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from dbmask.errors import ConnectorError, UsageError
from dbmask_connectors._files import Building, file_identity, path_of, settings_of, source_path


@pytest.mark.parametrize(
    "url", ["nonsense", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://h/f.db", "sqlite:///file:f.db"]
)
def test_what_names_no_file_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match=r"write sqlite:///shop\.db"):
        path_of(url, "sqlite", "sqlite:///shop.db")


_LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")


@given(st.lists(st.sampled_from(["%20", "%41", "%", "@", "#", ":", "?", "a", "/"]) | _LETTERS, min_size=1).map("".join))
def test_a_plain_path_is_read_as_sqlalchemy_reads_it(path: str) -> None:
    url = f"sqlite:///{path}"
    try:
        theirs = make_url(url)
        file = "" if theirs.query or theirs.host else theirs.database or ""
    except (ArgumentError, ValueError):
        file = ""
    if file in ("", ":memory:") or file.startswith("file:"):
        with pytest.raises(UsageError):
            path_of(url, "sqlite", "")
        return
    try:
        expected = Path(file).expanduser().resolve()
    except RuntimeError:  # "~somebody" who has no home
        return
    assert path_of(url, "sqlite", "") == expected


def test_settings_are_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="no setting 'mode'; there are none"):
        path_of("sqlite:///f.db?mode=ro", "sqlite", "")
    url = "duckdb:///f.duckdb?threads=1&threads=2"
    assert path_of(url, "duckdb", "", frozenset({"threads"})).name == "f.duckdb"
    assert settings_of(url) == {"threads": "2"}


def test_the_home_directory_and_links_are_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert path_of("sqlite:///~/link/f.db", "sqlite", "") == (tmp_path / "real" / "f.db").resolve()


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f.db"
    path.touch()
    assert source_path(path) == path
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ConnectorError, match="permission denied"):
        source_path(path)
    with pytest.raises(UsageError, match="cannot be written: permission denied"):
        Building(path).start()


def test_identity_is_empty_where_there_is_nothing(tmp_path: Path) -> None:
    assert file_identity(tmp_path / "nothing") == ""
    assert file_identity(tmp_path) == f"file:{tmp_path.stat().st_dev}:{tmp_path.stat().st_ino}"


def test_a_building_is_published_once(tmp_path: Path) -> None:
    building = Building(tmp_path / "f.db")
    building.start().write_bytes(b"new")
    building.publish()
    assert (tmp_path / "f.db").read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["f.db"]
    with pytest.raises(ConnectorError, match="nothing is being built"):
        building.publish()
    building.remove()


def test_a_target_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f.db").write_bytes(b"old")
    building = Building(tmp_path / "f.db")
    building.start().write_bytes(b"new")

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(ConnectorError, match=r"could not be replaced: operation not permitted"):
        building.publish()
    building.remove()
    assert [p.name for p in tmp_path.iterdir()] == ["f.db"]
    assert (tmp_path / "f.db").read_bytes() == b"old"
