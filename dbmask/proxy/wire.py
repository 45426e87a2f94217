"""Frames of PostgreSQL's protocol 3.0: reading them with limits, making them, taking values out of errors."""

from __future__ import annotations

import asyncio
import struct

__all__ = ["BEFORE_LOGIN", "ProtocolError", "cleaned", "error", "fields", "frame", "read_frame", "text"]

BEFORE_LOGIN = 10_000
"""The longest message of a client that has not logged in, in bytes."""


class ProtocolError(Exception):
    """The other side does not keep to the protocol: the connection ends."""


def frame(kind: bytes, body: bytes = b"") -> bytes:
    """A message: type, length, body."""
    return kind + struct.pack("!i", len(body) + 4) + body


def text(value: str) -> bytes:
    """A string as the protocol has it."""
    return value.encode() + b"\0"


async def read_frame(reader: asyncio.StreamReader, limit: int) -> tuple[bytes, bytes]:
    """Type and body of the next message; raises ProtocolError, IncompleteReadError."""
    head = await reader.readexactly(5)
    (length,) = struct.unpack("!i", head[1:])
    if not 4 <= length <= limit:
        raise ProtocolError("invalid message length")
    return head[:1], await reader.readexactly(length - 4)


def error(state: str, message: str, severity: str = "ERROR") -> bytes:
    """An ErrorResponse."""
    parts = {b"S": severity, b"V": severity, b"C": state, b"M": message}
    return frame(b"E", b"".join(k + text(v) for k, v in parts.items()) + b"\0")


def fields(body: bytes) -> dict[bytes, bytes]:
    """The fields of an ErrorResponse or NoticeResponse."""
    return {part[:1]: part[1:] for part in body.split(b"\0") if part}


def cleaned(kind: bytes, body: bytes) -> bytes:
    """An error or a notice with its SQLSTATE, without whatever may quote a value."""
    found = fields(body)
    state = found.get(b"C", b"XX000").decode("ascii", "replace")
    severity = found.get(b"V", b"ERROR").decode("ascii", "replace")
    message = f"the database reported {severity.lower()} {state} (its text may quote data and is left out)"
    if state[:2] in ("25", "26", "34", "3D", "57", "53", "40", "55", "08") or state in (
        "42703",
        "42883",
        "42803",
        "42804",
    ):
        message = found.get(b"M", b"").decode("utf-8", "replace")
    return kind + error(state, message, severity)[1:]
