"""The state database: migrations up and down, runs and their ledger, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from dbmask.cli import run as cli
from dbmask.errors import ConnectorError, UsageError
from dbmask.state import ChunkRow, State, TableRow, default_url
from dbmask.state.migrate import HEAD, VERSION_TABLE, current, downgrade, upgrade
from dbmask.state.models import Base


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_db"))
    return f"sqlite:///{tmp_path / 'deep' / 'state.db'}"


def test_a_run_and_its_ledger(url: str) -> None:
    with State(url) as state:
        number = state.start(kind="clone", source="a", target="b", jobs=2)
        other = state.start(kind="clone", source="a", target="c")
        chunks = [ChunkRow(i, "public.t", f"t{i}", bytes([i])) for i in range(5)]
        state.set_chunks(number, chunks)
        state.set_chunks(other, chunks)
        done = ChunkRow(3, "public.t", "t3", b"", rows=7, seconds=0.5, checksum=b"sum")
        state.chunks_done(number, [done])
        state.chunks_done(number, [])
        state.set_tables(number, [TableRow("public.t", 7, 5, 1, 0.5)])
        state.update(number, status="done", finished="2099-01-01T00:00:00+00:00")
    with State(url) as state:
        found = state.chunks(number)
        assert [c.number for c in found] == [0, 1, 2, 3, 4]
        assert found[3] == ChunkRow(3, "public.t", "t3", b"\3", True, 7, 0.5, b"sum")
        assert not any(c.done for c in state.chunks(other))
        assert state.tables(number) == [TableRow("public.t", 7, 5, 1, 0.5)]
        assert [r.id for r in state.runs()] == [other, number] and [r.id for r in state.runs(1)] == [other]
        run = state.run(number)
        assert run.jobs == 2 and run.seconds is not None and run.seconds > 0
        latest = state.latest("clone", "b")
        assert latest == run and state.latest("refresh", "b") is None
        assert state.run(other).seconds is None
        state.forget_chunks(number)
        assert state.chunks(number) == [] and len(state.chunks(other)) == 5
        with pytest.raises(UsageError, match="no run 999"):
            state.run(999)


def test_migrations_lead_up_and_down_to_what_the_models_say(url: str, request: pytest.FixtureRequest) -> None:
    State(url).close()  # makes the directory
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.begin() as connection:
            from alembic.autogenerate import compare_metadata
            from alembic.migration import MigrationContext

            assert current(connection) == HEAD
            context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
            assert compare_metadata(context, Base.metadata) == []
            downgrade(connection)
            assert inspect(connection).get_table_names() == [VERSION_TABLE] and current(connection) == ""
            upgrade(connection)
            assert set(inspect(connection).get_table_names()) == {VERSION_TABLE, *Base.metadata.tables}
            connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    finally:
        engine.dispose()
    with pytest.raises(UsageError, match="of a newer dbmask"):
        State(url)


def test_urls_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not one that SQLAlchemy"):
        State("no url")
    with pytest.raises(UsageError, match="not one that SQLAlchemy"):
        State("unknowndb://x/y")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot be made"):
        State(f"sqlite:///{tmp_path / 'file' / 'state.db'}")
    with pytest.raises(ConnectorError, match="cannot be used"):
        State(f"sqlite:///{tmp_path}")


def test_the_default_is_in_the_users_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_url() == f"sqlite:///{tmp_path}/dbmask/state.db"
    assert cli(["runs"]) == 0
    assert capsys.readouterr().out == "No runs yet.\n"
    assert stat.S_IMODE((tmp_path / "dbmask").stat().st_mode) == 0o700
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_url() == f"sqlite:///{tmp_path}/.local/state/dbmask/state.db"


def test_runs_are_listed(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with State(url) as state:
        number = state.start(kind="clone", source="a", target="host/db")
        state.set_tables(number, [TableRow("t", 1234, 3, 2, 0.25)])
        state.update(number, status="failed", phase="rows", error="t: it broke", finished="2099-01-01T00:00:00+00:00")
    assert cli(["runs", "--state", url]) == 0
    line = capsys.readouterr().out
    assert "clone  failed (rows)  1,234 rows in" in line and line.endswith("-> host/db\n")
    assert cli(["runs", str(number), "--state", url]) == 0
    assert "t: 1,234 rows in 0.2 s, 2 of 3 chunks reused\n  t: it broke" in capsys.readouterr().out
    assert cli(["runs", "--state", url, "--format", "json"]) == 0
    (fact,) = json.loads(capsys.readouterr().out)
    assert fact["rows"] == 1234 and fact["chunks_reused"] == 2 and "keeper" not in fact
