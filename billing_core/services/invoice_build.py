"""Building invoices: lines, fees, taxes and totals, then draft or final."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from billing_core.domain.calendar import Window, local_date
from billing_core.domain.invoice import FeeLine, Totals, assemble
from billing_core.domain.issuing import dates_at_creation
from billing_core.domain.numbering import draft_number
from billing_core.ports import EventStore
from billing_core.services import finalization, schedule
from billing_core.services.billing_dates import rules_of
from billing_core.services.charge_fees import charge_fees
from billing_core.services.fee_lines import BilledLine, subscription_fee
from billing_core.services.metering import Wanted
from billing_core.services.pricing import PricedCharge, price_windows
from billing_core.services.tax_rules import TaxRules
from billing_core.store import invoices, subscriptions
from billing_core.store.tables import (
    Fee,
    FeeAppliedTax,
    Invoice,
    InvoiceAppliedTax,
    InvoiceSubscription,
    Subscription,
)
from billing_core.store.unit import Unit


async def price_lines(
    unit: Unit, events: EventStore, lines: Sequence[BilledLine]
) -> dict[UUID, list[PricedCharge]]:
    """Meter and price the usage of many lines with one read; keyed by subscription."""
    ended = [line.subscription.id for line in lines if line.may_be_upgraded]
    successors = await subscriptions.successors(unit, ended) if ended else {}
    wanted = [_usage_of(line, successors) for line in lines]
    priced = await price_windows(unit, events, wanted)
    return {line.subscription.id: found for line, found in zip(lines, priced, strict=True)}


async def create(
    unit: Unit, lines: Sequence[BilledLine], priced: dict[UUID, list[PricedCharge]]
) -> Invoice:
    """Create one subscription invoice of these lines: a draft while a grace period runs.

    All lines share customer, currency and entity. The caller holds the customer's lock and has
    checked that nothing here was billed before; unique indexes stand behind that check.
    """
    first = lines[0]
    customer = first.subscription.customer
    rules = rules_of(customer)
    base = local_date(unit.now, customer.applicable_timezone)
    dates = dates_at_creation(rules, base, first.recurring)
    invoice = Invoice(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        customer_id=customer.id,
        billing_entity_id=customer.billing_entity_id,
        number=draft_number(customer.entity.document_number_prefix),
        invoice_type="subscription",
        status="generating",
        currency=first.subscription.plan.amount_currency,
        timezone=customer.applicable_timezone,
        issuing_date=dates.issuing_date,
        expected_finalization_date=dates.expected_finalization_date,
        payment_due_date=dates.payment_due_date,
        net_payment_term=rules.net_payment_term,
        self_billed=customer.account_type == "partner",
    )
    invoice.customer, invoice.entity = customer, customer.entity
    invoice.notes, invoice.applied_taxes = [], []
    invoices.add(unit, invoice)
    await unit.flush()
    for line in lines:
        invoices.add(unit, _line_row(unit, invoice, line))
    await _compute(unit, invoice, lines, priced)
    if rules.grace_days and not first.subscription.plan.pending_deletion:
        invoice.status = "draft"
        await finalization.announce(unit, invoice, "invoice.drafted")
    else:
        await finalization.finalize(unit, invoice)
    return invoice


async def refresh(unit: Unit, events: EventStore, invoice: Invoice) -> None:
    """Recompute a draft from scratch, with the original timestamps and reasons (7.3)."""
    rows = await invoices.lines(unit, invoice.id)
    lines = [
        BilledLine(row.subscription, row.invoicing_reason, row.billed_at, row.whole_period)
        for row in rows
    ]
    priced = await price_lines(unit, events, lines)
    await invoices.drop_computed(unit, invoice.id)
    unit.session.expire(invoice, ["applied_taxes"])
    await unit.session.refresh(invoice, ["applied_taxes"])
    invoice.ready_to_be_refreshed = False
    invoice.updated_at = unit.now
    await _compute(unit, invoice, lines, priced)


async def finalize_draft(unit: Unit, events: EventStore, invoice_id: UUID) -> Invoice | None:
    """Refresh a draft a last time and make it final; None when it is no draft (any more)."""
    invoice = await invoices.lock(unit, invoice_id)
    if invoice is None or invoice.status != "draft":
        return None
    await refresh(unit, events, invoice)
    await finalization.finalize_draft(unit, invoice)
    return invoice


def advance(line: BilledLine) -> None:
    """Move a periodic line's subscription on to its next billing day."""
    day = line.subscription.next_billing_on
    if line.recurring and day is not None:
        schedule.set_next(line.subscription, day)


