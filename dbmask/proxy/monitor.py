"""``/metrics`` for Prometheus and ``/healthz`` for load balancers, by a few lines of HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Monitor"]

_LONGEST = 8192
_PATIENCE = 5.0
"""Seconds for a request."""


class Monitor:
    """Answers GET: ``metrics`` makes the text, ``trouble`` says why nobody is served, or None."""

    def __init__(self, metrics: Callable[[], str], trouble: Callable[[], str | None]) -> None:
        self.metrics, self.trouble = metrics, trouble

    async def serve(self, host: str, port: int, reuse_port: bool = False) -> asyncio.Server:
        """Start to listen."""
        return await asyncio.start_server(self._answer, host, port, limit=_LONGEST, reuse_port=reuse_port)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                status, kind, body = self._page(head.split(b" ", 2))
                said = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                writer.write(said.encode() + (b"" if head.startswith(b"HEAD ") else body))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            writer.close()

    def _page(self, request: list[bytes]) -> tuple[str, str, bytes]:
        plain = "text/plain; charset=utf-8"
        if len(request) < 3 or request[0] not in (b"GET", b"HEAD"):
            return "405 Method Not Allowed", plain, b"GET only\n"
        path = request[1].partition(b"?")[0]
        if path == b"/metrics":
            return "200 OK", "text/plain; version=0.0.4; charset=utf-8", self.metrics().encode()
        if path == b"/healthz":
            trouble = self.trouble()
            return ("200 OK", plain, b"ok\n") if trouble is None else (_UNAVAILABLE, plain, trouble.encode() + b"\n")
        return "404 Not Found", plain, b"/metrics and /healthz are here\n"


_UNAVAILABLE = "503 Service Unavailable"
