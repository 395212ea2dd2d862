"""Charge models: the worked examples of docs/rules/metering.md 7, and what must always hold."""

from decimal import Decimal, getcontext, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.charges import MODELS, NOTHING, Terms, Usage, charge_price
from billing_core.domain.errors import Invalid
from billing_core.domain.money import exact_context, minor_from_major
from tests.domain.price_lists import (
    AMOUNTS,
    LONG,
    NUMBERS,
    Tiers,
    any_terms,
    graduated,
    graduated_percentage,
    next_rows,
    package,
    percentage,
    percentages,
    price,
    rows,
    standard,
    summed,
    tiers,
    volume,
)
from tests.support.evaluator import worth

CLASSIC = graduated([(0, 10, "10", "2"), (11, 20, "5", "3"), (21, None, "5", "3")])
ADJACENT = graduated([(0, 10, "10", "2"), (10, 20, "5", "3"), (20, None, "4", "1")])
DECIMALS = graduated([(0, 0.1, "10", "0"), (0.1, 1, "5", "0"), (1, None, "2", "0")])
MIXED = graduated([(0, 10, "10", "0"), (10, 20, "5", "0"), (21, None, "4", "0")])
FROM_ONE = graduated([(1, 10, "10", "0"), (11, None, "1", "0")])
VOLUME = volume([(0, 100, "2", "10"), (101, 200, "1", "0"), (201, None, "0.5", "50")])
HOLED = volume([(0, 100, "2", "10"), (102, None, "1", "0")])


@pytest.mark.parametrize(
    ("amount", "units", "currency", "minor"),
    [
        ("0.001", "4.5", "EUR", 0),
        ("0.005", "1", "EUR", 1),
        ("0.0149999", "1", "EUR", 1),
        ("0.0005", "3", "KWD", 2),
        ("0.5", "3", "JPY", 2),
    ],
)
def test_e1_e2_standard_rounds_once(amount: str, units: str, currency: str, minor: int) -> None:
    terms = MODELS["standard"].parse({"amount": amount})
    assert minor_from_major(price(terms, units).amount, currency) == minor


PERCENTAGES = [(0, 10, "1", "200"), (11, 20, "2", "300"), (21, None, "3", "400")]
TOUCHING = [(0, 10, "1", "0"), (10, 20, "2", "0"), (20, None, "3", "0")]


@pytest.mark.parametrize(
    ("terms", "example"),
    [
        pytest.param(CLASSIC, "0=2 1=12 10=102 11=110 20=155 21=163", id="e4"),
        pytest.param(CLASSIC, "10.2=106 10.5=107.5 20.5=160.5", id="e5"),
        pytest.param(ADJACENT, "10=102 10.2=106 20=155 20.5=158", id="e6"),
        pytest.param(DECIMALS, "0.05=0.5 0.5=3", id="e7"),
        pytest.param(MIXED, "10.5=107.5 21=159", id="e8: a border billed twice, kept"),
        pytest.param(FROM_ONE, "0.5=5 10=100", id="e9"),
        pytest.param(
            VOLUME,
            "0=10 100=210 100.0001=100.0001 100.5=100.5 200=200 200.5=150.25 300=200",
            id="e10",
        ),
        pytest.param(HOLED, "100=210 100.5=100.5 101=101 102=102", id="a hole takes the next tier"),
        pytest.param(package("100", 10, 0), "1=100 10=100 10.0000000001=200 121=1300", id="e12"),
        # differs-from-lago.md: packages are counted exactly, so the least excess opens one
        pytest.param(package("100", 10, 0), "100.0000000000000001=1100", id="e12: exact"),
        pytest.param(package("5", 100, 100), "50=0 100=0 100.01=5 200=5 201=10", id="e13"),
        pytest.param(
            graduated_percentage(PERCENTAGES),
            "0=200 10=200.1 10.5=500.11 11=500.12 21=900.33",
            id="e24",
        ),
        pytest.param(
            graduated_percentage(TOUCHING), "21=0.38 100=2.75", id="e25: borders billed twice, kept"
        ),
        pytest.param(
            graduated([(1, 10, "10", "0"), (10, None, "1", "0")]),
            "0.5=0 1=0 10=90 11=91",
            id="adjacent bounds from one leave out the first unit (3.4)",
        ),
    ],
)
def test_worked_examples(terms: Terms, example: str) -> None:
    for pair in example.split():
        units, _, amount = pair.partition("=")
        assert price(terms, units).amount == Decimal(amount), pair


