"""Wallets by their ids: operations tagged `wallets`."""

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import wallets as service
from billing_core.services.shapes import wallets as shapes
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page
from billing_core.wire.wallets import WalletChange, WalletIn, WalletOut
from gateway.http import Answer, Filters, Gives, Operation, Takes, listed, one, row_id
from gateway.metadata import Owner, quartet

ROOT, MANY = "wallet", "wallets"
ONE = Gives(ROOT, WalletOut)
REFUSES = (400, 404, 413, 422)
EACH = "/wallets/{lago_id:str}"


@post(
    "/wallets",
    operation_id="createWallet",
    status_code=200,
    opt=Operation(ONE, Takes(ROOT, WalletIn), refuses=REFUSES).opt(),
)
async def create_wallet(unit: NamedDependency[Unit], payload: NamedDependency[WalletIn]) -> Answer:
    """Open a wallet for a customer, with its first credits."""
    wallet = await service.create(unit, payload.external_customer_id, payload)
    return one(ROOT, shapes.out(unit, wallet))


@get(
    "/wallets",
    operation_id="findAllWallets",
    opt=Operation(
        Gives(MANY, WalletOut, many=True),
        query=("external_customer_id", "currency", "billing_entity_codes[]"),
    ).opt(),
)
async def list_wallets(
    unit: NamedDependency[Unit], page: NamedDependency[Page], filters: NamedDependency[Filters]
) -> Answer:
    """List the wallets of a customer, who must be named, newest first."""
    owner = filters.get("external_customer_id")
    rows, total = await service.page(unit, owner, filters, page)
    return listed(MANY, [shapes.out(unit, row) for row in rows], page, total)


@get(EACH, operation_id="findWallet", opt=Operation(ONE).opt())
async def find_wallet(unit: NamedDependency[Unit], lago_id: FromPath[str]) -> Answer:
    """Return a wallet, also one that has ended."""
    return one(ROOT, shapes.out(unit, await service.get(unit, row_id(lago_id, ROOT))))


@put(
    EACH,
    operation_id="updateWallet",
    opt=Operation(ONE, Takes(ROOT, WalletChange), refuses=REFUSES).opt(),
)
async def update_wallet(
    unit: NamedDependency[Unit],
    lago_id: FromPath[str],
    payload: NamedDependency[WalletChange],
) -> Answer:
    """Change a wallet; its rate and currency stay."""
    wallet = await service.get(unit, row_id(lago_id, ROOT))
    return one(ROOT, shapes.out(unit, await service.update(unit, wallet, payload)))


@delete(EACH, operation_id="destroyWallet", status_code=200, opt=Operation(ONE).opt())
async def delete_wallet(unit: NamedDependency[Unit], lago_id: FromPath[str]) -> Answer:
    """End a wallet; what it holds is not used any more."""
    wallet = await service.get(unit, row_id(lago_id, ROOT))
    return one(ROOT, shapes.out(unit, await service.terminate(unit, wallet)))


async def find_to_change(unit: NamedDependency[Unit], lago_id: FromPath[str]) -> Owner:
    """Return the wallet of the path, for its metadata to be changed."""
    return await service.get(unit, row_id(lago_id, ROOT))


RESOURCE = "wallet"
TAG = "wallets"
HANDLERS = [
    create_wallet,
    list_wallets,
    find_wallet,
    update_wallet,
    delete_wallet,
    *quartet(EACH, "Wallet", find_to_change, service.announce_update),
]
