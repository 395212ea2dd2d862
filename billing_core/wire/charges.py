"""Charges and charge filters on the wire."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field

from billing_core.wire.base import DecimalText, Flag, In, Instant, Out, Text
from billing_core.wire.taxes import TaxOut
from billing_core.wire.types import Cents, Code, Exact, OpenObject, ShortText

ChargeModel = Literal[
    "custom",
    "dynamic",
    "graduated",
    "graduated_percentage",
    "package",
    "percentage",
    "standard",
    "volume",
]
Codes = list[str]
ConversionRate = Annotated[Exact, Field(gt=0)]


def _uuid(value: Any) -> Any:
    # a reference that is no id at all names nothing: the caller gets a 404 like for unknown ids
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        return UUID(int=0)


Reference = Annotated[UUID, BeforeValidator(_uuid)]


class ChargeFilterIn(In):
    """A price for events with these property values (`docs/rules/metering.md` 3.12)."""

    values: dict[str, list[Text]] | None = None
    properties: OpenObject | None = None
    invoice_display_name: ShortText | None = None
    cascade_updates: Flag | None = None


class AppliedPricingUnitIn(In):
    """The unit a charge is priced in; `conversion_rate` is the money that one of it costs."""

    code: Code | None = None
    conversion_rate: ConversionRate | None = None


class ChargePricesIn(In):
    """What may be changed of a charge for one subscription alone.

    Its model may be sent, but not another one: properties are read as those of the model it has.
    """

    charge_model: ChargeModel | None = None
    invoice_display_name: ShortText | None = None
    min_amount_cents: Cents | None = None
    properties: OpenObject | None = None
    filters: list[ChargeFilterIn] | None = None
    tax_codes: Codes | None = None
    applied_pricing_unit: AppliedPricingUnitIn | None = None


class ChargeOverrideIn(ChargePricesIn):
    """The same within `plan_overrides`; `id` names a charge of the plan."""

    id: Reference | None = None


class ChargeIn(ChargePricesIn):
    """One charge, of a plan request or by itself; within a plan `id` names an existing charge."""

    id: Reference | None = None
    billable_metric_id: Reference | None = None
    code: Code | None = None
    pay_in_advance: Flag | None = None
    invoiceable: Flag | None = None
    prorated: Flag | None = None
    regroup_paid_fees: Literal["invoice"] | None = None
    accepts_target_wallet: Flag | None = None
    cascade_updates: Flag | None = None


class ChargeFilterOut(Out):
    """A filter as its charge shows it."""

    lago_id: UUID = Field(validation_alias="id")
    invoice_display_name: str | None
    properties: dict[str, Any]
    values: dict[str, list[str]]


class ChargeFilterFullOut(ChargeFilterOut):
    """A filter by itself."""

    charge_code: str
    created_at: Instant


class AppliedPricingUnitOut(Out):
    """The unit a charge is priced in, and what one costs."""

    code: str
    conversion_rate: DecimalText


class ChargeOut(Out):
    """A charge as a caller reads it."""

    lago_id: UUID = Field(validation_alias="id")
    lago_billable_metric_id: UUID = Field(validation_alias="billable_metric_id")
    code: str
    billable_metric_code: str
    invoice_display_name: str | None
    created_at: Instant
    charge_model: str
    pay_in_advance: bool
    invoiceable: bool
    regroup_paid_fees: str | None
    prorated: bool
    min_amount_cents: int
    accepts_target_wallet: bool
    properties: dict[str, Any]
    filters: list[ChargeFilterOut]
    taxes: list[TaxOut]
    applied_pricing_unit: AppliedPricingUnitOut | None
    lago_parent_id: UUID | None = Field(validation_alias="parent_id")
