"""Texts in every database: columns beside the text, hash sources and JSON fields come with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import create_engine, text

from dbmask.cloner import Options, clone
from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from tests.connectors.mariadb_tools import fresh
from tests.fix_mariadb import MariaDB
from tests.fix_postgres import Postgres

POLICY = {
    "version": 1,
    "tables": {
        "patient": {
            "columns": {
                "first_name": {"mask": "first_name"},
                "note": {
                    "mask": "text",
                    "matchers": {
                        "context_sources": [{"label": "NAME", "column": "first_name"}],
                        "regex": [{"label": "CODE", "pattern": r"\b[A-Z]{2}-\d{4}\b"}],
                    },
                    "masks": [
                        {"label": "NAME", "masks": ["first_name"]},
                        {
                            "label": "CODE",
                            "masks": [{"mask": "hash", "length": 8}],
                            "hash_sources": [{"column": "ward"}],
                        },
                    ],
                },
                "*": "keep",
            }
        }
    },
}
DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
ROWS = [
    (1, "Sarah", "A", "SARAH called about AB-1234"),
    (2, "Žofie", "A", "Žofie 🙂 wrote CD-9999"),
    (3, "Tom", "B", "Tom sent AB-1234"),
    (4, None, "B", "nobody"),
    (5, "Ann", None, None),
]


@pytest.fixture(params=["sqlite", "duckdb", "postgres", "mariadb"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The addresses of a source and of a replica."""
    kind = request.param
    if kind == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        source, target = f"text_source_{tmp_path.name}"[:50].lower(), f"text_replica_{tmp_path.name}"[:50].lower()
        yield server.create_database(source), server.url(target)
        server.drop_database(source)
        server.drop_database(target)
    elif kind == "mariadb":
        maria: MariaDB = request.getfixturevalue("mariadb")
        with fresh(maria, "source", make=True) as source, fresh(maria, "replica") as target:
            yield maria.url(source), maria.url(target)
    else:
        yield f"{kind}:///{tmp_path}/source.db", f"{kind}:///{tmp_path}/replica.db"


def ask(url: str, *statements: str) -> list[Any]:
    """Run statements; the rows of the last."""
    if url.startswith("duckdb"):
        with duckdb.connect(url.removeprefix("duckdb:///")) as connection:
            for statement in statements:
                made = connection.execute(statement)
            return made.fetchall()
    scheme, _, rest = url.partition("://")
    engine = create_engine(f"{DRIVERS.get(scheme, scheme)}://{rest}")
    try:
        with engine.begin() as connection:
            for statement in statements:
                done = connection.execute(text(statement.replace(":", r"\:")))
            return [tuple(row) for row in done] if done.returns_rows else []
    finally:
        engine.dispose()


def _quoted(value: Any) -> str:
    return "NULL" if value is None else "'" + value + "'" if isinstance(value, str) else str(value)


def _insert(rows: list[tuple[Any, ...]]) -> str:
    return "INSERT INTO patient VALUES " + ", ".join("(" + ", ".join(map(_quoted, row)) + ")" for row in rows)


def test_a_note_follows_its_rows_other_columns(urls: tuple[str, str]) -> None:
    source, target = urls
    ask(
        source,
        "CREATE TABLE patient (id INTEGER PRIMARY KEY, first_name VARCHAR(40), ward VARCHAR(9), note VARCHAR(200))",
        _insert(ROWS),
    )
    done = clone(Policy.from_text(json.dumps(POLICY), "yaml"), source, target, keys=example_keys())
    assert done.certificate.passed
    made = {row[0]: row[1:] for row in ask(target, "SELECT id, first_name, note FROM patient")}
    code = made[1][1].split()[-1]
    assert made[1] == (made[1][0], f"{made[1][0].upper()} called about {code}") and code != "AB-1234"
    # Codes of one ward are masked alike, whatever they were; those of another ward otherwise.
    assert made[2][1] == f"{made[2][0]} 🙂 wrote {code}"
    assert made[3][1].startswith(f"{made[3][0]} sent ") and not made[3][1].endswith(code)
    assert made[4] == (None, "nobody") and made[5][1] is None
    columns = done.certificate.tables[0]["columns"]
    found = next(c["found"] for c in columns if c["column"] == "note")
    assert (found["texts"], found["without_findings"], len(found["rows_without_findings"])) == (4, 1, 1)
    assert {(s["label"], s["matcher"], s["count"]) for s in found["spans"]} == {
        ("NAME", "context_sources", 3),
        ("CODE", "regex", 3),
    }


def test_a_text_in_a_field_of_a_json_column(urls: tuple[str, str]) -> None:
    source, target = urls
    kind = "JSON" if not source.startswith("sqlite") else "TEXT"
    ask(
        source,
        f"CREATE TABLE patient (id INTEGER PRIMARY KEY, note {kind})",
        _insert([(1, '{"visit": {"text": "code AB-1234 🙂", "no": 7}}'), (2, '{"visit": null}')]),
    )
    inner = {
        "mask": "text",
        "matchers": {"regex": [{"label": "CODE", "pattern": r"[A-Z]{2}-\d{4}"}]},
        "masks": [{"label": "CODE", "masks": ["redact"]}],
    }
    column = {"mask": "json", "paths": {"$.visit.text": inner}}
    policy = {"version": 1, "tables": {"patient": {"columns": {"note": column, "*": "keep"}}}}
    assert clone(Policy.from_text(json.dumps(policy), "yaml"), source, target, keys=example_keys()).certificate.passed
    made = [json.loads(v) if isinstance(v, str) else v for (v,) in ask(target, "SELECT note FROM patient ORDER BY id")]
    assert made == [{"visit": {"text": "code ******* 🙂", "no": 7}}, {"visit": None}]


