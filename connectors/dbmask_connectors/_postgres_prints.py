"""Fingerprints of texts that the server makes: what leaves it is 8 bytes a value, in rows of one length, which numpy reads as they are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dbmask.errors import ConnectorError

if TYPE_CHECKING:
    import numpy as np
    import psycopg

    Prints = np.ndarray[Any, np.dtype[np.int64]]

__all__ = ["arrays_of", "prints_of"]

_HEADER = 19
"""Bytes of signature, flags and extension before the first row of a binary COPY."""
_MESSAGE = 5
"""Bytes before each row where messages are read from the socket."""


_BLANKS = (
    r" \t\n\r\f\v\x1c\x1d\x1e\x1f\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    r"\u2028\u2029\u202f\u205f\u3000"
)
"""What Python's str.strip takes away."""


def _print_sql(text: str, seed: int) -> str:
    """The fingerprint of an expression of type text; 0 for NULL and fewer than 8 bytes.

    Nearly all texts are of ASCII without blanks around them, for which lower() is quick and nothing is trimmed. Of others the
    letters are folded by ICU; to upper case and back makes one of what has several lower cases.
    """
    plain = f'hashbpcharextended(lower({text} COLLATE "C")::bpchar, {seed})'
    trimmed = f"btrim({text}, E'{_BLANKS}')"
    folded = f"""hashbpcharextended(lower(upper({trimmed} COLLATE "und-x-icu"))::bpchar COLLATE "C", {seed})"""
    last = f"get_byte(convert_to({text}, 'UTF8'), octet_length({text}) - 1)"
    inner = f"CASE WHEN ascii({text}) > 32 AND {last} > 32 THEN {plain} ELSE {folded} END"
    made = f"CASE WHEN char_length({text}) = octet_length({text}) THEN {inner} ELSE {folded} END"
    return f"CASE WHEN octet_length({text}) >= 8 THEN {made} ELSE 0 END"


def arrays_of(connection: psycopg.Connection[Any], query: str, width: int, seed: int) -> Iterator[Prints]:
    """The fingerprints of a query's ``width`` columns, each called c0, c1, ...; arrays of shape (rows, width)."""
    from dbmask_connectors._postgres_copy import copied_out
    from dbmask_connectors._postgres_frames import frames, possible

    columns = ", ".join(_print_sql(f"(q.c{i})::text", seed) for i in range(width))
    statement = f"COPY (SELECT {columns} FROM ({query}) AS q) TO STDOUT (FORMAT binary)"  # noqa: S608 - made here
    head = _MESSAGE if possible(connection) else 0
    blocks = frames(connection, statement, even=True) if head else copied_out(connection, statement)
    first = True
    with contextlib.closing(blocks):
        for _, block in blocks:
            data = memoryview(block)
            if first:  # the header comes in one message with the first row, which begins behind it
                data = memoryview(bytes(data[:head]) + bytes(data[head + _HEADER :]))
                first = False
            yield _array(data, width, head)


def _array(data: memoryview, width: int, head: int) -> Prints:
    import numpy as np

    begin = [("message", f"V{head}")] if head else []
    row = np.dtype([*begin, ("fields", ">i2"), ("values", [("length", ">i4"), ("print", ">i8")], (width,))])
    rows = np.frombuffer(data, row, len(data) // row.itemsize)  # what is left over is the end's mark
    if (rows["fields"] != width).any():
        raise ConnectorError("COPY gave rows of another form")
    return rows["values"]["print"].astype(np.int64)


def prints_of(connection: psycopg.Connection[Any], texts: Sequence[str], seed: int) -> Prints:
    """The fingerprints of texts. They go to the server by COPY, whose data are in no log, as parameters may be.

    Leaves a temporary table behind: the caller undoes it.
    """
    import numpy as np

    made = _print_sql("t.v", seed)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE dbmask_words (n integer, v text)")
        with cursor.copy("COPY pg_temp.dbmask_words FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["integer", "text"])
            for number, text in enumerate(texts):
                copy.write_row((number, text))
        cursor.execute(f"SELECT string_agg(({made})::text, ' ' ORDER BY t.n) FROM pg_temp.dbmask_words AS t".encode())  # noqa: S608 - made here
        row = cursor.fetchone()
    return np.array((row[0] or "").split() if row else [], np.int64)
