"""Clones in chunks: several workers, the ledger, the history, and going on where a run stopped."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dbmask.cloner.copying import Outcome, copy_chunk
from dbmask.cloner.keeper import Keeper
from dbmask.errors import ConnectorError, PlanError, SnapshotGone, UsageError
from dbmask.keys import KeyRing, MasterKey
from dbmask.policy import Policy
from dbmask.registry import connector_for
from dbmask.schema import TableName
from dbmask.spi import Shared, SharedSource
from dbmask.state import State
from dbmask_connectors._postgres_target import PostgresTarget
from tests.cloner.crashing import POLICY, SCHEMA, Place, children, contents, leftovers, run_clone, settle
from tests.fix_postgres import Postgres

NAME = f"chunks_{os.getpid()}"
ROWS = 900


@pytest.fixture(scope="module")
def source(postgres: Postgres) -> Iterator[str]:
    name = f"{NAME}_source"
    postgres.create_database(name)
    postgres.psql(name, SCHEMA.replace("{n}", str(ROWS)))
    settle(postgres, name)
    yield name
    postgres.drop_database(name)


@pytest.fixture
def place(postgres: Postgres, source: str, tmp_path: Path) -> Iterator[Place]:
    made = Place(postgres, source, f"{NAME}_target", tmp_path)
    fresh = f"{NAME}_fresh"
    yield made
    for name in (made.target, fresh):
        postgres.drop_database(name)
    left = leftovers(postgres, made)
    assert left == {"sessions": [], "databases": [], "prepared": []}


def fresh(place: Place) -> list[object]:
    """What a clone in one process makes of the source as it is now."""
    run_clone(place, f"{NAME}_fresh", overwrite=True)
    return contents(place.postgres, f"{NAME}_fresh")


def test_workers_make_the_same_replica(place: Place) -> None:
    done = run_clone(place, state=place.state, moving={"jobs": 2})
    assert contents(place.postgres, place.target) == fresh(place)
    assert done.certificate.passed and sum(done.rows.values()) == ROWS * 7
    assert done.chunks.keys() == done.rows.keys()
    assert all(chunks > 1 and reused == 0 for chunks, reused in done.chunks.values())
    with State(place.state) as state:
        (run,) = state.runs()
        assert (run.status, run.phase, run.jobs, run.building) == ("done", "", 2, "")
        assert {t.name: t.rows for t in state.tables(run.id)} == {str(n): r for n, r in done.rows.items()}
        assert state.chunks(run.id) == []
    with pytest.raises(UsageError, match="nothing to resume"):
        run_clone(place, state=place.state, resume=True)


def test_what_was_started_early_ends_with_a_run_that_is_refused(place: Place) -> None:
    """A plan with problems, a target that may not be written: keeper and workers are gone when the error is told."""
    place.postgres.create_database(place.target)
    place.postgres.psql(place.target, "CREATE TABLE somebodys (a int)")
    wrong = Policy.from_text("version: 1\ntables: {nowhere: keep}")
    for policy, error, said in ((wrong, PlanError, "nowhere"), (None, UsageError, "--overwrite")):
        with pytest.raises(error, match=said):
            run_clone(place, state=place.state, moving={"jobs": 2}, policy=policy)
        assert children(os.getpid()) == {"keeper": [], "worker": []}


SCRIPT = """
import sys
from dbmask.cloner import Options, clone
from dbmask.masks.build import example_keys
from dbmask.policy import Policy
print("begun")
done = clone(Policy.load(sys.argv[1]), *sys.argv[2:4], keys=example_keys(), overwrite=True, options=Options(jobs=2, chunk_bytes=8192))
print(sum(done.rows.values()))
"""


def test_a_script_without_a_guard_is_not_run_again_by_its_workers(place: Place) -> None:
    """They would clone into the same place, without end."""
    policy = place.folder / "policy.yaml"
    policy.write_text(POLICY, "utf-8")
    (place.folder / "script.py").write_text(SCRIPT, "utf-8")
    command = [
        sys.executable,
        str(place.folder / "script.py"),
        str(policy),
        place.url(place.source),
        place.url(place.target),
    ]
    roots = os.pathsep.join(str(Path(__file__).parents[2] / part) for part in ("", "sql", "connectors"))
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": roots})
    assert (done.returncode, done.stdout, done.stderr) == (0, f"begun\n{ROWS * 7}\n", "")


def test_workers_that_die_again_and_again_end_the_run(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an error that names the table, and nothing left behind."""
    monkeypatch.setattr("dbmask.cloner.workers._main", _dies)
    with pytest.raises(ConnectorError, match="3 worker processes died over the same part"):
        run_clone(place, moving={"jobs": 2})