@pytest.mark.parametrize(
    ("amounts", "minor"),
    [(["1234.56", "2.1"], 1237), (["0"], 0), (["-5"], 0)],
    ids=["e26", "free", "below nothing"],
)
def test_dynamic(amounts: list[str], minor: int) -> None:
    terms = MODELS["dynamic"].parse({"amount": "5", "pricing_group_keys": ["region"]})
    total = sum(map(Decimal, amounts))
    usage = Usage(Decimal(6), len(amounts), amount_cents=Decimal(total), subunit=100)
    assert minor_from_major(charge_price(terms, usage).amount, "EUR") == minor
    assert terms.properties() == {"grouped_by": ["region"], "pricing_group_keys": ["region"]}


def test_dynamic_amounts_without_units_are_not_billed() -> None:
    usage = Usage(Decimal(0), 1, amount_cents=Decimal(500), subunit=100)
    assert charge_price(MODELS["dynamic"].parse({}), usage) == NOTHING


def test_dynamic_amounts_are_minor_units_of_their_currency() -> None:
    usage = Usage(Decimal(1), 1, amount_cents=Decimal(500), subunit=1)
    assert charge_price(MODELS["dynamic"].parse({}), usage).amount == 500
    for amount, subunit in ((None, 100), (Decimal(5), 0)):
        incomplete = Usage(Decimal(1), 1, amount_cents=amount, subunit=subunit)
        with pytest.raises(AssertionError):
            charge_price(MODELS["dynamic"].parse({}), incomplete)


def test_custom_amounts_are_taken_as_they_come() -> None:
    terms = MODELS["custom"].parse({"custom_properties": {"rate": 1}})
    assert terms.properties() == {}
    assert charge_price(terms, Usage(Decimal(3), 2), "custom_agg") == NOTHING
    given_amount = Usage(Decimal(0), 2, amount_cents=Decimal("12.5"), subunit=100)
    assert charge_price(terms, given_amount, "custom_agg").amount == Decimal("0.125")


def test_unit_amounts() -> None:
    assert price(package("5", 100, 100), "100.01").unit_amount == 500
    assert price(CLASSIC, "11").unit_amount == 10
    assert price(CLASSIC, "0").unit_amount == 0
    assert str(price(CLASSIC, "3").unit_amount) == "10.666666666666667"
    standard = MODELS["standard"].parse({"amount": "0.25"})
    assert price(standard, "0").unit_amount == 0
    assert price(standard, "8").unit_amount == Decimal("0.25")


RATE = {"rate": "1.3", "fixed_amount": "2"}
LIMITS = {"rate": "2.99", "per_transaction_min_amount": "1.75", "per_transaction_max_amount": "12"}
N1, N2, N3 = ({"free_units_per_events": number} for number in (1, 2, 3))
A250 = {"free_units_per_total_aggregation": "250"}


@pytest.mark.parametrize(
    ("properties", "values", "amount"),
    [
        pytest.param(RATE, "50 100 250 400", "18.40", id="e14"),
        pytest.param(RATE | N3, "50 100 250 400", "7.20", id="e15"),
        pytest.param(RATE | A250, "50 100 250 400", "11.15", id="e16"),
        pytest.param(RATE | A250, "100 150 50", "4.65", id="e17"),
        pytest.param(RATE | A250 | N3, "50 100 250 400", "11.15", id="e18"),
        pytest.param(RATE | A250 | N1, "50 100 250 400", "15.75", id="e18: N=1"),
        pytest.param(RATE | A250 | N2, "300 100", "1.95", id="e19"),
        pytest.param(RATE, "100 -40", "4.78", id="e20"),
        pytest.param(RATE, "100 -100", "0", id="e20: no units"),
        pytest.param(LIMITS, "10 80 10000", "16.142", id="e22"),
        pytest.param(LIMITS | {"fixed_amount": "2"}, "10 80 10000", "18.691", id="e22: fixed"),
        pytest.param(
            LIMITS | {"free_units_per_total_aggregation": "30"},
            "10 80 10000",
            "13.794",
            id="e22: A=30",
        ),
        pytest.param(
            RATE | A250 | N1 | {"per_transaction_min_amount": "0"},
            "50 100 250 400",
            "11.15",
            id="e23",
        ),
    ],
)
def test_percentage_of_a_sum(properties: dict[str, Any], values: str, amount: str) -> None:
    terms = MODELS["percentage"].parse(properties)
    assert charge_price(terms, summed(*values.split())).amount == Decimal(amount)


