"""What coupons take off, and how it is spread; E numbers are examples of docs/rules/money.md 9."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.coupons import Discount, DiscountedFee, apply

METRICS, PLAN = frozenset({0, 1}), frozenset({4, 5, 6, 7})


def fixed(cents: int, fees: frozenset[int] | None = None) -> Discount:
    return Discount(cents, None, fees)


def percent(rate: str, fees: frozenset[int] | None = None) -> Discount:
    return Discount(None, Decimal(rate), fees)


def spread(
    amounts: list[int], *discounts: Discount, taken: list[int] | None = None
) -> tuple[list[int], list[str]]:
    """Return what the discounts take off fees of these amounts, and what each fee loses."""
    before = [Decimal(one) for one in taken or [0] * len(amounts)]
    fees = [DiscountedFee(amount, one) for amount, one in zip(amounts, before, strict=True)]
    found, after = apply(discounts, fees, sum(amounts) - int(sum(before)))
    return found, [f"{one.taken_cents.normalize():f}" for one in after]


def test_money_e1_limited_and_open_coupons() -> None:
    discounts = [fixed(2000, METRICS), fixed(1000, PLAN), fixed(500)]
    found, lost = spread([1000, 2000, 3000, 4000] * 2, *discounts)
    assert found == [2000, 1000, 500]
    assert lost == [
        *("676.47059", "1352.94117", "88.23529", "117.64706"),
        *("126.47059", "252.94118", "379.41176", "505.88235"),
    ]


@pytest.mark.parametrize(
    ("example", "amounts", "discounts", "found", "lost"),
    [
        ("E2", [10000, 5000, 3000, 2000], [fixed(1000)], [1000], ["500", "250", "150", "100"]),
        ("E3", [10000], [fixed(1000), fixed(11000)], [1000, 9000], ["10000"]),
        ("E4", [10000, 5000], [fixed(10000)] * 2, [10000, 5000], ["10000", "5000"]),
        (
            "E5",
            [99290, 299770, 3130, 6460, 3130, 1999],
            [fixed(1000)] * 2,
            [1000, 1000],
            ["479.91802", "1448.93772", "15.12884", "31.2244", "15.12884", "9.66216"],
        ),
        ("E6", [100], [fixed(10), percent("20")], [10, 18], ["28"]),
        ("E6", [100], [percent("15"), percent("20")], [15, 17], ["32"]),
        ("E6", [5], [fixed(10), fixed(10)], [5, 0], ["5"]),
        ("E7", [200, 100], [fixed(12)], [12], ["8", "4"]),
        ("E7", [4, 2], [fixed(12)], [6], ["4", "2"]),
        ("10.7", [1000, 2000], [fixed(100, METRICS), percent("100", frozenset({0}))], [100, 966],
         ["999.33333", "66.66667"]),
        ("2.5", [1000, 1000, 1000], [fixed(1000, frozenset({0, 1, 2})), percent("100",
         frozenset({0, 1, 2}))], [1000, 2000], ["1000", "1000", "1000"]),
        ("2.4", [1000], [fixed(10, frozenset())], [0], ["0"]),
        ("2.5", [0, 0], [fixed(10), percent("50", METRICS)], [0, 0], ["0", "0"]),
    ],
)  # fmt: skip
def test_money_e2_to_e7(
    example: str, amounts: list[int], discounts: list[Discount], found: list[int], lost: list[str]
) -> None:
    assert spread(amounts, *discounts) == (found, lost), example


def test_money_e8_after_a_progressive_billing_credit() -> None:
    limited = fixed(12, frozenset({0, 1}))
    assert spread([50, 150, 70], limited, taken=[15, 45, 0]) == ([12], ["18", "54", "0"])


rates = st.decimals(Decimal("0.01"), 100, places=5)


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=12),
    st.lists(
        st.tuples(
            st.one_of(st.integers(1, 10**6), rates),
            st.one_of(st.none(), st.frozensets(st.integers(0, 11))),
        ),
        max_size=8,
    ),
)
def test_fees_lose_what_coupons_take(
    amounts: list[int], wanted: list[tuple[int | Decimal, frozenset[int] | None]]
) -> None:
    discounts = [
        Discount(
            terms if isinstance(terms, int) else None,
            terms if isinstance(terms, Decimal) else None,
            None if fees is None else frozenset(one for one in fees if one < len(amounts)),
        )
        for terms, fees in wanted
    ]
    found, after = apply(discounts, [DiscountedFee(one) for one in amounts], sum(amounts))
    assert all(amount >= 0 for amount in found)
    assert sum(found) <= sum(amounts)
    assert all(0 <= one.taken_cents <= one.amount_cents for one in after)
    lost = sum((one.taken_cents for one in after), Decimal(0))
    assert abs(lost - sum(found)) < Decimal("0.1"), "they round to the same minor units"
