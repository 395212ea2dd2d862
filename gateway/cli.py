"""The command line: `tallygate serve`, `worker`, `clock`, `migrate`, `org`, `verify`."""

import logging
import sys
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click
import uvloop

from billing_core.services import organizations
from billing_core.store.columns import KEYRING
from billing_core.store.unit import Units, engines_for
from billing_core.wire.organizations import OrganizationIn
from gateway import processes, serve, verify
from gateway.core import database_url
from gateway.embedded import AlreadyRunning, DataDirectory, RedisMissing, read_secrets
from gateway.migrate import migrate
from gateway.settings import Settings, SettingsError

DATA_DIR = click.option(
    "--data-dir", type=click.Path(path_type=Path), default=None, help="Where state lives."
)


@click.group()
@click.version_option(package_name="tallygate")
def main() -> None:
    """Tallygate, the open usage-billing gateway."""


@main.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64))
@DATA_DIR
def serve_command(host: str, port: int, workers: int, data_dir: Path | None) -> None:
    """Run the gateway; embedded when TALLYGATE_DATABASE_URL is not set."""
    settings = _settings(data_dir)
    _run(serve.serve(settings, serve.Address(host, port, workers)))


@main.command("worker")
@click.argument("queues", nargs=-1)
@DATA_DIR
def worker_command(queues: tuple[str, ...], data_dir: Path | None) -> None:
    """Keep promises: all queues, or only the named ones."""
    _run(processes.work(_complete(_settings(data_dir)), queues))


@main.command("clock")
@DATA_DIR
def clock_command(data_dir: Path | None) -> None:
    """Promise scheduled jobs at their ticks."""
    _run(processes.tick(_complete(_settings(data_dir))))


@main.command("migrate")
@DATA_DIR
def migrate_command(data_dir: Path | None) -> None:
    """Bring the database to the current schema."""
    settings = _settings(data_dir)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    _run(migrate(database_url(settings)))
    click.echo("The database is current.")


@main.group("org")
def org_group() -> None:
    """Organizations."""


@org_group.command("create")
@click.argument("name")
@click.option("--sandbox", is_flag=True, help="May move its clock (test clock).")
@DATA_DIR
def create_org(name: str, *, sandbox: bool, data_dir: Path | None) -> None:
    """Create an organization; prints its id and its first API key."""
    settings = _settings(data_dir)
    if settings.is_embedded and read_secrets(settings.data_dir) is None:
        with DataDirectory(settings.data_dir):
            pass  # the first command on a new data directory makes its secrets
    settings = _complete(settings)
    organization_id, key = _run(_create_org(settings, name, sandbox=sandbox))
    click.echo(f"organization {organization_id}")
    click.echo(f"api_key      {key}")


@main.command("verify")
@DATA_DIR
def verify_command(data_dir: Path | None) -> None:
    """Re-derive every stored total; exit 1 and name what does not add up."""
    problems = _run(verify.run(_complete(_settings(data_dir))))
    for problem in problems:
        click.echo(problem)
    click.echo("Everything adds up." if not problems else f"{len(problems)} problems.")
    sys.exit(1 if problems else 0)


async def _create_org(settings: Settings, name: str, *, sandbox: bool) -> tuple[str, str]:
    await migrate(database_url(settings))
    async with AsyncExitStack() as stack:
        KEYRING.use(settings.encryption_keys)
        engines = engines_for(database_url(settings))
        stack.push_async_callback(engines.dispose)
        data = OrganizationIn(name=name, sandbox=sandbox)
        organization, key = await organizations.create(Units(engines), data)
        return str(organization.id), key


def _settings(data_dir: Path | None) -> Settings:
    try:
        settings = Settings.from_environment(data_dir=data_dir)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    return settings


def _complete(settings: Settings) -> Settings:
    found = read_secrets(settings.data_dir)
    try:
        return (settings.with_secrets(found) if found else settings).require_secrets()
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        return uvloop.run(work)
    except (AlreadyRunning, RedisMissing, SettingsError, OSError) as error:
        raise click.ClickException(str(error)) from None
