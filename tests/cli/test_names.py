"""``dbmask names build`` and ``dbmask mask --step`` as a user meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmask.cli import run

TABLE = "name,count,gender,usage\nJan,9,m,first\nPetr,8,m,first\nEva,7,f,first\n"
STEP = """<step><properties rc="rc" firstName="name" nameLookupFileName="x.cif" birthDayMin="1901-01-01" birthDayMax="2008-04-23">
<scorer explanationColumn="why"><scoringEntries><scoringEntry key="AA_RC_NOT_CHANGED" score="30"/></scoringEntries></scorer>
</properties></step>"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DBMASK_KEY", "hex:" + "07" * 32)
    Path("names.csv").write_text(TABLE, "utf-8")
    Path("step.xml").write_text(STEP, "utf-8")
    Path("in.csv").write_text("rc,name\n7103192745,Jan\nx,Petr\n", "utf-8")
    return tmp_path


def test_a_dictionary_is_built_and_used(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["names", "build", "names.csv", "-o", "lookup.csv"]) == 0
    out = capsys.readouterr()
    assert out.out == "2 names in lookup.csv\n"
    assert "masculine, first: 2 names in 1 bin" in out.err
    assert "left out, alone in their group: EVA (feminine, first)" in out.err
    assert Path("lookup.csv").read_text("utf-8") == "name,replacement\nJAN,PETR\nPETR,JAN\n"
    step = ["mask", "--step", "step.xml", "--input", "in.csv", "--output", "out.csv"]
    assert run([*step, "--name-lookup", "lookup.csv"]) == 0
    out = capsys.readouterr()
    assert out.out == "2 rows masked into out.csv\n"
    assert "AA_RC_NOT_CHANGED: 1 row\n" in out.err
    lines = Path("out.csv").read_text("utf-8").splitlines()
    assert lines[0] == "rc,name,score,why"
    assert lines[1].endswith(",Petr,0,")
    assert lines[2] == "x,Jan,30,AA_RC_NOT_CHANGED"
    assert run([*step, "--name-lookup", "builtin:cs", "--limit", "1"]) == 0
    assert len(Path("out.csv").read_text("utf-8").splitlines()) == 2


def test_usage_errors_exit_2_and_leave_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = ["mask", "--step", "step.xml", "--input", "in.csv", "--output", "out.csv"]
    assert run(step) == 2
    assert "--name-lookup" in capsys.readouterr().err
    assert run(["names", "build", "names.csv", "-o", "names.csv"]) == 2
    assert "is one of the tables" in capsys.readouterr().err
    assert run(["names", "build", "names.csv", "-o", "lookup.csv", "--bin", "1"]) == 2
    assert "bin (1) must be 2 or more" in capsys.readouterr().err
    monkeypatch.delenv("DBMASK_KEY")
    assert run([*step, "--name-lookup", "builtin:cs"]) == 2
    assert "DBMASK_KEY" in capsys.readouterr().err
    assert sorted(p.name for p in folder.iterdir()) == ["in.csv", "names.csv", "step.xml"]


def test_a_key_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBMASK_KEY")
    Path("mask.key").write_text("hex:" + "07" * 32, "utf-8")
    assert run(["names", "build", "names.csv", "-o", "lookup.csv", "--key-file", "mask.key"]) == 0
    assert Path("names.csv").read_text("utf-8") == TABLE
