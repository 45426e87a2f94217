"""The server's messages quote values; what users see does not."""

from __future__ import annotations

import pytest

from dbmask.errors import ConnectorError
from dbmask_connectors._mysql_errors import describe, refusal, translated

VALUE = "Anežka at row 7 for key 'x"


@pytest.mark.parametrize(
    ("code", "message", "named"),
    [
        (1062, f"Duplicate entry '{VALUE}' for key 'person_email'", "key person_email"),
        (1366, f"Incorrect string value: '{VALUE}' for column `d`.`t`.`name` at row 3", "column name, row 3"),
        (1292, f"Incorrect datetime value: '{VALUE}' for column `d`.`t`.`at` at row 12", "row 12"),
        (1406, "Data too long for column 'name' at row 3", "column name, row 3"),
        (1054, "Unknown column 'a.b' in 'field list'", "column a.b"),
        (4025, "CONSTRAINT `born_late` failed for `d`.`t`", "constraint born_late"),
        (1064, f"You have an error in your SQL syntax near '{VALUE}' at line 1", "error 1064"),
        (1644, VALUE, "error 1644"),
        (9999, VALUE, "the server refused the statement (error 9999)"),
    ],
)
def test_no_value_passes(code: int, message: str, named: str) -> None:
    said = describe(code, message)
    assert named in said
    assert "Anežka" not in said


def test_a_value_cannot_pose_as_a_name() -> None:
    """Only the end of a message is read, behind everything that a value could hold."""
    said = describe(1366, "Incorrect string value: 'x for column secret at row 1' for column `c` at row 2")
    assert "secret" not in said
    assert "row 2" in said


def test_errors_are_not_chained() -> None:
    from pymysql.err import DataError

    with pytest.raises(ConnectorError, match="too long") as caught, translated("shop.person"):
        raise DataError(1406, f"Data too long: {VALUE}")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert VALUE not in str(caught.value)


@pytest.mark.parametrize("error", [Exception(), Exception(0, ""), Exception("no code")])
def test_a_broken_connection_has_no_code(error: Exception) -> None:
    assert refusal(error) == (0, "the connection was lost")


def test_a_full_disk_is_called_so_whatever_the_statement_was() -> None:
    said = describe(1005, 'Can\'t create table `a`.`b` (errno: 28 "No space left on device")')
    assert said == "the server's disk is full (error 1005)"
    assert (
        describe(1026, "Error writing file 'x' (Errcode: 28 \"No space left on device\")")
        == "the server's disk is full (error 1026)"
    )
    assert "disk" not in describe(
        1005, 'Can\'t create table `a`.`b` (errno: 150 "Foreign key constraint is incorrectly formed")'
    )
