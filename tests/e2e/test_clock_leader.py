"""One clock leads: a second one waits, and takes over when the first is gone."""

import subprocess
from pathlib import Path

from gateway.jobs.leadership import FileLeadership
from tests.conftest import asyncpg_url
from tests.support.deployment import environment_secrets, redis_server, running
from tests.support.gateway import MAIN, ROOT, STOP_SECONDS, child_environment
from tests.support.postgres import fresh_database
from tests.support.waiting import until

LEADS, WAITS = "this clock leads", "another clock leads, this one waits"


def says(log: Path, words: str) -> None:
    """Wait until a process has logged these words."""
    until(lambda: log.exists() and words in log.read_text(), f"{log.name} never says: {words}")


def test_a_clock_takes_over_from_one_that_was_killed(tmp_path: Path) -> None:
    with fresh_database() as url, redis_server(tmp_path) as redis:
        environment = child_environment(
            {**environment_secrets(), **redis, "TALLYGATE_DATABASE_URL": asyncpg_url(url)}
        )
        arguments = ("--data-dir", str(tmp_path))
        subprocess.run(  # noqa: S603 - our own interpreter and module
            [*MAIN, "migrate", *arguments], cwd=ROOT, env=environment, check=True
        )
        first_log, second_log = tmp_path / "first.log", tmp_path / "second.log"
        with first_log.open("ab") as log:
            first = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [*MAIN, "clock", *arguments], cwd=ROOT, env=environment, stderr=log
            )
        try:
            says(first_log, LEADS)
            with running(second_log, environment, "clock", *arguments):
                says(second_log, WAITS)
                assert LEADS not in second_log.read_text()
                first.kill()
                says(second_log, LEADS)
        finally:
            first.kill()
            first.wait(STOP_SECONDS)


async def test_on_one_machine_a_file_decides(tmp_path: Path) -> None:
    first, second = (FileLeadership(tmp_path / "tallygate.db.clock") for _ in range(2))
    assert await first.held()
    assert await first.held(), "who leads goes on leading"
    assert not await second.held()
    await first.resign()
    assert await second.held()
    assert not await first.held()
    await second.resign()
