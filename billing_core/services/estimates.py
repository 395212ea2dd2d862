"""What an event would cost in advance, on top of the usage there is; nothing of it is kept."""

from decimal import Decimal

from msgspec.structs import replace

from billing_core.domain.charges import Noted, Price, charge_price
from billing_core.domain.errors import Invalid, NotFound
from billing_core.domain.filters import Bucket
from billing_core.domain.metrics import numeric, property_text
from billing_core.domain.money import exact_context, round_half_up
from billing_core.ports import EventStore
from billing_core.services import advance_pricing, fee_taxes
from billing_core.services.advance_fees import in_advance
from billing_core.services.advance_pricing import Sale, Step
from billing_core.services.charge_fees import charge_fee
from billing_core.services.events import computed
from billing_core.services.intake_rules import IntakeRules
from billing_core.services.metering import meters_of
from billing_core.services.shapes import fees as shapes
from billing_core.services.shapes.subscriptions import current_window
from billing_core.store import catalog, subscriptions
from billing_core.store.tables import BillableMetric, Fee, Subscription
from billing_core.store.unit import Unit
from billing_core.wire.codec import decode
from billing_core.wire.estimates import EstimatedFeeOut
from billing_core.wire.events import CheckedEvent, EventIn, check_event, instant_us

ZERO = Decimal(0)
ONE = Decimal(1)
NUMERIC = frozenset({"sum_agg", "max_agg", "latest_agg"})
NO_CHARGE = ("code", "does_not_match_an_instant_charge")


async def fees(
    unit: Unit, events: EventStore, sent: EventIn, rules: IntakeRules
) -> list[EstimatedFeeOut]:
    """Return the fees that an event, were it sent now, would bring (`docs/rules/metering.md` 1.9).

    The unit must not be committed. Refuses, in this order: `NotFound("subscription")`, `Invalid`
    for the timestamp or the expression, `NotFound("billable_metric")`, `Invalid` for a property
    that is no number and for a code that nothing in advance prices.
    """
    subscription = await subscription_of(unit, sent)
    event = checked(unit, sent, rules)
    metric = await metric_of(unit, event.code)
    text = property_text(decode(event.properties).get(metric.field_name or ""))
    if metric.aggregation_type in NUMERIC and text is not None and numeric(text) is None:
        raise Invalid.field("properties", "value_is_not_valid_number")
    charges = list(in_advance(subscription, event.code))
    if not charges:
        raise Invalid.field(*NO_CHARGE)
    meter = (await meters_of(unit, [metric]))[metric.id]
    window = current_window(subscription, unit.now)
    rows = [
        await _fee(unit, events, Sale(subscription, charge, window, meter), event, text)
        for charge in charges
    ]
    await fee_taxes.tax_alone(unit, subscription, rows)
    return [
        EstimatedFeeOut.model_validate({**dict(shape), "lago_id": None}, by_name=True)
        for shape in await shapes.several(unit, rows)
    ]


async def subscription_of(unit: Unit, sent: EventIn) -> Subscription:
    """Return the active subscription an event names, or refuse."""
    name = sent.external_subscription_id
    found = await subscriptions.newest(unit, name, "active") if isinstance(name, str) else None
    if found is None:
        raise NotFound("subscription")
    return found


def checked(unit: Unit, sent: EventIn, rules: IntakeRules) -> CheckedEvent:
    """Return an event as it would be stored, or raise `Invalid`; ids need not be given."""
    named = replace(sent, transaction_id="-", code=sent.code or "-")
    event = computed(check_event(named, instant_us(unit.now)), rules)
    if not isinstance(event, CheckedEvent):
        raise Invalid(event)
    return event


async def metric_of(unit: Unit, code: str) -> BillableMetric:
    """Return the live metric of a code, or refuse."""
    metric = await catalog.metric_by_code(unit, code)
    if metric is None:
        raise NotFound("billable_metric")
    return metric


async def _fee(
    unit: Unit, events: EventStore, sale: Sale, event: CheckedEvent, text: str | None
) -> Fee:
    properties = decode(event.properties)
    bucket = sale.bucket_of(properties)
    standing = await advance_pricing.standing_now(unit, events, sale, bucket)
    operation = property_text(properties.get("operation_type"))
    value, values = await _value(unit, events, sale, bucket, (text, operation))
    amount = Decimal(event.precise_total_amount_cents or 0)
    step = Step(standing, standing.high.after(value), amount, values)
    price = _price(unit, sale, bucket, step)
    fee = charge_fee(
        unit,
        None,
        advance_pricing.priced(sale, bucket, step, price),
        pay_in_advance=True,
        invoiceable=sale.charge.invoiceable,
    )
    fee.amount_details = {}
    return fee


async def _value(
    unit: Unit,
    events: EventStore,
    sale: Sale,
    bucket: Bucket,
    sent: tuple[str | None, str | None],
) -> tuple[Decimal, list[Decimal]]:
    """Return what the event would add, and the numbers of all events where the terms need them.

    `sent` are the value and the operation of a unique count.
    """
    if sale.aggregation == "count_agg":
        return ONE, []
    text, operation = sent
    is_unique = sale.aggregation == "unique_count_agg"
    value = numeric(text) or ZERO
    if not is_unique and not sale.tariff.terms_of(bucket).needs_values:
        return value, []
    query = sale.query(sale.window.end)
    found = await advance_pricing.events_of(unit, events, query, bucket)
    if is_unique:
        last = next((one for one in reversed(found) if one.value == text), None)
        is_there = last is not None and last.operation != "remove"
        value = ZERO
        if text is not None and is_there == (operation == "remove"):
            value = -ONE if is_there else ONE
    return value, [*(numeric(one.value) or ZERO for one in found), value]


def _price(unit: Unit, sale: Sale, bucket: Bucket, step: Step) -> Price:
    """Price the usage with the event less the usage without it.

    Without any usage, too, the first flat amount is taken off: estimates understate the first event
    of a period (`docs/rules/metering.md` 1.9 and 8.25).
    """
    if sale.charge.prorated:
        return advance_pricing.price_of(sale, bucket, step, unit.now)
    terms = sale.tariff.terms_of(bucket)
    before, after = (charge_price(terms, usage, sale.aggregation) for usage in step.usages(sale))
    subunit = step.subunit(sale)
    with exact_context():
        amount = max(after.amount - before.amount, ZERO)
        rounded = Decimal(round_half_up(amount * subunit)) / subunit
    return Price(amount, step.rise.delta, Noted(), rounded)
