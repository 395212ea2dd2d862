"""One of the measured servers: `python -m tests.bench.server KIND PLACE`; prints its port.

KIND is `echo` (raw ASGI) or `handler` (an idiomatic Litestar handler without a store), or a store:
`noop` (none), `sqlite` (PLACE = socket of the event writer), `postgres` (PLACE = database URL).
A store is reached by the hot path, or with `route-` before its name by the ordinary handler of the
application, behind authentication and dependencies.
"""

import asyncio
import socket
import sys
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import uvicorn
import uvloop
from litestar import Litestar, Request, Router, post
from litestar.di import NamedDependency, Provide

from billing_core.domain.errors import Unauthorized
from billing_core.services.events import Caller, EventIntake
from billing_core.store.events.ingest import Ingest, LogWriter
from billing_core.store.events.postgres_ingest import PostgresLogWriter
from billing_core.store.events.records import Request as Sending
from billing_core.store.events.sqlite_client import SqliteWriterClient
from gateway.auth import Principal
from gateway.ingest.push import HotPaths, Receive, Send
from gateway.routes.events import create_batch_events, create_event
from gateway.tuning import calm_collector
from tests.bench.load import KEY

ORG_ID = UUID("01890000-0000-7000-8000-000000000001")


CALLER = Principal(
    org_id=ORG_ID, key_id=ORG_ID, sandbox=False, frozen_at=None, resolve_customer_ids=False
)


class BenchPrincipals:
    """Keys in a dictionary."""

    def __init__(self) -> None:
        self._callers: dict[str, Caller] = {KEY: CALLER}

    def cached(self, key: str) -> Caller | None:
        return self._callers.get(key)

    async def resolve(self, key: str) -> Caller:
        raise Unauthorized(key)


class NoStore:
    """Says yes to everything: what remains is the route."""

    most_flushes = 1

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to do."""

    async def flush(self, requests: Sequence[Sending]) -> list[list[bool]]:
        return [[True] * len(request.events) for request in requests]


class NoIngest(Ingest):
    """Answers at once, without queue or task."""

    async def submit(self, events: Sequence[Any], *, atomic: bool) -> list[bool]:
        assert atomic or len(events) == 1
        return [True] * len(events)


async def echo(_scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    message = await receive()
    body = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Sent(msgspec.Struct):
    """An event as the idiomatic handler takes it."""

    transaction_id: str
    external_subscription_id: str
    code: str
    properties: dict[str, str]


class Body(msgspec.Struct):
    """Its envelope."""

    event: Sent


async def known_caller(request: Request[Any, Any, Any]) -> Principal:
    if request.headers["authorization"].split()[1] != KEY:
        raise Unauthorized
    return CALLER


@post("/api/v1/events", status_code=200)
async def handler(data: Body, caller: NamedDependency[Principal]) -> Body:
    assert caller.org_id == ORG_ID
    return data


def idiomatic() -> Litestar:
    provided = {"caller": Provide(known_caller)}
    return Litestar([handler], dependencies=provided, openapi_config=None, logging_config=None)


def ordinary(intake: EventIntake) -> Litestar:
    provided = {
        "principal": Provide(known_caller),
        "intake": Provide(lambda: intake, sync_to_thread=False),
    }
    api = Router("/api/v1", route_handlers=[create_event, create_batch_events])
    return Litestar([api], dependencies=provided, openapi_config=None, logging_config=None)


async def not_found(_scope: MutableMapping[str, Any], _receive: Receive, send: Send) -> None:
    headers = [(b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def ingest_for(kind: str, place: str) -> Ingest:
    if kind == "noop":
        return NoIngest(NoStore())
    writer: LogWriter = PostgresLogWriter(place)
    if kind == "sqlite":
        writer = SqliteWriterClient(Path(place))
    return Ingest(writer, max_queued_events=100_000)


async def serve(kind: str, place: str) -> None:
    app: Any = echo if kind == "echo" else idiomatic()
    ingest = None
    if kind not in {"echo", "handler"}:
        ingest = await ingest_for(kind.removeprefix("route-"), place)
        await ingest.start()
        intake = EventIntake(ingest)
        app = HotPaths(not_found, BenchPrincipals(), intake)
        if kind.startswith("route-"):
            app = ordinary(intake)
    config = uvicorn.Config(
        app,
        access_log=False,
        lifespan="off",
        log_level="warning",
        http="httptools",
        ws="none",
        backlog=2048,
    )
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        calm_collector()
        await uvicorn.Server(config).serve([listener])
    if ingest is not None:
        await ingest.stop()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(sys.argv[1], sys.argv[2]))
