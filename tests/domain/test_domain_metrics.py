"""What each aggregation makes of a list of events."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.metrics import (
    Fact,
    Folded,
    apply_rounding,
    closing_second,
    fold,
    numeric,
    property_text,
    weighted_sum,
    weighted_units,
)
from billing_core.domain.money import minor_from_major

START = datetime(2024, 3, 1, tzinfo=UTC)


def facts(*values: str | None) -> list[Fact]:
    return [Fact(START + timedelta(hours=hour), hour, value) for hour, value in enumerate(values)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("12", "12"),
        (12, "12"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1.50"), "1.50"),
        (0.25, "0.25"),
        (True, "true"),
        (False, "false"),
        (None, None),
        ({"a": [1, Decimal("1.50"), None, "x\n"]}, '{"a":[1,1.50,null,"x\\n"]}'),
        ([], "[]"),
    ],
)
def test_properties_are_read_as_text(value: Any, text: str | None) -> None:
    assert property_text(value) == text


def test_long_integers_are_text_too() -> None:
    assert property_text(10**5000) == "1" + "0" * 5000


def test_deep_nesting_is_text_too() -> None:
    nested: Any = None
    for _ in range(100_000):
        nested = [nested]
    assert property_text(nested) == "[" * 100_000 + "null" + "]" * 100_000


@pytest.mark.parametrize("text", ["12", "-0.5", "007", "1" * 60])
def test_numbers_take_part(text: str) -> None:
    assert numeric(text) == Decimal(text)


@pytest.mark.parametrize(
    "text",
    ["1e3", "+5", ".5", "5.", " 5", "5\n", "1,000", "true", "", "NaN", "\u0665", None],
)
def test_other_texts_do_not(text: str | None) -> None:
    assert numeric(text) is None


@pytest.mark.parametrize(
    ("aggregation", "values", "units", "count"),
    [
        ("count_agg", ["x", None, "3"], "3", 3),
        ("sum_agg", ["10", "-4.5", "1e3", None], "5.5", 2),
        ("sum_agg", ["9" * 50, "0." + "1" * 40], "9" * 50 + "." + "1" * 40, 2),
        ("max_agg", ["-3", "-2", "abc"], "-2", 2),
        ("max_agg", [], "0", 0),
        ("latest_agg", ["5", "7", "none"], "7", 2),
        ("latest_agg", ["5", "-7"], "0", 2),
        ("latest_agg", [None], "0", 0),
        ("unique_count_agg", ["a", "a", "b", None, None], "2", 2),  # 8.16: nothing is no value
        ("unique_count_agg", [None], "0", 0),
        ("weighted_sum_agg", ["10", "-4.5", "1e3", None], "5.5", 2),
    ],
)
def test_fold(aggregation: str, values: Sequence[str | None], units: str, count: int) -> None:
    assert fold(aggregation, facts(*values)) == Folded(Decimal(units), count)


def test_latest_breaks_ties_by_ingestion() -> None:
    same = [Fact(START, 2, "9"), Fact(START, 1, "5"), Fact(START - timedelta(1), 3, "1")]
    assert fold("latest_agg", same).units == 9


def test_unique_count_replays_operations_e29() -> None:
    script = [("a", "add"), ("a", None), ("b", "remove"), ("a", "remove"), ("b", "add")]
    events = [
        Fact(START + timedelta(minutes=minute), minute, value, operation)
        for minute, (value, operation) in enumerate(script)
    ]
    assert fold("unique_count_agg", events) == Folded(Decimal(1), 1)
    assert fold("unique_count_agg", events[::-1]) == Folded(Decimal(1), 1)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-(10**6), 10**6))), st.randoms())
def test_the_order_of_arrival_in_the_list_does_not_matter(
    history: list[tuple[int, int]], random: Any
) -> None:
    events = [
        Fact(START + timedelta(hours=hour), order, str(value))
        for order, (hour, value) in enumerate(history)
    ]
    mixed = random.sample(events, len(events))
    for aggregation in ("count_agg", "sum_agg", "max_agg", "latest_agg", "unique_count_agg"):
        assert fold(aggregation, mixed) == fold(aggregation, events)
    initial, end = Decimal(3), START + timedelta(days=1)
    assert weighted_sum(initial, mixed, START, end, 1) == weighted_sum(
        initial, events, START, end, 1
    )


@pytest.mark.parametrize(
    ("units", "function", "precision", "rounded"),
    [
        ("123.456", "round", 2, "123.46"),
        ("123.456", "round", None, "123"),
        ("123.456", "round", -2, "100"),
        ("123.456", "ceil", None, "124"),
        ("123.456", "ceil", 2, "123.46"),
        ("123.456", "ceil", -2, "200"),
        ("123.456", "floor", 1, "123.4"),
        ("123.456", "floor", -1, "120"),
        ("123.456", None, 1, "123.456"),
        ("150", "round", -2, "200"),
        ("2.5", "round", 0, "3"),
        ("-2.5", "round", 0, "-3"),
        ("-2.5", "ceil", 0, "-2"),
        ("-2.5", "floor", 0, "-3"),
        ("-149", "ceil", -2, "-100"),
        ("49", "round", -2, "0"),
        ("0.1", "ceil", -20, "1" + "0" * 20),
        ("9" * 500 + ".95", "round", 1, "1" + "0" * 500 + ".0"),
    ],
)
def test_metric_rounding(
    units: str, function: str | None, precision: int | None, rounded: str
) -> None:
    assert str(apply_rounding(Decimal(units), function, precision)) == rounded


def deltas(*steps: tuple[timedelta, int]) -> list[Fact]:
    return [Fact(START + after, order, str(value)) for order, (after, value) in enumerate(steps)]


APRIL = datetime(2024, 4, 1, tzinfo=UTC)
MAY = datetime(2024, 5, 1, tzinfo=UTC)


def test_weighted_sum_e27() -> None:
    hours = timedelta(hours=1)
    events = deltas(
        (0 * hours, 2),
        (1 * hours, 3),
        (1.5 * hours, 1),
        (2 * hours, -4),
        (4 * hours, -2),
        (5 * hours, 10),
        (5.5 * hours, -10),
    )
    found = weighted_sum(Decimal(0), events, START, APRIL, 31)
    assert round(found.units, 7) == Decimal("0.0221774")
    assert found.end_level == 0


def test_recurring_weighted_sum_e28() -> None:
    start = datetime(2024, 3, 5, tzinfo=UTC)
    first = weighted_sum(Decimal(0), [Fact(start, 1, "2500")], start, APRIL, 31)
    assert round(first.units, 16) == Decimal("2177.4193548387096774")
    assert minor_from_major(first.units, "EUR") == 217742
    assert first.end_level == 2500
    changes = [
        Fact(datetime(2024, 4, 4, tzinfo=UTC), 2, "-2000"),
        Fact(datetime(2024, 4, 6, tzinfo=UTC), 3, "-200"),
    ]
    second = weighted_sum(first.end_level, changes, APRIL, MAY, 30)
    assert round(second.units, 4) == Decimal("533.3333")
    assert minor_from_major(second.units, "EUR") == 53333
    assert second.end_level == 300


def test_weighted_units_keep_20_decimals_rounded_half_up() -> None:
    third = weighted_sum(Decimal(2), [], START, START + timedelta(days=10), 30)
    assert str(third.units) == "0.66666666666666666667"


@pytest.mark.parametrize(
    ("end", "closing"),
    [
        ("2024-04-01T00:00:00", "2024-04-01T00:00:00"),  # the end of a day
        ("2024-03-09T12:00:00.000001", "2024-03-09T12:00:00"),  # terminated at noon, inclusive
        ("2024-03-09T12:00:00.250001", "2024-03-09T12:00:01"),
        ("1969-12-31T23:59:59.500000", "1970-01-01T00:00:00"),
    ],
)
def test_the_last_segment_ends_with_the_last_second(end: str, closing: str) -> None:
    instants = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (end, closing)]
    assert closing_second(instants[0]) == instants[1]


def test_values_that_are_no_numbers_do_not_change_the_level() -> None:
    events = [Fact(START, 1, "4"), Fact(START, 2, "many"), Fact(START, 3, None)]
    assert weighted_sum(Decimal(0), events, START, APRIL, 31).units == 4


levels = st.decimals(-(10**9), 10**9, places=6)
changes_in_a_day = st.lists(
    st.tuples(
        st.integers(0, 86_399_999_999), levels | st.just(Decimal("9" * 390 + "." + "9" * 390))
    )
)


@given(levels, changes_in_a_day, st.integers(1, 1_000_000), st.integers(1, 366))
def test_segments_add_up_to_what_stores_keep(
    initial: Decimal, changes: list[tuple[int, Decimal]], beyond_us: int, period_days: int
) -> None:
    end = START + timedelta(days=1, microseconds=beyond_us)
    events = [
        Fact(START + timedelta(microseconds=after_us), order, format(value, "f"))
        for order, (after_us, value) in enumerate(changes)
    ]
    with localcontext(prec=2000):
        units = sum((value for _, value in changes), Decimal(0))
        closing = closing_second(end)
        unit_seconds = sum(
            (
                value * ((closing - START) // timedelta(microseconds=1) - after_us)
                for after_us, value in changes
            ),
            Decimal(0),
        ).scaleb(-6)
    kept = weighted_units(initial, units, unit_seconds, START, end, period_days)
    assert kept == weighted_sum(initial, events, START, end, period_days)
