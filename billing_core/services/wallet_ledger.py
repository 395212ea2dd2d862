"""The ledger of wallets: every change of a balance is an entry, and is told.

Callers hold the lock of the wallet's customer: what they read before it is read anew.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from billing_core.domain.errors import Invalid
from billing_core.domain.money import exact_context
from billing_core.domain.wallets import Amount, spent, voided
from billing_core.services.shapes import wallets as shapes
from billing_core.store import wallet_refreshes, wallets
from billing_core.store.tables import Invoice, Wallet, WalletConsumption, WalletTransaction
from billing_core.store.unit import Unit

REFRESH_TOPIC = "wallets.refresh"
ZERO = Decimal(0)


async def buy(unit: Unit, wallet: Wallet, amount: Amount, **given: Any) -> WalletTransaction:
    """Enter credits that are to be paid for; they arrive when they are (4.2.4)."""
    entry = _entry(unit, wallet, "purchased", amount, status="pending", **given)
    await _announce(unit, [entry])
    return entry


async def grant(unit: Unit, wallet: Wallet, amount: Amount, **given: Any) -> WalletTransaction:
    """Give credits for free."""
    entry = _entry(unit, wallet, "granted", amount, **given)
    _arrive(unit, entry)
    await _announce(unit, [entry])
    await _changed(unit, [wallet])
    return entry


async def settle(unit: Unit, entry: WalletTransaction) -> None:
    """Let credits arrive that were paid for; a second time changes nothing (4.2.5)."""
    if entry.status == "settled":
        return
    entry.status, entry.failed_at = "settled", None
    _arrive(unit, entry)
    tell_entry(unit, entry)
    await _changed(unit, [entry.wallet])


async def fail(unit: Unit, entry: WalletTransaction) -> None:
    """Note that credits were not paid for; those that have arrived stay."""
    if entry.status == "pending":
        entry.status, entry.failed_at, entry.updated_at = "failed", unit.now, unit.now
        await unit.flush()
        tell_entry(unit, entry)


async def spend(
    unit: Unit, payments: Sequence[tuple[Wallet, Invoice, int]]
) -> list[tuple[WalletTransaction, WalletTransaction, int]]:
    """Let wallets pay invoices, in minor units; returns (outbound, inbound, taken) entries."""
    bought = await _open(unit, [wallet for wallet, _, _ in payments])
    entries: list[WalletTransaction] = []
    taken: list[tuple[WalletTransaction, WalletTransaction, int]] = []
    for wallet, invoice, cents in payments:
        amount = spent(_held(wallet), cents, wallet.rate_amount, wallet.currency)
        entry = _entry(unit, wallet, "invoiced", amount, invoice_id=invoice.id)
        _leave(unit, wallet, amount)
        taken += [(entry, *one) for one in _take(unit, entry, bought[wallet.id])]
        entries.append(entry)
    await _announce(unit, entries)
    await _changed(unit, [wallet for wallet, _, _ in payments])
    return taken


async def void(unit: Unit, wallet: Wallet, wished: Decimal, **given: Any) -> WalletTransaction:
    """Take credits away, from whichever entry is the next to be used (4.4.2)."""
    amount = void_of(wallet, wished)
    return await _void(unit, wallet, amount, (await _open(unit, [wallet]))[wallet.id], **given)


async def void_entry(
    unit: Unit, inbound: WalletTransaction, amount: Amount, **given: Any
) -> WalletTransaction:
    """Take credits away that one entry brought, and no others."""
    return await _void(unit, inbound.wallet, amount, [inbound], **given)


def void_of(wallet: Wallet, wished: Decimal) -> Amount:
    """Return what a void of some credits takes of a wallet."""
    return voided(_held(wallet), wished, wallet.rate_amount, wallet.currency)


def part_of(wallet: Wallet, cents: int) -> Amount:
    """Return some of a wallet's money with the credits it stands for."""
    return spent(_held(wallet), cents, wallet.rate_amount, wallet.currency)


async def expire(unit: Unit, wallet: Wallet) -> None:
    """Take away what a wallet that expires still holds, by an entry; what it held is kept."""
    held = _held(wallet)
    wallet.expired_amount_cents, wallet.expired_credits = held.cents, held.credits
    if held.cents:
        entry = _entry(unit, wallet, "voided", held, is_expiry=True, name="Expiry")
        wallet.balance_cents, wallet.credits_balance = 0, ZERO
        _take(unit, entry, (await _open(unit, [wallet]))[wallet.id])
        await _announce(unit, [entry])


async def give_back(unit: Unit, paid: Iterable[WalletTransaction], invoice: Invoice) -> None:
    """Grant anew what active wallets paid of an invoice that is voided (1.8.1)."""
    entries = []
    for outbound in paid:
        wallet = outbound.wallet
        amount = Amount(outbound.amount_cents, outbound.credit_amount)
        entry = _entry(unit, wallet, "granted", amount, voided_invoice_id=invoice.id)
        _arrive(unit, entry)
        with exact_context():
            wallet.consumed_credits = max(wallet.consumed_credits - amount.credits, ZERO)
        wallet.consumed_amount_cents = max(wallet.consumed_amount_cents - amount.cents, 0)
        entries.append(entry)
    if entries:
        await _announce(unit, entries)
        await _changed(unit, [entry.wallet for entry in entries])


