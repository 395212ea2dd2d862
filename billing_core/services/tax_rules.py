"""Which taxes a fee carries: the first level that has any wins entirely (money.md 1.5.1)."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from billing_core.domain.invoice import TaxRate
from billing_core.store import catalog
from billing_core.store.tables import Customer, Subscription, Tax
from billing_core.store.unit import Unit


class TaxRules:
    """The taxes of everything that takes part in some invoices, read at once."""

    def __init__(self, assigned: Mapping[UUID, Sequence[Tax]]) -> None:
        self._assigned = assigned

    @classmethod
    async def load(cls, unit: Unit, subscriptions: Iterable[Subscription]) -> "TaxRules":
        """Read the taxes of the subscriptions' plans and their parts, customers and entities."""
        owners: set[UUID] = set()
        for subscription in subscriptions:
            plan, customer = subscription.plan, subscription.customer
            owners.update((plan.id, customer.id, customer.billing_entity_id))
            owners.update(charge.id for charge in plan.charges)
            owners.update(charge.id for charge in plan.fixed_charges)
            if plan.minimum_commitment is not None:
                owners.add(plan.minimum_commitment.id)
        return cls(await catalog.taxes_of(unit, owners))

    def for_fee(
        self, customer: Customer, plan_id: UUID, item_id: UUID | None = None
    ) -> tuple[TaxRate, ...]:
        """Return the rates of the first level that has any; `item_id` is a part of the plan."""
        levels = (item_id, plan_id, customer.id, customer.billing_entity_id)
        for owner in levels:
            if owner is not None and self._assigned.get(owner):
                return tuple(
                    TaxRate(tax.id, tax.code, tax.name, tax.rate, tax.description)
                    for tax in self._assigned[owner]
                )
        return ()
