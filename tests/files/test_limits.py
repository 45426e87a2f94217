"""A file that is larger than the memory a process may take is masked within it, and does not fit into it as a whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_LIMITED = """
import resource, sys
limit = int(sys.argv[1]) << 20
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
"""
_MASK = (
    _LIMITED
    + """
from dbmask.files import FileJob, mask_file
from dbmask.files.rules import rules_from_dict
from dbmask.keys import KeyRing
rules = rules_from_dict({"id": "hash", "name": {"strategy": "redact", "keep_end": 2}, "age": {"strategy": "generalize", "step": 10}})
source = None if sys.argv[2] == "-" else sys.argv[2]
print(mask_file(FileJob(rules, KeyRing(None), source=source, target=sys.argv[3]), stdin=sys.stdin.buffer).rows)
"""
)
_HOLD = (
    _LIMITED
    + """
text = open(sys.argv[2]).read()
lines = text.splitlines()
held = [dict(zip(("id", "name", "age", "note"), line.split(","))) for line in lines]
"""
)


def _write(path: Path, rows: int) -> None:
    note = "x" * 500
    with path.open("w") as file:
        if path.suffix == ".csv":
            file.write("id,name,age,note\n")
        line = '{{"id": {0}, "name": "Name {0}", "age": {1}, "note": "{2}"}}\n'
        line = "{0},Name {0},{1},{2}\n" if path.suffix == ".csv" else line
        for start in range(0, rows, 1000):
            file.write("".join([line.format(i, i % 90, note) for i in range(start, start + 1000)]))


def _run(script: str, limit: int, source: Path, *args: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(str(_ROOT / p) for p in (".", "sql", "connectors"))
    argv = [sys.executable, "-c", script, str(limit), *args]
    with source.open() as stdin:
        env = {**os.environ, "PYTHONPATH": path}
        return subprocess.run(argv, stdin=stdin, capture_output=True, text=True, check=False, timeout=120, env=env)


@pytest.mark.parametrize(
    ("name", "rows", "limit", "streamed"),
    [("in.csv", 400_000, 600, False), ("in.csv", 120_000, 100, True), ("in.jsonl", 120_000, 100, False)],
    ids=["csv", "csv-stdin", "jsonl"],
)
def test_memory_is_limited(tmp_path: Path, name: str, rows: int, limit: int, streamed: bool) -> None:
    source, target = tmp_path / name, tmp_path / f"out{Path(name).suffix}"
    _write(source, rows)
    done = _run(_MASK, limit, source, "-" if streamed else str(source), str(target))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{rows}\n", "")
    assert target.stat().st_size > source.stat().st_size
    with target.open() as file:
        assert sum(1 for _ in file) == rows + (name == "in.csv")
    held = _run(_HOLD, limit, source, str(source))
    assert "MemoryError" in held.stderr
