"""Every benchmark in this folder, one process each: `make bench`. JSON lines on stdout, a table on stderr."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run them in turn; return 1 where one failed."""
    root = str(Path(__file__).parent.parent)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    scripts = sorted(Path(__file__).parent.glob("bench_*.py"))
    failed = [
        s.name for s in scripts if subprocess.run([sys.executable, str(s)], env=environ, check=False).returncode != 0
    ]
    for name in failed:
        print(f"{name} failed", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
