"""Charge models. To add one: write its file, add its class to MODELS."""

from billing_core.domain.charges.custom import Custom
from billing_core.domain.charges.dynamic import Dynamic
from billing_core.domain.charges.graduated import Graduated
from billing_core.domain.charges.graduated_percentage import GraduatedPercentage
from billing_core.domain.charges.package import Package
from billing_core.domain.charges.percentage import Percentage
from billing_core.domain.charges.standard import Standard
from billing_core.domain.charges.steps import Step, Steps, at_least_step
from billing_core.domain.charges.terms import NOTHING, ZERO, Noted, Price, Terms, Usage
from billing_core.domain.charges.volume import Volume
from billing_core.domain.money import in_exact_context

__all__ = ["MODELS", "NOTHING", "Noted", "Price", "Step", "Steps", "Terms", "Usage", "charge_price"]

MODELS: dict[str, type[Terms]] = {
    model.charge_model: model
    for model in (
        Standard,
        Graduated,
        Package,
        Percentage,
        Volume,
        GraduatedPercentage,
        Dynamic,
        Custom,
    )
}


@in_exact_context
def charge_price(terms: Terms, usage: Usage, aggregation: str = "sum_agg") -> Price:
    """Price the usage of one bucket and group, in unrounded major units.

    Negative units or a negative amount price to nothing: amount and unit amount are 0, and the fee
    shows 0 units (`docs/rules/metering.md` 3.2). Zero units are priced: flat amounts fall due.
    """
    if usage.units < ZERO:
        return NOTHING
    price = terms.price(usage, aggregation)
    if price.amount < ZERO:
        return Price(ZERO, ZERO, Noted((at_least_step(ZERO, price.steps),)))
    return price
