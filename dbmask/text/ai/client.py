"""One chat endpoint that speaks the OpenAI protocol, asked over HTTP from the standard library.

No proxy, no redirect: texts go to the host that the policy names, and nowhere else. Error messages name a status, and
neither the text nor what the endpoint said of it.
"""

from __future__ import annotations

import email.utils
import http.client
import json
import os
import random
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from dbmask.errors import BindError

__all__ = ["Client", "Refused", "api_key"]

_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_LONGEST_WAIT = 60.0
_LARGEST = 16 << 20


class Refused(Exception):
    """The endpoint gave no answer that can be used; the message says why, without content."""


class Client:
    """Asks one endpoint; threads may share it.

    Raises BindError for a URL that is none of http or https.
    """

    def __init__(self, base_url: str, api_key: str, timeout: float, retries: int) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise BindError("ai_detect: base_url must be http://host/path or https://host/path, without a user in it")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._path = parts.path.rstrip("/") + "/chat/completions"
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._timeout = timeout
        self._retries = retries

    @property
    def note(self) -> str:
        """A warning where texts would travel in the clear; empty otherwise."""
        if self._secure or self._host in ("localhost", "127.0.0.1", "::1"):
            return ""
        return f"ai_detect sends texts to {self._host} unencrypted (http)"

    def ask(self, body: Mapping[str, Any]) -> Any:
        """The JSON that the model answered. Raises Refused where there is none after all retries."""
        data = json.dumps(body).encode()
        for attempt in range(self._retries + 1):
            last = attempt == self._retries
            try:
                status, headers, answer = self._post(data)
            except TimeoutError:
                reason, wait = "the endpoint did not answer in time", _backoff(attempt)
            except (OSError, http.client.HTTPException):
                reason, wait = "the endpoint cannot be reached", _backoff(attempt)
            else:
                if status == 200:
                    made = _content(answer)
                    if made is not None:
                        return made
                    reason, wait = "the endpoint's answer is not the JSON that was asked for", 0.0
                elif status in _AGAIN:
                    reason, wait = f"the endpoint answered {status}", _wait(headers, attempt)
                else:
                    raise Refused(f"the endpoint answered {status}")
            if not last:
                time.sleep(wait)
        raise Refused(reason)

    def _post(self, data: bytes) -> tuple[int, Mapping[str, str], bytes]:
        # A connection of its own each time: an answer takes seconds, and nothing is left open.
        connection = self._connect()
        try:
            connection.request("POST", self._path, body=data, headers=self._headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), self._body(response, time.monotonic() + self._timeout)
        finally:
            connection.close()

    def _body(self, response: http.client.HTTPResponse, deadline: float) -> bytes:
        """The whole answer; one that comes drop by drop, or without end, is none."""
        parts, length = [], 0
        while part := response.read1(1 << 16):
            parts.append(part)
            length += len(part)
            if time.monotonic() > deadline or length > _LARGEST:
                raise TimeoutError
        return b"".join(parts)

    def _connect(self) -> http.client.HTTPConnection:
        if self._secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)


def api_key(source: str) -> str:
    """The key from ``env:NAME``; empty where the variable is not set, as local servers need none."""
    return os.environ.get(source.removeprefix("env:"), "")


def _content(answer: bytes) -> Any:
    """The JSON in an answer's message; None where there is none. Raises Refused where the model or a guardrail declined."""
    try:
        choice = json.loads(answer)["choices"][0]
        message, reason = choice["message"], choice.get("finish_reason")
        content = message.get("content")
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    if message.get("refusal") or reason == "content_filter":
        raise Refused("the model refused")
    if reason == "length":
        raise Refused("the model's answer was cut off")
    try:
        return json.loads(_bare(content))
    except (ValueError, TypeError):
        return None


def _bare(content: Any) -> str:
    """The content without the code fence that some models put around JSON."""
    text = str(content).strip() if isinstance(content, str) else ""
    if text.startswith("```"):
        text = text.partition("\n")[2].rpartition("```")[0]
    return text


def _backoff(attempt: int) -> float:
    """Seconds to wait: doubling from half a second, with jitter so that threads do not come back together."""
    return float(min(_LONGEST_WAIT, 0.5 * 2**attempt) * random.uniform(0.5, 1.0))  # noqa: S311 - no secret


def _wait(headers: Mapping[str, str], attempt: int) -> float:
    """What Retry-After asks for, in seconds or as a date (RFC 9110, 10.2.3); the back-off where it says nothing."""
    said = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if not said:
        return _backoff(attempt)
    try:
        seconds = float(said)
    except ValueError:
        date = email.utils.parsedate_tz(said)
        seconds = _backoff(attempt) if date is None else email.utils.mktime_tz(date) - time.time()
    return min(_LONGEST_WAIT, max(0.0, seconds))
