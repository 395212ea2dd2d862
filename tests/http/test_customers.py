"""Customers: upserts, notes, billing configuration, zones, lists and deletion."""

import pytest

from tests.support.billing import (
    add_customer,
    add_plan,
    add_tax,
    invoices,
    only_invoice,
    send,
    subscribe,
)
from tests.support.gateway import Org


def test_only_given_fields_change(org: Org) -> None:
    add_tax(org, "vat", "20")
    made = add_customer(
        org,
        "c/1",
        name="Acme",
        email="a@example.com",
        country="fr",
        currency="EUR",
        timezone="Europe/Paris",
        net_payment_term=14,
        tax_codes=["vat"],
        shipping_address={"city": "Lyon", "country": "FR"},
    )
    assert (made["country"], made["applicable_timezone"]) == ("FR", "Europe/Paris")
    changed = add_customer(org, "c/1", name="Acme 2")
    assert changed.pop("name") == "Acme 2"
    assert changed.pop("updated_at")
    assert changed == {k: v for k, v in made.items() if k not in {"name", "updated_at"}}
    cleared = add_customer(org, "c/1", email=None, net_payment_term=None, timezone=None)
    assert (cleared["email"], cleared["net_payment_term"]) == (None, None)
    assert cleared["applicable_timezone"] == "UTC"
    assert [tax["code"] for tax in cleared["taxes"]] == ["vat"]
    assert org.get("/customers/c%2F1")["customer"]["lago_id"] == made["lago_id"]
    assert org.get("/customers")["meta"]["total_count"] == 1


def test_customers_are_numbered(org: Org) -> None:
    slugs = [add_customer(org, f"c{number}")["slug"] for number in range(3)]
    prefix = org.get("/organizations")["organization"]["document_number_prefix"]
    assert slugs == [f"{prefix}-001", f"{prefix}-002", f"{prefix}-003"]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("external_id", "", "value_is_mandatory"),
        ("email", "nobody", "invalid_email_format"),
        ("country", "Elsewhere", "not_a_valid_country_code"),
        ("currency", "EURO", "invalid_currency"),
        ("timezone", "Mars/Base", "invalid_timezone"),
        ("net_payment_term", -1, "value_is_out_of_range"),
    ],
)
def test_values_that_are_refused(org: Org, field: str, value: object, code: str) -> None:
    body = {"customer": {"external_id": "c1", field: value}}
    assert org.post("/customers", body, 422)["error_details"] == {field: [code]}
    assert org.get("/customers")["meta"]["total_count"] == 0


def test_unknown_references_are_not_found(org: Org) -> None:
    for field, code in (
        ({"tax_codes": ["no"]}, "tax_not_found"),
        ({"billing_entity_code": "no"}, "billing_entity_not_found"),
    ):
        answer = org.post("/customers", {"customer": {"external_id": "c1", **field}}, 404)
        assert answer["code"] == code
    assert org.get("/customers/c1", 404)["code"] == "customer_not_found"


def test_metadata_is_replaced_as_a_whole(org: Org) -> None:
    notes = [{"key": f"k{n}", "value": f"v{n}", "display_in_invoice": n == 0} for n in range(3)]
    made = add_customer(org, metadata=notes)["metadata"]
    assert [(one["key"], one["display_in_invoice"]) for one in made] == [
        ("k0", True),
        ("k1", False),
        ("k2", False),
    ]
    kept = {"id": made[0]["lago_id"], "key": "k0", "value": "new", "display_in_invoice": False}
    changed = add_customer(org, metadata=[kept, {"key": "k9", "value": "v9"}])["metadata"]
    assert {one["key"]: one["value"] for one in changed} == {"k0": "new", "k9": "v9"}
    assert changed[0]["lago_id"] == made[0]["lago_id"]
    untouched = add_customer(org, name="Without metadata")["metadata"]
    assert untouched == changed
    six = [{"key": f"k{n}", "value": "v"} for n in range(6)]
    answer = org.post("/customers", {"customer": {"external_id": "c1", "metadata": six}}, 422)
    assert answer["error_details"] == {"metadata": ["invalid_count"]}
    found = org.get("/customers?metadata[k9]=v9")["customers"]
    assert [one["external_id"] for one in found] == ["c1"]
    assert org.get("/customers?metadata[k9]=other")["customers"] == []


