"""A MySQL URL taken apart: ``mysql://user:password@host:port/database?ssl_ca=...``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dbmask.errors import UsageError

__all__ = ["Address"]

_EXAMPLE = "mysql://user@host/database"
_TEXTS = ("unix_socket", "ssl_ca", "ssl_cert", "ssl_key", "read_default_file")
_FLAGS = ("ssl_disabled", "ssl_verify_cert", "ssl_verify_identity")
_NUMBERS = ("connect_timeout", "read_timeout", "write_timeout")
_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Address:
    """Where a database is. The password comes from the URL or from MYSQL_PWD, and is never shown."""

    host: str
    port: int
    database: str
    user: str = ""
    password: str = field(default="", repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read a URL. Raises UsageError where it names no database or says what is not known."""
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            raise UsageError(f"this is no MySQL URL; write {_EXAMPLE}") from None
        if not parsed.database:
            raise UsageError(f"a MySQL URL names its database; write {_EXAMPLE}")
        options: dict[str, Any] = {}
        for name, value in parsed.query.items():
            made = _option(name, value if isinstance(value, str) else value[-1])
            if made is not None:
                options[name] = made
        password = parsed.password if parsed.password is not None else os.environ.get("MYSQL_PWD", "")
        return cls(
            parsed.host or "localhost", parsed.port or 3306, parsed.database, parsed.username or "", password, options
        )

    def __str__(self) -> str:
        return f"{self.options.get('unix_socket') or f'{self.host}:{self.port}'}/{self.database}"

    def parameters(self) -> dict[str, Any]:
        """What PyMySQL's connect takes, without the database."""
        given = {"user": self.user or None, "password": self.password, "host": self.host, "port": self.port}
        return {**given, **self.options}


def _option(name: str, value: str) -> Any:
    if name in _TEXTS:
        return value
    if name in _FLAGS:
        if value.lower() in _WORDS:
            return _WORDS[value.lower()]
        raise UsageError(f"{name} in a MySQL URL is 1 or 0")
    if name in _NUMBERS:
        if value.isdigit() and int(value):
            return int(value)
        raise UsageError(f"{name} in a MySQL URL is a number of seconds")
    if name == "charset":  # dbmask always speaks utf8mb4; SQLAlchemy's URLs often say so
        if value.lower().startswith("utf8"):
            return None
        raise UsageError("dbmask speaks utf8mb4 with the server; leave charset out of the URL")
    known = ", ".join((*_TEXTS, *_FLAGS, *_NUMBERS))
    raise UsageError(f"unknown option {name} in a MySQL URL; there are {known}")
