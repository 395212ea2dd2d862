"""Prepaid credit: the arithmetic of `docs/rules/money.md` 4, with its worked examples."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.wallet_rules import TopUp, TopUpRule, next_day, top_up
from billing_core.domain.wallets import (
    Amount,
    Bucket,
    Pocket,
    Use,
    bought,
    buckets_of,
    credits_of,
    floored,
    foreseen,
    payments,
    spent,
    voided,
)

USAGE = Use("charge", "m")
PLAN = Use("subscription")
ANY = Pocket(1000)


def limited(balance: int = 1000, *metrics: str, types: Sequence[str] = ()) -> Pocket:
    return Pocket(balance, fee_types=frozenset(types), metrics=frozenset(metrics))


CHARGES = limited(types=["charge"])
PLANS = limited(types=["subscription"])


@pytest.mark.parametrize(
    ("wished", "rate", "currency", "cents", "credit_amount"),
    [
        pytest.param("1034", "0.001", "EUR", 103, "1030", id="e21"),
        pytest.param("0.4", "0.01", "EUR", 0, "0", id="e21-nothing"),
        pytest.param("1.0", "0.01", "EUR", 1, "1", id="e21-least"),
        pytest.param("4.399999", "1", "EUR", 440, "4.40", id="e22"),
        pytest.param("4.399999", "0.01", "EUR", 4, "4", id="e22-cents"),
        pytest.param("4.3789", "100", "EUR", 43789, "4.3789", id="e22-dear"),
        pytest.param("4.39999", "1", "JPY", 4, "4", id="e22-yen"),
        pytest.param("10.34567", "1.375", "EUR", 1423, "10.34909", id="e22-odd"),
        pytest.param("17.9699999999999988631316", "1", "EUR", 1797, "17.97", id="e22-long"),
        pytest.param("1.2345", "1", "KWD", 1235, "1.235", id="three-digits"),
    ],
)
def test_money_e21_e22_what_credits_cost(
    wished: str, rate: str, currency: str, cents: int, credit_amount: str
) -> None:
    amount = bought(floored(Decimal(wished)), Decimal(rate), currency)
    assert amount == Amount(cents, Decimal(credit_amount))


def test_money_e21_the_credits_of_whole_cents() -> None:
    assert credits_of(103, Decimal("0.001"), "EUR") == Decimal(1030)


def test_money_e23_a_void_keeps_its_credits() -> None:
    held, one = Amount(10_000, Decimal(100)), Decimal(1)
    wished = floored(Decimal("14.28444999"))
    assert wished == Decimal("14.28444")
    assert voided(held, wished, one, "EUR") == Amount(1428, wished)
    left = Amount(8572, Decimal("85.71556"))
    assert voided(left, left.credits, one, "EUR") == left, "both run out together"


@given(
    st.lists(st.integers(1, 3_000_000), max_size=30),
    st.decimals("0.00001", "500", places=5),
    st.integers(0, 10**7),
)
def test_10_21_voids_never_part_money_and_credits(
    parts: list[int], rate: Decimal, start: int
) -> None:
    held = bought(Decimal(start), rate, "EUR")
    for part in parts:
        wished = min(Decimal(part) / 100_000, held.credits)
        amount = voided(held, wished, rate, "EUR")
        held = Amount(held.cents - amount.cents, held.credits - wished)
        assert held.cents >= 0
        assert abs(held.credits * rate * 100 - held.cents) <= Decimal("0.5") + rate * 100 / 100_000
    rest = voided(held, held.credits, rate, "EUR")
    assert rest == held


def test_the_last_money_takes_all_credits() -> None:
    rate = Decimal(3)
    held = Amount(300, Decimal(1))
    for left in (200, 100, 0):
        amount = spent(held, 100, rate, "EUR")
        held = Amount(held.cents - amount.cents, held.credits - amount.credits)
        assert held.cents == left
    assert held.credits == 0


def paid(pockets: Sequence[Pocket], total: int, *parts: tuple[Use, str]) -> list[int]:
    buckets = buckets_of([Bucket(use, Decimal(cents)) for use, cents in parts], total)
    return payments(pockets, buckets, total)


@pytest.mark.parametrize(
    ("pockets", "total", "parts", "expected"),
    [
        pytest.param([limited(3900, "m")], 1772, [(USAGE, "1771.96")], [1772], id="e14"),
        pytest.param([limited(2128, "m")], 1769, [(USAGE, "1769.48")], [1769], id="e14-second"),
        pytest.param([limited(3900, "m")], 1000, [(Use("charge", "n"), "1000")], [0], id="e14-n"),
        pytest.param([ANY], 3, [(USAGE, "1.4"), (USAGE, "1.4")], [3], id="e15"),
        pytest.param([ANY], 11, [(USAGE, "1.56")] * 8, [11], id="e16"),
        pytest.param([Pocket(200_000)], 106_826, [(USAGE, "53412.7")] * 2, [106_826], id="e17"),
        pytest.param(
            [ANY, CHARGES, PLANS] * 2,
            5150,
            [(PLAN, "3600"), (USAGE, "1550")],
            [1000, 1000, 1000, 1000, 550, 600],
            id="e18",
        ),
        pytest.param(
            [PLANS, limited(1000, "m"), CHARGES, ANY],
            110,
            [(PLAN, "66"), (USAGE, "44")],
            [66, 44, 0, 0],
            id="e19",
        ),
        pytest.param(
            [PLANS, limited(1000, "m"), CHARGES, ANY, ANY],
            3300,
            [(PLAN, "2200"), (USAGE, "1100")],
            [1000, 1000, 100, 1000, 200],
            id="e19-more",
        ),
        pytest.param(
            [limited(6600, "0")],
            680,
            [(Use("charge", str(number)), "68.456") for number in range(10)],
            [68],
            id="e20",
        ),
        pytest.param(
            [Pocket(20_000, "w1"), Pocket(25_000, "w2")],
            35_000,
            [(Use("charge", "m", "w1"), "15000"), (Use("charge", "m", "w2"), "20000")],
            [15_000, 20_000],
            id="e49",
        ),
        pytest.param(
            [Pocket(20_000, "w1"), Pocket(25_000, "w2")],
            35_000,
            [(USAGE, "35000")],
            [20_000, 15_000],
            id="e49-off",
        ),
        pytest.param(
            [limited(1000, "m"), limited(1000, "n")],
            121,
            [(USAGE, "60.5"), (Use("charge", "n"), "60.5")],
            [61, 60],
            id="10.6-two-halves",
        ),
        pytest.param([limited(50, "x")], 10, [(Use("charge", "m", "w9"), "10")], [0], id="target"),
    ],
)
def test_money_e14_to_e20_and_e49_what_wallets_pay(
    pockets: list[Pocket], total: int, parts: list[tuple[Use, str]], expected: list[int]
) -> None:
    assert paid(pockets, total, *parts) == expected


USES = [PLAN, USAGE, Use("charge", "n"), Use("charge", "m", "w1")]


@given(
    st.lists(
        st.builds(
            Pocket,
            st.integers(0, 5000),
            st.sampled_from(["w1", "w2"]),
            st.frozensets(st.sampled_from(["charge", "subscription"])),
            st.frozensets(st.sampled_from(["m", "n"])),
        ),
        max_size=6,
    ),
    st.lists(
        st.tuples(st.sampled_from(USES), st.decimals(0, 3000, places=3)), min_size=1, max_size=8
    ),
)
def test_10_6_wallets_never_pay_more_than_there_is_to_pay(
    pockets: list[Pocket], parts: list[tuple[Use, Decimal]]
) -> None:
    exact = sum((cents for _, cents in parts), Decimal(0))
    for total in {int(exact), int(exact) + 1}:
        amounts = payments(pockets, buckets_of([Bucket(*one) for one in parts], total), total)
        assert sum(amounts) <= total
        for pocket, amount in zip(pockets, amounts, strict=True):
            assert 0 <= amount <= pocket.balance_cents


PAIRS = [("storage", "seats"), ("seats", "api"), ("api", "sms"), ("sms", "storage")]


def test_money_e27_overflow_goes_to_the_last_wallet_that_accepts() -> None:
    pockets = [limited(1000 * (place + 1), *pair) for place, pair in enumerate(PAIRS)]
    usage = {"storage": 1000, "seats": 2000, "api": 3000, "sms": 4000}
    taken = foreseen(pockets, {Use("charge", name): cents for name, cents in usage.items()})
    assert taken == [1000, 3000, 4000, 2000]
    assert [pocket.balance_cents - cents for pocket, cents in zip(pockets, taken, strict=True)] == [
        0,
        -1000,
        -1000,
        2000,
    ]


REFILLED = Pocket(50, is_refilled=True)


@pytest.mark.parametrize(
    ("pockets", "nets", "expected"),
    [
        pytest.param([Pocket(50), Pocket(150)], [80], [50, 30], id="plain"),
        pytest.param([REFILLED, Pocket(150)], [80], [80, 0], id="refilled"),
        pytest.param([Pocket(50), Pocket(150)], [250], [50, 200], id="overflow"),
        pytest.param([REFILLED, Pocket(150)], [80, 100 - 150], [30, 0], id="billed-too-much"),
        pytest.param([Pocket(50), REFILLED, Pocket(50)], [200], [50, 150, 0], id="middle"),
        pytest.param([Pocket(0), Pocket(50), Pocket(50)], [80], [0, 50, 30], id="empty-first"),
        pytest.param([Pocket(50)], [-30], [0], id="nothing-to-pay"),
    ],
)
def test_money_e28_what_usage_will_take(
    pockets: list[Pocket], nets: list[int], expected: list[int]
) -> None:
    by_use = {Use("charge", number): cents for number, cents in enumerate(nets)}
    assert foreseen(pockets, by_use) == expected


def rule(**fields: Any) -> TopUpRule:
    given: dict[str, Any] = {name: Decimal(value) for name, value in fields.items()}
    return TopUpRule(**given)


FIXED = {"threshold": 10, "paid": 50}


@pytest.mark.parametrize(
    ("fields", "ongoing", "pending", "expected"),
    [
        pytest.param(FIXED, "-429.8", 0, TopUp(Decimal(450)), id="many"),
        pytest.param(FIXED, "-50", 0, TopUp(Decimal(100)), id="two"),
        pytest.param(FIXED, "-100", 0, TopUp(Decimal(150)), id="three"),
        pytest.param(FIXED, "9", 0, TopUp(Decimal(50)), id="one"),
        pytest.param(FIXED, "-429.8", 50, TopUp(Decimal(400)), id="pending"),
        pytest.param(
            FIXED | {"granted": 50}, "-429.8", 0, TopUp(Decimal(400), Decimal(50)), id="granted"
        ),
        pytest.param(FIXED | {"most": 100}, "-429.8", 0, TopUp(Decimal(100)), id="capped"),
        pytest.param({"paid": 50}, "-429.8", 0, TopUp(Decimal(50)), id="interval"),
        pytest.param(
            {"threshold": 10, "granted": 5}, "-429.8", 0, TopUp(granted=Decimal(5)), id="free"
        ),
    ],
)
def test_money_e24_fixed_top_ups(
    fields: dict[str, Any], ongoing: str, pending: int, expected: TopUp
) -> None:
    assert top_up(rule(**fields), Decimal(ongoing), Decimal(pending)) == expected


@pytest.mark.parametrize(
    ("fields", "ongoing", "expected"),
    [
        pytest.param({"least": "205.5"}, "5.5", TopUp(Decimal("205.5")), id="raised"),
        pytest.param({"most": 100}, "5.5", TopUp(Decimal("194.5")), id="never-capped"),
        pytest.param(
            {"grants_target": 1, "least": "205.5"},
            "5.5",
            TopUp(granted=Decimal("194.5")),
            id="free",
        ),
        pytest.param({"target": 101, "least": 50}, "100", TopUp(Decimal(50)), id="small-gap"),
        pytest.param({}, "200", TopUp(), id="reached"),
    ],
)
def test_money_e25_top_ups_to_a_target(
    fields: dict[str, Any], ongoing: str, expected: TopUp
) -> None:
    assert top_up(rule(**{"target": 200, **fields}), Decimal(ongoing)) == expected


@pytest.mark.parametrize(
    ("started", "interval", "after", "expected"),
    [
        ("2024-01-15", "weekly", "2024-01-15", "2024-01-22"),
        ("2024-01-15", "monthly", "2024-01-14", "2024-01-15"),
        ("2024-01-15", "monthly", "2024-01-15", "2024-02-15"),
        ("2024-01-31", "monthly", "2024-01-31", "2024-02-29"),
        ("2024-01-31", "monthly", "2024-02-29", "2024-03-31"),
        ("2024-01-31", "quarterly", "2024-01-31", "2024-04-30"),
        ("2024-02-15", "semiannual", "2024-02-15", "2024-08-15"),
        ("2024-02-29", "yearly", "2024-02-29", "2025-02-28"),
        ("2024-02-29", "yearly", "2027-02-28", "2028-02-29"),
        ("2026-05-01", "monthly", "2024-01-01", "2026-05-01"),
    ],
)
def test_days_of_interval_rules(started: str, interval: str, after: str, expected: str) -> None:
    days = [date.fromisoformat(text) for text in (started, after, expected)]
    assert next_day(days[0], days[1], interval) == days[2]
