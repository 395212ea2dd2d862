"""Organizations, their API keys and billing entities."""

import hashlib
import secrets
from datetime import datetime
from uuid import UUID

from billing_core.clock import wall_now
from billing_core.domain.errors import NotFound
from billing_core.domain.numbering import default_prefix
from billing_core.services import billable_metrics, billing_entities, plans
from billing_core.store import organizations
from billing_core.store.tables import ApiKey, BillingEntity, Organization
from billing_core.store.unit import Unit, Units
from billing_core.wire.billable_metrics import BillableMetricIn
from billing_core.wire.charges import ChargeIn
from billing_core.wire.organizations import KeyIn, OrganizationChange, OrganizationIn
from billing_core.wire.plans import PlanIn

KEY_BYTES = 32
USAGE_CODE = "ai_usage"
USAGE_PLAN = "ai_usage_plan"


def hash_key(value: str) -> str:
    """Return what is stored of a key. It is random, so one round of SHA-256 is enough."""
    return hashlib.sha256(value.encode()).hexdigest()


async def create(units: Units, data: OrganizationIn) -> tuple[Organization, str]:
    """Create an organization with its default billing entity and first key, shown only here."""
    wall = wall_now()
    organization = Organization(
        created_at=wall,
        name=data.name,
        sandbox=bool(data.sandbox),
        hmac_key=secrets.token_hex(32),
        resolve_customer_ids=bool(data.resolve_customer_ids),
    )
    prefix = data.document_number_prefix or default_prefix(data.name, organization.id)
    async with units.system(write=True) as session:
        session.add(organization)
        session.add(
            BillingEntity(
                org_id=organization.id,
                created_at=wall,
                updated_at=wall,
                code="default",
                name=data.name,
                timezone=data.timezone or "UTC",
                default_currency=data.default_currency or "USD",
                document_number_prefix=prefix.upper(),
                **data.entity_fields(),
            )
        )
        key, value = new_key(organization.id, KeyIn(name="default"))
        session.add(key)
    if data.defaults:
        async with units.open(organization.id) as unit:
            await add_defaults(unit, data.default_currency or "USD")
    return organization, value


async def add_defaults(unit: Unit, currency: str) -> None:
    """Add the metric `ai_usage` (sum over `total_tokens`) and the plan `ai_usage_plan`."""
    metric = await billable_metrics.create(
        unit,
        BillableMetricIn(
            name="AI usage",
            code=USAGE_CODE,
            description="Tokens of AI calls: the sum of the property total_tokens.",
            aggregation_type="sum_agg",
            field_name="total_tokens",
        ),
    )
    await unit.flush()
    charge = ChargeIn(
        billable_metric_id=metric.id,
        charge_model="package",
        properties={"amount": "2", "package_size": 1000, "free_units": 0},
    )
    await plans.create(
        unit,
        PlanIn(
            name="AI usage",
            code=USAGE_PLAN,
            description="No base fee; 2.00 for each started 1,000 tokens.",
            interval="monthly",
            amount_cents=0,
            amount_currency=currency,
            pay_in_advance=False,
            charges=[charge],
        ),
    )


def new_key(org_id: UUID, data: KeyIn) -> tuple[ApiKey, str]:
    """Make a key row and its value; the value is not stored and cannot be shown again."""
    value = "tg_" + secrets.token_urlsafe(KEY_BYTES)
    key = ApiKey(
        org_id=org_id,
        created_at=wall_now(),
        name=data.name,
        key_hash=hash_key(value),
        last_four=value[-4:],
        permissions=data.permissions,
        expires_at=data.expires_instant(),
    )
    return key, value


async def keys(unit: Unit) -> list[ApiKey]:
    """List keys, newest first."""
    return await organizations.keys(unit)


async def add_key(unit: Unit, data: KeyIn) -> tuple[ApiKey, str]:
    """Create a key; returns its row and its value."""
    key, value = new_key(unit.org_id, data)
    unit.session.add(key)
    await unit.flush()
    return key, value


async def revoke_key(unit: Unit, key_id: UUID) -> ApiKey:
    """Make a key unusable from now on, in every process within a second."""
    key = await _key(unit, key_id)
    _end(key, wall_now())
    return key


async def rotate_key(unit: Unit, key_id: UUID, until: datetime | None) -> tuple[ApiKey, str]:
    """Make a successor with the same rights; the old key lives until `until`, or ends now."""
    old = await _key(unit, key_id)
    successor, value = new_key(unit.org_id, KeyIn(name=old.name, permissions=old.permissions))
    unit.session.add(successor)
    _end(old, until or wall_now())
    await unit.flush()
    return successor, value


async def get(unit: Unit) -> tuple[Organization, BillingEntity]:
    """Return the organization with its default billing entity."""
    return unit.org, await organizations.default_entity(unit)


async def update(unit: Unit, data: OrganizationChange) -> tuple[Organization, BillingEntity]:
    """Change the organization: most of it is its default billing entity."""
    organization, entity = await get(unit)
    settings = data.given(
        leave_out=frozenset({"billing_configuration", "resolve_customer_ids", "webhook_url"})
    )
    if data.document_numbering == "per_organization":
        settings["document_numbering"] = "per_billing_entity"
    if data.billing_configuration is not None:
        settings |= data.billing_configuration.given()
    await billing_entities.change(unit, entity, settings)
    if data.resolve_customer_ids is not None:
        organization.resolve_customer_ids = data.resolve_customer_ids
    return organization, entity


def _end(key: ApiKey, at: datetime) -> None:
    """End a key's life: never later than it would have ended anyway."""
    key.expires_at = at if key.expires_at is None else min(key.expires_at, at)


async def _key(unit: Unit, key_id: UUID) -> ApiKey:
    key = await organizations.key_by_id(unit, key_id)
    if key is None:
        raise NotFound("api_key")
    return key
