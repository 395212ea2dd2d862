"""Test clocks of many organizations run at the same time, and none of them notices the others."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing_core.clock import wall_now
from tests.support.advance import ALONE
from tests.support.billing import (
    add_customer,
    add_metric,
    add_plan,
    charge,
    invoices,
    send,
    subscribe,
)
from tests.support.gateway import Gateway, Org
from tests.support.waiting import until
from tests.support.wallets import add_wallet, entries

IS_SOAK = bool(os.environ.get("TALLYGATE_SOAK"))  # noqa: TID251 - asks for the long tests
CLOCKS, LIVE, MONTHS = 50, 5, 12
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Pacific/Auckland")
INTERVALS = ("monthly", "weekly", "quarterly")
EVENTS = 3


@dataclass(frozen=True)
class Script:
    """What happens in an organization; each number has other dates, zones and terms."""

    number: int

    @property
    def start(self) -> datetime:
        """Anywhere in eight years, at any time of day."""
        return datetime(2020, 1, 3, tzinfo=UTC) + timedelta(days=61, hours=5) * self.number

    def months_on(self, months: float) -> str:
        """Return an instant so many times thirty days after the start."""
        return (self.start + timedelta(days=30 * months)).isoformat()

    def play(self, org: Org) -> None:
        """Live in this organization from the start on."""
        org.clock(self.start.isoformat())
        self._sell(org)
        for month in range(MONTHS):
            org.clock(self.months_on(month + 1 / 3), catch_up=True)
            self._use(org, month)
            org.clock(self.months_on(month + 2 / 3), catch_up=True)
            if month == MONTHS // 2:
                subscribe(org, "larger" if self.number % 2 else "smaller")
        org.clock(self.months_on(MONTHS + 1 / 3), catch_up=True)

    def _sell(self, org: Org) -> None:
        usage, calls = add_metric(org, "usage"), add_metric(org, "calls", "count_agg")
        charges = [
            charge(usage, "standard", {"amount": "1.25"}),
            charge(calls, "standard", {"amount": "0.10"}, **ALONE),
        ]
        for code, amount_cents in (("smaller", 1000), ("basic", 2000), ("larger", 3000)):
            add_plan(
                org,
                code,
                interval=INTERVALS[self.number % len(INTERVALS)],
                amount_cents=amount_cents,
                pay_in_advance=self.number % 4 < 2,
                trial_period=5 if self.number % 5 == 0 else 0,
                charges=charges,
                usage_thresholds=[
                    {"amount_cents": 2000},
                    {"amount_cents": 1500, "recurring": True},
                ],
            )
        add_customer(
            org,
            timezone=ZONES[self.number % len(ZONES)],
            currency="EUR",
            net_payment_term=self.number % 3 * 7,
            billing_configuration={"invoice_grace_period": self.number % 3},
        )
        add_wallet(org, granted_credits="5", name="Prepaid")
        subscribe(org, billing_time="anniversary" if self.number % 2 else "calendar")
        org.drain()

    def _use(self, org: Org, month: int) -> None:
        for count in range(EVENTS):
            send(org, f"usage-{month}-{count}", str(count + self.number % 7))
            send(org, f"calls-{month}-{count}", code="calls")
        org.drain()

    def told(self, org: Org) -> dict[str, Any]:
        """Return what came of it, without what is made at random."""
        (wallet,) = org.get("/wallets?external_customer_id=c1")["wallets"]
        fees = org.get("/fees?per_page=1000")["fees"]
        return {
            "invoices": [
                {
                    **_pick(one, INVOICE),
                    "fees": sorted((_pick(f, FEE) for f in one["fees"]), key=str),
                }
                for one in invoices(org)
            ],
            "fees": _picked(fees, FEE),
            "notes": [_pick(one, NOTE) for one in org.get("/credit_notes")["credit_notes"]],
            "subscriptions": _picked(
                org.get(f"/subscriptions?{EVERY_STATUS}")["subscriptions"], SUBSCRIPTION
            ),
            "wallet": _pick(wallet, WALLET),
            "entries": [_pick(one, ENTRY) for one in entries(org, wallet["lago_id"])],
            "clock": org.get("/test_clock"),
        }


EVERY_STATUS = "per_page=1000&" + "&".join(
    f"status[]={one}" for one in ("active", "pending", "terminated", "canceled")
)
INVOICE = (
    *("sequential_id", "invoice_type", "status", "payment_status", "payment_overdue", "currency"),
    *("issuing_date", "payment_due_date", "fees_amount_cents", "total_amount_cents"),
    *("progressive_billing_credit_amount_cents", "credit_notes_amount_cents"),
    *("prepaid_credit_amount_cents", "created_at"),
)
FEE = (
    *("event_transaction_id", "amount_cents", "units", "events_count", "from_date", "to_date"),
    *("pay_in_advance", "created_at"),
)
NOTE = ("sequential_id", "reason", "total_amount_cents", "issuing_date", "created_at")
SUBSCRIPTION = (
    "plan_code",
    "status",
    "started_at",
    "terminated_at",
    "trial_ended_at",
    "created_at",
)
WALLET = ("balance_cents", "ongoing_balance_cents", "consumed_credits", "status")
ENTRY = ("transaction_type", "transaction_status", "credit_amount", "created_at")


def _pick(found: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: found[name] for name in names}


def _picked(found: list[dict[str, Any]], names: tuple[str, ...]) -> list[dict[str, Any]]:
    return sorted((_pick(one, names) for one in found), key=str)


class Live:
    """An organization in real time: it pays now for what it uses now, whatever clocks run."""

    def __init__(self, org: Org) -> None:
        self.org = org
        calls = add_metric(org, "calls", "count_agg")
        charges = [charge(calls, "standard", {"amount": "0.10"}, **ALONE)]
        # a year from now on: no period ends while the test runs
        plan: dict[str, Any] = {"interval": "yearly", "pay_in_advance": True, "charges": charges}
        add_plan(org, **plan)
        subscribe(org, billing_time="anniversary")

    def use(self) -> None:
        """Send events."""
        for count in range(EVENTS * MONTHS):
            send(self.org, f"calls-{count}", code="calls")

    def check(self) -> None:
        """Its first year was billed once, and each event once."""
        until(lambda: self._fees("charge") >= EVENTS * MONTHS, "events are not charged")
        until(lambda: self._fees("subscription") >= 1, "the start is not billed")
        assert self._fees("charge") == EVENTS * MONTHS
        (invoice,) = invoices(self.org)
        assert invoice["total_amount_cents"] == 1000
        assert abs(datetime.fromisoformat(invoice["created_at"]) - wall_now()) < timedelta(days=1)

    def _fees(self, kind: str) -> int:
        return int(self.org.get(f"/fees?per_page=1&fee_type={kind}")["meta"]["total_count"])


@pytest.mark.slow
@pytest.mark.skipif(not IS_SOAK, reason="takes minutes: `make soak` plays it")
def test_each_organization_equals_its_solo_run(
    any_gateway: Gateway, report_figures: Callable[[object], None]
) -> None:
    scripts = [Script(number) for number in range(CLOCKS)]
    solo = []
    for script in scripts:
        org = any_gateway.organization(f"Solo {script.number}")
        script.play(org)
        solo.append(script.told(org))
    assert len({str(one) for one in solo}) == CLOCKS, "they differ"
    live = [Live(any_gateway.organization(sandbox=False)) for _ in range(LIVE)]
    orgs = [any_gateway.organization(f"Together {script.number}") for script in scripts]
    with ThreadPoolExecutor(CLOCKS + LIVE) as pool:
        using = [pool.submit(one.use) for one in live]
        playing = [pool.submit(script.play, org) for script, org in zip(scripts, orgs, strict=True)]
        for one in (*playing, *using):
            one.result()
    for script, org, alone in zip(scripts, orgs, solo, strict=True):
        assert script.told(org) == alone, script
    for each in live:
        each.check()
    count = sum(len(one["invoices"]) for one in solo)
    report_figures(f"{CLOCKS} clocks at once beside {LIVE} live; {count} invoices, as if alone")
