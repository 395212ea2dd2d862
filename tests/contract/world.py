"""A small life of one organization that visits every operation of the API once or more."""

from dataclasses import dataclass, field
from typing import Any

import httpx

from gateway.reference.examples import PROPERTIES
from tests.support.gateway import Org

START = "2026-01-01T00:00:00Z"
MONTH_LATER = "2026-02-01T00:30:00Z"
GRACE_OVER = "2026-02-06T01:00:00Z"


@dataclass
class World:
    """Calls operations and keeps what each of them answered."""

    org: Org
    answers: dict[str, list[httpx.Response]] = field(default_factory=dict)

    def call(self, operation_id: str, method: str, path: str, body: Any = None) -> Any:
        """Call an operation that must succeed; returns the decoded body."""
        answer = self.org.http.request(method, path, json=body)
        assert answer.status_code == httpx.codes.OK, f"{operation_id}: {answer.text}"
        self.answers.setdefault(operation_id, []).append(answer)
        is_json = answer.content and answer.headers["content-type"].startswith("application/json")
        return answer.json() if is_json else None

    def drain(self) -> None:
        """Wait until nothing is left to do in the background."""
        self.call("drainTestClock", "POST", "/test_clock/drain")


def play(org: Org) -> World:
    """Live through January of 2026, and undo everything after that."""
    world = World(org)
    org.clock(START)
    _settings(world)
    metric_ids = _catalog(world)
    _customers(world)
    _subscriptions(world)
    _fixed_charges(world)
    _own_prices(world, metric_ids["count"])
    _entitlements(world)
    _usage(world)
    org.clock(MONTH_LATER, catch_up=True)
    _invoices(world)
    _fees(world)
    _fees_in_advance(world, metric_ids)
    _changes(world, metric_ids)
    _credit_notes(world)
    _wallets(world)
    _endings(world)
    return world


def _settings(world: World) -> None:
    world.call("findOrganization", "GET", "/organizations")
    change = {
        "legal_name": "Acme Billing",
        "email": "billing@acme.example",
        "country": "DE",
        "email_settings": ["invoice.finalized"],
        "billing_configuration": {"invoice_footer": "Thanks", "document_locale": "en"},
    }
    world.call("updateOrganization", "PUT", "/organizations", {"organization": change})
    entities = world.call("listBillingEntities", "GET", "/billing_entities")["billing_entities"]
    world.call("getBillingEntity", "GET", f"/billing_entities/{entities[0]['code']}")
    entity = {"code": "swiss", "name": "Acme AG", "logo": "https://acme.example/logo.png"}
    world.call("createBillingEntity", "POST", "/billing_entities", {"billing_entity": entity})
    change = {"billing_entity": {"email_settings": ["invoice.finalized"]}}
    world.call("updateBillingEntity", "PUT", "/billing_entities/swiss", change)
    endpoint = {"webhook_url": "http://192.0.2.1/hooks", "event_types": ["invoice.created"]}
    made = world.call(
        "createWebhookEndpoint", "POST", "/webhook_endpoints", {"webhook_endpoint": endpoint}
    )
    path = f"/webhook_endpoints/{made['webhook_endpoint']['lago_id']}"
    world.call("findAllWebhookEndpoints", "GET", "/webhook_endpoints")
    world.call("findWebhookEndpoint", "GET", path)
    change = {"webhook_endpoint": {"signature_algo": "hmac", "name": "Mine"}}
    world.call("updateWebhookEndpoint", "PUT", path, change)
    world.call("fetchPublicKey", "GET", "/webhooks/public_key")
    world.call("fetchJsonPublicKey", "GET", "/webhooks/json_public_key")
    world.call("destroyWebhookEndpoint", "DELETE", path)


