"""What every route shares: reading requests, answering them, and saying so in the docs."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.types import Scope
from pydantic import BaseModel

from billing_core.domain.errors import Invalid, NotFound
from billing_core.store.unit import Unit, Units
from billing_core.wire.base import In
from billing_core.wire.codec import decode_body, encode
from billing_core.wire.dates import parse_instant
from billing_core.wire.pages import Page
from billing_core.wire.validation import read_root, validate
from gateway.auth import Principal, Principals, bearer

Asked = Request[Any, Any, Any]
Filters = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Takes:
    """A request body: `{root: model}`; with an empty root the model itself."""

    root: str
    model: type[In]


@dataclass(frozen=True, slots=True)
class Gives:
    """A response body: `{root: model}`, or a page of them."""

    root: str
    model: type[BaseModel]
    many: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """How an operation reads and answers: what the docs say and the dependencies act on.

    `refuses` lists the statuses it can answer besides 200, 401, 403 and 500.
    """

    gives: Gives | None = None
    takes: Takes | None = None
    query: Sequence[str] = ()
    refuses: Sequence[int] = field(default=(404,))

    def opt(self) -> dict[str, Any]:
        """Return it as handler options."""
        return {"operation": self}


class Answer(Response[Any]):
    """A JSON answer written by the one codec, so that decimals keep all their digits."""

    def render(self, content: Any, media_type: str, enc_hook: Any = None) -> bytes:
        """Encode the content."""
        _ = media_type, enc_hook
        return b"" if content is None else encode(content)


def listed(root: str, rows: Sequence[Any], page: Page, total: int) -> Answer:
    """Answer a page."""
    return Answer({root: rows, "meta": page.meta(total)}, media_type="application/json")


def one(root: str, shape: Any) -> Answer:
    """Answer one object under its root."""
    return Answer({root: shape}, media_type="application/json")


async def principal(request: Asked, principals: NamedDependency[Principals]) -> Principal:
    """Authenticate the request, then check the key's permission for the resource."""
    found = await principals.resolve(bearer(request.headers.get("authorization")))
    resource = request.route_handler.opt.get("resource")
    if resource is not None:
        found.require(resource, "read" if request.method in {"GET", "HEAD"} else "write")
    return found


async def raw_body(request: Asked, principal: NamedDependency[Principal]) -> bytes:
    """Read the body, once, before a transaction opens: a slow sender must lock nobody out."""
    _ = principal  # authentication comes before anything is read
    return await request.body()


async def unit(
    request: Asked,
    units: NamedDependency[Units],
    principal: NamedDependency[Principal],
    raw_body: NamedDependency[bytes],
) -> AsyncIterator[Unit]:
    """Open one transaction per request; it commits before the first byte is sent."""
    _ = raw_body
    reads = request.method in {"GET", "HEAD"}
    async with units.read(principal.org_id) if reads else units.open(principal.org_id) as opened:
        yield opened


async def payload(request: Asked, raw_body: NamedDependency[bytes]) -> In:
    """Validate the body that the handler's operation takes."""
    takes: Takes = request.route_handler.opt["operation"].takes
    return validate(takes.model, read_root(raw_body, takes.root))


async def loose(raw_body: NamedDependency[bytes]) -> Mapping[str, Any]:
    """Read an optional JSON object without a root, as some verbs take it."""
    document = decode_body(raw_body) if raw_body.strip() else {}
    return document if isinstance(document, dict) else {}


def page(request: Asked) -> Page:
    """Read the wanted page, leniently."""
    query = request.query_params
    return Page.read(query.get("page"), query.get("per_page"))


def filters(request: Asked) -> Filters:
    """Read list filters: `name[]` repeats, everything else is the last value given."""
    found: Filters = {}
    for name, value in request.query_params.multi_items():
        if "\x00" in name or "\x00" in str(value):
            raise Invalid.field(name.replace("\x00", "") or "base", "value_is_invalid")
        if name.endswith("[]"):
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


ROW_STATUS = ("subscription_status", "status")


def row_status(found: Filters) -> str:
    """Return the status of the row that an external id means in a nested path (conventions 4)."""
    return str(next((found[name] for name in ROW_STATUS if found.get(name)), "active"))


def row_id(text: str, resource: str) -> UUID:
    """Read an id from a path; what is no id names nothing."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(resource) from None


def instant_filters(found: Filters, names: Sequence[str]) -> Filters:
    """Return filters with these instants parsed; raises `Invalid` for what is no date."""
    parsed: dict[str, datetime] = {}
    for name in names:
        if found.get(name):
            value = parse_instant(found[name])
            if value is None:
                raise Invalid.field(name, "invalid_date")
            parsed[name] = value
    return {**{k: v for k, v in found.items() if k not in names}, **parsed}


def lenient_day(text: str | None) -> date | None:
    """Read a day; nonsense is ignored where the API ignores it."""
    value = parse_instant(text) if text else None
    return value.date() if value else None


SLASH = "\ue000"  # stands for an encoded slash while the path is routed


def restore_slashes(scope: Scope) -> None:
    """Put encoded slashes back into the values of path parameters."""
    for name, value in scope["path_params"].items():
        if isinstance(value, str) and SLASH in value:
            scope["path_params"][name] = value.replace(SLASH, "/")
