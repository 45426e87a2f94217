"""Holds branch coverage where it must be complete, and lets it nowhere fall below what was reached.

Usage: coverage_gate.py COVERAGE.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

COMPLETE = ("dbmask/keys.py", "dbmask/policy/", "dbmask/planner/")
RATCHET = Path(__file__).parent / "coverage_floor.txt"


def main(report: str) -> int:
    """Print what falls short; return 1 where anything does."""
    data = json.loads(Path(report).read_text("utf-8"))
    short = [
        f"{name}: {facts['summary']['percent_covered']:.1f} %, lines {facts['missing_lines']}, branches {facts['missing_branches']}"
        for name, facts in data["files"].items()
        if name.startswith(COMPLETE) and (facts["missing_lines"] or facts["missing_branches"])
    ]
    total, floor = data["totals"]["percent_covered"], float(RATCHET.read_text("utf-8"))
    if total < floor:
        short.append(f"all together: {total:.1f} %, below the {floor:.1f} % that were reached")
    for line in short:
        print(f"coverage: {line}", file=sys.stderr)
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