def _catalog(world: World) -> dict[str, str]:
    tax = {"name": "VAT", "code": "vat", "rate": "19.5", "applied_to_organization": True}
    world.call("createTax", "POST", "/taxes", {"tax": tax})
    world.call("createTax", "POST", "/taxes", {"tax": {**tax, "code": "t2", "rate": 1}})
    metric_ids: dict[str, str] = {}
    for kind in ("count", "sum", "max", "unique_count", "latest", "weighted_sum"):
        metric: dict[str, Any] = {"name": kind, "code": kind, "aggregation_type": f"{kind}_agg"}
        metric |= {} if kind == "count" else {"field_name": "value"}
        metric |= {"description": "All of it"} if kind == "sum" else {}
        metric |= {"weighted_interval": "seconds"} if kind == "weighted_sum" else {}
        metric |= {"filters": [{"key": "region", "values": ["us", "eu"]}]}
        made = world.call(
            "createBillableMetric", "POST", "/billable_metrics", {"billable_metric": metric}
        )
        metric_ids[kind] = made["billable_metric"]["lago_id"]
    tried = {
        "expression": "1 + event.properties.n",
        "event": {"code": "sum", "properties": {"n": 1}},
    }
    path = "/billable_metrics/evaluate_expression"
    world.call("evaluateBillableMetricExpression", "POST", path, tried)
    charges = [
        {
            "billable_metric_id": metric_ids["sum"],
            "charge_model": model,
            "code": model,
            "properties": properties,
            "tax_codes": ["vat"] if model == "standard" else [],
        }
        for model, properties in PROPERTIES.items()
    ]
    plan = {
        "name": "All models",
        "code": "all/models",
        "interval": "monthly",
        "amount_cents": 4900,
        "amount_currency": "EUR",
        "pay_in_advance": False,
        "trial_period": 0,
        "tax_codes": ["vat"],
        "charges": charges,
    }
    world.call("createPlan", "POST", "/plans", {"plan": plan})
    in_advance = {**plan, "code": "in_advance", "pay_in_advance": True, "charges": []}
    world.call("createPlan", "POST", "/plans", {"plan": in_advance})
    for root, name in (("taxes", "Taxes"), ("billable_metrics", "BillableMetrics")):
        world.call(f"findAll{name}", "GET", f"/{root}?per_page=1")
    world.call("findAllPlans", "GET", "/plans")
    world.call("findTax", "GET", "/taxes/vat")
    world.call("findBillableMetric", "GET", "/billable_metrics/sum")
    world.call("findPlan", "GET", "/plans/all%2Fmodels")
    _parts_of_plans(world, metric_ids["count"])
    return metric_ids


