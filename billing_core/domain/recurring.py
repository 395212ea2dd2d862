"""Recurring usage by the day: what carried and changed quantities are worth in a part of a period.

Every function here serves grouped and ungrouped usage alike (`docs/rules/metering.md` 2.5).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import MAX_PREC, ROUND_CEILING, Decimal, localcontext
from operator import truediv

from billing_core.domain.calendar import DAY, SubscriptionTimes, Window, local_date
from billing_core.domain.metrics import UNITS_PLACES, ZERO, Fact
from billing_core.domain.money import exact_context, quantize
from billing_core.domain.proration import billed_days

_FIVE_PLACES = Decimal("0.00001")
ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Prorated:
    """Units by the day, which are priced, and whole ones (`full_units`), which are shown."""

    units: Decimal
    full_units: Decimal


@dataclass(frozen=True, slots=True)
class Span:
    """The local days that one charges window bills, of the `period_days` of the whole period.

    `first` and `last` are both billed; after an upgrade on the first day `last` lies before it.
    `days` counts started days of 24 hours; it may be less than the dates tell.
    """

    start: datetime
    tz: str
    first: date
    last: date
    days: int
    period_days: int

    @property
    def carried_ratio(self) -> Decimal:
        """The share of the period that a quantity held from before it is billed for: R."""
        return double_ratio(self.days, self.period_days)

    def ratio_from(self, day: date) -> Decimal:
        """Return the share that is billed for a change on a local day, that day included: r."""
        return self._share(day, self.last)

    def share_of(self, present: "Presence") -> Decimal:
        """Return the share in which a value was present, begun days included."""
        if present.removed is not None and present.removed.at < self.start:
            return ZERO
        last = self.last if present.removed is None else local_date(present.removed.at, self.tz)
        return self._share(max(local_date(present.added.at, self.tz), self.first), last)

    def _share(self, first: date, last: date) -> Decimal:
        with exact_context():
            return quantize(Decimal((last - first).days + 1) / self.period_days, UNITS_PLACES)


def span_of(times: SubscriptionTimes, window: Window, minus_days: int = 0) -> Span:
    """Return the days of a charges window.

    `minus_days` is 1 for a row that ended by an upgrade: that day is paid on the new plan, whether
    the units were there before or came within the window.
    """
    grid = times.monthly_grid() if times.charges_monthly else times.grid()
    inside = local_date(window.middle, times.tz)
    first_day, last_day = grid.period(inside)
    whole = grid.length(inside)
    return Span(
        start=window.start,
        tz=times.tz,
        first=max(local_date(window.start, times.tz), first_day),
        last=min(local_date(window.last, times.tz), last_day) - minus_days * DAY,
        days=min(billed_days(times, window.start, window.last, minus_days), whole),
        period_days=whole,
    )


def double_ratio(days: int, period_days: int) -> Decimal:
    """Return days / period_days as the shortest text of a double names it.

    Carried quantities and increments in advance are multiplied by this very number; a true quotient
    would differ by a hundred-thousandth of a unit (`docs/rules/metering.md` 2.5 and 8.10).
    """
    return Decimal(repr(truediv(days, period_days)))


def ceil5(units: Decimal) -> Decimal:
    """Round up, toward positive infinity, to five decimals."""
    with localcontext(prec=MAX_PREC):  # as many digits as the number has
        return units.quantize(_FIVE_PLACES, rounding=ROUND_CEILING) + ZERO  # never -0


def prorated_sum(carried: Decimal, changes: Iterable[tuple[date, Decimal]], span: Span) -> Prorated:
    """Prorate a sum: what was carried into the period, and its changes by local day.

    Changes of one day may be given added up. Negative ones subtract in the same way.
    """
    entries = sum_entries(carried, changes, span)
    with localcontext(prec=MAX_PREC):
        units = sum((prorated for _, prorated in entries), ZERO)
        return Prorated(ceil5(units), sum((full for full, _ in entries), ZERO))


def sum_entries(
    carried: Decimal, changes: Iterable[tuple[date, Decimal]], span: Span
) -> list[tuple[Decimal, Decimal]]:
    """Return (full, prorated) units of the carried total, unless zero, and of each change.

    This is the list that prorated graduated prices walk along (`docs/rules/metering.md` 3.7).
    """
    with localcontext(prec=MAX_PREC):
        entries = [(carried, carried * span.carried_ratio)] if carried else []
        entries += [(value, value * span.ratio_from(day)) for day, value in changes]
    return entries


@dataclass(frozen=True, slots=True)
class Presence:
    """A value from the event that added it to the one that removed it, if any did."""

    added: Fact
    removed: Fact | None


def presences(history: Sequence[Fact], tz: str) -> list[Presence]:
    """Return when the values of a unique count were there, from operations since ever.

    Repeated operations change nothing; a value that is back on the local day it left never left, so
    no day counts twice.
    """
    last: dict[str | None, Presence] = {}
    found: list[Presence] = []
    for event in sorted(history, key=lambda fact: (fact.at, fact.order)):
        if event.value is None:
            continue  # nothing was counted
        current = last.get(event.value)
        is_present = current is not None and current.removed is None
        if (event.operation != "remove") == is_present:
            continue
        if current is None:
            last[event.value] = Presence(event, None)
        elif is_present:
            last[event.value] = Presence(current.added, event)
        elif _left_on(current, event.at, tz):
            last[event.value] = Presence(current.added, None)
        else:
            found.append(current)
            last[event.value] = Presence(event, None)
    return found + list(last.values())


def _left_on(presence: Presence, at: datetime, tz: str) -> bool:
    removed = presence.removed
    return removed is not None and local_date(removed.at, tz) == local_date(at, tz)


def prorated_unique_count(history: Sequence[Fact], span: Span) -> Prorated:
    """Prorate a unique count: each value for the days on which it was present.

    `history` holds all operations since ever up to the end of the span. A value that was removed
    before the span counts nothing; `full_units` are the values present at the end.
    """
    found = presences(history, span.tz)
    with exact_context():
        units = sum((span.share_of(presence) for presence in found), ZERO)
    full = sum(presence.removed is None for presence in found)
    return Prorated(ceil5(units), Decimal(full))


def unique_entries(history: Sequence[Fact], span: Span) -> list[tuple[Decimal, Decimal]]:
    """Return (full, prorated) units of each arrival and departure that the span bills, in order.

    An arrival counts 1 with its own ratio rounded up to five decimals, a departure -1 and nothing
    by the day. This is what prorated graduated prices walk along (`docs/rules/metering.md` 3.7).
    """
    steps: list[tuple[Fact, tuple[Decimal, Decimal]]] = []
    for presence in presences(history, span.tz):
        share = ceil5(span.share_of(presence))
        if not share:
            continue
        steps.append((presence.added, (ONE, share)))
        if presence.removed is not None:
            steps.append((presence.removed, (-ONE, ZERO)))
    steps.sort(key=lambda step: (step[0].at, step[0].order))
    return [entry for _, entry in steps]