@pytest.mark.parametrize(
    ("terms", "cents"),
    [(LIMITS, 1614), (LIMITS | {"fixed_amount": "2"}, 1869)],
    ids=["e22", "e22: fixed"],
)
def test_percentage_in_cents(terms: dict[str, str], cents: int) -> None:
    amount = charge_price(MODELS["percentage"].parse(terms), summed(10, 80, 10000)).amount
    assert minor_from_major(amount, "EUR") == cents


def test_limits_have_no_events_to_hold_on_to_in_a_weighted_sum() -> None:
    terms = percentage(rate="10", fixed_amount="1", per_transaction_min_amount="50")
    usage = Usage(Decimal(200), 3, [Decimal(5), Decimal(-5)])  # levels, not prices
    assert charge_price(terms, usage, "weighted_sum_agg").amount == 23


def test_percentage_details() -> None:
    numbers = [Decimal(value) for value in (10, 80, 10000)]
    terms = MODELS["percentage"].parse(LIMITS)
    assert charge_price(terms, Usage(Decimal(10090), 3, numbers)).details == {
        "units": "10090.0",
        "free_units": "0.0",
        "free_events": 0,
        "paid_units": "10090.0",
        "rate": "2.99",
        "per_unit_total_amount": "301.691",
        "paid_events": 3,
        "fixed_fee_unit_amount": "0.0",
        "fixed_fee_total_amount": "0.0",
        "min_max_adjustment_total_amount": "-285.549",
    }


def test_e21_percentage_of_a_count() -> None:
    counted = {"rate": "10", "fixed_amount": "1", "free_units_per_total_aggregation": "2"}
    terms = MODELS["percentage"].parse(counted)
    assert charge_price(terms, Usage(Decimal(5), 5), "count_agg").amount == Decimal("4.3")
    terms = MODELS["percentage"].parse(counted | N3)
    assert charge_price(terms, Usage(Decimal(5), 5), "count_agg").amount == Decimal("4.2")


@given(
    st.integers(0, 12),
    st.none() | st.integers(1, 5),
    st.none() | st.decimals(0, 9, places=1),
    st.decimals(0, 3, places=1),
)
def test_counting_without_writing_events_down(
    count: int, free_events: int | None, free_units: Decimal | None, minimum: Decimal
) -> None:
    properties = {"rate": "10", "fixed_amount": "0.3", "per_transaction_min_amount": str(minimum)}
    given_free = {
        "free_units_per_events": free_events,
        "free_units_per_total_aggregation": None if free_units is None else str(free_units),
    }
    terms = MODELS["percentage"].parse(properties | given_free)
    ones = Usage(Decimal(count), count, [Decimal(1)] * count)
    counted = charge_price(terms, Usage(Decimal(count), count), "count_agg")
    assert counted.amount == charge_price(terms, ones, "sum_agg").amount


def test_limits_on_a_maximum_price_every_event() -> None:
    terms = MODELS["percentage"].parse({"rate": "10", "per_transaction_min_amount": "1"})
    values = [Decimal(value) for value in (5, 100, 100)]
    assert charge_price(terms, Usage(Decimal(100), 3, values), "max_agg").amount == 12


def test_who_needs_the_values() -> None:
    percentage = MODELS["percentage"]
    assert not percentage.parse(RATE).needs_values
    assert not CLASSIC.needs_values
    for more in (N1, A250, {"per_transaction_max_amount": "9"}):
        terms = percentage.parse(RATE | more)
        assert terms.needs_values
        with pytest.raises(AssertionError):
            charge_price(terms, Usage(Decimal(3), 2))


def test_negative_usage_costs_nothing() -> None:
    for model in MODELS.values():
        below = Usage(Decimal(-1), 2, (Decimal(-2), Decimal(1)))
        assert charge_price(model.parse({}), below) == NOTHING
    assert NOTHING.unit_amount == 0
    assert not NOTHING.details
    assert not NOTHING.steps