def _parts_of_plans(world: World, metric_id: str) -> None:
    """Visit what stands in a plan, and what it refers to; the plan is as before after that."""
    unit = {"name": "Credits", "code": "credits", "short_name": "CR"}
    world.call("createPricingUnit", "POST", "/pricing_units", {"pricing_unit": unit})
    world.call("findAllPricingUnits", "GET", "/pricing_units")
    world.call("findPricingUnit", "GET", "/pricing_units/credits")
    add_on = {"name": "Seat", "code": "seat", "amount_cents": 1200, "amount_currency": "EUR"}
    add_on |= {"tax_codes": ["vat"]}
    world.call("createAddOn", "POST", "/add_ons", {"add_on": add_on})
    world.call("updateAddOn", "PUT", "/add_ons/seat", {"add_on": {"description": "One"}})
    world.call("findAllAddOns", "GET", "/add_ons")
    world.call("findAddOn", "GET", "/add_ons/seat")
    charges = "/plans/in_advance/charges"
    a_filter = {"values": {"region": ["us"]}, "properties": {"amount": "2"}}
    charge = {
        "billable_metric_id": metric_id,
        "charge_model": "standard",
        "properties": {"amount": "1", "pricing_group_keys": ["project"]},
        "filters": [a_filter],
        "applied_pricing_unit": {"code": "credits", "conversion_rate": "0.5"},
        "tax_codes": ["vat"],
    }
    world.call("createPlanCharge", "POST", charges, {"charge": charge})
    change = {"charge": {"invoice_display_name": "Calls", "code": "calls"}}
    world.call("updatePlanCharge", "PUT", f"{charges}/count", change)
    world.call("findAllPlanCharges", "GET", charges)
    world.call("findPlanCharge", "GET", f"{charges}/calls")
    filters = f"{charges}/calls/filters"
    other = {**a_filter, "values": {"region": ["__ALL_FILTER_VALUES__"]}}
    made = world.call("createPlanChargeFilter", "POST", filters, {"filter": other})["filter"]
    one = f"{filters}/{made['lago_id']}"
    change = {"filter": {"invoice_display_name": "All"}}
    world.call("updatePlanChargeFilter", "PUT", one, change)
    world.call("findAllPlanChargeFilters", "GET", filters)
    world.call("findPlanChargeFilter", "GET", one)
    fixed_charges = "/plans/in_advance/fixed_charges"
    fixed = {"add_on_code": "seat", "charge_model": "standard", "units": 2.5}
    world.call("createPlanFixedCharge", "POST", fixed_charges, {"fixed_charge": fixed})
    fixed = {"units": "3", "apply_units_immediately": True, "tax_codes": ["vat"]}
    world.call("updatePlanFixedCharge", "PUT", f"{fixed_charges}/seat", {"fixed_charge": fixed})
    world.call("findAllPlanFixedCharges", "GET", fixed_charges)
    world.call("findPlanFixedCharge", "GET", f"{fixed_charges}/seat")
    world.call("findPlan", "GET", "/plans/in_advance")
    world.call("destroyPlanFixedCharge", "DELETE", f"{fixed_charges}/seat")
    world.call("destroyAddOn", "DELETE", "/add_ons/seat")
    world.call("destroyPlanChargeFilter", "DELETE", one)
    world.call("destroyPlanCharge", "DELETE", f"{charges}/calls")


def _customers(world: World) -> None:
    full = {
        "external_id": "c/1",
        "name": "Acme",
        "email": "a@acme.example",
        "country": "fr",
        "currency": "EUR",
        "timezone": "Europe/Paris",
        "address_line1": "Rue 1",
        "shipping_address": {"city": "Lyon", "country": "FR"},
        "tax_codes": ["t2"],
        "metadata": [{"key": "crm", "value": "42", "display_in_invoice": True}],
        "billing_configuration": {"invoice_grace_period": 3, "document_locale": "fr"},
    }
    world.call("createCustomer", "POST", "/customers", {"customer": full})
    world.call("createCustomer", "POST", "/customers", {"customer": {"external_id": "bare"}})
    world.call("findAllCustomers", "GET", "/customers?currencies[]=EUR")
    world.call("findCustomer", "GET", "/customers/c%2F1")


def _subscriptions(world: World) -> None:
    calendar = {
        "external_customer_id": "c/1",
        "external_id": "s1",
        "plan_code": "all/models",
        "name": "Main",
    }
    paid_first = {
        "external_customer_id": "bare",
        "external_id": "s2",
        "plan_code": "in_advance",
        "billing_time": "anniversary",
    }
    later = {
        **paid_first,
        "external_id": "s3",
        "subscription_at": "2026-06-01T00:00:00Z",
        "ending_at": "2027-06-01T00:00:00Z",
    }
    for body in (calendar, paid_first, later):
        world.call("createSubscription", "POST", "/subscriptions", {"subscription": body})
    world.drain()
    world.call("findAllSubscriptions", "GET", "/subscriptions?status[]=active&status[]=pending")
    world.call("findAllCustomerSubscriptions", "GET", "/customers/c%2F1/subscriptions")
    world.call("findSubscription", "GET", "/subscriptions/s1")
    change = {"subscription": {"name": "Renamed"}}
    world.call("updateSubscription", "PUT", "/subscriptions/s1", change)
    world.call("destroySubscription", "DELETE", "/subscriptions/s3?status=pending")


