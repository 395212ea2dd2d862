"""What subscriptions have: plan, additions, overrides and removals as one algebra."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.entitlements import (
    Entitled,
    Said,
    Values,
    cast,
    effective,
    extended,
    merged,
    read_config,
    read_value,
    refusal_of,
    without_feature,
    without_privilege,
)

SELECT = {"select_options": ["google", "okta"]}
FITTING: list[tuple[str, Any, str, int | bool | str]] = [
    ("integer", 0, "0", 0),
    ("integer", "0", "0", 0),
    ("integer", -7, "-7", -7),
    ("integer", "15", "15", 15),
    ("integer", "-15", "-15", -15),
    ("integer", 10**18 - 1, "9" * 18, 10**18 - 1),
    ("boolean", True, "true", True),
    ("boolean", False, "false", False),
    ("boolean", "true", "true", True),
    ("boolean", "false", "false", False),
    ("string", "", "", ""),
    ("string", "15", "15", "15"),
    ("string", "x" * 255, "x" * 255, "x" * 255),
    ("select", "okta", "okta", "okta"),
]
UNFIT: dict[str, list[Any]] = {
    "integer": [
        *("", "x", "007", "-0", "+1", "1.0", " 1", "1\n", "٣", "9" * 19),
        *(True, None, Decimal("1.5"), [], {}, 10**18),
    ],
    "boolean": ["True", "yes", "1", 1, 0, None, [], Decimal(1)],
    "string": [1, True, None, [], {}, "x" * 256, "a\0b"],
    "select": ["", "Okta", "github", 1, None, ["okta"]],
}


@pytest.mark.parametrize(("value_type", "value", "text", "shown"), FITTING)
def test_values_that_fit(value_type: str, value: Any, text: str, shown: Any) -> None:
    stored = read_value(value_type, SELECT, value)
    assert stored == text
    assert cast(value_type, stored) == shown
    assert type(cast(value_type, stored)) is type(shown)


@pytest.mark.parametrize("value_type", UNFIT)
def test_values_that_do_not_fit(value_type: str) -> None:
    for value in UNFIT[value_type]:
        assert read_value(value_type, SELECT, value) is None, value


def test_how_values_are_refused() -> None:
    assert refusal_of("select") == "value_not_in_select_options"
    assert {refusal_of(one) for one in ("integer", "boolean", "string")} == {"value_is_invalid"}


def test_nothing_is_cast_to_nothing() -> None:
    assert cast("integer", None) is None


@given(st.integers(-(10**18) + 1, 10**18 - 1))
def test_an_integer_is_the_same_as_its_text(number: int) -> None:
    assert read_value("integer", {}, number) == read_value("integer", {}, str(number))
    assert cast("integer", read_value("integer", {}, number)) == number


def test_configs() -> None:
    assert read_config("select", SELECT) == SELECT
    twice = {"select_options": ["a", "b", "a"]}
    assert read_config("select", twice) == {"select_options": ["a", "b"]}
    for other in ("integer", "boolean", "string"):
        assert read_config(other, None) == {}
        assert read_config(other, {}) == {}
        assert read_config(other, SELECT) is None


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"select_options": []},
        {"select_options": "a"},
        {"select_options": None},
        {"select_options": ["a", 1]},
        {"select_options": ["a", ""]},
        {"select_options": ["x" * 256]},
        {"select_options": ["a\0"]},
        {"select_options": ["a"], "more": 1},
        {"options": ["a"]},
    ],
)
def test_a_select_needs_options(config: dict[str, Any] | None) -> None:
    assert read_config("select", config) is None


def test_options_are_added_never_taken_away() -> None:
    more = {"select_options": ["okta", "github"]}
    assert extended(SELECT, more) == {"select_options": ["google", "okta", "github"]}
    assert extended(SELECT, {}) == SELECT
    assert extended({}, {}) == {}


# --- what is effective

FEATURES = ("seats", "sso", "api")
PRIVILEGES = ("max", "root", "mode")
VALUES = ("1", "2", "3")
codes = st.sampled_from(FEATURES)
given_values = st.dictionaries(st.sampled_from(PRIVILEGES), st.sampled_from(VALUES))
plans: st.SearchStrategy[Values] = st.dictionaries(codes, given_values)
Change = Callable[[Values, Said], Said]


@dataclass
class Model:
    """The rule in its own words: plan, additions and overrides, removals, as plain sets."""

    plan: Values
    added: dict[str, dict[str, str]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    hidden_privileges: set[tuple[str, str]] = field(default_factory=set)

    def shown(self) -> dict[str, dict[str, Entitled]]:
        found: dict[str, dict[str, Entitled]] = {}
        for feature in FEATURES:
            if feature in self.plan and feature not in self.hidden:
                for privilege, value in self.plan[feature].items():
                    if (feature, privilege) not in self.hidden_privileges:
                        found.setdefault(feature, {})[privilege] = Entitled(value, None)
                found.setdefault(feature, {})
            for privilege, value in self.added.get(feature, {}).items():
                plan_value = self.plan.get(feature, {}).get(privilege)
                found.setdefault(feature, {})[privilege] = Entitled(plan_value, value)
            if feature in self.added:
                found.setdefault(feature, {})
        return found

    def merge(self, feature: str, values: dict[str, str]) -> None:
        self.hidden.discard(feature)
        own = self.added.setdefault(feature, {})
        for privilege, value in values.items():
            self.hidden_privileges.discard((feature, privilege))
            own.pop(privilege, None)
            if self.plan.get(feature, {}).get(privilege) != value:
                own[privilege] = value
        if not own and feature in self.plan:
            del self.added[feature]

    def remove(self, feature: str) -> None:
        self.added.pop(feature, None)
        self.hidden_privileges = {one for one in self.hidden_privileges if one[0] != feature}
        if feature in self.plan:
            self.hidden.add(feature)

    def remove_privilege(self, feature: str, privilege: str) -> None:
        own = self.added.get(feature, {})
        own.pop(privilege, None)
        if privilege in self.plan.get(feature, {}):
            self.hidden_privileges.add((feature, privilege))
        if not own and feature in self.plan:
            self.added.pop(feature, None)


requests = st.lists(
    st.one_of(
        st.tuples(st.just("merge"), codes, given_values),
        st.tuples(st.just("remove"), codes, st.none()),
        st.tuples(st.just("remove_privilege"), codes, st.sampled_from(PRIVILEGES)),
    ),
    max_size=12,
)


def said_after(plan: Values, wanted: list[Any]) -> Said:
    """Return what a subscription says after a history; what is not there cannot be removed."""
    said: Said = {}
    for verb, feature, argument in wanted:
        found = effective(plan, said)
        if verb == "merge":
            said = merged(plan, said, {feature: argument})
        elif feature in found and verb == "remove":
            said = without_feature(plan, said, feature)
        elif argument in found.get(feature, {}):
            said = without_privilege(plan, said, feature, argument)
    return said


@given(plans, requests)
def test_any_history_is_as_the_rule_says(plan: Values, wanted: list[Any]) -> None:
    model = Model(plan)
    for verb, feature, argument in wanted:
        found = model.shown()
        if verb == "merge":
            model.merge(feature, argument)
        elif feature in found and verb == "remove":
            model.remove(feature)
        elif argument in found.get(feature, {}):
            model.remove_privilege(feature, argument)
    assert effective(plan, said_after(plan, wanted)) == model.shown()


@given(plans, requests, codes)
def test_the_plans_own_values_are_no_override(
    plan: Values, wanted: list[Any], feature: str
) -> None:
    said = said_after(plan, wanted)
    again = merged(plan, said, {feature: plan.get(feature, {})})
    if feature in plan:
        for privilege, value in plan[feature].items():
            assert effective(plan, again)[feature][privilege] == Entitled(value, None)
    assert merged(plan, {}, plan) == {}


@given(plans, requests, codes, given_values)
def test_giving_again_clears_the_removal(
    plan: Values, wanted: list[Any], feature: str, values: dict[str, str]
) -> None:
    said = without_feature(plan, said_after(plan, wanted), feature)
    assert feature not in effective(plan, said)
    found = effective(plan, merged(plan, said, {feature: values}))[feature]
    assert {code: one.value for code, one in found.items()} == {
        **plan.get(feature, {}),
        **values,
    }


@given(plans, requests, codes, st.sampled_from(PRIVILEGES))
def test_removing_hides(plan: Values, wanted: list[Any], feature: str, privilege: str) -> None:
    said = said_after(plan, wanted)
    before = effective(plan, said)
    if privilege not in before.get(feature, {}):
        return
    after = effective(plan, without_privilege(plan, said, feature, privilege))
    del before[feature][privilege]
    assert after == before
    after = effective(plan, without_feature(plan, said, feature))
    del before[feature]
    assert after == before


@given(plans, requests, codes, st.sampled_from(PRIVILEGES))
def test_a_removed_privilege_of_ones_own_leaves_no_removal(
    plan: Values, wanted: list[Any], feature: str, privilege: str
) -> None:
    """The plan may give that privilege later: it was never taken away (metering.md 8.26)."""
    if privilege in plan.get(feature, {}):
        return
    said = merged(plan, said_after(plan, wanted), {feature: {privilege: "2"}})
    said = without_privilege(plan, said, feature, privilege)
    later = {**plan, feature: {**plan.get(feature, {}), privilege: "3"}}
    assert effective(later, said)[feature][privilege] == Entitled("3", None)


@given(plans, requests, st.permutations(FEATURES), given_values, given_values, st.data())
def test_the_order_of_independent_changes_does_not_matter(  # noqa: PLR0913, PLR0917 - one per strategy
    plan: Values,
    wanted: list[Any],
    features: list[str],
    values: dict[str, str],
    others: dict[str, str],
    data: st.DataObject,
) -> None:
    said = said_after(plan, wanted)
    changes: list[Change] = [
        lambda plan, said: merged(plan, said, {features[0]: values}),
        lambda plan, said: merged(plan, said, {features[1]: others}),
        lambda plan, said: without_feature(plan, said, features[2]),
    ]
    at_once = said
    for change in changes:
        at_once = change(plan, at_once)
    in_turn = said
    for change in data.draw(st.permutations(changes)):
        in_turn = change(plan, in_turn)
    assert in_turn == at_once
    both = merged(plan, said, {features[0]: values, features[1]: others})
    assert without_feature(plan, both, features[2]) == at_once


@given(plans, requests, codes, st.permutations(PRIVILEGES), st.sampled_from(VALUES))
def test_the_order_of_privileges_does_not_matter(
    plan: Values, wanted: list[Any], feature: str, privileges: list[str], value: str
) -> None:
    first, second, third = privileges
    start = {feature: {first: "1", third: "1"}}
    said = merged(plan, said_after(plan, wanted), start)
    set_one = merged(plan, said, {feature: {first: value}})
    set_both = merged(plan, set_one, {feature: {second: value}})
    one = without_privilege(plan, set_both, feature, third)
    other = merged(plan, without_privilege(plan, said, feature, third), {feature: {second: value}})
    other = merged(plan, other, {feature: {first: value}})
    assert one == other
    assert merged(plan, said, {feature: {second: value, first: value}}) == set_both


@given(plans, requests)
def test_changes_leave_what_they_were_given_alone(plan: Values, wanted: list[Any]) -> None:
    said = said_after(plan, wanted)
    copy = {code: None if own is None else dict(own) for code, own in said.items()}
    for feature in FEATURES:
        merged(plan, said, {feature: {"max": "3"}})
        without_feature(plan, said, feature)
        without_privilege(plan, said, feature, "max")
    assert said == copy


def test_a_feature_may_have_no_privileges() -> None:
    assert effective({"sso": {}}, {}) == {"sso": {}}
    said = merged({}, {}, {"sso": {}})
    assert effective({}, said) == {"sso": {}}
    assert effective({}, without_feature({}, said, "sso")) == {}


def test_a_removal_adds_nothing_once_the_plan_has_no_such_feature() -> None:
    plan = {"seats": {"max": "1", "root": "true"}}
    said = without_privilege(plan, {}, "seats", "max")
    assert effective(plan, said) == {"seats": {"root": Entitled("true", None)}}
    assert effective({}, said) == {}
    kept = merged(plan, said, {"seats": {"root": "false"}})
    assert effective({}, kept) == {"seats": {"root": Entitled(None, "false")}}
    again = merged({}, said, {"seats": {}})
    assert effective({}, again) == {"seats": {}}
