"""``dbmask text`` and ``dbmask ner`` as a user meets them."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from dbmask.cli import run

RULES = r"""
matchers:
  regex: [{label: PHONE, pattern: '\d{3}-\d{4}'}]
  ner: [{label: PERSON, context_filters: [{type: exclude_pattern, pattern: Bob}]}]
masks:
  - {label: PHONE, masks: [redact]}
  - {label: PERSON, masks: [{type: fixed, value: '[P]'}]}
"""
POLICY = """version: 1
tables:
  note: {columns: {body: {mask: text, matchers: {regex: [{label: N, pattern: '[0-9]+'}]}, masks: [{label: N, masks: [redact]}]}}}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DBMASK_KEY", raising=False)
    Path("r.yaml").write_text(RULES, "utf-8")
    Path("a.txt").write_bytes(b"call Tom Zywiec at 555-1234\r\nnone here\nMary Okafor")
    return tmp_path


def test_a_text_whole(place: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["text", "r.yaml", "a.txt"]) == 0
    out = capfdbinary.readouterr()
    assert out.out == b"call [P] at ********\r\nnone here\n[P]"
    assert out.err == b"1 texts, PERSON by ner: 2, PHONE by regex: 1\n"


def test_lines_with_a_report(place: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["text", "r.yaml", "a.txt", "--lines", "-o", "b.txt", "--report", "r.json"]) == 0
    assert Path("b.txt").read_bytes() == b"call [P] at ********\r\nnone here\n[P]"
    facts = json.loads(Path("r.json").read_text("utf-8"))
    assert (facts["texts"], facts["without_findings"], facts["rows_without_findings"]) == (3, 1, ["text 2"])
    assert b"nothing was found in 1 texts" in capfdbinary.readouterr().err


def test_standard_input_in_a_process_of_its_own(place: Path) -> None:
    env = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "dbmask", "text", "r.yaml"],
        input=b"at 555-1234",
        capture_output=True,
        env=env,
        check=True,
    )
    assert done.stdout == b"at ********"
    done = subprocess.run(
        [sys.executable, "-m", "dbmask", "ner", "-l", "en"], input=b"Tom left", capture_output=True, env=env, check=True
    )
    assert done.stdout == b"[PERSON] left"


def test_several_files_go_into_a_folder(place: Path) -> None:
    Path("b.txt").write_text("555-1234")
    assert run(["text", "r.yaml", "a.txt", "b.txt", "-o", "out"]) == 2
    Path("out").mkdir()
    assert run(["text", "r.yaml", "a.txt", "b.txt", "-o", "out"]) == 0
    assert Path("out/b.txt").read_text() == "********"


def test_a_file_may_be_masked_in_place(place: Path) -> None:
    Path("a.txt").chmod(0o640)
    assert run(["text", "r.yaml", "a.txt", "-o", "a.txt"]) == 0
    assert Path("a.txt").read_bytes().startswith(b"call [P]")
    assert Path("a.txt").stat().st_mode & 0o777 == 0o640


