"""Starting, stopping and sharing: what an operator does to a gateway."""

import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from billing_core.clock import wall_now
from tests.conftest import asyncpg_url
from tests.support.billing import (
    add_metric,
    add_plan,
    charge,
    current_usage,
    invoices,
    send,
    subscribe,
    usage_event,
)
from tests.support.deployment import environment_secrets, redis_server, running
from tests.support.gateway import Gateway, Org, free_port
from tests.support.postgres import fresh_database
from tests.support.waiting import until


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Return a running gateway that a test may stop if it starts it again."""
    with Gateway(tmp_path_factory.mktemp("own") / "data") as gateway:
        yield gateway


def everything(org: Org) -> dict[str, Any]:
    """Return what the API shows of an organization; links to files hold the time."""
    lists = (
        "billable_metrics",
        "plans",
        "customers",
        "subscriptions",
        "events",
        "invoices",
        "fees",
    )
    found: dict[str, Any] = {name: org.get(f"/{name}") for name in lists}
    for invoice in found["invoices"]["invoices"]:
        assert invoice.pop("file_url")
    return {
        **found,
        "usage": current_usage(org),
        "organization": org.get("/organizations"),
        "clock": org.get("/test_clock"),
    }


def living(org: Org) -> None:
    """Bill a first month and use something of the second."""
    org.clock("2026-01-01T00:00:00Z")
    metric_id = add_metric(org, "usage")
    add_plan(org, charges=[charge(metric_id, "standard", {"amount": "0.25"})])
    subscribe(org)
    send(org, "first", "10")
    org.clock("2026-02-01T06:00:00Z", catch_up=True)
    send(org, "second", "3")


def test_state_survives_a_restart(own: Gateway) -> None:
    org = own.organization(default_currency="EUR")
    living(org)
    before, secrets = everything(org), own.secrets
    (invoice,) = invoices(org)
    own.restart()
    assert httpx.get(invoice["file_url"]).content.startswith(b"%PDF")
    assert everything(org) == before
    assert own.secrets == secrets
    refused = org.post("/events", {"event": usage_event("second")}, 422)
    assert refused["error_details"] == {"transaction_id": ["value_already_exist"]}
    send(org, "third", "1")
    assert current_usage(org)["amount_cents"] == 100
    own.verify()


def test_a_second_gateway_on_the_same_data_is_refused(own: Gateway) -> None:
    told = own.command("serve", "--port", str(free_port()))
    assert told.returncode == 1
    assert f"is in use by process {own.pid}" in told.stderr
    assert "--data-dir" in told.stderr
    assert "Traceback" not in told.stderr
    assert httpx.get(f"{own.url}/health/ready").status_code == httpx.codes.OK


def test_a_port_that_is_taken_is_named(own: Gateway, tmp_path: Path) -> None:
    other = Gateway(tmp_path / "other")
    told = other.command("serve", "--port", str(own.port))
    assert told.returncode == 1
    assert "address already in use" in told.stderr.lower()
    assert "Traceback" not in told.stderr


def test_sigterm_finishes_what_was_begun(own: Gateway) -> None:
    org, loaded = own.organization(), own.organization(sandbox=False)
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org)
    subscribe(org)
    acknowledged: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        playing = pool.submit(org.clock, "2028-01-01T12:00:00Z", catch_up=True)
        for number in range(3):
            pool.submit(send_until_stopped, loaded, number, acknowledged)
        # the first month was billed, most of the others are still to come
        until(lambda: len(org.get("/invoices")["invoices"]) >= 1, "the years do not begin")
        until(lambda: len(acknowledged) >= 50, "no events are acknowledged")
        assert not playing.done()
        own.stop()
        playing.result()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{own.url}/health/live")
    own.start()
    assert org.get("/test_clock")["test_clock"]["frozen_time"] == "2028-01-01T12:00:00Z"
    assert [one["sequential_id"] for one in invoices(org)] == list(range(1, 25))
    found = {one["transaction_id"] for one in loaded.get("/events?per_page=1000")["events"]}
    assert set(acknowledged) <= found


def send_until_stopped(org: Org, number: int, acknowledged: list[str]) -> None:
    """Send events, fewer than a page holds, until nobody answers; note what was stored."""
    with suppress(httpx.TransportError):
        for count in range(300):
            name = f"{number}-{count}"
            answer = org.http.post("/events", json={"event": usage_event(name)})
            if answer.status_code != httpx.codes.OK:
                return
            acknowledged.append(name)


def test_several_workers_serve_one_port(tmp_path: Path) -> None:
    with Gateway(tmp_path / "data", arguments=("--workers", "2")) as gateway:
        org = gateway.organization(sandbox=False)
        # the second process may still be starting when the first is ready
        until(lambda: len(serving(gateway)) == 2, "the second process serves nothing")
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda name: in_its_own_connection(org, name), range(100)))
        assert set(answers) == {httpx.codes.OK}
        assert org.get("/events")["meta"]["total_count"] == 100
        (second,) = serving(gateway) - {gateway.pid}
        os.kill(second, signal.SIGKILL)
        until(lambda: len(serving(gateway) - {second}) == 2, "it is not started again")
        answers = [in_its_own_connection(org, 100 + name) for name in range(20)]
        assert set(answers) == {httpx.codes.OK}
        gateway.verify()


def in_its_own_connection(org: Org, name: int) -> int:
    """Send an event by a new connection, so that the kernel chooses the process."""
    headers = {"Authorization": f"Bearer {org.key}"}
    body = {"event": usage_event(str(name))}
    return httpx.post(f"{org.url}/api/v1/events", json=body, headers=headers).status_code


def serving(gateway: Gateway) -> set[int]:
    """Return the processes of a gateway that listen on its port."""
    first = psutil.Process(gateway.pid)
    found: set[int] = set()
    for process in (first, *first.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            connections = process.net_connections(kind="tcp")
            if any(
                one.status == psutil.CONN_LISTEN and one.laddr.port == gateway.port
                for one in connections
            ):
                found.add(process.pid)
    return found


def test_commands_beside_a_running_gateway(own: Gateway) -> None:
    assert own.command("migrate").stdout == "The database is current.\n"
    told = own.command("org", "create", "From the shell", "--sandbox")
    assert told.returncode == 0, told.stderr
    found = re.fullmatch(r"organization (\S+)\napi_key      (\S+)\n", told.stdout)
    assert found
    headers = {"Authorization": f"Bearer {found[2]}"}
    shown = httpx.get(f"{own.url}/api/v1/organizations", headers=headers).json()["organization"]
    assert (shown["lago_id"], shown["name"]) == (found[1], "From the shell")
    assert shown["sandbox"] is True
    assert own.admin("GET", f"/organizations/{found[1]}")["organization"]["hmac_key"]


def test_verify_names_what_does_not_add_up(own: Gateway) -> None:
    org = own.organization()
    living(org)
    own.verify()
    (invoice,) = invoices(org)
    add_to_total(own, invoice, 1)
    told = own.command("verify")
    add_to_total(own, invoice, -1)
    assert told.returncode == 1
    wanted = rf"invoice {invoice['number']} .*total_amount_cents is 1251, its fees give 1250"
    assert re.search(wanted, told.stdout)
    assert told.stdout.splitlines()[-1] == "1 problems."
    own.verify()


def add_to_total(gateway: Gateway, invoice: dict[str, Any], difference: int) -> None:
    """Change an invoice by hand, behind the gateway's back."""
    with closing(sqlite3.connect(gateway.data_dir / "tallygate.db")) as database:
        changed = database.execute(
            "UPDATE invoices SET total_amount_cents = total_amount_cents + ? WHERE number = ?",
            (difference, invoice["number"]),
        )
        database.commit()
        assert changed.rowcount == 1


