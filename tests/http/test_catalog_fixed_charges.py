"""Add-ons, and the fixed charges of plans that sell them (`docs/rules/metering.md` 4)."""

from typing import Any

import pytest

from tests.support.billing import add_plan, add_tax, subscribe
from tests.support.gateway import Gateway, Org
from tests.support.receiver import receiving

PATH = "/plans/basic/fixed_charges"
STANDARD = {"amount": "12"}
TIER = {"from_value": 0, "to_value": None, "per_unit_amount": "1", "flat_amount": "2"}
MODELS: dict[str, dict[str, Any]] = {
    "standard": STANDARD,
    "graduated": {"graduated_ranges": [TIER]},
    "volume": {"volume_ranges": [TIER]},
}


def add_add_on(org: Org, code: str = "seat", **fields: Any) -> dict[str, Any]:
    """Create an add-on of 12.00 EUR; return it."""
    add_on = {"name": "Seat", "code": code, "amount_cents": 1200, "amount_currency": "EUR"}
    made: dict[str, Any] = org.post("/add_ons", {"add_on": {**add_on, **fields}})["add_on"]
    return made


@pytest.fixture
def add_on(org: Org) -> dict[str, Any]:
    """Return an add-on, and have a plan to sell it in."""
    add_plan(org)
    return add_add_on(org)


def fixed(model: str = "standard", **fields: Any) -> dict[str, Any]:
    """Return a fixed charge as plans take it."""
    return {
        "add_on_code": "seat",
        "charge_model": model,
        "properties": MODELS[model],
        "units": "10",
        **fields,
    }


def add_fixed(org: Org, model: str = "standard", **fields: Any) -> dict[str, Any]:
    """Add a fixed charge to the plan; return it."""
    made: dict[str, Any] = org.post(PATH, {"fixed_charge": fixed(model, **fields)})["fixed_charge"]
    return made


def refused(org: Org, wanted: dict[str, Any], status: int = 422) -> Any:
    """Return why a fixed charge is refused, by itself and in a plan."""
    alone = org.post(PATH, {"fixed_charge": wanted}, status)
    in_plan = org.put("/plans/basic", {"plan": {"fixed_charges": [wanted]}}, status)
    assert org.get(PATH)["meta"]["total_count"] == 0
    if status == 422:
        prefixed = in_plan["error_details"].items()
        in_plan["error_details"] = {
            name.removeprefix("fixed_charges.0."): codes for name, codes in prefixed
        }
    assert in_plan == alone
    return alone.get("error_details", alone["code"])


def test_an_add_on_lives(org: Org) -> None:
    add_tax(org, "vat", "20")
    made = add_add_on(org, description="One", invoice_display_name="Seats", tax_codes=["vat"])
    assert (made["amount_cents"], made["amount_currency"]) == (1200, "EUR")
    assert (made["description"], made["invoice_display_name"]) == ("One", "Seats")
    assert [tax["code"] for tax in made["taxes"]] == ["vat"]
    assert org.get("/add_ons/seat")["add_on"] == made
    assert org.get("/add_ons")["add_ons"] == [made]
    change = {"code": "user", "amount_cents": 5, "description": None, "tax_codes": []}
    changed = org.put("/add_ons/seat", {"add_on": change})["add_on"]
    assert changed == {**made, "code": "user", "amount_cents": 5, "description": None, "taxes": []}
    assert org.delete("/add_ons/user")["add_on"] == changed
    assert org.get("/add_ons/user", 404)["code"] == "add_on_not_found"
    assert org.get("/add_ons")["meta"]["total_count"] == 0
    assert add_add_on(org, "user")["lago_id"] != made["lago_id"]


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        ({"code": "seat"}, {"code": ["value_already_exist"]}),
        ({"name": None}, {"name": ["value_is_mandatory"]}),
        ({"amount_cents": 0}, {"amount_cents": ["value_is_out_of_range"]}),
        ({"amount_cents": -1}, {"amount_cents": ["value_is_out_of_range"]}),
        ({"amount_cents": "much"}, {"amount_cents": ["value_is_invalid"]}),
        ({"amount_currency": "XXX"}, {"amount_currency": ["invalid_currency"]}),
    ],
)
def test_add_ons_that_are_refused(
    org: Org, fields: dict[str, Any], details: dict[str, list[str]]
) -> None:
    add_add_on(org)
    good = {"name": "N", "code": "n", "amount_cents": 1, "amount_currency": "EUR"}
    answer = org.post("/add_ons", {"add_on": {**good, **fields}}, 422)
    assert answer["error_details"] == details
    org.post("/add_ons", {"add_on": good})
    assert org.put("/add_ons/n", {"add_on": fields}, 422)["error_details"] == details
    assert org.post("/add_ons", {"add_on": {**good, "code": "m", "tax_codes": ["no"]}}, 404)[
        "code"
    ] == ("tax_not_found")
    assert org.get("/add_ons")["meta"]["total_count"] == 2