def _fixed_charges(world: World) -> None:
    add_on = {"name": "Line", "code": "line", "amount_cents": 1, "amount_currency": "EUR"}
    world.call("createAddOn", "POST", "/add_ons", {"add_on": add_on})
    fixed = {"add_on_code": "line", "charge_model": "standard", "units": 2, "prorated": True}
    fixed |= {"properties": {"amount": "3"}, "apply_units_immediately": True}
    path = "/plans/all%2Fmodels/fixed_charges"
    world.call("createPlanFixedCharge", "POST", path, {"fixed_charge": fixed})
    own = "/subscriptions/s1/fixed_charges"
    change = {"fixed_charge": {"units": "2.5"}}
    world.call("overrideSubscriptionFixedCharge", "PUT", f"{own}/line", change)
    world.call("findAllSubscriptionFixedCharges", "GET", own)
    world.call("findSubscriptionFixedCharge", "GET", f"{own}/line")


def _own_prices(world: World, metric_id: str) -> None:
    """Let a subscription that starts late have prices of its own, and notes on its plan."""
    a_filter = {"values": {"region": ["us"]}, "properties": {"amount": "2"}}
    charge = {"billable_metric_id": metric_id, "charge_model": "standard", "filters": [a_filter]}
    plan = {"name": "Priced", "code": "priced", "interval": "monthly", "amount_cents": 100}
    plan |= {"amount_currency": "EUR", "pay_in_advance": False, "charges": [charge]}
    world.call("createPlan", "POST", "/plans", {"plan": plan})
    notes = "/plans/priced/metadata"
    world.call("replacePlanMetadata", "POST", notes, {"metadata": {"a": "b", "c": None}})
    world.call("mergePlanMetadata", "PATCH", notes, {"metadata": {"a": "x"}})
    world.call("deletePlanMetadataKey", "DELETE", f"{notes}/c")
    world.call("findPlan", "GET", "/plans/priced")
    world.call("deleteAllPlanMetadata", "DELETE", notes)
    wanted = {"external_customer_id": "late", "external_id": "late", "plan_code": "priced"}
    wanted |= {"subscription_at": "2026-06-01T00:00:00Z"}
    overrides = {"amount_cents": 90, "minimum_commitment": {"amount_cents": 5}}
    body = {"subscription": {**wanted, "plan_overrides": overrides}}
    world.call("createSubscription", "POST", "/subscriptions", body)
    charges, late = "/subscriptions/late/charges", "?subscription_status=pending"
    world.call("findAllSubscriptionCharges", "GET", charges + late)
    world.call("findSubscriptionCharge", "GET", f"{charges}/count{late}")
    price = {"charge": {"properties": {"amount": "3"}, "tax_codes": ["vat"]}}
    world.call("overrideSubscriptionCharge", "PUT", f"{charges}/count{late}", price)
    filters = f"{charges}/count/filters"
    other = {"filter": {**a_filter, "values": {"region": ["eu"]}}}
    made = world.call("createSubscriptionChargeFilter", "POST", filters + late, other)["filter"]
    one = f"{filters}/{made['lago_id']}{late}"
    change = {"filter": {"invoice_display_name": "EU"}}
    world.call("updateSubscriptionChargeFilter", "PUT", one, change)
    world.call("findAllSubscriptionChargeFilters", "GET", filters + late)
    world.call("findSubscriptionChargeFilter", "GET", one)
    world.call("destroySubscriptionChargeFilter", "DELETE", one)
    world.call("destroySubscription", "DELETE", "/subscriptions/late?status=pending")


