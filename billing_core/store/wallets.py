"""Queries about wallets, their rules and their entries."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.orm import load_only

from billing_core.domain.money import exact_context
from billing_core.store.pages import page_of
from billing_core.store.tables import (
    BillingEntity,
    Charge,
    Customer,
    Fee,
    Invoice,
    InvoiceSubscription,
    Wallet,
    WalletConsumption,
    WalletMetric,
    WalletRule,
    WalletTransaction,
)
from billing_core.store.tables.base import TenantRow
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page

GRANTED_FIRST = case((WalletTransaction.transaction_status == "granted", 0), else_=1)
ZERO = Decimal(0)
IN_ORDER_OF_USE = (Wallet.priority, Wallet.created_at, Wallet.id)


def add(unit: Unit, row: TenantRow) -> None:
    """Put a new row in the unit."""
    unit.session.add(row)


async def by_id(unit: Unit, wallet_id: UUID) -> Wallet | None:
    """Find a wallet, whatever its status."""
    return await unit.session.scalar(select(Wallet).where(Wallet.id == wallet_id))


async def reload(unit: Unit, wallet_id: UUID) -> Wallet:
    """Return a wallet as it is now; the caller holds its customer's lock."""
    found = await unit.session.scalar(
        select(Wallet).where(Wallet.id == wallet_id).execution_options(populate_existing=True)
    )
    assert found is not None, "wallets are never deleted"
    return found


async def by_code(unit: Unit, external_customer_id: str, code: str) -> Wallet | None:
    """Find a wallet of a live customer; an active one comes before those that ended."""
    return await unit.session.scalar(
        select(Wallet)
        .join(Customer, Customer.id == Wallet.customer_id)
        .where(
            Customer.external_id == external_customer_id,
            Customer.deleted_at.is_(None),
            Wallet.code == code,
        )
        .order_by(Wallet.status, Wallet.id.desc())
        .limit(1)
    )


async def active_of(unit: Unit, customer_ids: Iterable[UUID]) -> list[Wallet]:
    """Return the active wallets of some customers, each customer's in the order of use.

    They are read anew; the caller holds the customers' locks.
    """
    rows = await unit.session.scalars(
        select(Wallet)
        .where(Wallet.customer_id.in_(sorted(set(customer_ids))), Wallet.status == "active")
        .order_by(Wallet.customer_id, *IN_ORDER_OF_USE)
        .execution_options(populate_existing=True)
    )
    return list(rows)


async def page(
    unit: Unit, customer_id: UUID, filters: Mapping[str, Any], wanted: Page
) -> tuple[list[Wallet], int]:
    """List a customer's wallets, newest first."""
    query = select(Wallet).where(Wallet.customer_id == customer_id)
    if filters.get("currency"):
        query = query.where(Wallet.currency == filters["currency"])
    if codes := filters.get("billing_entity_codes[]"):
        entities = select(BillingEntity.id).where(BillingEntity.code.in_(codes))
        owners = select(Customer.id).where(Customer.billing_entity_id.in_(entities))
        own = Wallet.billing_entity_id.in_(entities)
        inherited = Wallet.billing_entity_id.is_(None) & Wallet.customer_id.in_(owners)
        query = query.where(own | inherited)
    return await page_of(unit, query, wanted, Wallet.created_at.desc(), Wallet.id.desc())


async def expired(unit: Unit, at: datetime) -> list[Wallet]:
    """Return the active wallets that have expired, customer by customer."""
    rows = await unit.session.scalars(
        select(Wallet)
        .where(Wallet.status == "active", Wallet.expiration_at <= at)
        .order_by(Wallet.customer_id, Wallet.id)
    )
    return list(rows)


async def interval_rules(unit: Unit, until: date | None) -> list[tuple[UUID, UUID]]:
    """Return (wallet, rule) of active interval rules due up to a day, or of all of them."""
    query = (
        select(WalletRule.wallet_id, WalletRule.id)
        .join(Wallet, Wallet.id == WalletRule.wallet_id)
        .where(
            Wallet.org_id == unit.org_id,
            Wallet.status == "active",
            WalletRule.org_id == unit.org_id,
            WalletRule.status == "active",
            WalletRule.trigger == "interval",
        )
        .order_by(Wallet.customer_id, Wallet.id, WalletRule.id)
    )
    if until is not None:
        query = query.where(WalletRule.next_top_up_on <= until)
    return [(row[0], row[1]) for row in await unit.session.execute(query)]


async def expired_rules(unit: Unit, at: datetime) -> list[WalletRule]:
    """Return the active rules that have expired."""
    rows = await unit.session.scalars(
        select(WalletRule).where(WalletRule.status == "active", WalletRule.expiration_at <= at)
    )
    return list(rows)


