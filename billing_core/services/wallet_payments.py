"""Wallets pay invoices that become final, and get it back when such an invoice is voided."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from billing_core.domain.filters import TARGET_WALLET
from billing_core.domain.money import exact_context
from billing_core.domain.wallets import Bucket, Pocket, Use, buckets_of, payments
from billing_core.services import wallet_ledger
from billing_core.store import wallet_refreshes, wallets
from billing_core.store.tables import Fee, Invoice, Wallet, WalletTransaction
from billing_core.store.unit import Unit

# top-ups, one-off invoices and fees that were paid before are never paid by wallets (1.4.2)
PAID_BY_WALLETS = frozenset({"subscription", "progressive_billing"})
Charges = Mapping[UUID, tuple[UUID, bool]]


async def pay(unit: Unit, rows: Sequence[Invoice]) -> None:
    """Pay invoices with their customers' wallets, in the order given, each at most once.

    Source: `docs/rules/money.md` 4.3. The caller holds the customers' locks; what an invoice comes
    to after taxes and credit notes is on it and its fees.
    """
    held: dict[UUID, list[Wallet]] = {}
    for wallet in await wallets.active_of(unit, (row.customer_id for row in rows)):
        held.setdefault(wallet.customer_id, []).append(wallet)
    if not held:
        return
    await wallet_refreshes.note(unit, held, promised=False)  # what usage will take has changed
    due = [
        row
        for row in rows
        if row.invoice_type in PAID_BY_WALLETS
        and row.total_amount_cents > 0
        and not row.prepaid_credit_amount_cents
        and _usable(held.get(row.customer_id, ()), row)
    ]
    if due:
        await _pay(unit, due, held)


async def note(unit: Unit, rows: Sequence[Invoice]) -> None:
    """Note that what is to be paid has changed, for the wallets of these invoices' customers."""
    owners = await wallet_refreshes.customers_of(unit, among=[row.customer_id for row in rows])
    await wallet_refreshes.note(unit, owners, promised=False)


async def give_back(unit: Unit, invoice: Invoice) -> None:
    """Return what active wallets paid of an invoice, as credits that are granted anew.

    The invoice goes on saying what was paid.
    """
    if invoice.prepaid_credit_amount_cents and not await wallets.recredited(unit, invoice.id):
        paid = await wallets.payments_of(unit, invoice.id)
        await wallet_ledger.give_back(
            unit, [entry for entry in paid if entry.wallet.status == "active"], invoice
        )


def use_of(fee: Fee, charges: Charges) -> Use:
    """Return what a fee is for, as wallets tell it apart."""
    if fee.charge_id is None:
        return Use(fee.fee_type)
    metric_id, takes_target = charges[fee.charge_id]
    target = fee.grouped_by.get(TARGET_WALLET) if takes_target else None
    return Use(fee.fee_type, metric_id, target)


def pocket(wallet: Wallet, *, is_refilled: bool = False) -> Pocket:
    """Return a wallet as the rules see it."""
    return Pocket(
        wallet.balance_cents,
        wallet.code,
        frozenset(wallet.fee_types),
        frozenset(one.billable_metric_id for one in wallet.metrics),
        is_refilled,
    )


def _usable(held: Iterable[Wallet], invoice: Invoice) -> list[Wallet]:
    return [one for one in held if one.balance_cents > 0 and one.currency == invoice.currency]


async def _pay(unit: Unit, due: Sequence[Invoice], held: Mapping[UUID, list[Wallet]]) -> None:
    fees = await wallets.fees_on(unit, (invoice.id for invoice in due))
    charges = await wallets.charges_of(unit, fees)
    for place in range(max(map(len, _of_customers(due)))):
        # one invoice of each customer at a time: the next one meets what this one left
        taken: list[tuple[Wallet, Invoice, int]] = []
        for several in _of_customers(due):
            if place < len(several):
                invoice = several[place]
                usable = _usable(held[invoice.customer_id], invoice)
                taken += _shares(invoice, fees, charges, usable)
        if taken:
            _write(due, await wallet_ledger.spend(unit, taken))
    await unit.flush()


def _of_customers(due: Sequence[Invoice]) -> list[list[Invoice]]:
    by_customer: dict[UUID, list[Invoice]] = {}
    for invoice in due:
        by_customer.setdefault(invoice.customer_id, []).append(invoice)
    return list(by_customer.values())


def _shares(
    invoice: Invoice, fees: Sequence[Fee], charges: Charges, usable: Sequence[Wallet]
) -> list[tuple[Wallet, Invoice, int]]:
    parts = [
        Bucket(use_of(fee, charges), _left(fee))
        for fee in fees
        if fee.invoice_id == invoice.id and fee.amount_cents != fee.precise_coupons_amount_cents
    ]
    buckets = buckets_of(parts, invoice.total_amount_cents)
    cents = payments([pocket(one) for one in usable], buckets, invoice.total_amount_cents)
    return [
        (wallet, invoice, amount) for wallet, amount in zip(usable, cents, strict=True) if amount
    ]


def _left(fee: Fee) -> Decimal:
    """Return what is to be paid of a fee, fractions included (`docs/rules/money.md` 4.3.2)."""
    with exact_context():
        with_taxes = fee.amount_cents + fee.taxes_precise_amount_cents
        return with_taxes - fee.precise_coupons_amount_cents - fee.precise_credit_notes_amount_cents


def _write(
    due: Sequence[Invoice], taken: Iterable[tuple[WalletTransaction, WalletTransaction, int]]
) -> None:
    by_id = {invoice.id: invoice for invoice in due}
    for outbound, inbound, cents in taken:
        assert outbound.invoice_id is not None, "it was just made for one"
        invoice = by_id[outbound.invoice_id]
        invoice.prepaid_credit_amount_cents += cents
        invoice.total_amount_cents -= cents
        column = f"prepaid_{inbound.transaction_status}_credit_amount_cents"
        setattr(invoice, column, (getattr(invoice, column) or 0) + cents)
