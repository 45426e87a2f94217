"""The command line as a user meets it: results on stdout, all else on stderr, exit codes, no traceback."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from dbmask.cli import COMMANDS, run
from dbmask.keys import MasterKey

POLICY = """version: 1
key: env:SHOP_KEY
tables:
  person: {columns: {id: keep, name: redact, mail: {mask: hash, length: 20}}}
  town: keep
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DBMASK_KEY", raising=False)
    monkeypatch.setenv("SHOP_KEY", "hex:" + "07" * 32)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with closing(sqlite3.connect("shop.db")) as db, db:
        db.executescript("""
            CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, mail TEXT);
            CREATE TABLE town (name TEXT);
            INSERT INTO person VALUES (1, 'Ann', 'ann@x.example'), (2, 'Bob', NULL);
            INSERT INTO town VALUES ('Brno');
        """)
    Path("p.yaml").write_text(POLICY, "utf-8")
    return tmp_path


SOURCE = ["--source", "sqlite:///shop.db"]


def test_clone_and_its_json(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(["clone", "p.yaml", *SOURCE, "--target", "sqlite:///out.db", "--certificate", "c.json", "--format", "json"])
        == 0
    )
    out = capsys.readouterr()
    facts = json.loads(out.out)
    assert facts["passed"] and facts["tables"]["main.person"]["rows"] == 2
    assert facts["certificate"] == "c.json"
    assert "main.person: 2 rows" in out.err
    assert run(["clone", "p.yaml", *SOURCE, "--target", "sqlite:///out.db", "--quiet", "--certificate", "c.json"]) == 0
    out = capsys.readouterr()
    assert out.err == ""
    assert out.out.splitlines()[0].startswith("2 tables, 3 rows cloned;")
    assert out.out.splitlines()[-1] == "Certificate: c.json"


def test_plan_as_text_json_and_sql(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "p.yaml", *SOURCE]) == 0
    text = capsys.readouterr().out
    assert "main.person" in text and "redact" in text
    assert "2 tables, 2 masked columns, 0 of them in Python, 0 warnings, no problems" in text.replace("\n", " ")
    assert run(["plan", "p.yaml", *SOURCE, "--format", "json", "--sql"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [c["mask"] for c in facts["tables"][0]["columns"]] == ["keep", "redact", "hash"]
    assert facts["problems"] == []
    assert "SELECT" in facts["tables"][0]["sql"]
    assert run(["plan", "p.yaml", *SOURCE, "--sql"]) == 0
    shown = capsys.readouterr().out
    assert "-- main.person" in shown and "07" * 32 not in shown


def test_a_plan_with_problems_shows_them_all_and_exits_2(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("p.yaml").write_text("version: 1\ntables: {person: {columns: {id: redact, name: keep}}}\n", "utf-8")
    for form in ("text", "json"):
        assert run(["plan", "p.yaml", *SOURCE, "--format", form]) == 2
        out = capsys.readouterr()
        assert "main.person.id [p.yaml:2]: redact makes text, and the column is INTEGER" in out.err
        assert "Error: main.person.mail: is not named in the policy" in out.err
        assert "main.town: is not named in the policy (columns: name)" in out.err
        assert "Traceback" not in out.err


def test_check_finds_drift_and_accepts_it(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "p.yaml", *SOURCE]) == 0
    assert "Not recorded yet: main.town" in capsys.readouterr().err
    assert run(["check", "p.yaml", *SOURCE, "--accept"]) == 0
    assert "1 tables recorded" in capsys.readouterr().err
    with closing(sqlite3.connect("shop.db")) as db, db:
        db.execute("ALTER TABLE town ADD COLUMN mayor TEXT")
    assert run(["check", "p.yaml", *SOURCE]) == 3
    assert "main.town.mayor: was added after" in capsys.readouterr().err
    assert run(["check", "p.yaml", *SOURCE, "--accept"]) == 0
    assert run(["check", "p.yaml", *SOURCE]) == 0
    capsys.readouterr()
    with closing(sqlite3.connect("shop.db")) as db, db:
        db.execute("CREATE TABLE fresh (x)")
    assert run(["check", "p.yaml", *SOURCE]) == 3
    assert "main.fresh: is not named" in capsys.readouterr().err


def value(column: str, text: str, *more: str) -> tuple[int, str, str]:
    root = Path(__file__).parent.parent.parent
    code = f"import sys; sys.path[:0] = {[str(root / p) for p in ('.', 'sql', 'connectors')]!r}; from dbmask.cli import main; main()"
    command = [sys.executable, "-c", code, "value", "p.yaml", column, *SOURCE, *more]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_value_masks_as_the_clone_does_and_is_audited(shop: Path) -> None:
    assert run(["clone", "p.yaml", *SOURCE, "--target", "sqlite:///out.db", "--quiet"]) == 0
    with closing(sqlite3.connect("out.db")) as db:
        masked = db.execute("SELECT mail FROM person WHERE id = 1").fetchone()[0]
    assert value("main.person.mail", "ann@x.example\n\n") == (0, f"{masked}\n\n", "")
    assert value("person.mail", "ann@x.example\n", "--audit", "a.jsonl")[0] == 0
    entries = [json.loads(x) for x in (shop / "state" / "dbmask" / "audit.jsonl").read_text("utf-8").splitlines()]
    assert [(e["command"], e["column"], e["values"]) for e in entries] == [("value", "main.person.mail", 2)]
    assert "ann" not in Path("a.jsonl").read_text("utf-8")


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("mail", "expected schema.table.column"),
        ("persn.mail", "there is no table main.persn (did you mean main.person?)"),
        ("person.mial", "main.person has no column 'mial' (did you mean mail?)"),
        ("person..mail", "not a name"),
    ],
)
def test_value_of_what_is_not_there(shop: Path, column: str, message: str) -> None:
    code, out, err = value(column, "x\n")
    assert (code, out) == (2, "")
    assert message in err


