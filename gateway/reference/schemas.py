"""From wire models to the component schemas of the API reference."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

from billing_core.domain.money import CURRENCIES
from billing_core.wire.base import In
from billing_core.wire.dates import instant_text, instant_text_ms
from billing_core.wire.types import COUNTRIES

Schema = dict[str, Any]
REF = "#/components/schemas/"
DECIMAL_TEXT = r"^-?[0-9]+(\.[0-9]+)?$"


def ref(name: str) -> Schema:
    """Point at a component schema."""
    return {"$ref": REF + name}


def nullable(schema: Schema) -> Schema:
    """Allow null as well."""
    return {"anyOf": [schema, {"type": "null"}]}


def record(**fields: Schema) -> Schema:
    """Describe an object whose fields are all present."""
    return {"type": "object", "properties": fields, "required": list(fields)}


def options(**fields: Schema) -> Schema:
    """Describe an object whose fields may each be left out."""
    return {"type": "object", "properties": fields}


def many(schema: Schema) -> Schema:
    """Describe a list."""
    return {"type": "array", "items": schema}


TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
ID: Schema = {"type": "string", "format": "uuid"}
INSTANT: Schema = {"type": "string", "format": "date-time"}
DECIMAL: Schema = {"type": "string", "pattern": DECIMAL_TEXT}
CURRENCY: Schema = {
    "type": "string",
    "enum": sorted(CURRENCIES),
    "description": "An ISO 4217 code.",
}
COUNTRY: Schema = {
    "type": "string",
    "enum": sorted(COUNTRIES),
    "description": "An ISO 3166-1 code of two letters.",
}
# what validators demand of texts that carry these names in requests
SPELLED: dict[str, Schema] = {
    "amount_currency": CURRENCY,
    "country": COUNTRY,
    "currency": CURRENCY,
    "default_currency": CURRENCY,
    "email": {"type": "string", "format": "email"},
    "ending_at": INSTANT,
    "expiration_at": INSTANT,
    "expires_at": INSTANT,
    "frozen_time": INSTANT,
    "subscription_at": INSTANT,
    "timezone": {"type": "string", "description": "An IANA name.", "example": "Europe/Berlin"},
    "webhook_url": {"type": "string", "format": "uri", "maxLength": 2000},
}
# a quantity of credits is a text, and never below zero
CREDITS: Schema = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}
# what callers may send where a decimal belongs; text keeps all its digits
LOOSE_DECIMAL: Schema = {"anyOf": [{"type": "string", "pattern": DECIMAL_TEXT}, {"type": "number"}]}

_TIER = record(
    from_value={"type": "number", "minimum": 0},
    to_value=nullable({"type": "number"}),
    per_unit_amount=TEXT,
    flat_amount=TEXT,
)
_PERCENTAGE_TIER = record(
    from_value={"type": "number", "minimum": 0},
    to_value=nullable({"type": "number"}),
    rate=TEXT,
    flat_amount=TEXT,
)
_PRESENTATION_KEY = {
    "type": "object",
    "properties": {
        "value": TEXT,
        "options": {"type": "object", "properties": {"display_in_invoice": {"type": "boolean"}}},
    },
    "required": ["value"],
}
# fields that the models leave open because one column or one body holds several shapes
WRITTEN_OUT: dict[str, Schema] = {
    "PaginationMeta": record(
        current_page=WHOLE,
        next_page=nullable(WHOLE),
        prev_page=nullable(WHOLE),
        total_pages=WHOLE,
        total_count=WHOLE,
    ),
    "ChargeProperties": {
        **options(
            amount=TEXT,
            package_size={"type": "integer", "minimum": 1},
            free_units={"type": "integer", "minimum": 0},
            rate=TEXT,
            fixed_amount=nullable(TEXT),
            free_units_per_events=nullable(WHOLE),
            free_units_per_total_aggregation=nullable(TEXT),
            per_transaction_min_amount=nullable(TEXT),
            per_transaction_max_amount=nullable(TEXT),
            graduated_ranges=many(_TIER),
            graduated_percentage_ranges=many(_PERCENTAGE_TIER),
            volume_ranges=many(_TIER),
            pricing_group_keys=many(TEXT),
            presentation_group_keys=many(_PRESENTATION_KEY),
        ),
        "description": "The price terms of a charge, by `charge_model`: standard takes `amount`; "
        "package `amount`, `package_size` and `free_units`; percentage `rate` and the fields "
        "around it; graduated `graduated_ranges`; graduated percentage "
        "`graduated_percentage_ranges`; volume `volume_ranges`; dynamic nothing: its events carry "
        "their amounts. Prices are decimal texts in major units of the plan's currency, or in the "
        "charge's pricing unit. `pricing_group_keys` name event properties by whose values usage "
        "is priced apart, `presentation_group_keys` those by which it is only shown apart.",
    },
    "PrivilegeIn": {
        **options(
            code={"type": "string", "minLength": 1, "maxLength": 255},
            name=nullable({"type": "string", "maxLength": 255}),
            value_type={"type": "string", "enum": ["integer", "boolean", "string", "select"]},
            config=options(select_options={**many(TEXT), "minItems": 1}),
        ),
        "required": ["code"],
        "description": "A privilege of a feature, text by default. A select names its "
        "`select_options`; later updates may add to them.",
    },
    "WantedEntitlements": {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {
            "type": "object",
            "additionalProperties": {"anyOf": [WHOLE, FLAG, TEXT]},
        },
        "description": "Values by feature code and privilege code; a feature may have none.",
    },
    "Metadata": {
        "type": "object",
        "maxProperties": 50,
        "additionalProperties": {"anyOf": [{**TEXT, "maxLength": 255}, {"type": "null"}]},
        "description": "Texts by keys of at most 100 characters.",
    },
    "Cascade": {
        **options(cascade_updates=FLAG),
        "description": "With `cascade_updates` the overrides of the plan follow.",
    },
    "PricingStep": {
        **options(
            kind={
                "type": "string",
                "enum": [
                    *("units", "prorated", "percent", "flat", "packages", "minor", "free"),
                    *("at_least", "minus", "ratio", "converted"),
                ],
            },
            **dict.fromkeys(
                ("units", "price", "part", "whole", "rate", "amount", "free", "size", "minor"),
                DECIMAL,
            ),
            subunit=DECIMAL,
            times=WHOLE,
            events=WHOLE,
            steps=many(ref("PricingStep")),
            from_value=DECIMAL,
            to_value=nullable(DECIMAL),
            reason=TEXT,
        ),
        "required": ["kind"],
        "description": "A term of a price in major units; a price is the sum of its steps. "
        "By `kind` it is worth: units: units x price. prorated: units x part / whole x price. "
        "percent: units x rate / 100. flat: times x amount. packages: ceil((units - free) / size) "
        "x price, 0 while units <= free. minor: minor / subunit. free: 0. at_least: the greater of "
        "amount and the sum of steps. minus: minus the sum of steps. ratio: the sum of steps x "
        "part / whole. converted: round(the sum of steps x subunit) x rate / subunit. Other keys "
        "only explain.",
    },
    "EventIn": {
        "type": "object",
        "description": "A usage event. `timestamp` is in seconds since 1970, a number or a numeric "
        "text; without it the time of receipt counts.",
        "properties": {
            "transaction_id": {"type": "string", "minLength": 1, "maxLength": 255},
            "code": {"type": "string", "minLength": 1, "maxLength": 255},
            "external_subscription_id": nullable({"type": "string", "maxLength": 255}),
            "timestamp": nullable(LOOSE_DECIMAL),
            "precise_total_amount_cents": nullable(LOOSE_DECIMAL),
            "properties": {"type": "object", "additionalProperties": True},
        },
        "required": ["transaction_id", "code"],
    },
    "EventOut": record(
        lago_id=ID,
        transaction_id=TEXT,
        lago_customer_id=nullable(ID),
        code=TEXT,
        timestamp=INSTANT,
        precise_total_amount_cents=nullable(DECIMAL),
        properties={"type": "object", "additionalProperties": True},
        lago_subscription_id=nullable(ID),
        external_subscription_id=nullable(TEXT),
        created_at=INSTANT,
    ),
}
_CHARGE_SHOWN = record(
    lago_id=ID, code=TEXT, charge_model=TEXT, invoice_display_name=nullable(TEXT)
)
_METRIC_SHOWN = record(lago_id=ID, name=TEXT, code=TEXT, aggregation_type=TEXT)
REFINED: dict[tuple[str, str], Schema] = {
    ("ChargeFilterFullOut", "properties"): ref("ChargeProperties"),
    ("ChargeFilterIn", "properties"): nullable(ref("ChargeProperties")),
    ("ChargeFilterOut", "properties"): ref("ChargeProperties"),
    ("ChargeIn", "properties"): nullable(ref("ChargeProperties")),
    ("ChargeOut", "properties"): ref("ChargeProperties"),
    ("FixedChargeIn", "properties"): nullable(ref("ChargeProperties")),
    ("FixedChargeOut", "properties"): ref("ChargeProperties"),
    ("ChargeUsageOut", "charge"): _CHARGE_SHOWN,
    ("ChargeUsageOut", "billable_metric"): _METRIC_SHOWN,
    ("CustomerFullOut", "taxes"): many(ref("TaxOut")),
    ("ExplanationOut", "steps"): many(ref("PricingStep")),
    ("FeatureIn", "privileges"): nullable(many(ref("PrivilegeIn"))),
    ("FeatureChange", "privileges"): nullable(many(ref("PrivilegeIn"))),
    ("InvoiceOut", "customer"): ref("CustomerOut"),
    ("InvoiceFullOut", "customer"): ref("CustomerOut"),
    ("InvoiceFullOut", "fees"): many(ref("FeeOut")),
    ("InvoiceFullOut", "subscriptions"): many(ref("SubscriptionOut")),
    **{
        (owner, field): nullable(CREDITS)
        for owner, fields in {
            "CustomerWalletIn": ("paid_credits", "granted_credits"),
            "WalletIn": ("paid_credits", "granted_credits"),
            "WalletRuleIn": (
                "paid_credits",
                "granted_credits",
                "threshold_credits",
                "target_ongoing_balance",
            ),
            "WalletTransactionIn": ("paid_credits", "granted_credits", "voided_credits"),
        }.items()
        for field in fields
    },
    ("PlanOut", "entitlements"): many(record(entitlement=ref("PlanEntitlementOut"))),
    ("WebhookEndpointIn", "event_types"): nullable(many(TEXT)),
    ("WebhookEndpointChange", "event_types"): nullable(many(TEXT)),
}


# pydantic's own words, where a bound stands behind a validator
_BOUNDS = {"ge": "minimum", "le": "maximum"}


def _by_name(component: Schema) -> None:
    """State what a validator demands of a request's text but its schema cannot show."""
    for name, schema in component.get("properties", {}).items():
        if name in SPELLED:
            is_optional = {"type": "null"} in schema.get("anyOf", [])
            component["properties"][name] = (
                nullable(SPELLED[name]) if is_optional else SPELLED[name]
            )


