"""Features and entitlements on the wire."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from billing_core.domain.entitlements import Config, ValueType
from billing_core.domain.errors import Invalid, Problems
from billing_core.wire.base import In, Instant, Out, Text
from billing_core.wire.types import MAX_TEXT, ShortText
from billing_core.wire.validation import read_root, validate

ROOT = "entitlements"
MAX_DESCRIPTION = 600
MAX_FEATURES = 1000
Stripped = Annotated[Text, AfterValidator(str.strip), Field(min_length=1, max_length=MAX_TEXT)]
Description = Annotated[Text, Field(max_length=MAX_DESCRIPTION)]
Value = int | bool | str


class PrivilegeIn(In):
    """One privilege of a feature request; the code names an existing one, if there is one."""

    code: Stripped
    name: ShortText | None = None
    value_type: ValueType | None = None
    config: dict[str, Any] | None = None


class FeatureIn(In):
    """What a caller may set on creation; `read_privileges` reads the privileges."""

    code: Stripped
    name: ShortText | None = None
    description: Description | None = None
    privileges: list[Any] | None = None


class FeatureChange(In):
    """What a caller may change; privileges that are not named stay as they are."""

    name: ShortText | None = None
    description: Description | None = None
    privileges: list[Any] | None = None


class PrivilegeOut(Out):
    """A privilege as a caller reads it."""

    code: str
    name: str | None
    value_type: str
    config: Config


class FeatureOut(Out):
    """A feature as a caller reads it."""

    code: str
    name: str | None
    description: str | None
    privileges: list[PrivilegeOut]
    created_at: Instant


class PlanPrivilegeOut(PrivilegeOut):
    """A privilege with the value that a plan gives."""

    value: Value | None


class PlanEntitlementOut(Out):
    """What a plan gives of a feature."""

    code: str
    name: str | None
    description: str | None
    privileges: list[PlanPrivilegeOut]


class SubscriptionPrivilegeOut(PlanPrivilegeOut):
    """A privilege with the value that counts, and where it comes from."""

    plan_value: Value | None
    override_value: Value | None


class SubscriptionEntitlementOut(Out):
    """What a subscription has of a feature; `overrides` are its own values by privilege."""

    code: str
    name: str | None
    description: str | None
    privileges: list[SubscriptionPrivilegeOut]
    overrides: dict[str, Value]


def read_privileges(items: list[Any] | None) -> list[PrivilegeIn]:
    """Return the privileges of a request; no list at all means none.

    Raises `Invalid` with fields named `privilege.code` and so on (`docs/rules/metering.md` 6);
    two privileges of one code are `value_is_duplicated`.
    """
    problems, found = Problems(), []
    for item in items or []:
        try:
            found.append(validate(PrivilegeIn, item))
        except Invalid as refused:
            _note(problems, refused)
    if len({one.code for one in found}) < len(found):
        problems.add("privilege.code", "value_is_duplicated")
    problems.check()
    return found


def read_entitlements(body: bytes) -> dict[str, Mapping[str, Any]]:
    """Return the wanted values by feature and privilege of a request body.

    A feature without values may stand with null. Raises `BadRequest` without root key, and
    `Invalid` for what are no values by privilege.
    """
    wanted = {code: values or {} for code, values in read_root(body, ROOT).items()}
    if len(wanted) > MAX_FEATURES:
        raise Invalid.field(ROOT, "invalid_count")
    if any("\x00" in code or not isinstance(values, dict) for code, values in wanted.items()):
        raise Invalid.field(ROOT, "invalid_format")
    return wanted


def _note(problems: Problems, refused: Invalid) -> None:
    assert isinstance(refused.details, dict)
    for field, codes in refused.details.items():
        problems.add(f"privilege.{field}", *codes)