def _entitlements(world: World) -> None:
    privileges = [
        {"code": "max", "name": "Most", "value_type": "integer"},
        {"code": "root", "value_type": "boolean"},
        {"code": "mode", "value_type": "select", "config": {"select_options": ["a", "b"]}},
        {"code": "note"},
    ]
    feature = {"code": "seats", "name": "Seats", "privileges": privileges}
    world.call("createFeature", "POST", "/features", {"feature": feature})
    world.call("createFeature", "POST", "/features", {"feature": {"code": "a/b"}})
    change = {"feature": {"description": "All of them", "privileges": [{"code": "more"}]}}
    world.call("updateFeature", "PUT", "/features/seats", change)
    world.call("findAllFeatures", "GET", "/features?search_term=sea")
    world.call("findFeature", "GET", "/features/a%2Fb")
    plan, own = "/plans/all%2Fmodels/entitlements", "/subscriptions/s1/entitlements"
    given = {"seats": {"max": 10, "root": True, "mode": "a"}, "a/b": {}}
    world.call("createEntitlement", "POST", plan, {"entitlements": given})
    world.call("updateEntitlement", "PATCH", plan, {"entitlements": {"seats": {"note": "x"}}})
    world.call("findAllEntitlements", "GET", plan)
    world.call("findEntitlement", "GET", f"{plan}/seats")
    mine = {"entitlements": {"seats": {"max": 15, "more": "y"}}}
    world.call("updateSubscriptionEntitlements", "PATCH", own, mine)
    world.call("findAllSubscriptionEntitlements", "GET", own)
    privilege = "destroySubscriptionEntitlementPrivilege"
    world.call(privilege, "DELETE", f"{own}/seats/privileges/root")
    world.call("destroySubscriptionEntitlement", "DELETE", f"{own}/a%2Fb")
    world.call("findPlan", "GET", "/plans/all%2Fmodels")
    world.call("findSubscription", "GET", "/subscriptions/s1")
    world.call("removeEntitlementPrivilege", "DELETE", f"{plan}/seats/privileges/note")
    world.call("destroyEntitlement", "DELETE", f"{plan}/a%2Fb")
    world.call("deleteFeaturePrivilege", "DELETE", "/features/seats/privileges/more")
    world.call("destroyFeature", "DELETE", "/features/a%2Fb")


def _usage(world: World) -> None:
    event = {
        "transaction_id": "t/1",
        "external_subscription_id": "s1",
        "code": "sum",
        "timestamp": "1767312000.5",
        "properties": {"value": "1500.25", "region": "eu", "nested": {"a": [1, None]}},
        "precise_total_amount_cents": "12.5",
    }
    world.call("createEvent", "POST", "/events", {"event": event})
    world.call(
        "createBatchEvents",
        "POST",
        "/events/batch",
        {"events": [{**event, "transaction_id": f"b{number}"} for number in range(3)]},
    )
    world.call("findEvent", "GET", "/events/t%2F1")
    world.call("findAllEvents", "GET", "/events?code=sum&per_page=2")
    world.call(
        "findCustomerCurrentUsage",
        "GET",
        "/customers/c%2F1/current_usage?external_subscription_id=s1",
    )
    world.call(
        "findCustomerProjectedUsage",
        "GET",
        "/customers/c%2F1/projected_usage?external_subscription_id=s1",
    )
    lifetime = "/subscriptions/s1/lifetime_usage"
    change = {"lifetime_usage": {"external_historical_usage_amount_cents": 100}}
    world.call("updateSubscriptionLifetimeUsage", "PUT", lifetime, change)
    world.call("getSubscriptionLifetimeUsage", "GET", lifetime)
    _alerts(world)


def _alerts(world: World) -> None:
    alerts, thresholds = "/subscriptions/s1/alerts", [{"value": 7}, {"value": 2, "recurring": True}]
    alert = {"code": "money", "alert_type": "current_usage_amount", "thresholds": thresholds}
    kind = "billable_metric_current_usage_units"
    of_metric = {**alert, "code": "units", "alert_type": kind, "billable_metric_code": "sum"}
    world.call("createSubscriptionAlert", "POST", alerts, {"alert": alert})
    world.call("createSubscriptionAlert", "POST", alerts, {"alerts": [of_metric]})
    world.call("getSubscriptionAlerts", "GET", alerts)
    world.call("getSubscriptionAlert", "GET", f"{alerts}/units")
    world.call("updateSubscriptionAlert", "PUT", f"{alerts}/money", {"alert": {"name": "Money"}})
    world.call("deleteSubscriptionAlert", "DELETE", f"{alerts}/money")
    world.call("deleteAllSubscriptionAlerts", "DELETE", alerts)