def test_a_negative_amount_costs_nothing_and_says_so() -> None:
    terms = percentage(rate="10", per_transaction_max_amount="1")
    free = charge_price(terms, summed(100, -50))
    assert free.amount == free.unit_amount == 0
    assert [step["kind"] for step in free.steps] == ["at_least"]
    assert worth(free.steps[0]["steps"]) == -4


def test_tier_details() -> None:
    assert price(CLASSIC, "11").details == {
        "graduated_ranges": [
            {
                "from_value": 0,
                "to_value": 10,
                "flat_unit_amount": "2.0",
                "per_unit_amount": "10.0",
                "units": "10.0",
                "per_unit_total_amount": "100.0",
                "total_with_flat_amount": "102.0",
            },
            {
                "from_value": 11,
                "to_value": 20,
                "flat_unit_amount": "3.0",
                "per_unit_amount": "5.0",
                "units": "1.0",
                "per_unit_total_amount": "5.0",
                "total_with_flat_amount": "8.0",
            },
        ]
    }
    rates = [(0, 10, "1", "200"), (11, None, "2.5", "300")]
    assert price(graduated_percentage(rates), "11").details == {
        "graduated_percentage_ranges": [
            {
                "from_value": 0,
                "to_value": 10,
                "flat_unit_amount": "200.0",
                "rate": "1.0",
                "units": "10.0",
                "per_unit_total_amount": "0.1",
                "total_with_flat_amount": "200.1",
            },
            {
                "from_value": 11,
                "to_value": None,
                "flat_unit_amount": "300.0",
                "rate": "2.5",
                "units": "1.0",
                "per_unit_total_amount": "0.025",
                "total_with_flat_amount": "300.025",
            },
        ]
    }
    assert price(VOLUME, "300").details == {
        "flat_unit_amount": "50.0",
        "per_unit_amount": "0.5",
        "per_unit_total_amount": "150.0",
    }
    assert price(package("5", 100, 100), "201").details == {
        "free_units": "100.0",
        "paid_units": "101.0",
        "per_package_size": 100,
        "per_package_unit_amount": "5.0",
    }


def refused(model: str, properties: dict[str, Any]) -> list[str]:
    with pytest.raises(Invalid) as caught:
        MODELS[model].parse(properties)
    assert list(caught.value.details) == ["properties"]
    codes: list[str] = caught.value.details["properties"]
    return codes


@pytest.mark.parametrize(
    "amount",
    [
        *(5, 0.5, None, True, ["1"]),
        *("", "-1", "NaN", "Infinity", "abc", " 1", "1_0", ".", "1e40", "1e-40"),
        *("1" * 31, "0." + "1" * 31, "1" * 1000),
    ],
)
def test_wrong_amounts(amount: Any) -> None:
    assert refused("standard", {"amount": amount}) == ["invalid_amount"]


@pytest.mark.parametrize(
    ("amount", "expected"), [("1", "1"), ("0.050", "0.05"), ("1e-7", "0.0000001"), (".5", "0.5")]
)
def test_right_amounts_are_kept_verbatim(amount: str, expected: str) -> None:
    terms = MODELS["standard"].parse({"amount": amount, "rate": "3"})
    assert terms.properties() == {"amount": amount}
    assert price(terms, "1").amount == Decimal(expected)


