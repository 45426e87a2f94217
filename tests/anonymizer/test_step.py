"""The vendor's step over CSV files: its XML as it is, and everything that can be wrong with either."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from dbmask.anonymizer import Anonymizer, run_step
from dbmask.anonymizer.step_xml import read_step
from dbmask.errors import MaskError, PolicyError, UsageError
from dbmask.keys import KeyRing, MasterKey
from tests.real import real

KEYS = KeyRing(MasterKey(bytes(range(32))))
ENTRIES = """
      <scoringEntries>
        <scoringEntry key="AA_FN_NOT_CHANGED" explainAs="AA_FN_NOT_CHANGED" score="10" explain="true"/>
        <scoringEntry key="AA_LN_NOT_CHANGED" explainAs="AA_LN_NOT_CHANGED" score="20" explain="true"/>
        <scoringEntry key="AA_RC_NOT_CHANGED" explainAs="AA_RC_NOT_CHANGED" score="30" explain="true"/>
        <scoringEntry key="AA_RC_DATE_MISMATCH" explainAs="AA_RC_DATE_MISMATCH" score="40" explain="true"/>
        <scoringEntry key="AA_BD_NOT_CHANGED" explainAs="AA_BD_NOT_CHANGED" score="50" explain="true"/>
        <scoringEntry key="AA_RC_CENTURY_GUESS" explainAs="AA_RC_CENTURY_GUESS" score="60" explain="true"/>
      </scoringEntries>"""
XML = f"""<step className="cz.adastra.cif.tasks.experimental.anonymizer.AnonymizerAlgorithm" id="some_id">
  <properties rc="rcVaue"
              changeNames="true"
              nameLookupFileName="name-lookup.cif"
              birthDayMin="1901-01-01"
              birthDayMax="2008-04-23"
              firstName="fName"
              birthDate="bDate"
              lastName="lName">
    <scorer explanationColumn="expl">{ENTRIES}
    </scorer>
  </properties>
</step>"""
BARE = '<step><properties rc="rc" birthDayMin="1901-01-01" birthDayMax="2008-04-23"/></step>'
INPUT = """id,rcVaue,fName,bDate,lName,note
1,7103192745,Jan,1971-03-19,Novák,"a ""quoted"", note"
2,991231123,Xaver,1962-03-19,Novák,
3,,,,,"two
lines"
4,x,Petr,1850-01-01,NOVÁK,
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "step.xml").write_text(XML, "utf-8")
    (tmp_path / "bare.xml").write_text(BARE, "utf-8")
    (tmp_path / "in.csv").write_text(INPUT, "utf-8")
    (tmp_path / "names.csv").write_text("Jan,Petr\nPetr,Jan\nNovák,Svoboda\nSvoboda,Novák\n", "utf-8")
    return tmp_path


def run(files: Path, step: str = "step.xml", source: str = "in.csv", **others: object) -> list[list[str]]:
    given: dict[str, object] = {"name_lookup": str(files / "names.csv"), **others}
    run_step(files / step, files / source, files / "out.csv", KEYS, **given)  # type: ignore[arg-type]
    with (files / "out.csv").open(encoding="utf-8", newline="") as text:
        return list(csv.reader(text))


def test_the_step_runs_as_it_is(files: Path) -> None:
    result = run_step(
        files / "step.xml", files / "in.csv", files / "out.csv", KEYS, name_lookup=str(files / "names.csv")
    )
    assert result.rows == 4
    assert result.flags == {
        **{"AA_FN_NOT_CHANGED": 1, "AA_RC_NOT_CHANGED": 2, "AA_RC_DATE_MISMATCH": 1},
        "AA_BD_NOT_CHANGED": 1,
    }
    with (files / "out.csv").open(encoding="utf-8", newline="") as text:
        header, *rows = csv.reader(text)
    assert header == ["id", "rcVaue", "fName", "bDate", "lName", "note", "score", "expl"]
    assert [r[0] for r in rows] == list("1234")
    assert [r[5] for r in rows] == ['a "quoted", note', "", "two\nlines", ""]
    assert [r[6:] for r in rows] == [
        ["0", ""],
        ["80", "AA_FN_NOT_CHANGED AA_RC_NOT_CHANGED AA_RC_DATE_MISMATCH"],
        ["0", ""],
        ["80", "AA_RC_NOT_CHANGED AA_BD_NOT_CHANGED"],
    ]
    assert rows[3][1:5] == ["x", "Jan", "1850-01-01", "SVOBODA"]
    masker = Anonymizer("1901-01-01", "2008-04-23", key=bytes(range(32)))
    [same] = masker.apply([{"rc": "7103192745", "birthDate": "1971-03-19"}])
    assert rows[0][1:4] == [same["rc"], "Petr", same["birthDate"]]


