"""Credit notes: unused days, taxes and rounding, refunds, and the use of balances."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from billing_core.domain.calendar import SubscriptionTimes
from billing_core.domain.credits import (
    NoteLine,
    NoteTotals,
    PaidDays,
    note_totals,
    paid_days,
    paid_share,
    refund_of,
    spread,
    unused_amount,
    uses,
)
from billing_core.domain.invoice import FeeLine, TaxRate, assemble
from billing_core.domain.numbering import note_number

ZERO = Decimal(0)


def tax(rate: str) -> TaxRate:
    """Return a tax; its code is its rate."""
    return TaxRate(UUID(int=int(Decimal(rate) * 100)), rate, rate, Decimal(rate))


def line(fee: int, part: str, rate: str = "20", coupons: str = "0") -> NoteLine:
    """Return a part of a fee of `fee` cents."""
    return NoteLine("fee", fee, Decimal(coupons), Decimal(part), (tax(rate),))


def amounts(totals: NoteTotals) -> tuple[int, int, int]:
    """Return sub total, taxes and total."""
    return (
        totals.sub_total_excluding_taxes_amount_cents,
        totals.taxes_amount_cents,
        totals.total_amount_cents,
    )


def times(
    started: str, *, interval: str = "monthly", anniversary: bool = True
) -> SubscriptionTimes:
    """Return what decides the periods of a subscription in UTC that started on a day."""
    start = datetime.fromisoformat(started).replace(tzinfo=UTC)
    return SubscriptionTimes(
        interval=interval,  # type: ignore[arg-type]  # the tests name real intervals
        anniversary=anniversary,
        pay_in_advance=True,
        subscription_at=start,
        started_at=start,
        terminated_at=None,
        tz="UTC",
    )


def days(
    started: str,
    ended: str,
    *,
    upgraded: bool = False,
    interval: str = "monthly",
    anniversary: bool = True,
) -> PaidDays:
    """Divide the days of the first fee of a subscription."""
    about = times(started, interval=interval, anniversary=anniversary)
    ended_at = datetime.fromisoformat(ended).replace(tzinfo=UTC)
    return paid_days(about, about.started_at, ended_at, upgraded=upgraded)


@pytest.mark.parametrize(
    ("about", "charged", "expected"),
    [
        # E31 and E32: anniversary, ended on the first of 30 days
        (("2025-09-18", "2025-09-18", True), (20000, 20000, "25"), "19333.33333 19333 4833 24166"),
        (("2025-09-18", "2025-09-18", True), (16000, 16000, "25"), "15466.66666 15467 3867 19334"),
        # A1: calendar, 20 of 28 days; the total goes down by one
        (("2023-02-08", "2023-02-08", False), (5000, 3750, "20"), "3571.42857 3571 714 4285"),
        # A16: and up by one
        (("2025-02-08", "2025-02-08", False), (10000, 7500, "20"), "7142.85714 7143 1429 8572"),
        # A14: 7 of 28 days
        (("2025-02-08", "2025-02-21", False), (10000, 7500, "20"), "2500.00000 2500 500 3000"),
    ],
)
def test_unused_days(
    about: tuple[str, str, bool], charged: tuple[int, int, str], expected: str
) -> None:
    started, ended, anniversary = about
    price, fee, rate = charged
    found = days(started, ended, anniversary=anniversary)
    part = unused_amount(found, price, fee, ZERO)
    totals = note_totals([line(fee, str(part), rate)])
    assert " ".join(str(one) for one in (part, *amounts(totals))) == expected


def test_a_week_at_a_fractional_rate() -> None:
    """E33: 2999 a week at 23.33 %, ended on its first day."""
    found = days("2025-10-06", "2025-10-06", interval="weekly", anniversary=False)
    assert found == PaidDays(used=1, unused=6, period=7)
    part = unused_amount(found, 2999, 2999, ZERO)
    assert part == Decimal("2570.57142")
    assert amounts(note_totals([line(2999, str(part), "23.33")])) == (2571, 600, 3171)


def test_an_upgrade_gives_its_own_day_back() -> None:
    """A5, A6 and A7: the new plan pays for the day of the change."""
    found = days("2024-03-05", "2024-03-12", upgraded=True, anniversary=False)
    part = unused_amount(found, 1000, 871, ZERO)
    assert note_totals([line(871, str(part), "25")]).total_amount_cents == 806
    # on the same day again: all of the second fee is unused, and no more than that
    second = paid_days(
        times("2024-03-05"),
        datetime(2024, 3, 12, tzinfo=UTC),
        datetime(2024, 3, 12, 1, tzinfo=UTC),
        upgraded=True,
    )
    assert (second.used, second.unused) == (0, 24)
    part = unused_amount(second, 1500, 1161, ZERO)
    assert note_totals([line(1161, str(part), "25")]).total_amount_cents == 1451
    last_day = days("2023-06-29", "2023-09-28", upgraded=True)
    assert (last_day.unused, last_day.period) == (1, 31)


def test_earlier_notes_and_the_last_day_leave_nothing() -> None:
    found = days("2022-10-01", "2022-10-15", anniversary=False)
    assert (found.used, found.unused) == (15, 16)
    assert unused_amount(found, 3100, 3100, Decimal(200)) == 1400
    assert unused_amount(found, 3100, 3100, Decimal(1601)) == 0
    assert days("2022-10-01", "2022-10-31T23:00:00", anniversary=False).unused == 0


def test_a_note_takes_its_share_of_the_coupons() -> None:
    """E34: 26260 of a fee of 39900 that carries a coupon of 25000."""
    totals = note_totals([line(39900, "26260", coupons="25000")])
    assert totals.coupons_adjustment_amount_cents == 16454
    assert amounts(totals) == (9806, 1961, 11767)


def test_the_last_note_evens_out_the_cents() -> None:
    """E35: two fees of 6833 at 20 %, the invoice owes 16399."""
    first = note_totals([line(6833, "6833")])
    assert (first.precise_taxes_amount_cents, first.total_amount_cents) == (Decimal("1366.6"), 8200)
    rounding = first.taxes_amount_cents - first.precise_taxes_amount_cents
    last = note_totals([line(6833, "6833")], rounding)
    assert (last.precise_taxes_amount_cents, last.total_amount_cents) == (Decimal("1366.2"), 8199)


def test_three_notes_on_an_invoice_with_a_coupon() -> None:
    """E37: 1999, 6833 and 20033 at 20 % with one coupon of 1000, total 33438."""
    rounding = ZERO
    found = []
    for fee, coupons in ((1999, "69.25342"), (6833, "236.72267"), (20033, "694.0239")):
        earlier = rounding if fee == 20033 else ZERO
        totals = note_totals([line(fee, str(fee), coupons=coupons)], earlier)
        rounding += totals.taxes_amount_cents - totals.precise_taxes_amount_cents
        found.append((totals.precise_taxes_amount_cents, totals.total_amount_cents))
    assert found == [
        (Decimal("385.94932"), 2316),
        (Decimal("1319.25547"), 7915),
        (Decimal("3868.00001"), 23207),
    ]
    assert sum(total for _, total in found) == 33438


@pytest.mark.parametrize(
    ("paid", "before", "coupons", "expected"),
    [
        (7440, 0, "0", (1920, 1920)),
        (5580, 0, "0", (1920, 990)),
        (930, 0, "0", (1920, 0)),
        (5580, 200, "0", (1680, 990)),
        (5580, 200, "500", (1409, 1035)),
    ],
)
def test_a17_the_refund_is_what_was_paid_beyond_the_days_used(
    paid: int, before: int, coupons: str, expected: tuple[int, int]
) -> None:
    """E39 and A17: 3100 at 20 %, 16 of 31 days unused, on an invoice of two such fees."""
    found = PaidDays(used=15, unused=16, period=31)
    part = unused_amount(found, 3100, 3100, Decimal(before))
    totals = note_totals([line(3100, str(part), coupons=coupons)])
    used = note_totals([line(3100, str(found.worth(15, 3100)), coupons=coupons)])
    net = (3100 - Decimal(coupons)) * Decimal("1.2")
    invoice_total = 7440 - int(Decimal(coupons) * Decimal("1.2"))
    share = paid_share(paid, net, invoice_total)
    refund = refund_of(totals.total_amount_cents, share, used.total_amount_cents)
    assert (totals.total_amount_cents, refund) == expected


def test_a15_a_refund_of_what_was_paid_and_not_used() -> None:
    found = days("2025-02-08", "2025-02-21", anniversary=False)
    total = note_totals([line(7500, str(unused_amount(found, 10000, 7500, ZERO)), "20")])
    used = note_totals([line(7500, str(found.worth(found.used, 10000)), "20")])
    share = paid_share(7500, Decimal(9000), 9000)
    assert refund_of(total.total_amount_cents, share, used.total_amount_cents) == 1500
    assert total.total_amount_cents == 3000


def test_14_18_the_days_are_those_of_the_customer() -> None:
    about = replace(times("2026-01-01"), tz="America/Los_Angeles", anniversary=False)
    began = datetime(2026, 1, 1, 8, tzinfo=UTC)
    evening = datetime(2026, 1, 16, 4, tzinfo=UTC)  # of the 15th there
    found = paid_days(about, began, evening, upgraded=False)
    assert found == PaidDays(used=15, unused=16, period=31)


@pytest.mark.parametrize(
    ("ended", "upgraded", "used", "unused"),
    [
        ("2024-03-11T23:00", False, 0, 21),  # C6: on the day on which the trial ends
        ("2024-03-10T23:00", False, 0, 21),
        ("2024-03-12T00:00", False, 2, 19),
        ("2024-03-12T00:00", True, 0, 21),
        ("2024-03-13T00:00", True, 2, 19),
    ],
)
def test_c6_free_days_are_neither_used_nor_unused(
    ended: str, *, upgraded: bool, used: int, unused: int
) -> None:
    about = times("2024-03-04", anniversary=False)
    found = paid_days(
        about,
        about.started_at,
        datetime.fromisoformat(ended).replace(tzinfo=UTC),
        upgraded=upgraded,
        trial_end=datetime(2024, 3, 11, 21, tzinfo=UTC),
    )
    assert (found.used, found.unused) == (used, unused)
    assert unused_amount(found, 3500, 2371, ZERO).quantize(Decimal(1)) == unused * 3500 // 31 + (
        unused == 21
    )


def test_balances_pay_oldest_first() -> None:
    """E38: an invoice of 100 and notes of 20 and 50, then one of 10."""
    assert uses(100, [20, 50]) == [20, 50]
    assert uses(10, [20, 50]) == [10, 0]
    assert paid_share(5, Decimal(1), 0) == 0
    first = spread(20, 100, [Decimal(60), Decimal(40)])
    second = spread(50, 80, [60 - first[0], 40 - first[1]])
    assert [one + two for one, two in zip(first, second, strict=True)] == [42, 28]


def test_a_note_without_taxes_and_one_without_worth() -> None:
    bare = NoteLine("fee", 100, ZERO, Decimal(50), ())
    assert amounts(note_totals([bare])) == (50, 0, 50)
    assert note_totals([]).taxes_rate == 0
    assert amounts(note_totals([line(0, "0")])) == (0, 0, 0)
    two = note_totals([line(100, "50", "20"), line(100, "50", "10")])
    assert two.taxes_rate == 15
    assert [(one.tax.code, one.base_amount_cents) for one in two.applied_taxes] == [
        ("20", 50),
        ("10", 50),
    ]


def test_the_number_of_a_note() -> None:
    assert note_number("INV-001-002", 3) == "INV-001-002-CN003"


@given(
    st.lists(st.integers(0, 10**9), max_size=8),
    st.lists(st.integers(0, 10**9), max_size=8),
)
def test_a_balance_is_the_sum_of_its_entries(balances: list[int], invoices: list[int]) -> None:
    left = list(balances)
    entries: list[list[int]] = [[] for _ in balances]
    owed = 0
    for total in invoices:
        taken = uses(total, left)
        assert sum(taken) == min(total, sum(left)), "all that is due and there, no more"
        owed += total - sum(taken)
        for number, use in enumerate(taken):
            left[number] -= use
            entries[number].append(use)
    assert min(left, default=0) >= 0
    assert left == [b - sum(e) for b, e in zip(balances, entries, strict=True)]
    assert sum(left) - owed == sum(balances) - sum(invoices)
    used_up = [number for number, rest in enumerate(left) if not rest]
    later = [number for number, e in enumerate(entries) if sum(e)]
    assert all(n in used_up for n in range(max(later, default=0))), "the oldest go first"


def fees() -> st.SearchStrategy[list[tuple[int, str]]]:
    rates = st.sampled_from(["0", "5.5", "19", "20", "23.33", "25"])
    return st.lists(st.tuples(st.integers(1, 10**6), rates), min_size=1, max_size=6)


@given(fees())
def test_notes_on_all_fees_give_back_the_invoice(charged: list[tuple[int, str]]) -> None:
    lines = [
        FeeLine(number, amount, Decimal(amount), (tax(rate),))
        for number, (amount, rate) in enumerate(charged)
    ]
    invoice = assemble(lines)
    rounding, given_back = ZERO, 0
    totals = note_totals([])
    for number, (amount, rate) in enumerate(charged):
        last = number == len(charged) - 1
        totals = note_totals([line(amount, str(amount), rate)], rounding if last else ZERO)
        rounding += totals.taxes_amount_cents - totals.precise_taxes_amount_cents
        assert sum(amounts(totals)[:2]) == totals.total_amount_cents, "it adds up"
        given_back += totals.total_amount_cents
    # where the last note is too small to even out the others, there is a cent less to give
    assume(totals.precise_taxes_amount_cents >= 0)
    assert given_back == invoice.total_amount_cents


@given(fees(), st.data())
def test_a_note_adds_up(charged: list[tuple[int, str]], data: st.DataObject) -> None:
    lines = []
    for fee, rate in charged:
        part = data.draw(st.decimals(0, fee, places=5))
        coupons = data.draw(st.decimals(0, fee, places=5))
        lines.append(NoteLine("fee", fee, coupons, part, (tax(rate),)))
    totals = note_totals(lines)
    sub_total, taxes, total = amounts(totals)
    assert sub_total + taxes == total >= 0
    assert abs(sum(one.amount_cents for one in totals.applied_taxes) - taxes) <= len(charged)
    assert abs(total - totals.exact_cents) <= Decimal("1.00001")
    for paid in (0, total, 2 * total):
        assert 0 <= refund_of(total, Decimal(paid), taxes) <= total


@given(st.integers(1, 31), st.integers(0, 30), st.integers(0, 10**7), st.integers(0, 10**7))
def test_nothing_is_taken_back_twice(period: int, unused: int, price: int, fee: int) -> None:
    found = PaidDays(used=period - min(unused, period), unused=min(unused, period), period=period)
    first = unused_amount(found, price, fee, ZERO)
    assert 0 <= first <= fee
    assert unused_amount(found, price, fee, first) < Decimal("0.00001")
