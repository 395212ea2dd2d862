"""Gateways that tests share: starting one takes seconds, an organization milliseconds."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.gateway import Gateway, Org
from tests.support.postgres import fresh_database

DATABASES = ("sqlite", "postgres")
FIGURES = "figures"
# Files are shared out whole among the workers: the longest come first, so that none is left alone
# with one of them at the end.
LONGEST = ("scenarios", "e2e", "properties")
SHARED = {"TALLYGATE_WEBHOOK_ALLOW_PRIVATE": "1"}


def asyncpg_url(url: str) -> str:
    """Return a PostgreSQL URL as settings want it."""
    return url.replace("postgresql://", "postgresql+asyncpg://", 1)


class Shared:
    """One running gateway per database, started when it is first asked for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running = ExitStack()
        self._gateways: dict[str, Gateway] = {}

    def on(self, database: str) -> Gateway:
        """Return the gateway of a database."""
        if database not in self._gateways:
            url = None
            if database == "postgres":
                url = asyncpg_url(self._running.enter_context(fresh_database()))
            gateway = Gateway(self._directory / database, url, SHARED)
            self._gateways[database] = self._running.enter_context(gateway)
        return self._gateways[database]

    def close(self) -> None:
        """Everything that tests did in the shared gateways must add up; then stop them."""
        with self._running:
            for gateway in self._gateways.values():
                gateway.verify()


@pytest.fixture(scope="session")
def shared_gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    shared = Shared(tmp_path_factory.mktemp("shared"))
    yield shared
    shared.close()


@pytest.fixture(scope="session")
def gateway(shared_gateways: Shared) -> Gateway:
    """Return the embedded gateway."""
    return shared_gateways.on("sqlite")


@pytest.fixture(scope="session", params=DATABASES)
def any_gateway(request: pytest.FixtureRequest, shared_gateways: Shared) -> Gateway:
    """Return the embedded gateway, then one on PostgreSQL."""
    return shared_gateways.on(request.param)


@pytest.fixture
def org(gateway: Gateway) -> Org:
    """Return a fresh sandbox organization."""
    return gateway.organization()


@pytest.fixture
def report_figures(record_property: Callable[[str, object], None]) -> Callable[[object], None]:
    """Return what notes measured figures: the run prints them at its end."""
    return lambda figures: record_property(FIGURES, str(figures))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Play the folders whose tests take longest first."""
    items.sort(key=lambda item: item.path.parent.name not in LONGEST)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures of all tests, whichever process measured them."""
    lines = [
        f"{report.nodeid.rpartition('/')[2]}: {figures}"
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, figures in report.user_properties
        if name == FIGURES
    ]
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.line(line)
