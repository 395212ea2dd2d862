"""What can be done with wallets."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from billing_core.domain.errors import Invalid, NotFound, Problems
from billing_core.domain.money import quantize
from billing_core.domain.wallets import CREDIT_PLACES
from billing_core.services import (
    billing_entities,
    invoicing_terms,
    wallet_credits,
    wallet_ledger,
    wallet_rules,
    wallet_top_ups,
)
from billing_core.store import catalog, customers, wallets
from billing_core.store.tables import Customer, Wallet, WalletMetric
from billing_core.store.unit import Unit
from billing_core.wire.dates import parse_instant
from billing_core.wire.pages import Page
from billing_core.wire.wallets import AppliesToIn, CustomerWalletIn, WalletChange, WalletSettings

MOST_WALLETS = 6
FEE_TYPES = frozenset(
    {"charge", "add_on", "subscription", "credit", "commitment", "fixed_charge", "product"}
)
AS_SENT = (
    "name",
    "purchase_order_number",
    "paid_top_up_min_amount_cents",
    "paid_top_up_max_amount_cents",
)
NEVER_NULL = ("code", "priority", "invoice_requires_successful_payment")
NOT_IN_A_CODE = re.compile(r"[^a-z0-9]+")


async def get(unit: Unit, wallet_id: UUID) -> Wallet:
    """Return a wallet, whatever its status, or refuse."""
    found = await wallets.by_id(unit, wallet_id)
    if found is None:
        raise NotFound("wallet")
    return found


async def of_customer(unit: Unit, external_customer_id: str, code: str) -> Wallet:
    """Return a customer's wallet, an active one before those that ended; or refuse."""
    if await customers.by_external_id(unit, external_customer_id) is None:
        raise NotFound("customer")
    found = await wallets.by_code(unit, external_customer_id, code)
    if found is None:
        raise NotFound("wallet")
    return found


async def page(
    unit: Unit, external_customer_id: str | None, filters: Mapping[str, Any], wanted: Page
) -> tuple[list[Wallet], int]:
    """List a customer's wallets, newest first; an unknown customer or entity is a 404."""
    await billing_entities.check_codes(unit, filters.get("billing_entity_codes[]"))
    customer = await customers.by_external_id(unit, external_customer_id or "")
    if customer is None:
        raise NotFound("customer")
    return await wallets.page(unit, customer.id, filters, wanted)


async def create(unit: Unit, external_customer_id: str, data: CustomerWalletIn) -> Wallet:
    """Open a wallet for a customer, with its first credits (4.1.2).

    Raises `NotFound` for an unknown customer or billing entity, and `Invalid` naming what is wrong,
    for a code that another active wallet has and for more wallets than a customer may have.
    """
    known = await customers.by_external_id(unit, external_customer_id)
    if known is None:
        raise NotFound("customer")
    customer = await customers.lock(unit, known.id)
    others = await wallets.active_of(unit, [customer.id])
    if len(others) >= MOST_WALLETS:
        raise Invalid.field("customer", "wallet_limit_reached")
    currency = data.currency or customer.currency
    if currency is None:
        raise Invalid.field("currency", "value_is_mandatory")
    customer.currency = customer.currency or currency
    wallet = Wallet(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        customer_id=customer.id,
        currency=currency,
        code=_free_code(unit, data, {one.code for one in others}),
        rate_amount=_rate(data),
    )
    wallet.customer, wallet.own_entity = customer, None
    wallet.metrics, wallet.rules = [], []
    await _write(unit, wallet, data)
    wallets.add(unit, wallet)
    await unit.flush()
    await _fill(unit, wallet, data)
    return wallet


async def update(unit: Unit, wallet: Wallet, data: WalletChange) -> Wallet:
    """Change a wallet; rate and currency stay (4.1.8)."""
    await customers.lock(unit, wallet.customer_id)
    wallet = await wallets.reload(unit, wallet.id)
    if data.code is not None and data.code != wallet.code:
        others = await wallets.active_of(unit, [wallet.customer_id])
        if data.code in {one.code for one in others if one.id != wallet.id}:
            raise Invalid.field("code", "value_already_exist")
    await _write(unit, wallet, data)
    if data.recurring_transaction_rules is not None:
        await wallet_rules.replace(unit, wallet, data.recurring_transaction_rules)
    wallet_rules.check(unit, wallet)
    wallet.updated_at = unit.now
    await unit.flush()
    await announce_update(unit, wallet)
    await wallet_ledger.promise_refresh(unit, [wallet])
    return wallet


async def announce_update(unit: Unit, wallet: Any) -> None:
    """Promise the webhook of a wallet that was changed."""
    wallet_ledger.tell(unit, wallet, "updated")


async def terminate(unit: Unit, wallet: Wallet) -> Wallet:
    """End a wallet and its rules; what it holds stays on it, unused (4.7.1)."""
    await customers.lock(unit, wallet.customer_id)
    wallet = await wallets.reload(unit, wallet.id)
    if wallet.status == "active":
        await _end(unit, wallet)
    return wallet


async def terminate_all(unit: Unit, customer: Customer) -> None:
    """End all wallets of a customer who goes; the caller holds the customer's lock."""
    for wallet in await wallets.active_of(unit, [customer.id]):
        await _end(unit, wallet)


