"""Current usage of a subscription, priced as its invoice would be."""

from dataclasses import dataclass
from typing import Any

from billing_core.domain.calendar import Window, local_date
from billing_core.domain.errors import NotAllowed, NotFound
from billing_core.domain.invoice import FeeLine, assemble
from billing_core.ports import EventStore
from billing_core.services.pricing import PricedCharge, price_windows
from billing_core.services.shapes.subscriptions import current_window
from billing_core.services.tax_rules import TaxRules
from billing_core.store import customers, subscriptions
from billing_core.store.tables import Subscription
from billing_core.store.unit import Unit
from billing_core.wire.usage import ChargeUsageOut, UsageOut


@dataclass(frozen=True, slots=True)
class UsageWish:
    """What a caller of current usage asks for."""

    external_subscription_id: str | None
    apply_taxes: bool = True
    charge_id: str | None = None
    charge_code: str | None = None
    billable_metric_code: str | None = None


async def current(
    unit: Unit, events: EventStore, external_customer_id: str, wish: UsageWish
) -> UsageOut:
    """Return the usage of the current charges period (`docs/rules/metering.md` 5.1).

    Raises `NotFound("customer")`, `NotAllowed("no_active_subscription")`, `NotFound("charge")`.
    """
    customer = await customers.by_external_id(unit, external_customer_id)
    if customer is None:
        raise NotFound("customer")
    external_id = wish.external_subscription_id
    subscription = external_id and await subscriptions.newest(unit, external_id, "active")
    if not subscription or subscription.customer_id != customer.id:
        raise NotAllowed("no_active_subscription")
    window = current_window(subscription, unit.now)
    (priced,) = await price_windows(unit.org_id, events, [(subscription, window)])
    chosen = _chosen(priced, wish)
    taxes = 0
    if wish.apply_taxes:
        rules = await TaxRules.load(unit, [subscription])
        taxes = assemble([_line(subscription, one, rules) for one in chosen]).taxes_amount_cents
    return _out(subscription, window, chosen, taxes)


def _chosen(priced: list[PricedCharge], wish: UsageWish) -> list[PricedCharge]:
    tests = (
        (wish.charge_id, lambda one: str(one.charge.id)),
        (wish.charge_code, lambda one: one.charge.code),
        (wish.billable_metric_code, lambda one: one.charge.metric.code),
    )
    for wanted, name_of in tests:
        if wanted:
            found = [one for one in priced if name_of(one) == wanted]
            if not found:
                raise NotFound("charge")
            return found
    return sorted(priced, key=lambda one: one.charge.metric.name.lower())


def _line(subscription: Subscription, one: PricedCharge, rules: TaxRules) -> FeeLine:
    return FeeLine(
        key=one.charge.id,
        amount_cents=one.amount_cents,
        precise_amount_cents=one.precise_amount_cents,
        taxes=rules.for_fee(subscription.customer, subscription.plan_id, one.charge.id),
    )


def _out(
    subscription: Subscription, window: Window, chosen: list[PricedCharge], taxes: int
) -> UsageOut:
    amount = sum(one.amount_cents for one in chosen)
    currency = subscription.plan.amount_currency
    return UsageOut(
        from_datetime=window.start,
        to_datetime=window.last,
        issuing_date=local_date(window.end, subscription.customer.applicable_timezone),
        lago_invoice_id=None,
        currency=currency,
        amount_cents=amount,
        taxes_amount_cents=taxes,
        total_amount_cents=amount + taxes,
        charges_usage=[_charge_out(one, currency) for one in chosen],
    )


def _charge_out(one: PricedCharge, currency: str) -> ChargeUsageOut:
    charge, metric = one.charge, one.charge.metric
    described: dict[str, Any] = {
        "lago_id": str(charge.id),
        "code": charge.code,
        "charge_model": charge.charge_model,
        "invoice_display_name": charge.invoice_display_name,
    }
    measured: dict[str, Any] = {
        "lago_id": str(metric.id),
        "name": metric.name,
        "code": metric.code,
        "aggregation_type": metric.aggregation_type,
    }
    return ChargeUsageOut(
        units=one.units,
        total_aggregated_units=one.total_aggregated_units,
        events_count=one.events_count,
        amount_cents=one.amount_cents,
        amount_currency=currency,
        pricing_unit_details=None,
        charge=described,
        billable_metric=measured,
        filters=[],
        grouped_usage=[],
        presentation_breakdowns=[],
    )
