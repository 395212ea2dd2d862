"""`kill -9` under event load: what was acknowledged is there exactly once, and all adds up."""

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from billing_core.clock import monotonic
from tests.conftest import DATABASES, asyncpg_url
from tests.support.billing import add_metric, add_plan, charge, subscribe, usage_event
from tests.support.gateway import Gateway, Org
from tests.support.postgres import fresh_database

ROUNDS = 50 if os.environ.get("TALLYGATE_SOAK") else 3  # noqa: TID251 - asks for the long form
SENDERS = 4
BATCH = 20
FEWEST, MOST = 20, 800
REPEATED = 50
LOAD_SECONDS = 60


@dataclass
class Load:
    """Events sent by several threads: in one request each, or many to a request."""

    org: Org
    prefix: str
    acknowledged: list[list[str]] = field(default_factory=list)
    unanswered: list[list[str]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    stopping: bool = False

    def run(self, number: int) -> None:
        """Send until told to stop, or until nobody answers."""
        headers = {"Authorization": f"Bearer {self.org.key}"}
        with httpx.Client(base_url=f"{self.org.url}/api/v1", headers=headers, timeout=30) as http:
            for count in range(1_000_000):
                if self.stopping:
                    return
                size = BATCH if (number + count) % 2 else 1
                ids = [f"{self.prefix}-{number}-{count}-{place}" for place in range(size)]
                if not self._send(http, ids):
                    return

    def _send(self, http: httpx.Client, ids: list[str]) -> bool:
        events = [usage_event(one) for one in ids]
        is_single = len(ids) == 1
        body: dict[str, Any] = {"event": events[0]} if is_single else {"events": events}
        try:
            answer = http.post("/events" if is_single else "/events/batch", json=body)
        except httpx.TransportError:
            self._note(self.unanswered, ids)
            return False
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:  # its writer was killed first
            self._note(self.unanswered, ids)
            return True
        assert answer.status_code == httpx.codes.OK, answer.text
        self._note(self.acknowledged, ids)
        return True

    def _note(self, where: list[list[str]], ids: list[str]) -> None:
        with self.changed:
            where.append(ids)
            self.changed.notify_all()

    def wait_for(self, events: int) -> None:
        """Wait until so many events were acknowledged."""
        with self.changed:
            reached = self.changed.wait_for(
                lambda: sum(map(len, self.acknowledged)) >= events, LOAD_SECONDS
            )
        assert reached, "the gateway acknowledges too little"


@dataclass
class Figures:
    """What the rounds came to."""

    acknowledged: int = 0
    unanswered: int = 0
    stored_unanswered: int = 0
    longest_recovery_ms: int = 0

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} events acknowledged, all there once; {self.unanswered} without "
            f"an answer, {self.stored_unanswered} of them stored; "
            f"longest recovery {self.longest_recovery_ms} ms"
        )


@pytest.fixture(params=DATABASES)
def killable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gateway]:
    with ExitStack() as stack:
        url = None
        if request.param == "postgres":
            url = asyncpg_url(stack.enter_context(fresh_database()))
        yield stack.enter_context(Gateway(tmp_path / "data", url))


def subscribed(gateway: Gateway) -> Org:
    """Return an organization in real time, so that keys are cached as in production."""
    org = gateway.organization(sandbox=False)
    metric_id = add_metric(org, "usage")
    # a year from now on: no period ends while the test runs
    add_plan(org, interval="yearly", charges=[charge(metric_id, "standard", {"amount": "1"})])
    subscribe(org, billing_time="anniversary")
    return org


def kill(gateway: Gateway, *, with_children: bool) -> None:
    """Kill the gateway; its children first, as an ending machine might, or not at all."""
    if with_children:
        for child in psutil.Process(gateway.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGKILL)
    gateway.kill()


def stored_ids(org: Org, prefix: str) -> Counter[str]:
    """Count the stored transaction ids of a round."""
    found: Counter[str] = Counter()
    page: int | None = 1
    while page:
        answer = org.get(f"/events?per_page=1000&page={page}")
        found.update(event["transaction_id"] for event in answer["events"])
        page = answer["meta"]["next_page"]
    return Counter({one: count for one, count in found.items() if one.startswith(prefix)})


def play_round(gateway: Gateway, org: Org, number: int, chance: random.Random) -> Load:
    """Load the gateway, kill it at a random moment and start it again."""
    load = Load(org, f"r{number}")
    senders = [threading.Thread(target=load.run, args=(one,)) for one in range(SENDERS)]
    for sender in senders:
        sender.start()
    try:
        load.wait_for(chance.randint(FEWEST, MOST))
        kill(gateway, with_children=bool(number % 2))
    finally:
        load.stopping = True
        for sender in senders:
            sender.join()
    return load


def check_round(org: Org, load: Load, figures: Figures) -> int:
    """Compare what is stored with what was acknowledged; return how many events are stored."""
    stored = stored_ids(org, f"{load.prefix}-")
    assert set(stored.values()) <= {1}, "an event is there twice"
    acknowledged = {one for ids in load.acknowledged for one in ids}
    assert acknowledged <= set(stored), "an acknowledged event is gone"
    for ids in load.unanswered:
        kept = sum(one in stored for one in ids)
        assert kept in {0, len(ids)}, "a batch is there in part"
        figures.unanswered += len(ids)
        figures.stored_unanswered += kept
    assert set(stored) <= acknowledged | {one for ids in load.unanswered for one in ids}
    for one in sorted(acknowledged)[:REPEATED]:
        refused = org.post("/events", {"event": usage_event(one)}, 422)
        assert refused["error_details"] == {"transaction_id": ["value_already_exist"]}
    figures.acknowledged += len(acknowledged)
    return len(stored)


@pytest.mark.slow
def test_acknowledged_events_survive(
    killable: Gateway, report_figures: Callable[[object], None]
) -> None:
    chance = random.Random(20260101)  # noqa: S311 - which moments is no secret
    org, figures, stored = subscribed(killable), Figures(), 0
    for number in range(ROUNDS):
        load = play_round(killable, org, number, chance)
        started = monotonic()
        killable.start()
        recovery_ms = round((monotonic() - started) * 1000)
        figures.longest_recovery_ms = max(figures.longest_recovery_ms, recovery_ms)
        stored += check_round(org, load, figures)
        usage = org.get("/customers/c1/current_usage?external_subscription_id=s1")
        assert usage["customer_usage"]["amount_cents"] == stored * 100
        killable.verify()
    assert figures.acknowledged >= ROUNDS * FEWEST
    report_figures(f"{ROUNDS} kills; {figures}")
