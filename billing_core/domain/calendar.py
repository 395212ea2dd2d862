"""Billing boundaries in a customer's zone: the only module that knows local time."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

Interval = Literal["weekly", "monthly", "quarterly", "semiannual", "yearly"]
Kind = Literal["starting", "periodic", "terminated", "upgraded", "downgraded", "usage"]

DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
MONTHS_PER_YEAR = 12
A_MONDAY = date(2018, 1, 1)
# No two zones are further apart than the days of Kiritimati and Baker Island.
MOST_ZONES_DIFFER = timedelta(hours=26)
ANCHOR_MOVES_AT_MOST = timedelta(days=2)
MONTHS: dict[Interval, int] = {"monthly": 1, "quarterly": 3, "semiannual": 6, "yearly": 12}
SPLIT_INTERVALS = frozenset({"semiannual", "yearly"})
# Bill the period that runs at the billing instant; the other kinds look back at the previous one.
_RUNNING: frozenset[Kind] = frozenset({"terminated", "upgraded", "usage"})
# A line made by the end of a row stops at that end; one made before it must not know it.
_ENDING: frozenset[Kind] = _RUNNING | {"downgraded"}


@cache
def zone(name: str) -> ZoneInfo:
    """Return an IANA zone; an unknown name raises `zoneinfo.ZoneInfoNotFoundError`."""
    return ZoneInfo(name)


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def is_timezone(name: object) -> bool:
    """Tell whether a word is an IANA zone name, spelled exactly."""
    return isinstance(name, str) and name in _zone_names()


def local_date(instant: datetime, tz: str) -> date:
    """Return the calendar day an instant falls on in a zone."""
    return instant.astimezone(zone(tz)).date()


def start_of_day(day: date, tz: str) -> datetime:
    """Return the first instant of a local day, in UTC.

    Where the clocks skip midnight the day starts when they jump; a day that a zone skipped
    altogether starts, empty, with the next one.
    """
    midnight = datetime.combine(day, time.min, zone(tz))
    as_if_before = midnight.astimezone(UTC)
    as_if_after = midnight.replace(fold=1).astimezone(UTC)
    # Only inside a gap does the offset after a jump give the earlier instant.
    if as_if_after >= as_if_before:
        return as_if_before
    offset_after = as_if_before.astimezone(zone(tz)).utcoffset()
    early, late = as_if_after, as_if_before
    while late - early > MICROSECOND:
        middle = early + (late - early) // 2
        if middle.astimezone(zone(tz)).utcoffset() == offset_after:
            late = middle
        else:
            early = middle
    return late


def end_of_day(day: date, tz: str) -> datetime:
    """Return the half-open end of a local day: the first instant of the next one, in UTC."""
    return start_of_day(day + DAY, tz)


def days_between(start: datetime, last_instant: datetime, tz: str) -> int:
    """Count started local days from `start` to `last_instant`, which is inclusive.

    A day of 23 or 25 hours counts as one, and an end exactly at local midnight counts the day that
    just began (`docs/rules/subscriptions.md` 0.1). Negative when the end lies a day before.
    """
    first = start.astimezone(zone(tz)).replace(tzinfo=None)
    last = last_instant.astimezone(zone(tz)).replace(tzinfo=None)
    if last.time() == time.min:
        last += MICROSECOND
    return -((first - last) // DAY)


@dataclass(frozen=True, slots=True)
class Grid:
    """The billing periods of an interval, counted from an anchor day, without end.

    Calendar grids (not `anniversary`) start on Mondays or on January 1 and use the anchor's year
    only. Every boundary is computed from the anchor, so a short month never moves later ones
    (`docs/rules/subscriptions.md` 3.1).
    """

    interval: Interval
    anniversary: bool
    anchor: date

    @property
    def base(self) -> date:
        """The first day of period 0."""
        if self.anniversary:
            return self.anchor
        return A_MONDAY if self.interval == "weekly" else date(self.anchor.year, 1, 1)

    def start(self, k: int) -> date:
        """Return the first day of period `k`."""
        base = self.base
        if self.interval == "weekly":
            return base + 7 * k * DAY
        months = base.year * MONTHS_PER_YEAR + base.month - 1 + k * MONTHS[self.interval]
        year, month = divmod(months, MONTHS_PER_YEAR)
        return date(year, month + 1, min(base.day, _month_length(year, month + 1)))

    def index(self, day: date) -> int:
        """Return which period a day belongs to."""
        base = self.base
        if self.interval == "weekly":
            return (day - base).days // 7
        months = (day.year - base.year) * MONTHS_PER_YEAR + day.month - base.month
        k = months // MONTHS[self.interval]
        return k - 1 if self.start(k) > day else k

    def period(self, day: date, shift: int = 0) -> tuple[date, date]:
        """Return the first and last day of the day's period, or of one `shift` periods later."""
        k = self.index(day) + shift
        return self.start(k), self.start(k + 1) - DAY

    def length(self, day: date) -> int:
        """Return how many days the whole period of a day has: the denominator of proration."""
        first, last = self.period(day)
        return (last - first).days + 1

    def is_billing_day(self, day: date) -> bool:
        """Tell whether a period starts on this day."""
        return self.start(self.index(day)) == day

    def next_start(self, after: date) -> date:
        """Return the first boundary strictly after a day."""
        return self.start(self.index(after) + 1)


