"""The OpenAPI document, read off the handlers and the wire models of the built app."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from pydantic import BaseModel

from billing_core.wire.codec import encode
from billing_core.wire.customers import CustomerOut
from gateway.http import Operation
from gateway.reference import answers, examples, parameters
from gateway.reference.schemas import Schema, components, many, record, ref, three_zero

DESCRIPTION = """Usage billing: events in, invoices out.

Requests carry an API key as `Authorization: Bearer <key>`; the key names the organization. One
object stands under its singular root key, lists under the plural beside `meta`. The status of a
success is always 200; every refusal is a JSON object with `status` and `error`. Amounts in
`*_cents` are integers in minor units; precise amounts and quantities are decimal texts. PATCH is a
synonym of PUT for every update.
"""
TAGS = {
    "add_ons": "What is sold by the piece.",
    "admin": "Organizations and their API keys; opened by the admin key.",
    "billable_metrics": "What is counted.",
    "billing_entities": "Who issues invoices, and the terms customers inherit.",
    "credit_notes": "What is taken back of invoices, and what is left of it.",
    "customers": "Who is billed, and their current usage.",
    "entitlements": "What plans and subscriptions have of the features.",
    "events": "Usage, sent one by one or in batches; each counts once.",
    "features": "What the product can be entitled to, and the privileges within.",
    "fees": "Priced lines.",
    "invoices": "What is owed, with documents.",
    "organizations": "The key's own organization.",
    "plans": "Prices.",
    "pricing_units": "What charges may be priced in instead of money.",
    "service": "Health and files.",
    "subscriptions": "Which customer is on which plan, and since when.",
    "taxes": "Tax rates.",
    "test_clock": "The movable clock of sandbox organizations.",
    "webhook_endpoints": "Where changes are announced.",
}
KEYED_PREFIX = "/api/v1"
ADMIN_PREFIX = "/admin"
BODY_STATUSES = (400, 413)
PARAMETER_STATUSES = {"payload": (400, 413, 422), "loose": (400, 413), "filters": (422,)}
OK = 200


@dataclass(frozen=True, slots=True)
class _Described:
    """One operation at one path."""

    path: str
    method: str
    handler: HTTPRouteHandler
    operation: Operation
    has_twin: bool

    @property
    def name(self) -> str:
        """The operation id."""
        return str(self.handler.operation_id)

    @property
    def tag(self) -> str:
        """The group it is shown in."""
        return str(self.handler.opt.get("tag", "service"))


class Documentation:
    """Knows the API's document; it is made once, when it is first asked for."""

    def __init__(self) -> None:
        self._operations: list[_Described] = []
        self._document: dict[str, Any] | None = None
        self._bytes: dict[bool, bytes] = {}

    def describe(self, app: Litestar) -> None:
        """Note the operations of a built app."""
        self._operations = list(_operations(app))
        self._document = None
        self._bytes = {}

    def document(self) -> dict[str, Any]:
        """Return the document in OpenAPI 3.1."""
        if self._document is None:
            self._document = _document(self._operations)
        return self._document

    def as_bytes(self) -> bytes:
        """Return the document as JSON."""
        return self._written(old=False)

    def as_old_bytes(self) -> bytes:
        """Return the document in OpenAPI 3.0.3, for readers that do not know 3.1."""
        return self._written(old=True)

    def _written(self, *, old: bool) -> bytes:
        if old not in self._bytes:
            document = self.document()
            if old:
                document = {**three_zero(document), "openapi": "3.0.3"}
                document["info"]["license"].pop("identifier")
            self._bytes[old] = encode(document)
        return self._bytes[old]


def _operations(app: Litestar) -> Iterator[_Described]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        handlers = [one for one in route.route_handlers if "operation" in one.opt]
        has_twin = any("alias" in one.opt for one in handlers)
        for handler in handlers:
            if "alias" in handler.opt:
                continue
            for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"}):
                operation = handler.opt["operation"]
                twin = has_twin and method == "PUT"
                yield _Described(route.path_format, method.lower(), handler, operation, twin)


def _document(operations: list[_Described]) -> dict[str, Any]:
    schemas, names = components(_models(operations))
    errors, responses = answers.refusal_components()
    paths: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    for one in sorted(operations, key=lambda each: (each.path, each.method)):
        shown = _operation(one, names)
        if one.name in seen:  # a second path of the same handler
            shown["operationId"] = f"{one.name}At{_camel(one.path)}"
        seen.add(one.name)
        paths.setdefault(one.path, {})[one.method] = shown
    tags = sorted({one.tag for one in operations})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tallygate",
            "version": _version(),
            "description": DESCRIPTION,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This gateway."}],
        "tags": [{"name": tag, "description": TAGS.get(tag, "")} for tag in tags],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer"},
                "adminKey": {"type": "apiKey", "in": "header", "name": "X-Admin-API-Key"},
            },
            "schemas": {**schemas, **errors},
            "responses": responses,
        },
    }


