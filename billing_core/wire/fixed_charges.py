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


class FixedChargeIn(In):
    """One fixed charge, of a plan request or by itself; within a plan `id` names an existing one.

    `apply_units_immediately` says from when a change of `units` counts for running subscriptions:
    now, or (the default) from their next period on (`docs/rules/metering.md` 4).
    """

    id: Reference | None = None
    add_on_id: Reference | None = None
    add_on_code: Code | None = None
    code: Code | None = None
    invoice_display_name: ShortText | None = None
    charge_model: FixedChargeModel | None = None
    pay_in_advance: Flag | None = None
    prorated: Flag | None = None
    units: Units | None = None
    apply_units_immediately: Flag | None = None
    properties: OpenObject | None = None
    tax_codes: Codes | None = None
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


class FixedChargeUnitsIn(In):
    """A subscription's own number of units of a fixed charge.

    The remaining fields would change its price for one subscription; they are not built yet.
    """

    units: Units | None = None
    apply_units_immediately: Flag | None = None
    invoice_display_name: ShortText | None = None
    properties: OpenObject | None = None
    tax_codes: Codes | None = None