def test_an_audit_that_cannot_be_written_stops_value(shop: Path) -> None:
    Path("file").write_text("", "utf-8")
    code, out, err = value("person.mail", "x\n", "--audit", "file/audit.jsonl")
    assert (code, out) == (2, "")
    assert "the use cannot be recorded in file/audit.jsonl" in err


def test_keys_are_made_and_usable(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["key", "new"]) == 0
    assert len(MasterKey.parse(capsys.readouterr().out).fingerprint()) == 16


def test_masks_are_listed_and_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["masks"]) == 0
    assert "redact" in capsys.readouterr().out
    assert run(["masks", "redact"]) == 0
    shown = capsys.readouterr().out
    assert "keep_end" in shown and "'555-0101' -> '****0101'" in shown
    assert run(["masks", "do_nothing"]) == 0
    assert "Also called do_nothing" in capsys.readouterr().out
    assert run(["masks", "redacd"]) == 2
    assert "did you mean redact?" in capsys.readouterr().err


def test_the_json_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "dbmask policy"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["clone", "nothing.yaml", *SOURCE, "--target", "sqlite:///o.db"], "nothing.yaml"),
        (["clone", "p.yaml", *SOURCE], "--target"),
        (
            ["clone", "p.yaml", "--source", "nosuchdb://x/y", "--target", "sqlite:///o.db"],
            "unknown database scheme nosuchdb://",
        ),
        (["clone", "p.yaml", "--source", "shop.db", "--target", "sqlite:///o.db"], "a database is named by a URL"),
        (["clone", "p.yaml", *SOURCE, "--target", "sqlite:///shop.db"], "the same database"),
        (["clone", "p.yaml", *SOURCE, "--target", "sqlite:///o.db", "--key-file", "no.key"], "no.key cannot be read"),
        (["plna"], "plna"),
        (["plan", "p.yaml", *SOURCE, "--format", "xml"], "xml"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_to_do(
    shop: Path, capsys: pytest.CaptureFixture[str], args: list[str], message: str
) -> None:
    assert run(args) == 2
    out = capsys.readouterr()
    assert out.out == ""
    assert message in out.err
    assert "Traceback" not in out.err
    assert sorted(p.name for p in shop.iterdir()) == ["p.yaml", "shop.db"]


def test_a_policy_key_that_is_not_set(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP_KEY")
    assert run(["clone", "p.yaml", *SOURCE, "--target", "sqlite:///o.db"]) == 2
    assert "SHOP_KEY is not set" in capsys.readouterr().err


def test_every_command_has_help_and_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n  {name}" in shown
        assert run([name, "--help"]) == 0
        assert "Usage: dbmask" in capsys.readouterr().out


def _loaded(script: str, among: str) -> str:
    """The modules ``among`` those named that a script of its own process loads; "0" where there are none."""
    root = Path(__file__).parent.parent.parent
    code = (
        f"import sys; sys.path[:0] = {[str(root / p) for p in ('.', 'sql', 'connectors')]!r}\n"
        f"{script}\n"
        f"print(sorted(set({among.split()!r}) & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_is_light() -> None:
    heavy = "numpy spacy psycopg duckdb sqlglot pymysql sqlalchemy pydantic rich"
    assert _loaded("import dbmask, dbmask.cli", heavy) == "0"


def test_a_database_loads_its_own_connector_alone(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "a.db").close()
    opened = f"from dbmask.registry import connector_for; connector_for('sqlite:').source('sqlite:///{tmp_path}/a.db')"
    others = "sqlalchemy psycopg pymysql duckdb dbmask_connectors.postgresql dbmask_connectors.mysql"
    assert _loaded(opened, f"{others} dbmask_connectors.sqlite") == "['dbmask_connectors.sqlite']"


def test_public_names_are_there() -> None:
    import dbmask

    assert dbmask.__all__ == sorted(dbmask.__all__)
    for name in dbmask.__all__:
        assert getattr(dbmask, name) is not None
    assert set(dbmask.__all__) <= set(dir(dbmask))
    with pytest.raises(AttributeError, match="nonsense"):
        _ = dbmask.nonsense
