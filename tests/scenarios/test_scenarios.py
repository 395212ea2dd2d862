"""Every scenario on every database; what they leave behind is verified when the gateways stop."""

import pytest

from tests.scenarios.matching import Unmet, matches
from tests.scenarios.player import Scenario, play, scenarios
from tests.support.gateway import Gateway

ALL = scenarios()


@pytest.mark.parametrize("scenario", ALL, ids=lambda one: one.name)
def test_scenario(any_gateway: Gateway, scenario: Scenario) -> None:
    play(any_gateway, scenario)


def test_every_kind_of_scenario_is_there() -> None:
    assert {scenario.name.split("/")[0] for scenario in ALL} == {"money", "subscriptions", "usage"}


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (1, "1.0"),
        ("12.50", 12.5),
        ({"a": 1, "b": 2}, {"a": 1}),
        ([3, 1], {"$set": [1, 3]}),
        ("invoice", {"$starts": "inv", "$not": "invoices"}),
        ("10.004", {"$approx": 10, "$gt": 10, "$lt": 11}),
        (None, {"$present": False, "$empty": True}),
    ],
)
def test_a_match(actual: object, expected: object) -> None:
    assert matches(actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (1, "1.01"),
        (True, 1.5),
        ({"a": 1}, {"b": None}),
        ([1, 2], [2, 1]),
        ([1, 1, 2], {"$set": [1, 2]}),
        ("10.02", {"$approx": 10}),
        (None, {"$present": True}),
    ],
)
def test_no_match(actual: object, expected: object) -> None:
    assert not matches(actual, expected)


def test_an_unmet_expectation_names_the_step(gateway: Gateway) -> None:
    step = {"call": "GET /api/v1/organizations", "expect": {"organization.name": "Another"}}
    with pytest.raises(Unmet, match=r"step 2: GET /organizations: organization\.name is 'Mine'"):
        play(gateway, Scenario("a#1", "Mine", {}, [{"clock": "2026-01-01T00:00:00Z"}, step]))
