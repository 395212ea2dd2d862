"""Building invoices: lines, fees, taxes and totals, then draft or final."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from billing_core.domain.calendar import DAY, Window, local_date
from billing_core.domain.invoice import Totals, assemble
from billing_core.domain.issuing import InvoiceDates, dates_at_creation, dates_without_grace
from billing_core.domain.numbering import draft_number
from billing_core.ports import EventStore
from billing_core.services import (
    commitments,
    fee_taxes,
    finalization,
    invoice_credits,
    progressive_credits,
    schedule,
    standalone_fees,
    wallet_payments,
)
from billing_core.services.billing_dates import rules_of
from billing_core.services.billing_facts import BillingFacts
from billing_core.services.charge_fees import charge_fees
from billing_core.services.fee_lines import BilledLine, subscription_fee
from billing_core.services.fixed_charge_fees import fixed_charge_fees
from billing_core.services.invoice_contents import Contents
from billing_core.services.metering import Wanted
from billing_core.services.pricing import PricedCharge, price_windows
from billing_core.services.tax_rules import TaxRules
from billing_core.store import invoices, subscriptions
from billing_core.store.tables import (
    Fee,
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
    wanted = [one for line in lines for one in (_usage_of(line, successors), *_renewals(line))]
    found: dict[UUID, list[PricedCharge]] = {line.subscription.id: [] for line in lines}
    for one, priced in zip(wanted, await price_windows(unit, events, wanted), strict=True):
        found[one.subscription.id].extend(priced)
    return found


async def create(
    unit: Unit, lines: Sequence[BilledLine], priced: dict[UUID, list[PricedCharge]]
) -> Invoice:
    """Create one subscription invoice of these lines: a draft while a grace period runs.

    All lines share one customer, entity, currency and order. The caller holds the customer's lock
    and has checked that nothing here was billed before; unique indexes stand behind that check.
    """
    (made,) = await create_all(unit, [lines], priced)
    return made


async def create_all(
    unit: Unit, groups: Sequence[Sequence[BilledLine]], priced: dict[UUID, list[PricedCharge]]
) -> list[Invoice]:
    """Create one invoice of each group of lines, as `create` does, with few statements for all."""
    made = await compose_all(unit, groups, priced)
    drafts: list[Contents] = []
    final: list[Contents] = []
    for group, contents in zip(groups, made, strict=True):
        for line in group:
            await standalone_fees.renew(unit, line.subscription, priced[line.subscription.id])
        first = group[0].subscription
        waits = rules_of(first.customer).grace_days and not first.plan.pending_deletion
        (drafts if waits else final).append(contents)
    for contents in drafts:
        contents.invoice.status = "draft"
    await wallet_payments.note(unit, [contents.invoice for contents in drafts])
    await finalization.announce_all(unit, drafts, "invoice.drafted")
    await finalization.finalize_all(unit, final)
    return [contents.invoice for contents in made]


async def compose(
    unit: Unit, lines: Sequence[BilledLine], priced: dict[UUID, list[PricedCharge]]
) -> Contents:
    """Put an invoice of these lines in the unit, with its fees and totals, neither draft nor final.

    It is dated as of the unit's now (`docs/rules/subscriptions.md` 7.2).
    """
    (made,) = await compose_all(unit, [lines], priced)
    return made


async def compose_all(
    unit: Unit, groups: Sequence[Sequence[BilledLine]], priced: dict[UUID, list[PricedCharge]]
) -> list[Contents]:
    """Compose one invoice of each group of lines; what they have to know is read once."""
    facts = await BillingFacts.read(unit, [line for group in groups for line in group])
    begun = []
    for group in groups:
        first = group[0]
        base = local_date(unit.now, first.times.tz)
        dates = dates_at_creation(rules_of(first.subscription.customer), base, first.recurring)
        begun.append(_begun(unit, first.subscription, dates))
    await unit.flush()  # what refers to invoices comes after them
    made = []
    for group, invoice in zip(groups, begun, strict=True):
        rows = [line_row(unit, invoice, line) for line in group]
        for row in rows:
            invoices.add(unit, row)
        fees = await _compute(unit, invoice, group, priced, facts)
        made.append(Contents(invoice, rows, fees, is_new=True))
    await unit.flush()
    return made


async def create_in_advance(
    unit: Unit, subscription: Subscription, at: datetime, fees: Sequence[Fee]
) -> Invoice:
    """Create the final invoice of what fell due at `at`, in the middle of a period.

    The caller holds the customer's lock. There is no grace period (subscriptions.md 7.2).
    """
    line = BilledLine(subscription, "in_advance_charge", at)
    dates = dates_without_grace(
        rules_of(subscription.customer), local_date(unit.now, line.times.tz)
    )
    invoice = await new_invoice(unit, subscription, dates)
    row = line_row(unit, invoice, line)
    invoices.add(unit, row)
    for fee in fees:
        fee.invoice_id = invoice.id
    total(unit, invoice, fees, [subscription], await TaxRules.load(unit, [subscription]))
    await unit.flush()
    await finalization.finalize_all(unit, [Contents(invoice, [row], fees, is_new=True)])
    return invoice


async def new_invoice(
    unit: Unit, subscription: Subscription, dates: InvoiceDates, kind: str = "subscription"
) -> Invoice:
    """Put an invoice without lines and fees in the unit, in a subscription's currency."""
    invoice = _begun(unit, subscription, dates, kind)
    await unit.flush()
    return invoice


