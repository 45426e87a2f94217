"""Descriptions of rows: masked views' OIDs and row types become those of the relations that they stand for."""

from __future__ import annotations

import struct

from dbmask.proxy.rewrite_catalog import Catalog

__all__ = ["described"]


def described(body: bytes, catalog: Catalog) -> bytes:
    """A RowDescription with the OIDs that a client finds in the catalogs; what is no RowDescription stays as it is."""
    made = bytearray(body)
    (count,) = struct.unpack_from("!h", body)
    at = 2
    for _ in range(count):
        at = body.find(b"\0", at) + 1
        if not at or at + 18 > len(body):
            return body
        table, column, kind = struct.unpack_from("!IhI", body, at)
        of = catalog.columns.get(table)
        if of is not None:
            struct.pack_into("!Ih", made, at, *of.get(column, (0, 0)))
        if kind in catalog.types:
            struct.pack_into("!I", made, at + 6, catalog.types[kind])
        at += 18
    return bytes(made)
