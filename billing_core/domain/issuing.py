"""Dates of an invoice: when it is issued, when a draft becomes final, when it is due."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Anchor = Literal["current_period_end", "next_period_start"]
Adjustment = Literal["keep_anchor", "align_with_finalization_date"]


@dataclass(frozen=True, slots=True)
class IssuingRules:
    """The customer's settings, else the billing entity's; day counts.

    `anchor` is current_period_end or next_period_start, `adjustment` keep_anchor or
    align_with_finalization_date.
    """

    grace_days: int
    anchor: str
    adjustment: str
    net_payment_term: int


@dataclass(frozen=True, slots=True)
class InvoiceDates:
    """Local days of the customer."""

    issuing_date: date
    expected_finalization_date: date
    payment_due_date: date


def dates_at_creation(rules: IssuingRules, base: date, recurring: bool) -> InvoiceDates:  # noqa: FBT001 - part of what is asked
    """Return the dates of a subscription invoice billed on the local day `base`.

    `recurring` tells periodic lines from starting, terminating and upgrading ones
    (`docs/rules/subscriptions.md` 7.2).
    """
    shift_days = _periodic_shift_days(rules) if recurring else rules.grace_days
    issuing_date = base + timedelta(days=shift_days)
    return InvoiceDates(
        issuing_date=issuing_date,
        expected_finalization_date=base + timedelta(days=rules.grace_days),
        payment_due_date=_due(rules, issuing_date),
    )


def dates_without_grace(rules: IssuingRules, base: date) -> InvoiceDates:
    """Return the dates of pay-in-advance, progressive, one-off and top-up invoices.

    They are issued and final on `base` (`docs/rules/money.md` 1.3.2 and 1.3.3).
    """
    return InvoiceDates(base, base, _due(rules, base))


def dates_at_finalization(
    rules: IssuingRules,
    issuing_date: date,
    today: date,
    recurring: bool,  # noqa: FBT001 - part of what is asked
) -> InvoiceDates:
    """Return the dates of a draft that becomes final on the customer's `today`.

    A periodic invoice that keeps its anchor keeps its issuing date, any other is issued today; the
    due date follows, and the finalization date is today (`docs/rules/money.md` 1.3.4).
    """
    keeps = recurring and rules.adjustment == "keep_anchor"
    issued = issuing_date if keeps else today
    return InvoiceDates(issued, today, _due(rules, issued))


def _periodic_shift_days(rules: IssuingRules) -> int:
    at_period_end = rules.anchor == "current_period_end"
    if rules.adjustment == "keep_anchor":
        return -1 if at_period_end else 0
    return -1 if at_period_end and not rules.grace_days else rules.grace_days


def _due(rules: IssuingRules, issuing_date: date) -> date:
    return issuing_date + timedelta(days=rules.net_payment_term)
