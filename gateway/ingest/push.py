"""The two hottest operations answered in front of Litestar: events in, bytes out."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

import msgspec

from billing_core.domain.errors import Busy, Refusal, TooLarge, Unauthorized
from billing_core.services.events import MAX_BODY_BYTES, Caller, EventIntake

logger = logging.getLogger(__name__)

SINGLE_PATH = "/api/v1/events"
BATCH_PATH = "/api/v1/events/batch"
# Other formats at the same path (CloudEvents) belong to ordinary handlers.
FOREIGN_CONTENT = b"application/cloudevents"
_JSON = (b"content-type", b"application/json")
_INTERNAL_ERROR = b'{"status":500,"error":"Internal Server Error"}'

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
Operation = Callable[[Caller, bytes], Awaitable[bytes]]


class Principals(Protocol):
    """Knows whose key it is."""

    def cached(self, key: str) -> Caller | None:
        """Return the caller if the key was resolved a moment ago, without waiting."""

    async def resolve(self, key: str) -> Caller:
        """Return the caller; raises `Unauthorized` or `Forbidden`."""


class HotPaths:
    """ASGI wrapper: `POST /api/v1/events` and `/events/batch` are answered here.

    Everything else goes to the application behind it, which has the same two operations as
    ordinary handlers. Answers equal theirs (`docs/rules/api-conventions.md` 5).
    """

    def __init__(self, app: ASGIApp, principals: Principals, events: EventIntake) -> None:
        self._app = app
        self._principals = principals
        self._operations: dict[str, Operation] = {
            SINGLE_PATH: events.create,
            BATCH_PATH: events.create_batch,
        }

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a hot request or pass it on."""
        if scope["type"] == "http" and scope["method"] == "POST":
            operation = self._operations.get(scope["path"])
            if operation is not None:
                headers = dict(scope["headers"])
                if not headers.get(b"content-type", b"").lower().startswith(FOREIGN_CONTENT):
                    await self._answer(operation, headers, receive, send)
                    return
        await self._app(scope, receive, send)

    async def _answer(
        self, operation: Operation, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        try:
            caller = await self._caller(headers)
            body = await _read_body(headers, receive)
            if body is None:
                return
            answer = await operation(caller, body)
        except Refusal as refusal:
            await _refuse(refusal, send)
        except Exception:
            logger.exception("an event request failed")
            await _respond(500, _INTERNAL_ERROR, send)
        else:
            await _respond(200, answer, send)

    async def _caller(self, headers: dict[bytes, bytes]) -> Caller:
        words = headers.get(b"authorization", b"").split()
        if len(words) < 2:  # noqa: PLR2004 - the key is the second word, whatever the first says
            raise Unauthorized
        key = words[1].decode("latin-1")
        return self._principals.cached(key) or await self._principals.resolve(key)


async def _read_body(headers: dict[bytes, bytes], receive: Receive) -> bytes | None:
    """Return the whole body, None if the client left; raises `TooLarge`."""
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
        raise TooLarge(MAX_BODY_BYTES)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(MAX_BODY_BYTES)
        return body
    received = bytearray()
    while True:
        if message["type"] == "http.disconnect":
            return None
        received += message.get("body", b"")
        if len(received) > MAX_BODY_BYTES:
            raise TooLarge(MAX_BODY_BYTES)
        if not message.get("more_body"):
            return bytes(received)
        message = await receive()


async def _refuse(refusal: Refusal, send: Send) -> None:
    body: dict[str, Any] = {"status": refusal.status, "error": refusal.error}
    if refusal.code is not None:
        body["code"] = refusal.code
    if refusal.details is not None:
        body["error_details"] = refusal.details
    extra = []
    if isinstance(refusal, Busy):
        extra.append((b"retry-after", str(refusal.retry_after_seconds).encode()))
    await _respond(refusal.status, msgspec.json.encode(body), send, extra)


async def _respond(
    status: int, body: bytes, send: Send, extra: list[tuple[bytes, bytes]] | None = None
) -> None:
    headers = [_JSON, (b"content-length", str(len(body)).encode()), *(extra or ())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
