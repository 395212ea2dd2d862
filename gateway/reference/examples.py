"""Bodies to begin with; a test holds each of them against its model."""

from typing import Any

METRIC_ID = "0192f0c4-8f3a-7c1e-9a55-3d1f0a6b7c8d"
_TIERS = [
    {"from_value": 0, "to_value": 1000, "per_unit_amount": "0.01", "flat_amount": "0"},
    {"from_value": 1001, "to_value": None, "per_unit_amount": "0.008", "flat_amount": "5"},
]
PROPERTIES: dict[str, dict[str, Any]] = {
    "standard": {"amount": "0.05"},
    "graduated": {"graduated_ranges": _TIERS},
    "package": {"amount": "3", "package_size": 1000, "free_units": 100},
    "percentage": {
        "rate": "1.5",
        "fixed_amount": "0.3",
        "free_units_per_events": 5,
        "free_units_per_total_aggregation": "100",
    },
    "volume": {"volume_ranges": _TIERS},
    "graduated_percentage": {
        "graduated_percentage_ranges": [
            {"from_value": 0, "to_value": 1000, "rate": "2", "flat_amount": "0"},
            {"from_value": 1001, "to_value": None, "rate": "1.5", "flat_amount": "1"},
        ]
    },
    "dynamic": {},
}


def _plan(model: str) -> dict[str, Any]:
    charge = {
        "billable_metric_id": METRIC_ID,
        "charge_model": model,
        "properties": PROPERTIES[model],
    }
    return {
        "name": f"Startup, {model}",
        "code": f"startup_{model}",
        "interval": "monthly",
        "amount_cents": 4900,
        "amount_currency": "EUR",
        "pay_in_advance": False,
        "charges": [charge],
    }


