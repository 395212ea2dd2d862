"""The fees of fixed charges: on the invoices of periods, and for units added within one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from billing_core.domain import fixed_charges as rules
from billing_core.domain.calendar import MICROSECOND, Window, days_between
from billing_core.domain.charges import MODELS, NOTHING, Price, Usage, charge_price
from billing_core.domain.fixed_charges import Change, Held
from billing_core.domain.money import minor_from_major, plain, precise_minor, round_half_up, subunit
from billing_core.ids import is_later
from billing_core.services.fee_lines import BilledLine
from billing_core.services.shapes.fees import item
from billing_core.services.shapes.subscriptions import times_of
from billing_core.store import fixed_charges, subscriptions
from billing_core.store.fixed_charges import Billed
from billing_core.store.tables import Fee, FixedCharge, FixedChargeUnits, Invoice, Subscription
from billing_core.store.unit import Unit
from billing_core.wire.dates import instant_text

ZERO = Decimal(0)
STARTING = frozenset({"subscription_starting", "in_advance_charge"})


@dataclass(frozen=True, slots=True)
class HeldUnits:
    """What is known of the fixed charges of some subscriptions when an invoice is made.

    `changes` are in the order they were made, `billed` what earlier invoices bill.
    """

    invoice: Invoice | None = None
    changes: Mapping[tuple[UUID, UUID], list[FixedChargeUnits]] = field(default_factory=dict)
    billed: Sequence[Billed] = ()

    @classmethod
    async def read(
        cls, unit: Unit, billed: Sequence[Subscription], invoice: Invoice | None = None
    ) -> "HeldUnits":
        """Read what an invoice, None for a new one, needs; nothing without any fixed charge."""
        ids = [one.id for one in billed if one.plan.fixed_charges]
        if not ids:
            return cls()
        found: dict[tuple[UUID, UUID], list[FixedChargeUnits]] = {}
        for row in await fixed_charges.changes(unit, ids):
            found.setdefault((row.subscription_id, row.fixed_charge_id), []).append(row)
        return cls(invoice, found, await fixed_charges.billed(unit, ids, invoice))

    def changes_of(self, subscription: Subscription, row: FixedCharge) -> list[Change]:
        """Return the changes that the invoice knows of.

        What is paid in advance does not follow later changes, even while it is a draft: they have
        invoices of their own.
        """
        made_with = self.invoice if row.pay_in_advance else None
        return [
            Change(one.units, one.effective_at)
            for one in self.changes.get((subscription.id, row.id), [])
            if made_with is None or not is_later(one.id, made_with.id)
        ]

    def is_billed(self, subscription: Subscription, row: FixedCharge, window: Window) -> bool:
        """Tell whether anything is billed of a fixed charge for a period."""
        found = self.of_period(subscription, row, window)
        return any(one.units or one.amount_cents for one in found)

    def of_period(
        self, subscription: Subscription, row: FixedCharge, window: Window
    ) -> list[Billed]:
        """Return what is billed of a fixed charge, or of the one it overrides, for a period."""
        return [
            one
            for one in self.billed
            if one.subscription_id == subscription.id
            and one.fixed_charge_id in {row.id, row.parent_id}
            and one.start == window.start
        ]


async def fixed_charge_fees(
    unit: Unit, line: BilledLine, known: HeldUnits, invoice: Invoice | None
) -> list[Fee]:
    """Return the fees of a line's fixed charges that have units or cost something.

    In arrears they are for the window that the line looks back at, in advance for the one it opens.
    A period is billed once (`docs/rules/metering.md` 4).
    """
    subscription = line.subscription
    fees = []
    minus_days = await _days_of_upgrade(unit, line)
    for row in subscription.plan.fixed_charges:
        window = _coming(line) if row.pay_in_advance else _past(line)
        if window is None or known.is_billed(subscription, row, window):
            continue
        changes = known.changes_of(subscription, row)
        usage, held = Usage(rules.whole_units(changes, window), 0), []
        if row.prorated:
            held = rules.held(changes, line.times, window, minus_days=minus_days)
            usage = rules.prorated_usage(held)
        price = charge_price(MODELS[row.charge_model].parse(row.properties), usage)
        if row.pay_in_advance:
            price = await _less_paid_before(unit, line, row, window, price)
        fee = _fee(unit, subscription, row, window, invoice, price, usage.shown_units)
        if fee.units or fee.amount_cents:
            _explain_days(fee, held)
            fees.append(fee)
    return fees


def increase_fee(
    unit: Unit,
    subscription: Subscription,
    row: FixedCharge,
    change: FixedChargeUnits,
    known: HeldUnits,
) -> Fee:
    """Return the fee of units that are added within a period that is paid in advance.

    What was billed for the period stays billed: fewer units make a fee of nothing.
    """
    times = times_of(subscription)
    window = rules.running_period(times, change.effective_at)
    paid = sum((one.units for one in known.of_period(subscription, row, window)), ZERO)
    increase = max(change.units - paid, ZERO)
    held = Held(
        increase,
        days_between(change.effective_at, window.last, times.tz),
        rules.period_days(times, window),
    )
    price = NOTHING
    if increase:
        terms = MODELS[row.charge_model].parse(row.properties)
        price = rules.increase_price(terms, held if row.prorated else increase)
    fee = _fee(unit, subscription, row, window, None, price, increase)
    if increase:
        fee.unit_amount_cents = round_half_up(fee.amount_cents / increase)
    _explain_days(fee, [held] if row.prorated else [])
    return fee


async def _days_of_upgrade(unit: Unit, line: BilledLine) -> int:
    """Return the days at the end that the next plan is paid for: that of an upgrade."""
    if not line.may_be_upgraded or not any(
        row.prorated for row in line.subscription.plan.fixed_charges
    ):
        return 0
    return len(await subscriptions.successors(unit, [line.subscription.id]))


def _past(line: BilledLine) -> Window | None:
    """Return the window that is billed in arrears."""
    window = None if line.reason in STARTING else line.windows().fixed
    return None if window is None or window.start > window.last else window


def _coming(line: BilledLine) -> Window | None:
    """Return the period that is billed in advance; nothing that has ended pays one."""
    opens_one = line.recurring and line.windows().fixed is not None
    if not opens_one and line.reason not in STARTING:
        return None
    return rules.running_period(line.times, line.at)


async def _less_paid_before(
    unit: Unit, line: BilledLine, row: FixedCharge, window: Window, price: Price
) -> Price:
    """Take off what an upgraded subscription has paid in advance for the same add-on."""
    former_id = line.subscription.previous_subscription_id
    if former_id is None or line.reason not in STARTING or not row.prorated:
        return price
    credit = sum(
        rules.credit_cents(
            one.amount_cents, (max(one.at, one.start), one.end - MICROSECOND), window, line.times.tz
        )
        for one in await fixed_charges.billed(unit, [former_id])
        if one.add_on_id == row.add_on_id and one.start <= window.start < one.end
    )
    return rules.less_credit(price, credit, subunit(line.subscription.plan.amount_currency))


def _fee(  # noqa: PLR0913, PLR0917 - a fee is of something, for a time, on an invoice, and costs
    unit: Unit,
    subscription: Subscription,
    row: FixedCharge,
    window: Window,
    invoice: Invoice | None,
    price: Price,
    units: Decimal,
) -> Fee:
    currency, add_on = subscription.plan.amount_currency, row.add_on
    return Fee(
        org_id=unit.org_id,
        created_at=unit.now if invoice is None else invoice.created_at,
        updated_at=unit.now,
        invoice_id=None if invoice is None else invoice.id,
        customer_id=subscription.customer_id,
        subscription_id=subscription.id,
        external_subscription_id=subscription.external_id,
        fixed_charge_id=row.id,
        add_on_id=row.add_on_id,
        fee_type="fixed_charge",
        amount_cents=minor_from_major(price.amount, currency),
        precise_amount_cents=precise_minor(price.amount, currency),
        amount_currency=currency,
        units=units,
        total_aggregated_units=units,
        precise_unit_amount=price.unit_amount,
        unit_amount_cents=int(price.unit_amount * subunit(currency)),
        pay_in_advance=row.pay_in_advance,
        from_datetime=window.start,
        to_datetime=window.end,
        item=item(
            "fixed_charge",
            add_on.code,
            add_on.name,
            row.invoice_display_name or add_on.invoice_display_name,
            add_on.id,
            description=add_on.description,
        ),
        amount_details=price.details,
        explanation={
            "charge_model": row.charge_model,
            "currency": currency,
            "from_datetime": instant_text(window.start),
            "to_datetime": instant_text(window.last),
            "steps": list(price.steps),
        },
    )


def _explain_days(fee: Fee, held: Sequence[Held]) -> None:
    """Add for how many days of the period which units were held."""
    assert fee.explanation is not None
    fee.explanation["proration"] = [
        {"units": plain(one.units), "days": one.days, "period_days": one.period_days}
        for one in held
    ]
