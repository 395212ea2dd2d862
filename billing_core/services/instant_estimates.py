"""The price of one event by itself: whatever was used before, and before taxes."""

from collections.abc import Sequence
from decimal import Decimal

from billing_core.domain.charges import Noted, Price, Terms
from billing_core.domain.charges.percentage import Percentage
from billing_core.domain.charges.standard import Standard
from billing_core.domain.errors import Invalid
from billing_core.domain.metrics import apply_rounding, numeric, property_text
from billing_core.domain.money import (
    exact_context,
    minor_from_major,
    precise_minor,
)
from billing_core.domain.pricing_units import exchange
from billing_core.ids import new_id
from billing_core.services.advance_fees import in_advance
from billing_core.services.charge_fees import charge_item
from billing_core.services.estimates import NO_CHARGE, checked, metric_of, subscription_of
from billing_core.services.intake_rules import IntakeRules
from billing_core.services.tariffs import Tariff, tariff_of
from billing_core.store.tables import BillableMetric, Charge, Subscription
from billing_core.store.unit import Unit
from billing_core.wire.codec import decode
from billing_core.wire.estimates import NEVER_MADE, InstantFeeOut
from billing_core.wire.events import CheckedEvent, EventIn
from billing_core.wire.fees import FeeItemOut

ZERO = Decimal(0)
ONE = Decimal(1)
MODELS = frozenset({"standard", "percentage"})


async def fees(unit: Unit, sent: EventIn, rules: IntakeRules) -> list[InstantFeeOut]:
    """Return what an event costs by each standard and percentage charge in advance.

    Refuses as `estimates.fees` does (`docs/rules/metering.md` 1.9).
    """
    subscription = await subscription_of(unit, sent)
    event = checked(unit, sent, rules)
    await metric_of(unit, event.code)
    charges = _eligible(subscription, event.code)
    if not charges:
        raise Invalid.field(*NO_CHARGE)
    return [_fee(subscription, charge, event, _name(sent)) for charge in charges]


async def batch(unit: Unit, sent: Sequence[EventIn], rules: IntakeRules) -> list[InstantFeeOut]:
    """Return the fees of several events; one that nothing in advance prices brings none.

    Refuses an event without an active subscription, or of one whose plan has no charge for it.
    """
    found = []
    for one in sent:
        subscription = await subscription_of(unit, one)
        event = checked(unit, one, rules)
        if not any(_is_eligible(charge) for charge in subscription.plan.charges):
            raise Invalid.field(*NO_CHARGE)
        found += [
            _fee(subscription, charge, event, _name(one))
            for charge in _eligible(subscription, event.code)
        ]
    return found


def _eligible(subscription: Subscription, code: str) -> list[Charge]:
    return [charge for charge in in_advance(subscription, code) if _is_eligible(charge)]


def _is_eligible(charge: Charge) -> bool:
    return charge.pay_in_advance and charge.charge_model in MODELS


def _name(sent: EventIn) -> str:
    given = sent.transaction_id
    return given if isinstance(given, str) and given else str(new_id())


def _fee(
    subscription: Subscription, charge: Charge, event: CheckedEvent, transaction_id: str
) -> InstantFeeOut:
    properties = decode(event.properties)
    tariff = tariff_of(charge)
    keys = tariff.buckets.dimensions()
    bucket = tariff.buckets.of({key: property_text(properties.get(key)) for key in keys})
    row = tariff.filter_of(bucket)
    units = _units(charge.metric, properties.get(charge.metric.field_name or ""))
    currency = subscription.plan.amount_currency
    price = _price(tariff, tariff.terms_of(bucket), units)
    cents = Decimal(minor_from_major(price.amount, currency))
    given = {
        "lago_charge_id": charge.id,
        "lago_charge_filter_id": row and row.id,
        "lago_subscription_id": subscription.id,
        "external_subscription_id": subscription.external_id,
        "lago_customer_id": subscription.customer_id,
        "external_customer_id": subscription.customer.external_id,
        "item": FeeItemOut.model_validate(charge_item(charge, row, {})),
        "invoiceable": charge.invoiceable,
        "amount_cents": cents,
        "amount_currency": currency,
        "precise_amount": price.amount,
        "precise_total_amount": price.amount,
        "total_amount_cents": cents,
        "total_amount_currency": currency,
        "units": units,
        "precise_unit_amount": precise_minor(price.unit_amount, currency),
        "event_transaction_id": transaction_id,
    }
    return InstantFeeOut.model_validate({**NEVER_MADE, **given}, by_name=True)


def _units(metric: BillableMetric, value: object) -> Decimal:
    """Return the number that the event brings: 1 where the metric reads nothing."""
    units = ONE if metric.field_name is None else numeric(property_text(value)) or ZERO
    return apply_rounding(units, metric.rounding_function, metric.rounding_precision)


def _price(tariff: Tariff, terms: Terms, units: Decimal) -> Price:
    """Price units as if they were all there is; fixed amounts and limits hold at zero, too."""
    with exact_context():
        if units < ZERO:
            amount = ZERO
        elif isinstance(terms, Percentage):
            amount = units * terms.share + terms.fixed_amount
            amount = max(amount, terms.per_transaction_min_amount or amount)
            most = terms.per_transaction_max_amount
            amount = amount if most is None else min(amount, most)
        else:
            assert isinstance(terms, Standard), "no other model is eligible"
            amount = units * terms.amount
    price = Price(amount, max(units, ZERO), Noted())
    rate = tariff.conversion_rate
    return price if rate is None else exchange(price, rate).price