def _models(operations: list[_Described]) -> Iterator[type[BaseModel]]:
    yield CustomerOut  # stands inside invoices alone
    for one in operations:
        if one.operation.takes is not None:
            yield one.operation.takes.model
        if one.operation.gives is not None:
            yield one.operation.gives.model


def _operation(one: _Described, names: Mapping[type, str]) -> dict[str, Any]:
    text = inspect.cleandoc(one.handler.fn.__doc__ or "")
    shown: dict[str, Any] = {
        "operationId": one.name,
        "tags": [one.tag],
        "summary": text.split("\n", maxsplit=1)[0].rstrip("."),
        "description": text + ("\n\nPATCH is a synonym." if one.has_twin else ""),
        "parameters": _parameters(one),
        "responses": _responses(one, names),
        "security": _security(one),
    }
    body = _body(one, names)
    if body is not None:
        shown["requestBody"] = body
    return shown


def _parameters(one: _Described) -> list[Schema]:
    in_path = [part[1:-1] for part in one.path.split("/") if part.startswith("{")]
    found = [parameters.in_path(name) for name in in_path]
    found += [
        parameters.in_query(name, one.path.rsplit("/", maxsplit=1)[-1])
        for name in one.operation.query
    ]
    return found + (parameters.PAGING if _is_paged(one) else [])


def _is_paged(one: _Described) -> bool:
    return "page" in _reads(one)


def _reads(one: _Described) -> frozenset[str]:
    """Return what the handler's function asks for: it refuses what those refuse."""
    return frozenset(inspect.signature(one.handler.fn).parameters)


def _body(one: _Described, names: Mapping[type, str]) -> Schema | None:
    takes = one.operation.takes
    if one.name in answers.BODIES:
        schema, required = answers.BODIES[one.name]
        shown = examples.BODIES.get(one.name, {})
    elif takes is not None:
        root, schema, required = takes.root, ref(names[takes.model]), True
        shown = examples.EXAMPLES.get(takes.model.__name__, {})
        if root:
            schema = record(**{root: {**schema, "minProperties": 1}})
            shown = {key: {root: value} for key, value in shown.items()}
    else:
        return None
    content: Schema = {"schema": schema}
    if shown:
        content["examples"] = {key: {"value": value} for key, value in shown.items()}
    return {"required": required, "content": {answers.JSON: content}}


def _responses(one: _Described, names: Mapping[type, str]) -> dict[str, Schema]:
    told = answers.ANSWERS.get(one.name) or _told(one, names)
    content = {told.media_type: {"schema": told.schema}}
    found: dict[str, Schema] = {str(OK): {"description": "Done.", "content": content}}
    for status in sorted(_statuses(one)):
        found[str(status)] = {"$ref": f"#/components/responses/{answers.WORDS[status][0]}"}
    if one.name == "readiness":
        found["503"] = answers.NOT_READY
    return found


def _told(one: _Described, names: Mapping[type, str]) -> answers.Told:
    gives = one.operation.gives
    if gives is None:
        return answers.Told({})
    shape = ref(names[gives.model])
    if not gives.many:
        return answers.Told(record(**{gives.root: shape}))
    return answers.Told(record(**{gives.root: many(shape), "meta": ref("PaginationMeta")}))


def _statuses(one: _Described) -> set[int]:
    found = {*one.operation.refuses, *answers.ALSO.get(one.name, ()), 500}
    for name in _reads(one):
        found.update(PARAMETER_STATUSES.get(name, ()))
    if _security(one):
        found.add(401)
    if one.path.startswith(KEYED_PREFIX):
        resource = one.handler.opt.get("resource")
        if resource is not None or one.tag == "test_clock":
            found.add(403)
    if "{" in one.path:
        found.add(404)
    return found


def _security(one: _Described) -> list[Schema]:
    if one.path.startswith(KEYED_PREFIX):
        return [{"apiKey": []}]
    return [{"adminKey": []}] if one.path.startswith(ADMIN_PREFIX) else []


def _version() -> str:
    try:
        return version("tallygate")
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "0.0.0"


def _camel(path: str) -> str:
    words = path.replace("{", "").replace("}", "").replace("_", "/").split("/")
    return "".join(word.title() for word in words if word)
