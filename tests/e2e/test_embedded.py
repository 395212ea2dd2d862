"""The data directory and its processes, with real servers that are really killed."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from billing_core.clock import monotonic
from gateway.children import Child, ChildFailed, ChildSpec
from gateway.embedded import (
    MULTI_PART_AOF,
    AlreadyRunning,
    DataDirectory,
    RedisServer,
    RedisTooOld,
    SecretsUnreadable,
    find_redis,
    read_secrets,
)

ROOT = Path(__file__).parents[2]
HOLDER = """
import asyncio, pathlib, sys
from gateway.embedded import DataDirectory, RedisServer

async def main():
    held = DataDirectory(pathlib.Path(sys.argv[1]))
    redis = RedisServer(held.path, held.secrets.redis_password)
    await redis.start()
    print(redis.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def until(condition: Callable[[], bool], seconds: int = 20) -> None:
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


def client_of(server: RedisServer) -> Redis:
    return Redis.from_url(server.role.url, password=server.role.password, decode_responses=True)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds `tmp_path / "data"` and runs its Redis."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "data")]
    with subprocess.Popen(  # noqa: S603 - our own interpreter and script
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def test_secrets_are_made_once_and_are_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "data"
    with DataDirectory(path) as first:
        made = first.secrets
    assert mode_of(path) == 0o700
    assert mode_of(path / "secrets.json") == 0o600
    assert mode_of(path / "lock") == 0o600
    with DataDirectory(path) as second:
        assert second.secrets == made
    assert read_secrets(path) == made
    Fernet(made.encryption_key)
    assert made.rsa_private_key.startswith("-----BEGIN PRIVATE KEY-----")
    shown = repr(made)
    assert made.admin_key not in shown
    assert made.encryption_key not in shown


def test_only_missing_secrets_are_added(tmp_path: Path) -> None:
    assert read_secrets(tmp_path) is None
    (tmp_path / "secrets.json").write_text('{"admin_key": "kept", "later": "also kept"}')
    with DataDirectory(tmp_path) as held:
        assert held.secrets.admin_key == "kept"
        assert held.secrets.redis_password
    assert "also kept" in (tmp_path / "secrets.json").read_text()
    assert mode_of(tmp_path / "secrets.json") == 0o600


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"encryption_key": ""}', '{"admin_key": 1}'])
def test_damaged_secrets_are_never_replaced(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(damage)
    for _ in range(2):  # the refusal must not keep the lock
        with pytest.raises(SecretsUnreadable, match=r"secrets\.json"):
            DataDirectory(tmp_path)
    assert path.read_text() == damage


def test_a_second_holder_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    with (
        DataDirectory(tmp_path),
        pytest.raises(AlreadyRunning, match=rf"process {os.getpid()}.*--data-dir"),
    ):
        DataDirectory(tmp_path)
    DataDirectory(tmp_path).close()


async def test_what_redis_acknowledged_survives_a_restart(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "with space", 'p"w\\d')
    (tmp_path / "with space").mkdir()
    await server.start()
    first_pid = server.pid
    async with client_of(server) as client:
        await client.set("promise", "kept")
    await server.stop()
    assert server.pid is None
    await server.start()
    async with client_of(server) as client:
        assert await client.get("promise") == "kept"
    assert server.pid != first_pid
    assert mode_of(server.directory / "appendonly.aof") & 0o077 == 0
    async with Redis.from_url(server.role.url) as stranger:
        with pytest.raises(Exception, match=r"(?i)auth"):
            await stranger.get("promise")
    await server.stop()


async def test_a_redis_that_dies_is_started_again_with_its_data(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    await server.start()
    async with client_of(server) as client:
        await client.set("promise", "kept")
    assert server.pid
    os.kill(server.pid, signal.SIGKILL)
    await until(lambda: server.restarts == 1)
    async with client_of(server) as client:
        assert await client.get("promise") == "kept"
    await server.stop()


async def test_a_deep_directory_gets_a_short_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    server = RedisServer(deep)
    await server.start()
    place = (deep / "redis.sock").readlink()
    assert RedisServer(deep).role == server.role, "another process finds the same socket"
    async with client_of(server) as client:
        assert await client.ping()
    await server.stop()
    assert not place.parent.exists()
    assert not (deep / "redis.sock").is_symlink()


async def test_redis_dies_with_a_killed_gateway(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    assert holder.stdout
    redis_pid = int(holder.stdout.readline())
    assert "redis-server" in " ".join(psutil.Process(redis_pid).cmdline())
    with pytest.raises(AlreadyRunning, match=f"process {holder.pid}"):
        DataDirectory(tmp_path / "data")
    holder.kill()
    holder.wait()
    await until(lambda: not psutil.pid_exists(redis_pid))
    with DataDirectory(tmp_path / "data") as held:
        server = RedisServer(held.path, held.secrets.redis_password)
        await server.start()
        await server.stop()


async def test_a_stale_redis_is_ended_first_and_its_data_stays(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    await server.start()
    await server.stop()
    # Started by hand it does not die with its parent, as after a kill where no signal is sent.
    stale = await asyncio.create_subprocess_exec(
        find_redis(), tmp_path / "redis.conf", stdout=asyncio.subprocess.DEVNULL
    )
    await until((tmp_path / "redis.pid").exists)
    await until((tmp_path / "redis.sock").exists)
    async with client_of(server) as client:
        await client.set("promise", "kept")
    starting = asyncio.create_task(server.start())
    assert await asyncio.wait_for(stale.wait(), 20) == 0
    await starting
    async with client_of(server) as client:
        assert await client.get("promise") == "kept"
    await server.stop()


async def test_a_pid_that_now_belongs_to_another_program_is_left_alone(tmp_path: Path) -> None:
    innocent = await asyncio.create_subprocess_exec("sleep", "60")
    (tmp_path / "redis.pid").write_text(f"{innocent.pid}\n")
    server = RedisServer(tmp_path)
    await server.start()
    await server.stop()
    assert innocent.returncode is None
    innocent.kill()
    assert await innocent.wait() == -signal.SIGKILL


async def test_files_of_a_newer_redis_are_not_ignored(tmp_path: Path) -> None:
    (tmp_path / MULTI_PART_AOF).mkdir()
    with pytest.raises(RedisTooOld, match="Redis 7"):
        await RedisServer(tmp_path).start()


def spec_of(script: str, log_path: Path, ready: Callable[[], bool]) -> ChildSpec:
    async def is_ready() -> bool:
        return ready()

    return ChildSpec(
        name="writer",
        command=(sys.executable, "-c", script),
        ready=is_ready,
        log_path=log_path,
        ready_timeout_seconds=20,
        stop_timeout_seconds=1,
    )


async def test_a_child_that_fails_tells_its_last_words(tmp_path: Path) -> None:
    spec = spec_of("import sys; sys.exit('no disk')", tmp_path / "log", lambda: False)
    with pytest.raises(ChildFailed, match=r"writer ended with 1.*no disk"):
        await Child(spec).start()


async def test_a_child_deaf_to_sigterm_is_killed(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = (
        "import pathlib, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"pathlib.Path({str(mark)!r}).touch(); signal.pause()"
    )
    child = Child(spec_of(script, tmp_path / "log", mark.exists))
    await child.start()
    pid = child.pid
    assert pid
    assert os.getsid(pid) == pid, "Ctrl-C must not reach it"
    assert mode_of(mark) == 0o600
    await child.stop()
    assert not psutil.pid_exists(pid)
    assert not child.is_running


async def test_a_child_that_keeps_failing_is_tried_until_it_runs(tmp_path: Path) -> None:
    mark, runs = tmp_path / "mark", tmp_path / "runs"
    script = (
        "import pathlib, signal, sys; "
        f"runs = pathlib.Path({str(runs)!r}); "
        "count = len(runs.read_text()) if runs.exists() else 0; "
        "runs.write_text('x' * (count + 1)); "
        "count in (1, 2) and sys.exit('not now'); "
        f"pathlib.Path({str(mark)!r}).touch(); signal.pause()"
    )
    child = Child(spec_of(script, tmp_path / "log", mark.exists))
    await child.start()
    mark.unlink()
    assert child.pid
    os.kill(child.pid, signal.SIGKILL)
    await until(lambda: child.restarts == 1)
    assert runs.read_text() == "xxxx", "the first run, two failures and the one that stayed"
    await child.stop()
