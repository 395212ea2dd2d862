"""The admin's endpoints: organizations and their API keys. The admin key opens them."""

from typing import Any
from uuid import UUID

from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.domain.errors import Unauthorized
from billing_core.services import organizations
from billing_core.services.shapes import organizations as shapes
from billing_core.store.unit import Units
from billing_core.wire.dates import parse_instant
from billing_core.wire.organizations import KeyIn, KeyOut, OrganizationIn, OrganizationOut
from billing_core.wire.validation import read_root, validate
from gateway.auth import same_secret
from gateway.http import Answer, Asked, Gives, Operation, Takes, one, row_id
from gateway.settings import Settings

KEY = Gives("api_key", KeyOut)


def admin_only(request: Asked, settings: Settings) -> None:
    """Raise `Unauthorized` unless the request carries the admin key."""
    if not same_secret(request.headers.get("x-admin-api-key"), settings.admin_key):
        raise Unauthorized


@post(
    "/organizations",
    operation_id="adminCreateOrganization",
    status_code=200,
    opt=Operation(
        Gives("organization", OrganizationOut),
        Takes("organization", OrganizationIn),
        refuses=(400, 413, 422),
    ).opt(),
)
async def create_organization(
    request: Asked, units: NamedDependency[Units], settings: NamedDependency[Settings]
) -> Answer:
    """Create an organization; the answer carries its first API key, shown only here."""
    admin_only(request, settings)
    data = validate(OrganizationIn, read_root(await request.body(), "organization"))
    organization, key = await organizations.create(units, data)
    return Answer({**await _shown(units, organization.id), "api_key": key})


@get(
    "/organizations/{org_id:str}",
    operation_id="adminFindOrganization",
    opt=Operation(Gives("organization", OrganizationOut)).opt(),
)
async def find_organization(
    request: Asked,
    org_id: FromPath[str],
    units: NamedDependency[Units],
    settings: NamedDependency[Settings],
) -> Answer:
    """Return an organization with its HMAC key."""
    admin_only(request, settings)
    return Answer(await _shown(units, row_id(org_id, "organization")))


@get(
    "/organizations/{org_id:str}/api_keys",
    operation_id="adminFindAllApiKeys",
    opt=Operation(Gives("api_keys", KeyOut, many=True)).opt(),
)
async def list_keys(
    request: Asked,
    org_id: FromPath[str],
    units: NamedDependency[Units],
    settings: NamedDependency[Settings],
) -> Answer:
    """List an organization's keys, masked."""
    admin_only(request, settings)
    async with units.read(row_id(org_id, "organization")) as unit:
        rows = await organizations.keys(unit)
    return Answer({"api_keys": [shapes.key(row) for row in rows]})


@post(
    "/organizations/{org_id:str}/api_keys",
    operation_id="adminCreateApiKey",
    status_code=200,
    opt=Operation(KEY, Takes("api_key", KeyIn), refuses=(400, 404, 413, 422)).opt(),
)
async def create_key(
    request: Asked,
    org_id: FromPath[str],
    units: NamedDependency[Units],
    settings: NamedDependency[Settings],
) -> Answer:
    """Create a key; its value is shown only here."""
    admin_only(request, settings)
    data = validate(KeyIn, read_root(await request.body(), "api_key"))
    async with units.open(row_id(org_id, "organization")) as unit:
        row, value = await organizations.add_key(unit, data)
    return one("api_key", shapes.key(row, value))


@delete(
    "/organizations/{org_id:str}/api_keys/{key_id:str}",
    operation_id="adminRevokeApiKey",
    status_code=200,
    opt=Operation(KEY).opt(),
)
async def revoke_key(
    request: Asked,
    org_id: FromPath[str],
    key_id: FromPath[str],
    units: NamedDependency[Units],
    settings: NamedDependency[Settings],
) -> Answer:
    """Revoke a key: it stops working in every process within a second."""
    admin_only(request, settings)
    async with units.open(row_id(org_id, "organization")) as unit:
        row = await organizations.revoke_key(unit, row_id(key_id, "api_key"))
    return one("api_key", shapes.key(row))


@post(
    "/organizations/{org_id:str}/api_keys/{key_id:str}/rotate",
    operation_id="adminRotateApiKey",
    status_code=200,
    opt=Operation(KEY, refuses=(400, 404, 422)).opt(),
)
async def rotate_key(
    request: Asked,
    org_id: FromPath[str],
    key_id: FromPath[str],
    units: NamedDependency[Units],
    settings: NamedDependency[Settings],
) -> Answer:
    """Make a successor of a key; the old one lives until `expires_at`, or ends now."""
    admin_only(request, settings)
    body: Any = {"name": None}
    if (await request.body()).strip():
        body = read_root(b'{"api_key":' + await request.body() + b"}", "api_key")
    data = validate(KeyIn, body)
    until = parse_instant(data.expires_at) if data.expires_at else None
    async with units.open(row_id(org_id, "organization")) as unit:
        row, value = await organizations.rotate_key(unit, row_id(key_id, "api_key"), until)
    return one("api_key", shapes.key(row, value))


async def _shown(units: Units, org_id: UUID) -> dict[str, Any]:
    async with units.read(org_id) as unit:
        organization, entity = await organizations.get(unit)
        shape = (await shapes.organization(unit, organization, entity)).model_dump()
        shape["hmac_key"] = organization.hmac_key
    return {"organization": shape}


HANDLERS = [
    create_organization,
    find_organization,
    list_keys,
    create_key,
    revoke_key,
    rotate_key,
]
