"""How a subscription's invoices are made out: who issues them and how they are paid."""

from typing import Any

from billing_core.domain.errors import NotFound
from billing_core.services import billing_entities
from billing_core.store import organizations
from billing_core.store.unit import Unit
from billing_core.wire.subscriptions import PaymentMethodIn, SubscriptionChange, SubscriptionIn


async def sent(unit: Unit, data: SubscriptionIn | SubscriptionChange) -> dict[str, Any]:
    """Return what a caller sent of `own_entity` and `payment_method_type`, as the row has them.

    A null billing entity means the customer's. An unknown one is a 404, and so is a payment method
    by its id: there are none to name yet (`docs/rules/subscriptions.md` 11).
    """
    found: dict[str, Any] = {}
    if "billing_entity_code" in data.model_fields_set:
        code = data.billing_entity_code
        found["own_entity"] = None if code is None else await billing_entities.get(unit, code)
    if data.billing_entity_id is not None:
        entity = await organizations.entity_by_id(unit, data.billing_entity_id)
        if entity is None:
            raise NotFound("billing_entity")
        found["own_entity"] = entity
    method = method_type(data.payment_method)
    if method is not None:
        found["payment_method_type"] = method
    return found


def method_type(method: PaymentMethodIn | None) -> str | None:
    """Return the kind of payment method that was sent, None for none; refuse one by its id."""
    if method is None:
        return None
    if method.payment_method_id is not None:
        raise NotFound("payment_method")
    return method.payment_method_type