@pytest.mark.parametrize("model", MODELS)
def test_a_fixed_charge_lives(org: Org, add_on: dict[str, Any], model: str) -> None:
    add_tax(org, "vat", "20")
    made = add_fixed(org, model, units=2.5, tax_codes=["vat"], prorated=True)
    assert (made["lago_add_on_id"], made["add_on_code"]) == (add_on["lago_id"], "seat")
    assert (made["code"], made["invoice_display_name"]) == ("seat", "Seat")
    assert (made["charge_model"], made["properties"]) == (model, MODELS[model])
    assert (made["units"], made["prorated"], made["pay_in_advance"]) == ("2.5", True, False)
    assert [tax["code"] for tax in made["taxes"]] == ["vat"]
    assert org.get(f"{PATH}/seat")["fixed_charge"] == made
    assert org.get(PATH)["fixed_charges"] == [made]
    assert org.get("/plans/basic")["plan"]["fixed_charges"] == [made]
    change = {"units": "7", "invoice_display_name": "Users", "code": "users", "tax_codes": []}
    changed = org.put(f"{PATH}/seat", {"fixed_charge": change})["fixed_charge"]
    shown = {"units": "7.0", "invoice_display_name": "Users", "code": "users", "taxes": []}
    assert changed == {**made, **shown}
    assert org.delete(f"{PATH}/users")["fixed_charge"] == changed
    assert org.get(f"{PATH}/users", 404)["code"] == "fixed_charge_not_found"
    assert org.get("/plans/basic")["plan"]["fixed_charges"] == []


