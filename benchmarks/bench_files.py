"""Files: six rules over a CSV beside a per-row loop as the original program has, and beside plain copies; Parquet beside its copy.

Each run is a process of its own, measured by its CPU time and its peak memory.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

SIZES = (100_000, 300_000, 1_000_000)
RUNS = 3
_RIVAL_ROWS = 100_000
_COLUMNS = "id,name,email,phone,age,birth,address,amount"
_RULES: dict[str, Any] = {
    "id": "hash",
    "name": "drop",
    "email": {"strategy": "redact", "keep_start": 1, "keep_end": 4},
    "phone": {"strategy": "redact", "keep_end": 4},
    "age": {"strategy": "generalize", "step": 10},
    "birth": {"strategy": "generalize", "method": "date_year"},
}


def write_csv(path: Path, rows: int) -> None:
    """Invented people."""
    source = random.Random(1)  # noqa: S311 - the same file each time
    with path.open("w", encoding="utf-8") as file:
        file.write(_COLUMNS + "\n")
        for i in range(rows):
            year, month, day = source.randrange(1940, 2000), source.randrange(1, 13), source.randrange(1, 29)
            file.write(
                f"{i},Name {i},user{i}@example.com,555-{source.randrange(10**7):07},{source.randrange(18, 90)},"
                f'{year}-{month:02}-{day:02},"{source.randrange(999)} Street,City {source.randrange(99)},FR",'
                f"{source.random() * 1000:.2f}\n"
            )


def masked(source: str, target: str) -> None:
    """The rules by dbmask."""
    from dbmask.files import FileJob, mask_file
    from dbmask.files.rules import rules_from_dict
    from dbmask.keys import KeyRing

    mask_file(FileJob(rules_from_dict(_RULES), KeyRing(None), source=source, target=target))


def copied(source: str, target: str) -> None:
    """DuckDB reads and writes, and does nothing else."""
    import duckdb

    form = "parquet" if target.endswith(".parquet") else "csv"
    table = f"read_csv('{source}', header=true, all_varchar=true)" if form == "csv" else f"read_parquet('{source}')"
    duckdb.execute(f"COPY (SELECT * FROM {table}) TO '{target}' (FORMAT {form})")


def by_row(source: str, target: str) -> None:
    """One dict a row, one call a field: the original's way."""

    def redact(value: str, start: int, end: int) -> str:
        hidden = len(value) - start - end
        return "*" * len(value) if hidden <= 0 else value[:start] + "*" * hidden + value[len(value) - end :]

    strategies: dict[str, Callable[[str], str]] = {
        "id": lambda v: hashlib.new("sha256", v.encode()).hexdigest(),
        "email": lambda v: redact(v, 1, 4),
        "phone": lambda v: redact(v, 0, 4),
        "age": lambda v: f"{int(float(v) // 10 * 10)}-{int(float(v) // 10 * 10 + 10)}",
        "birth": lambda v: v[:4],
    }
    with open(source, newline="", encoding="utf-8") as file, open(target, "w", newline="", encoding="utf-8") as out:
        writer: csv.DictWriter[str] | None = None
        for record in csv.DictReader(file):
            made = {k: strategies[k](v) if k in strategies else v for k, v in record.items() if k != "name"}
            if writer is None:
                writer = csv.DictWriter(out, made.keys())
                writer.writeheader()
            writer.writerow(made)


