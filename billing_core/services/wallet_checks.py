"""What must always be true of wallets and of what they pay."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from billing_core.domain.money import exact_context
from billing_core.store import invoices, wallets
from billing_core.store.tables import Invoice, Wallet, WalletTransaction
from billing_core.store.unit import Unit

BATCH = 200
ZERO = Decimal(0)


async def balances_add_up(unit: Unit) -> list[str]:
    """Re-derive each wallet's balances from its entries, and what is left of each entry."""
    found: list[str] = []
    last = None
    while batch := await wallets.all_after(unit, last, BATCH):
        ids = [wallet.id for wallet in batch]
        entries = await wallets.entries_of(unit, ids)
        taken, funded = await wallets.taken_of(unit, ids)
        for wallet in batch:
            own = [entry for entry in entries if entry.wallet_id == wallet.id]
            found.extend(_wallet(wallet, own))
        for entry in entries:
            found.extend(_entry(entry, taken, funded))
        last = batch[-1].id
    return found


async def payments_add_up(unit: Unit) -> list[str]:
    """Check what each invoice says that wallets paid of it against their entries."""
    found: list[str] = []
    last = None
    while batch := await invoices.all_after(unit, last, BATCH):
        paid = await wallets.paid_by_wallets(unit, [invoice.id for invoice in batch])
        found.extend(_payments(batch, paid))
        last = batch[-1].id
    return found


def _payments(batch: Sequence[Invoice], paid: Mapping[UUID, int]) -> Iterable[str]:
    for invoice in batch:
        said = invoice.prepaid_credit_amount_cents
        if said != paid.get(invoice.id, 0):
            yield (
                f"invoice {invoice.number} ({invoice.id}): prepaid_credit_amount_cents is {said}, "
                f"wallets paid {paid.get(invoice.id, 0)}"
            )
        kinds = (
            invoice.prepaid_granted_credit_amount_cents or 0,
            invoice.prepaid_purchased_credit_amount_cents or 0,
        )
        if sum(kinds) != said:
            yield (
                f"invoice {invoice.number} ({invoice.id}): granted and purchased credit of "
                f"{kinds[0]} and {kinds[1]} are not the {said} that were paid"
            )


def _wallet(wallet: Wallet, entries: Sequence[WalletTransaction]) -> Iterable[str]:
    settled = [entry for entry in entries if entry.status == "settled"]
    left = sum(entry.remaining_amount_cents or 0 for entry in settled)
    with exact_context():
        expected: dict[str, object] = {
            "balance_cents": sum(_signed(entry) * entry.amount_cents for entry in settled),
            "credits_balance": sum(
                (_signed(entry) * entry.credit_amount for entry in settled), ZERO
            ),
        }
    for name, derived in expected.items():
        if (said := getattr(wallet, name)) != derived:
            yield f"wallet {wallet.id}: {name} is {said}, its entries give {derived}"
    if (said := wallet.balance_cents) != left:
        yield f"wallet {wallet.id}: balance_cents is {said}, {left} are left to take"


def _entry(
    entry: WalletTransaction, taken: Mapping[UUID, int], funded: Mapping[UUID, int]
) -> Iterable[str]:
    if entry.transaction_type == "outbound":
        if funded.get(entry.id, 0) != entry.amount_cents:
            yield (
                f"wallet transaction {entry.id}: amount_cents is {entry.amount_cents}, "
                f"it took {funded.get(entry.id, 0)}"
            )
    elif entry.status == "settled":
        left = entry.amount_cents - taken.get(entry.id, 0)
        if entry.remaining_amount_cents != left:
            yield (
                f"wallet transaction {entry.id}: remaining_amount_cents is "
                f"{entry.remaining_amount_cents}, not {left}"
            )


def _signed(entry: WalletTransaction) -> int:
    return 1 if entry.transaction_type == "inbound" else -1