def tell_entry(unit: Unit, entry: WalletTransaction) -> None:
    """Promise the webhook of an entry that was settled or has failed."""
    shape = shapes.full(unit, entry)
    unit.emit("wallet_transaction.updated", "wallet_transaction", shape.model_dump())


def tell(unit: Unit, wallet: Wallet, what: str) -> None:
    """Promise a webhook of a wallet: created, updated, terminated, depleted_ongoing_balance."""
    unit.emit(f"wallet.{what}", "wallet", shapes.out(unit, wallet).model_dump())


async def promise_refresh(unit: Unit, wallets_changed: Iterable[Wallet]) -> None:
    """Promise that all wallets of the customers of these are looked at, at once."""
    owners = {wallet.customer_id for wallet in wallets_changed}
    changed = await wallet_refreshes.note(unit, owners, promised=True)
    if changed:
        ids = [str(customer_id) for customer_id in sorted(changed)]
        unit.promise(REFRESH_TOPIC, {"customer_ids": ids})


async def _void(
    unit: Unit,
    wallet: Wallet,
    amount: Amount,
    bought: Sequence[WalletTransaction],
    **given: Any,
) -> WalletTransaction:
    entry = _entry(unit, wallet, "voided", amount, **given)
    _leave(unit, wallet, amount)
    _take(unit, entry, bought)
    await _announce(unit, [entry])
    await _changed(unit, [wallet])
    return entry


def _entry(
    unit: Unit, wallet: Wallet, kind: str, amount: Amount, *, status: str = "settled", **given: Any
) -> WalletTransaction:
    entry = WalletTransaction(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        wallet_id=wallet.id,
        transaction_type="inbound" if kind in {"purchased", "granted"} else "outbound",
        transaction_status=kind,
        status=status,
        settled_at=unit.now if status == "settled" else None,
        amount_cents=amount.cents,
        credit_amount=amount.credits,
        **given,
    )
    entry.wallet = wallet
    wallets.add(unit, entry)
    return entry


def _arrive(unit: Unit, entry: WalletTransaction) -> None:
    wallet = entry.wallet
    entry.settled_at = entry.updated_at = unit.now
    entry.remaining_amount_cents = entry.amount_cents
    wallet.balance_cents += entry.amount_cents
    with exact_context():
        wallet.credits_balance += entry.credit_amount
    wallet.last_balance_sync_at = wallet.updated_at = unit.now


def _leave(unit: Unit, wallet: Wallet, amount: Amount) -> None:
    wallet.balance_cents -= amount.cents
    wallet.consumed_amount_cents += amount.cents
    with exact_context():
        wallet.credits_balance -= amount.credits
        wallet.consumed_credits += amount.credits
    wallet.last_balance_sync_at = wallet.last_consumed_credit_at = unit.now
    wallet.updated_at = unit.now


def _take(
    unit: Unit, outbound: WalletTransaction, bought: Sequence[WalletTransaction]
) -> list[tuple[WalletTransaction, int]]:
    """Take the money of an outbound entry off inbound ones, in their order."""
    missing = outbound.amount_cents
    taken: list[tuple[WalletTransaction, int]] = []
    for inbound in bought:
        part = min(missing, inbound.remaining_amount_cents or 0)
        if not part:
            continue
        row = WalletConsumption(
            org_id=unit.org_id,
            created_at=unit.now,
            inbound_id=inbound.id,
            outbound_id=outbound.id,
            amount_cents=part,
        )
        row.inbound, row.outbound = inbound, outbound
        wallets.add(unit, row)
        inbound.remaining_amount_cents = (inbound.remaining_amount_cents or 0) - part
        inbound.updated_at = unit.now
        missing -= part
        taken.append((inbound, part))
    if missing:
        raise Invalid.field("amount_cents", "exceeds_available_amount")
    return taken


async def _open(unit: Unit, of: Iterable[Wallet]) -> dict[Any, list[WalletTransaction]]:
    found: dict[Any, list[WalletTransaction]] = {wallet.id: [] for wallet in of}
    await unit.flush()
    for entry in await wallets.open_entries(unit, sorted(found)):
        found[entry.wallet_id].append(entry)
    return found


def _held(wallet: Wallet) -> Amount:
    return Amount(wallet.balance_cents, wallet.credits_balance)


async def _announce(unit: Unit, entries: Sequence[WalletTransaction]) -> None:
    """Promise the webhooks of new entries (`docs/rules/money.md` 6.2)."""
    await unit.flush()
    for entry in entries:
        shape = shapes.full(unit, entry)
        unit.emit("wallet_transaction.created", "wallet_transaction", shape.model_dump())


async def _changed(unit: Unit, changed: Iterable[Wallet]) -> None:
    """Tell that balances changed; what usage leaves of them is computed at once."""
    await unit.flush()
    by_id = {wallet.id: wallet for wallet in changed}
    for wallet in by_id.values():
        tell(unit, wallet, "updated")
    await promise_refresh(unit, by_id.values())
