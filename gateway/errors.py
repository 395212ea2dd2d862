"""Refusals become Lago's error bodies here and nowhere else."""

import logging
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.status_codes import (
    HTTP_404_NOT_FOUND,
    HTTP_405_METHOD_NOT_ALLOWED,
    HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    HTTP_500_INTERNAL_SERVER_ERROR,
)

from billing_core.domain.errors import Busy, Refusal
from billing_core.wire.codec import encode

log = logging.getLogger(__name__)
Asked = Request[Any, Any, Any]


def body_of(refusal: Refusal) -> dict[str, Any]:
    """Return the body of a refusal (`docs/rules/api-conventions.md` 5)."""
    body: dict[str, Any] = {"status": refusal.status, "error": refusal.error}
    if refusal.code is not None:
        body["code"] = refusal.code
    if refusal.details is not None:
        body["error_details"] = refusal.details
    return body


def headers_of(refusal: Refusal) -> dict[str, str]:
    """Return the headers of a refusal: when to come back."""
    return {"Retry-After": str(refusal.retry_after_seconds)} if isinstance(refusal, Busy) else {}


def refused(_: Asked, refusal: Refusal) -> Response[bytes]:
    """Answer an expected "no"."""
    return _json(refusal.status, body_of(refusal), headers_of(refusal))


def http_error(_: Asked, error: HTTPException) -> Response[bytes]:
    """Answer what the framework refused: an unrouted path or verb is a 404 here."""
    status = error.status_code
    if status in {HTTP_404_NOT_FOUND, HTTP_405_METHOD_NOT_ALLOWED}:
        body = {"status": 404, "error": "Not Found", "code": "resource_not_found"}
        return _json(HTTP_404_NOT_FOUND, body)
    if status == HTTP_413_REQUEST_ENTITY_TOO_LARGE:
        body = {"status": 413, "error": "Content Too Large", "code": "request_too_large"}
        return _json(status, body)
    if status < HTTP_500_INTERNAL_SERVER_ERROR:
        return _json(status, {"status": status, "error": f"BadRequest: {error.detail}"})
    return bug(_, error)


def bug(request: Asked, error: Exception) -> Response[bytes]:
    """Answer a bug: loud in the log, silent to the caller."""
    log.error("unhandled error in %s %s", request.method, request.url.path, exc_info=error)
    body = {"status": 500, "error": "Internal Server Error"}
    return _json(HTTP_500_INTERNAL_SERVER_ERROR, body)


HANDLERS: dict[type[Exception] | int, Any] = {
    Refusal: refused,
    HTTPException: http_error,
    Exception: bug,
}


def _json(
    status: int, body: dict[str, Any], headers: dict[str, str] | None = None
) -> Response[bytes]:
    return Response(
        encode(body), status_code=status, media_type="application/json", headers=headers
    )
