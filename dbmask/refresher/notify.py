"""Telling a webhook how a run ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from dbmask.errors import ConnectorError, UsageError

__all__ = ["tell"]

_SECONDS = 10.0


def tell(url: str, report: Mapping[str, Any]) -> None:
    """POST a report as JSON. Raises UsageError, and ConnectorError where nobody takes it.

    No message repeats the URL, which may be a secret.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise UsageError("a webhook is an http or https URL")
    request = Request(  # noqa: S310 - the scheme has been looked at
        url, json.dumps(report).encode(), {"Content-Type": "application/json", "User-Agent": "dbmask"}, method="POST"
    )
    try:
        with urlopen(request, timeout=_SECONDS):  # noqa: S310
            return
    except URLError as error:
        why = getattr(error, "code", None) or type(error.reason).__name__
    except (OSError, ValueError) as error:
        why = type(error).__name__
    raise ConnectorError(f"the webhook was not told ({why})")
