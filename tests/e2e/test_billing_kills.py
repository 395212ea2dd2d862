"""`kill -9` while billing: afterwards no period of a subscription is billed twice or missed."""

import os
import random
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import psutil
import pytest
from sqlalchemy import delete, func, or_, select, update

from billing_core.clock import monotonic, wall_now
from billing_core.services import subscriptions
from billing_core.store.columns import KEYRING
from billing_core.store.tables import JobRun, Outbox, Subscription
from billing_core.store.unit import Units, engines_for
from billing_core.wire.subscriptions import SubscriptionIn
from tests.conftest import DATABASES, asyncpg_url
from tests.support.billing import add_plan
from tests.support.deployment import environment_secrets, redis_server
from tests.support.gateway import MAIN, ROOT, STOP_SECONDS, Gateway, Org
from tests.support.postgres import fresh_database

KILLS = 200 if os.environ.get("TALLYGATE_SOAK") else 2  # noqa: TID251 - asks for the long form
ORGANIZATIONS = 2
LONGEST_PAUSE_SECONDS = 0.05
SETTLE_SECONDS = 120
CHECKED_EVERY = 10
ONE_DAY = timedelta(days=1)
WEEK_DAYS = 7
WEEKLY_CENTS = {"arrears": 700, "advance": 1400, "small": 350}


@dataclass(frozen=True)
class Kind:
    """How subscriptions of a kind live: plans asked for on days from the first one on.

    `fees` says how many weeks or parts of one are billed by now, 17 days later, and `paid_from` the
    day the first of them begins; None where that is the day on which the start was noticed.
    """

    plans: Mapping[int, str]
    fees: int
    paid_from: int | None = 0
    fields: Callable[[datetime], dict[str, str]] = lambda _: {}


def _at(first: datetime, days: int) -> str:
    return (first + days * ONE_DAY).isoformat()


KINDS = {
    "arrears": Kind({0: "arrears"}, 2),
    "advance": Kind({0: "advance"}, 3),
    "upgraded": Kind({0: "arrears", 3: "advance"}, 4),
    "downgraded": Kind({0: "advance", 1: "small"}, 2),
    # an end and a start that nobody noticed on their days take place when they are
    "ending": Kind({0: "arrears"}, 3, fields=lambda first: {"ending_at": _at(first, 10)}),
    "late": Kind({0: "advance"}, 1, None, lambda first: {"subscription_at": _at(first, 5)}),
}
BILLED_UNTIL = {"arrears": 14, "advance": 21, "upgraded": 21, "downgraded": 14}


class Crew(Protocol):
    """The processes that bill."""

    def launch(self) -> None:
        """Start those that do not run."""

    def kill(self, chance: random.Random) -> None:
        """Kill some of them."""


