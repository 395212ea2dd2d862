"""Wallets by their customers and codes: operations tagged `wallets`."""

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import wallets as service
from billing_core.services.shapes import wallets as shapes
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page
from billing_core.wire.wallets import CustomerWalletIn, WalletChange, WalletOut
from gateway.http import Answer, Filters, Gives, Operation, Takes, listed, one
from gateway.metadata import Owner, quartet

ROOT, MANY = "wallet", "wallets"
ONE = Gives(ROOT, WalletOut)
REFUSES = (400, 404, 413, 422)
ALL = "/customers/{external_id:str}/wallets"
EACH = ALL + "/{code:str}"


@post(
    ALL,
    operation_id="createCustomerWallet",
    status_code=200,
    opt=Operation(ONE, Takes(ROOT, CustomerWalletIn), refuses=REFUSES).opt(),
)
async def create_wallet(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    payload: NamedDependency[CustomerWalletIn],
) -> Answer:
    """Open a wallet for the customer of the path, with its first credits."""
    return one(ROOT, shapes.out(unit, await service.create(unit, external_id, payload)))


@get(
    ALL,
    operation_id="findAllCustomerWallets",
    opt=Operation(
        Gives(MANY, WalletOut, many=True), query=("currency", "billing_entity_codes[]")
    ).opt(),
)
async def list_wallets(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    page: NamedDependency[Page],
    filters: NamedDependency[Filters],
) -> Answer:
    """List the wallets of a customer, newest first."""
    rows, total = await service.page(unit, external_id, filters, page)
    return listed(MANY, [shapes.out(unit, row) for row in rows], page, total)


@get(EACH, operation_id="findCustomerWallet", opt=Operation(ONE).opt())
async def find_wallet(
    unit: NamedDependency[Unit], external_id: FromPath[str], code: FromPath[str]
) -> Answer:
    """Return a wallet of a customer; an active one comes before those that ended."""
    return one(ROOT, shapes.out(unit, await service.of_customer(unit, external_id, code)))


@put(
    EACH,
    operation_id="updateCustomerWallet",
    opt=Operation(ONE, Takes(ROOT, WalletChange), refuses=REFUSES).opt(),
)
async def update_wallet(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    code: FromPath[str],
    payload: NamedDependency[WalletChange],
) -> Answer:
    """Change a wallet; its rate and currency stay."""
    wallet = await service.of_customer(unit, external_id, code)
    return one(ROOT, shapes.out(unit, await service.update(unit, wallet, payload)))


@delete(EACH, operation_id="destroyCustomerWallet", status_code=200, opt=Operation(ONE).opt())
async def delete_wallet(
    unit: NamedDependency[Unit], external_id: FromPath[str], code: FromPath[str]
) -> Answer:
    """End a wallet; what it holds is not used any more."""
    wallet = await service.of_customer(unit, external_id, code)
    return one(ROOT, shapes.out(unit, await service.terminate(unit, wallet)))


async def find_to_change(
    unit: NamedDependency[Unit], external_id: FromPath[str], code: FromPath[str]
) -> Owner:
    """Return the wallet of the path, for its metadata to be changed."""
    return await service.of_customer(unit, external_id, code)


RESOURCE = "wallet"
TAG = "wallets"
HANDLERS = [
    create_wallet,
    list_wallets,
    find_wallet,
    update_wallet,
    delete_wallet,
    *quartet(EACH, "CustomerWallet", find_to_change, service.announce_update),
]
