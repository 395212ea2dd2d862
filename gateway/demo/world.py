"""Who the demo's customers are, what they agreed to pay and what they use: data, no behaviour."""

from dataclasses import dataclass
from typing import Any

CURRENCY = "EUR"
ORGANIZATION = {
    "name": "Demo Cloud",
    "legal_name": "Demo Cloud GmbH",
    "country": "DE",
    "sandbox": True,
    "defaults": True,
    "resolve_customer_ids": True,
    "timezone": "UTC",
    "default_currency": CURRENCY,
    "document_number_prefix": "DEMO",
}
MONTH_START = "2026-01-01T00:00:00Z"
MONTH_MIDDLE = "2026-01-15T09:30:00Z"
MONTH_END = "2026-01-31T22:00:00Z"
MONTH_BILLED = "2026-02-01T01:00:00Z"
FIRST_DAY_SECONDS = 1_767_225_600  # MONTH_START as Unix time
DAY_SECONDS = 86_400
HOUR_SECONDS = 3_600
# made by `"defaults": true` of the organization
AI_METRIC, AI_PLAN = "ai_usage", "ai_usage_plan"


@dataclass(frozen=True, slots=True)
class Buyer:
    """One customer with its subscription. `tax_percent` is None for a customer without tax."""

    external_id: str
    name: str
    plan_code: str
    base_fee_cents: int
    unit: str
    tax_percent: int | None = None

    @property
    def subscription_id(self) -> str:
        """The external id of the subscription."""
        return f"{self.external_id}-2026"

    @property
    def tax_code(self) -> str:
        """The code of the tax of this rate."""
        return f"vat_{self.tax_percent}"


AI = Buyer("aurora-labs", "Aurora Labs", AI_PLAN, 0, "tokens", 20)
CAR = Buyer("voltway", "Voltway Fleet", "ev_charging", 990, "kWh", 19)
WEB = Buyer("mapleform", "Mapleform", "api_access", 4900, "requests")
BUYERS = (AI, CAR, WEB)

METRICS = (
    {"name": "Energy", "code": "kwh", "aggregation_type": "sum_agg", "field_name": "kwh"},
    {
        "name": "API requests",
        "code": "api_requests",
        "aggregation_type": "sum_agg",
        "field_name": "requests",
    },
)
SESSION_FEE_NAME = "Session fee"
SESSION_FEE = {"rate": "0", "fixed_amount": "0.35"}
REQUEST_TIERS = [
    {"from_value": 0, "to_value": 10_000, "per_unit_amount": "0.002", "flat_amount": "0"},
    {"from_value": 10_001, "to_value": None, "per_unit_amount": "0.0015", "flat_amount": "0"},
]

# A completion with its token counts; one without is streamed, and LiteLLM counts its tokens.
CALLS: tuple[dict[str, Any], ...] = (
    {"model": "gpt-4o", "prompt_tokens": 3_120, "completion_tokens": 890},
    {"model": "gpt-4o-mini", "prompt_tokens": 8_400, "completion_tokens": 1_240},
    {"model": "gpt-4o-mini"},
    {"model": "gpt-4o", "prompt_tokens": 1_050, "completion_tokens": 410},
    {"model": "gpt-4o-mini", "prompt_tokens": 12_800, "completion_tokens": 2_015},
    {"model": "gpt-4o"},
    {"model": "gpt-4o-mini", "prompt_tokens": 640, "completion_tokens": 95},
    {"model": "gpt-4o", "prompt_tokens": 5_333, "completion_tokens": 1_777},
)
QUESTION = "Summarise the maintenance log of charger {number} in two sentences."
ANSWER = "Charger {number} was inspected twice. Its connector was replaced and it works again."

# day of January, hour, kWh, minutes
SESSIONS: tuple[tuple[int, int, str, int], ...] = (
    (3, 18, "18.420", 62),
    (7, 7, "31.050", 95),
    (12, 21, "9.875", 33),
    (20, 12, "44.300", 140),
    (29, 23, "22.615", 71),
)
DAILY_REQUESTS = tuple(380 + 17 * day % 90 for day in range(31))


def calls() -> list[dict[str, Any]]:
    """Return the LiteLLM calls; each names its customer, not its subscription."""
    return [
        {
            "customer": AI.external_id,
            "question": QUESTION.format(number=number),
            "answer": ANSWER.format(number=number),
            **call,
        }
        for number, call in enumerate(CALLS, start=1)
    ]


def charging_events() -> list[dict[str, Any]]:
    """Return one event per charging session, at the instant it ended."""
    return [
        {
            "transaction_id": f"ocpp:cp-7:{number}",
            "external_subscription_id": CAR.subscription_id,
            "code": "kwh",
            "timestamp": FIRST_DAY_SECONDS + (day - 1) * DAY_SECONDS + hour * HOUR_SECONDS,
            "properties": {"kwh": kwh, "session_minutes": minutes, "charger": "cp-7"},
        }
        for number, (day, hour, kwh, minutes) in enumerate(SESSIONS, start=1)
    ]


def request_events() -> list[dict[str, Any]]:
    """Return a month of daily request counts."""
    return [
        {
            "transaction_id": f"requests-2026-01-{day + 1:02d}",
            "external_subscription_id": WEB.subscription_id,
            "code": "api_requests",
            "timestamp": FIRST_DAY_SECONDS + day * DAY_SECONDS,
            "properties": {"requests": count},
        }
        for day, count in enumerate(DAILY_REQUESTS)
    ]


def plans(metric_ids: dict[str, str]) -> list[dict[str, Any]]:
    """Return the two plans beside the default one; `metric_ids` maps codes to ids."""

    def charge(code: str, name: str, model: str, properties: dict[str, Any]) -> dict[str, Any]:
        metric = "api_requests" if code == "requests" else "kwh"
        return {
            "code": code,
            "invoice_display_name": name,
            "billable_metric_id": metric_ids[metric],
            "charge_model": model,
            "pay_in_advance": False,
            "properties": properties,
        }

    energy = charge("energy", "Energy", "standard", {"amount": "0.39"})
    session = charge("session", SESSION_FEE_NAME, "percentage", SESSION_FEE)
    tiers = {"graduated_ranges": REQUEST_TIERS}
    requests = charge("requests", "API requests", "graduated", tiers)
    return [
        _plan(CAR, "EV charging", [energy, session]),
        _plan(WEB, "API access", [requests]),
    ]


def _plan(buyer: Buyer, name: str, charges: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "code": buyer.plan_code,
        "interval": "monthly",
        "amount_cents": buyer.base_fee_cents,
        "amount_currency": CURRENCY,
        "pay_in_advance": False,
        "charges": charges,
    }