def _month_length(year: int, month: int) -> int:
    following = date(year + month // MONTHS_PER_YEAR, month % MONTHS_PER_YEAR + 1, 1)
    return (following - DAY).day


@dataclass(frozen=True, slots=True)
class SubscriptionTimes:
    """What decides when a subscription is billed, and for which days.

    Instants are UTC; `tz` is the customer's applicable zone. The two monthly flags count only for
    semiannual and yearly plans (`docs/rules/subscriptions.md` 3.4). Where the zone has changed, the
    last two say until when usage and fixed charges were billed by the days of the former one.
    """

    interval: Interval
    anniversary: bool
    pay_in_advance: bool
    subscription_at: datetime
    started_at: datetime
    terminated_at: datetime | None
    tz: str
    bill_charges_monthly: bool = False
    bill_fixed_charges_monthly: bool = False
    charges_billed_until: datetime | None = None
    fixed_charges_billed_until: datetime | None = None

    def grid(self) -> Grid:
        """Return the grid of the plan's interval, anchored on the local day of subscription_at."""
        return self._grid(self.interval)

    def monthly_grid(self) -> Grid:
        """Return the monthly grid on the same anchor, which split plans use for usage."""
        return self._grid("monthly")

    def billing_grid(self) -> Grid:
        """Return the grid on whose first days the row is billed: the finer one of a split plan."""
        split = self.charges_monthly or self.fixed_charges_monthly
        return self.monthly_grid() if split else self.grid()

    def _grid(self, interval: Interval) -> Grid:
        return Grid(interval, self.anniversary, local_date(self.subscription_at, self.tz))

    @property
    def charges_monthly(self) -> bool:
        """Whether usage is billed monthly on a longer plan."""
        return self.interval in SPLIT_INTERVALS and self.bill_charges_monthly

    @property
    def fixed_charges_monthly(self) -> bool:
        """Whether fixed charges are billed monthly on a longer plan."""
        return self.interval in SPLIT_INTERVALS and self.bill_fixed_charges_monthly

    def day_of(self, at: datetime) -> date:
        """Return the local day that chooses the periods of an instant.

        Within hours of the moment until which a former zone was billed, that moment decides between
        the periods, not the midnight of the present zone.
        """
        day = local_date(at, self.tz)
        until = max(
            (one for one in (self.charges_billed_until, self.fixed_charges_billed_until) if one),
            default=None,
        )
        if until is None or abs(at - until) >= MOST_ZONES_DIFFER:
            return day
        grid = self.billing_grid()
        for first in (grid.start(grid.index(day)), grid.next_start(day)):
            if abs(start_of_day(first, self.tz) - until) < MOST_ZONES_DIFFER:
                return max(day, first) if at >= until else min(day, first - DAY)
        return day


@dataclass(frozen=True, slots=True)
class Window:
    """`[start, end)` in UTC that may have collapsed to nothing."""

    start: datetime
    end: datetime

    @property
    def last(self) -> datetime:
        """The inclusive end, as the wire shows it."""
        return self.end - MICROSECOND

    @property
    def middle(self) -> datetime:
        """An instant of the period that the window is of, however its edges were moved."""
        return self.start + (self.end - self.start) / 2

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be billed for it (`docs/rules/subscriptions.md` 3.3)."""
        return self.start >= self.last


@dataclass(frozen=True, slots=True)
class Windows:
    """What one invoice line covers: the fee, usage charges and fixed charges.

    None means that the family is not billed on this line at all.
    """

    fee: Window
    charges: Window | None
    fixed: Window | None


def windows(times: SubscriptionTimes, at: datetime, kind: Kind) -> Windows:
    """Return what a line billed at the instant `at` covers.

    `kind` says why it is billed; "usage" is current usage, alerts and progressive billing. Follows
    `docs/rules/subscriptions.md` 3.2 to 3.4, except that only ticks in the middle of a split plan's
    period leave a family out: an end bills both up to that end, and current usage knows both (its
    14.8 and 14.31 would lose money and boundaries).
    """
    day = times.day_of(_reference(times, at, kind))
    plan, monthly = times.grid(), times.monthly_grid()
    back = 0 if kind in _RUNNING else -1
    charges_grid = monthly if times.charges_monthly else plan
    fixed_grid = monthly if times.fixed_charges_monthly else plan
    whole = kind in _RUNNING or _is_first_month(times, plan, monthly, day)
    has_charges = times.charges_monthly or not times.fixed_charges_monthly or whole
    has_fixed = times.fixed_charges_monthly or not times.charges_monthly or whole
    charges = _clamped(times, charges_grid.period(day, back), kind, times.charges_billed_until)
    fixed = _clamped(times, fixed_grid.period(day, back), kind, times.fixed_charges_billed_until)
    fee_back = 0 if times.pay_in_advance else back
    return Windows(
        fee=_from_start_of_day(times, _clamped(times, plan.period(day, fee_back), kind)),
        charges=charges if has_charges else None,
        fixed=fixed if has_fixed else None,
    )


def _reference(times: SubscriptionTimes, at: datetime, kind: Kind) -> datetime:
    """Return the instant whose local day picks the period.

    Rows are billed a moment after they end; that moment must not reach into the next day.
    """
    if kind in _RUNNING and times.terminated_at is not None:
        return min(at, times.terminated_at)
    return at


def _is_first_month(times: SubscriptionTimes, plan: Grid, monthly: Grid, day: date) -> bool:
    """Tell whether the monthly period of a day opens a plan period (always, unless split)."""
    if times.interval not in SPLIT_INTERVALS:
        return True
    first_day, _ = monthly.period(day)
    return (first_day.month - plan.base.month) % MONTHS[plan.interval] == 0


def _clamped(
    times: SubscriptionTimes,
    days: tuple[date, date],
    kind: Kind,
    billed_until: datetime | None = None,
) -> Window:
    """Cut whole days to the life of the row; wholly outside it, collapse on its start."""
    start = max(_edge(days[0], times.tz, billed_until), times.started_at)
    end = _edge(days[1] + DAY, times.tz, billed_until)
    if kind in _ENDING and times.terminated_at is not None:
        end = min(end, times.terminated_at + MICROSECOND)
    return Window(start, max(end, times.started_at + MICROSECOND))


def _edge(day: date, tz: str, billed_until: datetime | None) -> datetime:
    """Return where the windows on both sides of the start of a day meet.

    That is where the former zone had it, if the customer moved after it was billed: no hour is
    billed twice or left out (`docs/rules/subscriptions.md` 3.3).
    """
    start = start_of_day(day, tz)
    if billed_until is not None and abs(start - billed_until) < MOST_ZONES_DIFFER:
        return billed_until
    return start


def _from_start_of_day(times: SubscriptionTimes, window: Window) -> Window:
    """Let a fee that starts with the row pay for the whole first day."""
    if window.start != times.started_at:
        return window
    return Window(start_of_day(local_date(times.started_at, times.tz), times.tz), window.end)


def next_billing_day(times: SubscriptionTimes, after: date) -> date:
    """Return the first local day strictly after `after` on which the row is billed.

    That is a boundary of the plan's interval or, on split plans, of the monthly grid
    (`docs/rules/subscriptions.md` 3.5).
    """
    return times.billing_grid().next_start(after)


def moved_billing_day(times: SubscriptionTimes, planned: date) -> date:
    """Return the billing day that takes the place of one planned by the days of another zone.

    There the anchor may be the day before or after, or even the second one.
    """
    return next_billing_day(times, planned - ANCHOR_MOVES_AT_MOST - DAY)
