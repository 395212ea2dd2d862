"""A load generator: keep-alive connections, one process, plain sockets and epoll.

Run as `python -m tests.bench.load PORT CONNECTIONS SECONDS BATCH SUBSCRIPTIONS SEED`; prints one
JSON object. Each request carries fresh transaction ids.
"""

import json
import random
import selectors
import socket
import sys
from collections import deque
from time import perf_counter_ns

KEY = "bench-key"
NS_PER_SECOND = 1_000_000_000
WARM_UP_SHARE = 5
# Built before the clock starts, so that the generator takes little from the two cores it shares.
PREPARED_PER_SECOND = 20_000


class Sender:
    """Builds requests and measures their answers."""

    def __init__(self, batch: int, subscriptions: int, seed: int, path: str) -> None:
        self._random = random.Random(seed)  # noqa: S311 - load, not secrets
        self._batch = batch
        self._seed = seed
        self._number = 0
        self._subscriptions = [f"sub_{number:032d}" for number in range(subscriptions)]
        self._path = path
        self._prepared: deque[bytes] = deque()

    def prepare(self, count: int) -> None:
        """Build requests in advance."""
        self._prepared.extend(self._build() for _ in range(count))

    def request(self) -> bytes:
        """Return the next request."""
        return self._prepared.popleft() if self._prepared else self._build()

    def _build(self) -> bytes:
        if self._batch == 1:
            body = f'{{"event":{self._event()}}}'
        else:
            events = ",".join(self._event() for _ in range(self._batch))
            body = f'{{"events":[{events}]}}'
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return f"{head}{body}".encode()

    def _event(self) -> str:
        self._number += 1
        number = self._number
        subscription = self._subscriptions[self._random.randrange(len(self._subscriptions))]
        return (
            f'{{"transaction_id":"load-{self._seed:04d}-{number:024d}",'
            f'"external_subscription_id":"{subscription}","code":"tokens",'
            f'"properties":{{"tokens":"{number % 1000}","model":"gpt-4o-mini","region":"eu-1",'
            f'"user":"user-{number % 5000:08d}","trace":"0123456789abcdef0123456789abcdef"}}}}'
        )


def main() -> None:
    """Send requests for a while and print what was seen."""
    port, connections, seconds, batch, subscriptions, seed = map(int, sys.argv[1:7])
    path = "/api/v1/events" if batch == 1 else "/api/v1/events/batch"
    sender = Sender(batch, subscriptions, seed, path)
    sender.prepare(PREPARED_PER_SECOND * seconds // max(1, batch // 4))
    selector = selectors.DefaultSelector()
    started: dict[int, int] = {}
    for _ in range(connections):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ)
        started[connection.fileno()] = perf_counter_ns()
        connection.sendall(sender.request())
    begin = perf_counter_ns()
    warm = begin + seconds * NS_PER_SECOND // WARM_UP_SHARE
    end = begin + seconds * NS_PER_SECOND
    durations_ns: list[int] = []
    refused = 0
    now = begin
    while now < end:
        for ready, _ in selector.select(1):
            connection = ready.fileobj  # type: ignore[assignment]
            answer = _receive(connection)
            now = perf_counter_ns()
            if not answer.startswith(b"HTTP/1.1 200"):
                refused += 1
            if now > warm:
                durations_ns.append(now - started[ready.fd])
            started[ready.fd] = now
            connection.sendall(sender.request())
    durations_ns.sort()
    count = len(durations_ns)
    measured_ns = now - warm
    found = {
        "requests_per_second": count * NS_PER_SECOND // measured_ns,
        "p50_us": durations_ns[count // 2] // 1000,
        "p99_us": durations_ns[count * 99 // 100] // 1000,
        "refused": refused,
    }
    sys.stdout.write(json.dumps(found))


def _receive(connection: socket.socket) -> bytes:
    """Read one answer; its head says how long it is."""
    answer = connection.recv(1 << 18)
    head_end = answer.find(b"\r\n\r\n")
    while head_end < 0:
        answer += connection.recv(1 << 18)
        head_end = answer.find(b"\r\n\r\n")
    length_at = answer.find(b"content-length: ")
    length = int(answer[length_at + 16 : answer.find(b"\r", length_at)])
    while len(answer) < head_end + 4 + length:
        answer += connection.recv(1 << 18)
    return answer


if __name__ == "__main__":
    main()
