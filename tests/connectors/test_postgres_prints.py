"""Fingerprints that the server makes: the same for the same texts, over sockets and over libpq, many or one at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp, parse_one

from dbmask.errors import ConnectorError
from dbmask.registry import connector_for
from dbmask.spi import PrintsTexts
from dbmask_connectors import _postgres_frames
from dbmask_connectors._postgres_reader import PostgresReader

SEED = 20_011


def query(text: str) -> exp.Select:
    parsed = parse_one(text, read="postgres")
    assert isinstance(parsed, exp.Select)
    return parsed


@pytest.fixture
def reader(postgres_db: str) -> Iterator[PostgresReader]:
    with closing(connector_for(postgres_db).source(postgres_db)) as source, source.snapshot() as made:
        assert isinstance(made, PostgresReader) and isinstance(made, PrintsTexts)
        yield made


def prints(reader: PostgresReader, text: str) -> Any:
    return np.concatenate(list(reader.read_prints(query(text), SEED)))


@pytest.fixture(params=["sockets", "libpq"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "libpq":
        monkeypatch.setattr(_postgres_frames, "possible", lambda connection: False)
    return str(request.param)


def test_many_rows_are_those_of_single_texts(reader: PostgresReader, way: str) -> None:
    made = prints(
        reader, "SELECT 'text number ' || n AS c0, NULL AS c1, n + 100000000 AS c2 FROM generate_series(1, 50000) AS n"
    )
    assert made.shape == (50_000, 3) and made.dtype == np.int64 and not made[:, 1].any()
    assert len(np.unique(made)) == 100_001
    assert (
        made[[0, 9, 49_999], 0].tolist()
        == reader.prints_of(["text number 1", "text number 10", "text number 50000"], SEED).tolist()
    )
    assert made[6, 2] == reader.prints_of(["100000007"], SEED)[0]


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_rows(reader: PostgresReader, way: str, rows: int) -> None:
    found = list(reader.read_prints(query(f"SELECT 'a long text' AS c0 FROM generate_series(1, {rows})"), SEED))
    assert sum(map(len, found)) == rows and all((f == reader.prints_of(["a long text"], SEED)[0]).all() for f in found)


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ("Ann@Shop.Example", "ann@shop.example"),
        ("ann@shop.example   ", "ann@shop.example"),
        ("\t ann@shop.example", "ann@shop.example"),
        ("ann@shop.example\r\n", "ann@shop.example"),
        ("\u00a0ann@shop.example\u3000", "ann@shop.example"),
        ("Lange Stra\u00dfe 5", "LANGE STRASSE 5"),
        ("P\u0158\u00cdLI\u0160 \u017dLU\u0164", "p\u0159\u00edli\u0161 \u017elu\u0165"),
        ("  P\u0159\u00edli\u0161 \u017elu\u0165 ", "p\u0159\u00edli\u0161 \u017elu\u0165"),
    ],
)
def test_case_and_blanks_do_not_count(reader: PostgresReader, text: str, like: str) -> None:
    made = reader.prints_of([text, like], SEED)
    assert made[0] == made[1] != 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=8), max_size=20))
def test_texts_that_differ_in_more_have_other_fingerprints(reader: PostgresReader, texts: list[str]) -> None:
    made = reader.prints_of(texts, SEED).tolist()
    assert len(made) == len(texts)
    by_print: dict[int, set[str]] = {}
    for text, one in zip(texts, made, strict=True):
        # Unicode has more foldings than databases know: they may only tell more apart than Python does.
        by_print.setdefault(one, set()).add(text.casefold().strip().strip(" \t\n\r\f\v"))
    assert all(len({" ".join(t.lower().upper().casefold().split()) for t in some}) == 1 for some in by_print.values())


def test_what_is_short_or_nothing_has_none(reader: PostgresReader) -> None:
    assert prints(reader, "SELECT v AS c0 FROM (VALUES ('1234567'), (NULL), ('')) AS t (v)").tolist() == [[0], [0], [0]]


def test_another_seed_gives_others(reader: PostgresReader) -> None:
    assert reader.prints_of(["a long text"], 1)[0] != reader.prints_of(["a long text"], 2)[0]


def test_a_reading_that_is_left_or_fails_leaves_the_snapshot_usable(reader: PostgresReader, way: str) -> None:
    many = query("SELECT 'text number ' || n AS c0 FROM generate_series(1, 100000) AS n")
    reading = reader.read_prints(many, SEED)
    next(reading)
    with pytest.raises(ConnectorError, match="stands open"):
        reader.prints_of(["a long text"], SEED)
    assert isinstance(reading, Generator)
    reading.close()
    with pytest.raises(ConnectorError, match=r"division by zero|22012"):
        list(reader.read_prints(query("SELECT 1 / (n - 5) AS c0 FROM generate_series(1, 9) AS n"), SEED))
    assert sum(map(len, reader.read_prints(many, SEED))) == 100_000