def _dies(pipe: Any) -> None:
    os._exit(3)


CHANGES = """
UPDATE person SET email = 'changed@mail.example' WHERE id = 700;
DELETE FROM item WHERE id % 97 = 0;
INSERT INTO item (person, label, amount) SELECT 5, 'late ' || i, i FROM generate_series(1, 40) AS i;
UPDATE event SET day = '2021-06-06' WHERE id = 3;
DELETE FROM note WHERE id = 17;
INSERT INTO loose VALUES ('new', 'row');
"""


class Faults:
    """Makes a clone fail as a database would, in a phase of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch

    def arm(self, phase: str) -> None:
        if phase == "rows":
            self._arm_rows(40)
        elif phase == "verify":
            self._patch.setattr("dbmask.cloner.run._verify", _fail)
        else:
            self._patch.setattr(PostgresTarget, phase, _fail)

    def _arm_rows(self, after: int) -> None:
        calls = itertools.count()

        def copy(*args: Any) -> Outcome:
            if next(calls) >= after:
                _fail()
            return copy_chunk(*args)

        self._patch.setattr("dbmask.cloner.loading.copy_chunk", copy)

    def disarm(self) -> None:
        self._patch.undo()


def _fail(*_: Any) -> None:
    raise ConnectorError("the server went away")


@pytest.fixture
def own(place: Place, postgres: Postgres) -> Iterator[Place]:
    """A place whose source is the test's own to change."""
    name = f"{NAME}_own"
    postgres.create_database(name, place.source)
    yield replace(place, source=name)
    postgres.drop_database(name)


def end_keeper(place: Place) -> None:
    with State(place.state) as state:
        keeper = Keeper.reach(state.runs(1)[0].keeper)
    assert keeper is not None
    keeper.end()


