"""How far usage has come towards its thresholds."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.thresholds import completions


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
