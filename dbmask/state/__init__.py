"""What dbmask remembers between processes: runs, their tables, and the ledger of chunks.

The state database is dbmask's own: a SQLite file in the user's state directory, or any database that SQLAlchemy reaches.
It holds no data: boundaries of chunks, which may be keys of rows, are sealed (:mod:`dbmask.state.seal`), and checksums are
keyed. Below the cloner in the layers, above keys; clone, resume and refresh stand on it alike.
"""

from __future__ import annotations

from dbmask.state.seal import Sealer
from dbmask.state.store import ChunkRow, RunRow, State, TableRow, default_url

__all__ = ["ChunkRow", "RunRow", "Sealer", "State", "TableRow", "default_url"]
