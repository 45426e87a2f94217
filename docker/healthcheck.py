"""Exit 0 while this container is well: its /healthz where DBMASK_HEALTH_URL names one, else its first process."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from pathlib import Path


def main() -> int:
    """Ask, or look; 1 where it is not well."""
    url = os.environ.get("DBMASK_HEALTH_URL")
    if not url:
        return 0 if b"dbmask" in Path("/proc/1/cmdline").read_bytes() else 1
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:  # noqa: S310 - the container's own address
            return 0 if answer.status == 200 else 1
    except (OSError, urllib.error.URLError):
        return 1


if __name__ == "__main__":
    sys.exit(main())