def test_billing_configuration(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    wanted = {
        "invoice_grace_period": 3,
        "document_locale": "fr",
        "subscription_invoice_issuing_date_anchor": "current_period_end",
        "subscription_invoice_issuing_date_adjustment": "keep_anchor",
    }
    made = add_customer(org, billing_configuration=wanted)["billing_configuration"]
    assert {name: made[name] for name in wanted} == wanted
    partly = add_customer(org, billing_configuration={"document_locale": "de"})
    assert partly["billing_configuration"] == {**made, "document_locale": "de"}
    add_plan(org)
    subscribe(org)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    draft = only_invoice(org)
    assert (draft["status"], draft["issuing_date"]) == ("draft", "2026-01-31")
    org.clock("2026-02-04T01:00:00Z", catch_up=True)
    final = only_invoice(org)
    assert (final["status"], final["issuing_date"]) == ("finalized", "2026-01-31")


def test_a_locale_is_checked(org: Org) -> None:
    configuration = {"document_locale": "xx"}
    body = {"customer": {"external_id": "c1", "billing_configuration": configuration}}
    assert "not_a_valid_language_code" in str(org.post("/customers", body, 422)["error_details"])


def test_months_follow_the_zone(org: Org) -> None:
    org.clock("2026-01-15T00:00:00Z")
    add_plan(org, amount_cents=3100)
    zones = {"tokyo": "Asia/Tokyo", "hawaii": "Pacific/Honolulu"}
    for name, zone in zones.items():
        add_customer(org, name, timezone=zone)
        subscribe(org, external_id=name, customer=name)
    org.clock("2026-02-01T08:00:00Z", catch_up=True)
    (tokyo,) = invoices(org)
    assert tokyo["customer"]["external_id"] == "tokyo", "in Hawaii it is still January"
    # the 15th of January in Tokyo had begun, in Hawaii it was the 14th
    assert tokyo["total_amount_cents"] == 1700
    org.clock("2026-02-01T11:00:00Z", catch_up=True)
    hawaii = only_invoice(org, "external_customer_id=hawaii")
    assert hawaii["total_amount_cents"] == 1800
    assert hawaii["fees"][0]["from_date"] == "2026-01-14T10:00:00Z"
    assert hawaii["fees"][0]["to_date"] == "2026-02-01T09:59:59Z"


def test_lists(org: Org) -> None:
    add_customer(org, "de-1", name="Berlin Bakery", country="DE", currency="EUR")
    add_customer(org, "us-1", name="Boston Bank", country="US", currency="USD")
    add_customer(org, "us-2", account_type="partner", country="US", email="p@example.com")

    def ids(query: str) -> list[str]:
        return [one["external_id"] for one in org.get(f"/customers?{query}")["customers"]]

    assert ids("") == ["us-2", "us-1", "de-1"], "the newest first"
    assert ids("countries[]=DE&countries[]=FR") == ["de-1"]
    assert ids("currencies%5B%5D=USD") == ["us-1"]
    assert ids("account_type[]=partner") == ["us-2"]
    assert ids("search_term=bakery") == ["de-1"]
    assert ids("search_term=100%25") == []
    assert ids("per_page=1&page=2") == ["us-1"]
    answer = org.get("/customers?billing_entity_codes[]=no", 404)
    assert answer["code"] == "billing_entity_not_found"


def test_a_deleted_customer_is_gone_but_its_invoices_stay(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org)
    add_customer(org, name="Leaving")
    subscribe(org)
    org.clock("2026-02-10T00:00:00Z", catch_up=True)
    deleted = org.delete("/customers/c1")["customer"]
    assert deleted["name"] == "Leaving"
    org.drain()
    org.get("/customers/c1", 404)
    org.get("/subscriptions/s1", 404)
    found = invoices(org)
    assert [one["status"] for one in found] == ["finalized"] * len(found)
    # January, and the ten days of February that were used
    assert [one["total_amount_cents"] for one in found] == [1000, 357]
    again = add_customer(org, name="Back")
    assert again["lago_id"] != deleted["lago_id"]


def test_usage_needs_a_subscription_of_the_customer(org: Org) -> None:
    add_customer(org)
    path = "/customers/c1/current_usage?external_subscription_id=s1"
    assert org.get(path, 405)["code"] == "no_active_subscription"
    answer = org.get("/customers/no/current_usage?external_subscription_id=s1", 404)
    assert answer["code"] == "customer_not_found"
    add_plan(org)
    subscribe(org)
    send(org, "t1")
    assert org.get(path)["customer_usage"]["charges_usage"] == []
