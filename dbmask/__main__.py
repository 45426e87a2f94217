"""``python -m dbmask``."""

from __future__ import annotations

from dbmask.cli import main

if __name__ == "__main__":  # worker processes import it again
    main()
