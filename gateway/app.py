"""The composition root: the only place that knows every part."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

from litestar import Litestar, Request, Router, patch
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from gateway import errors, http
from gateway.core import Core
from gateway.files import FileLinks
from gateway.health import Health
from gateway.ingest.push import HotPaths
from gateway.openapi import Documentation
from gateway.routes import (
    add_ons,
    admin,
    alerts,
    applied_coupons,
    billable_metrics,
    billing_entities,
    coupons,
    credit_notes,
    customer_usage,
    customer_wallets,
    customers,
    docs,
    events,
    features,
    fee_explanations,
    fees,
    files,
    health,
    invoice_previews,
    invoices,
    lifetime_usage,
    organizations,
    plan_charges,
    plan_entitlements,
    plan_fixed_charges,
    plan_metadata,
    plans,
    pricing_units,
    subscription_charges,
    subscription_entitlements,
    subscription_fixed_charges,
    subscriptions,
    taxes,
    test_clock,
    wallet_alerts,
    wallet_transactions,
    wallets,
    webhook_endpoints,
)

MAX_BODY_BYTES = 10 * 1024 * 1024
API = (
    add_ons,
    alerts,
    applied_coupons,
    billable_metrics,
    billing_entities,
    coupons,
    credit_notes,
    customer_usage,
    customer_wallets,
    customers,
    events,
    features,
    fee_explanations,
    fees,
    invoice_previews,
    invoices,
    lifetime_usage,
    organizations,
    plan_charges,
    plan_entitlements,
    plan_fixed_charges,
    plan_metadata,
    plans,
    pricing_units,
    subscription_charges,
    subscription_entitlements,
    subscription_fixed_charges,
    subscriptions,
    taxes,
    test_clock,
    wallet_alerts,
    wallet_transactions,
    wallets,
    webhook_endpoints,
)
UPDATE_PATCHED = "PATCH is a synonym of PUT for every update"


class RestoreSlashes(ASGIMiddleware):
    """Puts encoded slashes back into path parameters once the route is known."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass on."""
        http.restore_slashes(scope)
        await next_app(scope, receive, send)


class EncodedPaths:
    """Keeps encoded slashes out of routing: ids may contain them (api-conventions 6)."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on, with a stand-in for `%2F`."""
        raw = scope.get("raw_path") or b""
        if scope["type"] == "http" and b"%2f" in raw.lower():
            text = raw.split(b"?")[0].decode("ascii", "replace")
            marked = text.replace("%2F", http.SLASH).replace("%2f", http.SLASH)
            scope = {**scope, "path": unquote(marked, errors="replace")}
        if "\x00" in scope.get("path", ""):
            scope = {**scope, "path": "/\ufffd"}  # no text of ours holds a NUL: an unrouted path
        await self._app(scope, receive, send)


def create_app(core: Core) -> Any:
    """Build the ASGI application of a core that is opened by its lifespan."""
    settings = core.settings

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        await core.open()
        hot.open(core.principals, core.intake)
        try:
            yield
        finally:
            await core.close()

    checks = Health(core, settings.redis)
    documentation = Documentation()
    api = [_router("/api/v1", module) for module in API]
    app = Litestar(
        [
            *api,
            Router("/admin", route_handlers=admin.HANDLERS, opt={"tag": "admin"}),
            Router("/", route_handlers=[*health.HANDLERS, *files.HANDLERS], opt={"tag": "service"}),
            Router("/", route_handlers=docs.HANDLERS),
        ],
        dependencies={
            "units": Provide(lambda: core.units, sync_to_thread=False),
            "principals": Provide(lambda: core.principals, sync_to_thread=False),
            "events": Provide(lambda: core.events, sync_to_thread=False),
            "intake": Provide(lambda: core.intake, sync_to_thread=False),
            "parts": Provide(lambda: core.parts, sync_to_thread=False),
            "settings": Provide(lambda: settings, sync_to_thread=False),
            "health": Provide(lambda: checks, sync_to_thread=False),
            "documentation": Provide(lambda: documentation, sync_to_thread=False),
            "files": Provide(_links, sync_to_thread=False),
            "principal": Provide(http.principal),
            "raw_body": Provide(http.raw_body),
            "unit": Provide(http.unit),
            "payload": Provide(http.payload),
            "loose": Provide(http.loose),
            "page": Provide(http.page, sync_to_thread=False),
            "filters": Provide(http.filters, sync_to_thread=False),
        },
        exception_handlers=errors.HANDLERS,
        middleware=[RestoreSlashes()],
        request_max_body_size=MAX_BODY_BYTES,
        lifespan=[lifespan],
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    documentation.describe(app)
    hot = LateHotPaths(app)
    return EncodedPaths(hot)


class LateHotPaths:
    """The hot paths, in front of the application once its core is open."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._inner: Any = app

    def open(self, principals: Any, intake: Any) -> None:
        """Begin to answer hot requests."""
        self._inner = HotPaths(self._app, principals, intake)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer or pass on."""
        await self._inner(scope, receive, send)


def _router(path: str, module: Any) -> Router:
    handlers: Iterable[HTTPRouteHandler] = module.HANDLERS
    twins = [_patch_twin(one) for one in handlers if _is_update(one)]
    opt = {"resource": module.RESOURCE, "tag": module.TAG}
    return Router(path, route_handlers=[*handlers, *twins], opt=opt)


def _is_update(handler: HTTPRouteHandler) -> bool:
    return "PUT" in handler.http_methods and "alias" not in handler.opt


def _patch_twin(handler: HTTPRouteHandler) -> HTTPRouteHandler:
    twin = patch(
        sorted(handler.paths),
        operation_id=f"{handler.operation_id}ByPatch",
        dependencies=handler.dependencies,
        opt={**handler.opt, "alias": UPDATE_PATCHED},
    )
    return twin(handler.fn)


def _links(request: Request[Any, Any, Any], settings: NamedDependency[Any]) -> FileLinks:
    return FileLinks(settings.secret_key, settings.public_url or str(request.base_url))