def _invoices(world: World) -> None:
    wanted = {"customer": {"external_id": "c/1"}, "subscriptions": {"external_ids": ["s1"]}}
    world.call("invoicePreview", "POST", "/invoices/preview", wanted)
    world.call("findAllInvoices", "GET", "/invoices")
    past_usage = "/customers/c%2F1/past_usage?external_subscription_id=s1"
    world.call("findAllCustomerPastUsage", "GET", past_usage)
    coupon = {"name": "Ten", "code": "ten", "coupon_type": "percentage", "percentage_rate": "10"}
    coupon |= {"frequency": "once", "expiration": "no_expiration"}
    world.org.post("/coupons", {"coupon": coupon})
    applied = {"external_customer_id": "c/1", "coupon_code": "ten"}
    world.org.post("/applied_coupons", {"applied_coupon": applied})
    world.call("findAllCustomerAppliedCoupons", "GET", "/customers/c%2F1/applied_coupons")
    found = world.call("findAllCustomerInvoices", "GET", "/customers/c%2F1/invoices")
    draft = next(one for one in found["invoices"] if one["status"] == "draft")
    path = f"/invoices/{draft['lago_id']}"
    world.call("findInvoice", "GET", path)
    world.call("refreshInvoice", "PUT", f"{path}/refresh")
    world.call("finalizeInvoice", "PUT", f"{path}/finalize")
    world.call("downloadInvoice", "POST", f"{path}/download")
    world.drain()
    shown = world.call("downloadInvoice", "POST", f"{path}/download")
    document = httpx.get(shown["invoice"]["file_url"])
    assert document.content.startswith(b"%PDF"), "the link of a finalized invoice opens its PDF"
    notes = {"metadata": [{"key": "order", "value": "7"}], "payment_status": "succeeded"}
    world.call("updateInvoice", "PUT", path, {"invoice": notes})
    world.call("loseDisputeInvoice", "POST", f"{path}/lose_dispute")
    finalized = world.call("findAllInvoices", "GET", "/invoices?status=finalized")["invoices"]
    unpaid = next(one for one in finalized if one["payment_status"] == "pending")
    world.call("voidInvoice", "POST", f"/invoices/{unpaid['lago_id']}/void")


def _fees(world: World) -> None:
    fees = world.call("findAllFees", "GET", "/fees?external_subscription_id=s1")["fees"]
    assert {fee["item"]["type"] for fee in fees} == {"subscription", "charge", "fixed_charge"}
    for fee in fees:
        world.call("findFee", "GET", f"/fees/{fee['lago_id']}")
        world.call("explainFee", "GET", f"/fees/{fee['lago_id']}/explain")
        world.call("findAllFeeEvents", "GET", f"/fees/{fee['lago_id']}/explain/events")


def _fees_in_advance(world: World, metric_ids: dict[str, str]) -> None:
    charge = {
        "billable_metric_id": metric_ids["count"],
        "charge_model": "standard",
        "properties": {"amount": "0.5"},
        "pay_in_advance": True,
        "invoiceable": False,
    }
    plan = {"name": "Early", "code": "early", "interval": "monthly", "amount_cents": 0}
    plan |= {"amount_currency": "EUR", "pay_in_advance": False, "charges": [charge]}
    world.call("createPlan", "POST", "/plans", {"plan": plan})
    wanted = {"external_customer_id": "early", "external_id": "early", "plan_code": "early"}
    world.call("createSubscription", "POST", "/subscriptions", {"subscription": wanted})
    event = {"code": "count", "external_subscription_id": "early"}
    world.call("eventEstimateFees", "POST", "/events/estimate_fees", {"event": event})
    path = "/events/estimate_instant_fees"
    world.call("eventEstimateInstantFees", "POST", path, {"event": event})
    path = "/events/batch_estimate_instant_fees"
    world.call("eventBatchEstimateInstantFees", "POST", path, {"events": [event]})
    event["transaction_id"] = "early"
    world.call("createEvent", "POST", "/events", {"event": event})
    world.drain()
    (fee,) = world.call("findAllFees", "GET", "/fees?event_transaction_id=early")["fees"]
    path = f"/fees/{fee['lago_id']}"
    world.call("updateFee", "PUT", path, {"fee": {"payment_status": "failed"}})
    world.call("deleteFee", "DELETE", path)


