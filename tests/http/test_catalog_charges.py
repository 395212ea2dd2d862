"""Charges: every attribute and rule of `docs/rules/metering.md` 3.1, in plans and by themselves."""

from typing import Any

import pytest

from gateway.reference.examples import PROPERTIES
from tests.support.billing import add_metric, add_plan, add_tax, charge, subscribe
from tests.support.gateway import Gateway, Org
from tests.support.receiver import receiving

STANDARD = {"amount": "1"}
OPEN_TIER = {"from_value": 0, "to_value": None, "per_unit_amount": "1", "flat_amount": "0"}
VOLUME = {"volume_ranges": [OPEN_TIER]}
UNFIT = ["invalid_aggregation_type_or_charge_model"]
PATH = "/plans/basic/charges"


@pytest.fixture
def metric_ids(org: Org) -> dict[str, str]:
    """Return a metric of every kind, and have a plan to put charges in."""
    return furnished(org)


@pytest.fixture(scope="module")
def unchanged(gateway: Gateway) -> tuple[Org, dict[str, str]]:
    """Return an organization for requests that are all refused, with its metrics."""
    org = gateway.organization()
    return org, furnished(org)


def furnished(org: Org) -> dict[str, str]:
    """Make a plan and a metric of every kind; return the metrics' ids."""
    add_plan(org)
    recurring = {"recurring": True}
    return {
        "count": add_metric(org, "count", "count_agg"),
        "latest": add_metric(org, "latest", "latest_agg"),
        "max": add_metric(org, "max", "max_agg"),
        "sum": add_metric(org, "sum"),
        "seats": add_metric(org, "seats", "unique_count_agg", **recurring),
        "level": add_metric(
            org, "level", "weighted_sum_agg", weighted_interval="seconds", **recurring
        ),
    }


def add_charge(org: Org, metric_id: str, model: str = "standard", **fields: Any) -> dict[str, Any]:
    """Add a charge to the plan; return it."""
    properties = fields.pop("properties", PROPERTIES[model])
    body = {"charge": charge(metric_id, model, properties, **fields)}
    made: dict[str, Any] = org.post(PATH, body)["charge"]
    return made


def refused(org: Org, wanted: dict[str, Any], status: int = 422) -> Any:
    """Return why a charge is refused, both in a new plan and by itself."""
    plan = {"name": "N", "code": "n", "interval": "monthly", "amount_cents": 0}
    plan |= {"amount_currency": "EUR", "pay_in_advance": False, "charges": [wanted]}
    in_plan = reason(org.post("/plans", {"plan": plan}, status))
    alone = reason(org.post(PATH, {"charge": wanted}, status))
    assert alone == in_plan
    assert org.get("/plans")["meta"]["total_count"] == 1
    assert org.get(PATH)["meta"]["total_count"] == 0
    return alone


def reason(answer: dict[str, Any]) -> Any:
    """Return the details of a refusal, the same wherever the charge stood, or else its code."""
    if "error_details" not in answer:
        return answer["code"]
    details = answer["error_details"].items()
    return {field.removeprefix("charges.0."): codes for field, codes in details}


@pytest.mark.parametrize("model", PROPERTIES)
def test_every_model_lives(org: Org, metric_ids: dict[str, str], model: str) -> None:
    made = add_charge(org, metric_ids["sum"], model)
    assert (made["charge_model"], made["properties"]) == (model, PROPERTIES[model])
    assert org.get(f"{PATH}/sum")["charge"] == made
    assert org.get(PATH)["charges"] == [made]
    assert org.get("/plans/basic")["plan"]["charges"] == [made]
    again = org.put(f"{PATH}/sum", {"charge": {"properties": {}}})["charge"]
    default = {"standard": {"amount": "0"}, "dynamic": {}}.get(model, again["properties"])
    assert again["properties"] == default
    assert org.delete(f"{PATH}/sum")["charge"]["lago_id"] == made["lago_id"]
    assert org.get(f"{PATH}/sum", 404)["code"] == "charge_not_found"
    assert org.get("/plans/basic")["plan"]["charges"] == []


