"""What row triggers fill, read from their source."""

from __future__ import annotations

import pytest

from dbmask_connectors._postgres_triggers import fills_and_reads

TSVECTOR = (
    "CREATE TRIGGER t BEFORE INSERT OR UPDATE ON public.film FOR EACH ROW "
    "EXECUTE FUNCTION tsvector_update_trigger('fulltext', 'pg_catalog.english', 'title', 'it''s')"
)


@pytest.mark.parametrize(
    ("definition", "function", "source", "expected"),
    [
        (TSVECTOR, "tsvector_update_trigger", "", (("fulltext",), ("title", "it's"))),
        ("", "f", "BEGIN NEW.last_update = CURRENT_TIMESTAMP; RETURN NEW; END", (("last_update",), ())),
        (
            "",
            "f",
            'BEGIN new."Full Name" := NEW.First || \' \' || NEW."last"; RETURN NEW; END',
            (("Full Name",), ("first", "last")),
        ),
        ("", "f", "IF NEW.x = 1 THEN NEW.y = NEW.z; END IF;", (("y",), ("x", "z"))),
        ("", "f", "-- NEW.a := 1\n/* NEW.b := NEW.c */ RETURN NEW;", ((), ())),
        ("", "f", "PERFORM 1;", ((), ())),
    ],
)
def test_fills_and_reads(
    definition: str, function: str, source: str, expected: tuple[tuple[str, ...], tuple[str, ...]]
) -> None:
    assert fills_and_reads(definition, function, source) == expected