def measured(job: str, source: Path, target: Path) -> tuple[float, int]:
    """CPU seconds and peak megabytes of a job in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, job, str(source), str(target)], check=True, capture_output=True, env=os.environ
    )
    facts = json.loads(done.stdout)
    return facts["cpu"], facts["mb"]


def medians(jobs: dict[str, tuple[Path, Path]]) -> dict[str, tuple[float, int]]:
    """Each job in turn, once to warm up and then RUNS times."""
    times: dict[str, list[tuple[float, int]]] = {job: [] for job in jobs}
    for i in range(RUNS + 1):
        for job, (source, target) in jobs.items():
            made = measured(job, source, target)
            if i:
                times[job].append(made)
    return {job: (statistics.median(t for t, _ in made), max(m for _, m in made)) for job, made in times.items()}


def say(name: str, rows: int, cpu: float, mb: int, note: str) -> None:
    """A JSON line and a table line."""
    print(json.dumps({"name": name, "size": rows, "cpu": round(cpu, 3), "mb": mb, "note": note}), flush=True)
    rate = f"{rows / cpu:>11,.0f} rows per CPU s"
    print(f"{name:32} {rows:>10,} {cpu:7.2f} s {rate} {mb:5} MB   {note}", file=sys.stderr, flush=True)


def main() -> int:
    """Run all; return 1 where a target is missed."""
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rows in SIZES:
            plain = folder / f"{rows}.csv"
            write_csv(plain, rows)
            jobs = {"dbmask": (plain, folder / "out.csv"), "copy": (plain, folder / "copy.csv")}
            if rows == _RIVAL_ROWS:
                jobs["by_row"] = (plain, folder / "rows.csv")
            found = medians(jobs)
            cpu, mb = found["dbmask"]
            say("CSV, plain DuckDB copy", rows, *found["copy"], "the limit")
            if "by_row" in found:
                say("CSV, 6 rules row by row", rows, *found["by_row"], "the rival's way")
            say("CSV, 6 rules", rows, cpu, mb, f"{found['copy'][0] / cpu:.2f} of the copy (target 400,000/s, 600 MB)")
            missed += rows == SIZES[-1] and (rows / cpu < 400_000 or mb > 600)
            packed = folder / f"{rows}.parquet"
            _to_parquet(plain, packed)
            found = medians({"dbmask": (packed, folder / "out.parquet"), "copy": (packed, folder / "copy.parquet")})
            cpu, mb = found["dbmask"]
            say("Parquet, plain DuckDB copy", rows, *found["copy"], "the limit")
            say("Parquet, 6 rules", rows, cpu, mb, f"{cpu / found['copy'][0]:.2f} of the copy's CPU (target 1.3)")
        missed += flat(folder, plain)
    return 1 if missed else 0


def flat(folder: Path, plain: Path) -> int:
    """The peak memory of ever longer files: by DuckDB, whose buffers are full at the first size, and by Python; 1 where it grows."""
    header, body = plain.read_bytes().split(b"\n", 1)
    missed = 0
    for job, unit, name in (
        ("dbmask", body, "CSV, 6 rules, by DuckDB"),
        ("streamed", body[: len(body) // 20], "a stream"),
    ):
        unit = unit[: unit.rindex(b"\n") + 1]
        peaks = []
        for times in (1, 2, 4):
            longer = folder / "longer.csv"
            with longer.open("wb") as file:
                file.write(header + b"\n")
                for _ in range(times):
                    file.write(unit)
            cpu, mb = measured(job, longer, folder / "out.csv")
            say(f"memory, {name}", times * unit.count(b"\n"), cpu, mb, "flat: 1.25 of the first at most, 600 MB")
            peaks.append(mb)
        missed += peaks[-1] > min(600, 1.25 * peaks[0])
    return int(missed > 0)


def streamed(source: str, target: str) -> None:
    """The rules by dbmask, from standard input."""
    from dbmask.files import FileJob, mask_file
    from dbmask.files.rules import rules_from_dict
    from dbmask.keys import KeyRing

    with open(source, "rb") as file:
        mask_file(FileJob(rules_from_dict(_RULES), KeyRing(None), target=target), stdin=file)


def _to_parquet(source: Path, target: Path) -> None:
    import duckdb

    table = f"read_csv('{source}', header=true, all_varchar=true)"
    duckdb.execute(f"COPY (SELECT * FROM {table}) TO '{target}' (FORMAT parquet)")


_JOBS = {"dbmask": masked, "streamed": streamed, "copy": copied, "by_row": by_row}


def _job() -> int:
    """One job in this process; what it took, as JSON."""
    _JOBS[sys.argv[1]](sys.argv[2], sys.argv[3])
    used = resource.getrusage(resource.RUSAGE_SELF)
    # Not ru_maxrss: it begins with what the process was forked from.
    status = Path("/proc/self/status").read_text("utf-8")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"cpu": used.ru_utime + used.ru_stime, "mb": peak // 1024}))
    return 0


if __name__ == "__main__":
    sys.exit(_job() if len(sys.argv) > 1 else main())