async def _compute(
    unit: Unit,
    invoice: Invoice,
    lines: Sequence[BilledLine],
    priced: dict[UUID, list[PricedCharge]],
) -> None:
    fees: list[Fee] = []
    for line in lines:
        fee = await subscription_fee(unit, invoice, line)
        if fee is not None:
            fees.append(fee)
        for charge in priced[line.subscription.id]:
            fees.extend(charge_fees(unit, invoice, charge))
    rules = await TaxRules.load(unit, [line.subscription for line in lines])
    plans = {line.subscription.id: line.subscription.plan_id for line in lines}
    totals = assemble(
        [
            FeeLine(
                key=fee.id,
                amount_cents=fee.amount_cents,
                precise_amount_cents=fee.precise_amount_cents,
                taxes=rules.for_fee(
                    invoice.customer,
                    plans[fee.subscription_id],  # type: ignore[index]  # set just above
                    fee.charge_id,
                ),
            )
            for fee in fees
        ]
    )
    _write_fees(unit, invoice, fees, totals)
    _write_totals(unit, invoice, totals)
    await unit.flush()


def _write_fees(unit: Unit, invoice: Invoice, fees: list[Fee], totals: Totals) -> None:
    for position, (fee, taxes) in enumerate(zip(fees, totals.fee_taxes, strict=True)):
        fee.position = position
        fee.customer = invoice.customer
        fee.taxes_amount_cents = taxes.taxes_amount_cents
        fee.taxes_precise_amount_cents = taxes.taxes_precise_amount_cents
        fee.taxes_rate = taxes.taxes_rate
        fee.applied_taxes = [
            FeeAppliedTax(
                org_id=unit.org_id,
                created_at=unit.now,
                fee_id=fee.id,
                tax_id=tax.id,
                tax_name=tax.name,
                tax_code=tax.code,
                tax_rate=tax.rate,
                tax_description=tax.description,
                amount_cents=amount,
                amount_currency=invoice.currency,
            )
            for tax, amount in taxes.applied
        ]
        invoices.add(unit, fee)


def _write_totals(unit: Unit, invoice: Invoice, totals: Totals) -> None:
    for name in (
        "fees_amount_cents",
        "coupons_amount_cents",
        "sub_total_excluding_taxes_amount_cents",
        "taxes_amount_cents",
        "taxes_rate",
        "sub_total_including_taxes_amount_cents",
        "total_amount_cents",
    ):
        setattr(invoice, name, getattr(totals, name))
    invoice.applied_taxes = [
        InvoiceAppliedTax(
            org_id=unit.org_id,
            created_at=unit.now,
            invoice_id=invoice.id,
            tax_id=applied.tax.id,
            tax_name=applied.tax.name,
            tax_code=applied.tax.code,
            tax_rate=applied.tax.rate,
            tax_description=applied.tax.description,
            amount_cents=applied.amount_cents,
            amount_currency=invoice.currency,
            fees_amount_cents=applied.fees_amount_cents,
        )
        for applied in totals.applied_taxes
    ]


def _usage_of(line: BilledLine, successors: Mapping[UUID, Subscription]) -> Wanted:
    """Return the usage a line bills: that of charges in arrears.

    The invoice of a subscription that starts carries no usage (`docs/rules/subscriptions.md` 2.2).
    """
    subscription = line.subscription
    successor = successors.get(subscription.id)
    return Wanted(
        subscription,
        None if line.reason == "subscription_starting" else line.windows().charges,
        [charge for charge in subscription.plan.charges if not charge.pay_in_advance],
        upgraded_to=None if successor is None else successor.plan,
    )


def _line_row(unit: Unit, invoice: Invoice, line: BilledLine) -> InvoiceSubscription:
    windows = line.windows()
    row = InvoiceSubscription(
        org_id=unit.org_id,
        created_at=unit.now,
        invoice_id=invoice.id,
        subscription_id=line.subscription.id,
        invoicing_reason=line.reason,
        recurring=line.recurring,
        whole_period=line.whole_period,
        billed_at=line.at,
        billed_on=local_date(line.at, line.times.tz),
        from_datetime=windows.fee.start,
        to_datetime=windows.fee.end,
        charges_from_datetime=_start(windows.charges),
        charges_to_datetime=_end(windows.charges),
        fixed_charges_from_datetime=_start(windows.fixed),
        fixed_charges_to_datetime=_end(windows.fixed),
    )
    row.subscription = line.subscription
    return row


def _start(window: Window | None) -> datetime | None:
    return None if window is None else window.start


def _end(window: Window | None) -> datetime | None:
    return None if window is None else window.end
