"""Frames of PostgreSQL's protocol 3.0: making them, reading what is in them, taking values out of errors."""

from __future__ import annotations

import struct

__all__ = ["BEFORE_LOGIN", "ProtocolError", "cleaned", "error", "fields", "frame", "string", "text"]

BEFORE_LOGIN = 10_000
"""The longest message of a client that has not logged in, in bytes."""

_length = struct.Struct("!i").pack
# Classes and states whose messages name objects or states, never values.
_TOLD = frozenset(("25", "26", "34", "3D", "57", "53", "40", "55", "08"))
_TOLD_STATES = frozenset(("42703", "42883", "42803", "42804"))


class ProtocolError(Exception):
    """The other side does not keep to the protocol: the connection ends."""


def frame(kind: bytes, body: bytes = b"") -> bytes:
    """A message: type, length, body."""
    return kind + _length(len(body) + 4) + body


def text(value: str) -> bytes:
    """A string as the protocol has it."""
    return value.encode() + b"\0"


def string(body: bytes, at: int) -> tuple[str, int]:
    """The string that begins at ``at``, and where the next field begins; raises ProtocolError.

    What is not UTF-8 comes back as a control character, which no grammar reads: it is refused where it is used.
    """
    end = body.find(b"\0", at)
    if end < 0:
        raise ProtocolError("a string without an end")
    try:
        return body[at:end].decode(), end + 1
    except UnicodeDecodeError:
        return "\x01", end + 1


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
    if state[:2] in _TOLD or state in _TOLD_STATES:
        message = found.get(b"M", b"").decode("utf-8", "replace")
    return kind + error(state, message, severity)[1:]