def test_commands_before_the_first_start(tmp_path: Path) -> None:
    fresh = Gateway(tmp_path / "data")
    assert fresh.command("migrate").returncode == 0
    told = fresh.command("verify")
    assert told.returncode == 1
    assert "TALLYGATE_" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    wrong = {"TALLYGATE_DATABASE_URL": "mysql://nowhere/db"}
    told = Gateway(tmp_path / "data", environment=wrong).command("serve")
    assert told.returncode == 1
    assert "TALLYGATE_DATABASE_URL" in told.stderr
    assert "Traceback" not in told.stderr
    assert not (tmp_path / "data").exists()


def test_a_deployment_of_several_processes(tmp_path: Path) -> None:
    with fresh_database() as url, redis_server(tmp_path) as redis:
        environment = {**environment_secrets(), **redis}
        gateway = Gateway(tmp_path / "data", asyncpg_url(url), environment)
        assert gateway.command("migrate").stdout == "The database is current.\n"
        with gateway:
            work_without_workers_waits(gateway)
            org = org_with_due_subscriptions(gateway)
            with running(tmp_path / "worker.log", gateway.environment, "worker"):
                until(lambda: len(found(org, "s-advance")) == 1, "the worker makes no invoice")
                until(lambda: bool(found(org, "s-advance")[0]["file_url"]), "nor its PDF")
                assert found(org, "s-due") == [], "nobody has looked what is due"
                with running(tmp_path / "clock.log", gateway.environment, "clock"):
                    until(lambda: len(found(org, "s-due")) == 1, "the clock bills nothing")
            assert found(org, "s-due")[0]["total_amount_cents"] == 700
            gateway.verify()


def work_without_workers_waits(gateway: Gateway) -> None:
    """Check that the gateway itself neither works nor ticks where Redis is given."""
    commands = [" ".join(one.cmdline()) for one in psutil.Process(gateway.pid).children()]
    assert not any("redis" in command or "writer" in command for command in commands)


def org_with_due_subscriptions(gateway: Gateway) -> Org:
    """Return an organization in real time: one start to be invoiced, one week to be billed."""
    org = gateway.organization(sandbox=False)
    add_plan(org, "advance", pay_in_advance=True)
    add_plan(org, "weekly", interval="weekly", amount_cents=700)
    subscribe(org, "advance", "s-advance", "c-advance")
    a_week_ago = (wall_now() - timedelta(days=7)).isoformat()
    subscribe(
        org, "weekly", "s-due", "c-due", subscription_at=a_week_ago, billing_time="anniversary"
    )
    assert org.get("/invoices")["invoices"] == []
    return org


def found(org: Org, subscription: str) -> list[dict[str, Any]]:
    """Return the invoices of the customer that belongs to a subscription."""
    return invoices(org, f"external_customer_id={subscription.replace('s-', 'c-')}")
