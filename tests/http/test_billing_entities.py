"""Billing entities: who issues invoices, and what customers inherit from them."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.support.billing import (
    add_customer,
    add_plan,
    add_tax,
    invoices,
    only_invoice,
    subscribe,
)
from tests.support.gateway import Gateway, Org

SETTINGS: dict[str, Any] = {
    "default_currency": "CHF",
    "document_numbering": "per_billing_entity",
    "document_number_prefix": "swi",
    "finalize_zero_amount_invoice": False,
    "net_payment_term": 14,
    "address_line1": "Bahnhofstrasse 1",
    "address_line2": None,
    "city": "Zürich",
    "state": "ZH",
    "country": "ch",
    "zipcode": "8001",
    "email": "billing@acme.example",
    "legal_name": "Acme AG",
    "legal_number": "CHE-1",
    "tax_identification_number": "CHE-123.456.789",
    "timezone": "Europe/Zurich",
    "email_settings": ["invoice.finalized", "payment_receipt.created"],
    "eu_tax_management": False,
}
CONFIGURATION = {
    "invoice_footer": "Danke",
    "document_locale": "de",
    "invoice_grace_period": 3,
    "subscription_invoice_issuing_date_anchor": "current_period_end",
    "subscription_invoice_issuing_date_adjustment": "keep_anchor",
}


def add_entity(org: Org, code: str = "swiss", **fields: Any) -> dict[str, Any]:
    """Create a billing entity, and return it."""
    entity = {"code": code, "name": code.title(), **fields}
    made: dict[str, Any] = org.post("/billing_entities", {"billing_entity": entity})
    return dict(made["billing_entity"])


def change_entity(org: Org, code: str = "swiss", **fields: Any) -> dict[str, Any]:
    """Change a billing entity, and return it."""
    made: dict[str, Any] = org.put(f"/billing_entities/{code}", {"billing_entity": fields})
    return dict(made["billing_entity"])


def test_an_entity_is_made_with_all_its_settings_and_changed(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock("2026-01-01T00:00:00Z")
    made = add_entity(
        org, billing_configuration=CONFIGURATION, logo="https://acme.example/l.png", **SETTINGS
    )
    assert made | {"lago_id": "", "is_default": True} == {
        **SETTINGS,
        **CONFIGURATION,
        "lago_id": "",
        "code": "swiss",
        "name": "Swiss",
        "document_number_prefix": "SWI",
        "country": "CH",
        "logo_url": "https://acme.example/l.png",
        "is_default": True,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    }
    assert made["is_default"] is False, "the organization's first one stays the default"
    add_tax(org, "vat", "8.1")
    changed = change_entity(
        org,
        name="Schweiz",
        city=None,
        net_payment_term=None,
        tax_codes=["vat"],
        billing_configuration={"invoice_footer": None},
    )
    assert (changed["name"], changed["city"], changed["invoice_footer"]) == ("Schweiz", None, None)
    assert changed["net_payment_term"] == 14, "what always has a value keeps it"
    assert [tax["code"] for tax in changed["taxes"]] == ["vat"]
    assert changed["selected_invoice_custom_sections"] == []
    assert org.get("/billing_entities/swiss")["billing_entity"] == changed
    listed = org.get("/billing_entities")
    assert set(listed) == {"billing_entities"}
    assert {one["code"]: one["is_default"] for one in listed["billing_entities"]} == {
        "default": True,
        "swiss": False,
    }


def test_little_is_needed_to_make_one(org: Org) -> None:
    made = add_entity(org, "uk", name="Acme Ltd")
    assert made["document_number_prefix"] == f"ACM-{made['lago_id'][-4:].upper()}"
    assert (made["timezone"], made["default_currency"]) == ("UTC", "USD")
    assert (made["document_numbering"], made["invoice_grace_period"]) == ("per_customer", 0)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("code", "default", "value_already_exist"),
        ("code", None, "value_is_mandatory"),
        ("name", None, "value_is_mandatory"),
        ("default_currency", "XXQ", "invalid_currency"),
        ("document_numbering", "per_day", "value_is_invalid"),
        ("document_number_prefix", "ELEVEN-LONG", "value_is_too_long"),
        ("net_payment_term", -1, "value_is_out_of_range"),
        ("country", "ZZ", "not_a_valid_country_code"),
        ("email", "nobody", "invalid_email_format"),
        ("timezone", "Mars/Olympus", "invalid_timezone"),
        ("email_settings.0", ["coupon.created"], "value_is_invalid"),
        ("logo", "logo.png", "url_is_invalid"),
        ("eu_tax_management", True, "unsupported_value"),
        ("billing_configuration.invoice_grace_period", {"invoice_grace_period": -1}, None),
        ("billing_configuration.document_locale", {"document_locale": "xx-yy-zz"}, None),
    ],
)
def test_what_an_entity_cannot_be(org: Org, field: str, value: object, code: str | None) -> None:
    entity = {"code": "x", "name": "X", field.split(".", maxsplit=1)[0]: value}
    told = org.post("/billing_entities", {"billing_entity": entity}, 422)["error_details"]
    codes = {
        "billing_configuration.invoice_grace_period": "value_is_out_of_range",
        "billing_configuration.document_locale": "not_a_valid_language_code",
    }
    assert told == {field: [code or codes[field]]}
    assert len(org.get("/billing_entities")["billing_entities"]) == 1


def test_what_is_not_there_cannot_be_named(org: Org) -> None:
    add_entity(org)
    add_plan(org)
    org.get("/billing_entities/none", 404)
    for field, code in (
        ("tax_codes", "tax_not_found"),
        ("invoice_custom_section_codes", "invoice_custom_section_not_found"),
    ):
        body = {"billing_entity": {"name": "Changed", field: ["none"]}}
        assert org.put("/billing_entities/swiss", body, 404)["code"] == code
    assert org.get("/billing_entities/swiss")["billing_entity"]["name"] == "Swiss"
    customer = {"external_id": "c1", "billing_entity_code": "none"}
    wanted = {"external_customer_id": "c1", "external_id": "s1", "plan_code": "basic"}
    no_entity = {**wanted, "billing_entity_code": "none"}
    method = {"payment_method_id": "00000000-0000-0000-0000-000000000000"}
    no_method = {**wanted, "payment_method": method}
    refused: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("/customers", {"customer": customer}, "billing_entity_not_found"),
        ("/subscriptions", {"subscription": no_entity}, "billing_entity_not_found"),
        ("/subscriptions", {"subscription": no_method}, "payment_method_not_found"),
    )
    for path, body, code in refused:
        assert org.post(path, body, 404)["code"] == code
    for path in ("customers", "subscriptions", "invoices", "credit_notes"):
        answer = org.get(f"/{path}?billing_entity_codes[]=default&billing_entity_codes[]=none", 404)
        assert answer["code"] == "billing_entity_not_found"


def test_entities_of_others_are_unknown(gateway: Gateway) -> None:
    theirs, stranger = gateway.organization(), gateway.organization()
    entity = add_entity(theirs)
    add_plan(stranger)
    stranger.get("/billing_entities/swiss", 404)
    stranger.put("/billing_entities/swiss", {"billing_entity": {"name": "Mine"}}, 404)
    for named in (
        {"billing_entity_code": "swiss"},
        {"billing_entity_id": entity["lago_id"]},
    ):
        wanted = {"external_customer_id": "c1", "external_id": "s1", "plan_code": "basic", **named}
        answer = stranger.post("/subscriptions", {"subscription": wanted}, 404)
        assert answer["code"] == "billing_entity_not_found"
    assert theirs.get("/billing_entities/swiss")["billing_entity"]["name"] == "Swiss"
    assert add_entity(stranger)["code"] == "swiss", "each organization has codes of its own"


def test_a_subscription_s_own_entity_issues_and_its_customer_s_sets_the_terms(
    any_gateway: Gateway,
) -> None:
    org = any_gateway.organization(document_number_prefix="home")
    org.clock("2026-01-31T23:30:00Z")
    add_tax(org, "home", "10", applied_to_organization=True)
    add_tax(org, "swiss", "8")
    add_entity(
        org,
        document_number_prefix="SWI",
        timezone="Asia/Tokyo",
        net_payment_term=30,
        billing_configuration={"invoice_grace_period": 5},
    )
    change_entity(org, tax_codes=["swiss"])
    add_plan(org, pay_in_advance=True)
    customer = add_customer(org)
    bound = subscribe(org, billing_entity_code="swiss")
    assert (customer["billing_entity_code"], bound["billing_entity_code"]) == ("default", "swiss")
    subscribe(org, external_id="s2", customer="new", billing_entity_code="swiss")
    org.drain()
    of_new, of_known = (
        org.get(f"/invoices?external_customer_id={one}")["invoices"][0] for one in ("new", "c1")
    )
    # 1 of 31 days; grace, term, zone and taxes are those of the customer's own entity
    assert (of_known["billing_entity_code"], of_known["number"]) == ("swiss", "SWI-001-001")
    assert (of_known["issuing_date"], of_known["payment_due_date"]) == ("2026-01-31",) * 2
    assert (of_known["fees_amount_cents"], of_known["taxes_amount_cents"]) == (32, 3)
    # a new customer is the entity's: it is February in Tokyo
    assert (of_new["number"], of_new["status"]) == ("SWI-DRAFT", "draft")
    assert (of_new["issuing_date"], of_new["payment_due_date"]) == ("2026-02-06", "2026-03-08")
    assert (of_new["fees_amount_cents"], of_new["taxes_amount_cents"]) == (1000, 80)
    for code, customers, external_ids in (
        ("default", ["c1"], []),
        ("swiss", ["new"], ["s2", "s1"]),
    ):
        query = f"?billing_entity_codes[]={code}"
        found = org.get(f"/customers{query}")["customers"]
        assert [one["external_id"] for one in found] == customers
        found = org.get(f"/subscriptions{query}")["subscriptions"]
        assert [one["external_id"] for one in found] == external_ids
        assert len(org.get(f"/invoices{query}")["invoices"]) == len(external_ids)


def test_an_entity_can_be_given_and_taken_later(org: Org) -> None:
    org.clock("2026-01-10T00:00:00Z")
    swiss = add_entity(org, document_number_prefix="SWI")
    add_plan(org)
    subscribe(org)
    moved = add_customer(org, billing_entity_code="swiss")
    assert moved["billing_entity_code"] == "swiss"
    path = "/subscriptions/s1"
    assert org.get(path)["subscription"]["billing_entity_code"] == "swiss", "it follows"
    for given, code in (
        ({"billing_entity_code": "default"}, "default"),
        ({"billing_entity_id": swiss["lago_id"]}, "swiss"),
        ({"billing_entity_code": "default"}, "default"),
        ({"name": "n"}, "default"),
        ({"billing_entity_code": None}, "swiss"),
    ):
        changed = org.put(path, {"subscription": given})["subscription"]
        assert changed["billing_entity_code"] == code
    org.put(path, {"subscription": {"billing_entity_code": "default"}})
    add_plan(org, "dearer", amount_cents=2000)
    assert subscribe(org, "dearer")["billing_entity_code"] == "default", "inherited (2.8)"


@pytest.mark.parametrize(
    ("anchor", "adjustment", "by_grace"),
    [
        ("current_period_end", "keep_anchor", {0: "2026-01-31", 3: "2026-01-31"}),
        ("current_period_end", "align_with_finalization_date", {0: "2026-01-31", 3: "2026-02-04"}),
        ("next_period_start", "keep_anchor", {0: "2026-02-01", 3: "2026-02-01"}),
        ("next_period_start", "align_with_finalization_date", {0: "2026-02-01", 3: "2026-02-04"}),
    ],
)
def test_invoices_are_dated_by_the_entity_s_settings(
    org: Org, anchor: str, adjustment: str, by_grace: dict[int, str]
) -> None:
    """Every cell of the table of subscriptions.md 7.2."""
    org.clock("2026-01-10T00:00:00Z")
    add_plan(org)
    add_plan(org, "advance", pay_in_advance=True)
    for grace in by_grace:
        rules = {
            "invoice_grace_period": grace,
            "subscription_invoice_issuing_date_anchor": anchor,
            "subscription_invoice_issuing_date_adjustment": adjustment,
        }
        add_entity(org, f"e{grace}", billing_configuration=rules, net_payment_term=10)
        add_customer(org, f"c{grace}", billing_entity_code=f"e{grace}")
        subscribe(org, external_id=f"s{grace}", customer=f"c{grace}")
        subscribe(org, "advance", external_id=f"a{grace}", customer=f"c{grace}")
    org.drain()
    # starting and terminating invoices are dated by the grace period alone
    started = {one["customer"]["external_id"]: one["issuing_date"] for one in invoices(org)}
    assert started == {"c0": "2026-01-10", "c3": "2026-01-13"}
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    for grace, day in by_grace.items():
        *_, periodic = invoices(org, f"external_customer_id=c{grace}")
        assert periodic["issuing_date"] == day
        due = date.fromisoformat(day) + timedelta(days=10)
        assert periodic["payment_due_date"] == str(due)
        assert periodic["status"] == ("draft" if grace else "finalized")


def test_drafts_follow_the_entity_unless_the_customer_has_its_own_settings(
    any_gateway: Gateway,
) -> None:
    org = any_gateway.organization()
    org.clock("2026-01-10T00:00:00Z")
    add_entity(org, billing_configuration={"invoice_grace_period": 10})
    add_plan(org, pay_in_advance=True)
    add_customer(org, "follows", billing_entity_code="swiss")
    own = {"invoice_grace_period": 10}
    add_customer(org, "stays", billing_entity_code="swiss", billing_configuration=own)
    for customer in ("follows", "stays"):
        subscribe(org, external_id=customer, customer=customer)
    org.drain()

    def dates() -> dict[str, tuple[str, str]]:
        return {
            one["customer"]["external_id"]: (one["issuing_date"], one["payment_due_date"])
            for one in invoices(org)
        }

    assert dates() == dict.fromkeys(("follows", "stays"), ("2026-01-20", "2026-01-20"))
    change_entity(org, net_payment_term=7, billing_configuration={"invoice_grace_period": 2})
    # the grace period of the customer's own stays, the term is inherited by both
    assert dates() == {
        "follows": ("2026-01-12", "2026-01-19"),
        "stays": ("2026-01-20", "2026-01-27"),
    }
    change_entity(org, billing_configuration={"invoice_grace_period": 0})
    assert {one["status"] for one in invoices(org)} == {"draft"}, "the next run makes it final"
    org.run("finalize_invoices")
    org.drain()
    found = {one["customer"]["external_id"]: one["status"] for one in invoices(org)}
    assert found == {"follows": "finalized", "stays": "draft"}


def test_billing_days_move_with_the_entity_s_zone(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock("2026-01-10T00:00:00Z")
    add_plan(org)
    add_customer(org, "follows")
    add_customer(org, "stays", timezone="UTC")
    for customer in ("follows", "stays"):
        subscribe(org, external_id=customer, customer=customer)
    change_entity(org, "default", timezone="Asia/Tokyo")
    org.clock("2026-01-31T16:00:00Z", catch_up=True)
    assert only_invoice(org)["customer"]["external_id"] == "follows"
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert len(invoices(org)) == 2


def test_e46_numbers_go_on_when_the_numbering_changes(gateway: Gateway) -> None:
    """Example E46 of money.md 9."""
    org = gateway.organization(document_number_prefix="BENT-1")
    add_plan(org, pay_in_advance=True)

    def billed(instant: str, *customers: str) -> list[str]:
        """Return the numbers of invoices of new subscriptions, one of each customer."""
        org.clock(instant)
        for one in customers:
            subscribe(org, external_id=f"{one} {instant}", customer=one)
        org.drain()
        newest = org.get(f"/invoices?per_page={len(customers)}")["invoices"]
        return sorted(one["number"] for one in newest)

    three = ("c1", "c2", "c3")
    org.clock("2023-07-01T08:00:00Z")
    for one in three:
        add_customer(org, one)
    for month, number in (("07", "001"), ("08", "002"), ("09", "003")):
        found = billed(f"2023-{month}-02T00:00:00Z", *three)
        assert found == [f"BENT-1-00{one}-{number}" for one in (1, 2, 3)]
    change = {"document_numbering": "per_organization", "document_number_prefix": "BENT-11"}
    org.put("/organizations", {"organization": change})
    october = [f"BENT-11-202310-0{one}" for one in (10, 11, 12)]
    assert billed("2023-10-02T00:00:00Z", *three) == october
    change_entity(org, "default", document_numbering="per_customer")
    november = [f"BENT-11-00{one}-005" for one in (1, 2, 3)]
    assert billed("2023-11-02T00:00:00Z", *three) == november
    billed("2023-11-03T00:00:00Z", "c1")
    change_entity(org, "default", document_numbering="per_billing_entity")
    december = [f"BENT-11-202312-0{one}" for one in (17, 18, 19)]
    assert billed("2023-12-02T00:00:00Z", *three) == december
    assert billed("2024-01-02T00:00:00Z", "c1") == ["BENT-11-202401-020"]


def test_taxes_of_the_default_entity_are_the_organization_s(org: Org) -> None:
    add_tax(org, "old", "10", applied_to_organization=True)
    add_tax(org, "new", "20")
    changed = change_entity(org, "default", tax_codes=["new"])
    assert [tax["code"] for tax in changed["taxes"]] == ["new"]
    applied = {tax["code"]: tax["applied_to_organization"] for tax in org.get("/taxes")["taxes"]}
    assert applied == {"old": False, "new": True}
    found = org.get("/organizations")["organization"]["taxes"]
    assert [tax["code"] for tax in found] == ["new"]
