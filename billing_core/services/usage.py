"""Current usage of a subscription, priced as its invoice would be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from billing_core.domain.calendar import Window, local_date
from billing_core.domain.errors import NotAllowed, NotFound
from billing_core.domain.invoice import FeeLine, assemble
from billing_core.domain.money import plain
from billing_core.ports import EventStore
from billing_core.services.metering import Wanted
from billing_core.services.pricing import PricedCharge, PricedFee, price_windows
from billing_core.services.shapes.subscriptions import current_window
from billing_core.services.shapes.usage import FilterName, UsagePart, charge_usage
from billing_core.services.tariffs import Narrowing, tariff_of
from billing_core.services.tax_rules import TaxRules
from billing_core.store import customers, subscriptions
from billing_core.store.tables import Charge, Subscription
from billing_core.store.unit import Unit
from billing_core.wire.usage import UsageOut


@dataclass(frozen=True, slots=True)
class UsageWish:
    """What a caller of current usage asks for."""

    external_subscription_id: str | None
    apply_taxes: bool = True
    charge_id: str | None = None
    charge_code: str | None = None
    billable_metric_code: str | None = None
    narrowing: Narrowing = field(default_factory=Narrowing)
    full_usage: bool = False

    @property
    def names_charges(self) -> bool:
        """Whether only some charges are asked for."""
        return bool(self.charge_id or self.charge_code or self.billable_metric_code)


@dataclass(frozen=True, slots=True)
class PricedUsage:
    """The priced charges of a subscription in a window, and the taxes on them in minor units."""

    subscription: Subscription
    window: Window
    charges: list[PricedCharge]
    taxes_amount_cents: int

    def totals(self) -> dict[str, Any]:
        """Return the period and its amounts, as every shape of usage shows them."""
        tz = self.subscription.customer.applicable_timezone
        amount = sum(fee.amount_cents for charge in self.charges for fee in charge.fees)
        return {
            "from_datetime": self.window.start,
            "to_datetime": self.window.last,
            "issuing_date": local_date(self.window.end, tz),
            "lago_invoice_id": None,
            "currency": self.subscription.plan.amount_currency,
            "amount_cents": amount,
            "taxes_amount_cents": self.taxes_amount_cents,
            "total_amount_cents": amount + self.taxes_amount_cents,
        }


async def current(
    unit: Unit, events: EventStore, external_customer_id: str, wish: UsageWish
) -> UsageOut:
    """Return the usage of the current charges period (`docs/rules/metering.md` 5.1).

    Raises what `priced_usage` does.
    """
    usage = await priced_usage(unit, events, external_customer_id, wish)
    currency = usage.subscription.plan.amount_currency
    shown = [
        charge_usage(
            charge.charge,
            [usage_part(fee) for fee in charge.fees],
            currency,
            pricing_unit_of(charge.charge),
        )
        for charge in usage.charges
    ]
    return UsageOut(**usage.totals(), charges_usage=shown)


async def priced_usage(
    unit: Unit, events: EventStore, external_customer_id: str, wish: UsageWish
) -> PricedUsage:
    """Price a subscription's current period up to its end, charges in advance included.

    Charges are in the order of their metrics' names, unless some were asked for. Raises
    `NotFound("customer")`, `NotAllowed("no_active_subscription")`, `NotFound("charge")` and
    `NotAllowed("full_usage_not_allowed")`.
    """
    customer = await customers.by_external_id(unit, external_customer_id)
    if customer is None:
        raise NotFound("customer")
    external_id = wish.external_subscription_id
    subscription = external_id and await subscriptions.newest(unit, external_id, "active")
    if not subscription or subscription.customer_id != customer.id:
        raise NotAllowed("no_active_subscription")
    chosen = _chosen(subscription.plan.charges, wish)
    window = current_window(subscription, unit.now)
    if wish.full_usage:
        window = _since_start(subscription, window, chosen, wish)
    wanted = Wanted(subscription, window, chosen, wish.narrowing)
    (priced,) = await price_windows(unit, events, [wanted])
    taxes = 0
    if wish.apply_taxes:
        rules = await TaxRules.load(unit, [subscription])
        lines = [_line(subscription, fee, rules) for one in priced for fee in one.fees]
        taxes = assemble(lines).taxes_amount_cents
    return PricedUsage(subscription, window, priced, taxes)


def usage_part(fee: PricedFee) -> UsagePart:
    """Return a fee as a part of its charge's usage."""
    in_unit, name = fee.pricing_unit_details, None
    if fee.filter is not None:
        name = FilterName(fee.filter.id, fee.filter.values, fee.filter.invoice_display_name)
    return UsagePart(
        filter_name=name,
        grouped_by=fee.grouped_by,
        units=fee.units,
        total_aggregated_units=fee.measured.total_aggregated_units,
        events_count=fee.events_count,
        amount_cents=fee.amount_cents,
        pricing_unit_cents=in_unit["amount_cents"] if in_unit else 0,
        breakdowns=fee.measured.breakdowns,
    )


def pricing_unit_of(charge: Charge) -> Mapping[str, Any] | None:
    """Return what usage shows of a charge's pricing unit, None where money is the unit."""
    if charge.pricing_unit is None or charge.conversion_rate is None:
        return None
    return {
        "short_name": charge.pricing_unit.short_name,
        "conversion_rate": plain(charge.conversion_rate),
    }


def _chosen(charges: Sequence[Charge], wish: UsageWish) -> list[Charge]:
    """Pick the charges asked for, and of these the ones that know the groups asked for."""
    tests = (
        (wish.charge_id, lambda charge: str(charge.id)),
        (wish.charge_code, lambda charge: charge.code),
        (wish.billable_metric_code, lambda charge: charge.metric.code),
    )
    chosen = sorted(charges, key=lambda charge: charge.metric.name.lower())
    for wanted, name_of in tests:
        if wanted:
            chosen = [charge for charge in charges if name_of(charge) == wanted]
            if not chosen:
                raise NotFound("charge")
            break
    groups = wish.narrowing.groups
    return [charge for charge in chosen if not groups or _is_grouped_by(charge, groups)]


def _is_grouped_by(charge: Charge, groups: Mapping[str, Any]) -> bool:
    keys = {key for group in tariff_of(charge).buckets.group_keys for key in group}
    return keys.issuperset(groups)


def _since_start(
    subscription: Subscription, window: Window, chosen: Sequence[Charge], wish: UsageWish
) -> Window:
    """Widen the window to everything since the subscription started, where that has a meaning."""
    is_narrowed = wish.names_charges or wish.narrowing.groups
    if not is_narrowed or any(charge.prorated for charge in chosen):
        raise NotAllowed("full_usage_not_allowed")
    return Window(subscription.started_at or window.start, window.end)


def _line(subscription: Subscription, fee: PricedFee, rules: TaxRules) -> FeeLine:
    charge_id = fee.metering.charge.id
    return FeeLine(
        key=(charge_id, fee.measured.bucket),
        amount_cents=fee.amount_cents,
        precise_amount_cents=fee.precise_amount_cents,
        taxes=rules.for_fee(subscription.customer, subscription.plan_id, charge_id),
    )