def test_fixed_charges_of_a_plan(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    add_on = add_add_on(org)
    by_id = {**fixed("graduated"), "add_on_id": add_on["lago_id"], "add_on_code": None}
    plan = add_plan(org, "p", fixed_charges=[fixed(), by_id, fixed(code="mine", units=None)])
    shown = plan["fixed_charges"]
    assert [one["code"] for one in shown] == ["seat", "seat_2", "mine"]
    assert [one["units"] for one in shown] == ["10.0", "10.0", "0.0"]
    wanted = [{"id": shown[2]["lago_id"], "units": 3}, fixed("volume", code="seat")]
    plan = org.put("/plans/p", {"plan": {"fixed_charges": wanted}})["plan"]
    found = [(one["code"], one["charge_model"], one["units"]) for one in plan["fixed_charges"]]
    assert found == [("mine", "standard", "3.0"), ("seat", "volume", "10.0")]
    assert plan["fixed_charges"][0]["lago_id"] == shown[2]["lago_id"]
    same = org.put("/plans/p", {"plan": {"name": "Same"}})["plan"]
    assert same["fixed_charges"] == plan["fixed_charges"]


def test_what_never_changes(org: Org, add_on: dict[str, Any]) -> None:
    made = add_fixed(org, prorated=True, pay_in_advance=True)
    other = add_add_on(org, "other")
    ignored = {"pay_in_advance": False, "prorated": False, "add_on_id": other["lago_id"]}
    assert org.put(f"{PATH}/seat", {"fixed_charge": ignored})["fixed_charge"] == made
    assert made["lago_add_on_id"] == add_on["lago_id"]
    subscribe(org)
    change = {"charge_model": "volume", "code": "x", "properties": {"amount": "3"}}
    changed = org.put(f"{PATH}/seat", {"fixed_charge": change})["fixed_charge"]
    assert changed == {**made, "properties": {"amount": "3"}}


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        ({"charge_model": None}, {"charge_model": ["value_is_mandatory"]}),
        ({"charge_model": "package"}, {"charge_model": ["value_is_invalid"]}),
        ({"units": -1}, {"units": ["value_is_out_of_range"]}),
        ({"units": "1e20"}, {"units": ["value_is_out_of_range"]}),
        ({"units": "many"}, {"units": ["value_is_invalid"]}),
        ({"properties": {"amount": 5}}, {"properties": ["invalid_amount"]}),
        (
            {**fixed("volume"), "pay_in_advance": True},
            {"charge_model": ["invalid_charge_model"]},
        ),
        (
            {**fixed("graduated"), "pay_in_advance": True, "prorated": True},
            {"charge_model": ["invalid_charge_model"]},
        ),
    ],
)
def test_fixed_charges_that_are_refused(
    org: Org, add_on: dict[str, Any], fields: dict[str, Any], details: dict[str, list[str]]
) -> None:
    assert add_on
    assert refused(org, {**fixed(), **fields}) == details


def test_refused_by_name(org: Org, add_on: dict[str, Any]) -> None:
    assert add_on
    for reference in (
        {"add_on_code": "none"},
        {"add_on_code": None},
        {"add_on_id": "x"},
        {"add_on_id": "00000000-0000-0000-0000-000000000000"},
    ):
        assert refused(org, {**fixed(), **reference}, 404) == "add_on_not_found"
    assert refused(org, fixed(tax_codes=["none"]), 404) == "tax_not_found"
    add_fixed(org)
    answer = org.post(PATH, {"fixed_charge": fixed(code="seat")}, 422)
    assert answer["error_details"] == {"code": ["value_already_exist"]}
    assert org.get("/plans/none/fixed_charges", 404)["code"] == "plan_not_found"
    body = {"fixed_charge": {"units": "1"}}
    for method in ("GET", "PUT", "DELETE"):
        assert org.call(method, f"{PATH}/no", body, 404)["code"] == "fixed_charge_not_found"


def test_units_keep_ten_places(org: Org, add_on: dict[str, Any]) -> None:
    assert add_on
    assert add_fixed(org, units="0.12345678905")["units"] == "0.1234567891"


def test_nothing_is_grouped_where_nothing_is_used(org: Org, add_on: dict[str, Any]) -> None:
    assert add_on
    made = add_fixed(org, properties={"amount": "1", "pricing_group_keys": ["a"]})
    assert made["properties"] == {"amount": "1"}


def test_an_add_on_takes_its_fixed_charges_along(org: Org, add_on: dict[str, Any]) -> None:
    assert add_on
    add_fixed(org)
    add_add_on(org, "other")
    add_fixed(org, add_on_code="other")
    org.delete("/add_ons/seat")
    found = org.get("/plans/basic")["plan"]["fixed_charges"]
    assert [one["add_on_code"] for one in found] == ["other"]


def test_a_change_of_a_fixed_charge_is_told_as_one_of_its_plan(
    org: Org, add_on: dict[str, Any]
) -> None:
    assert add_on
    with receiving() as receiver:
        org.post("/webhook_endpoints", {"webhook_endpoint": {"webhook_url": receiver.url}})
        add_fixed(org)
        (told,) = receiver.wait_for("plan.updated")
    assert [one["code"] for one in told.payload["plan"]["fixed_charges"]] == ["seat"]
