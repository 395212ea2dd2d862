"""`python -m tests.bench [--quick] [--only PART]`: prints the goals of the event path."""

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter_ns
from typing import Any, NamedTuple

from billing_core.ids import new_id
from billing_core.ports import Meter
from billing_core.store.events.postgres_ingest import asyncpg_url
from billing_core.store.events.schema import POSTGRES_DDL
from gateway.migrate import migrate
from tests.bench import billing, direct, pricing
from tests.bench.load import KEY
from tests.bench.machine import (
    Copy,
    Executemany,
    fdatasync_us,
    postgres_bare_scan,
    sqlite_bare_scan,
)
from tests.bench.report import Report
from tests.bench.server import ORG_ID
from tests.support.events import (
    EventRig,
    postgres_rig,
    rig_on,
    running_folder,
    running_writer,
    sqlite_rig,
)
from tests.support.postgres import SIZED, execute, fresh_database, use_settings

# The generator shares the machine with what is measured; ours, in Python, takes more of it.
WRK = shutil.which("wrk")
DIRECT_ROUNDS = 2
STORES = ("noop", "sqlite", "postgres")


class Load(NamedTuple):
    """One way of asking: how many connections, how many events in a request."""

    connections: int
    batch: int


@contextmanager
def server(kind: str, place: str) -> Iterator[int]:
    """Run one measured server; yields its port."""
    command = [sys.executable, "-m", "tests.bench.server", kind, place]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 - ours
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


class Http:
    """Alternating runs over all servers."""

    def __init__(self, report: Report, ports: dict[str, int], seconds: int) -> None:
        self._report = report
        self._ports = ports
        self._seconds = seconds
        self._seed = 0

    def measure(self, load: Load, kinds: Sequence[str], rounds: int) -> dict[str, dict[str, float]]:
        """Return medians by kind: requests_per_second, p50_us, p99_us."""
        found: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind in kinds:
                self._seed += 1
                found[kind].append(self._once(self._ports[kind], load))
        medians: dict[str, dict[str, float]] = {}
        for kind, results in found.items():
            what = f"{kind}, {load.connections} connections x {load.batch}"
            medians[kind] = {
                name: self._report.figure(f"{what}: {name}", [one[name] for one in results], "")
                for name in ("requests_per_second", "p50_us", "p99_us")
            }
        return medians

    def _command(self, port: int, load: Load) -> list[str]:
        if WRK is None:
            asked = (port, load.connections, self._seconds, load.batch, 1000, self._seed)
            return [sys.executable, "-m", "tests.bench.load", *map(str, asked)]
        script = str(Path(__file__).parent / "load.lua")
        threads = ("-t1", f"-c{load.connections}", f"-d{self._seconds}s", "--latency")
        arguments = (KEY, load.batch, 1000, self._seed)
        url = f"http://127.0.0.1:{port}"
        return [WRK, *threads, "-s", script, url, "--", *map(str, arguments)]

    def _once(self, port: int, load: Load) -> dict[str, float]:
        done = subprocess.run(  # noqa: S603 - ours
            self._command(port, load), capture_output=True, check=True
        )
        result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        assert result["refused"] == 0, result
        return result


def http(report: Report, directory: Path, quick: bool) -> None:  # noqa: FBT001 - a switch
    """G1 to G6."""
    report.section("HTTP")
    report.say(
        f"  load by {'wrk' if WRK else 'our own generator; wrk would leave more to measure'}"
    )
    seconds, rounds = (2, 2) if quick else (5, 5)
    with ExitStack() as stack:
        files = stack.enter_context(running_writer(directory))
        url = stack.enter_context(fresh_database())
        asyncio.run(execute(url, *POSTGRES_DDL))
        asyncio.run(_register(files, url))
        stack.enter_context(running_folder(url))
        places = {
            "echo": "-",
            "handler": "-",
            "noop": "-",
            "sqlite": str(files.socket_path),
            "postgres": url,
        }
        places |= {f"route-{kind}": places[kind] for kind in STORES}
        ports = {kind: stack.enter_context(server(kind, place)) for kind, place in places.items()}
        runs = Http(report, ports, seconds)
        single = runs.measure(Load(32, 1), tuple(places), rounds)
        _single_goals(report, single, "32")
        wide = runs.measure(Load(128, 1), tuple(f"route-{kind}" for kind in STORES), rounds)
        _store_goals(report, wide, "128")
        _batches(report, directory, url, runs, rounds)


async def _register(files: Any, url: str) -> None:
    async with rig_on(files) as rig:
        await rig.store.register_meter(ORG_ID, _meter())
    async with postgres_rig(url, is_empty=False) as rig:
        await rig.store.register_meter(ORG_ID, _meter())


def _meter() -> Meter:
    return Meter(new_id(), "tokens", "sum_agg", "tokens")


