"""What can be done with the entries of wallets."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing_core.domain.errors import Invalid, NotFound, Problems
from billing_core.domain.wallets import Amount, bought
from billing_core.services import invoicing_terms, wallet_credits, wallet_ledger, wallet_top_ups
from billing_core.store import customers, wallets
from billing_core.store.tables import Wallet, WalletConsumption, WalletTransaction
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page
from billing_core.wire.wallet_transactions import WalletTransactionIn

VOIDED = "voided_credits"


async def get(unit: Unit, transaction_id: UUID) -> WalletTransaction:
    """Return an entry, or refuse."""
    found = await wallets.transaction(unit, transaction_id)
    if found is None:
        raise NotFound("wallet_transaction")
    return found


async def page(
    unit: Unit, wallet_id: UUID, filters: Mapping[str, Any], wanted: Page
) -> tuple[list[WalletTransaction], int]:
    """List the entries of a wallet, newest first; an unknown wallet is a 404."""
    if await wallets.by_id(unit, wallet_id) is None:
        raise NotFound("wallet")
    return await wallets.transactions_page(unit, wallet_id, filters, wanted)


async def create(unit: Unit, data: WalletTransactionIn) -> list[WalletTransaction]:
    """Buy, grant and void credits; returns the entries, one of each kind (4.2.2).

    Raises `NotFound` for an unknown wallet, `Invalid` for one that has ended, for quantities that
    are none, buy nothing or lie outside the wallet's limits, and for voids of more than there is.
    """
    known = await wallets.by_id(unit, data.wallet_id)
    if known is None:
        raise NotFound("wallet")
    await customers.lock(unit, known.customer_id)
    wallet = await wallets.reload(unit, known.id)
    if wallet.status != "active":
        raise Invalid.field("wallet_id", "wallet_is_terminated")
    needs_payment = data.invoice_requires_successful_payment
    given = {
        "name": data.name,
        "priority": data.priority or 50,
        "notes": [pair.model_dump() for pair in data.metadata or []],
        "invoice_requires_successful_payment": (
            wallet.invoice_requires_successful_payment if needs_payment is None else needs_payment
        ),
        "purchase_order_number": data.purchase_order_number or wallet.purchase_order_number,
        "payment_method_type": invoicing_terms.method_type(data.payment_method)
        or wallet.payment_method_type,
    }
    problems = Problems()
    amounts = wallet_credits.amounts(
        problems,
        wallet,
        {"paid_credits": data.paid_credits, "granted_credits": data.granted_credits},
        ignore_limits=bool(data.ignore_paid_top_up_limits),
    )
    wished = _wished_void(problems, wallet, data)
    target = None
    if data.voided_transaction_id is not None:
        target = await _target(unit, problems, wallet, data.voided_transaction_id)
    problems.check()
    made = await wallet_top_ups.add(
        unit, wallet, amounts.get("paid_credits"), amounts.get("granted_credits"), **given
    )
    if target is not None:
        made.append(
            await wallet_ledger.void_entry(unit, target, _part(wallet, target, wished), **given)
        )
    elif wished:
        made.append(await wallet_ledger.void(unit, wallet, wished, **given))
    return made


async def refuse_payment_url(unit: Unit, transaction_id: UUID) -> None:
    """Refuse: there is no payment provider that could take the money (4.2.6)."""
    entry = await get(unit, transaction_id)
    if entry.transaction_status != "purchased":
        raise Invalid.field("base", "wallet_transaction_not_purchased")
    if entry.status == "settled":
        raise Invalid.field("base", "wallet_transaction_already_settled")
    if entry.invoice_id is None:
        raise Invalid.field("base", "wallet_transaction_has_no_attached_invoice")
    raise Invalid.field("base", "no_linked_payment_provider")


async def consumptions(
    unit: Unit, transaction_id: UUID, wanted: Page
) -> tuple[list[WalletConsumption], int]:
    """List what was taken of an inbound entry."""
    return await _taken(unit, transaction_id, "inbound", wanted)


async def fundings(
    unit: Unit, transaction_id: UUID, wanted: Page
) -> tuple[list[WalletConsumption], int]:
    """List of which inbound entries an outbound one has taken."""
    return await _taken(unit, transaction_id, "outbound", wanted)


async def _taken(
    unit: Unit, transaction_id: UUID, side: str, wanted: Page
) -> tuple[list[WalletConsumption], int]:
    entry = await get(unit, transaction_id)
    if entry.transaction_type != side:
        raise Invalid.field("transaction_type", "invalid_transaction_type")
    return await wallets.consumptions_page(unit, entry, wanted)


def _wished_void(problems: Problems, wallet: Wallet, data: WalletTransactionIn) -> Decimal | None:
    if data.voided_credits is None:
        return None
    wished = wallet_credits.quantity(data.voided_credits)
    if wished is None:
        problems.add(VOIDED, f"invalid_{VOIDED}", "invalid_amount")
    elif wished > wallet.credits_balance:
        problems.add(VOIDED, "insufficient_credits")
    elif wished and not bought(wished, wallet.rate_amount, wallet.currency).cents:
        problems.add(VOIDED, "amount_rounds_to_zero")
    return wished


async def _target(
    unit: Unit, problems: Problems, wallet: Wallet, transaction_id: UUID
) -> WalletTransaction | None:
    """Return the inbound entry whose credits are to be voided, and no others."""
    entry = await wallets.transaction(unit, transaction_id)
    if entry is None or entry.wallet_id != wallet.id or entry.transaction_type != "inbound":
        raise NotFound("wallet_transaction")
    if not entry.remaining_amount_cents:
        problems.add("voided_transaction_id", "no_remaining_amount")
    return entry


def _part(wallet: Wallet, target: WalletTransaction, wished: Decimal | None) -> Amount:
    """Return what of an entry is voided: all that is left of it, unless less was asked for."""
    left = target.remaining_amount_cents or 0
    if not wished:
        return wallet_ledger.part_of(wallet, left)
    if bought(wished, wallet.rate_amount, wallet.currency).cents > left:
        raise Invalid.field(VOIDED, "exceeds_remaining_transaction_amount")
    amount = wallet_ledger.void_of(wallet, wished)
    return Amount(min(amount.cents, left), amount.credits)