def _changes(world: World, metric_ids: dict[str, str]) -> None:
    world.call("updateTax", "PUT", "/taxes/vat", {"tax": {"rate": 20, "description": "New"}})
    world.call(
        "updateBillableMetric",
        "PUT",
        "/billable_metrics/latest",
        {"billable_metric": {"description": "The last one", "name": "Last"}},
    )
    charge = {
        "billable_metric_id": metric_ids["count"],
        "charge_model": "standard",
        "properties": {"amount": "1"},
    }
    change = {"plan": {"name": "Paid first", "charges": [charge]}}
    world.call("updatePlan", "PUT", "/plans/in_advance", change)


def _credit_notes(world: World) -> None:
    wanted = {"external_customer_id": "bare", "external_id": "s4", "plan_code": "in_advance"}
    world.call("createSubscription", "POST", "/subscriptions", {"subscription": wanted})
    world.drain()
    world.call("destroySubscription", "DELETE", "/subscriptions/s4")
    (note,) = world.call("findAllCreditNotes", "GET", "/credit_notes")["credit_notes"]
    world.call("findAllCustomerCreditNotes", "GET", "/customers/bare/credit_notes")
    world.call("findCreditNote", "GET", f"/credit_notes/{note['lago_id']}")
    world.call("voidCreditNote", "PUT", f"/credit_notes/{note['lago_id']}/void")
    part = {"fee_id": note["items"][0]["fee"]["lago_id"], "amount_cents": 1}
    about = {"invoice_id": note["lago_invoice_id"], "items": [part]}
    path = "/credit_notes/estimate"
    found = world.call("estimateCreditNote", "POST", path, {"credit_note": about})
    most = found["estimated_credit_note"]["max_creditable_amount_cents"]
    asked = {**about, "credit_amount_cents": most, "metadata": {"crm": "7"}}
    made = world.call("createCreditNote", "POST", "/credit_notes", {"credit_note": asked})
    change = {"credit_note": {"metadata": {"crm": None}}}
    path = f"/credit_notes/{made['credit_note']['lago_id']}"
    world.call("updateCreditNote", "PUT", path, change)
    notes = f"{path}/metadata"
    world.call("replaceCreditNoteMetadata", "POST", notes, {"metadata": {"a": "b"}})
    world.call("mergeCreditNoteMetadata", "PATCH", notes, {"metadata": {"c": "d"}})
    world.call("deleteCreditNoteMetadataKey", "DELETE", f"{notes}/c")
    world.call("deleteAllCreditNoteMetadata", "DELETE", notes)