# what stands under the root key, by model of the request
EXAMPLES: dict[str, dict[str, dict[str, Any]]] = {
    "BillableMetricIn": {
        "sum": {
            "name": "Tokens",
            "code": "tokens",
            "aggregation_type": "sum_agg",
            "field_name": "tokens",
        },
        "count": {"name": "Calls", "code": "calls", "aggregation_type": "count_agg"},
    },
    "PlanIn": {model: _plan(model) for model in PROPERTIES},
    "PlanChange": {"rename": {"name": "Startup 2027"}},
    "ChargeIn": {
        "by_region": {
            "billable_metric_id": METRIC_ID,
            "charge_model": "standard",
            "properties": {"amount": "0.05", "pricing_group_keys": ["project"]},
            "filters": [{"values": {"region": ["us", "eu"]}, "properties": {"amount": "0.04"}}],
        }
    },
    "ChargeFilterIn": {
        "one_region": {"values": {"region": ["us"]}, "properties": {"amount": "0.04"}}
    },
    "FixedChargeIn": {
        "seats": {
            "add_on_code": "seat",
            "charge_model": "standard",
            "units": "10",
            "pay_in_advance": True,
            "prorated": True,
            "properties": {"amount": "12"},
        }
    },
    "FixedChargePricesIn": {"more": {"units": "12", "apply_units_immediately": True}},
    "AlertIn": {
        "spend": {
            "alert_type": "current_usage_amount",
            "code": "spend",
            "name": "Spend of the month",
            "thresholds": [
                {"code": "warn", "value": "50000"},
                {"code": "more", "value": "10000", "recurring": True},
            ],
        }
    },
    "AlertChange": {"name": {"name": "Spend"}},
    "WalletIn": {
        "prepaid": {
            "external_customer_id": "acme",
            "name": "Prepaid tokens",
            "rate_amount": "0.01",
            "currency": "EUR",
            "paid_credits": "5000",
            "granted_credits": "500",
            "applies_to": {"billable_metric_codes": ["tokens"]},
            "recurring_transaction_rules": [
                {"trigger": "threshold", "threshold_credits": "1000", "paid_credits": "5000"}
            ],
        }
    },
    "CustomerWalletIn": {
        "gift": {"name": "Welcome", "rate_amount": "1", "currency": "EUR", "granted_credits": "10"}
    },
    "WalletChange": {"sooner": {"priority": 1, "expiration_at": "2027-01-01T00:00:00Z"}},
    "WalletTransactionIn": {
        "more": {
            "wallet_id": METRIC_ID,
            "paid_credits": "1000",
            "granted_credits": "50",
            "metadata": [{"key": "order", "value": "4711"}],
        },
        "less": {"wallet_id": METRIC_ID, "voided_credits": "20.5"},
    },
    "WalletAlertIn": {
        "low": {
            "alert_type": "wallet_credits_ongoing_balance",
            "code": "low",
            "thresholds": [{"code": "warn", "value": "500"}],
        }
    },
    "LifetimeUsageChange": {"before": {"external_historical_usage_amount_cents": 250000}},
    "AddOnIn": {
        "seat": {
            "name": "Seat",
            "code": "seat",
            "amount_cents": 1200,
            "amount_currency": "EUR",
        }
    },
    "PricingUnitIn": {"credits": {"name": "Credits", "code": "credits", "short_name": "CR"}},
    "CustomerIn": {
        "company": {
            "external_id": "acme",
            "name": "Acme GmbH",
            "email": "billing@acme.example",
            "country": "DE",
            "currency": "EUR",
            "timezone": "Europe/Berlin",
            "billing_configuration": {"invoice_grace_period": 3},
        },
        "least": {"external_id": "acme"},
    },
    "BillingEntityIn": {
        "swiss": {
            "code": "swiss",
            "name": "Acme AG",
            "country": "CH",
            "timezone": "Europe/Zurich",
            "default_currency": "CHF",
            "billing_configuration": {"invoice_grace_period": 3},
        }
    },
    "BillingEntityChange": {"terms": {"net_payment_term": 30, "tax_codes": ["vat_19"]}},
    "PreviewIn": {
        "new": {
            "customer": {"name": "Somebody new", "country": "DE", "currency": "EUR"},
            "plan_code": "startup_standard",
            "subscription_at": "2026-02-10T00:00:00Z",
        },
        "next": {
            "customer": {"external_id": "acme"},
            "subscriptions": {"external_ids": ["acme-1"]},
        },
        "end": {
            "customer": {"external_id": "acme"},
            "subscriptions": {
                "external_ids": ["acme-1"],
                "terminated_at": "2027-03-15T00:00:00Z",
            },
        },
        "change": {
            "customer": {"external_id": "acme"},
            "subscriptions": {"external_ids": ["acme-1"], "plan_code": "startup_volume"},
        },
    },
    "SubscriptionIn": {
        "calendar": {
            "external_customer_id": "acme",
            "external_id": "acme-1",
            "plan_code": "startup_standard",
            "billing_time": "calendar",
        }
    },
    "SubscriptionChange": {"end": {"ending_at": "2027-12-31T23:59:59Z"}},
    "TaxIn": {
        "vat": {"name": "VAT", "code": "vat_19", "rate": "19", "applied_to_organization": True}
    },
    "FeatureIn": {
        "seats": {
            "code": "seats",
            "name": "Seats",
            "privileges": [
                {"code": "max", "name": "Most", "value_type": "integer"},
                {
                    "code": "provider",
                    "value_type": "select",
                    "config": {"select_options": ["google", "okta"]},
                },
            ],
        }
    },
    "WebhookEndpointIn": {
        "everything": {
            "webhook_url": "https://hooks.acme.example/billing",
            "signature_algo": "hmac",
        },
        "invoices": {
            "webhook_url": "https://hooks.acme.example/invoices",
            "event_types": ["invoice.created", "invoice.generated"],
        },
    },
    "OrganizationIn": {
        "sandbox": {
            "name": "Acme",
            "sandbox": True,
            "timezone": "UTC",
            "default_currency": "EUR",
        }
    },
    "OrganizationChange": {"address": {"legal_name": "Acme GmbH", "country": "DE"}},
    "KeyIn": {"reader": {"name": "reporting", "permissions": {"invoice": ["read"]}}},
    "FeeChange": {"paid": {"payment_status": "succeeded"}},
    "InvoiceChange": {"paid": {"payment_status": "succeeded"}},
    "TestClockIn": {"month_later": {"frozen_time": "2026-02-01T00:10:00Z", "catch_up": True}},
}
_EVENT = {
    "transaction_id": "01JZ3W8Q-42",
    "external_subscription_id": "acme-1",
    "code": "tokens",
    "timestamp": 1767225600,
    "properties": {"tokens": 1250, "model": "large"},
}
_ENTITLEMENTS = {"seats": {"entitlements": {"seats": {"max": 20, "provider": "okta"}}}}
# whole bodies, by operation id
BODIES: dict[str, dict[str, dict[str, Any]]] = {
    "createEntitlement": _ENTITLEMENTS,
    "updateEntitlement": _ENTITLEMENTS,
    "updateSubscriptionEntitlements": _ENTITLEMENTS,
    "createEvent": {"tokens": {"event": _EVENT}},
    "createBatchEvents": {"two": {"events": [_EVENT, {**_EVENT, "transaction_id": "01JZ3W8Q-43"}]}},
    "evaluateBillableMetricExpression": {
        "tokens": {
            "expression": "event.properties.input + 2 * event.properties.output",
            "event": {"code": "tokens", "properties": {"input": 120, "output": "40"}},
        }
    },
    "runTestClockJob": {"bill": {"job": "bill_customers"}},
}
