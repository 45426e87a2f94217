"""Memory does not grow with the file: each format, at two sizes, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_RUN = """
import sys
from dbmask.files import FileJob, copying, mask_file
from dbmask.files.rules import rules_from_dict
from dbmask.keys import KeyRing
copying.QUICK = int(sys.argv[1])
rules = rules_from_dict({"id": "hash", "name": {"strategy": "redact", "keep_end": 2}, "age": {"strategy": "generalize", "step": 10}})
mask_file(FileJob(rules, KeyRing(None), source=sys.argv[2], target=sys.argv[3]))
# Not ru_maxrss: it begins with what the process was forked from.
print(next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) // 1024)
"""


def _peak(source: Path, target: Path, quick: int) -> int:
    path = os.pathsep.join(str(_ROOT / p) for p in (".", "sql", "connectors"))
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(quick), str(source), str(target)],
        capture_output=True,
        check=True,
        timeout=250,
        env={**os.environ, "PYTHONPATH": path},
    )
    return int(done.stdout)


def _write(path: Path, rows: int) -> None:
    note = "x" * 120
    with path.open("w") as file:
        if path.suffix == ".csv":
            file.write("id,name,age,note\n")
            file.writelines(f"{i},Name {i},{i % 90},{note}\n" for i in range(rows))
        else:
            between = ",\n" if path.suffix == ".json" else "\n"
            file.write("[" if path.suffix == ".json" else "")
            for i in range(rows):
                record = json.dumps({"id": i, "name": f"Name {i}", "age": i % 90, "note": note})
                file.write((between if i else "") + record)
            file.write("]" if path.suffix == ".json" else "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "target", "quick", "rows"),
    [
        ("in.csv", "out.csv", 1 << 60, 60_000),
        ("in.csv", "out.csv", 0, 400_000),
        ("in.jsonl", "out.jsonl", 0, 30_000),
        ("in.json", "out.csv", 0, 30_000),
    ],
)
def test_peak_memory(tmp_path: Path, source: str, target: str, quick: int, rows: int) -> None:
    peaks = []
    for size in (rows, 3 * rows):
        _write(tmp_path / source, size)
        peaks.append(_peak(tmp_path / source, tmp_path / target, quick))
    assert peaks[1] < 600
    by_duckdb = quick == 0 and source.endswith(".csv")
    assert peaks[1] - peaks[0] < (200 if by_duckdb else 25)
