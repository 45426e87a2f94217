"""``python -m dbmask``."""

from __future__ import annotations

from dbmask.cli import main

main()