def _begun(
    unit: Unit, subscription: Subscription, dates: InvoiceDates, kind: str = "subscription"
) -> Invoice:
    customer = subscription.customer
    invoice = Invoice(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        customer_id=customer.id,
        billing_entity_id=subscription.entity.id,
        number=draft_number(subscription.entity.document_number_prefix),
        invoice_type=kind,
        status="generating",
        currency=subscription.plan.amount_currency,
        timezone=customer.applicable_timezone,
        issuing_date=dates.issuing_date,
        expected_finalization_date=dates.expected_finalization_date,
        payment_due_date=dates.payment_due_date,
        net_payment_term=rules_of(customer).net_payment_term,
        self_billed=customer.account_type == "partner",
        purchase_order_number=subscription.purchase_order_number,
    )
    invoice.customer, invoice.entity = customer, subscription.entity
    invoice.notes, invoice.applied_taxes, invoice.applied_thresholds = [], [], []
    invoices.add(unit, invoice)
    return invoice


async def refresh(unit: Unit, events: EventStore, invoice: Invoice) -> None:
    """Recompute a draft from scratch, with the original timestamps and reasons (7.3)."""
    rows = await invoices.lines(unit, invoice.id)
    lines = [
        BilledLine(row.subscription, row.invoicing_reason, row.billed_at, row.whole_period)
        for row in rows
    ]
    priced = await price_lines(unit, events, lines)
    notes = await invoice_credits.set_aside(unit, invoice)
    await invoices.drop_computed(unit, invoice.id)
    unit.session.expire(invoice, ["applied_taxes"])
    await unit.session.refresh(invoice, ["applied_taxes"])
    invoice.ready_to_be_refreshed = False
    invoice.updated_at = unit.now
    facts = await BillingFacts.read(unit, lines, invoice)
    await _compute(unit, invoice, lines, priced, facts)
    await unit.flush()
    await invoice_credits.put_back(unit, invoice, notes)
    await wallet_payments.note(unit, [invoice])


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
    facts: BillingFacts,
) -> list[Fee]:
    fees: list[Fee] = []
    for line in lines:
        billed_before = facts.fee_days.get(line.subscription.id, ())
        fee = await subscription_fee(unit, invoice, line, billed_before)
        if fee is not None:
            fees.append(fee)
        for charge in priced[line.subscription.id]:
            if charge.charge.invoiceable:
                fees.extend(charge_fees(unit, invoice, charge))
        fees.extend(await fixed_charge_fees(unit, line, facts.held, invoice))
        true_up = await commitments.commitment_fee(unit, invoice, line, fees)
        if true_up is not None:
            fees.append(true_up)
    await progressive_credits.deduct(unit, invoice, lines, fees, facts.progressive)
    total(unit, invoice, fees, [line.subscription for line in lines], facts.taxes)
    return fees


def total(
    unit: Unit,
    invoice: Invoice,
    fees: Sequence[Fee],
    billed: Sequence[Subscription],
    rules: TaxRules,
) -> None:
    """Tax the fees of an invoice and write down what they add up to, less what is left off."""
    totals = assemble(
        fee_taxes.tax_lines(rules, fees, billed),
        progressive_billing_credit_amount_cents=invoice.progressive_billing_credit_amount_cents,
    )
    for position, (fee, taxes) in enumerate(zip(fees, totals.fee_taxes, strict=True)):
        fee.position = position
        fee.customer = invoice.customer
        fee_taxes.write_taxes(unit, fee, taxes)
        invoices.add(unit, fee)
    write_totals(unit, invoice, totals)


def write_totals(unit: Unit, invoice: Invoice, totals: Totals) -> None:
    """Write down what an invoice comes to, and its taxes."""
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


def _renewals(line: BilledLine) -> list[Wanted]:
    """Return the recurring units that a line bills in advance, for the period it opens.

    Of other charges in advance every event was paid when it came (`docs/rules/metering.md` 3.16).
    """
    renewed = line.renewed
    charges = [
        charge
        for charge in line.subscription.plan.charges
        if charge.pay_in_advance and charge.metric.recurring
    ]
    if renewed is None or not charges:
        return []
    # units that are there when the period begins, however long they have been there
    before = Window(renewed.start - DAY, renewed.start)
    return [Wanted(line.subscription, before, charges, renewed=renewed)]


def line_row(unit: Unit, invoice: Invoice, line: BilledLine) -> InvoiceSubscription:
    """Return what an invoice keeps of a line: its windows and why it was billed."""
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