@pytest.mark.parametrize(
    ("model", "properties", "codes"),
    [
        ("package", {"amount": "1", "package_size": 0, "free_units": 0}, ["invalid_package_size"]),
        ("package", {"amount": "1", "package_size": 5}, ["invalid_free_units"]),
        (
            "package",
            {"amount": 1, "package_size": "5", "free_units": -1},
            ["invalid_amount", "invalid_free_units", "invalid_package_size"],
        ),
        ("percentage", {"fixed_amount": 2}, ["invalid_rate", "invalid_fixed_amount"]),
        (
            "percentage",
            {"rate": "1", "free_units_per_events": 0, "free_units_per_total_aggregation": 5},
            ["invalid_free_units_per_total_aggregation", "invalid_free_units_per_events"],
        ),
        (
            "percentage",
            {"rate": "1", "per_transaction_min_amount": "2", "per_transaction_max_amount": "1"},
            ["per_transaction_max_lower_than_per_transaction_min"],
        ),
        (
            "percentage",
            {
                "rate": "1",
                "free_units_per_events": "3",
                "per_transaction_min_amount": 2,
                "per_transaction_max_amount": "",
            },
            ["invalid_free_units_per_events", "invalid_amount"],
        ),
        ("graduated", {"graduated_ranges": []}, ["missing_graduated_ranges"]),
        ("graduated_percentage", {"rate": "1"}, ["missing_graduated_percentage_ranges"]),
        (
            "graduated_percentage",
            tiers(
                "graduated_percentage_ranges", [(0, 10, "1", "0"), (12, None, "-1", "x")], "rate"
            ),
            ["invalid_graduated_percentage_ranges", "invalid_rate", "invalid_amount"],
        ),
        ("dynamic", {"pricing_group_keys": [5]}, ["invalid_type"]),
        ("volume", {"amount": "1"}, ["missing_volume_ranges"]),
        ("standard", {"amount": "1", "pricing_group_keys": ["a", ""]}, ["invalid_type"]),
        ("standard", {"amount": "1", "pricing_group_keys": "a"}, ["invalid_type"]),
    ],
)
def test_refusals(model: str, properties: dict[str, Any], codes: list[str]) -> None:
    assert refused(model, properties) == codes


@pytest.mark.parametrize(
    ("keys", "codes"),
    [
        ([], None),
        ([{"value": "a"}, {"value": "b", "options": {"display_in_invoice": True}}], None),
        ([{"value": "a", "options": {}}], None),
        ([{"value": "a", "options": None}], None),
        (["a"], ["invalid_type"]),
        ("a", ["invalid_type"]),
        ({"value": "a"}, ["invalid_type"]),
        ([{"value": ""}], ["invalid_type"]),
        ([{"value": 5}], ["invalid_type"]),
        ([{"name": "a"}], ["invalid_type"]),
        ([{"value": "a", "options": []}], ["invalid_type"]),
        ([{"value": "a", "options": {"display_in_invoice": "yes"}}], ["invalid_type"]),
        ([{"value": "a"}, {"value": "b"}, {"value": "c"}], ["too_many_keys"]),
        ([{"value": "a"}] * 2, ["value_is_duplicated"]),
        ([{"value": "a"}] * 3, ["too_many_keys", "value_is_duplicated"]),
    ],
)
def test_presentation_group_keys(keys: Any, codes: list[str] | None) -> None:
    properties = {"amount": "1", "presentation_group_keys": keys}
    if codes is None:
        assert MODELS["standard"].parse(properties).properties() == properties
    else:
        assert refused("standard", properties) == codes


@pytest.mark.parametrize(
    "wrong",
    [
        [(0, 10, "1", "0")],  # not open
        [(2, None, "1", "0")],  # does not start at 0 or 1
        [(0, 10, "1", "0"), (12, None, "1", "0")],  # gap
        [(0, 10, "1", "0"), (9, None, "1", "0")],  # overlap
        [(11, None, "1", "0"), (0, 10, "1", "0")],  # unsorted
        [(0, None, "1", "0"), (1, None, "1", "0")],  # open in the middle
        [(0, 2, "1", "0"), (2, 2, "1", "0"), (3, None, "1", "0")],  # a tier of one unit
        [("0", None, "1", "0")],
        [(0, True, "1", "0"), (2, None, "1", "0")],
    ],
)
def test_wrong_tiers(wrong: Tiers) -> None:
    for model, price_key in (("graduated", "per_unit_amount"), ("graduated_percentage", "rate")):
        properties = tiers(f"{model}_ranges", wrong, price_key)
        assert refused(model, properties) == [f"invalid_{model}_ranges"]


def test_wrong_tiers_of_a_volume() -> None:
    touching = tiers("volume_ranges", [(0, 10, "1", "0"), (10, None, "1", "0")])
    assert refused("volume", touching) == ["invalid_volume_ranges"]
    assert refused("volume", {"volume_ranges": [5]}) == ["invalid_volume_ranges"]
    unpriced = {"volume_ranges": [{"from_value": 0, "to_value": None, "per_unit_amount": 1}]}
    assert refused("volume", unpriced) == ["invalid_amount"]