async def transaction(unit: Unit, transaction_id: UUID) -> WalletTransaction | None:
    """Find an entry, as it is now."""
    return await unit.session.scalar(
        select(WalletTransaction)
        .where(WalletTransaction.id == transaction_id)
        .execution_options(populate_existing=True)
    )


async def transactions_page(
    unit: Unit, wallet_id: UUID, filters: Mapping[str, Any], wanted: Page
) -> tuple[list[WalletTransaction], int]:
    """List the entries of a wallet, newest first."""
    query = select(WalletTransaction).where(WalletTransaction.wallet_id == wallet_id)
    for name, column in (
        ("status", WalletTransaction.status),
        ("transaction_status", WalletTransaction.transaction_status),
        ("transaction_type", WalletTransaction.transaction_type),
    ):
        if filters.get(name):
            query = query.where(column == filters[name])
    order = (WalletTransaction.created_at.desc(), WalletTransaction.id.desc())
    return await page_of(unit, query, wanted, *order)


async def top_up_of(unit: Unit, invoice_id: UUID) -> WalletTransaction | None:
    """Find the purchase that an invoice is for."""
    return await unit.session.scalar(
        select(WalletTransaction)
        .where(
            WalletTransaction.invoice_id == invoice_id,
            WalletTransaction.transaction_status == "purchased",
        )
        .execution_options(populate_existing=True)
    )


async def payments_of(unit: Unit, invoice_id: UUID) -> list[WalletTransaction]:
    """Return what wallets paid of an invoice."""
    rows = await unit.session.scalars(
        select(WalletTransaction)
        .where(
            WalletTransaction.invoice_id == invoice_id,
            WalletTransaction.transaction_status == "invoiced",
        )
        .order_by(WalletTransaction.id)
    )
    return list(rows)


async def recredited(unit: Unit, invoice_id: UUID) -> list[WalletTransaction]:
    """Return what wallets got back of a voided invoice."""
    rows = await unit.session.scalars(
        select(WalletTransaction).where(WalletTransaction.voided_invoice_id == invoice_id)
    )
    return list(rows)


async def open_entries(unit: Unit, wallet_ids: Sequence[UUID]) -> list[WalletTransaction]:
    """Return the entries that something is left of, wallet by wallet in the order of use (4.4.2).

    They are read anew; the caller holds the customers' locks.
    """
    rows = await unit.session.scalars(
        select(WalletTransaction)
        .where(
            WalletTransaction.wallet_id.in_(wallet_ids),
            WalletTransaction.transaction_type == "inbound",
            WalletTransaction.status == "settled",
            WalletTransaction.remaining_amount_cents > 0,
        )
        .order_by(
            WalletTransaction.wallet_id,
            WalletTransaction.priority,
            GRANTED_FIRST,
            WalletTransaction.created_at,
            WalletTransaction.id,
        )
        .execution_options(populate_existing=True)
    )
    return list(rows)


async def pending_credits(unit: Unit, wallet_ids: Sequence[UUID]) -> dict[UUID, Decimal]:
    """Return the credits that were bought for some wallets and are not paid yet."""
    rows = await unit.session.execute(
        select(WalletTransaction.wallet_id, WalletTransaction.credit_amount).where(
            WalletTransaction.wallet_id.in_(wallet_ids),
            WalletTransaction.status == "pending",
            WalletTransaction.org_id == unit.org_id,
        )
    )
    found: dict[UUID, Decimal] = {}
    for wallet_id, credit_amount in rows:
        with exact_context():
            found[wallet_id] = found.get(wallet_id, ZERO) + credit_amount
    return found


async def has_failed(unit: Unit, wallet_id: UUID, since: datetime) -> bool:
    """Tell whether an automatic purchase has failed since, and none was paid after it."""
    failed_at, settled_at = (
        await unit.session.execute(
            select(
                func.max(WalletTransaction.failed_at).filter(
                    WalletTransaction.status == "failed", WalletTransaction.source != "manual"
                ),
                func.max(WalletTransaction.settled_at),
            ).where(
                WalletTransaction.wallet_id == wallet_id,
                WalletTransaction.transaction_status == "purchased",
                WalletTransaction.org_id == unit.org_id,
            )
        )
    ).one()
    if failed_at is None or failed_at <= since:
        return False
    return settled_at is None or settled_at < failed_at


async def consumptions_page(
    unit: Unit, entry: WalletTransaction, wanted: Page
) -> tuple[list[WalletConsumption], int]:
    """List what was taken of an inbound entry, or by an outbound one, newest first."""
    is_inbound = entry.transaction_type == "inbound"
    side = WalletConsumption.inbound_id if is_inbound else WalletConsumption.outbound_id
    query = select(WalletConsumption).where(side == entry.id)
    order = (WalletConsumption.created_at.desc(), WalletConsumption.id.desc())
    return await page_of(unit, query, wanted, *order)