def test_everything_a_charge_may_say(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    metric_ids = furnished(org)
    add_tax(org, "vat", "20")
    unit = {"name": "Credits", "code": "credits", "short_name": "CR"}
    org.post("/pricing_units", {"pricing_unit": unit})
    keys = {
        "pricing_group_keys": ["project"],
        "presentation_group_keys": [{"value": "user", "options": {"display_in_invoice": True}}],
    }
    said: dict[str, Any] = {
        "code": "in/advance",
        "invoice_display_name": "Seats",
        "pay_in_advance": True,
        "invoiceable": False,
        "regroup_paid_fees": "invoice",
        "prorated": True,
        "accepts_target_wallet": True,
    }
    made = add_charge(
        org,
        metric_ids["seats"],
        properties={**STANDARD, **keys},
        tax_codes=["vat"],
        applied_pricing_unit={"code": "credits", "conversion_rate": "0.125"},
        **said,
    )
    assert said.items() <= made.items()
    assert made["properties"] == {**STANDARD, **keys, "grouped_by": ["project"]}
    assert [tax["code"] for tax in made["taxes"]] == ["vat"]
    assert made["applied_pricing_unit"] == {"code": "credits", "conversion_rate": "0.125"}
    assert made["lago_parent_id"] is None
    assert org.get(f"{PATH}/in%2Fadvance")["charge"] == made
    minimum = add_charge(org, metric_ids["count"], min_amount_cents=500)
    assert (minimum["min_amount_cents"], minimum["applied_pricing_unit"]) == (500, None)


def test_a_code_is_the_metrics_until_taken(org: Org, metric_ids: dict[str, str]) -> None:
    codes = [add_charge(org, metric_ids["sum"])["code"] for _ in range(3)]
    assert codes == ["sum", "sum_2", "sum_3"]
    taken = {"charge": charge(metric_ids["sum"], "standard", STANDARD, code="sum_2")}
    details = {"code": ["value_already_exist"]}
    assert org.post(PATH, taken, 422)["error_details"] == details
    renamed = org.put(f"{PATH}/sum_3", {"charge": {"code": "sum"}}, 422)
    assert renamed["error_details"] == details
    assert org.put(f"{PATH}/sum_3", {"charge": {"code": "sum_3"}})["charge"]["code"] == "sum_3"
    org.delete(f"{PATH}/sum")
    assert add_charge(org, metric_ids["sum"])["code"] == "sum", "a deleted one's code is free"


RULES: dict[str, tuple[str, str, dict[str, Any], dict[str, list[str]]]] = {
    "volume in advance": ("sum", "volume", {"pay_in_advance": True}, {"pay_in_advance": UNFIT}),
    "max in advance": ("max", "standard", {"pay_in_advance": True}, {"pay_in_advance": UNFIT}),
    "latest in advance": (
        "latest",
        "standard",
        {"pay_in_advance": True},
        {"pay_in_advance": UNFIT},
    ),
    "weighted sum in advance": (
        "level",
        "standard",
        {"pay_in_advance": True},
        {"pay_in_advance": UNFIT},
    ),
    "not invoiceable in arrears": (
        "sum",
        "standard",
        {"invoiceable": False},
        {"invoiceable": ["must_be_true_unless_pay_in_advance"]},
    ),
    "regrouped though invoiceable": (
        "sum",
        "standard",
        {"pay_in_advance": True, "regroup_paid_fees": "invoice"},
        {"regroup_paid_fees": ["only_compatible_with_pay_in_advance_and_non_invoiceable"]},
    ),
    "regrouped in arrears": (
        "sum",
        "standard",
        {"regroup_paid_fees": "invoice"},
        {"regroup_paid_fees": ["only_compatible_with_pay_in_advance_and_non_invoiceable"]},
    ),
    "minimum in advance": (
        "sum",
        "standard",
        {"pay_in_advance": True, "min_amount_cents": 1},
        {"min_amount_cents": ["not_compatible_with_pay_in_advance"]},
    ),
    "dynamic on a count": ("count", "dynamic", {}, {"charge_model": UNFIT}),
    "custom on a sum": ("sum", "custom", {}, {"charge_model": UNFIT}),
    "percentage on latest": ("latest", "percentage", {}, {"properties": ["invalid_value"]}),
    "graduated percentage on latest": (
        "latest",
        "graduated_percentage",
        {},
        {"properties": ["invalid_value"]},
    ),
    "prorated, not recurring": (
        "sum",
        "standard",
        {"prorated": True},
        {"prorated": ["invalid_billable_metric_or_charge_model"]},
    ),
    "prorated weighted sum": (
        "level",
        "standard",
        {"prorated": True},
        {"prorated": ["invalid_billable_metric_or_charge_model"]},
    ),
    "prorated package": (
        "seats",
        "package",
        {"prorated": True},
        {"prorated": ["invalid_billable_metric_or_charge_model"]},
    ),
    "prorated graduated in advance": (
        "seats",
        "graduated",
        {"prorated": True, "pay_in_advance": True},
        {"prorated": ["invalid_billable_metric_or_charge_model"]},
    ),
    "several at once": (
        "max",
        "standard",
        {"prorated": True, "pay_in_advance": True, "min_amount_cents": 5},
        {
            "prorated": ["invalid_billable_metric_or_charge_model"],
            "pay_in_advance": UNFIT,
            "min_amount_cents": ["not_compatible_with_pay_in_advance"],
        },
    ),
    "unknown model": ("sum", "flat", {}, {"charge_model": ["value_is_invalid"]}),
}


@pytest.mark.parametrize("name", RULES)
def test_attributes_that_do_not_go_together(
    unchanged: tuple[Org, dict[str, str]], name: str
) -> None:
    org, metric_ids = unchanged
    metric, model, fields, details = RULES[name]
    wanted = charge(metric_ids[metric], model, PROPERTIES.get(model, {}), **fields)
    assert refused(org, wanted) == details


def test_a_model_is_mandatory_and_a_metric_known(org: Org, metric_ids: dict[str, str]) -> None:
    nameless = {"billable_metric_id": metric_ids["sum"], "properties": STANDARD}
    assert refused(org, nameless) == {"charge_model": ["value_is_mandatory"]}
    for metric_id in (None, "x", "00000000-0000-0000-0000-000000000000"):
        wanted = {**nameless, "charge_model": "standard", "billable_metric_id": metric_id}
        assert refused(org, wanted, 404) == "billable_metrics_not_found"


PRORATED = [("standard", False), ("volume", False), ("graduated", False), ("standard", True)]


@pytest.mark.parametrize(("model", "in_advance"), PRORATED)
def test_what_may_be_prorated(
    org: Org,
    metric_ids: dict[str, str],
    model: str,
    in_advance: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    made = add_charge(org, metric_ids["seats"], model, prorated=True, pay_in_advance=in_advance)
    assert (made["prorated"], made["pay_in_advance"]) == (True, in_advance)


PROPERTY_CODES: dict[str, tuple[str, dict[str, Any], str]] = {
    "number": ("standard", {"amount": 1}, "invalid_amount"),
    "word": ("standard", {"amount": "much"}, "invalid_amount"),
    "negative": ("standard", {"amount": "-1"}, "invalid_amount"),
    "rate": ("percentage", {"rate": "x"}, "invalid_rate"),
    "fixed": ("percentage", {"rate": "1", "fixed_amount": "x"}, "invalid_fixed_amount"),
    "max below min": (
        "percentage",
        {"rate": "1", "per_transaction_min_amount": "3", "per_transaction_max_amount": "2"},
        "per_transaction_max_lower_than_per_transaction_min",
    ),
    "package size": (
        "package",
        {"amount": "1", "package_size": 0, "free_units": 0},
        "invalid_package_size",
    ),
    "free units": ("package", {"amount": "1", "package_size": 1}, "invalid_free_units"),
    "no ranges": ("graduated", {"amount": "1"}, "missing_graduated_ranges"),
    "no rate ranges": (
        "graduated_percentage",
        {"rate": "1"},
        "missing_graduated_percentage_ranges",
    ),
    "closed end": (
        "volume",
        {"volume_ranges": [{**OPEN_TIER, "to_value": 5}]},
        "invalid_volume_ranges",
    ),
    "group keys": ("standard", {**STANDARD, "pricing_group_keys": "project"}, "invalid_type"),
    "empty key": ("standard", {**STANDARD, "pricing_group_keys": [""]}, "invalid_type"),
    "three keys": (
        "standard",
        {**STANDARD, "presentation_group_keys": [{"value": key} for key in "abc"]},
        "too_many_keys",
    ),
    "twice": (
        "standard",
        {**STANDARD, "presentation_group_keys": [{"value": "a"}, {"value": "a"}]},
        "value_is_duplicated",
    ),
}


@pytest.mark.parametrize("name", PROPERTY_CODES)
def test_properties_that_are_refused(unchanged: tuple[Org, dict[str, str]], name: str) -> None:
    org, metric_ids = unchanged
    model, properties, code = PROPERTY_CODES[name]
    details = refused(org, charge(metric_ids["sum"], model, properties))
    assert code in details["properties"]


def test_texts_no_database_can_hold_are_refused(org: Org, metric_ids: dict[str, str]) -> None:
    nul = {**STANDARD, "pricing_group_keys": ["a\x00b"]}
    body = {"charge": charge(metric_ids["sum"], "standard", nul)}
    assert org.post(PATH, body, 422)["error_details"] == {"properties": ["value_is_invalid"]}
    assert org.get(PATH)["meta"]["total_count"] == 0


def test_pricing_units(org: Org, metric_ids: dict[str, str]) -> None:
    unit = {"name": "Credits", "code": "credits", "short_name": "CR", "description": "Ours"}
    made = org.post("/pricing_units", {"pricing_unit": unit})["pricing_unit"]
    assert unit.items() <= made.items()
    assert org.get("/pricing_units/credits")["pricing_unit"] == made
    assert org.get("/pricing_units")["pricing_units"] == [made]
    again = org.post("/pricing_units", {"pricing_unit": unit}, 422)
    assert again["error_details"] == {"code": ["value_already_exist"]}
    assert org.get("/pricing_units/none", 404)["code"] == "pricing_unit_not_found"

    def priced_in(**applied: Any) -> dict[str, Any]:
        return charge(metric_ids["sum"], "standard", STANDARD, applied_pricing_unit=applied)

    assert refused(org, priced_in(code="none", conversion_rate="1"), 404) == (
        "pricing_unit_not_found"
    )
    assert refused(org, priced_in(conversion_rate="1"), 404) == "pricing_unit_not_found"
    path = "applied_pricing_unit.conversion_rate"
    assert refused(org, priced_in(code="credits")) == {path: ["value_is_mandatory"]}
    for rate in ("0", -1):
        body = {"charge": priced_in(code="credits", conversion_rate=rate)}
        assert org.post(PATH, body, 422)["error_details"] == {path: ["value_is_out_of_range"]}
    body = {"charge": priced_in(code="credits", conversion_rate=2)}
    applied = org.post(PATH, body)["charge"]["applied_pricing_unit"]
    assert applied == {"code": "credits", "conversion_rate": "2.0"}
    change = {"charge": {"applied_pricing_unit": {"conversion_rate": "3.5"}}}
    applied = org.put(f"{PATH}/sum", change)["charge"]["applied_pricing_unit"]
    assert applied == {"code": "credits", "conversion_rate": "3.5"}


def test_before_subscriptions_a_charge_may_become_another(
    org: Org, metric_ids: dict[str, str]
) -> None:
    made = add_charge(org, metric_ids["seats"])
    change = {
        "charge_model": "graduated",
        "code": "users",
        "min_amount_cents": 5,
        "prorated": True,
        "invoice_display_name": "Users",
    }
    changed = org.put(f"{PATH}/seats", {"charge": change})["charge"]
    assert change.items() <= changed.items()
    assert changed["lago_id"] == made["lago_id"]
    assert changed["properties"]["graduated_ranges"][0]["to_value"] is None, "the default"
    wrong = org.put(f"{PATH}/users", {"charge": {"pay_in_advance": True}}, 422)["error_details"]
    assert wrong.keys() == {"min_amount_cents", "prorated"}
    assert org.get(f"{PATH}/users")["charge"] == changed
    fields = {"pay_in_advance": True, "invoiceable": False, "regroup_paid_fees": "invoice"}
    fields |= {"min_amount_cents": 0, "charge_model": "standard"}
    changed = org.put(f"{PATH}/users", {"charge": fields})["charge"]
    assert fields.items() <= changed.items()
    cleared = {"regroup_paid_fees": None, "invoice_display_name": None}
    assert cleared.items() <= org.put(f"{PATH}/users", {"charge": cleared})["charge"].items()


def test_after_subscriptions_only_prices_change(org: Org, metric_ids: dict[str, str]) -> None:
    add_tax(org, "vat", "20")
    unit = {"name": "Credits", "code": "credits", "short_name": "CR"}
    org.post("/pricing_units", {"pricing_unit": unit})
    made = add_charge(
        org,
        metric_ids["sum"],
        applied_pricing_unit={"code": "credits", "conversion_rate": "1"},
    )
    subscribe(org)
    ignored = {
        "charge_model": "package",
        "code": "other",
        "invoiceable": False,
        "pay_in_advance": True,
        "min_amount_cents": 100,
        "regroup_paid_fees": "invoice",
        "prorated": True,
        "billable_metric_id": metric_ids["max"],
    }
    honoured = {
        "properties": {"amount": "9"},
        "invoice_display_name": "Calls",
        "accepts_target_wallet": True,
    }
    change = {**ignored, **honoured, "tax_codes": ["vat"]}
    change |= {"applied_pricing_unit": {"code": "none", "conversion_rate": "2"}}
    changed = org.put(f"{PATH}/sum", {"charge": change})["charge"]
    expected = {**made, **honoured, "taxes": changed["taxes"]}
    expected["applied_pricing_unit"] = {"code": "credits", "conversion_rate": "2.0"}
    assert changed == expected
    assert [tax["code"] for tax in changed["taxes"]] == ["vat"]
    kept = {**change, "id": made["lago_id"], "properties": {"amount": "8"}}
    (in_plan,) = org.put("/plans/basic", {"plan": {"charges": [kept]}})["plan"]["charges"]
    assert in_plan == {**expected, "properties": {"amount": "8"}}


def test_charges_keep_the_order_of_the_request(org: Org, metric_ids: dict[str, str]) -> None:
    wanted = [charge(metric_ids[kind], "standard", STANDARD) for kind in ("sum", "count", "max")]
    plan = org.put("/plans/basic", {"plan": {"charges": wanted}})["plan"]
    assert [one["code"] for one in plan["charges"]] == ["sum", "count", "max"]
    ids = {one["code"]: one["lago_id"] for one in plan["charges"]}
    moved = [{"id": ids["max"]}, charge(metric_ids["latest"], "standard", {}), {"id": ids["sum"]}]
    plan = org.put("/plans/basic", {"plan": {"charges": moved}})["plan"]
    assert [one["code"] for one in plan["charges"]] == ["max", "latest", "sum"]
    assert [one["properties"] for one in plan["charges"]] == [STANDARD, {"amount": "0"}, STANDARD]
    add_charge(org, metric_ids["seats"])
    assert org.get("/plans/basic")["plan"]["charges"][-1]["code"] == "seats"
    first = org.get(f"{PATH}?per_page=3")
    assert (len(first["charges"]), first["meta"]["total_count"]) == (3, 4)


def test_unknown_plans_have_no_charges(org: Org, metric_ids: dict[str, str]) -> None:
    body = {"charge": charge(metric_ids["sum"], "standard", STANDARD)}
    for method, path in (
        ("GET", "/plans/none/charges"),
        ("POST", "/plans/none/charges"),
        ("GET", "/plans/none/charges/sum"),
        ("PUT", "/plans/none/charges/sum"),
        ("DELETE", "/plans/none/charges/sum"),
    ):
        assert org.call(method, path, body, 404)["code"] == "plan_not_found"
    for method in ("GET", "PUT", "DELETE"):
        assert org.call(method, f"{PATH}/none", body, 404)["code"] == "charge_not_found"


def test_a_change_of_a_charge_is_told_as_one_of_its_plan(
    org: Org, metric_ids: dict[str, str]
) -> None:
    with receiving() as receiver:
        org.post("/webhook_endpoints", {"webhook_endpoint": {"webhook_url": receiver.url}})
        add_charge(org, metric_ids["sum"])
        (told,) = receiver.wait_for("plan.updated")
    assert [one["code"] for one in told.payload["plan"]["charges"]] == ["sum"]


def test_a_change_of_a_charge_flags_drafts(org: Org, metric_ids: dict[str, str]) -> None:
    org.clock("2026-01-01T00:00:00Z")
    add_charge(org, metric_ids["count"])
    org.post(
        "/customers",
        {"customer": {"external_id": "c1", "billing_configuration": {"invoice_grace_period": 9}}},
    )
    subscribe(org)
    event = {"transaction_id": "t1", "external_subscription_id": "s1", "code": "count"}
    org.post("/events", {"event": event})
    org.clock("2026-02-01T00:30:00Z", catch_up=True)
    (draft,) = org.get("/invoices?status=draft")["invoices"]
    assert draft["fees_amount_cents"] == 1005
    org.put(f"{PATH}/count", {"charge": {"properties": {"amount": "2"}}})
    org.run("refresh_draft_invoices")
    org.drain()
    (draft,) = org.get("/invoices?status=draft")["invoices"]
    assert draft["fees_amount_cents"] == 1200