def test_empty_properties_mean_defaults() -> None:
    open_tier = {"from_value": 0, "to_value": None, "per_unit_amount": "0", "flat_amount": "0"}
    open_percentage = {"from_value": 0, "to_value": None, "rate": "0", "flat_amount": "0"}
    assert {name: model.parse({}).properties() for name, model in MODELS.items()} == {
        "standard": {"amount": "0"},
        "graduated": {"graduated_ranges": [open_tier]},
        "package": {"amount": "0", "package_size": 1, "free_units": 0},
        "percentage": {"rate": "0"},
        "volume": {"volume_ranges": [open_tier]},
        "graduated_percentage": {"graduated_percentage_ranges": [open_percentage]},
        "dynamic": {},
        "custom": {},
    }
    changed = MODELS["volume"].parse(None).properties()
    changed["volume_ranges"][0]["per_unit_amount"] = "9"
    assert MODELS["volume"].parse(None).properties() == {"volume_ranges": [open_tier]}


def test_pricing_leaves_the_arithmetic_of_its_caller_alone() -> None:
    with localcontext(prec=5) as mine:
        assert price(standard("0.3333333333"), "3").amount == Decimal("0.9999999999")
        with pytest.raises(AssertionError):
            charge_price(percentage(rate="1", free_units_per_events=1), Usage(Decimal(3), 2))
        assert getcontext() is mine
        assert Decimal(2) / 3 == Decimal("0.66667")


def test_both_names_of_the_group_keys_are_shown() -> None:
    both = {"amount": "1", "grouped_by": ["region"], "pricing_group_keys": ["region"]}
    for name in ("grouped_by", "pricing_group_keys"):
        terms = MODELS["standard"].parse({"amount": "1", name: ["region"]})
        assert terms.properties() == both


MONOTONOUS = st.one_of(
    AMOUNTS.map(standard),
    st.builds(package, AMOUNTS, st.integers(1, 1000), st.integers(0, 1000)),
    rows().map(graduated),
    rows().map(graduated_percentage),
)


@given(MONOTONOUS, NUMBERS, NUMBERS)
def test_more_usage_never_costs_less(terms: Terms, one: Decimal, other: Decimal) -> None:
    """Only a volume can: its next tier may be cheaper for all units (100 cost 210, 101 cost 101).

    Dynamic and custom amounts come with the events and do not depend on the units.
    """
    low, high = (charge_price(terms, Usage(units, 1)).amount for units in sorted((one, other)))
    assert 0 <= low <= high


@given(percentages(), st.lists(NUMBERS, min_size=1, max_size=8))
def test_one_event_more_never_costs_less(terms: Terms, values: list[Decimal]) -> None:
    """Of a maximum it can: a new greatest event takes over the units, perhaps above its limit.

    So can a count with free events and free units: the latter are ignored once there are more
    events than free ones (8.4, kept).
    """
    counts = range(len(values) + 1)
    sums = [charge_price(terms, summed(*values[:count])).amount for count in counts]
    assert sums == sorted(sums)
    if terms.stored["free_units_per_events"] is None:
        alike = [Usage(Decimal(count), count) for count in counts]
        counted = [charge_price(terms, usage, "count_agg").amount for usage in alike]
        assert counted == sorted(counted)


@given(next_rows(gap=0), NUMBERS)
def test_both_notations_of_tiers_give_the_same_price(adjacent: Tiers, units: Decimal) -> None:
    classic = [(row[0] and row[0] + 1, *row[1:]) for row in adjacent]
    usage = Usage(units, 1)
    one, other = charge_price(graduated(classic), usage), charge_price(graduated(adjacent), usage)
    assert one.amount == other.amount


@given(any_terms(LONG), LONG, st.integers(0, 2))
def test_numbers_of_thirty_digits_keep_every_digit(terms: Terms, units: str, more: int) -> None:
    values = [Decimal(units)] * (more + 1)
    with exact_context():
        total = sum(values, Decimal(0))
    usage = Usage(total, len(values), values, amount_cents=total, subunit=100)
    exact = charge_price(terms, usage)
    assert Fraction(exact.amount) == worth(exact.steps)


def test_quantities_of_thirty_digits_keep_every_digit() -> None:
    amount, units = "0." + "3" * 30, "1" * 30 + "." + "1" * 30
    exact = price(standard(amount), units).amount
    assert Fraction(exact) == Fraction(amount) * Fraction(units)