async def fees_on(unit: Unit, invoice_ids: Iterable[UUID]) -> list[Fee]:
    """Return the fees of some invoices."""
    rows = await unit.session.scalars(
        select(Fee)
        .where(Fee.invoice_id.in_(sorted(set(invoice_ids))), Fee.deleted_at.is_(None))
        .order_by(Fee.invoice_id, Fee.position, Fee.id)
    )
    return list(rows)


async def charges_of(unit: Unit, fees: Iterable[Fee]) -> dict[UUID, tuple[UUID, bool]]:
    """Return the metric of each charge of these fees, and whether it may name a target wallet."""
    ids = sorted({fee.charge_id for fee in fees if fee.charge_id is not None})
    if not ids:
        return {}
    rows = await unit.session.scalars(
        select(Charge)
        .where(Charge.id.in_(ids))
        .options(load_only(Charge.billable_metric_id, Charge.accepts_target_wallet))
    )
    return {row.id: (row.billable_metric_id, row.accepts_target_wallet) for row in rows}


async def of_metric(unit: Unit, metric_id: UUID) -> list[WalletMetric]:
    """Return which wallets pay for the usage of a metric."""
    rows = await unit.session.scalars(
        select(WalletMetric).where(WalletMetric.billable_metric_id == metric_id)
    )
    return list(rows)


async def all_after(unit: Unit, after: UUID | None, limit: int) -> Sequence[Wallet]:
    """Walk all wallets by key, for `tallygate verify`."""
    query = select(Wallet).order_by(Wallet.id).limit(limit)
    if after is not None:
        query = query.where(Wallet.id > after)
    return (await unit.session.scalars(query)).all()


async def entries_of(unit: Unit, wallet_ids: Sequence[UUID]) -> list[WalletTransaction]:
    """Return all entries of some wallets."""
    rows = await unit.session.scalars(
        select(WalletTransaction).where(WalletTransaction.wallet_id.in_(wallet_ids))
    )
    return list(rows)


async def taken_of(unit: Unit, wallet_ids: Sequence[UUID]) -> tuple[dict[UUID, int], ...]:
    """Return what was taken of each inbound entry of some wallets, and by each outbound one."""
    found = []
    for side in (WalletConsumption.inbound_id, WalletConsumption.outbound_id):
        rows = await unit.session.execute(
            select(side, func.sum(WalletConsumption.amount_cents))
            .join(WalletTransaction, WalletTransaction.id == side)
            .where(
                WalletTransaction.wallet_id.in_(wallet_ids),
                WalletConsumption.org_id == unit.org_id,
            )
            .group_by(side)
        )
        found.append({row[0]: int(row[1]) for row in rows})
    return tuple(found)


async def paid_by_wallets(unit: Unit, invoice_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return what wallets paid of each invoice."""
    rows = await unit.session.execute(
        select(WalletTransaction.invoice_id, func.sum(WalletTransaction.amount_cents))
        .where(
            WalletTransaction.invoice_id.in_(invoice_ids),
            WalletTransaction.transaction_status == "invoiced",
            WalletTransaction.org_id == unit.org_id,
        )
        .group_by(WalletTransaction.invoice_id)
    )
    return {invoice_id: int(cents) for invoice_id, cents in rows if invoice_id is not None}


async def drafts_of(unit: Unit, customer_ids: Iterable[UUID]) -> list[Invoice]:
    """Return the drafts of some customers that ask for money."""
    rows = await unit.session.scalars(
        select(Invoice).where(
            Invoice.customer_id.in_(sorted(set(customer_ids))),
            Invoice.status == "draft",
            Invoice.total_amount_cents != 0,
        )
    )
    return list(rows)


async def progressive_since(
    unit: Unit, subscription_ids: Sequence[UUID], since: datetime
) -> list[tuple[Invoice, UUID, datetime]]:
    """Return the standing progressive invoices of some subscriptions, and when each was made."""
    rows = await unit.session.execute(
        select(Invoice, InvoiceSubscription.subscription_id, InvoiceSubscription.billed_at)
        .join(InvoiceSubscription, InvoiceSubscription.invoice_id == Invoice.id)
        .where(
            InvoiceSubscription.subscription_id.in_(subscription_ids),
            InvoiceSubscription.billed_at >= since,
            Invoice.invoice_type == "progressive_billing",
            Invoice.status.in_(("finalized", "failed")),
        )
    )
    return [(row[0], row[1], row[2]) for row in rows]