async def terminate_expired(unit: Unit) -> None:
    """End the wallets that have expired; what they held is entered as lost."""
    for found in await wallets.expired(unit, unit.now):
        await customers.lock(unit, found.customer_id)
        wallet = await wallets.reload(unit, found.id)
        if wallet.status == "active":
            await wallet_ledger.expire(unit, wallet)
            await _end(unit, wallet)


async def _end(unit: Unit, wallet: Wallet) -> None:
    wallet.status = "terminated"
    wallet.terminated_at = wallet.updated_at = unit.now
    for rule in wallet.rules:
        wallet_rules.end(unit, rule)
    await unit.flush()
    wallet_ledger.tell(unit, wallet, "terminated")
    await wallet_ledger.promise_refresh(unit, [wallet])


async def _fill(unit: Unit, wallet: Wallet, data: CustomerWalletIn) -> None:
    """Give a new wallet its rules and first credits, and tell of it."""
    problems = Problems()
    amounts = wallet_credits.amounts(
        problems,
        wallet,
        {"paid_credits": data.paid_credits, "granted_credits": data.granted_credits},
        ignore_limits=bool(data.ignore_paid_top_up_limits_on_creation),
    )
    problems.check()
    paid, granted = amounts.get("paid_credits"), amounts.get("granted_credits")
    await wallet_rules.replace(
        unit,
        wallet,
        data.recurring_transaction_rules or [],
        paid.credits if paid else wallet_rules.ZERO,
        granted.credits if granted else wallet_rules.ZERO,
    )
    wallet_ledger.tell(unit, wallet, "created")
    await wallet_ledger.promise_refresh(unit, [wallet])
    await wallet_top_ups.add(
        unit,
        wallet,
        paid,
        granted,
        name=data.transaction_name,
        priority=data.transaction_priority or 50,
        notes=[pair.model_dump() for pair in data.transaction_metadata or []],
        invoice_requires_successful_payment=wallet.invoice_requires_successful_payment,
        purchase_order_number=wallet.purchase_order_number,
        payment_method_type=wallet.payment_method_type,
    )


async def _write(unit: Unit, wallet: Wallet, data: WalletSettings) -> None:
    given = data.given()
    for name in AS_SENT:
        if name in given:
            setattr(wallet, name, given[name])
    for name in NEVER_NULL:
        if given.get(name) is not None:
            setattr(wallet, name, given[name])
    if "expiration_at" in given:
        wallet.expiration_at = _expiration(unit, data.expiration_at)
    if "metadata" in given:
        wallet.custom_metadata = data.metadata
    if "billing_entity_code" in given:
        code = data.billing_entity_code
        wallet.own_entity = None if code is None else await billing_entities.get(unit, code)
        wallet.billing_entity_id = None if wallet.own_entity is None else wallet.own_entity.id
    method = invoicing_terms.method_type(data.payment_method)
    wallet.payment_method_type = method or wallet.payment_method_type
    least, most = wallet.paid_top_up_min_amount_cents, wallet.paid_top_up_max_amount_cents
    if least is not None and most is not None and most < least:
        raise Invalid.field("paid_top_up_max_amount_cents", "value_is_out_of_range")
    if "applies_to" in given:
        await _limit(unit, wallet, data.applies_to or AppliesToIn())


async def _limit(unit: Unit, wallet: Wallet, wanted: AppliesToIn) -> None:
    """Say what a wallet pays for; what is not said of the two stays (4.1.5)."""
    if wanted.fee_types is not None or not wanted.model_fields_set:
        fee_types = list(dict.fromkeys(wanted.fee_types or []))
        if not FEE_TYPES.issuperset(fee_types):
            raise Invalid.field("applies_to", "invalid_fee_types")
        wallet.fee_types = fee_types
    if wanted.billable_metric_codes is not None or not wanted.model_fields_set:
        found = []
        for code in dict.fromkeys(wanted.billable_metric_codes or []):
            metric = await catalog.metric_by_code(unit, code)
            if metric is None:
                raise Invalid.field("applies_to", "invalid_identifier")
            found.append(metric)
        known = {one.billable_metric_id: one for one in wallet.metrics}
        rows = []
        for metric in found:
            row = known.get(metric.id) or WalletMetric(
                org_id=unit.org_id,
                created_at=unit.now,
                wallet_id=wallet.id,
                billable_metric_id=metric.id,
            )
            row.metric = metric
            rows.append(row)
        wallet.metrics = rows


def _rate(data: CustomerWalletIn) -> Any:
    rate = quantize(data.rate_amount, CREDIT_PLACES)
    if not rate:
        raise Invalid.field("rate_amount", "value_is_out_of_range")
    return rate


def _free_code(unit: Unit, data: CustomerWalletIn, taken: set[str]) -> str:
    if data.code is not None:
        if data.code in taken:
            raise Invalid.field("code", "value_already_exist")
        return data.code
    named = NOT_IN_A_CODE.sub("_", (data.name or "").lower()).strip("_") or "default"
    code, seconds = named, int(unit.now.timestamp())
    while code in taken:
        code = f"{named[:240]}_{seconds}"
        seconds += 1
    return code


def _expiration(unit: Unit, text: str | None) -> datetime | None:
    if text is None:
        return None
    value = parse_instant(text)
    if value is None or value <= unit.now or value.year > 9000:  # noqa: PLR2004 - a sane century
        raise Invalid.field("expiration_at", "invalid_date")
    return value
