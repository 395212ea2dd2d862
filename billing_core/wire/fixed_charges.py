"""Fixed charges on the wire."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from billing_core.wire.base import DecimalText, Flag, In, Instant, Out
from billing_core.wire.charges import Codes, Reference
from billing_core.wire.taxes import TaxOut
from billing_core.wire.types import Code, Exact, OpenObject, ShortText

FixedChargeModel = Literal["graduated", "standard", "volume"]
MOST_UNITS = 10**20
Units = Annotated[Exact, Field(ge=0, lt=MOST_UNITS)]


class FixedChargePricesIn(In):
    """What may be changed of a fixed charge for one subscription alone.

    `apply_units_immediately` says from when a change of `units` counts for running subscriptions:
    now, or (the default) from their next period on (`docs/rules/metering.md` 4). Its model may be
    sent, but not another one.
    """

    charge_model: FixedChargeModel | None = None
    invoice_display_name: ShortText | None = None
    units: Units | None = None
    apply_units_immediately: Flag | None = None
    properties: OpenObject | None = None
    tax_codes: Codes | None = None


class FixedChargeOverrideIn(FixedChargePricesIn):
    """The same within `plan_overrides`; `id` names a fixed charge of the plan."""

    id: Reference | None = None


class FixedChargeIn(FixedChargePricesIn):
    """One fixed charge, of a plan request or by itself; in a plan `id` names an existing one."""

    id: Reference | None = None
    add_on_id: Reference | None = None
    add_on_code: Code | None = None
    code: Code | None = None
    pay_in_advance: Flag | None = None
    prorated: Flag | None = None
    cascade_updates: Flag | None = None


class FixedChargeOut(Out):
    """A fixed charge as a caller reads it; without a display name it shows its add-on's name."""

    lago_id: UUID = Field(validation_alias="id")
    lago_add_on_id: UUID = Field(validation_alias="add_on_id")
    invoice_display_name: str
    add_on_code: str
    created_at: Instant
    code: str
    charge_model: str
    pay_in_advance: bool
    prorated: bool
    properties: dict[str, Any]
    units: DecimalText
    lago_parent_id: UUID | None = Field(validation_alias="parent_id")
    taxes: list[TaxOut]