def test_the_seeds_own_xml(files: Path) -> None:
    text = real("seeds/iway-anonymizer.txt").read_text("utf-8")
    (files / "seed.xml").write_text(text[text.index("<step") : text.index("</step>") + 7], "utf-8")
    assert read_step(files / "seed.xml") == read_step(files / "step.xml")
    assert run(files, "seed.xml") == run(files)


def test_batches_and_limits(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(files)
    monkeypatch.setattr("dbmask.anonymizer.step._BATCH", 1)
    seen: list[int] = []
    assert run(files, progress=seen.append) == whole
    assert seen == [1, 2, 3, 4]
    assert run(files, limit=2) == whole[:3]


def test_a_lookup_beside_the_xml(files: Path) -> None:
    (files / "step.xml").write_text(XML.replace("name-lookup.cif", "names.csv"), "utf-8")
    assert run(files, name_lookup=None)[1][2] == "Petr"


def test_a_cif_table_asks_for_a_lookup(files: Path) -> None:
    with pytest.raises(PolicyError, match="--name-lookup"):
        run(files, name_lookup=None)
    assert not (files / "out.csv").exists()


def test_without_names_and_scorer(files: Path) -> None:
    (files / "in.csv").write_text("\ufeffrc;x\n7103192745;1\n\n;2\n", "utf-8")
    made = run(files, "bare.xml", delimiter=";", name_lookup=None)
    text = (files / "out.csv").read_text("utf-8")
    assert text.splitlines()[0] == "rc;x"
    assert text.splitlines()[2] == ";2"
    assert len(made) == 3


def test_an_explanation_column_that_is_there_is_filled(files: Path) -> None:
    (files / "in.csv").write_text("expl,rcVaue,fName,bDate,lName\nold,x,Jan,,Novák\n", "utf-8")
    header, row = run(files)
    assert header == ["expl", "rcVaue", "fName", "bDate", "lName", "score"]
    assert (row[0], row[5]) == ("AA_RC_NOT_CHANGED", "30")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "in.csv is empty"),
        ("id,fName,bDate,lName\n", "in.csv:1: has no column 'rcVaue', which the step binds as rc"),
        ("rcValue,fName,bDate,lName\n", "did you mean rcValue?"),
        ("rcVaue,rcVaue,fName,bDate,lName\n", "has more than one column 'rcVaue'"),
        ("score,rcVaue,fName,bDate,lName\n", "has a column 'score' already"),
        ("rcVaue,fName,bDate,lName\n1,2,3,4\n1,2,3\n", "in.csv:3: has 3 fields, and the header has 4"),
        ('rcVaue,fName,bDate,lName\n"1,\n\n2",2,3,4\n1,2,3,4,5\n', "in.csv:5: has 5 fields"),
        ('rcVaue,fName,bDate,lName\n"1"x,2,3,4\n', "in.csv:2: is not CSV"),
    ],
)
def test_wrong_files_are_named_by_line_and_leave_no_output(files: Path, text: str, what: str) -> None:
    (files / "in.csv").write_text(text, "utf-8")
    (files / "out.csv").write_text("what was there", "utf-8")
    with pytest.raises(UsageError) as caught:
        run(files)
    assert what in str(caught.value)
    assert (files / "out.csv").read_text("utf-8") == "what was there"
    assert sorted(p.name for p in files.iterdir()) == ["bare.xml", "in.csv", "names.csv", "out.csv", "step.xml"]


def test_files_that_cannot_be_read_or_written(files: Path) -> None:
    with pytest.raises(UsageError, match=r"none.csv cannot be read"):
        run(files, source="none.csv")
    with pytest.raises(UsageError, match=r"cannot be written"):
        run_step(files / "bare.xml", files / "in.csv", files / "no" / "out.csv", KEYS)
    (files / "in.csv").write_bytes("rc\nJiří\n".encode("iso-8859-2"))
    with pytest.raises(UsageError, match=r"in.csv: is not UTF-8"):
        run(files, "bare.xml")


def test_the_input_is_not_overwritten(files: Path) -> None:
    with pytest.raises(UsageError, match="is the input"):
        run_step(files / "step.xml", files / "in.csv", files / "in.csv", KEYS, name_lookup=str(files / "names.csv"))
    assert (files / "in.csv").read_text("utf-8") == INPUT


def test_rows_that_cannot_be_masked_are_named_by_line(files: Path) -> None:
    (files / "bare.xml").write_text(BARE.replace("<properties", '<properties on_invalid="error"'), "utf-8")
    (files / "in.csv").write_text("rc\n7103192745\nsecret\n", "utf-8")
    with pytest.raises(MaskError, match=r"in.csv: lines 2 to 3: .*`on_invalid` is error") as caught:
        run(files, "bare.xml")
    assert "secret" not in str(caught.value)


