"""What a price costs: pure arithmetic, no store."""

from decimal import Decimal
from itertools import pairwise
from time import perf_counter_ns

from billing_core.domain.charges import MODELS, Usage, charge_price
from billing_core.domain.money import minor_from_major
from tests.bench.report import Report

ROUNDS, FEES = 41, 2000
GOAL_US = 3
BOUNDS = (0, 10, 100, 1000, 10_000, None)


def run(report: Report) -> None:
    """Price fees with five tiers and round them to minor units."""
    report.section("pricing")
    tiers = [
        {"from_value": start, "to_value": end, "per_unit_amount": "0.0125", "flat_amount": "1"}
        for start, end in pairwise(BOUNDS)
    ]
    terms = MODELS["graduated"].parse({"graduated_ranges": tiers})
    usages = [Usage(Decimal(20_000 + number), number) for number in range(FEES)]
    units, rate, bare, taken = Decimal("20000.5"), Decimal("0.0125"), [], []
    for _ in range(ROUNDS):
        begin = perf_counter_ns()
        for _usage in usages:
            units * rate
        bare.append((perf_counter_ns() - begin) / 1000 / FEES)
        begin = perf_counter_ns()
        for usage in usages:
            minor_from_major(charge_price(terms, usage).amount, "EUR")
        taken.append((perf_counter_ns() - begin) / 1000 / FEES)
    report.figure("a bare product of decimals (0.12 where the goal was set)", bare, "us")
    middle = report.figure("a fee with five tiers", taken, "us")
    report.goal("P1", "pricing a fee with five tiers, us", middle, f"<= {GOAL_US}", GOAL_US)
