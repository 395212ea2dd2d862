"""Past usage of a subscription, as it was billed."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing_core.domain.calendar import local_date
from billing_core.domain.errors import Invalid, NotFound
from billing_core.services.shapes.usage import FilterName, UsagePart, charge_usage
from billing_core.store import catalog, past_usage
from billing_core.store.tables import Charge, Fee, Invoice, InvoiceSubscription
from billing_core.store.unit import Unit
from billing_core.wire.dates import last_instant
from billing_core.wire.pages import Page
from billing_core.wire.usage import ChargeUsageOut, UsageOut


@dataclass(frozen=True, slots=True)
class PastWish:
    """What a caller of past usage asks for; `periods_count` None means all there are."""

    external_subscription_id: str | None
    billable_metric_code: str | None = None
    periods_count: int | None = None


async def page(
    unit: Unit, external_customer_id: str, wish: PastWish, wanted: Page
) -> tuple[list[UsageOut], int]:
    """List the billed charges periods, newest first (`docs/rules/metering.md` 5.2).

    The amounts are those of the whole invoice; only the charges are narrowed to a metric. Raises
    `Invalid` without a subscription and `NotFound("billable_metric")`; an unknown customer or
    subscription has no periods.
    """
    if not wish.external_subscription_id:
        raise Invalid.field("external_subscription_id", "value_is_mandatory")
    code = wish.billable_metric_code
    if code and await catalog.metric_by_code(unit, code) is None:
        raise NotFound("billable_metric")
    periods, total = await past_usage.periods(
        unit, external_customer_id, wish.external_subscription_id, wish.periods_count, wanted
    )
    ids = [invoice.id for _, invoice in periods]
    taxes = await past_usage.taxes_of_invoices(unit, ids)
    fees = [
        (fee, charge)
        for fee, charge in await past_usage.usage_fees(unit, ids)
        if not code or charge.metric.code == code
    ]
    shown = [
        _period(line, invoice, taxes.get(invoice.id, 0), _of_line(fees, line))
        for line, invoice in periods
    ]
    return shown, total


def _of_line(
    fees: Sequence[tuple[Fee, Charge]], line: InvoiceSubscription
) -> list[tuple[Fee, Charge]]:
    return [
        (fee, charge)
        for fee, charge in fees
        if fee.invoice_id == line.invoice_id and fee.subscription_id == line.subscription_id
    ]


def _period(
    line: InvoiceSubscription, invoice: Invoice, taxes: int, fees: Sequence[tuple[Fee, Charge]]
) -> UsageOut:
    assert line.charges_from_datetime is not None, "only lines with a charges period are listed"
    assert line.charges_to_datetime is not None, "a period has two ends"
    last = last_instant(line.charges_to_datetime)
    return UsageOut(
        from_datetime=line.charges_from_datetime,
        to_datetime=last,
        issuing_date=local_date(last, invoice.timezone),
        lago_invoice_id=invoice.id,
        currency=invoice.currency,
        amount_cents=invoice.fees_amount_cents,
        taxes_amount_cents=taxes,
        total_amount_cents=invoice.fees_amount_cents + taxes,
        charges_usage=_charges(fees, invoice.currency),
    )


def _charges(fees: Sequence[tuple[Fee, Charge]], currency: str) -> list[ChargeUsageOut]:
    by_charge: dict[str, list[Fee]] = {}
    charges = {str(charge.id): charge for _, charge in fees}
    for fee, charge in fees:
        by_charge.setdefault(str(charge.id), []).append(fee)
    shown = []
    for charge in sorted(charges.values(), key=lambda one: one.metric.name.lower()):
        stored = by_charge[str(charge.id)]
        in_unit = stored[0].pricing_unit_details
        unit_details = in_unit and {
            "short_name": in_unit["short_name"],
            "conversion_rate": in_unit["conversion_rate"],
        }
        parts = [_part(fee) for fee in stored]
        shown.append(charge_usage(charge, parts, currency, unit_details))
    return shown


def _part(fee: Fee) -> UsagePart:
    name = None
    if fee.charge_filter_id is not None:
        name = FilterName(
            fee.charge_filter_id,
            fee.item["filters"] or {},
            fee.item["filter_invoice_display_name"],
        )
    return UsagePart(
        filter_name=name,
        grouped_by=fee.grouped_by,
        units=fee.units,
        total_aggregated_units=fee.total_aggregated_units,
        events_count=fee.events_count or 0,
        amount_cents=fee.amount_cents,
        pricing_unit_cents=(fee.pricing_unit_details or {}).get("amount_cents", 0),
        breakdowns={
            tuple(one["presentation_by"].items()): Decimal(one["units"])
            for one in fee.presentation_breakdowns or ()
        },
    )
