"""Alerts on wallets: operations tagged `wallets`."""

from typing import Any

from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath

from billing_core.services import wallet_alerts as service
from billing_core.services import wallets
from billing_core.services.shapes import alerts as shapes
from billing_core.store.unit import Unit
from billing_core.wire.alerts import AlertOut, WalletAlertChange, WalletAlertIn
from billing_core.wire.codec import decode_body
from billing_core.wire.pages import Page
from billing_core.wire.validation import read_root, validate
from gateway.http import Answer, Gives, Operation, Takes, listed, one

ROOT, MANY = "alert", "alerts"
ONE = Gives(ROOT, AlertOut)
ALL = "/customers/{external_id:str}/wallets/{wallet_code:str}/alerts"
EACH = ALL + "/{code:str}"


async def find_wallet(
    unit: NamedDependency[Unit], external_id: FromPath[str], wallet_code: FromPath[str]
) -> Any:
    """Return the wallet of the path."""
    return await wallets.of_customer(unit, external_id, wallet_code)


OWNED = {"wallet": Provide(find_wallet)}


@get(
    ALL,
    operation_id="getCustomerWalletAlerts",
    dependencies=OWNED,
    opt=Operation(Gives(MANY, AlertOut, many=True)).opt(),
)
async def list_alerts(
    unit: NamedDependency[Unit], wallet: NamedDependency[Any], page: NamedDependency[Page]
) -> Answer:
    """List the alerts of a wallet, newest first."""
    rows, total = await service.page(unit, wallet, page)
    return listed(MANY, [shapes.out(row, wallet) for row in rows], page, total)


@post(
    ALL,
    operation_id="createCustomerWalletAlert",
    status_code=200,
    dependencies=OWNED,
    opt=Operation(ONE, Takes(ROOT, WalletAlertIn), refuses=(400, 404, 413, 422)).opt(),
)
async def create_alert(
    unit: NamedDependency[Unit], wallet: NamedDependency[Any], raw_body: NamedDependency[bytes]
) -> Answer:
    """Watch a wallet's balance by one alert or, under `alerts`, by several: all or none."""
    document = decode_body(raw_body) if raw_body.strip() else {}
    sent = document.get(MANY) if isinstance(document, dict) else None
    if isinstance(sent, list):
        made = await service.create_several(unit, wallet, sent)
        return one(MANY, [shapes.out(row, wallet) for row in made])
    data = validate(WalletAlertIn, read_root(raw_body, ROOT))
    return one(ROOT, shapes.out(await service.create(unit, wallet, data), wallet))


@delete(
    ALL,
    operation_id="deleteAllCustomerWalletAlerts",
    status_code=200,
    dependencies=OWNED,
    opt=Operation().opt(),
)
async def delete_alerts(
    unit: NamedDependency[Unit], wallet: NamedDependency[Any]
) -> Response[bytes]:
    """Delete all alerts of a wallet; the answer is empty."""
    await service.delete_all(unit, wallet)
    return Response(b"", media_type="text/plain")


@get(EACH, operation_id="getCustomerWalletAlert", dependencies=OWNED, opt=Operation(ONE).opt())
async def find_alert(
    unit: NamedDependency[Unit], wallet: NamedDependency[Any], code: FromPath[str]
) -> Answer:
    """Return an alert of a wallet."""
    return one(ROOT, shapes.out(await service.get(unit, wallet, code), wallet))


@put(
    EACH,
    operation_id="updateCustomerWalletAlert",
    dependencies=OWNED,
    opt=Operation(ONE, Takes(ROOT, WalletAlertChange), refuses=(400, 404, 413, 422)).opt(),
)
async def update_alert(
    unit: NamedDependency[Unit],
    wallet: NamedDependency[Any],
    code: FromPath[str],
    payload: NamedDependency[WalletAlertChange],
) -> Answer:
    """Change an alert; thresholds are replaced as a whole."""
    return one(ROOT, shapes.out(await service.update(unit, wallet, code, payload), wallet))


@delete(
    EACH,
    operation_id="deleteCustomerWalletAlert",
    status_code=200,
    dependencies=OWNED,
    opt=Operation(ONE).opt(),
)
async def delete_alert(
    unit: NamedDependency[Unit], wallet: NamedDependency[Any], code: FromPath[str]
) -> Answer:
    """Delete an alert."""
    return one(ROOT, shapes.out(await service.delete(unit, wallet, code), wallet))


RESOURCE = "alert"
TAG = "wallets"
HANDLERS = [list_alerts, create_alert, delete_alerts, find_alert, update_alert, delete_alert]
