"""The users file: who may read it, and what stands in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmask.errors import UsageError
from dbmask.proxy import users
from dbmask.proxy.users import add_user, mock_secret, read_users, remove_user


def test_users_come_and_go(tmp_path: Path) -> None:
    """No password stands in the file, and a password given again makes another verifier."""
    path = tmp_path / "users"
    add_user(path, "ana", "first secret")
    before = read_users(path)["ana"]
    add_user(path, "ana", "second secret")
    add_user(path, "bob", "x")
    assert set(read_users(path)) == {"ana", "bob"} and read_users(path)["ana"] != before
    assert "secret\n" not in path.read_text() and "first" not in path.read_text()
    remove_user(path, "bob")
    assert set(read_users(path)) == {"ana"}
    assert len(mock_secret(path)) == 32
    with pytest.raises(UsageError, match="nowhere/users cannot be written: No such file"):
        add_user(tmp_path / "nowhere" / "users", "ana", "x")


@pytest.mark.parametrize(("mode", "refused"), [(0o600, False), (0o640, True), (0o604, True), (0o606, True)], ids=oct)
def test_others_may_not_read_it(tmp_path: Path, mode: int, refused: bool) -> None:
    """Verifiers let a password be guessed at leisure."""
    path = tmp_path / "users"
    add_user(path, "ana", "secret")
    path.chmod(mode)
    if refused:
        with pytest.raises(UsageError, match="chmod 600"):
            read_users(path)
    else:
        assert read_users(path)


def test_what_a_container_runtime_lays_out_may_be_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there for one container alone; that others could write it is refused there too."""
    monkeypatch.setattr(users, "_GIVEN", tmp_path)
    path = tmp_path / "users"
    add_user(path, "ana", "secret")
    path.chmod(0o644)
    assert read_users(path)
    path.chmod(0o646)
    with pytest.raises(UsageError, match="chmod 600"):
        read_users(path)


@pytest.mark.parametrize("line", ["ana", "ana\tplain", "\tSCRAM-SHA-256$x"], ids=["no tab", "no verifier", "no name"])
def test_a_line_that_is_no_user_s_is_told_by_its_number(tmp_path: Path, line: str) -> None:
    """Without repeating it."""
    path = tmp_path / "users"
    add_user(path, "bob", "secret")
    number = len(path.read_text().splitlines()) + 1
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(UsageError, match=f"users:{number}: not a user's line"):
        read_users(path)
