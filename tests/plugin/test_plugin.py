"""A third party's connector and mask, installed as a wheel would install them, found by entry point and used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

POLICY = """
version: 1
key: env:DBMASK_KEY
tables:
  people:
    columns: {id: keep, name: {mask: shout, marks: 2}, mail: hash}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of installed packages that only these tests have on their path."""
    made = tmp_path_factory.mktemp("site")
    for name in ("acme_dbmask", "acme_dbmask-1.0.dist-info"):
        shutil.copytree(HERE / name, made / name, ignore=shutil.ignore_patterns("__pycache__"))
    return made


def run(site: Path | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = [str(ROOT / p) for p in (".", "sql", "connectors")] + ([str(site)] if site else [])
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "DBMASK_KEY": "hex:" + "01" * 32}
    return subprocess.run([sys.executable, *arguments], env=environ, capture_output=True, text=True, check=False)


def test_the_registry_finds_both(site: Path) -> None:
    code = """
import json
from dbmask.registry import connector_for, connectors, mask_class, mask_names
from dbmask.spi import Connector
found = connector_for("csvdir:///x")
known = ["csvdir" in connectors(), "shout" in mask_names()]
print(json.dumps([found.name, isinstance(found, Connector), *known, mask_class("shout").__module__]))
"""
    done = run(site, "-c", code)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["csvdir", True, True, True, "acme_dbmask.shout"]


def test_without_the_package_neither_is_known() -> None:
    code = (
        "from dbmask.registry import connectors, mask_names; print('csvdir' in connectors(), 'shout' in mask_names())"
    )
    assert run(None, "-c", code).stdout == "False False\n"


def test_both_are_used_by_a_clone(site: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "people.csv").write_text("id,name,mail\n1,Ann,ann@example.com\n2,Bob,\n", "utf-8")
    (tmp_path / "p.yaml").write_text(POLICY, "utf-8")
    source, target = f"csvdir://{tmp_path / 'in'}", f"sqlite:///{tmp_path / 'out.db'}"
    done = run(site, "-m", "dbmask", "clone", str(tmp_path / "p.yaml"), "--source", source, "--target", target)
    assert done.returncode == 0, done.stderr
    code = """
import json, sqlite3, sys
print(json.dumps(sqlite3.connect(sys.argv[1]).execute("SELECT id, name, length(mail) FROM people").fetchall()))
"""
    assert json.loads(run(None, "-c", code, str(tmp_path / "out.db")).stdout) == [["1", "ANN!!", 64], ["2", "BOB!!", 0]]


def test_its_errors_end_a_run_like_any_other(site: Path, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY, "utf-8")
    arguments = [
        "-m",
        "dbmask",
        "clone",
        str(tmp_path / "p.yaml"),
        "--source",
        f"csvdir://{tmp_path / 'nope'}",
        "--target",
        f"csvdir://{tmp_path}",
    ]
    done = run(site, *arguments)
    assert done.returncode == 1
    assert "there is no directory" in done.stderr
    (tmp_path / "nope").mkdir()
    done = run(site, *arguments)
    assert done.returncode == 2
    assert "cannot be a target" in done.stderr


def test_its_cases_are_run_like_those_of_the_masks_within(site: Path) -> None:
    code = """
from dbmask.masks.base import Columns
from dbmask.masks.build import build_mask, example_keys
from dbmask.registry import mask_class
from dbmask.schema import Column
for case in mask_class("shout").cases:
    bound = build_mask({"mask": "shout", **case.params}).bind(Columns((Column("c", case.type),)), example_keys())
    assert bound.apply([[case.given, None, ""]]) == [[case.expected, None, ""]]
print("done")
"""
    done = run(site, "-c", code)
    assert done.stdout == "done\n", done.stderr
