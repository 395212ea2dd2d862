"""Which thresholds a value passes, on its way up and on its way down."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.alerts import MOST_STEPS, AlertThreshold, Direction, crossed


def once(*values: str | int) -> list[AlertThreshold]:
    return [AlertThreshold(Decimal(value)) for value in values]


def every(value: str | int) -> AlertThreshold:
    return AlertThreshold(Decimal(value), recurring=True, code="step")


def passed(
    thresholds: list[AlertThreshold],
    previous: str | int,
    current: str | int,
    direction: Direction = "increasing",
) -> list[str]:
    found = crossed(thresholds, Decimal(previous), Decimal(current), direction)
    return [f"{one.value}{'r' if one.recurring else ''}" for one in found]


C27 = [*once(3000, 1500), every(1000)]


@pytest.mark.parametrize(
    ("thresholds", "previous", "current", "shown"),
    [
        pytest.param(C27, 0, 3500, ["1500", "3000"], id="c27-both"),
        pytest.param(C27, 3500, 5500, ["4000r", "5000r"], id="c27-recurring"),
        pytest.param(C27, 0, 4000, ["1500", "3000", "4000r"], id="all-at-once"),
        pytest.param(C27, 4000, 4500, [], id="14.26-a-step-is-reached-once"),
        pytest.param(C27, 1500, 2999, [], id="a-threshold-is-reached-once"),
        pytest.param(C27, 3500, 1600, [], id="down"),
        pytest.param(C27, 1600, 1600, [], id="still"),
        pytest.param([every(1000)], 0, 2500, ["1000r", "2000r"], id="recurring-alone"),
        pytest.param([*once(50), every(10)], 0, 49, [], id="recurring-waits-for-the-last"),
        pytest.param([*once("0.5"), every("0.25")], 0, 1, ["0.5", "0.75r", "1.00r"], id="parts"),
        pytest.param([*once(-5), every(10)], 0, 7, ["5r"], id="from-below-zero"),
    ],
)
def test_increasing(
    thresholds: list[AlertThreshold], previous: int, current: int, shown: list[str]
) -> None:
    assert passed(thresholds, previous, current) == shown


@pytest.mark.parametrize(
    ("thresholds", "previous", "current", "shown"),
    [
        pytest.param(once(8000, 5000, 2000), 10_000, 9000, [], id="e48-nothing"),
        pytest.param(once(8000, 5000, 2000), 9000, 7000, ["8000"], id="e48-first"),
        pytest.param([*once(20, 30), every(5)], 40, 9, ["30", "20", "15r", "10r"], id="steps"),
        pytest.param([*once(20), every(5)], 15, 12, [], id="a-step-is-reached-once"),
        pytest.param([*once(20), every(5)], 10, 25, [], id="up"),
        pytest.param([every(5)], 3, -7, ["-5r"], id="below-zero"),
    ],
)
def test_decreasing(
    thresholds: list[AlertThreshold], previous: int, current: int, shown: list[str]
) -> None:
    assert passed(thresholds, previous, current, "decreasing") == shown


def test_of_many_steps_the_last_are_named() -> None:
    found = passed([every("0.000001")], 0, 10**12)
    assert len(found) == MOST_STEPS
    assert found[-1] == "1000000000000.000000r"


values = st.decimals(0, 1000, places=1)


@given(
    st.lists(values, unique=True, max_size=4),
    st.one_of(st.none(), st.decimals("0.5", 300, places=1)),
    st.lists(values, min_size=1, max_size=6),
)
def test_a_rising_value_passes_the_same_at_once_as_in_parts(
    fixed: list[Decimal], step: Decimal | None, path: list[Decimal]
) -> None:
    thresholds = [*once(*map(str, fixed)), *([every(str(step))] if step else [])]
    rising = sorted(path)
    parts, previous = [], Decimal(0)
    for value in rising:
        parts += crossed(thresholds, previous, value)
        previous = value
    whole = crossed(thresholds, Decimal(0), rising[-1])
    assert parts[-MOST_STEPS:] == whole[-MOST_STEPS:]
