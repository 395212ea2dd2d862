"""Ongoing balances: what usage that is not paid yet will leave of wallets (money.md 4.5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from billing_core.domain.filters import TARGET_WALLET
from billing_core.domain.invoice import FeeLine, tax_fee
from billing_core.domain.money import exact_context, round_half_up
from billing_core.domain.wallets import Use, credits_of, foreseen
from billing_core.ports import EventStore
from billing_core.services import wallet_alerts, wallet_ledger, wallet_payments, wallet_rules
from billing_core.services.metering import Wanted
from billing_core.services.pricing import PricedFee, price_windows
from billing_core.services.shapes.subscriptions import current_window
from billing_core.services.tax_rules import TaxRules
from billing_core.store import customers, wallet_refreshes, wallets
from billing_core.store.tables import Fee, Invoice, Subscription, Wallet
from billing_core.store.unit import Unit

LOOK_TOPIC = "wallets.look"
SHARD_SIZE = 20


@dataclass(slots=True)
class Nets:
    """What is to be paid of each use, in minor units, by currency; of one customer."""

    by_currency: dict[str, dict[Use, int]] = field(default_factory=dict)

    def add(self, currency: str, use: Use, cents: int) -> None:
        """Add to what is to be paid of a use."""
        nets = self.by_currency.setdefault(currency, {})
        nets[use] = nets.get(use, 0) + cents


async def promise_waiting(unit: Unit) -> None:
    """Promise a look at the wallets of all customers who were noted, in shards."""
    ids = [str(customer_id) for customer_id in await wallet_refreshes.waiting(unit)]
    for start in range(0, len(ids), SHARD_SIZE):
        unit.promise(wallet_ledger.REFRESH_TOPIC, {"customer_ids": ids[start : start + SHARD_SIZE]})


async def refresh(unit: Unit, events: EventStore, customer_ids: Sequence[UUID]) -> None:
    """Compute anew what usage leaves of all wallets of customers that were noted.

    Then rules and alerts are looked at. Running it twice, or for somebody whose note another one
    took, changes nothing. Customers are locked in one order.
    """
    for customer_id in sorted(customer_ids):
        await customers.lock(unit, customer_id)
    noted = await wallet_refreshes.take(unit, customer_ids)
    found = await wallets.active_of(unit, noted)
    owners = {wallet.customer_id for wallet in found}
    nets = await _nets(unit, events, owners)
    changed: list[Wallet] = []
    for customer_id in sorted(owners):
        held = [wallet for wallet in found if wallet.customer_id == customer_id]
        changed += _allocate(unit, held, nets[customer_id])
    await unit.flush()
    for wallet in changed:
        await wallet_rules.check_threshold(unit, wallet)
    await wallet_alerts.evaluate(unit, found)


def _allocate(unit: Unit, held: Sequence[Wallet], nets: Nets) -> list[Wallet]:
    """Write what usage takes of a customer's wallets; returns those for which it has changed."""
    changed = []
    for currency in {wallet.currency for wallet in held}:
        same = [wallet for wallet in held if wallet.currency == currency]
        pockets = [
            wallet_payments.pocket(
                one, is_refilled=wallet_rules.threshold_of(unit, one) is not None
            )
            for one in same
        ]
        taken = foreseen(pockets, nets.by_currency.get(currency, {}))
        changed += [one for one, cents in zip(same, taken, strict=True) if _write(unit, one, cents)]
    return changed


def _write(unit: Unit, wallet: Wallet, usage_cents: int) -> bool:
    left_cents = wallet.balance_cents - usage_cents
    before = (wallet.ongoing_usage_balance_cents, wallet.ongoing_balance_cents)
    rate, currency = wallet.rate_amount, wallet.currency
    wallet.ongoing_usage_balance_cents = usage_cents
    wallet.ongoing_balance_cents = left_cents
    wallet.credits_ongoing_usage_balance = credits_of(usage_cents, rate, currency)
    wallet.credits_ongoing_balance = credits_of(left_cents, rate, currency)
    wallet.last_balance_sync_at = unit.now
    if left_cents > 0:
        wallet.is_depleted = False
    elif not wallet.is_depleted:
        wallet.is_depleted = True
        wallet_ledger.tell(unit, wallet, "depleted_ongoing_balance")
    return before != (usage_cents, left_cents)


async def _nets(unit: Unit, events: EventStore, owners: set[UUID]) -> Mapping[UUID, Nets]:
    """Return what each customer is to pay: usage, and drafts, less what was billed progressively.

    Usage that is billed in advance is paid for already (4.5.1).
    """
    found = {customer_id: Nets() for customer_id in owners}
    rows = await wallet_refreshes.active_subscriptions(unit, owners)
    await _add_usage(unit, events, rows, found)
    drafts = await wallets.drafts_of(unit, owners)
    billed = await _progressive(unit, rows)
    fees = await wallets.fees_on(unit, [one.id for one in (*drafts, *billed)])
    charges = await wallets.charges_of(unit, fees)
    owed = {invoice.id: 1 for invoice in drafts} | {invoice.id: -1 for invoice in billed}
    customer_of = {invoice.id: invoice.customer_id for invoice in (*drafts, *billed)}
    for fee in fees:
        assert fee.invoice_id is not None, "it was found by its invoice"
        use = wallet_payments.use_of(fee, charges)
        cents = owed[fee.invoice_id] * _cents(fee)
        found[customer_of[fee.invoice_id]].add(fee.amount_currency, use, cents)
    return found


async def _add_usage(
    unit: Unit, events: EventStore, rows: Sequence[Subscription], found: Mapping[UUID, Nets]
) -> None:
    rules = await TaxRules.load(unit, rows)
    wanted = [
        Wanted(
            row,
            current_window(row, unit.now),
            [charge for charge in row.plan.charges if not charge.pay_in_advance],
        )
        for row in rows
    ]
    for one, priced in zip(wanted, await price_windows(unit, events, wanted), strict=True):
        nets = found[one.subscription.customer_id]
        for charge in priced:
            for fee in charge.fees:
                cents = fee.amount_cents + _tax_cents(one.subscription, fee, rules)
                nets.add(one.subscription.plan.amount_currency, _use(fee), cents)


def _use(fee: PricedFee) -> Use:
    charge = fee.metering.charge
    target = fee.grouped_by.get(TARGET_WALLET) if charge.accepts_target_wallet else None
    return Use("charge", charge.billable_metric_id, target)


def _tax_cents(subscription: Subscription, fee: PricedFee, rules: TaxRules) -> int:
    line = FeeLine(
        key=None,
        amount_cents=fee.amount_cents,
        precise_amount_cents=fee.precise_amount_cents,
        taxes=rules.for_fee(subscription.customer, subscription.plan_id, fee.metering.charge.id),
    )
    return tax_fee(line).taxes_amount_cents


async def _progressive(unit: Unit, rows: Sequence[Subscription]) -> list[Invoice]:
    """Return the progressive invoices of the running periods; each leaves off those before it."""
    windows = {row.id: current_window(row, unit.now) for row in rows}
    if not windows:
        return []
    since = min(window.start for window in windows.values())
    return [
        invoice
        for invoice, subscription_id, billed_at in await wallets.progressive_since(
            unit, sorted(windows), since
        )
        if billed_at >= windows[subscription_id].start
    ]


def _cents(fee: Fee) -> int:
    """Return what a fee comes to with its taxes and without what was taken off it."""
    with exact_context():
        return round_half_up(
            fee.amount_cents + fee.taxes_amount_cents - fee.precise_coupons_amount_cents
        )
