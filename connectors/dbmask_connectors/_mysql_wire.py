"""The client protocol where PyMySQL is too slow or too trusting: rows as bytes, and LOAD DATA LOCAL fed from memory.

PyMySQL answers a server's request for a local file with whatever file the server names. Here the connection never
lets it: the request is met in this module alone, by the data that were to be loaded.
Protocol: https://mariadb.com/kb/en/clientserver-protocol/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Field", "Load", "Stream", "fields_of"]

_READ = 1 << 18
_PACKET = 1 << 18
_LONGEST = 0xFFFFFF
_EOF, _ERROR, _NULL = 0xFE, 0xFF, 0xFB


@dataclass(frozen=True)
class Field:
    """A column of a result: MySQL's type code, its character set's number (63 is binary), and its width."""

    name: str
    type_code: int
    charset: int
    length: int


class Stream:
    """The rows of one SELECT as they come: nothing is kept but the block that was read last."""

    def __init__(self, raw: Any, sql: str) -> None:
        from pymysql.constants import COMMAND
        from pymysql.protocol import FieldDescriptorPacket

        raw._execute_command(COMMAND.COM_QUERY, sql)
        first = raw._read_packet()
        if first.is_load_local_packet() or first.is_ok_packet():
            raise ConnectionError("the server did not answer with rows")
        count = first.read_length_encoded_integer()
        described = [raw._read_packet(FieldDescriptorPacket) for _ in range(count)]
        self.fields = tuple(Field(d.name, d.type_code, d.charsetnr, d.length) for d in described)
        raw._read_packet()
        self._raw = raw
        self._rest = b""
        self._long = b""
        self.done = False

    def payloads(self) -> Iterator[list[bytes]]:
        """Packets of rows, some at a time. Raises the driver's errors."""
        while not self.done:
            missing = self._missing()
            # A long packet is read in one go: put together bit by bit, it would be copied as often.
            more = self._raw._rfile.read(missing) if missing > _READ else self._raw._rfile.read1(_READ)
            if not more:
                self.done = True
                raise EOFError
            if found := self._split(self._rest + more if self._rest else more):
                yield found

    def _missing(self) -> int:
        """How many bytes the packet lacks that has begun."""
        return 4 + int.from_bytes(self._rest[:3], "little") - len(self._rest) if len(self._rest) >= 4 else 0

    def _split(self, data: bytes) -> list[bytes]:
        found: list[bytes] = []
        at, end = 0, len(data)
        while at + 4 <= end:
            size = data[at] | data[at + 1] << 8 | data[at + 2] << 16
            after = at + 4 + size
            if after > end:
                break
            payload = data[at + 4 : after]
            at = after
            if size == _LONGEST or self._long:
                self._long += payload
                if size == _LONGEST:
                    continue
                payload, self._long = self._long, b""
            elif payload[0] == _EOF and size < 9:
                self.done = True
                break
            elif payload[0] == _ERROR:
                self.done = True
                self._fail(payload)
            found.append(payload)
        self._rest = data[at:]
        return found

    def _fail(self, payload: bytes) -> None:
        from pymysql.err import raise_mysql_exception

        raise_mysql_exception(payload)

    def rows(self) -> Iterator[list[list[bytes | None]]]:
        """Rows as lists of bytes, some at a time."""
        width = range(len(self.fields))
        for packets in self.payloads():
            yield [_values(packet, width) for packet in packets]

    def lines(self) -> Iterator[tuple[int, bytes | None]]:
        """The values of the only column, joined, some rows at a time, with their number; None where one of them is NULL."""
        for packets in self.payloads():
            made = []
            for packet in packets:
                head = packet[0]
                if head < _NULL:
                    made.append(packet[1:])
                elif head == _NULL:
                    yield 0, None
                else:
                    made.append(packet[(3, 4, 9)[head - 0xFC] :])
            yield len(made), b"".join(made)

    def drain(self) -> None:
        """Read to the end and forget it; an error that ends the rows is no error here."""
        from pymysql.err import MySQLError

        try:
            for _ in self.payloads():
                pass
        except MySQLError:
            self.done = True


def _values(packet: bytes, width: range) -> list[bytes | None]:
    row: list[bytes | None] = []
    at = 0
    for _ in width:
        size = packet[at]
        at += 1
        if size >= _NULL:
            if size == _NULL:
                row.append(None)
                continue
            more = (2, 3, 8)[size - 0xFC]
            size = int.from_bytes(packet[at : at + more], "little")
            at += more
        row.append(packet[at : at + size])
        at += size
    return row


def fields_of(raw: Any, sql: str) -> tuple[Field, ...]:
    """The columns of a query that gives no rows (LIMIT 0)."""
    stream = Stream(raw, sql)
    stream.drain()
    return stream.fields


class Load:
    """One LOAD DATA LOCAL statement, fed block by block."""

    def __init__(self, raw: Any, sql: str) -> None:
        from pymysql.constants import COMMAND

        raw._execute_command(COMMAND.COM_QUERY, sql)
        if not raw._read_packet().is_load_local_packet():
            raise ConnectionError("the server did not ask for data")
        self._raw = raw

    def write(self, data: bytes) -> None:
        """Send a block of lines."""
        for at in range(0, len(data), _PACKET):
            self._raw.write_packet(data[at : at + _PACKET])

    def finish(self) -> tuple[int, int]:
        """End the data; the number of rows that were stored, and of warnings. Raises the driver's errors."""
        from pymysql.protocol import OKPacketWrapper

        self._raw.write_packet(b"")
        ended = OKPacketWrapper(self._raw._read_packet())
        return int(ended.affected_rows), int(ended.warning_count)
