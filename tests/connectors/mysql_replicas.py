"""What the tests of MariaDB replicas share: a small source, a place for a replica, and a clone made through the seams."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from tests.connectors.mariadb_tools import (
    copy,
    everything,
    fresh,
    run,
    source,
    target,
)
from tests.fix_mariadb import MariaDB

__all__ = ["clone", "databases", "place", "small_source"]


@contextmanager
def small_source(server: MariaDB) -> Iterator[str]:
    """Two tables with a key, a view and a trigger."""
    with fresh(server, "small", make=True) as name:
        run(
            server,
            name,
            "CREATE TABLE p (id int PRIMARY KEY AUTO_INCREMENT, v varchar(20), w varchar(20), KEY (v, w))",
            "CREATE TABLE c (id int PRIMARY KEY, p int, CONSTRAINT c_p FOREIGN KEY (p) REFERENCES p (id))",
            "INSERT INTO p VALUES (1, 'one', 'a'), (2, 'two', NULL), (9, '', 'b')",
            "INSERT INTO c VALUES (1, 1), (2, 9), (3, NULL)",
            "CREATE VIEW both_of_them AS SELECT c.id, p.v FROM c JOIN p ON p.id = c.p",
            "CREATE TRIGGER p_in BEFORE INSERT ON p FOR EACH ROW SET NEW.w = coalesce(NEW.w, 'filled')",
        )
        yield name


@contextmanager
def place(server: MariaDB) -> Iterator[str]:
    """The name of a database that does not exist; beside it nothing may be left."""
    with fresh(server, "replica") as name:
        yield name
        assert databases(server, name) in ([], [name]), "something is left beside the replica"


def databases(server: MariaDB, name: str) -> list[str]:
    """Those whose names begin so."""
    rows = run(server, None, "SELECT schema_name FROM information_schema.schemata ORDER BY 1")
    return [found for (found,) in rows if found.startswith(name)]


def clone(server: MariaDB, of: str, to: str, **options: Any) -> Any:
    """A whole clone, without the cloner."""
    changes = options.pop("changes", {})
    with closing(source(server, of)) as opened, closing(target(server, to)) as made:
        made.check(options.pop("overwrite", False))
        schema = opened.schema()
        return copy(opened, made, everything(schema, **changes), schema=schema, **options)
