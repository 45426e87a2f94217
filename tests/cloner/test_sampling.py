"""The sample of a large table: the same rows in the source and in the replica, picked by whatever the database does cheapest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dbmask.cloner import clone
from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from tests.connectors.places import Place, loaded_place

ROWS = 3_000
KEYS = {
    "integer": ("id INTEGER PRIMARY KEY", "i * 7", "id: {mask: permute}"),
    "text": ("id VARCHAR(64) PRIMARY KEY", "{text}", "id: hash"),
    "both": ("id INTEGER, part VARCHAR(9)", "i, 'p'", "id: permute, part: keep"),
    "made in Python": (
        "id INTEGER PRIMARY KEY",
        "i",
        "id: {mask: python, function: 'tests.cloner.test_sampling:moved', injective: true}",
    ),
}


def moved(value: int) -> int:
    """A mask of a user's own, which no database knows."""
    return int(value) + 1_000_000


@pytest.fixture(params=["postgres", "mariadb", "sqlite", "duckdb"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with loaded_place(request.param, tmp_path, request.getfixturevalue) as made:
        yield made


@pytest.mark.parametrize("key", KEYS)
def test_the_same_rows_are_looked_at_on_both_sides(place: Place, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbmask.cloner.verify.SAMPLE_ROWS", 300)
    columns, value, masks = KEYS[key]
    numbers = " UNION ALL ".join(f"SELECT {i} AS i" for i in range(1, 61))
    value = value.replace("{text}", "concat('k', i)" if "mariadb" in place.connector.schemes else "'k' || i")
    key_of = ", PRIMARY KEY (id, part)" if "part" in columns else ""
    place.run(
        0,
        f"CREATE TABLE big ({columns}, name VARCHAR(40){key_of})",
        f"INSERT INTO big SELECT {value}, 'somebody' FROM (SELECT a.i + 60 * (b.i - 1) AS i FROM ({numbers}) a, ({numbers}) b) n "
        f"WHERE i <= {ROWS}",
    )
    policy = Policy.from_text(
        f"version: 1\ntables:\n  '*.person': skip\n  '*.team': skip\n  '*.big': {{columns: {{{masks}, name: redact}}}}",
        "yaml",
    )
    done = clone(policy, place.source, place.target, keys=example_keys())
    check = next(c for c in done.certificate.checks if c.kind == "unchanged" and c.subject.endswith("big.name"))
    assert check.figures["missing"] == 0 and check.passed
    assert check.figures["sampled_1_in"] == 10
    assert 200 < int(check.figures["seen"] or 0) < 400