def test_a_new_run_lets_go_of_the_snapshot_of_the_one_before(own: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = Faults(monkeypatch)
    faults.arm("rows")
    with pytest.raises(ConnectorError, match="went away"):
        run_clone(own, state=own.state)
    faults.disarm()
    with State(own.state) as state:
        address = state.runs(1)[0].keeper
    assert Path(address).exists()
    assert run_clone(own, state=own.state).certificate.passed
    deadline = time.monotonic() + 30
    while Path(address).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(address).exists()


@pytest.mark.parametrize("snapshot", ["held", "gone"])
@pytest.mark.parametrize("phase", ["rows", "finish", "verify", "publish"])
def test_a_run_is_resumed(own: Place, monkeypatch: pytest.MonkeyPatch, phase: str, snapshot: str) -> None:
    run_clone(own, own.target)  # the old replica
    old = contents(own.postgres, own.target)
    own.sql("UPDATE item SET amount = amount + 1 WHERE id = 1")
    then = fresh(own)
    faults = Faults(monkeypatch)
    faults.arm(phase)
    with pytest.raises(ConnectorError, match="went away"):
        run_clone(own, state=own.state)
    faults.disarm()
    assert contents(own.postgres, own.target) == old
    left = leftovers(own.postgres, own)
    assert len(left["databases"]) == 1 and [s[1] for s in left["sessions"]] == ["idle in transaction"]
    with State(own.state) as state:
        assert (state.runs(1)[0].status, state.runs(1)[0].phase) == ("failed", phase)
    own.sql(CHANGES)
    if snapshot == "gone":
        end_keeper(own)
    done = run_clone(own, state=own.state, resume=True)
    assert contents(own.postgres, own.target) == (then if snapshot == "held" else fresh(own))
    reused = {str(n): r for n, (_, r) in done.chunks.items()}
    every = {str(n): c for n, (c, _) in done.chunks.items()}
    if phase == "rows":
        assert 0 < sum(reused.values()) < sum(every.values())
    elif snapshot == "held":
        assert reused == every
    else:
        assert every and all(0 < reused[name] < every[name] for name in every)
    with State(own.state) as state:
        assert state.runs(1)[0].status == "done" and len(state.runs()) == 1


def test_a_second_resume_stands_on_the_first(own: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = Faults(monkeypatch)
    for after, change in ((30, "UPDATE person SET name = 'X' WHERE id = 1"), (10, "DELETE FROM item WHERE id = 2000")):
        faults._arm_rows(after)
        with pytest.raises(ConnectorError, match="went away"):
            run_clone(own, state=own.state, resume=after == 10)
        faults.disarm()
        own.sql(change)
        end_keeper(own)
    faults.arm("finish")
    with pytest.raises(ConnectorError, match="went away"):
        run_clone(own, state=own.state, resume=True)
    faults.disarm()
    own.sql("VACUUM FULL person; UPDATE note SET body = 'y' WHERE id < 10")
    end_keeper(own)
    done = run_clone(own, state=own.state, resume=True, moving={"jobs": 2})
    assert contents(own.postgres, own.target) == fresh(own)
    reused = {str(n): c - r for n, (c, r) in done.chunks.items()}
    assert reused["public.person"] == dict(done.chunks)[TableName("public", "person")][0]  # its rows have moved
    assert reused["public.note"] >= 1 and reused["public.loose"] == 0


def test_what_cannot_be_resumed(own: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = Faults(monkeypatch)
    faults.arm("finish")
    with pytest.raises(ConnectorError, match="went away"):
        run_clone(own, state=own.state)
    faults.disarm()
    with pytest.raises(UsageError, match="the masking key is another"):
        run_clone(own, state=own.state, resume=True, keys=KeyRing(MasterKey(b"x" * 32)))
    own.sql("ALTER TABLE note ADD COLUMN more text")
    with pytest.raises(UsageError, match="the source's structure has changed"):
        run_clone(own, state=own.state, resume=True)
    end_keeper(own)
    own.sql("ALTER TABLE note DROP COLUMN more")
    with pytest.raises(UsageError, match="another database"):
        run_clone(replace(own, source=f"{NAME}_source"), state=own.state, resume=True)
    assert run_clone(own, state=own.state).certificate.passed  # a new run clears what was left


def test_a_building_area_that_is_gone_is_begun_anew(own: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = Faults(monkeypatch)
    faults.arm("finish")
    with pytest.raises(ConnectorError, match="went away"):
        run_clone(own, state=own.state)
    faults.disarm()
    for (name,) in leftovers(own.postgres, own)["databases"]:
        own.postgres.drop_database(name)
    then = fresh(own)
    own.sql(CHANGES)
    done = run_clone(own, state=own.state, resume=True)  # the snapshot was held
    assert contents(own.postgres, own.target) == then
    assert not any(reused for _, reused in done.chunks.values())


def test_the_rate_is_bounded(place: Place) -> None:
    began = time.monotonic()
    done = run_clone(place, moving={"max_rate": 2500})
    assert sum(done.rows.values()) == ROWS * 7 and time.monotonic() - began > ROWS * 7 / 2500 * 0.9


def test_a_snapshot_that_nobody_holds_is_gone(place: Place) -> None:
    source = connector_for(place.url(place.source)).source(place.url(place.source))
    with closing(source):
        assert isinstance(source, SharedSource)
        with source.export() as shared, source.join(shared) as reader:
            assert reader.position == shared.position
        with pytest.raises(SnapshotGone), source.join(shared):
            pass
        with pytest.raises(SnapshotGone), source.join(Shared('{"name": "no such"}', "")):
            pass
