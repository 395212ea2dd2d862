"""Refusals: expected answers of the domain. Anything else that is raised is a bug."""

from collections.abc import Mapping, Sequence
from typing import Any


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """Base of everything a caller can cause and can understand.

    `status` is the HTTP status a face answers with, `code` the machine word of
    `docs/rules/api-conventions.md` section 5, `details` what stands under `error_details`.
    """

    status: int = 400
    error: str = "Bad Request"
    code: str | None = None
    details: Any = None


class BadRequest(Refusal):
    """The request cannot be read: malformed JSON or a missing root key."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.error = f"BadRequest: {reason}"


class BadShape(Refusal):
    """A field that must be an array or an object is neither; `reason` is all there is to say."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.error = reason


class Unauthorized(Refusal):
    """No valid key."""

    status = 401
    error = "Unauthorized"


class Forbidden(Refusal):
    """The caller may not do this."""

    status = 403
    error = "Forbidden"

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NotFound(Refusal):
    """A resource of this organization does not exist; `resource` is its singular name."""

    status = 404
    error = "Not Found"

    def __init__(self, resource: str) -> None:
        super().__init__(resource)
        self.code = f"{resource}_not_found"


class NotAllowed(Refusal):
    """The state of a resource forbids the verb (business 405, not an HTTP routing matter)."""

    status = 405
    error = "Method Not Allowed"

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class TooLarge(Refusal):
    """The body exceeds the limit of its route."""

    status = 413
    error = "Content Too Large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(limit_bytes)
        self.code = "request_too_large"
        self.details = {"limit_bytes": limit_bytes}


class Invalid(Refusal):
    """Field errors: `{field: [codes]}`, or for an event expression a bare string."""

    status = 422
    error = "Unprocessable Entity"
    code = "validation_errors"

    def __init__(self, details: Mapping[str, Any] | str) -> None:
        super().__init__(details)
        self.details = details

    @classmethod
    def field(cls, name: str, *codes: str) -> "Invalid":
        """Refuse one field."""
        return cls({name: list(codes)})


class Busy(Refusal):
    """The server cannot take more now; the caller should retry after some seconds."""

    status = 429
    error = "Too Many Requests"
    code = "too_many_requests"

    def __init__(self, retry_after_seconds: int = 1) -> None:
        super().__init__(retry_after_seconds)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(Refusal):
    """A part the answer depends on is down; nothing may be assumed about the write."""

    status = 503
    error = "Service Unavailable"
    code = "service_unavailable"


class Problems:
    """Collects field errors so that one answer names them all."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    def add(self, field: str, *codes: str) -> None:
        """Note codes against a field, each once, in order."""
        known = self._found.setdefault(field, [])
        known.extend(code for code in codes if code not in known)

    def extend(self, field: str, codes: Sequence[str]) -> None:
        """Note several codes against one field."""
        self.add(field, *codes)

    def __bool__(self) -> bool:
        return bool(self._found)

    def check(self) -> None:
        """Raise `Invalid` if anything was noted."""
        if self._found:
            raise Invalid(self._found)