class Embedded:
    """One process with children."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._runs = True

    def launch(self) -> None:
        """Start it without waiting: it may also be killed before it is ready."""
        if not self._runs:
            self._gateway.launch()
        self._runs = True

    def kill(self, chance: random.Random) -> None:
        """Kill it; its children first, as an ending machine might, or not at all."""
        if chance.random() < 1 / 2:
            for child in psutil.Process(self._gateway.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.send_signal(signal.SIGKILL)
        self._gateway.kill()
        self._runs = False


class Deployed:
    """A worker and a clock beside a gateway, all of their own."""

    COMMANDS = ("worker", "clock")

    def __init__(self, gateway: Gateway, log_path: Path) -> None:
        self._gateway = gateway
        self._log_path = log_path
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def launch(self) -> None:
        """Start those that do not run."""
        for name in self.COMMANDS:
            if name not in self._processes:
                with self._log_path.open("ab") as log:
                    self._processes[name] = subprocess.Popen(  # noqa: S603 - our own module
                        [*MAIN, name, "--data-dir", str(self._gateway.data_dir)],
                        cwd=ROOT,
                        env=self._gateway.environment,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )

    def kill(self, chance: random.Random) -> None:
        """Kill the worker, and one time in three the clock with it."""
        self._kill(self.COMMANDS if chance.random() < 1 / 3 else ("worker",))

    def close(self) -> None:
        """End all that runs."""
        self._kill(tuple(self._processes))

    def _kill(self, names: tuple[str, ...]) -> None:
        for name in names:
            process = self._processes.pop(name)
            process.kill()
            process.wait(STOP_SECONDS)


@dataclass
class Business:
    """Organizations in real time whose customers are brought more to be billed, again and again."""

    units: Units
    orgs: list[Org]
    customers: int = 0
    first_day: date = field(default_factory=lambda: wall_now().date() - 17 * ONE_DAY)

    async def fall_due(self) -> None:
        """Let customers have come 17 days ago, of whom nothing was billed since."""
        self.customers += 1
        for org in self.orgs:
            for kind in KINDS:
                await self._live(UUID(org.id), kind)

    async def pass_an_hour(self) -> None:
        """Let the clock tick again, and what was sent but is not kept be sent again."""
        async with self.units.system(write=True) as session:
            await session.execute(delete(JobRun))
            await session.execute(
                update(Outbox).where(Outbox.done_at.is_(None)).values(sent_at=None)
            )

    async def _live(self, org_id: UUID, kind: str) -> None:
        first = datetime.combine(self.first_day, time(12), UTC)
        for day, plan in KINDS[kind].plans.items():
            wanted = {
                "external_customer_id": f"customer {self.customers}",
                "external_id": f"{kind} {self.customers}",
                "plan_code": plan,
                "billing_time": "anniversary",
                **KINDS[kind].fields(first),
            }
            async with self.units.open(org_id) as unit:
                unit.now = first + day * ONE_DAY
                await subscriptions.create(unit, SubscriptionIn.model_validate(wanted))

    async def kept(self) -> int:
        """Count the promises that were kept."""
        async with self.units.system() as session:
            query = select(func.count()).select_from(Outbox).where(Outbox.done_at.is_not(None))
            return await session.scalar(query) or 0

    async def left(self) -> tuple[list[str], list[str]]:
        """Name what is promised and what is due, a few of each."""
        promised = select(Outbox.topic).where(Outbox.done_at.is_(None))
        is_active = Subscription.status == "active"
        due = select(Subscription.external_id).where(
            or_(
                Subscription.status == "pending",
                is_active & (Subscription.next_billing_at <= wall_now()),
                is_active & Subscription.ending_at.is_not(None),
            )
        )
        async with self.units.system() as session:
            found = [list(await session.scalars(query.limit(3))) for query in (promised, due)]
        return found[0], found[1]

    async def work(self, promises: int | None = None) -> bool:
        """Wait until all is done, or so many promises were kept; tells whether all is done."""
        goal = None if promises is None else await self.kept() + promises
        deadline, pause = monotonic() + SETTLE_SECONDS, threading.Event()
        while any(left := await self.left()):
            if goal is not None and await self.kept() >= goal:
                return False
            if not left[0]:
                await (
                    self.pass_an_hour()
                )  # what follows a downgrade that was late is billed by the next
            assert monotonic() < deadline, left
            pause.wait(0.05)
        return True

    def check(self) -> int:
        """Compare what was billed with what each subscription owes; returns how many fees."""
        count = 0
        for org in self.orgs:
            billed: dict[str, list[dict[str, Any]]] = {}
            for fee in _fees(org):
                billed.setdefault(fee["external_subscription_id"], []).append(fee)
                count += 1
            owing = {f"{kind} {n}" for kind in KINDS for n in range(1, self.customers + 1)}
            assert set(billed) == owing
            for name, fees in billed.items():
                self._check_one(name.split()[0], fees)
        return count

    def _check_one(self, name: str, fees: list[dict[str, Any]]) -> None:
        """Check that the days that were paid for follow each other from the first one on."""
        kind, periods = KINDS[name], sorted(map(_days_paid, fees))
        assert len(periods) == kind.fees, (name, fees)
        if kind.paid_from is not None:
            assert periods[0][0] == self.first_day + kind.paid_from * ONE_DAY
        if name in BILLED_UNTIL:
            assert periods[-1][1] == self.first_day + BILLED_UNTIL[name] * ONE_DAY
        for (_, end), (start, _) in pairwise(periods):
            assert start == end, (name, fees)


def _days_paid(fee: dict[str, Any]) -> tuple[date, date]:
    """Return the first day of a fee, and that after its last by what was paid for a week."""
    first_day = datetime.fromisoformat(fee["from_date"]).date()
    days, rest = divmod(fee["amount_cents"] * WEEK_DAYS, WEEKLY_CENTS[fee["item"]["code"]])
    assert 0 < days <= WEEK_DAYS, fee
    assert not rest, fee
    return first_day, first_day + days * ONE_DAY


def _fees(org: Org) -> Iterator[dict[str, Any]]:
    page: int | None = 1
    while page:
        answer = org.get(f"/fees?fee_type=subscription&per_page=1000&page={page}")
        yield from answer["fees"]
        page = answer["meta"]["next_page"]


@dataclass
class Stage:
    """A gateway, the processes beside it that bill, and the business to be billed."""

    gateway: Gateway
    crew: Crew
    business: Business


@dataclass
class Place:
    """A running gateway, what bills beside it, and the database they work on."""

    gateway: Gateway
    crew: Crew
    database_url: str
    encryption_key: str


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            gateway = stack.enter_context(Gateway(tmp_path / "data"))
            url = f"sqlite+aiosqlite:///{gateway.data_dir / 'tallygate.db'}"
            yield Place(gateway, Embedded(gateway), url, gateway.secrets["encryption_key"])
        else:
            url = asyncpg_url(stack.enter_context(fresh_database()))
            environment = {**environment_secrets(), **stack.enter_context(redis_server(tmp_path))}
            gateway = stack.enter_context(Gateway(tmp_path / "data", url, environment))
            crew = Deployed(gateway, tmp_path / "workers.log")
            stack.callback(crew.close)
            yield Place(gateway, crew, url, environment["TALLYGATE_ENCRYPTION_KEYS"])


@pytest.fixture
async def stage(place: Place) -> AsyncIterator[Stage]:
    gateway = place.gateway
    orgs = [gateway.organization(str(number), sandbox=False) for number in range(ORGANIZATIONS)]
    for org in orgs:
        for code, amount_cents in WEEKLY_CENTS.items():
            terms = {"amount_cents": amount_cents, "pay_in_advance": code == "advance"}
            add_plan(org, code, interval="weekly", **terms)
    KEYRING.use([place.encryption_key])
    units = Units(engines_for(place.database_url))
    yield Stage(gateway, place.crew, Business(units, orgs))
    await units.engines.dispose()


async def settle(stage: Stage) -> int:
    """Let everything be done and check it; returns how many promises were kept on the way."""
    before = await stage.business.kept()
    await stage.business.pass_an_hour()
    stage.crew.launch()
    await stage.business.work()
    stage.gateway.wait_until_ready()
    stage.business.check()
    return await stage.business.kept() - before


@pytest.mark.slow
async def test_nothing_is_billed_twice_or_missed(
    stage: Stage, report_figures: Callable[[object], None]
) -> None:
    chance = random.Random(20260102)  # noqa: S311 - which moments is no secret
    pause = threading.Event()
    await stage.business.fall_due()
    promises = await settle(stage)
    stage.crew.kill(chance)
    kills = at_work = 0
    for number in range(1, KILLS + 1):
        await stage.business.fall_due()
        await stage.business.pass_an_hour()
        stage.crew.launch()
        is_done = await stage.business.work(chance.randrange(promises * 3 // 4))
        pause.wait(chance.uniform(0, LONGEST_PAUSE_SECONDS))
        stage.crew.kill(chance)
        kills, at_work = kills + 1, at_work + (not is_done)
        if number % CHECKED_EVERY == 0 or number == KILLS:
            await settle(stage)
            if number < KILLS:
                stage.crew.kill(chance)
    fees = stage.business.check()
    stage.gateway.verify()
    report_figures(f"{kills} kills, {at_work} of them at work; {fees} fees, each once")
    assert at_work