def _single_goals(report: Report, found: dict[str, dict[str, float]], connections: str) -> None:
    rate = {kind: one["requests_per_second"] for kind, one in found.items()}
    report.goal(
        "G1", "hot route, no store / raw ASGI echo", rate["noop"] / rate["echo"], ">= 0.55", 0.55
    )
    for number, kind in (("G2", "postgres"), ("G3", "sqlite")):
        what = f"{kind}, {connections} connections, hot path / idiomatic handler, no store"
        report.goal(number, what, rate[kind] / rate["handler"], ">= 1.0", 1)
    _store_goals(report, found, connections)


def _store_goals(report: Report, found: dict[str, dict[str, float]], connections: str) -> None:
    noop = found["route-noop"]
    for number, kind in (("G2", "postgres"), ("G3", "sqlite")):
        one = found[f"route-{kind}"]
        ratio = one["requests_per_second"] / noop["requests_per_second"]
        what = f"{kind}, {connections} connections, ordinary route / same, no store"
        report.goal(number, what, ratio, ">= 0.85", 0.85)
        report.goal("G4", f"{what}: p50", one["p50_us"] / noop["p50_us"], "<= 1.3", 1.3)
        report.goal("G4", f"{what}: p99", one["p99_us"] / noop["p99_us"], "<= 2", 2)


def _batches(report: Report, directory: Path, url: str, runs: Http, rounds: int) -> None:
    rates: dict[str, list[float]] = {"sqlite": [], "postgres": [], "executemany": [], "copy": []}
    bare = Executemany(directory / "bare.db")
    events = direct.live_events(ORG_ID, 50_000)
    for _ in range(rounds):
        found = runs.measure(Load(16, 100), ("sqlite", "postgres"), 1)
        for kind, one in found.items():
            rates[kind].append(one["requests_per_second"] * 100)
        rates["executemany"].append(bare.insert(events))
        rates["copy"].append(asyncio.run(_copy(url, events)))
    medians = {
        name: report.figure(f"{name}: events per second", values, "events/s")
        for name, values in rates.items()
    }
    ratio = medians["postgres"] / medians["copy"]
    report.goal("G5", "PostgreSQL, batches of 100 / COPY of 1000", ratio, ">= 0.40", 0.4)
    ratio = medians["sqlite"] / medians["executemany"]
    report.goal("G6", "SQLite, batches of 100 / executemany of 1000", ratio, ">= 0.35", 0.35)


async def _copy(url: str, events: Any) -> float:
    await execute(url, "DROP TABLE IF EXISTS copied")
    async with Copy(url) as copy:
        return await copy.insert(events)


async def _direct(
    report: Report, rig_context: Any, name: str, sizes: direct.Sizes, bare: direct.BareScan
) -> None:
    async with rig_context as rig:
        assert isinstance(rig, EventRig)
        await direct.run(report, rig, name, sizes, DIRECT_ROUNDS, bare)


def _billing(report: Report, directory: Path, count: int) -> None:
    async def on_sqlite() -> None:
        async with sqlite_rig(directory) as rig:
            url = f"sqlite+aiosqlite:///{directory / 'billing.db'}"
            await migrate(url)
            await billing.run(report, "sqlite", url, rig, count)

    async def on_postgres(url: str) -> None:
        await migrate(url)
        async with postgres_rig(asyncpg_url(url), is_empty=False) as rig:
            await billing.run(report, "postgres", url, rig, count)

    asyncio.run(on_sqlite())
    with fresh_database() as url:
        asyncio.run(on_postgres(url.replace("postgresql://", "postgresql+asyncpg://")))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="under two minutes")
    parser.add_argument("--only", choices=("pricing", "http", "sqlite", "postgres", "billing"))
    arguments = parser.parse_args()
    use_settings(*SIZED)
    report = Report()
    sizes = direct.QUICK if arguments.quick else direct.FULL
    begin = perf_counter_ns()
    with tempfile.TemporaryDirectory(prefix="bench") as temporary:
        directory = Path(temporary)
        report.section("this machine")
        middle, slow = fdatasync_us(directory)
        report.say(f"  fdatasync of 8 KiB: p50 {middle:.0f} us, p99 {slow:.0f} us")
        if arguments.only in {None, "pricing"}:
            pricing.run(report)
        if arguments.only in {None, "http"}:
            http(report, directory, arguments.quick)
        if arguments.only in {None, "billing"}:
            _billing(report, directory, 400 if arguments.quick else 10_000)
        if arguments.only in {None, "sqlite"}:
            with running_writer(directory) as files:
                bare = sqlite_bare_scan(directory)
                asyncio.run(_direct(report, rig_on(files), "sqlite", sizes, bare))
        if arguments.only in {None, "postgres"}:
            with fresh_database() as url:
                asyncio.run(execute(url, *POSTGRES_DDL))
                with running_folder(url):
                    rig = postgres_rig(url, is_empty=False)
                    bare = postgres_bare_scan(url)
                    asyncio.run(_direct(report, rig, "postgres", sizes, bare))
    report.close()
    report.say(f"\n{(perf_counter_ns() - begin) / 1e9:.0f} seconds")


if __name__ == "__main__":
    main()
