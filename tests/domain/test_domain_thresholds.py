"""How far usage has come towards its thresholds, and which it passes."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.thresholds import MOST_STEPS, completions, crossed, share_of_credit


@pytest.mark.parametrize(
    ("fixed", "recurring", "total", "shown"),
    [
        pytest.param(
            [100],
            200,
            723,
            [(100, "1"), (300, "1"), (500, "1"), (700, "1"), (900, "0.115")],
            id="e51",
        ),
        pytest.param([150], 200, 170, [(150, "1"), (350, "0.1")], id="counted-from-the-last"),
        pytest.param([100, 200, 400], None, 150, [(100, "1"), (200, "0.5"), (400, "0")], id="next"),
        pytest.param([100, 200], 50, 20, [(100, "0.2"), (200, "0"), (250, "0")], id="not-yet"),
        pytest.param([], 200, 50, [(200, "0.25")], id="recurring-alone"),
        pytest.param([100], None, 500, [(100, "1")], id="all-reached"),
        pytest.param([100], 100, 200, [(100, "1"), (200, "1"), (300, "0")], id="exactly"),
        pytest.param([3], None, 1, [(3, "0.333333333333333")], id="rounded"),
    ],
)
def test_completions(
    fixed: list[int], recurring: int | None, total: int, shown: list[tuple[int, str]]
) -> None:
    found = [(one.amount_cents, one.ratio) for one in completions(fixed, recurring, total)]
    assert found == [(amount, Decimal(ratio)) for amount, ratio in shown]


@given(
    st.lists(st.integers(1, 10**6), unique=True, max_size=5).map(sorted),
    st.one_of(st.none(), st.integers(100, 10**6)),
    st.integers(0, 10**5),
)
def test_ratios_never_rise_along_the_thresholds(
    fixed: list[int], recurring: int | None, total: int
) -> None:
    found = completions(fixed, recurring, total)
    ratios = [one.ratio for one in found]
    assert ratios == sorted(ratios, reverse=True)
    assert sum(0 < ratio < 1 for ratio in ratios) <= 1
    assert [one.amount_cents for one in found if one.ratio == 1] == [
        one.amount_cents for one in found if one.amount_cents <= total
    ]


def test_of_many_steps_the_last_are_told() -> None:
    found = completions([], 1, 10**15)
    assert len(found) == MOST_STEPS + 1
    assert found[-2].amount_cents == 10**15
    assert found[-2].ratio == 1


FIXED = [200, 500, 700]


@pytest.mark.parametrize(
    ("before", "used", "fixed", "recurring"),
    [
        pytest.param(0, 220, (200,), False, id="c16-first"),
        pytest.param(220, 220, (), False, id="c16-not-yet"),
        pytest.param(220, 440, (500,), False, id="c16-second"),
        pytest.param(660, 220, (700,), False, id="c16-third"),
        pytest.param(880, 2200, (), True, id="c16-recurring"),
        pytest.param(3080, 2200, (), True, id="c16-recurring-again"),
        pytest.param(0, 1700, (200, 500, 700), True, id="all-at-once"),
        pytest.param(0, 1699, (200, 500, 700), False, id="one-short"),
        pytest.param(200, 0, (), False, id="nothing-new"),
        pytest.param(220, -50, (), False, id="shrunk"),
        pytest.param(700, 299, (), False, id="from-the-largest-the-step-counts-all-usage"),
        pytest.param(700, 300, (), True, id="a-step-of-all-usage"),
    ],
)
def test_crossed(before: int, used: int, fixed: tuple[int, ...], recurring: bool) -> None:  # noqa: FBT001 - a table
    assert crossed(FIXED, 1000, before, used) == (fixed, recurring)


def test_without_a_recurring_threshold_nothing_recurs() -> None:
    assert crossed(FIXED, None, 700, 10**9) == ((), False)
    assert crossed([], 100, 0, 100) == ((), True)


@given(st.data())
def test_a_credit_is_shared_out_whole(data: st.DataObject) -> None:
    amounts = data.draw(st.lists(st.integers(0, 10**6), min_size=1, max_size=6))
    matched = [data.draw(st.integers(0, amount)) for amount in amounts]
    credit = data.draw(st.integers(0, sum(amounts)))
    shares = share_of_credit(credit, matched, amounts)
    assert sum(shares) == credit
    assert all(0 <= share <= amount for share, amount in zip(shares, amounts, strict=True))
    if credit <= sum(matched):
        assert all(share <= most for share, most in zip(shares, matched, strict=True))