class _Generator(GenerateJsonSchema):
    """Writes schemas as the codec writes values."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """Answers hold decimals as numbers, requests may bring text as well."""
        _ = schema
        return {"type": "number"} if self.mode == "serialization" else dict(LOOSE_DECIMAL)

    def ser_schema(self, schema: Any) -> JsonSchemaValue | None:
        """Tell instants and decimal texts from other text."""
        written_by = schema.get("function")
        if written_by in {instant_text, instant_text_ms}:
            return dict(INSTANT)
        if getattr(written_by, "__name__", None) == "plain":
            return dict(DECIMAL)
        return super().ser_schema(schema)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Leave defaults out: a field not given is not a field set to null."""
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Leave out titles that only repeat the name."""
        _ = schema
        return False


def components(models: Iterable[type[BaseModel]]) -> tuple[dict[str, Schema], Mapping[type, str]]:
    """Return the component schemas of models and all they hold, and the models' names there."""
    inputs: list[tuple[type[BaseModel], JsonSchemaMode]] = []
    for model in dict.fromkeys(models):
        mode: Literal["validation", "serialization"] = (
            "validation" if issubclass(model, In) else "serialization"
        )
        inputs.append((model, mode))
    generator = _Generator(ref_template=REF + "{model}")
    refs, definitions = generator.generate_definitions(
        [(model, mode, model.__pydantic_core_schema__) for model, mode in inputs]
    )
    shorter = {str(name): _short(name) for name in definitions}
    found = {shorter[name]: _renamed(schema, shorter) for name, schema in definitions.items()}
    for name, schema in found.items():
        if name.endswith(("In", "Change")):
            _by_name(schema)
    for (owner, field), schema in REFINED.items():
        if owner in found:
            found[owner]["properties"][field] = schema
    names = {model: shorter[refs[model, mode]["$ref"].removeprefix(REF)] for model, mode in inputs}
    for name, schema in found.items():
        schema["title"] = name
    return {**WRITTEN_OUT, **found}, names


