"""PyMySQL's errors as dbmask's: the code, what it means, which object; never a message, for the server quotes values in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from dbmask.errors import ConnectorError

__all__ = ["describe", "refusal", "translated"]

_MEANING = {
    1020: "a row changed since the snapshot",
    1021: "the server's disk is full",
    1040: "the server takes no more connections",
    1044: "this user may not use the database",
    1045: "the login was refused",
    1046: "no database is chosen",
    1048: "NULL in a NOT NULL column",
    1049: "there is no such database",
    1050: "the table exists already",
    1054: "there is no such column",
    1062: "a unique key would hold a value twice",
    1064: "the statement is not valid here",
    1114: "the table or the server's temporary space is full",
    1118: "a row would be too large",
    1142: "this user lacks a privilege on the table",
    1143: "this user lacks a privilege on a column",
    1146: "there is no such table",
    1148: "LOAD DATA LOCAL is switched off on the server (local_infile)",
    1153: "a packet is larger than the server's max_allowed_packet",
    1205: "a lock was not free in time",
    1213: "the transaction was rolled back because of a deadlock",
    1227: "this user lacks a privilege",
    1263: "NULL in a NOT NULL column",
    1264: "a number is out of its column's range",
    1265: "a value is too long for its column or not of its type",
    1286: "the storage engine is not there",
    1290: "an option of the server forbids it",
    1292: "a value is no date, time or number of its column's type",
    1305: "there is no such routine",
    1317: "the statement was cancelled",
    1356: "a view refers to something that is not there, or that its definer may not use",
    1366: "a value does not fit its column's type or character set",
    1370: "this user lacks a privilege on the routine",
    1406: "a value is too long for its column",
    1411: "a value does not fit a function's argument",
    1412: "the table's definition changed after the snapshot",
    1419: "the server takes functions and triggers from privileged users only (log_bin_trust_function_creators)",
    1452: "a foreign key refers to nothing",
    1526: "no partition takes a row",
    1644: "a trigger or routine raised an error",
    1665: "the binary log's format does not allow it",
    1690: "a number is out of range",
    1698: "the login was refused",
    1785: "GTIDs do not allow it",
    1836: "the server is read-only",
    1969: "the statement ran longer than allowed",
    2002: "no server answers there",
    2003: "no server answers there",
    2005: "the host's name is unknown",
    2006: "the connection was lost",
    2013: "the connection was lost",
    3024: "the statement ran longer than allowed",
    3819: "a CHECK constraint does not hold",
    4025: "a CHECK constraint does not hold",
    4166: "LOAD DATA LOCAL is switched off on the server (local_infile)",
}
# Names at the end of a message, behind all that a value could hold; and numbers of rows.
_NAMES = (
    (frozenset({1264, 1265, 1292, 1366, 1406}), re.compile(r"(?s).* for column (?P<column>.+?) at row (?P<row>\d+)\Z")),
    (frozenset({1263}), re.compile(r".* NOT NULL column '(?P<column>.+)' at row (?P<row>\d+)\Z")),
    (frozenset({1048}), re.compile(r"\AColumn '(?P<column>.+)' cannot be null\Z")),
    (frozenset({1062}), re.compile(r"(?s).* for key '(?P<key>[^']+)'\Z")),
    (frozenset({1054}), re.compile(r"\AUnknown column '(?P<column>.+)' in ")),
    (frozenset({1146}), re.compile(r"\ATable '(?P<table>.+)' doesn't exist")),
    (frozenset({1050}), re.compile(r"\ATable '(?P<table>.+)' already exists")),
    (frozenset({4025}), re.compile(r"\ACONSTRAINT (?P<constraint>.+) failed for ")),
    (frozenset({3819}), re.compile(r"\ACheck constraint '(?P<constraint>.+)' is violated")),
    (frozenset({1356}), re.compile(r"\AView '(?P<view>.+)' references ")),
)

# What the operating system refused has its number in the message.
_BY_SYSTEM = frozenset({3, 1004, 1005, 1026, 1030})
_FULL = re.compile(r"\((?:Errcode|errno): (?:28|122|135)\b")
_DISK_FULL = 1021


def describe(code: int, message: str) -> str:
    """An error in words that hold the names of objects and no value.

    >>> describe(1406, "Data too long for column 'name' at row 3")
    'a value is too long for its column (error 1406, column name, row 3)'
    """
    parts = [f"error {code}"]
    for codes, pattern in _NAMES:
        if code in codes and (found := pattern.match(message)):
            parts += [f"{kind} {_bare(name)}" for kind, name in found.groupdict().items()]
    if code in _BY_SYSTEM and _FULL.search(message):
        code = _DISK_FULL
    return f"{_MEANING.get(code, 'the server refused the statement')} ({', '.join(parts)})"


def _bare(name: str) -> str:
    """A name without quotes and without what qualifies it."""
    return name.strip("`'").rpartition("`.`")[2]


def refusal(error: Exception) -> tuple[int, str]:
    """A driver's error as code and words; code 0 where the connection itself failed."""
    code, message = (*error.args, "", "")[:2]
    if not isinstance(code, int) or code == 0:
        return 0, "the connection was lost"
    return code, describe(code, message if isinstance(message, str) else "")


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn the driver's errors into ConnectorError, unchained. ``where`` says what was being done."""
    from pymysql.err import MySQLError

    try:
        yield
    except MySQLError as error:
        raise ConnectorError(f"{where}: {refusal(error)[1]}") from None
    except (OSError, EOFError):
        raise ConnectorError(f"{where}: the connection was lost") from None
