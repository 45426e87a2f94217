"""A chat endpoint on this machine that speaks the OpenAI protocol and answers by a script."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Chat", "Reply", "chat_server", "entities", "found"]


@dataclass
class Reply:
    """What the endpoint sends back: a status, headers, a body (JSON where it is no text), and after how long.

    ``drip`` is the pause in seconds after each character of the body.
    """

    body: Any = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0.0
    drip: float = 0.0


Script = Callable[[dict[str, Any], int], Reply]


@dataclass
class Chat:
    """The running server: its address, what it was asked, and how many requests ran at once."""

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    at_once: int = 0
    running: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def texts(self) -> list[list[str]]:
        """The texts of each request."""
        return [[t["text"] for t in json.loads(r["messages"][1]["content"])["texts"]] for r in self.requests]


def entities(*answers: list[dict[str, Any]]) -> Reply:
    """A good answer: for each text its entities."""
    content = json.dumps({"texts": [{"id": i, "entities": each} for i, each in enumerate(answers)]})
    return Reply({"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": content}}]})


def found(request: dict[str, Any], label: str, *quotes: str) -> Reply:
    """A good answer that finds each quote in each text that holds it."""
    texts = [t["text"] for t in json.loads(request["messages"][1]["content"])["texts"]]
    return entities(*([{"label": label, "quote": q} for q in quotes if q in text] for text in texts))


@contextmanager
def chat_server(script: Script) -> Iterator[Chat]:
    """Serve ``script`` (request, number of the request) -> reply on a free port."""
    chat = Chat("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            request = json.loads(data)
            with chat.lock:
                number = len(chat.requests)
                chat.requests.append({"path": self.path, **request})
                chat.headers.append(dict(self.headers))
                chat.times.append(time.monotonic())
                chat.running += 1
                chat.at_once = max(chat.at_once, chat.running)
            reply = script(request, number)
            time.sleep(reply.after)
            with chat.lock:
                chat.running -= 1
            body = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
            try:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                for piece in body if reply.drip else [body]:
                    self.wfile.write(piece.encode())
                    time.sleep(reply.drip)
            except OSError:
                return  # the client gave up, as it was meant to

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    chat.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield chat
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