def _wallets(world: World) -> None:
    rule = {"trigger": "threshold", "threshold_credits": "1", "paid_credits": "5"}
    purse: dict[str, Any] = {
        "rate_amount": "0.5",
        "currency": "EUR",
        "granted_credits": "10",
        "name": "Purse",
    }
    purse |= {"recurring_transaction_rules": [rule], "metadata": {"a": "b", "c": None}}
    body = {"wallet": {**purse, "external_customer_id": "bare"}}
    made = world.call("createWallet", "POST", "/wallets", body)["wallet"]
    of_bare = "/customers/bare/wallets"
    second = {"wallet": {**purse, "code": "other", "applies_to": {"fee_types": ["charge"]}}}
    world.call("createCustomerWallet", "POST", of_bare, second)
    world.drain()
    world.call("findAllWallets", "GET", "/wallets?external_customer_id=bare")
    world.call("findAllCustomerWallets", "GET", of_bare)
    for path, kind in ((f"/wallets/{made['lago_id']}", ""), (f"{of_bare}/other", "Customer")):
        world.call(f"find{kind}Wallet", "GET", path)
        world.call(f"update{kind}Wallet", "PUT", path, {"wallet": {"priority": 2}})
        notes = f"{path}/metadata"
        world.call(f"replace{kind}WalletMetadata", "POST", notes, {"metadata": {"a": "b"}})
        world.call(f"merge{kind}WalletMetadata", "PATCH", notes, {"metadata": {"c": "d"}})
        world.call(f"delete{kind}WalletMetadataKey", "DELETE", f"{notes}/c")
        world.call(f"deleteAll{kind}WalletMetadata", "DELETE", notes)
    _wallet_entries(world, made["lago_id"])
    _wallet_alerts(world, f"{of_bare}/other/alerts")
    world.call("destroyWallet", "DELETE", f"/wallets/{made['lago_id']}")
    world.call("destroyCustomerWallet", "DELETE", f"{of_bare}/other")


def _wallet_entries(world: World, wallet_id: str) -> None:
    asked: dict[str, Any] = {"wallet_id": wallet_id, "granted_credits": "4", "voided_credits": "2"}
    asked |= {"paid_credits": "3", "metadata": [{"key": "k", "value": "v"}]}
    made = world.call(
        "createWalletTransaction", "POST", "/wallet_transactions", {"wallet_transaction": asked}
    )["wallet_transactions"]
    _, granted, voided = (f"/wallet_transactions/{one['lago_id']}" for one in made)
    path = f"/wallets/{wallet_id}/wallet_transactions"
    (*_, first) = world.call("findAllWalletTransactions", "GET", path)["wallet_transactions"]
    used = f"/wallet_transactions/{first['lago_id']}/consumptions"
    for place in (used, f"{granted}/consumptions"):
        world.call("findAllWalletTransactionConsumptions", "GET", place)
    world.call("findAllWalletTransactionFundings", "GET", f"{voided}/fundings")
    world.call("findWalletTransaction", "GET", granted)


def _wallet_alerts(world: World, path: str) -> None:
    low = {"code": "low", "thresholds": [{"value": 5, "code": "warn"}]}
    low |= {"alert_type": "wallet_credits_balance"}
    world.call("createCustomerWalletAlert", "POST", path, {"alert": low})
    other = {**low, "code": "less", "alert_type": "wallet_balance_amount"}
    world.call("createCustomerWalletAlert", "POST", path, {"alerts": [other]})
    world.call("getCustomerWalletAlerts", "GET", path)
    world.call("getCustomerWalletAlert", "GET", f"{path}/low")
    world.call("updateCustomerWalletAlert", "PUT", f"{path}/low", {"alert": {"name": "Low"}})
    world.call("deleteCustomerWalletAlert", "DELETE", f"{path}/low")
    world.call("deleteAllCustomerWalletAlerts", "DELETE", path)


def _endings(world: World) -> None:
    world.call("destroySubscription", "DELETE", "/subscriptions/s1")
    world.drain()
    world.call("findSubscription", "GET", "/subscriptions/s1?status=terminated")
    drafts = world.call("findAllInvoices", "GET", "/invoices?status=draft")["invoices"]
    world.call("deleteInvoice", "DELETE", f"/invoices/{drafts[0]['lago_id']}")
    world.org.clock(GRACE_OVER, catch_up=True)
    world.call("destroyTax", "DELETE", "/taxes/t2")
    world.call("destroyBillableMetric", "DELETE", "/billable_metrics/max")
    world.call("destroyPlan", "DELETE", "/plans/in_advance")
    world.call("destroyCustomer", "DELETE", "/customers/bare")
    world.drain()
