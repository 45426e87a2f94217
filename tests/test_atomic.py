"""Files that appear complete or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dbmask.atomic import appearing, mode_of, replacing, require_place, write_text
from dbmask.errors import UsageError


def test_what_is_written_takes_the_place_and_its_permissions(tmp_path: Path) -> None:
    place = tmp_path / "report.txt"
    place.write_text("before")
    place.chmod(0o640)
    write_text(place, "after ž\n")
    assert place.read_text("utf-8") == "after ž\n"
    assert mode_of(place) == 0o640
    write_text(place, "mine", 0o600)
    assert mode_of(place) == 0o600
    assert os.listdir(tmp_path) == ["report.txt"]


def test_a_new_file_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "new", "")
    finally:
        os.umask(old)
    assert mode_of(tmp_path / "new") == 0o640


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt])
def test_nothing_half_done_stays(tmp_path: Path, problem: type[BaseException]) -> None:
    place = tmp_path / "kept"
    place.write_text("before")
    with pytest.raises(problem), replacing(place) as made:
        made.write_text("half")
        assert mode_of(made) == 0o600
        raise problem
    assert place.read_text() == "before"
    assert os.listdir(tmp_path) == ["kept"]


def test_a_place_that_cannot_be_written_to_is_the_users(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="nowhere/out cannot be written: No such file"),
        appearing(tmp_path / "nowhere" / "out"),
    ):
        pytest.fail("there is no such folder")


def test_a_place_is_looked_at_beforehand(tmp_path: Path) -> None:
    require_place(tmp_path / "new")
    for path, why in ((tmp_path, "it is a folder"), (tmp_path / "no" / "file", "there is no folder")):
        with pytest.raises(UsageError, match=why):
            require_place(path)
    assert os.listdir(tmp_path) == []
