"""The story: set up three customers, let them use something, pass the month, check the invoices."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from billing_core.clock import monotonic
from gateway.demo import prices, running, world
from gateway.demo.api import Api, DemoFailed
from gateway.demo.running import LiteLLM, Running
from gateway.demo.show import Screen, Step
from gateway.demo.world import AI, BUYERS, CAR, WEB, Buyer

POLL_SECONDS = 0.1
WAIT_TIMEOUT_SECONDS = 60
PDF_HEAD = b"%PDF-"
Found = TypeVar("Found")


@dataclass(slots=True)
class Month:
    """One run of the demo. `used` is what was sent, by customer: the invoices must equal it."""

    api: Api
    screen: Screen
    running: Running
    api_key: str
    python: Path
    used: dict[str, Decimal] = field(default_factory=dict)

    async def play(self) -> list[Path]:
        """Play the month and return the paths of the PDFs; raises `DemoFailed`."""
        with self.screen.step("Prices and customers") as step:
            await self._set_up()
            step.note = f"{len(BUYERS)} customers, each with a plan"
        with self.screen.step("LiteLLM calls", total=len(world.CALLS)) as step:
            await self._call_models(step)
        with self.screen.step("Charging sessions, API events") as step:
            await self._send_events(step)
        await self._set_clock(world.MONTH_END)
        usages = [(buyer, await self._usage(buyer)) for buyer in BUYERS]
        self.screen.usage(usages)
        with self.screen.step("A month passes") as step:
            await self._set_clock(world.MONTH_BILLED)
            step.note = f"billed at {world.MONTH_BILLED}"
        with self.screen.step("Invoices and PDFs") as step:
            invoices = [(buyer, await self._invoice(buyer)) for buyer in BUYERS]
            paths = [await self._download(invoice) for _, invoice in invoices]
            step.note = f"{len(paths)} finalized"
        with self.screen.step("Checking every amount") as step:
            for (buyer, usage), (_, invoice) in zip(usages, invoices, strict=True):
                prices.check(buyer, self.used[buyer.external_id], usage, invoice)
            step.note = await running.verify(self.running)
        self.screen.invoices(invoices)
        return paths

    async def _set_up(self) -> None:
        await self._set_clock(world.MONTH_START, catch_up=False)
        metric_ids = {}
        for metric in world.METRICS:
            made = await self.api.post("/api/v1/billable_metrics", {"billable_metric": metric})
            metric_ids[metric["code"]] = made["billable_metric"]["lago_id"]
        for plan in world.plans(metric_ids):
            await self.api.post("/api/v1/plans", {"plan": plan})
        for buyer in BUYERS:
            await self._add(buyer)

    async def _add(self, buyer: Buyer) -> None:
        customer: dict[str, Any] = {
            "external_id": buyer.external_id,
            "name": buyer.name,
            "currency": world.CURRENCY,
        }
        if buyer.tax_percent is not None:
            percent = buyer.tax_percent
            tax = {"name": "VAT", "code": buyer.tax_code, "rate": str(percent)}
            await self.api.post("/api/v1/taxes", {"tax": tax})
            customer["tax_codes"] = [buyer.tax_code]
        await self.api.post("/api/v1/customers", {"customer": customer})
        subscription = {
            "external_customer_id": buyer.external_id,
            "external_id": buyer.subscription_id,
            "plan_code": buyer.plan_code,
            "billing_time": "calendar",
        }
        await self.api.post("/api/v1/subscriptions", {"subscription": subscription})

    async def _call_models(self, step: Step) -> None:
        # LiteLLM's callback sends no timestamp: its usage counts at the organization's now
        await self._set_clock(world.MONTH_MIDDLE)
        through = LiteLLM(self.python, self.running, self.api_key, world.AI_METRIC)
        found = await running.litellm_calls(through, world.calls(), step.advance)
        tokens = sum(one["total_tokens"] for one in found)
        self.used[AI.external_id] = Decimal(tokens)
        await self._arrived(AI)
        step.note = f"{len(found)} calls, {tokens:,} tokens through its lago callback"

    async def _send_events(self, step: Step) -> None:
        sessions = world.charging_events()
        for event in sessions:
            await self.api.post("/api/v1/events", {"event": event})
        again = await self.api.refusal("/api/v1/events", {"event": sessions[0]})
        if again["status"] != 422:  # noqa: PLR2004 - the refusal of a duplicate
            message = f"a repeated event was refused with {again}"
            raise DemoFailed(message)
        self.used[CAR.external_id] = sum((Decimal(one[2]) for one in world.SESSIONS), Decimal(0))
        await self.api.post("/api/v1/events/batch", {"events": world.request_events()})
        self.used[WEB.external_id] = Decimal(sum(world.DAILY_REQUESTS))
        for buyer in (CAR, WEB):
            await self._arrived(buyer)
        count = len(sessions) + len(world.DAILY_REQUESTS)
        step.note = f"{count} events; one sent twice was refused"

    async def _arrived(self, buyer: Buyer) -> None:
        wanted = self.used[buyer.external_id]

        async def units() -> Decimal | None:
            found = prices.units(await self._usage(buyer))
            return found if found >= wanted else None

        found = await _until(f"usage of {buyer.name} to show up", units)
        if found != wanted:
            message = f"{buyer.name} used {wanted} {buyer.unit}, the gateway counted {found}"
            raise DemoFailed(message)

    async def _usage(self, buyer: Buyer) -> dict[str, Any]:
        path = f"/api/v1/customers/{buyer.external_id}/current_usage"
        answer = await self.api.get(path, external_subscription_id=buyer.subscription_id)
        usage: dict[str, Any] = answer["customer_usage"]
        return usage

    async def _set_clock(self, instant: str, *, catch_up: bool = True) -> None:
        clock = {"frozen_time": instant, "catch_up": catch_up}
        await self.api.post("/api/v1/test_clock", {"test_clock": clock})

    async def _invoice(self, buyer: Buyer) -> dict[str, Any]:
        listed = await self.api.get("/api/v1/invoices", external_customer_id=buyer.external_id)
        if len(listed["invoices"]) != 1:
            message = f"{buyer.name} has {len(listed['invoices'])} invoices instead of one"
            raise DemoFailed(message)
        path = f"/api/v1/invoices/{listed['invoices'][0]['lago_id']}"
        await self.api.post(f"{path}/download")

        async def ready() -> dict[str, Any] | None:
            invoice: dict[str, Any] = (await self.api.get(path))["invoice"]
            is_ready = invoice["status"] == "finalized" and invoice["file_url"]
            return invoice if is_ready else None

        return await _until(f"the PDF of {buyer.name}", ready)

    async def _download(self, invoice: dict[str, Any]) -> Path:
        content = await self.api.download(invoice["file_url"])
        if not content.startswith(PDF_HEAD):
            message = f"the file of invoice {invoice['number']} is no PDF"
            raise DemoFailed(message)
        path = self.running.data_dir / "invoices" / f"{invoice['number']}.pdf"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path


async def _until(what: str, look: Callable[[], Awaitable[Found | None]]) -> Found:
    deadline = monotonic() + WAIT_TIMEOUT_SECONDS
    while True:
        found = await look()
        if found is not None:
            return found
        if monotonic() > deadline:
            message = f"waited {WAIT_TIMEOUT_SECONDS} s for {what}"
            raise DemoFailed(message)
        await asyncio.sleep(POLL_SECONDS)