def test_explaining(place: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    Path("b.txt").write_text("Tom Zywiec, 555-1234\nBob Okafor\nnone\n")
    assert run(["text", "r.yaml", "b.txt", "--lines", "--explain"]) == 0
    assert capfdbinary.readouterr().out.decode() == (
        "[Tom Zywiec], [555-1234]\n"
        "  0-10 PERSON by ner (entity PERSON)\n"
        "  12-20 PHONE by regex (pattern \\d{3}-\\d{4})\n"
        "Bob Okafor\n"
        "  rejected by exclude_pattern: 0-10 'Bob Okafor' (PERSON by ner, entity PERSON)\n"
        "none\n"
        "  nothing was found\n"
    )
    assert run(["text", "r.yaml", "b.txt", "--lines", "--explain", "--color"]) == 0
    assert b"\x1b[32m\x1b[1m[Tom Zywiec]\x1b[0m" in capfdbinary.readouterr().out


def test_a_policy_with_one_text_column(place: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    Path("p.yaml").write_text(POLICY)
    assert run(["text", "p.yaml", "a.txt"]) == 0
    assert b"at ***-****" in capfdbinary.readouterr().out
    assert run(["text", "p.yaml", "a.txt", "--column", "note.body"]) == 0
    assert run(["text", "p.yaml", "a.txt", "--column", "note.x"]) == 2
    assert b"name one with --column (note.body)" in capfdbinary.readouterr().err


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (
            "matchers: {context_sources: [{label: N, column: name}]}\nmasks: [{label: N, masks: [redact]}]",
            "plain text has no row",
        ),
        ("masks: []", "has no `matchers:`"),
        ("matchers: {regex: [{label: n, pattern: x}]}\nmasks: []", "r.yaml:1: .*UPPER_CASE"),
        (
            "matchers: {regex: [{label: N, pattern: x}]}\nmasks:\n- label: N\n  masks: [redakt]",
            "r.yaml:4: there is no mask 'redakt'",
        ),
        (
            "matchers: {regex: [{label: N, pattern: x}]}\nmasks: [{label: N, masks: [redact]}]\nkey: secret",
            "not the key itself",
        ),
        ("matchers: {regex: [{label: N, pattern: '(?=x)'}]}\nmasks: [{label: N, masks: [redact]}]", "engine: re"),
        ("matchers: {regex: [{label: N, pattern: x}]}\nmasks: [{label: N, masks: [hash]}]", "no key was given"),
    ],
)
def test_rules_that_are_wrong(place: Path, capfd: pytest.CaptureFixture[str], rules: str, says: str) -> None:
    import re

    Path("r.yaml").write_text(rules)
    assert run(["text", "r.yaml", "a.txt", "-o", "out.txt"]) == 2
    assert re.search(says, capfd.readouterr().err)
    assert not Path("out.txt").exists()


