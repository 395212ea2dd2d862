"""The clock: in real time it promises jobs at their ticks, in test time it plays them at once."""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from billing_core.clock import wall_now
from billing_core.services import clocks
from billing_core.store import outbox, timers
from billing_core.store.unit import Units
from gateway.jobs.leadership import leadership_of
from gateway.jobs.parts import Parts
from gateway.jobs.perform import drain

POLL_SECONDS = 1.0
ONE_SECOND = timedelta(seconds=1)
log = logging.getLogger(__name__)


class Clock:
    """Ticks for every organization in real time. One leader at a time; others wait."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self._leadership = leadership_of(units.engines)
        self._leads: bool | None = None
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Tick until stopped; an outage is waited out and what was missed is caught up."""
        while not self._stopping.is_set():
            try:
                if await self._is_leader():
                    await self.tick(wall_now())
            except Exception:
                # the loop must outlive outages; due rows stay due
                log.exception("the clock could not tick")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), POLL_SECONDS)
        await self._leadership.resign()

    async def _is_leader(self) -> bool:
        leads = await self._leadership.held()
        if leads != self._leads:
            log.info("this clock leads" if leads else "another clock leads, this one waits")
        self._leads = leads
        return leads

    def stop(self) -> None:
        """End after the current round."""
        self._stopping.set()

    async def tick(self, now: datetime) -> int:
        """Promise each job whose tick has passed since its last run; returns how many."""
        async with self._units.system() as session:
            last_runs = await timers.last_runs(session)
        promised = 0
        for job in clocks.JOBS.values():
            last = last_runs.get(job.name)
            if job.work is None or (last is not None and job.tick(last + ONE_SECOND) > now):
                continue
            promised += await self._promise(job.name, now)
        return promised

    async def _promise(self, name: str, now: datetime) -> int:
        async with self._units.system() as session:
            before = now - clocks.WEBHOOKS_KEPT
            due = await timers.organizations_due(session, name, now, now.date(), before)
        for org_id in due:
            async with self._units.open(org_id) as unit:
                unit.promise(clocks.RUN_TOPIC, {"job": name})
        async with self._units.system(write=True) as session:
            await timers.note_run(session, name, now)
            if name == "clean_webhooks":
                await outbox.forget_kept(session, now)
        return len(due)


async def run_job(parts: Parts, org_id: UUID, name: object) -> None:
    """Run one scheduled job now for an organization, then all that follows from it."""
    job = clocks.job_named(name)
    async with parts.units.open(org_id) as unit:
        clocks.check_sandbox(unit)
        if job.work is not None:
            await job.work(unit, parts.events)
    await drain(parts, org_id)


async def set_clock(parts: Parts, org_id: UUID, target: datetime, *, catch_up: bool) -> None:
    """Freeze an organization's time; with `catch_up` its jobs run at their ticks on the way."""
    async with parts.units.open(org_id) as unit:
        start = unit.now
        forward = catch_up and target > start
        await clocks.freeze(unit, start if forward else target, jump=not forward)
    await drain(parts, org_id)
    if forward:
        await _play(parts, org_id, target)
        async with parts.units.open(org_id) as unit:
            await clocks.freeze(unit, target, jump=False)


async def lift_clock(parts: Parts, org_id: UUID) -> None:
    """Return an organization to real time."""
    async with parts.units.open(org_id) as unit:
        await clocks.freeze(unit, None, jump=True)


async def _play(parts: Parts, org_id: UUID, target: datetime) -> None:
    ran_at: dict[str, datetime] = {}
    while True:
        async with parts.units.open(org_id) as unit:
            found = await clocks.next_due(unit, ran_at)
            if found is None or found[0] > target:
                return
            tick, job = found
            await clocks.freeze(unit, tick, jump=False)
            if job.work is not None:
                await job.work(unit, parts.events)
        ran_at[job.name] = tick
        await drain(parts, org_id)