def _short(name: str) -> str:
    """Turn `billing_core__wire__customers__AddressIn` into `CustomersAddressIn`."""
    *modules, last = name.split("__")
    return (modules[-1].title().replace("_", "") + last) if modules else last


def _renamed(schema: Any, names: Mapping[str, str]) -> Any:
    if isinstance(schema, list):
        return [_renamed(one, names) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        _BOUNDS.get(key, key): REF + names[value.removeprefix(REF)]
        if key == "$ref" and isinstance(value, str)
        else _renamed(value, names)
        for key, value in schema.items()
    }


def three_zero(schema: Any) -> Any:
    """Rewrite a 3.1 document for readers of OpenAPI 3.0: `nullable`, `enum`, no ref siblings."""
    if isinstance(schema, list):
        return [three_zero(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    rewritten = {key: three_zero(value) for key, value in schema.items()}
    if "const" in rewritten:
        rewritten["enum"] = [rewritten.pop("const")]
    kinds = rewritten.get("anyOf")
    if isinstance(kinds, list) and {"type": "null"} in kinds:
        others = [kind for kind in kinds if kind != {"type": "null"}]
        kind = "allOf" if len(others) == 1 else "anyOf"
        del rewritten["anyOf"]
        rewritten |= {kind: others, "nullable": True}
    return rewritten