def test_bytes_that_are_no_text_are_named_by_their_place(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("bad.txt").write_bytes(b"one\ntwo \xff three\n")
    for more in ([], ["--lines"]):
        assert run(["text", "r.yaml", "bad.txt", "-o", "out.txt", *more]) == 2
        assert "line 2, byte 8: not utf-8 text" in capfd.readouterr().err
        assert [p.name for p in place.iterdir() if "out" in p.name] == []
    assert run(["text", "r.yaml", "bad.txt", "-o", "out.txt", "--encoding", "latin-1"]) == 0
    assert Path("out.txt").read_bytes() == b"one\ntwo \xff three\n"
    assert run(["text", "r.yaml", "bad.txt", "--encoding", "nonsense"]) == 2
    Path("wide.txt").write_bytes("at 555-1234\nend\n".encode("utf-16"))
    assert run(["text", "r.yaml", "wide.txt", "-o", "out.txt", "--encoding", "utf-16"]) == 0
    assert Path("out.txt").read_bytes().decode("utf-16") == "at ********\nend\n"


def test_of_several_files_the_wrong_one_is_named(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("bad.txt").write_bytes(b"one \xff\n")
    Path("out").mkdir()
    assert run(["text", "r.yaml", "a.txt", "bad.txt", "-o", "out"]) == 2
    assert "bad.txt, line 1, byte 4: not utf-8 text" in capfd.readouterr().err
    assert [p.name for p in Path("out").iterdir()] == ["a.txt"]


def test_a_run_that_fails_leaves_no_output(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("r.yaml").write_text(
        "matchers: {regex: [{label: N, pattern: '(a+)+$', engine: re, time_limit: 0.2}]}\n"
        "masks: [{label: N, masks: [redact]}]"
    )
    Path("b.txt").write_text("fine\n" + "a" * 40 + "b\n")
    assert run(["text", "r.yaml", "b.txt", "--lines", "-o", "out.txt"]) == 1
    assert "text 2" in capfd.readouterr().err
    assert run(["text", "r.yaml", "b.txt", "--lines"]) == 1
    assert capfd.readouterr().out == ""
    assert sorted(p.name for p in place.iterdir()) == ["a.txt", "b.txt", "r.yaml"]


def test_ner_of_the_tutorial(place: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    Path("report.txt").write_text(
        "Le Dr. Martin a diagnostiqué Alice Johnson le 12 janvier 2024\n"
        "à l'Hôpital Saint-Louis à Paris. Le traitement commence à 14h30.\n",
        "utf-8",
    )
    assert run(["ner", "report.txt", "-l", "fr", "-o", "report_anon.txt"]) == 0
    assert Path("report_anon.txt").read_text("utf-8") == (
        "Le [PERSON] a diagnostiqué [PERSON] le [DATE]\n"
        "à l'[ORGANISATION] à [LOCATION]. Le traitement commence à [TIME].\n"
    )


def test_ner_by_lines_and_as_json(place: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    Path("p.txt").write_text("Alice habite à Paris.\nJohn lives in London.\n", "utf-8")
    assert run(["ner", "p.txt", "--lines"]) == 0
    assert capfdbinary.readouterr().out == b"[PERSON] habite \xc3\xa0 [LOCATION].\n[PERSON] lives in [LOCATION].\n"
    assert run(["ner", "p.txt", "--lines", "--format", "json"]) == 0
    facts = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [f["language"] for f in facts] == ["fr", "en"]


def test_ner_with_a_log_that_holds_no_text(place: Path) -> None:
    env = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "dbmask", "ner", "a.txt", "--verbose"],
        capture_output=True,
        env=env,
        check=True,
        text=True,
    )
    assert "2 entities" in done.stderr or "3 entities" in done.stderr
    assert "Tom" not in done.stderr and "Okafor" not in done.stderr


def test_a_model_that_is_not_there_is_an_error_with_the_command_that_installs_it(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["ner", "a.txt", "--model", "xx_none", "-o", "out.txt"]) == 2
    assert "python -m spacy download xx_none" in capfd.readouterr().err
    assert not Path("out.txt").exists()
    assert run(["ner", "missing.txt"]) == 2


def test_a_clone_says_what_was_found_in_texts_and_names_rows_without_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOTES_KEY", "hex:" + "07" * 32)
    with closing(sqlite3.connect("notes.db")) as db, db:
        db.execute("CREATE TABLE visit (id INTEGER PRIMARY KEY, note TEXT)")
        db.executemany("INSERT INTO visit VALUES (?, ?)", enumerate(["at 12345", "12345 or 99999", *["secret"] * 7]))
    rules = "{regex: [{label: ZIP, pattern: '[0-9]{5}'}]}, masks: [{label: ZIP, masks: [redact]}]"
    Path("p.yaml").write_text(
        f"version: 1\nkey: env:NOTES_KEY\ntables: {{visit: {{columns: {{id: keep, note: {{mask: text, matchers: {rules}}}}}}}}}\n"
    )
    command = ["clone", "p.yaml", "--source", "sqlite:///notes.db", "--target", "sqlite:///out.db", "--quiet"]
    assert run([*command, "--certificate", "c.json"]) == 0
    out = capsys.readouterr().out
    assert "main.visit.note: 9 texts, ZIP by regex: 3" in out
    named = re.search(
        r"visit\.note: nothing was found in 7 texts: ((?:row [0-9a-f]{16}, ){4}row [0-9a-f]{16}) \.\.\.", out
    )
    assert named is not None and "secret" not in out
    certified = json.loads(Path("c.json").read_text())["tables"][0]["columns"][1]["found"]
    assert len(set(certified["rows_without_findings"])) == 7
    assert named[1].split(", ") == certified["rows_without_findings"][:5]
    assert run([*command, "--overwrite", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["texts"] == {"main.visit.note": certified}


def test_a_file_masked_by_a_policy_says_what_was_found(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("p.yaml").write_text(POLICY, "utf-8")
    Path("note.csv").write_text("body\n12 and 34\nnone here\n", "utf-8")
    assert run(["mask", "--policy", "p.yaml", "--input", "note.csv", "--output", "out.csv"]) == 0
    err = capfd.readouterr().err
    assert "body: 2 texts, N by regex: 2" in err
    assert "body: nothing was found in 1 texts: text 2" in err and "none here" not in err
