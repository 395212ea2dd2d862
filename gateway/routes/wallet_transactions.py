"""Entries of wallets: operations tagged `wallets`."""

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import wallet_transactions as service
from billing_core.services.shapes import wallets as shapes
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page
from billing_core.wire.wallet_transactions import (
    WalletConsumptionOut,
    WalletTransactionIn,
    WalletTransactionOut,
)
from gateway.http import Answer, Filters, Gives, Operation, Takes, listed, one, row_id
from gateway.queries import WALLET_TRANSACTION_CHOICES, known_choices

ROOT, MANY = "wallet_transaction", "wallet_transactions"
CONSUMPTIONS, FUNDINGS = "wallet_transaction_consumptions", "wallet_transaction_fundings"
EACH = "/wallet_transactions/{lago_id:str}"


@post(
    "/wallet_transactions",
    operation_id="createWalletTransaction",
    status_code=200,
    opt=Operation(
        Gives(MANY, WalletTransactionOut, many=True),
        Takes(ROOT, WalletTransactionIn),
        refuses=(400, 404, 413, 422),
    ).opt(),
)
async def create_transactions(
    unit: NamedDependency[Unit], payload: NamedDependency[WalletTransactionIn]
) -> Answer:
    """Buy, grant and void credits; the answer holds an entry of each kind that was asked for."""
    made = await service.create(unit, payload)
    return one(MANY, [shapes.transaction(row) for row in made])


@get(
    EACH,
    operation_id="findWalletTransaction",
    opt=Operation(Gives(ROOT, WalletTransactionOut)).opt(),
)
async def find_transaction(unit: NamedDependency[Unit], lago_id: FromPath[str]) -> Answer:
    """Return an entry."""
    return one(ROOT, shapes.transaction(await service.get(unit, row_id(lago_id, ROOT))))


@get(
    "/wallets/{lago_id:str}/wallet_transactions",
    operation_id="findAllWalletTransactions",
    opt=Operation(
        Gives(MANY, WalletTransactionOut, many=True), query=tuple(WALLET_TRANSACTION_CHOICES)
    ).opt(),
)
async def list_transactions(
    unit: NamedDependency[Unit],
    lago_id: FromPath[str],
    page: NamedDependency[Page],
    filters: NamedDependency[Filters],
) -> Answer:
    """List the entries of a wallet, newest first; a filter that means nothing is ignored."""
    wanted = known_choices(filters, WALLET_TRANSACTION_CHOICES)
    rows, total = await service.page(unit, row_id(lago_id, "wallet"), wanted, page)
    return listed(MANY, [shapes.transaction(row) for row in rows], page, total)


@post(
    EACH + "/payment_url",
    operation_id="walletTransactionPaymentUrl",
    status_code=200,
    opt=Operation(refuses=(404, 422)).opt(),
)
async def payment_url(unit: NamedDependency[Unit], lago_id: FromPath[str]) -> None:
    """Return where a purchase can be paid; refused as long as there is no payment provider."""
    await service.refuse_payment_url(unit, row_id(lago_id, ROOT))


@get(
    EACH + "/consumptions",
    operation_id="findAllWalletTransactionConsumptions",
    opt=Operation(Gives(CONSUMPTIONS, WalletConsumptionOut, many=True), refuses=(404, 422)).opt(),
)
async def list_consumptions(
    unit: NamedDependency[Unit], lago_id: FromPath[str], page: NamedDependency[Page]
) -> Answer:
    """List what was taken of an inbound entry, and by which outbound ones."""
    rows, total = await service.consumptions(unit, row_id(lago_id, ROOT), page)
    return listed(
        CONSUMPTIONS, [shapes.consumption(row, row.outbound) for row in rows], page, total
    )


@get(
    EACH + "/fundings",
    operation_id="findAllWalletTransactionFundings",
    opt=Operation(Gives(FUNDINGS, WalletConsumptionOut, many=True), refuses=(404, 422)).opt(),
)
async def list_fundings(
    unit: NamedDependency[Unit], lago_id: FromPath[str], page: NamedDependency[Page]
) -> Answer:
    """List what an outbound entry has taken, and of which inbound ones."""
    rows, total = await service.fundings(unit, row_id(lago_id, ROOT), page)
    return listed(FUNDINGS, [shapes.consumption(row, row.inbound) for row in rows], page, total)


RESOURCE = "wallet_transaction"
TAG = "wallets"
HANDLERS = [
    create_transactions,
    find_transaction,
    list_transactions,
    payment_url,
    list_consumptions,
    list_fundings,
]
