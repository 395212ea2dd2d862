"""Invoice dates: which rules apply to a customer, and drafts that follow a change of them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from billing_core.domain.calendar import local_date
from billing_core.domain.issuing import IssuingRules, dates_at_creation
from billing_core.services import schedule
from billing_core.store import billed, invoices, subscriptions
from billing_core.store.tables import Customer, Invoice, Subscription
from billing_core.store.unit import Unit

FINALIZE_TOPIC = "invoices.finalize"
SETTINGS = frozenset(
    {
        "invoice_grace_period",
        "subscription_invoice_issuing_date_anchor",
        "subscription_invoice_issuing_date_adjustment",
        "net_payment_term",
    }
)


@dataclass(frozen=True, slots=True)
class DatedDraft:
    """A draft and the rules its dates were made by, so that they can follow a change of rules."""

    invoice: Invoice
    is_periodic: bool
    rules: IssuingRules

    @classmethod
    def of(cls, invoice: Invoice, is_periodic: bool) -> Self:  # noqa: FBT001 - a column read along
        """Remember the rules of now."""
        return cls(invoice, is_periodic, rules_of(invoice.customer))

    def follow(self) -> None:
        """Give the draft the dates it would have by the rules of now (money.md 1.3.5)."""
        after = rules_of(self.invoice.customer)
        if after != self.rules:
            _shift(self.invoice, self.rules, after, recurring=self.is_periodic)


def rules_of(customer: Customer) -> IssuingRules:
    """Return the customer's settings, each falling back to its billing entity (7.1)."""
    entity = customer.entity
    grace = customer.invoice_grace_period
    term = customer.net_payment_term
    return IssuingRules(
        grace_days=entity.invoice_grace_period if grace is None else grace,
        anchor=customer.subscription_invoice_issuing_date_anchor
        or entity.subscription_invoice_issuing_date_anchor,
        adjustment=customer.subscription_invoice_issuing_date_adjustment
        or entity.subscription_invoice_issuing_date_adjustment,
        net_payment_term=entity.net_payment_term if term is None else term,
    )


async def settings_changed(unit: Unit, customer: Customer, before: IssuingRules) -> None:
    """Shift a customer's drafts by what changed and finalize those now due (money.md 1.3.5)."""
    after = rules_of(customer)
    if after == before:
        return
    today = local_date(unit.now, customer.applicable_timezone)
    due: list[str] = []
    for draft in await invoices.drafts_of_customer(unit, customer.id):
        lines = await invoices.lines(unit, draft.id)
        _shift(draft, before, after, recurring=bool(lines) and lines[0].recurring)
        if draft.expected_finalization_date <= today:
            due.append(str(draft.id))
    if due:
        unit.promise(FINALIZE_TOPIC, {"invoice_ids": due})


def _shift(draft: Invoice, before: IssuingRules, after: IssuingRules, *, recurring: bool) -> None:
    base = draft.expected_finalization_date - timedelta(days=before.grace_days)
    dates = dates_at_creation(after, base, recurring)
    draft.issuing_date = dates.issuing_date
    draft.expected_finalization_date = dates.expected_finalization_date
    draft.payment_due_date = dates.payment_due_date
    draft.net_payment_term = after.net_payment_term


async def zone_changed(unit: Unit, customer: Customer) -> None:
    """Move a customer's subscriptions to its new zone."""
    for subscription in await subscriptions.living_of_customer(unit, customer.id):
        await move_zone(unit, subscription)


async def move_zone(unit: Unit, subscription: Subscription) -> None:
    """Move the due instant of a subscription to the zone its days are counted in now.

    What was billed by the days of the former zone stays billed: the next windows begin where the
    last ones ended (`docs/rules/subscriptions.md` 3.3).
    """
    schedule.zone_changed(subscription)
    usage, fixed = await billed.until(unit, subscription.id)
    subscription.charges_billed_until = usage
    subscription.fixed_charges_billed_until = fixed
