"""The fees of a usage charge on an invoice: one per bucket and group, and its minimum spend."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing_core.domain.charges import Price
from billing_core.domain.money import exact_context, minor_from_major, plain, precise_minor
from billing_core.domain.pricing_units import exchange
from billing_core.domain.true_up import true_up
from billing_core.services.metering import Metering
from billing_core.services.pricing import PricedCharge, PricedFee, unit_details
from billing_core.services.shapes.fees import item
from billing_core.services.shapes.usage import breakdowns_out
from billing_core.services.tariffs import invoiced_presentation_keys
from billing_core.store.tables import Charge, ChargeFilter, Fee, Invoice
from billing_core.store.unit import Unit
from billing_core.wire.dates import instant_text

ZERO = Decimal(0)
ONE = Decimal(1)


def charge_fees(unit: Unit, invoice: Invoice, charge: PricedCharge) -> list[Fee]:
    """Return the fees that an invoice keeps of a priced charge, its true-up fee last, if any.

    A fee without units, events and amount is left out, unless a true-up completes it: that is the
    first one of the default bucket (`docs/rules/metering.md` 3.2 and 3.14).
    """
    missing = _missing(charge)
    parent = next(one for one in charge.fees if one.filter is None)
    kept = [one for one in charge.fees if not one.is_empty or (missing and one is parent)]
    fees = [charge_fee(unit, invoice, one) for one in kept]
    if missing is not None:
        completed = next(fee for fee, one in zip(fees, kept, strict=True) if one is parent)
        fees.append(_true_up_fee(unit, invoice, charge.metering, missing, completed))
    return fees


def charge_fee(unit: Unit, invoice: Invoice | None, one: PricedFee, **given: Any) -> Fee:
    """Return the fee of one bucket and group; without an invoice it stands alone.

    `given` are columns that only fees in advance have.
    """
    return _fee(
        unit,
        invoice,
        one.metering,
        charge_filter_id=one.filter and one.filter.id,
        amount_cents=one.amount_cents,
        precise_amount_cents=one.precise_amount_cents,
        units=one.units,
        total_aggregated_units=one.measured.total_aggregated_units,
        precise_unit_amount=one.price.unit_amount,
        unit_amount_cents=one.unit_amount_cents,
        events_count=one.events_count,
        grouped_by=one.grouped_by,
        pricing_unit_details=one.pricing_unit_details,
        presentation_breakdowns=_shown_breakdowns(one),
        item=charge_item(one.metering.charge, one.filter, one.grouped_by),
        amount_details=one.price.details,
        explanation=_explanation(one),
        **given,
    )


@dataclass(frozen=True, slots=True)
class _Missing:
    """What usage is short of the minimum spend, in the plan's money."""

    price: Price
    precise_amount_cents: Decimal
    pricing_unit_details: dict[str, Any] | None


def _missing(charge: PricedCharge) -> _Missing | None:
    """Compare the charge's fees with the minimum for the window's days, in its pricing unit."""
    metering, minimum = charge.metering, charge.charge.min_amount_cents
    if not minimum:
        return None
    in_unit = [one.pricing_unit_details for one in charge.fees if one.pricing_unit_details]
    used = sum(one["amount_cents"] for one in in_unit)
    with exact_context():
        precise = sum((Decimal(one["precise_amount_cents"]) for one in in_unit), ZERO)
        if metering.tariff.conversion_rate is None:
            used = sum(one.amount_cents for one in charge.fees)
            precise = sum((one.precise_amount_cents for one in charge.fees), ZERO)
    span, subunit = metering.span, metering.subunit
    found = true_up(minimum, span.days, span.period_days, used, precise, subunit=subunit)
    if found is None:
        return None
    rate, unit = metering.tariff.conversion_rate, charge.charge.pricing_unit
    if rate is None or unit is None:
        return _Missing(found.price, found.precise_minor, None)
    exchanged = exchange(found.price, rate)
    cents = precise_minor(exchanged.price.amount, metering.currency)
    return _Missing(exchanged.price, cents, unit_details(unit, rate, exchanged))


def _true_up_fee(
    unit: Unit, invoice: Invoice, metering: Metering, missing: _Missing, completed: Fee
) -> Fee:
    amount = minor_from_major(missing.price.amount, metering.currency)
    return _fee(
        unit,
        invoice,
        metering,
        true_up_parent_fee_id=completed.id,
        amount_cents=amount,
        precise_amount_cents=missing.precise_amount_cents,
        units=ONE,
        total_aggregated_units=ONE,
        precise_unit_amount=missing.price.unit_amount,
        unit_amount_cents=amount,
        events_count=0,
        grouped_by=completed.grouped_by,
        pricing_unit_details=missing.pricing_unit_details,
        item=completed.item,
        explanation={**_covered(metering), "steps": list(missing.price.steps)},
    )


def _fee(unit: Unit, invoice: Invoice | None, metering: Metering, **given: Any) -> Fee:
    subscription = metering.wanted.subscription
    return Fee(
        org_id=unit.org_id,
        created_at=unit.now if invoice is None else invoice.created_at,
        updated_at=unit.now,
        invoice_id=None if invoice is None else invoice.id,
        customer_id=subscription.customer_id,
        subscription_id=subscription.id,
        external_subscription_id=subscription.external_id,
        charge_id=metering.charge.id,
        fee_type="charge",
        amount_currency=metering.currency,
        from_datetime=metering.billed.start,
        to_datetime=metering.billed.end,
        **given,
    )


def charge_item(
    charge: Charge, charge_filter: ChargeFilter | None, grouped_by: dict[str, str | None]
) -> dict[str, Any]:
    """Return what a fee of a charge, one of its filters and a group is for."""
    metric = charge.metric
    return item(
        "charge",
        metric.code,
        metric.name,
        charge.invoice_display_name,
        metric.id,
        description=metric.description,
        grouped_by=grouped_by,
        filters=None if charge_filter is None else charge_filter.values,
        filter_display_name=None if charge_filter is None else charge_filter.invoice_display_name,
    )


def _shown_breakdowns(one: PricedFee) -> list[dict[str, Any]]:
    """Sum the breakdowns over the presentation keys that invoices do not show."""
    shown = invoiced_presentation_keys(one.metering.charge)
    if not shown:
        return []
    kept = [
        {tuple(pair for pair in pairs if pair[0] in shown): units}
        for pairs, units in one.measured.breakdowns.items()
    ]
    return [{**breakdown, "units": plain(breakdown["units"])} for breakdown in breakdowns_out(kept)]


def _explanation(one: PricedFee) -> dict[str, Any]:
    """Say how the fee came about: what was counted, and the steps that add up to its amount."""
    usage, metric, charge_filter = one.measured.usage, one.metering.metric, one.filter
    return {
        **_covered(one.metering),
        "filter": charge_filter and charge_filter.values,
        "grouped_by": one.grouped_by,
        "aggregation": {
            "type": metric.aggregation_type,
            "events_count": usage.events_count,
            "units": plain(one.measured.aggregated),
            "carried_units": plain(one.measured.carried),
            "rounding_function": metric.rounding_function,
            "rounding_precision": metric.rounding_precision,
            "priced_units": plain(usage.units),
            "shown_units": plain(one.units),
        },
        "steps": list(one.price.steps),
    }


def _covered(metering: Metering) -> dict[str, Any]:
    window = metering.billed
    return {
        "charge_model": metering.charge.charge_model,
        "currency": metering.currency,
        "from_datetime": instant_text(window.start),
        "to_datetime": instant_text(window.last),
    }