def properties(attributes: str = "", inside: str = "") -> str:
    return f'<step><properties rc="rc" birthDayMin="1901-01-01" birthDayMax="2008-04-23" {attributes}>{inside}</properties></step>'


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<stap/>", "step.xml:1: expected <step>, found <stap>"),
        ("<step", "step.xml:1: is not XML: unclosed token"),
        ("", "step.xml:1: is not XML: no element found"),
        ('<!DOCTYPE step [<!ENTITY x "y">]>\n<step/>', "step.xml:1: a document type is not allowed"),
        ('<?xml version="1.0"?>\n<!DOCTYPE step SYSTEM "file:///etc/passwd">\n<step/>', "step.xml:2: a document type"),
        ("<step>&x;</step>", "is not XML: undefined entity"),
        ("<step/>", "<step> needs <properties>"),
        ("<step><properties/><properties/></step>", "<properties> is given twice"),
        ("<step>text</step>", "step.xml:1: text does not belong into a step"),
        ('<step className="x.Other"><properties/></step>', "className is not the anonymizer's"),
        ('<step classname="x"><properties/></step>', "<step> has no attribute 'classname' (did you mean className?)"),
        (
            '<step>\n<properties birthDayMin="1901-01-01" birthDayMax="2008-04-23"/></step>',
            "step.xml:2: names no column",
        ),
        (properties('widht="1"'), "there is no parameter 'widht'"),
        (properties('changeNames="maybe"'), "changeNames must be true or false"),
        ('<step><properties rc="a" birthDayMax="2008-04-23"/></step>', "birthDayMin is required"),
        (properties(inside="<scorers/>"), "<scorers> does not belong into <properties> (there is: <scorer>)"),
        (properties(inside="<scorer/>"), "<scorer> needs <scoringEntries>"),
        (properties(inside='<scorer expl="x"><scoringEntries/></scorer>'), "<scorer> has no attribute 'expl'"),
        (
            properties(inside="<scorer><scoringEntries><scoringEntry/></scoringEntries></scorer>"),
            "scoringEntry needs a key",
        ),
        (
            properties(inside='<scorer><scoringEntries>\n<scoringEntry key="AA" score="x"/></scoringEntries></scorer>'),
            "step.xml:2: score (x) must be a number",
        ),
        (
            properties(inside='<scorer><scoringEntries><scoringEntry key="AA" score="nan"/></scoringEntries></scorer>'),
            "score (nan) must be a number",
        ),
        (
            properties(inside='<scorer><scoringEntries><scoringEntry key="AA" explain="1"/></scoringEntries></scorer>'),
            "explain (1) must be true or false",
        ),
        (
            properties(inside='<scorer><scoringEntries><scoringEntry key="AA"/></scoringEntries></scorer>'),
            "there is no flag 'AA'",
        ),
        (
            properties(
                inside='<scorer><scoringEntries><scoringEntry key="AA"><x/></scoringEntry></scoringEntries></scorer>'
            ),
            "<x> does not belong into <scoringEntry>",
        ),
    ],
)
def test_wrong_steps_are_named_by_line(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "step.xml"
    path.write_text(text, "utf-8")
    with pytest.raises(PolicyError) as caught:
        read_step(path)
    assert what in str(caught.value)


def test_step_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read"):
        read_step(tmp_path / "none.xml")
    (tmp_path / "large.xml").write_bytes(b" " * (1 << 20) + b"<step/>")
    with pytest.raises(PolicyError, match="more than a megabyte"):
        read_step(tmp_path / "large.xml")


def test_everything_wrong_with_a_step_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "step.xml"
    path.write_text(properties('widht="1" on_invalid="drop"', '<scorer x="y"><scoringEntries/></scorer>'), "utf-8")
    with pytest.raises(PolicyError) as caught:
        read_step(path)
    assert len(caught.value.problems) == 3


def test_scores_may_have_decimals_and_columns_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "step.xml"
    entry = '<scoringEntry key="AA_RC_MISMATCH" score="2.5" explain="false"/>'
    path.write_text(
        properties(inside=f'<scorer scoreColumn="s"><scoringEntries>{entry}</scoringEntries></scorer>'), "utf-8"
    )
    step = read_step(path)
    assert (step.score_column, step.explanation_column) == ("s", None)
    assert step.parameters.scorer is not None
    assert (step.parameters.scorer[0].score, step.parameters.scorer[0].explain) == (2.5, False)
