"""What a subscription waits for before it starts: which rules it may have, and keeping them."""

from collections.abc import Sequence

from billing_core.domain.errors import Invalid
from billing_core.store import activation_rules
from billing_core.store.tables import Subscription
from billing_core.store.unit import Unit
from billing_core.wire.subscriptions import ActivationRuleIn


async def save(unit: Unit, subscription: Subscription, wanted: Sequence[ActivationRuleIn]) -> None:
    """Make these the rules of a subscription that has not started (subscriptions.md 2.5).

    Raises `Invalid` for two rules of a type, and where the customer's provider cannot be asked to
    pay. Its default payment method is taken for granted.
    """
    if len({one.type for one in wanted}) < len(wanted):
        raise Invalid.field("activation_rules", "value_already_exist")
    if wanted:
        _check_payable(subscription)
    rules = [(one.type, one.timeout_hours or 0) for one in wanted]
    await activation_rules.replace(unit, subscription.id, rules)


async def has_any(unit: Unit, subscription: Subscription) -> bool:
    """Tell whether a subscription must wait for something."""
    return bool(await activation_rules.of(unit, [subscription.id]))


def _check_payable(subscription: Subscription) -> None:
    customer = subscription.customer
    if subscription.payment_method_type == "manual":
        code = "manual_payment_method_invalid_for_payment_activation_rules"
        raise Invalid.field("customer", code)
    if not customer.payment_provider or not customer.provider_customer_id:
        raise Invalid.field("customer", "no_linked_payment_provider")
