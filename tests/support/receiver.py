"""A receiver of webhooks: a local HTTP server that answers as told and remembers everything."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.waiting import WAIT_SECONDS


@dataclass(frozen=True)
class Message:
    """One attempt as it arrived; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def payload(self) -> dict[str, Any]:
        """The decoded body."""
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded


@dataclass
class Receiver:
    """Answers with `statuses` in turn, then with 200."""

    statuses: list[int] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    url: str = ""
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, message: Message) -> int:
        """Remember a message; return the status to answer with."""
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()
            return self.statuses.pop(0) if self.statuses else 200

    def of_type(self, *types: str) -> list[Message]:
        """Return the messages of these types, in the order they arrived."""
        return [one for one in self.messages if one.payload["webhook_type"] in types]

    def wait_for(self, webhook_type: str, count: int = 1) -> list[Message]:
        """Wait for so many attempts of a type and return them."""
        with self._changed:
            arrived = self._changed.wait_for(
                lambda: len(self.of_type(webhook_type)) >= count, WAIT_SECONDS
            )
        seen = [one.payload["webhook_type"] for one in self.messages]
        assert arrived, f"{webhook_type} does not arrive {count} times; there are {seen}"
        return self.of_type(webhook_type)


@contextmanager
def receiving(statuses: Sequence[int] = ()) -> Iterator[Receiver]:
    """Run a receiver on a free local port."""
    receiver = Receiver(list(statuses))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.take(Message(self.path, headers, body)))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hooks"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
