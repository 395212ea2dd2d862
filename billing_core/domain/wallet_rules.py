"""Automatic top-ups of wallets: how many credits, and on which days."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from billing_core.domain.money import exact_context

Interval = Literal["weekly", "monthly", "quarterly", "semiannual", "yearly"]
ZERO = Decimal(0)
ONE_DAY = timedelta(days=1)
MONTHS: dict[str, int] = {"monthly": 1, "quarterly": 3, "semiannual": 6, "yearly": 12}
LONGEST_WAIT_DAYS = 366


@dataclass(frozen=True, slots=True)
class TopUpRule:
    """What a rule adds, in credits: fixed amounts, or what is missing to a target.

    `threshold` is that of a threshold rule. `least` and `most` are the wallet's limits of one
    purchase, None where there are none or the rule ignores them.
    """

    paid: Decimal = ZERO
    granted: Decimal = ZERO
    threshold: Decimal | None = None
    target: Decimal | None = None
    grants_target: bool = False
    least: Decimal | None = None
    most: Decimal | None = None


@dataclass(frozen=True, slots=True)
class TopUp:
    """Credits to be paid for, and credits for free."""

    paid: Decimal = ZERO
    granted: Decimal = ZERO


def top_up(rule: TopUpRule, ongoing: Decimal, pending: Decimal = ZERO) -> TopUp:
    """Return what a rule adds now (`docs/rules/money.md` 4.6.3).

    `ongoing` are the credits that usage leaves, `pending` those bought but not paid yet.
    """
    with exact_context():
        if rule.target is not None:
            return _to_target(rule, rule.target - ongoing)
        paid = rule.paid
        if rule.threshold is not None and paid > 0:
            gap = rule.threshold - ongoing - rule.granted - pending
            if gap >= paid:
                paid *= gap // paid + 1
            if rule.most is not None:
                paid = min(paid, rule.most)
        return TopUp(paid, rule.granted)


def _to_target(rule: TopUpRule, gap: Decimal) -> TopUp:
    if gap <= 0:
        return TopUp()
    if rule.grants_target:
        return TopUp(granted=gap)
    return TopUp(paid=gap if rule.least is None else max(gap, rule.least))


def next_day(started: date, after: date, interval: str) -> date:
    """Return the first day after `after` on which an interval rule fires (4.6.4).

    All days are the customer's. The first one may be that of the start; the last day of a month
    stands for the days the month does not have.
    """
    day = max(after + ONE_DAY, started)
    for _ in range(LONGEST_WAIT_DAYS):
        if _fires(started, day, interval):
            return day
        day += ONE_DAY
    return day


def _fires(started: date, day: date, interval: str) -> bool:
    if interval == "weekly":
        return day.isoweekday() == started.isoweekday()
    is_last = (day + ONE_DAY).month != day.month
    months = (day.year - started.year) * 12 + day.month - started.month
    same_day = day.day == started.day or (is_last and started.day > day.day)
    return same_day and months % MONTHS[interval] == 0