@pytest.mark.slow
@pytest.mark.parametrize("urls", ["postgres", "mariadb"], indirect=True)
def test_several_worker_processes_count_as_one_does(urls: tuple[str, str], tmp_path: Path) -> None:
    """Spans by label and matcher, texts that were replaced, and the rows in which nothing was found."""
    source, target = urls
    texts = (
        "call Tom at 12345",
        "12345 or 99999 for {n}",
        "nothing for {n:x}",
        "x" * 40,
        "card 4111 1111 1111 1111, {n}",
    )
    rows = [(i, "Tom" if i % 2 else None, "A", texts[i % 5].format(n=10_000 + i)) for i in range(600)]
    ask(
        source,
        "CREATE TABLE patient (id INTEGER PRIMARY KEY, first_name VARCHAR(40), ward VARCHAR(9), note VARCHAR(200))",
        _insert(rows),
        "ANALYZE patient" if source.startswith("postgresql") else "ANALYZE TABLE patient",  # chunks are cut by its size
    )
    matchers = {
        "context_sources": [{"label": "NAME", "column": "first_name"}],
        "checksum": [{"label": "CARD", "type": "credit_card"}],
        "regex": [
            {"label": "ZIP", "pattern": r"\b\d{5}\b"},
            {"label": "NAME", "pattern": "Tom"},
            {"label": "LONG", "pattern": "x{40}"},
        ],
    }
    masks: list[Any] = [{"label": label, "masks": ["redact"]} for label in ("NAME", "CARD", "ZIP")]
    masks.append({"label": "LONG", "masks": [{"type": "fixed", "value": "y" * 201}]})  # more than the column holds
    note = {
        "mask": "text",
        "matchers": matchers,
        "masks": masks,
        "fallback_masks": [{"type": "fixed", "value": "gone"}],
    }
    columns = {"first_name": "first_name", "note": note, "*": "keep"}
    policy = Policy.from_dict({"version": 1, "tables": {"patient": {"columns": columns}}}, "policy.yaml")
    found, made = [], []
    for jobs in (1, 2):
        state = f"sqlite:///{tmp_path}/state{jobs}.db"
        moving = Options(jobs=jobs, chunk_bytes=16_384)
        done = clone(policy, source, target, keys=example_keys(), state=state, options=moving, overwrite=True)
        assert done.certificate.passed
        if jobs == 2:
            assert all(chunks > 1 for chunks, _ in done.chunks.values())
        (table,) = done.certificate.as_dict()["tables"]
        found.append(next(c["found"] for c in table["columns"] if c.get("found")))
        made.append(sorted(ask(target, "SELECT id, note FROM patient")))
        found[-1]["rows_without_findings"].sort()
    assert made[0] == made[1]
    assert found[0] == found[1]
    assert found[0]["texts"] == 600 and found[0]["without_findings"] == 120
    assert sum(found[0]["replaced"].values()) == 120 and len(set(found[0]["rows_without_findings"])) == 120
    assert {(s["label"], s["matcher"]): s["count"] for s in found[0]["spans"]} == {
        ("CARD", "checksum"): 120,
        ("NAME", "context_sources"): 60,
        ("NAME", "regex"): 60,
        ("ZIP", "regex"): 120 + 3 * 120 + 120,
    }


def test_texts_in_json_fields_are_counted_together(tmp_path: Path) -> None:
    source, target = (f"sqlite:///{tmp_path}/{name}.db" for name in ("source", "replica"))
    ask(source, "CREATE TABLE patient (id INTEGER PRIMARY KEY, extra TEXT)")
    document = json.dumps({"note": "12 and 34", "tags": ["5", "none", 678]})
    ask(source, f"INSERT INTO patient VALUES (1, '{document}'), (2, NULL)")
    digits = {
        "mask": "text",
        "matchers": {"regex": [{"label": "NUMBER", "pattern": "[0-9]+"}]},
        "masks": [{"label": "NUMBER", "masks": ["redact"]}],
    }
    columns = {"id": "keep", "extra": {"mask": "json", "paths": {"$.note": digits, "$.tags[*]": digits}}}
    policy = Policy.from_dict({"version": 1, "tables": {"patient": {"columns": columns}}}, "policy.yaml")
    done = clone(policy, source, target, keys=example_keys())
    assert ask(target, "SELECT extra FROM patient WHERE id = 1") == [
        ('{"note": "** and **", "tags": ["*", "none", "***"]}',)
    ]
    found = done.certificate.as_dict()["tables"][0]["columns"][1]["found"]
    assert found["texts"] == 4 and found["without_findings"] == 1
    assert found["spans"] == [{"label": "NUMBER", "matcher": "regex", "count": 4}]
