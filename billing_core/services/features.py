"""What can be done with features and their privileges."""

from collections.abc import Sequence

from billing_core.domain.entitlements import Config, extended, read_config
from billing_core.domain.errors import Invalid, NotFound
from billing_core.services.shapes import entitlements as shapes
from billing_core.store import entitlements
from billing_core.store.tables import Feature, Privilege
from billing_core.store.unit import Unit
from billing_core.wire.entitlements import (
    FeatureChange,
    FeatureIn,
    PrivilegeIn,
    read_privileges,
)
from billing_core.wire.pages import Page

DEFAULT_TYPE = "string"


async def create(unit: Unit, data: FeatureIn) -> Feature:
    """Create a feature with its privileges; its code is unique among live ones (metering.md 6)."""
    wanted = read_privileges(data.privileges)
    if await entitlements.feature_by_code(unit, data.code):
        raise Invalid.field("code", "value_already_exist")
    feature = Feature(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        code=data.code,
        name=data.name,
        description=data.description,
    )
    entitlements.add(unit, feature)
    await entitlements.reload(unit, feature)
    await _set_privileges(unit, feature, wanted)
    _tell(unit, "feature.created", feature)
    return feature


async def get(unit: Unit, code: str, *, to_change: bool = False) -> Feature:
    """Return a live feature, or refuse; `to_change` serialises what is done to it."""
    feature = await entitlements.feature_by_code(unit, code, to_change=to_change)
    if feature is None:
        raise NotFound("feature")
    return feature


async def page(unit: Unit, search_term: str | None, wanted: Page) -> tuple[list[Feature], int]:
    """List features."""
    return await entitlements.features_page(unit, search_term, wanted)


async def update(unit: Unit, code: str, data: FeatureChange) -> Feature:
    """Change what is given; known privileges keep their type and options, new ones are added."""
    feature = await get(unit, code, to_change=True)
    wanted = read_privileges(data.privileges)
    for name, value in data.given(leave_out=frozenset({"privileges"})).items():
        setattr(feature, name, value)
    feature.updated_at = unit.now
    await _set_privileges(unit, feature, wanted)
    _tell(unit, "feature.updated", feature)
    return feature


async def delete(unit: Unit, code: str) -> Feature:
    """Delete a feature: no plan and no subscription has it any more."""
    feature = await get(unit, code, to_change=True)
    feature.deleted_at = unit.now
    _tell(unit, "feature.deleted", feature)
    return feature


async def delete_privilege(unit: Unit, code: str, privilege_code: str) -> Feature:
    """Delete a privilege, with its values on plans and subscriptions; return its feature."""
    feature = await get(unit, code, to_change=True)
    privilege = next((one for one in feature.privileges if one.code == privilege_code), None)
    if privilege is None:
        raise NotFound("privilege")
    privilege.deleted_at = unit.now
    feature.updated_at = unit.now
    await entitlements.reload(unit, feature)
    _tell(unit, "feature.updated", feature)
    return feature


async def _set_privileges(unit: Unit, feature: Feature, wanted: Sequence[PrivilegeIn]) -> None:
    known = {one.code: one for one in feature.privileges}
    last = max((one.position for one in feature.privileges), default=0)
    for position, data in enumerate(wanted, last + 1):
        privilege = known.get(data.code)
        if privilege is None:
            _add_privilege(unit, feature, data, position)
        else:
            _change_privilege(unit, privilege, data)
    await entitlements.reload(unit, feature)


def _add_privilege(unit: Unit, feature: Feature, data: PrivilegeIn, position: int) -> None:
    value_type = data.value_type or DEFAULT_TYPE
    privilege = Privilege(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        feature_id=feature.id,
        code=data.code,
        position=position,
        name=data.name,
        value_type=value_type,
        config=_config(value_type, data),
    )
    entitlements.add(unit, privilege)


def _change_privilege(unit: Unit, privilege: Privilege, data: PrivilegeIn) -> None:
    if "name" in data.given():
        privilege.name = data.name
    if data.config:
        privilege.config = extended(privilege.config, _config(privilege.value_type, data))
    privilege.updated_at = unit.now


def _config(value_type: str, data: PrivilegeIn) -> Config:
    config = read_config(value_type, data.config)
    if config is None:
        raise Invalid.field("privilege.config", "invalid_format")
    return config


def _tell(unit: Unit, webhook_type: str, feature: Feature) -> None:
    unit.emit(webhook_type, "feature", shapes.feature(feature).model_dump())
