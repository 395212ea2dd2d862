"""The test clock of sandbox organizations: a year of billing in seconds."""

from collections.abc import Mapping
from typing import Any

from litestar import delete, get, post
from litestar.di import NamedDependency

from billing_core.domain.errors import Invalid
from billing_core.services import clocks
from billing_core.store.unit import Unit
from billing_core.wire.base import Flag, In
from billing_core.wire.dates import instant_text, parse_instant
from billing_core.wire.types import ShortText
from gateway.auth import Principal
from gateway.http import Answer, Operation, Takes, one
from gateway.jobs import clock as clock_jobs
from gateway.jobs.parts import Parts
from gateway.jobs.perform import drain

ROOT = "test_clock"
EARLIEST_YEAR, LATEST_YEAR = 1970, 2200


class TestClockIn(In):
    """Where to set the clock; with `catch_up` due jobs run on the way."""

    frozen_time: ShortText
    catch_up: Flag | None = None


@post(
    "/test_clock",
    operation_id="setTestClock",
    status_code=200,
    opt=Operation(takes=Takes(ROOT, TestClockIn), refuses=(400, 413, 422)).opt(),
)
async def set_clock(
    principal: NamedDependency[Principal],
    parts: NamedDependency[Parts],
    payload: NamedDependency[TestClockIn],
) -> Answer:
    """Freeze the organization's time."""
    at = parse_instant(payload.frozen_time)
    if at is None or not EARLIEST_YEAR <= at.year <= LATEST_YEAR:
        raise Invalid.field("frozen_time", "invalid_date")
    await clock_jobs.set_clock(parts, principal.org_id, at, catch_up=bool(payload.catch_up))
    return one(ROOT, {"frozen_time": instant_text(at)})


@get("/test_clock", operation_id="findTestClock", opt=Operation(refuses=()).opt())
async def find_clock(unit: NamedDependency[Unit]) -> Answer:
    """Return the frozen time; null means real time."""
    clocks.check_sandbox(unit)
    at = unit.org.frozen_at
    return one(ROOT, {"frozen_time": at and instant_text(at)})


@delete(
    "/test_clock",
    operation_id="liftTestClock",
    status_code=200,
    opt=Operation(refuses=()).opt(),
)
async def lift_clock(
    principal: NamedDependency[Principal], parts: NamedDependency[Parts]
) -> Answer:
    """Return to real time."""
    await clock_jobs.lift_clock(parts, principal.org_id)
    return one(ROOT, {"frozen_time": None})


@post(
    "/test_clock/run",
    operation_id="runTestClockJob",
    status_code=200,
    opt=Operation(refuses=(400, 422)).opt(),
)
async def run_job(
    principal: NamedDependency[Principal],
    parts: NamedDependency[Parts],
    loose: NamedDependency[Mapping[str, Any]],
) -> Answer:
    """Run one scheduled job now, with all that follows from it."""
    await clock_jobs.run_job(parts, principal.org_id, loose.get("job"))
    return one(ROOT, {"job": loose.get("job")})


@post(
    "/test_clock/drain",
    operation_id="drainTestClock",
    status_code=200,
    opt=Operation(refuses=()).opt(),
)
async def drain_clock(
    principal: NamedDependency[Principal], parts: NamedDependency[Parts]
) -> Answer:
    """Answer when no background work is left, outgoing deliveries aside."""
    async with parts.units.read(principal.org_id) as unit:
        clocks.check_sandbox(unit)
    return one(ROOT, {"drained": await drain(parts, principal.org_id)})


RESOURCE = None
TAG = "test_clock"
HANDLERS = [set_clock, find_clock, lift_clock, run_job, drain_clock]
